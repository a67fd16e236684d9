"""The loop that removes personal data older than PII_RETENTION_DAYS."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from bot.clock import Clock
from storage.clock import to_ms
from storage.database import Database, DatabaseAway
from storage.retention import Round, Step

log = structlog.get_logger(__name__)

EVERY_S = 3600.0
LIMIT = 200  # rows of one step
# After a step so many times as long as it took, others have the database alone: on a busy machine a step takes longer,
# and so does the pause.
PAUSE_TIMES = 6
PAUSE_AT_LEAST_S = 0.01


class Retention:
    """A round every hour, in small transactions with pauses between them."""

    def __init__(self, database: Database, *, days: int, clock: Clock) -> None:
        self._database = database
        self._keeps = timedelta(days=days)
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                removed = await self.remove()
                if removed:
                    log.info("old_data_removed", **removed)
            except DatabaseAway as error:
                log.warning("retention_waits_for_database", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def remove(self) -> Counter[str]:
        """One round: everything that is too old by now. Returns how many rows of each table."""
        walk = Round(to_ms(self._clock.now() - self._keeps), LIMIT)
        removed: Counter[str] = Counter()
        for step in walk.steps():
            while await self._step(step, removed):
                pass
        return +removed

    async def _step(self, step: Callable[[Connection], Step], removed: Counter[str]) -> bool:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        done = await self._database.write(step)
        removed += done.removed
        if done.has_more:
            await asyncio.sleep(max((loop.time() - begun) * PAUSE_TIMES, PAUSE_AT_LEAST_S))
        return done.has_more
