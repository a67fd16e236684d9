"""The stand-in keeps Telegram's habits, and our webhook lives with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from integrations.base import Received, Request
from integrations.telegram import TelegramSettings, make_telegram
from integrations.telegram.client import TelegramClient
from integrations.telegram.registration import WebhookRegistration
from integrations.telegram.simulator import SimulatedTelegram
from tests.waiting import until

TOKEN = "7000000001:AAtesttesttesttesttesttesttesttest0"
SECRET = "demo_secret_token-1"
GROUP = -1002400000001


class Service:
    """Our side of the webhook: it keeps what the integration makes of a request."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.webhook: Any = None
        self.bodies: list[dict[str, Any]] = []
        self.statuses: list[int] = []  # answered first, instead of the true ones
        self.held: asyncio.Event | None = None
        self.app = web.Application()
        self.app.router.add_post("/webhooks/telegram", self._handle)

    def texts(self) -> list[str]:
        return [body["message"]["text"] for body in self.bodies if "message" in body]

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.held is not None and b"hold me" in body:
            await self.held.wait()
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        received = self.webhook.receive(
            Request("POST", request.path, {}, request.headers, body, request.remote, self.clock())
        )
        if not isinstance(received, Received):
            return web.Response(status=received.status)
        self.bodies += [json.loads(event.body) for event in received.events]
        return web.Response(status=received.answer([]).status)


@asynccontextmanager
async def hooked(clock: Any, serving: Any, **settings: Any) -> AsyncIterator[tuple[SimulatedTelegram, Service]]:
    """Telegram and our service, joined by the registration of the integration itself."""
    service = Service(clock)
    telegram = SimulatedTelegram(token=TOKEN, now=clock, managers_chat_id=GROUP, retry_base_s=0.001, **settings)
    await telegram.start()
    async with serving(telegram.app) as api_url, serving(service.app) as base_url:
        us = make_telegram(
            TelegramSettings(TOKEN, api_url, "webhook", SECRET, base_url, GROUP),
            now=clock,
            log_call=lambda *call: None,
            feed=_nobody_polls,
        )
        [service.webhook] = us.webhooks
        assert us.start is not None
        assert us.stop is not None
        assert us.poll is None
        await us.start()
        yield telegram, service
        await us.stop()
        await telegram.close()


async def _nobody_polls(events: Any) -> None:
    raise AssertionError


async def test_updates_arrive_in_order_with_the_secret(clock: Any, serving: Any) -> None:
    async with hooked(clock, serving) as (telegram, service):
        for number in range(5):
            await telegram.say("Анна", str(number))
        await telegram.delivered()
        assert service.texts() == ["0", "1", "2", "3", "4"]
        [fields] = [fields for method, fields in telegram.calls if method == "setWebhook"]
        assert fields["secret_token"] == SECRET
        assert fields["url"].endswith("/webhooks/telegram")
        assert "callback_query" in json.loads(fields["allowed_updates"])
        assert fields.get("drop_pending_updates", "false") == "false"


async def test_an_update_that_was_not_taken_holds_back_its_chat_only(clock: Any, serving: Any) -> None:
    async with hooked(clock, serving) as (telegram, service):
        service.held = asyncio.Event()
        await telegram.say("Анна", "hold me")
        await telegram.say("Анна", "second")
        await telegram.say("Борис", "other")
        await until(service.texts, "nothing came")
        assert service.texts() == ["other"]
        service.held.set()
        await telegram.delivered()
        assert service.texts() == ["other", "hold me", "second"]


async def test_a_refused_update_comes_again(clock: Any, serving: Any) -> None:
    async with hooked(clock, serving) as (telegram, service):
        service.statuses = [500, 503, 404]
        await telegram.say("Анна", "настойчиво")
        await telegram.delivered()
        assert service.texts() == ["настойчиво"]
        assert not service.statuses


async def test_a_press_nobody_took_dies_sooner_than_a_message(clock: Any, serving: Any) -> None:
    async with hooked(clock, serving) as (telegram, service):
        await telegram.say("Анна", "/start")
        await telegram.delivered()
        markup = {"inline_keyboard": [[{"text": "Да", "callback_data": "y"}]]}
        await call(telegram, serving, "sendMessage", chat_id=telegram.user_id("Анна"), text="?", reply_markup=markup)
        telegram.trouble = "down"
        await telegram.press("Анна", "y")
        await telegram.say("Анна", "живое")
        clock.passes(151)
        telegram.trouble = "none"
        await telegram.delivered()
        assert [next(kind for kind in body if kind != "update_id") for body in service.bodies] == ["message", "message"]
        telegram.trouble = "down"
        await telegram.say("Анна", "вчерашнее")
        clock.passes(24 * 3600)
        telegram.trouble = "none"
        await telegram.delivered()
        assert service.texts() == ["/start", "живое"]


async def call(telegram: SimulatedTelegram, serving: Any, method: str, **fields: Any) -> Any:
    data = {name: json.dumps(value) if isinstance(value, dict) else str(value) for name, value in fields.items()}
    async with (
        serving_once(telegram, serving) as url,
        aiohttp.ClientSession() as http,
        http.post(f"{url}/bot{TOKEN}/{method}", data=data) as response,
    ):
        return await response.json()


@asynccontextmanager
async def serving_once(telegram: SimulatedTelegram, serving: Any) -> AsyncIterator[str]:
    """Another door to the same stand-in: an application can be served once only."""
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", telegram._handle_call)
    async with serving(app) as url:
        yield url


async def test_double_delivery_has_one_update_id(clock: Any, serving: Any) -> None:
    async with hooked(clock, serving) as (telegram, service):
        telegram.trouble = "duplicate"
        await telegram.say("Анна", "дважды")
        await telegram.delivered()
        first, second = service.bodies
        assert first == second


async def test_a_wrong_secret_is_never_taken(clock: Any, serving: Any) -> None:
    async with hooked(clock, serving) as (telegram, service):
        telegram._updates.webhook_secret = "stolen"
        await telegram.say("Анна", "подделка")
        await until(lambda: telegram._updates.last_error, "no error was seen")
        assert not service.bodies
        assert "401" in telegram._updates.last_error


async def test_a_late_registration_finds_the_waiting_updates(clock: Any, serving: Any) -> None:
    """Telegram is away at our start: the service starts, and the webhook is set later."""
    service = Service(clock)
    telegram = SimulatedTelegram(token=TOKEN, now=clock, managers_chat_id=GROUP, retry_base_s=0.001)
    await telegram.start()
    telegram.trouble = "down"

    async def telegram_returns(seconds: float) -> None:
        assert seconds == 2
        telegram.trouble = "none"

    async with serving(telegram.app) as api_url, serving(service.app) as base_url:
        from integrations.telegram.webhook import TelegramWebhook

        service.webhook = TelegramWebhook(SECRET)
        client = TelegramClient(token=TOKEN, api_url=api_url, log_call=lambda *call: None)
        registration = WebhookRegistration(client, base_url=base_url + "/", secret=SECRET, pause=telegram_returns)
        await telegram.say("Анна", "рано")
        await registration.start()
        await telegram.delivered()
        assert service.texts() == ["рано"]
        await registration.stop()
        await client.close()
        await telegram.close()


async def test_everything_that_people_do_is_an_update(stage: Any) -> None:
    telegram = stage.telegram
    await telegram.say("Анна", "/start x")
    await telegram.photo("Анна", "чек")
    for kind in ("document", "voice", "audio", "video", "video_note", "animation", "sticker"):
        await telegram.attach("Анна", kind)
    await telegram.contact("Анна")
    await telegram.contact("Анна", "+79990001122", own=False)
    await telegram.location("Анна", 55.5, 49.5)
    await telegram.location("Анна", 55.5, 49.5, "Баумана 1")
    await telegram.album("Анна", 2, "две")
    await telegram.say("Анна", "опечтка")
    await telegram.edit("Анна", "опечатка")
    await telegram.react("Анна", 1, "👍")
    await telegram.block("Анна")
    facts = await read_all(stage)
    said = [fact.said for fact in facts if hasattr(fact, "said")]
    assert [message.text for message in said if message.text] == [
        "/start x",
        "чек",
        "две",
        "опечтка",
        "опечатка",
    ]
    assert [file.kind for message in said for file in message.files] == [
        "photo",
        "file",
        "voice",
        "audio",
        "video",
        "video",
        "video",
        "sticker",
        "photo",
        "photo",
    ]
    assert [message.card.is_own for message in said if message.card] == [True, False]
    assert [message.location.address for message in said if message.location] == [None, "Баумана 1"]
    assert [message.unsupported for message in said].count(True) == 1
    assert len({fact.album for fact in facts if getattr(fact, "album", None)}) == 1
    assert said[-1].edits == said[-2].message_id
    assert [fact.kind for fact in facts if hasattr(fact, "about")] == ["blocked"]
    assert facts[0].person.language == "ru"


async def read_all(stage: Any) -> list[Any]:
    from integrations.base import StoredEvent
    from integrations.telegram.polling import Poller

    client = TelegramClient(token=TOKEN, api_url=stage.url, log_call=lambda *call: None)
    await Poller(client, stage.feed, wait_s=0).step()
    await client.close()
    return [
        fact
        for event in stage.stored
        for fact in stage.us.read(StoredEvent(1, "telegram", event.kind, event.external_id, event.body, stage.clock()))
    ]


async def test_reactions_come_only_when_asked_for(stage: Any) -> None:
    client = TelegramClient(token=TOKEN, api_url=stage.url, log_call=lambda *call: None)
    await client.get_updates(offset=None, allowed=("message_reaction",), wait_s=0)
    await stage.telegram.say("Анна", "не просили")
    await stage.telegram.react("Анна", 101, "👍")
    await client.close()
    [fact] = await read_all(stage)
    assert (fact.kind, fact.text, fact.about) == ("reaction", "👍", f"{stage.telegram.user_id('Анна')}:101")


async def test_managers_write_press_and_reply(stage: Any) -> None:
    telegram, group = stage.telegram, stage.telegram.managers_chat_id
    created = await stage.run("create_topic", group, name="Анна")
    thread_id = created.result["thread_id"]
    card = await stage.run(
        "send_group", f"{group}:{thread_id}", text="Карточка", buttons=[[{"text": "Взять", "data": "take"}]]
    )
    await telegram.manager_says("Олег", "Здравствуйте", thread_id)
    await telegram.manager_says("Олег", "Это ответ", thread_id, reply_to=card.result["message_id"])
    await telegram.manager_says("Олег", "скрытно", thread_id, anonymous=True)
    await telegram.manager_says("Олег", "в общем")
    await telegram.manager_sends("Олег", "photo", thread_id, "фото")
    await telegram.manager_presses("Олег", card.result["message_id"], "take")
    with pytest.raises(LookupError):
        await telegram.manager_presses("Олег", card.result["message_id"], "drop")
    nothing, *facts = await read_all(stage)
    assert "forum_topic_created" in nothing.reason
    assert [(fact.text or fact.press, fact.thread_id, fact.reply_to) for fact in facts] == [
        ("Здравствуйте", thread_id, None),
        ("Это ответ", thread_id, card.result["message_id"]),
        ("скрытно", thread_id, None),
        ("в общем", None, None),
        ("фото", thread_id, None),
        ("take", thread_id, None),
    ]
    assert [fact.manager_name for fact in facts][:3] == ["Олег", "Олег", "Поддержка"]
    assert facts[-1].ack in telegram._world.queries
    assert [message["from"] for message in telegram.group_messages()] == ["bot", *["Олег"] * 2, "Group", *["Олег"] * 2]


async def test_a_group_that_moved_and_a_bot_thrown_out_are_facts(stage: Any) -> None:
    stage.telegram.migrate_group(-1009)
    leaving, arriving = await read_all(stage)
    assert leaving == arriving
    assert (leaving.old_chat_id, leaving.new_chat_id) == (GROUP, -1009)
    stage.us.channel.groups.add(-1009)
    stage.stored.clear()
    await stage.telegram.manager_says("Олег", "тут")
    assert [fact.text for fact in await read_all(stage) if hasattr(fact, "chat_id")] == ["тут"]


@pytest.mark.parametrize(
    ("method", "fields", "description"),
    [
        ("sendMessage", {"text": " "}, "message text is empty"),
        ("sendMessage", {"text": "я" * 4097}, "message is too long"),
        ("sendMessage", {"text": "<b7>x", "parse_mode": "HTML"}, "can't parse entities"),
        ("sendMessage", {"text": "x", "chat_id": 1}, "chat not found"),
        ("sendMessage", {"text": "x", "message_thread_id": 1}, "message thread not found"),
        ("sendMessage", {"text": "x", "reply_markup": "{"}, "can't parse reply markup JSON"),
        (
            "sendMessage",
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "a", "callback_data": "я" * 33}]]}},
            "BUTTON_DATA_INVALID",
        ),
        ("sendPhoto", {"photo": "nonsense"}, "wrong remote file identifier"),
        ("createForumTopic", {"name": ""}, "TOPIC_NAME_INVALID"),
        ("createForumTopic", {"name": "x", "icon_color": 1}, "TOPIC_ICON_COLOR_INVALID"),
        ("editMessageText", {"message_id": 1, "text": "x"}, "message to edit not found"),
        ("answerCallbackQuery", {"callback_query_id": 1}, "query is too old"),
        ("getFile", {"file_id": 1}, "wrong file_id"),
        ("sendQuantum", {}, "method not found"),
    ],
)
async def test_the_stand_in_refuses_what_telegram_refuses(
    stage: Any, serving: Any, method: str, fields: dict[str, Any], description: str
) -> None:
    answer = await call(stage.telegram, serving, method, **{"chat_id": GROUP, **fields})
    assert answer["ok"] is False
    assert description in answer["description"]


async def test_messages_are_copied_forwarded_and_chats_described(stage: Any, serving: Any) -> None:
    message_id = await stage.telegram.say("Анна", "перешлите")
    source = {"chat_id": GROUP, "from_chat_id": stage.telegram.user_id("Анна"), "message_id": message_id}
    assert (await call(stage.telegram, serving, "copyMessage", **source))["ok"]
    forwarded = await call(stage.telegram, serving, "forwardMessage", **source)
    assert forwarded["result"]["forward_origin"]["sender_user"]["first_name"] == "Анна"
    chat = await call(stage.telegram, serving, "getChat", chat_id=GROUP)
    assert chat["result"] == {"id": GROUP, "type": "supergroup", "title": "Поддержка", "is_forum": True}
    member = await call(stage.telegram, serving, "getChatMember", chat_id=GROUP, user_id=7000000001)
    assert member["result"]["can_manage_topics"]
    info = await call(stage.telegram, serving, "getWebhookInfo")
    assert info["result"]["pending_update_count"] == 1
    assert (await call(stage.telegram, serving, "setMyCommands", commands="[]"))["result"] is True


async def test_a_wrong_token_is_unauthorized(stage: Any) -> None:
    async with aiohttp.ClientSession() as http:
        for path in ("bot1:wrong/getMe", "file/bot1:wrong/photos/file_1"):
            async with http.get(f"{stage.url}/{path}") as response:
                assert response.status == 401


async def test_a_link_to_a_file_expires(stage: Any) -> None:
    await stage.telegram.photo("Анна")
    async with aiohttp.ClientSession() as http:
        file_id = next(iter(stage.telegram._world.files))
        async with http.post(f"{stage.url}/bot{TOKEN}/getFile", json={"file_id": file_id}) as response:
            path = (await response.json())["result"]["file_path"]
        for seconds, status in ((0, 200), (3600, 404)):
            stage.clock.passes(seconds)
            async with http.get(f"{stage.url}/file/bot{TOKEN}/{path}") as response:
                assert response.status == status


async def test_the_page_hears_of_every_change_and_reset_forgets(stage: Any) -> None:
    heard: list[int] = []
    stage.telegram.changed = lambda: heard.append(1)
    await stage.telegram.say("Анна", "привет")
    assert heard
    stage.telegram.reset()
    assert stage.telegram.transcript("Анна") == []
    assert stage.telegram.group_messages() == []
    assert stage.telegram.pending_updates == 0


async def test_slow_is_slow_and_then_answers(clock: Any, serving: Any) -> None:
    telegram = SimulatedTelegram(token=TOKEN, now=clock, managers_chat_id=GROUP, slow_s=0.01)
    telegram.trouble = "slow"
    assert (await call(telegram, serving, "getMe"))["result"]["id"] == 7000000001


def test_a_name_is_always_the_same_person(clock: Any) -> None:
    one = SimulatedTelegram(token=TOKEN, now=clock, managers_chat_id=GROUP)
    other = SimulatedTelegram(token=TOKEN, now=clock, managers_chat_id=GROUP)
    assert one.user_id("Анна") == other.user_id("Анна") != one.user_id("Борис")
