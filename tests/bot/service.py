"""One service alone on loopback, for the suites that look at its addresses and not at a talk.

The outside systems are addresses where nobody listens, unless a test brings its own: what goes out waits, and nothing
comes in but what the test posts.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDictProxy
from sqlalchemy import text

from bot.services import FixitService
from dialogs.dialog import Dialog, Frame, dialog_to_json
from storage.clock import to_ms
from storage.database import Database
from storage.ids import Ids
from storage.unit import DialogRow, UnitOfWork
from tests.conftest import free_port
from tests.stage import API_TOKEN, BEARER, serving, settings_from
from tests.waiting import until

WHATSAPP_SECRET = "demo-app-secret-for-tests-only"  # the samples are signed with it
TELEGRAM_SECRET = "demo_secret_token-1"
ONEC_TOKEN = "test-onec-token"
OKDESK_LOGIN = ("okdesk", "пароль")
GROUP = -1002400000001
NOBODY = "http://127.0.0.1:9"

WHATSAPP = {
    "WHATSAPP_ACCESS_TOKEN": "EAAtest-access-token",
    "WHATSAPP_PHONE_NUMBER_ID": "310000000000001,310000000000002",
    "WHATSAPP_VERIFY_TOKEN": "test-verify-token",
    "WHATSAPP_APP_SECRET": WHATSAPP_SECRET,
    "WHATSAPP_API_URL": NOBODY,
}
TELEGRAM = {
    "TELEGRAM_BOT_TOKEN": "7000000001:AAtesttesttesttesttesttesttesttest0",
    "TELEGRAM_WEBHOOK_SECRET": TELEGRAM_SECRET,
    "TELEGRAM_MANAGERS_CHAT_ID": str(GROUP),
    "TELEGRAM_API_URL": NOBODY,
}
OKDESK = {"OKDESK_WEBHOOK_USER": OKDESK_LOGIN[0], "OKDESK_WEBHOOK_PASSWORD": OKDESK_LOGIN[1]}
ONEC = {"ONEC_WEBHOOK_TOKEN": ONEC_TOKEN, "ONEC_BASE_IDS": "unf-main"}
EVERYTHING = {**WHATSAPP, **TELEGRAM, **OKDESK, **ONEC, "API_TOKEN": API_TOKEN, "LOG_LEVEL": "WARNING"}


@dataclass(frozen=True)
class Answered:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Alone:
    """A running service and a client for it."""

    service: FixitService
    url: str
    http: aiohttp.ClientSession
    seen: set[int] = field(default_factory=set)

    @property
    def database(self) -> Database:
        return self.service.database

    async def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        data = None if body is None else io.BytesIO(body)
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answer:
            return Answered(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answered:
        return await self.request("GET", path, headers=BEARER if headers is None else headers)

    async def whatsapp(self, body: bytes, signature: str | None = None) -> Answered:
        return await self.request("POST", "/webhooks/whatsapp", body, signed(body, signature))

    async def telegram(self, body: bytes) -> Answered:
        headers = {"X-Telegram-Bot-Api-Secret-Token": TELEGRAM_SECRET, "Content-Type": "application/json"}
        return await self.request("POST", "/webhooks/telegram", body, headers)

    async def okdesk(self, body: bytes) -> Answered:
        return await self.request("POST", "/webhooks/okdesk", body, {"Authorization": basic(*OKDESK_LOGIN)})

    async def onec(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answered:
        usual = {"Authorization": f"Bearer {ONEC_TOKEN}", "Content-Type": "application/json; charset=utf-8"}
        return await self.request("POST", "/webhooks/onec", body, usual if headers is None else headers)

    async def events(self, **query: str) -> list[dict[str, Any]]:
        """All events as /api/v1 lists them, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            asked = "&".join(f"{name}={value}" for name, value in query.items())
            page = (await self.get(f"/api/v1/webhooks/events?limit=200&skip={len(found)}&{asked}")).json
            found += page["items"]
            if len(found) >= page["total"]:
                return found[::-1]

    async def new_events(self, **query: str) -> list[dict[str, Any]]:
        """Those that came since this was asked last."""
        events = [event for event in await self.events(**query) if event["id"] not in self.seen]
        self.seen |= {event["id"] for event in events}
        return events

    async def event(self, event_id: int) -> dict[str, Any]:
        answer = await self.get(f"/api/v1/webhooks/events/{event_id}")
        assert answer.status == 200
        return answer.json  # type: ignore[no-any-return]

    async def handled(self) -> None:
        """Wait until no event is left to handle."""

        async def nothing_waits() -> bool:
            rows = await self.rows("select count(*) from events where state = 0 and due_at is null")
            return bool(rows[0][0] == 0)

        await until(nothing_waits, "events were left waiting")

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        return await self.database.read(lambda conn: list(conn.execute(text(sql), values)))


@asynccontextmanager
async def alone(database_url: str, **environment: str) -> AsyncIterator[Alone]:
    """A service with exactly these settings besides its database."""
    settings = settings_from(
        {"DATABASE_URL": database_url, "HOST": "127.0.0.1", "PORT": str(free_port()), **environment}
    )
    service = FixitService(settings)
    await service.start()
    try:
        assert service.app is not None
        async with serving(service.app) as url, aiohttp.ClientSession() as http:
            yield Alone(service, url, http)
    finally:
        await service.stop()


def signed(body: bytes, signature: str | None = None) -> dict[str, str]:
    if signature is None:
        signature = f"sha256={hmac.digest(WHATSAPP_SECRET.encode(), body, 'sha256').hex()}"
    return {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def given_dialog(service: FixitService, *, subjects: list[str], phone: str = "+79991234567") -> int:
    """A lead that waits for news of its order, in the chat of a customer of WhatsApp; returns the dialog's id."""
    now = service.clock.now()

    def make(conn: Any) -> int:
        unit = UnitOfWork(conn, to_ms(now), Ids())
        contact = unit.add_contact(name="Анна", username=None, lang="ru", phone=phone)
        talk = unit.add_conversation(
            contact, channel="whatsapp", account="310000000000001", address=phone[1:], key=f"contact:{contact.id}"
        )
        talk.last_in_at = to_ms(now)
        version = int(conn.execute(text("select live_version from flows where name = 'lead'")).scalar())
        dialog_id = unit.next_id()
        variables = {"issue_id": 1077, "issue_no": "1077", "service": "washer", "problem": "течёт", "address": "дом 1"}
        frame = Frame("lead", version, "watch", variables=variables, spoke=True)
        dialog = Dialog(dialog_id, contact.id, "whatsapp", "active", (frame,), turn=7, wrote=True)
        unit.add_dialog(
            DialogRow(
                dialog_id, talk.id, contact.id, "whatsapp", "lead", version, "lead.watch", "active", None, 7,
                json.dumps(dialog_to_json(dialog)), to_ms(now), to_ms(now),
            )
        )  # fmt: skip
        for subject in subjects:
            unit.link(subject, dialog_id)
        unit.flush()
        return dialog_id

    return await service.database.write(make)


def telegram_update(update_id: int, said: str, *, person: int = 77) -> bytes:
    """What Telegram posts when somebody writes just now."""
    message = {
        "message_id": update_id, "date": int(time.time()), "chat": {"id": person, "type": "private"},
        "from": {"id": person, "is_bot": False, "first_name": "Анна"}, "text": said,
    }  # fmt: skip
    return json.dumps({"update_id": update_id, "message": message}).encode()
