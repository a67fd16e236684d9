"""PostgreSQL tells workers of other processes that events came in. Polling stays the safety net."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from sqlalchemy import Connection, make_url

from storage.faults import FaultPoint

log = structlog.get_logger(__name__)

CHANNEL = "fixit_events"
RETRY_S = 5.0


class _Unheard(Exception):
    """Only in a rehearsal."""


_HEARING = FaultPoint("wakeups.hearing", deaf=_Unheard)


def notify(conn: Connection) -> None:
    """Wake the listeners once this transaction is committed. Nothing to do in SQLite: there is one process."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"notify {CHANNEL}")


class Wakeups:
    """Listens on a connection of its own and calls `on_event`. A lost connection is opened again."""

    def __init__(self, url: str, *, on_event: Callable[[], None]) -> None:
        parsed = make_url(url)
        self._dsn = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        self._on_event = on_event

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("wakeups_lost", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        ended = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._on_event()  # whatever came while nobody listened
            await ended.wait()
        finally:
            await connection.close(timeout=2)

    def _heard(self, *_: Any) -> None:
        with suppress(_Unheard):
            _HEARING.hit()
            self._on_event()
