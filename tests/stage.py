"""The whole service on loopback, with stand-ins for every outside system: what the service-level suites play on.

Time is the service's and the stand-ins' own: it begins at noon on a Tuesday in Moscow, so that business hours and quiet
hours are the same on every day, and `passes` moves it by starting the service again with another
CLOCK_OFFSET_SECONDS on the same database.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web
from sqlalchemy import text

from bot.demo.run import (
    MANAGERS_CHAT_ID,
    OKDESK_PASSWORD,
    OKDESK_TOKEN,
    OKDESK_USER,
    ONEC_PASSWORD,
    ONEC_TOKEN,
    ONEC_USER,
    TELEGRAM_SECRET,
    TELEGRAM_TOKEN,
    WHATSAPP_NUMBER_ID,
    WHATSAPP_SECRET,
    WHATSAPP_TOKEN,
    WHATSAPP_VERIFY,
    StandInServers,
    service_environment,
)
from bot.services import FixitService
from bot.settings import Settings, load_settings
from integrations.okdesk import OkdeskSettings
from integrations.okdesk.simulator import SimulatedOkdesk
from integrations.onec.simulator import SimulatedOnec
from integrations.telegram.simulator import SimulatedTelegram
from integrations.whatsapp.simulator import SimulatedWhatsApp
from storage.database import Database
from tests.conftest import free_port
from tests.waiting import until

MOSCOW = ZoneInfo("Europe/Moscow")
API_TOKEN = "test-api-token"
BEARER = {"Authorization": f"Bearer {API_TOKEN}"}


def fits(text: str, words: str) -> bool:
    """Blanks of every width are the same to the ear."""
    return " ".join(words.split()).lower() in " ".join(text.split()).lower()


def settings_from(environment: Mapping[str, str], **overrides: str) -> Settings:
    """Settings read from exactly these variables."""
    with patch.dict(os.environ, {**environment, **overrides}, clear=True):
        return load_settings(_env_file=None)


def seconds_to_noon() -> int:
    """From now to the next Tuesday, noon in Moscow."""
    now = datetime.now(MOSCOW)
    tuesday = now + timedelta(days=(1 - now.weekday()) % 7)
    noon = tuesday.replace(hour=12, minute=0, second=0, microsecond=0)
    if noon <= now:
        noon += timedelta(days=7)
    return int((noon - now).total_seconds())


@asynccontextmanager
async def serving(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """The application on loopback; yields its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Stage:
    """One running service and the world around it."""

    servers: StandInServers
    environment: dict[str, str]
    port: int
    offset_s: int
    http: aiohttp.ClientSession
    runners: dict[str, web.AppRunner]  # of the stand-ins
    service: FixitService = field(init=False)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Database:
        return self.service.database

    @property
    def whatsapp(self) -> SimulatedWhatsApp:
        return self.servers.whatsapp

    @property
    def telegram(self) -> SimulatedTelegram:
        return self.servers.telegram

    @property
    def okdesk(self) -> SimulatedOkdesk:
        return self.servers.okdesk

    @property
    def onec(self) -> SimulatedOnec:
        return self.servers.onec

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset_s)

    # ------------------------------------------------------------------------------------------------ the service

    async def start(self, **changed: str) -> None:
        self.environment |= changed
        settings = settings_from(self.environment, CLOCK_OFFSET_SECONDS=str(self.offset_s))
        self.service = FixitService(settings)
        # People in scripts write faster than real ones: neither Okdesk nor Telegram is to slow them down.
        with patch("bot.services.OkdeskSettings", partial(OkdeskSettings, per_second=1000.0, retry_base_s=0.05)):
            await self.service.start()
        assert self.service.app is not None
        assert self.service.sender is not None
        for system in self.service.sender.systems.values():
            system.pace_delay = None
        self._runner = web.AppRunner(self.service.app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.service.stop()

    async def restart(self, **changed: str) -> None:
        await self.stop()
        await self.start(**changed)

    async def passes(self, *, unquiet: bool = False, **span: float) -> None:
        """So much time goes by, for everybody: timedelta's arguments. `unquiet`: in the middle of whatever goes on."""
        if not unquiet:
            await self.quiet()
        await self.stop()
        self.offset_s += int(timedelta(**span).total_seconds())
        await self.start()

    async def unplug(self, system: str) -> None:
        """Nobody listens at that system's address any more; calls that are under way break."""
        await self.runners[system].cleanup()

    async def plug_in(self, system: str) -> None:
        runner = web.AppRunner(self.servers.all()[system].app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self.runners[system] = runner
        await web.TCPSite(runner, "127.0.0.1", urlsplit(self.servers.urls[system]).port, reuse_address=True).start()

    # --------------------------------------------------------------------------------------------------- looking

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        return await self.database.read(lambda conn: list(conn.execute(text(sql), values)))

    async def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        async with self.http.get(f"{self.url}{path}", params=query, headers=BEARER) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def dialogs(self, **query: Any) -> list[dict[str, Any]]:
        """Whole dialogs as /api/v1 shows them, oldest first."""
        found = await self.get("/api/v1/dialogs", limit=200, **query)
        whole = [await self.get(f"/api/v1/dialogs/{item['id']}") for item in found["items"]]
        return sorted(whole, key=lambda dialog: dialog["id"])

    async def work_left(self) -> list[str]:
        """What waits to be done now: updates of the stand-ins, then events and sends."""
        await self.whatsapp.settle()
        await self.okdesk.flush()
        await self.onec.delivered()
        left = ["telegram updates"] if self.telegram.pending_updates and self.telegram.trouble != "down" else []
        rows = await self.rows(
            "select 'event ' || source || ' ' || kind from events where state = 0"
            " and (due_at is null or due_at <= :soon)"
            " union all select 'send ' || system || ' ' || action || ' ' || state from deliveries where state < 3",
            soon=int(self.now().timestamp() * 1000) + 3_000,
        )
        return left + [row[0] for row in rows]

    async def quiet(self) -> None:
        """Wait until everything that can be done now is done."""

        async def is_quiet() -> bool:
            # twice: what was being handled at the first look has brought its news by the second
            return not await self.work_left() and not await self.work_left()

        try:
            await until(is_quiet, "")
        except AssertionError:
            raise AssertionError(f"still to be done: {await self.work_left()}") from None


def make_stand_ins(now: Callable[[], datetime], service_url: str) -> StandInServers:
    return StandInServers(
        SimulatedWhatsApp(
            webhook_url=f"{service_url}/webhooks/whatsapp",
            app_secret=WHATSAPP_SECRET,
            verify_token=WHATSAPP_VERIFY,
            access_token=WHATSAPP_TOKEN,
            phone_number_id=WHATSAPP_NUMBER_ID,
            waba_id="210000000000001",
            now=now,
        ),
        SimulatedTelegram(token=TELEGRAM_TOKEN, now=now, managers_chat_id=MANAGERS_CHAT_ID),
        SimulatedOkdesk(
            api_token=OKDESK_TOKEN,
            now=now,
            webhook_url=f"{service_url}/webhooks/okdesk",
            webhook_user=OKDESK_USER,
            webhook_password=OKDESK_PASSWORD,
        ),
        SimulatedOnec(
            webhook_url=f"{service_url}/webhooks/onec",
            webhook_token=ONEC_TOKEN,
            user=ONEC_USER,
            password=ONEC_PASSWORD,
            base_id="demo",
            now=now,
        ),
    )


@asynccontextmanager
async def staged(
    database_url: str, environment: Mapping[str, str] | None = None, *, starts: bool = True
) -> AsyncIterator[Stage]:
    """The service and its world; `environment`: further variables, or other values of the usual ones."""
    port = free_port()
    offset_s = seconds_to_noon()
    stage: Stage
    servers = make_stand_ins(lambda: stage.now(), f"http://127.0.0.1:{port}")
    runners: dict[str, web.AppRunner] = {}
    async with aiohttp.ClientSession() as http:
        try:
            for name, simulator in servers.all().items():
                runner = runners[name] = web.AppRunner(simulator.app, access_log=None, shutdown_timeout=0.5)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                servers.urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            usual = service_environment(servers, database_url=database_url, port=port)
            stage = Stage(
                servers,
                {**usual, "API_TOKEN": API_TOKEN, "BASE_URL": f"http://127.0.0.1:{port}", **(environment or {})},
                port,
                offset_s,
                http,
                runners,
            )
            for simulator in servers.all().values():
                await simulator.start()
            if starts:
                if database_url.startswith("postgresql"):
                    await migrated(database_url)
                await stage.start()
            yield stage
        finally:
            for simulator in servers.all().values():
                await simulator.close()
            if starts:
                await stage.stop()
            for runner in runners.values():
                await runner.cleanup()


async def migrated(database_url: str) -> None:
    """Bring a database to the newest schema, as `migrate` does."""
    from storage import migrate
    from storage.database import connect

    database = connect(database_url)
    await database.open()
    await database.write(migrate.upgrade)
    await database.close()


def sqlite_url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'fixit.db'}"


TELEGRAM_WEBHOOK = {"TELEGRAM_MODE": "webhook", "TELEGRAM_WEBHOOK_SECRET": TELEGRAM_SECRET}
