"""What the tests of WhatsApp share: settings, signed requests, samples, and our side of a loopback conversation."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from integrations.base import Answer, Fact, IncomingEvent, Integration, Order, Received, Request, StoredEvent
from integrations.whatsapp import WhatsAppSettings
from integrations.whatsapp.simulator import SimulatedWhatsApp

SAMPLES = Path(__file__).parents[2] / "samples" / "whatsapp"
SECRET = "demo-app-secret-for-tests-only"
NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
NUMBERS = "310000000000001,310000000000002"


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **span: float) -> None:
        self.at += timedelta(**span)


def sign(body: bytes, secret: str = SECRET) -> str:
    return f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def post(body: bytes, signature: str | None = None, at: datetime = NOW) -> Request:
    headers = CIMultiDict({"x-hub-signature-256": sign(body) if signature is None else signature})
    return Request("POST", "/webhooks/whatsapp", {}, headers, body, "127.0.0.1", at)


def settings(**changes: Any) -> WhatsAppSettings:
    given = {
        "access_token": "EAAtoken",
        "phone_number_id": NUMBERS,
        "verify_token": "prüf-mich",
        "app_secrets": (SECRET,),
    }
    return WhatsAppSettings(**{**given, **changes})


def stored(event: IncomingEvent, event_id: int = 1) -> StoredEvent:
    return StoredEvent(event_id, "whatsapp", event.kind, event.external_id, event.body, NOW)


def order(recipient: str, message: dict[str, Any] | None, *, key: str = "send/d1/1/0", **params: Any) -> Order:
    attempt = params.pop("attempt", 1)
    filled = {"message": message, "template": None, "is_question": False, **params}
    return Order(key, "send", recipient, filled, attempt, NOW)


def text(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"preview_url": False, "body": body}}


@dataclass
class Service:
    """Our side of a loopback conversation: an inbox without repeats, and what its events mean."""

    whatsapp: Integration
    simulator: SimulatedWhatsApp
    clock: Clock
    events: dict[str, IncomingEvent] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    repeats: int = 0
    answers_with: int | None = None  # an HTTP status to give instead of taking anything
    refused: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))  # released by each such answer

    def take(self, received: Received) -> None:
        for event in received.events:
            if event.external_id in self.events:
                self.repeats += 1
                continue
            self.events[event.external_id] = event
            if event.state == "waiting":
                assert self.whatsapp.read is not None
                self.facts += self.whatsapp.read(stored(event, len(self.events)))

    async def send(self, recipient: str, message: dict[str, Any] | None, **params: Any) -> Any:
        return await self.whatsapp.actions["send"].run(order(recipient, message, **params))

    def told(self, kind: type) -> list[Any]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


async def serve(app: web.Application, stack: AsyncExitStack) -> str:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def respond(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body, content_type=answer.content_type, headers=dict(answer.headers)
    )


ApiServer = Callable[[web.Application], Awaitable[Integration]]


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def manifest() -> dict[str, Any]:
    return dict(json.loads(sample("manifest.json")))
