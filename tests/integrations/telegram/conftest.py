"""A stand-in for Telegram on loopback, our integration pointed at it, and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from integrations.base import IncomingEvent, Integration, Order
from integrations.telegram import TelegramSettings, make_telegram
from integrations.telegram.simulator import SimulatedTelegram

TOKEN = "7000000001:AAtesttesttesttesttesttesttesttest0"
GROUP = -1002400000001
NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time

    def passes(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@asynccontextmanager
async def serve(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Stage:
    """Telegram, us, and what passed between them."""

    telegram: SimulatedTelegram
    us: Integration
    clock: Clock
    url: str
    stored: list[IncomingEvent] = field(default_factory=list)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    feed_fails: list[Exception] = field(default_factory=list)

    async def feed(self, events: Sequence[IncomingEvent]) -> None:
        if self.feed_fails:
            raise self.feed_fails.pop(0)
        self.stored.extend(events)

    async def run(self, action: str, recipient: str | int, **params: Any) -> Any:
        order = Order(
            key=f"key-{len(self.calls)}-{action}",
            action=action,
            recipient=str(recipient),
            params=params,
            attempt=1,
            created_at=self.clock(),
        )
        return await self.us.actions[action].run(order)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stage(clock: Clock) -> AsyncIterator[Stage]:
    """Everything in polling mode; nobody polls by itself."""
    telegram = SimulatedTelegram(token=TOKEN, now=clock, managers_chat_id=GROUP, retry_base_s=0.001)
    await telegram.start()
    async with serve(telegram.app) as url:
        stage = Stage(telegram, Integration("none"), clock, url)
        stage.us = make_telegram(
            TelegramSettings(bot_token=TOKEN, api_url=url, managers_chat_id=GROUP),
            now=clock,
            log_call=lambda *call: stage.calls.append(call),
            feed=stage.feed,
        )
        yield stage
        assert stage.us.stop is not None
        await stage.us.stop()
        await telegram.close()


@pytest.fixture
def serving() -> Callable[[web.Application], Any]:
    return serve


Run = Callable[..., Awaitable[Any]]
