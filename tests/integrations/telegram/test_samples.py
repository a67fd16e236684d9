"""Every sample: answered 200, kept once, and understood as its remark says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from multidict import CIMultiDict

from dialogs.events import ButtonPressed, MessageReceived
from integrations.base import (
    CannotRead,
    CustomerNoted,
    CustomerSaid,
    Fact,
    GroupMoved,
    GroupSaid,
    IncomingEvent,
    Nothing,
    Outcome,
    Received,
    Request,
    StoredEvent,
)
from integrations.telegram.reading import TelegramReader
from integrations.telegram.webhook import TelegramWebhook

SAMPLES = Path(__file__).parents[2] / "samples" / "telegram"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_bytes())
SECRET = MANIFEST["secret_token"]
GROUP = MANIFEST["support_group"]["id"]
NAMES = [case["file"] for case in MANIFEST["cases"]]
RECEIVED_AT = datetime(2026, 9, 22, tzinfo=UTC)
ANNA = "5400000001"


def event(name: str, folder: str = ".") -> IncomingEvent:
    """What the webhook makes of a sample, answered as it should be."""
    headers = CIMultiDict({MANIFEST["header"]: SECRET})
    body = (SAMPLES / folder / name).read_bytes()
    request = Request("POST", "/webhooks/telegram", {}, headers, body, "127.0.0.1", RECEIVED_AT)
    received = TelegramWebhook(SECRET).receive(request)
    assert isinstance(received, Received)
    for kind in ("new", "duplicate", "conflict"):
        assert received.answer([Outcome(kind)]).status == 200
    [kept] = received.events
    assert kept.body == body
    return kept


def read(name: str) -> Sequence[Fact]:
    kept = event(name)
    assert kept.state == "waiting"
    stored = StoredEvent(17, "telegram", kept.kind, kept.external_id, kept.body, RECEIVED_AT)
    return TelegramReader(account=str(MANIFEST["bot"]["id"]), groups={GROUP}).read(stored)


def fact(name: str) -> Any:
    [only] = read(name)
    return only


def said(name: str) -> MessageReceived:
    assert isinstance(fact(name), CustomerSaid)
    message = fact(name).said
    assert isinstance(message, MessageReceived)
    return message


@pytest.mark.parametrize("name", NAMES)
def test_no_sample_is_lost(name: str) -> None:
    kept = event(name)
    if name in {"39_no_update_id.json", "41_not_json.json"}:
        assert (kept.kind, kept.state) == ("unreadable", "dead")
        assert kept.error
    else:
        assert kept.state == "waiting"
        assert kept.external_id == str(json.loads(kept.body)["update_id"])
        assert read(name)


@pytest.mark.parametrize("name", sorted(path.name for path in (SAMPLES / "raw").iterdir()))
def test_the_compact_twin_is_the_same_event(name: str) -> None:
    twin, plain = event(name, "raw"), event(name)
    if plain.state == "waiting":
        assert (twin.external_id, twin.key, twin.kind) == (plain.external_id, plain.key, plain.kind)


def test_a_redelivery_has_the_same_id() -> None:
    first, again = event("01_private_text.json"), event("31_duplicate_of_first.json")
    assert (first.external_id, first.body, first.occurred_at) == (again.external_id, again.body, again.occurred_at)
    assert event("41_not_json.json").external_id == event("41_not_json.json").external_id


def test_a_second_tap_is_another_event() -> None:
    assert event("03_callback_query.json").external_id != event("04_callback_query_double_tap.json").external_id


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("01_private_text.json", "telegram:5400000001"),
        ("03_callback_query.json", "telegram:5400000001"),
        ("05_callback_query_inaccessible_message.json", "telegram:5400000001"),
        ("14_edited_message.json", "telegram:5400000001"),
        ("17_bot_blocked.json", "telegram:5400000002"),
        ("19_reaction.json", f"telegram-group:{GROUP}:0"),
        ("21_manager_answer_in_topic.json", f"telegram-group:{GROUP}:500"),
        ("25_general_topic_message.json", f"telegram-group:{GROUP}:0"),
        ("29_business_message.json", "telegram-business:5400000001"),
        ("37_unknown_update_type.json", "telegram:other"),
    ],
)
def test_events_of_one_chat_have_one_key(name: str, key: str) -> None:
    assert event(name).key == key


def test_a_press_has_no_time_of_its_own() -> None:
    assert event("03_callback_query.json").occurred_at is None
    assert event("01_private_text.json").occurred_at == datetime.fromtimestamp(1790000000, UTC)


def test_a_text_says_who_wrote_what() -> None:
    anna = fact("01_private_text.json")
    assert (anna.channel, anna.account) == ("telegram", "7000000001")
    assert (anna.person.addresses, anna.person.name) == ((ANNA,), "Анна Петрова")
    assert (anna.person.username, anna.person.language, anna.person.phone) == ("anna_p", "ru", None)
    assert anna.said == MessageReceived(
        id="17",
        at=datetime.fromtimestamp(1790000000, UTC),
        text="Здравствуйте! Где мой заказ? 📦",
        message_id=f"{ANNA}:101",
    )


def test_a_deep_link_stays_in_the_text() -> None:
    assert said("02_start_deep_link.json").text == "/start lead_wa_7f3a"
    assert fact("02_start_deep_link.json").person.language is None


def test_a_press_carries_its_payload_and_wants_an_answer() -> None:
    press = fact("03_callback_query.json")
    assert press.ack == "23193000000000001"
    assert press.said == ButtonPressed(
        id="17", at=RECEIVED_AT, payload="f:lead:3:confirm:y", title="Да", message_id=f"{ANNA}:103"
    )


def test_a_press_under_an_inaccessible_message_counts() -> None:
    press = fact("05_callback_query_inaccessible_message.json")
    assert (press.said.payload, press.said.message_id, press.said.title) == ("f:lead:1:old", f"{ANNA}:9", None)


def test_only_an_own_card_proves_a_number() -> None:
    own, foreign = fact("06_contact_own.json"), fact("07_contact_foreign.json")
    assert (own.said.card.is_own, own.person.phone) == (True, "+79161234501")
    assert own.said.card.phones == ("79161234501",)
    assert (foreign.said.card.is_own, foreign.person.phone) == (False, None)
    assert foreign.said.card.name == "Чужой"
    assert own.reply_to == f"{ANNA}:100"


def test_the_largest_photo_is_taken() -> None:
    [photo] = said("08_photo_caption.json").files
    assert (photo.id, photo.kind, photo.size) == ("AgACphotoL", "photo", 210000)
    assert said("08_photo_caption.json").text == "Вот чек"


def test_the_parts_of_an_album_know_each_other() -> None:
    first, second = fact("09_album_part_1.json"), fact("10_album_part_2.json")
    assert first.album == second.album == "13900000000000001"


def test_files_keep_their_hostile_names_for_showing_only() -> None:
    [document] = said("11_document_big.json").files
    assert (document.kind, document.name, document.size) == ("file", "../акт №5 / копия.pdf", 26214401)
    [voice] = said("12_voice.json").files
    assert (voice.kind, voice.mime) == ("voice", "audio/ogg")


def test_a_location_is_a_point() -> None:
    location = said("13_location.json").location
    assert location is not None
    assert (location.latitude, location.longitude) == (55.7558, 37.6173)


def test_an_edit_names_the_message_it_replaces() -> None:
    edit = said("14_edited_message.json")
    assert edit.edits == edit.message_id == f"{ANNA}:101"
    assert edit.at == datetime.fromtimestamp(1790000040, UTC)


def test_forwarded_texts_and_web_forms_are_messages() -> None:
    assert fact("15_forwarded_hidden_user.json").extra == {"forwarded": {"type": "hidden_user", "name": "Кто-то"}}
    assert said("16_web_app_data.json").text == '{"model":"АТОЛ 91Ф","when":"завтра"}'
    assert fact("16_web_app_data.json").extra == {"web_app_button": "Анкета"}


@pytest.mark.parametrize(("name", "kind"), [("17_bot_blocked.json", "blocked"), ("18_bot_unblocked.json", "unblocked")])
def test_blocking_is_noted(name: str, kind: str) -> None:
    noted = fact(name)
    assert isinstance(noted, CustomerNoted)
    assert (noted.kind, noted.person.addresses) == (kind, ("5400000002",))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("19_reaction.json", "group"),
        ("20_topic_created_by_bot.json", "forum_topic_created"),
        ("26_topic_closed.json", "forum_topic_closed"),
        ("28_business_connection.json", "business"),
        ("29_business_message.json", "business"),
        ("37_unknown_update_type.json", "quantum_message"),
    ],
)
def test_what_needs_nothing_says_why(name: str, reason: str) -> None:
    assert isinstance(fact(name), Nothing)
    assert reason in fact(name).reason


def test_a_manager_in_a_topic_answers_nobody_in_particular() -> None:
    answer = fact("21_manager_answer_in_topic.json")
    assert isinstance(answer, GroupSaid)
    assert (answer.chat_id, answer.thread_id, answer.message_id, answer.reply_to) == (GROUP, 500, 501, None)
    assert (answer.manager_id, answer.manager_name) == (5400000090, "Ольга Менеджер")
    assert answer.text == "Добрый день! Мастер будет завтра с 10 до 12."


def test_a_real_reply_names_its_message() -> None:
    assert fact("22_manager_reply_to_bot_copy.json").reply_to == 499


def test_commands_and_notes_of_managers_come_as_they_are() -> None:
    assert fact("23_manager_command_in_topic.json").text == "/close@demo_service_bot"
    assert fact("24_manager_internal_note.json").text == "// клиент сложный, скидку не давать"


def test_general_has_no_topic() -> None:
    assert fact("25_general_topic_message.json").thread_id is None


def test_an_anonymous_administrator_is_no_bot() -> None:
    anonymous = fact("27_anonymous_admin.json")
    assert isinstance(anonymous, GroupSaid)
    assert (anonymous.manager_name, anonymous.text) == ("Поддержка", "Отвечу анонимно")


def test_a_group_that_moved_gives_both_ids() -> None:
    assert fact("30_migrate_to_supergroup.json") == GroupMoved(-4100000001, GROUP)


def test_order_can_be_told_from_number_and_time() -> None:
    earlier, later = said("33_out_of_order_earlier.json"), said("32_out_of_order_later.json")
    assert earlier.at < later.at
    assert event("33_out_of_order_earlier.json").key == event("32_out_of_order_later.json").key


def test_texts_are_not_touched() -> None:
    assert said("34_emoji_and_entities.json").text == "👩🏽‍🔧 жирный"
    assert len(said("35_text_4096.json").text or "") == 4096
    assert said("36_hostile_text.json").text == "'; DROP TABLE dialogs;-- <b>x</b> {{7*7}} \ufffd *_`["
    assert b"\\u0000" in event("36_hostile_text.json").body


def test_a_poll_that_the_library_refuses_is_an_unsupported_message() -> None:
    assert said("38_known_type_new_required_shape.json").unsupported


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    text = said("40_lone_surrogate.json").text
    assert text == "обрыв \ufffd конец"
    text.encode()


@pytest.mark.parametrize(
    "content",
    [
        None,
        5,
        {},
        {"message_id": "101", "chat": {"id": 1, "type": "private"}},
        {"message_id": 101, "chat": {"id": 1}},
        {"message_id": True, "chat": {"id": 1, "type": "private"}},
    ],
)
def test_a_message_without_its_bones_cannot_be_read(content: Any) -> None:
    body = orjson.dumps({"update_id": 5, "message": content})
    with pytest.raises(CannotRead, match="message: "):
        TelegramReader(account="1", groups=()).read(StoredEvent(1, "telegram", "message", "5", body, RECEIVED_AT))


async def test_the_answers_go_over_http(serving: Any) -> None:
    """The samples through a real server: 200 to the right secret, 401 to others."""
    import aiohttp

    webhook = TelegramWebhook(SECRET)

    async def handle(request: web.Request) -> web.Response:
        received = webhook.receive(
            Request("POST", request.path, {}, request.headers, await request.read(), request.remote, RECEIVED_AT)
        )
        answer = received.answer([Outcome("new")]) if isinstance(received, Received) else received
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    app = web.Application()
    app.router.add_post(webhook.path, handle)
    async with serving(app) as url, aiohttp.ClientSession() as http:
        for name in NAMES:
            body = (SAMPLES / name).read_bytes()
            for secret, status in ((SECRET, 200), ("wrong", 401), ("пароль", 401)):
                headers = {MANIFEST["header"]: secret}
                async with http.post(url + webhook.path, data=body, headers=headers) as response:
                    assert (response.status, await response.json() is not None) == (status, True)
