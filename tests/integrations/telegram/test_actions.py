"""Orders carried out against the stand-in, by real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dialogs.effects import Option, SendMessage
from dialogs.events import File
from integrations.base import Later, Never, Order, Unknown
from integrations.telegram import NOTIFY, make_telegram
from integrations.telegram.actions import address_notice
from integrations.telegram.render import LIMITS

BUTTONS = [[{"text": "Взять", "data": "take:1"}, {"text": "Окдеск", "url": "https://desk.example"}]]


async def anna(stage: Any) -> int:
    await stage.telegram.say("Анна", "/start")
    return int(stage.telegram.user_id("Анна"))


async def say(stage: Any, chat_id: int, message: SendMessage) -> list[Any]:
    return [await stage.run("send", chat_id, **params) for params in stage.us.channel.render(message)]


def refuse(stage: Any, description: str, method: str | None = None) -> None:
    body = {"ok": False, "error_code": 400, "description": f"Bad Request: {description}"}
    stage.telegram.answer_next(400, json.dumps(body).encode(), method=method)


async def topic(stage: Any, name: str = "Анна") -> int:
    done = await stage.run("create_topic", stage.telegram.managers_chat_id, name=name, icon_color=7322096)
    return int(done.result["thread_id"])


async def test_a_question_arrives_with_its_buttons(stage: Any) -> None:
    chat_id = await anna(stage)
    question = SendMessage("Всё верно?", (Option("y", "Да", "d1.3.2.y"), Option("n", "Нет", "d1.3.2.n")))
    [done] = await say(stage, chat_id, question)
    last = stage.telegram.transcript("Анна")[-1]
    assert last == {
        "from": "bot",
        "text": "Всё верно?",
        "options": [{"id": "d1.3.2.y", "title": "Да"}, {"id": "d1.3.2.n", "title": "Нет"}],
        "id": done.result["message_id"],
    }
    assert done.external_id == f"{chat_id}:{last['id']}"


async def test_a_reply_keyboard_comes_and_goes(stage: Any) -> None:
    chat_id = await anna(stage)
    await say(stage, chat_id, SendMessage("Ваш номер?", quick=("share_contact",)))
    assert stage.telegram.transcript("Анна")[-1]["options"] == [{"id": "contact", "title": "Отправить номер"}]
    await stage.telegram.press("Анна", "contact")
    assert stage.telegram.transcript("Анна")[-1]["text"] == "[contact]"
    await say(stage, chat_id, SendMessage("Спасибо"))
    with pytest.raises(LookupError):
        await stage.telegram.press("Анна", "contact")


async def test_markup_in_a_text_stays_text(stage: Any) -> None:
    chat_id = await anna(stage)
    await say(stage, chat_id, SendMessage("<b>x</b> & *y* \ud83d"))
    assert stage.telegram.transcript("Анна")[-1]["text"] == "<b>x</b> & *y* \ufffd"


async def test_pictures_and_files_arrive(stage: Any) -> None:
    chat_id = await anna(stage)
    await say(stage, chat_id, SendMessage("Смотрите", media="https://cdn.example/a.png"))
    await stage.telegram.manager_sends("Ольга", "voice")
    voice = next(file for file in stage.telegram._world.files.values() if file.kind == "voice")
    await say(stage, chat_id, SendMessage("", files=(File(voice.id, "voice"),)))
    assert [message["text"] for message in stage.telegram.transcript("Анна")[1:]] == ["Смотрите", "[voice]"]


async def test_a_picture_that_cannot_be_fetched_does_not_swallow_the_question(stage: Any) -> None:
    chat_id = await anna(stage)
    refuse(stage, "failed to get HTTP URL content", "sendPhoto")
    await say(stage, chat_id, SendMessage("Так?", (Option("y", "Да", "p.y"),), media="https://cdn.example/a.png"))
    last = stage.telegram.transcript("Анна")[-1]
    assert last["text"] == "Так?\n\nhttps://cdn.example/a.png"
    assert last["options"] == [{"id": "p.y", "title": "Да"}]


async def test_a_mistake_of_ours_leaves_the_words(stage: Any) -> None:
    chat_id = await anna(stage)
    refuse(stage, "BUTTON_DATA_INVALID")
    await say(stage, chat_id, SendMessage("Так?", (Option("y", "Да", "p.y"),)))
    assert stage.telegram.transcript("Анна")[-1] | {"id": 0} == {"from": "bot", "text": "Так?", "options": [], "id": 0}


async def test_who_blocked_the_bot_is_unreachable(stage: Any) -> None:
    chat_id = await anna(stage)
    await stage.telegram.block("Анна")
    with pytest.raises(Never) as caught:
        await say(stage, chat_id, SendMessage("Алло?"))
    assert caught.value.unreachable
    with pytest.raises(Never) as caught:
        await say(stage, stage.telegram.user_id("Никогда не писал"), SendMessage("Алло?"))
    assert (caught.value.code, caught.value.unreachable) == ("not_found", True)


async def test_a_lost_answer_is_unknown_although_the_message_is_there(stage: Any) -> None:
    chat_id = await anna(stage)
    stage.telegram.trouble = "lost_answer"
    with pytest.raises(Unknown):
        await say(stage, chat_id, SendMessage("Принято"))
    assert stage.telegram.transcript("Анна")[-1]["text"] == "Принято"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"method": "deleteWebhook", "fields": {}},
        {"method": "sendMessage", "fields": "text"},
        {"method": "sendMessage", "fields": {"text": {"a": 1}}},
        {"method": ["sendMessage"], "fields": {}},
    ],
)
async def test_an_order_that_is_no_message_is_refused(stage: Any, params: dict[str, Any]) -> None:
    with pytest.raises(Never):
        await stage.run("send", 5, **params)


@pytest.mark.parametrize("recipient", ["", "x", "5:y", "1.5"])
async def test_a_recipient_that_is_none_is_refused(stage: Any, recipient: str) -> None:
    with pytest.raises(Never):
        await stage.run("send_group", recipient, text="x")


async def test_a_press_is_answered_once_and_late_is_no_error(stage: Any) -> None:
    chat_id = await anna(stage)
    await say(stage, chat_id, SendMessage("Так?", (Option("y", "Да", "p.y"),)))
    await stage.telegram.press("Анна", "p.y")
    [ack] = stage.telegram._world.queries
    await stage.run("answer_callback", chat_id, ack=ack, text="я" * 300)
    assert [len(text) for text in stage.telegram.callback_answers().values()] == [LIMITS["callback_answer"]]
    await stage.run("answer_callback", chat_id, ack=ack)
    await stage.run("answer_callback", chat_id, ack="nobody pressed")


async def test_an_answer_to_an_old_press_is_not_even_tried(stage: Any) -> None:
    order = Order("k", "answer_callback", "5", {"ack": "1"}, 1, stage.clock())
    stage.clock.passes(151)
    await stage.us.actions["answer_callback"].run(order)
    typing = Order("k", "typing", "5", {}, 1, stage.clock())
    stage.clock.passes(6)
    await stage.us.actions["typing"].run(typing)
    assert not stage.telegram.calls


async def test_typing_is_shown_or_forgotten(stage: Any) -> None:
    chat_id = await anna(stage)
    await stage.run("typing", chat_id)
    await stage.run("typing", 12345)
    assert [fields["action"] for _, fields in stage.telegram.calls] == ["typing", "typing"]


async def test_the_managers_get_text_buttons_and_a_topic(stage: Any) -> None:
    thread_id = await topic(stage, "Анна Петрова · WA +79161234501")
    group = stage.telegram.managers_chat_id
    done = await stage.run("send_group", f"{group}:{thread_id}", text="Новая заявка", buttons=BUTTONS)
    [card] = stage.telegram.group_messages()
    assert (card["topic"], card["from"], card["text"]) == ("Анна Петрова · WA +79161234501", "bot", "Новая заявка")
    assert [option["id"] for option in card["options"]] == ["take:1", "https://desk.example"]
    assert done.external_id == f"{group}:{card['id']}"
    assert stage.telegram.topics()[0]["icon_color"] == 7322096
    fields = stage.telegram.calls[-1][1]
    assert (fields["message_thread_id"], "parse_mode" in fields) == (str(thread_id), False)


async def test_general_is_written_to_without_a_number(stage: Any) -> None:
    await stage.run("send_group", stage.telegram.managers_chat_id, text="всем", thread_id=1)
    assert "message_thread_id" not in stage.telegram.calls[-1][1]


async def test_a_long_card_keeps_its_buttons_under_the_last_part(stage: Any) -> None:
    text = "\n\n".join(["я" * 3000] * 3)
    done = await stage.run("send_group", stage.telegram.managers_chat_id, text=text, buttons=BUTTONS)
    messages = stage.telegram.group_messages()
    assert [bool(message["options"]) for message in messages] == [False, False, True]
    assert done.result == {"message_id": messages[-1]["id"]}
    assert [part.rpartition(":")[2] for part in done.parts] == [str(message["id"]) for message in messages[:-1]]


async def test_an_order_that_broke_in_the_middle_goes_on_from_there(stage: Any) -> None:
    group = stage.telegram.managers_chat_id
    order = Order("same key", "send_group", str(group), {"text": "я" * 5000}, 1, stage.clock())
    run = stage.us.actions["send_group"].run
    stage.telegram.set_flood_limits(True)
    for number in range(19):
        await stage.run("send_group", group, text=str(number))
    with pytest.raises(Later) as caught:
        await run(order)
    assert caught.value.scope == "system"  # a whole minute
    stage.clock.passes(61)
    done = await run(order)
    assert [len(message["text"]) for message in stage.telegram.group_messages()[19:]] == [4096, 904]
    assert len(done.parts) == 1


async def test_files_of_this_channel_go_by_id_and_of_others_are_uploaded(stage: Any) -> None:
    fetched: list[str] = []

    async def fetch(channel: str, file: File, limit_bytes: int) -> bytes:
        fetched.append(f"{channel}:{file.id}")
        if file.id == "gone":
            raise Never("expired")
        return b"bytes"

    us = make_telegram(
        stage_settings(stage), now=stage.clock, log_call=lambda *call: None, feed=stage.feed, fetch_file=fetch
    )
    await stage.telegram.photo("Анна")
    photo = next(iter(stage.telegram._world.files))
    files = [
        {"id": photo, "kind": "photo"},
        {"id": "wa1", "kind": "file", "name": "../акт.pdf", "channel": "whatsapp"},
        {"id": "gone", "kind": "photo", "name": "чек.jpg", "channel": "whatsapp"},
    ]
    params = {"text": "Анна:", "files": files, "reply_to": 99}
    order = Order("k", "send_group", str(stage.telegram.managers_chat_id), params, 1, stage.clock())
    done = await us.actions["send_group"].run(order)
    assert us.stop is not None
    await us.stop()
    assert fetched == ["whatsapp:wa1", "whatsapp:gone"]
    texts = [message["text"] for message in stage.telegram.group_messages()]
    assert texts[:2] == ["[photo]", "[document]"]
    assert texts[2].startswith("📎 чек.jpg")
    assert texts[3] == "Анна:"
    assert len(done.parts) == 3
    [uploaded] = [file for file in stage.telegram._world.files.values() if file.content == b"bytes"]
    assert uploaded.name == ".._акт.pdf"


def stage_settings(stage: Any) -> Any:
    from integrations.telegram import TelegramSettings

    return TelegramSettings(bot_token=stage.telegram._world.token, api_url=stage.url)


async def test_a_closed_topic_is_opened_again(stage: Any) -> None:
    thread_id = await topic(stage)
    group = stage.telegram.managers_chat_id
    await stage.run("close_topic", group, thread_id=thread_id)
    await stage.run("close_topic", group, thread_id=thread_id)  # closed already: done
    assert stage.telegram.topics()[0]["closed"]
    await stage.run("send_group", group, thread_id=thread_id, text="клиент написал снова")
    assert not stage.telegram.topics()[0]["closed"]
    await stage.run("reopen_topic", f"{group}:{thread_id}")
    assert stage.telegram.group_messages()[-1]["thread_id"] == thread_id


async def test_a_deleted_topic_is_told_to_the_caller(stage: Any) -> None:
    thread_id = await topic(stage)
    stage.telegram.delete_topic(thread_id)
    for action in ("send_group", "telegram.notify"):
        with pytest.raises(Never) as caught:
            await stage.run(action, f"{stage.telegram.managers_chat_id}:{thread_id}", text="x")
        assert caught.value.code == "topic_gone"


async def test_a_new_topic_gets_what_went_down_with_the_old_one(stage: Any) -> None:
    group, thread_id = stage.telegram.managers_chat_id, await topic(stage)
    run = stage.us.actions["send_group"].run

    def order(thread: int) -> Order:
        return Order("same key", "send_group", f"{group}:{thread}", {"text": "я" * 5000}, 1, stage.clock())

    stage.telegram.set_flood_limits(True)
    for number in range(19):  # one more fits
        await stage.run("send_group", group, text=str(number))
    with pytest.raises(Later):
        await run(order(thread_id))
    stage.telegram.delete_topic(thread_id)
    stage.clock.passes(61)
    with pytest.raises(Never):
        await run(order(thread_id))
    new = await topic(stage)
    await run(order(new))
    sent = [message["text"] for message in stage.telegram.group_messages() if message["thread_id"] == new]
    assert [len(text) for text in sent] == [4096, 904]


async def test_a_group_without_topics_says_so(clock: Any, stage: Any) -> None:
    stage.telegram._world.group.is_forum = False
    with pytest.raises(Never) as caught:
        await topic(stage)
    assert caught.value.code == "not_a_forum"


async def test_names_of_topics_always_fit(stage: Any) -> None:
    await topic(stage, " \n ")
    await topic(stage, "😀" * 100)
    assert [len(each["name"]) for each in stage.telegram.topics()] == [1, 64]


async def test_an_edit_changes_the_message_and_twice_is_no_error(stage: Any) -> None:
    group = stage.telegram.managers_chat_id
    sent = await stage.run("send_group", group, text="Заявка", buttons=BUTTONS)
    message_id = sent.result["message_id"]
    for _ in range(2):
        done = await stage.run("edit_group", group, message_id=message_id, text="Взял Олег")
        assert done.result == {"message_id": message_id, "is_new": False}
    [card] = stage.telegram.group_messages()
    assert (card["text"], card["options"]) == ("Взял Олег", [])
    await stage.run("edit_group", group, message_id=message_id, buttons=BUTTONS)
    assert len(stage.telegram.group_messages()[0]["options"]) == 2


async def test_an_edit_of_a_picture_changes_its_caption(stage: Any) -> None:
    group = stage.telegram.managers_chat_id
    await stage.telegram.photo("Анна")
    photo = next(iter(stage.telegram._world.files))
    sent = await stage.run("send_group", group, text="Чек", files=[{"id": photo, "kind": "photo"}])
    await stage.run("edit_group", group, message_id=sent.result["message_id"], text="Чек проверен")
    assert stage.telegram.group_messages()[0]["text"] == "Чек проверен"


async def test_an_edit_of_a_message_that_is_gone_says_it_anew(stage: Any) -> None:
    group, thread_id = stage.telegram.managers_chat_id, await topic(stage)
    sent = await stage.run("send_group", group, thread_id=thread_id, text="Заявка")
    stage.telegram.delete_message(group, sent.result["message_id"])
    done = await stage.run(
        "edit_group", group, message_id=sent.result["message_id"], thread_id=thread_id, text="Взял Олег"
    )
    [card] = stage.telegram.group_messages()
    assert (card["text"], card["thread_id"]) == ("Взял Олег", thread_id)
    assert done.result == {"message_id": card["id"], "is_new": True}


async def test_a_notice_goes_where_the_caller_decides(stage: Any) -> None:
    wish = {"text": "Новый лид", "group": "managers", "topic": True}
    thread_id = await topic(stage)
    params = address_notice(wish, chat_id=stage.telegram.managers_chat_id, thread_id=thread_id)
    done = await stage.run("telegram.notify", "managers", **params)
    [card] = stage.telegram.group_messages()
    assert (card["text"], card["thread_id"]) == ("Новый лид", thread_id)
    assert done.result == {"message_id": card["id"]}


async def test_a_group_that_moved_tells_where(stage: Any) -> None:
    old = stage.telegram.managers_chat_id
    stage.telegram.migrate_group(-1009)
    with pytest.raises(Never) as caught:
        await stage.run("send_group", old, text="x")
    assert (caught.value.code, str(caught.value)) == ("migrated", "-1009")
    await stage.run("send_group", -1009, text="x")


async def test_after_a_flood_the_pace_waits_as_told(stage: Any) -> None:
    group = stage.telegram.managers_chat_id
    stage.telegram.set_flood_limits(True)
    for number in range(20):
        await stage.run("send_group", group, text=str(number))
        stage.clock.passes(2)
    with pytest.raises(Later) as caught:
        await stage.run("telegram.notify", "managers", chat_id=group, text="21")
    assert (caught.value.retry_after_s, caught.value.scope) == (21, "recipient")
    assert stage.us.channel.pace.delay(f"{group}:5", stage.clock()) == 21
    assert stage.us.channel.pace.delay("managers", stage.clock()) == 0


def test_the_flow_action_is_written_down_as_the_catalogue_says(stage: Any) -> None:
    assert stage.us.actions["telegram.notify"].spec is NOTIFY
    assert NOTIFY.writes
    assert [name for name, parameter in NOTIFY.parameters.items() if parameter.required] == ["text"]
    assert {name: action.name for name, action in stage.us.actions.items()} == {name: name for name in stage.us.actions}
    assert all(action.repeatable and action.settle is None for action in stage.us.actions.values())


async def test_a_file_is_downloaded_within_the_limit(stage: Any) -> None:
    await stage.telegram.attach("Анна", "document", content=b"12345")
    small = File(next(iter(stage.telegram._world.files)), "file")
    assert await stage.us.channel.download(small, 5) == b"12345"
    with pytest.raises(Never, match="too big"):
        await stage.us.channel.download(small, 4)
    await stage.telegram.attach("Анна", "document", content=b"lies", size=30_000_000)
    big = File(list(stage.telegram._world.files)[-1], "file")
    with pytest.raises(Never, match="too big"):
        await stage.us.channel.download(big, 50_000_000)
    calls = len(stage.telegram.calls)
    with pytest.raises(Never, match="too big"):
        await stage.us.channel.download(File(big.id, "file", size=30_000_000), 50_000_000)
    assert len(stage.telegram.calls) == calls


async def test_a_special_video_is_downloaded_by_its_bare_id(stage: Any) -> None:
    await stage.telegram.attach("Анна", "video_note", content=b"round")
    note = next(iter(stage.telegram._world.files))
    assert await stage.us.channel.download(File(f"video_note:{note}", "video"), 100) == b"round"


async def test_a_file_that_nobody_knows_is_never(stage: Any) -> None:
    with pytest.raises(Never):
        await stage.us.channel.download(File("unknown", "file"), 100)


async def test_an_expired_link_is_later_and_hides_the_token(stage: Any, serving: Any) -> None:
    await stage.telegram.attach("Анна", "document")
    file = File(next(iter(stage.telegram._world.files)), "file")
    body = b'{"ok":true,"result":{"file_path":"documents/gone file?.pdf"}}'
    stage.telegram.answer_next(200, body, method="getFile")
    with pytest.raises(Later) as caught:
        await stage.us.channel.download(file, 100)
    assert stage.telegram._world.token not in repr(caught.value)
    stage.telegram.trouble = "down"
    with pytest.raises(Later):
        await stage.us.channel.download(file, 100)


async def test_doctor_hears_a_name_or_a_reason(stage: Any) -> None:
    assert await stage.us.check() == "@demo_service_bot at 127.0.0.1"
    stage.telegram.answer_next(401, b'{"ok":false,"error_code":401,"description":"Unauthorized"}')
    with pytest.raises(Never, match="token"):
        await stage.us.check()


def test_the_channel_has_no_window_and_joins_nothing(stage: Any) -> None:
    channel = stage.us.channel
    messages = [SendMessage("a"), SendMessage("b")]
    assert (channel.name, channel.account, channel.window_s) == ("telegram", "7000000001", None)
    assert channel.merge(messages) == messages
