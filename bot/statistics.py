"""The loop that adds the journal's turns to the sums of the funnels."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from bot.clock import Clock
from storage import stats
from storage.clock import to_ms
from storage.database import Database, DatabaseAway

log = structlog.get_logger(__name__)

EVERY_S = 15.0
BETWEEN_S = 0.05  # while it catches up: others come first


class Statistics:
    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                has_more = await self.add()
            except DatabaseAway as error:
                log.warning("statistics_wait_for_database", error=str(error))
                has_more = False
            await asyncio.sleep(BETWEEN_S if has_more else EVERY_S)

    async def add(self) -> bool:
        """One batch. True if there may be more."""
        return await self._database.write(partial(stats.roll_up, now=to_ms(self._clock.now())))
