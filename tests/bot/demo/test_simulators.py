"""The playground on the real simulators: what the page needs of them is there and means the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.demo import StandIns, make_demo
from integrations.okdesk.simulator import SimulatedOkdesk
from integrations.onec.simulator import SimulatedOnec
from integrations.telegram.simulator import SimulatedTelegram
from integrations.whatsapp.simulator import SimulatedWhatsApp
from tests.bot.demo.conftest import Client
from tests.bot.demo.memory import MemoryControls
from tests.bot.demo.test_api import get, post


def now() -> datetime:
    return datetime.now(UTC)


async def take(request: web.Request) -> web.Response:
    """A service that takes every webhook and does nothing."""
    await request.read()
    return web.json_response({"ok": True})


@pytest.fixture
async def stand_ins() -> AsyncIterator[StandIns]:
    service = web.Application()
    service.router.add_route("*", "/{system}", take)
    async with TestServer(service) as server, AsyncExitStack() as stack:
        url = str(server.make_url("/hook"))
        made = StandIns(
            whatsapp=SimulatedWhatsApp(
                webhook_url=url,
                app_secret="secret",
                verify_token="verify",
                access_token="token",
                phone_number_id="1",
                waba_id="2",
                now=now,
            ),
            telegram=SimulatedTelegram(token="1:a", now=now, webhook_url=url, managers_chat_id=-1001234567890),
            okdesk=SimulatedOkdesk(api_token="token", now=now, webhook_url=url),
            onec=SimulatedOnec(
                webhook_url=url, webhook_token="token", user="user", password="word", base_id="base", now=now
            ),
        )
        for system in made.by_name().values():
            await system.start()  # type: ignore[attr-defined]
            stack.push_async_callback(system.close)  # type: ignore[attr-defined]
        yield made


@pytest.fixture
async def client(stand_ins: StandIns) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_subapp("/demo", make_demo(stand_ins, MemoryControls()))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize("channel", ["whatsapp", "telegram"])
async def test_a_customer_writes_and_sends_a_photo_a_contact_and_a_place(client: Client, channel: str) -> None:
    who = {"channel": channel, "person": "Анна"}
    for what in ({"text": "/start"}, {"photo": True}, {"contact": True}, {"location": True}):
        await post(client, "/say", {**who, **what})
    messages = (await get(client, "/transcript", **who))["messages"]
    assert [one["kind"] for one in messages] == ["text", "photo", "contact", "location"]
    assert {one["from"] for one in messages} == {"customer"}
    assert len({one["id"] for one in messages}) == 4


async def test_the_managers_group_shows_what_a_manager_wrote(client: Client) -> None:
    await post(client, "/managers", {"manager": "Ольга", "text": "Кто свободен?"})
    (message,) = (await get(client, "/managers"))["messages"]
    assert (message["from"], message["text"], message["thread_id"]) == ("Ольга", "Кто свободен?", None)


async def test_an_issue_is_moved_commented_billed_and_paid(client: Client, stand_ins: StandIns) -> None:
    okdesk: Any = stand_ins.okdesk
    issue = okdesk.rules.create_issue({"title": "Стиральная машина: течёт"}, okdesk.state.employees[okdesk._bot_id])
    await post(client, f"/issues/{issue.id}/status", {"status": "in_progress"})
    await post(client, f"/issues/{issue.id}/comment", {"text": "Буду в шесть"})
    (card,) = (await get(client, "/issues"))["issues"]
    assert (card["status"], [one["text"] for one in card["comments"]]) == ("in_progress", ["Буду в шесть"])

    await post(client, "/payments", {"issue_id": issue.id, "amount": 3500, "what": "invoice"})
    await post(client, "/payments", {"issue_id": issue.id, "amount": "1000"})
    (bill,) = (await get(client, "/payments"))["payments"]
    assert (bill["issue_id"], bill["total"], bill["paid"], bill["state"]) == (issue.id, 350000, 100000, "partial")


async def test_trouble_reaches_every_simulator_and_reset_ends_it(client: Client, stand_ins: StandIns) -> None:
    for system in stand_ins.by_name():
        await post(client, "/trouble", {"system": system, "what": "down"})
    assert {system.trouble for system in stand_ins.by_name().values()} == {"down"}
    await post(client, "/reset", {})
    assert {system.trouble for system in stand_ins.by_name().values()} == {"none"}
