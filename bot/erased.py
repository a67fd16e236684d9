"""After a person was erased from the command line: what this process still holds of him goes too."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from sqlalchemy import Connection, select, update

from bot.clock import Clock
from bot.sender import Sender
from storage.clock import to_ms
from storage.database import Database, DatabaseAway, SqliteDatabase
from storage.tables import erasures

log = structlog.get_logger(__name__)

EVERY_S = 1.0
# Writing such a file anew takes a second or two, and webhooks wait for it. What is larger is done while the service
# stands still: `person erase` says so.
VACUUM_UP_TO_BYTES = 256 * 1024 * 1024


class Erased:
    """Looks every second: writes calls down, so that none stays in memory, and empties SQLite's log when asked to."""

    def __init__(self, database: Database, sender: Sender | None, *, clock: Clock) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except DatabaseAway as error:
                log.warning("erased_waits_for_database", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        if self._sender is not None:
            await self._sender.store_calls()
        if not isinstance(self._database, SqliteDatabase):
            return
        ids = await self._database.read(uncleaned)
        if ids and await self._database.overwrite_deleted(vacuum_up_to_bytes=VACUUM_UP_TO_BYTES):
            await self._database.write(partial(mark_cleaned, ids=ids, now=to_ms(self._clock.now())))
            log.info("erased_people_overwritten", number=len(ids))


def uncleaned(conn: Connection) -> list[int]:
    """Erasures after which SQLite's files may still hold copies of what was deleted."""
    return [row.id for row in conn.execute(select(erasures.c.id).where(erasures.c.cleaned_at.is_(None)))]


def mark_cleaned(conn: Connection, *, ids: list[int], now: int) -> None:
    conn.execute(update(erasures).where(erasures.c.id.in_(ids)).values(cleaned_at=now))
