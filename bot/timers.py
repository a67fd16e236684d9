"""The loop that turns due timers, and held events whose time is over, into events to handle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from sqlalchemy import Connection

from bot.clock import Clock
from storage import inbox, timers
from storage.clock import to_ms
from storage.database import Database, DatabaseAway
from storage.faults import FaultPoint

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.25
_FIRING = FaultPoint("timers.firing", away=lambda: DatabaseAway("a fault of a rehearsal"))
_FIRED = FaultPoint("timers.fired")


class Timers:
    """Looks a few times a second; writes only when something is due."""

    def __init__(self, database: Database, *, clock: Clock, on_new: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._on_new = on_new
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        while not self._stopped.is_set():
            try:
                if await self.fire():
                    continue
            except DatabaseAway as error:
                log.warning("timers_wait_for_database", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._stopped.wait()

    async def fire(self) -> int:
        """Handle what is due now. Returns how many events there are to handle because of it."""
        now = to_ms(self._clock.now())

        def look(conn: Connection) -> bool:
            due = timers.next_due(conn)
            return (due is not None and due <= now) or inbox.has_held_due(conn, now=now)

        if not await self._database.read(look):
            return 0

        def move(conn: Connection) -> int:
            return timers.fire_due(conn, now=now) + inbox.release_due(conn, now=now)

        _FIRING.hit()
        moved = await self._database.write(move)
        _FIRED.hit()
        if moved:
            self._on_new()
        return moved

    async def stop(self) -> None:
        self._stopped.set()
