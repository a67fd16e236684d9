"""A running simulated Okdesk, and our integration that talks to it over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web

from integrations.base import Done, Never, Order
from integrations.okdesk import OkdeskIntegration, OkdeskSettings, make_okdesk
from integrations.okdesk.simulator import SimulatedOkdesk

SAMPLES = Path(__file__).parents[2] / "samples" / "okdesk"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Clock:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Desk:
    """Both sides, and what the tests look at."""

    sim: SimulatedOkdesk
    okdesk: OkdeskIntegration
    clock: Clock
    settings: OkdeskSettings
    http: httpx.AsyncClient
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    files: dict[str, bytes | Exception] = field(default_factory=dict)

    def order(self, action: str, *, key: str | None = None, attempt: int = 1, **params: Any) -> Order:
        return Order(
            key=key or f"okdesk.{action}/lead/step/1",
            action=f"okdesk.{action}",
            recipient="okdesk",
            params=params,
            attempt=attempt,
            created_at=self.clock.at,
        )

    async def run(self, action: str, *, key: str | None = None, attempt: int = 1, **params: Any) -> Done:
        order = self.order(action, key=key, attempt=attempt, **params)
        return await self.okdesk.actions[order.action].run(order)

    async def settle(self, order: Order) -> Done | None:
        settle = self.okdesk.actions[order.action].settle
        assert settle is not None
        return await settle(order)

    def with_settings(self, **changes: Any) -> Desk:
        """The same account seen by a service that was started anew, with other settings perhaps."""
        return self._anew(replace(self.settings, **changes))

    def _anew(self, settings: OkdeskSettings) -> Desk:
        desk = Desk(self.sim, self.okdesk, self.clock, settings, self.http, self.calls, self.files)
        desk.okdesk = make_okdesk(
            settings, http=self.http, now=self.clock, log_call=lambda *call: self.calls.append(call), files=desk.fetch
        )
        return desk

    async def fetch(self, file: Mapping[str, Any]) -> bytes:
        content = self.files.get(str(file["id"]), Never("gone", code="not_found"))
        if isinstance(content, Exception):
            raise content
        return content

    def comments(self, issue_id: int) -> list[dict[str, Any]]:
        (card,) = [card for card in self.sim.issues() if card["id"] == issue_id]
        return list(card["comments"])


Serve = Callable[[web.Application], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts an application on a free port and returns its address."""
    runners: list[web.AppRunner] = []

    async def begin(app: web.Application) -> str:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield begin
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def webhook_url() -> str | None:
    """Where the account sends its webhooks; a test module may have another one."""
    return None


@pytest.fixture
async def desk(serve: Serve, clock: Clock, webhook_url: str | None) -> AsyncIterator[Desk]:
    sim = SimulatedOkdesk(
        api_token=TOKEN,
        now=clock,
        webhook_url=webhook_url,
        webhook_user="okdesk",
        webhook_password="пароль",
        retry_base_s=0.001,
    )
    await sim.start()
    url = await serve(sim.app)
    settings = OkdeskSettings(
        url=url, api_token=TOKEN, author_id=99, per_second=10_000, retry_base_s=0.001, timeout_s=5
    )
    async with httpx.AsyncClient() as http:
        unbuilt = OkdeskIntegration(name="okdesk")
        yield Desk(sim, unbuilt, clock, settings, http).with_settings()
    await sim.close()


@pytest.fixture(scope="session")
def sample() -> Callable[[str], Any]:
    """Parsed JSON of a sample by its path under samples/okdesk."""

    def read(path: str) -> Any:
        return orjson.loads((SAMPLES / path).read_bytes())

    return read
