"""After a person was erased from the command line: what this process still holds of him goes too."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from sqlalchemy import Connection, select, text, update

from bot.clock import Clock
from bot.sender import Sender
from storage.clock import to_ms
from storage.database import Database, DatabaseAway, SqliteDatabase
from storage.tables import erasures

log = structlog.get_logger(__name__)

EVERY_S = 1.0
# Writing such a file anew takes a second or two, and webhooks wait for it. What is larger is done while the service
# starts: `person erase` says so.
VACUUM_UP_TO_BYTES = 256 * 1024 * 1024


class Erased:
    """Looks every second: writes calls down, so that none stays in memory, and empties SQLite's log when asked to."""

    def __init__(self, database: Database, sender: Sender | None, *, clock: Clock) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock
        self._emptied: set[int] = set()  # of a large file: the log was emptied after these

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
        if not set(ids) - self._emptied:
            return
        size = await self._database.read(_size)
        if not await self._database.overwrite_deleted(is_whole=size <= VACUUM_UP_TO_BYTES):
            return
        if size > VACUUM_UP_TO_BYTES:
            self._emptied.update(ids)
            return
        await self._database.write(partial(mark_cleaned, ids=ids, now=to_ms(self._clock.now())))
        log.info("erased_people_overwritten", number=len(ids))

    async def begin(self) -> None:
        """When the service starts: whatever an erasure has left to be done, however large the file is."""
        if not isinstance(self._database, SqliteDatabase):
            return
        ids = await self._database.read(uncleaned)
        if ids and await self._database.overwrite_deleted(is_whole=True):
            await self._database.write(partial(mark_cleaned, ids=ids, now=to_ms(self._clock.now())))


def _size(conn: Connection) -> int:
    query = text("select page_count * page_size from pragma_page_count, pragma_page_size")
    return int(conn.execute(query).scalar_one())


def uncleaned(conn: Connection) -> list[int]:
    """Erasures after which SQLite's files may still hold copies of what was deleted."""
    return [row.id for row in conn.execute(select(erasures.c.id).where(erasures.c.cleaned_at.is_(None)))]


def mark_cleaned(conn: Connection, *, ids: list[int], now: int) -> None:
    conn.execute(update(erasures).where(erasures.c.id.in_(ids)).values(cleaned_at=now))
