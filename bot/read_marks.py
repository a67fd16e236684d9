"""Read and typing marks: politeness that must never be in the way of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

Mark = Callable[[], Awaitable[object]]

EVERY_S = 1.0
AT_ONCE = 20  # so many people in one round; the others wait for the next


class ReadMarks:
    """One mark a second for each person at most: marking a message read marks those before it too."""

    def __init__(self) -> None:
        self._waiting: dict[str, Mark] = {}

    def mark(self, person: str, mark: Mark) -> None:
        """`mark` replaces what this person still waits for."""
        self._waiting.pop(person, None)
        if len(self._waiting) < 10_000:
            self._waiting[person] = mark

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            people = list(self._waiting)[:AT_ONCE]
            marks = [self._waiting.pop(person) for person in people]
            for result in await asyncio.gather(*(mark() for mark in marks), return_exceptions=True):
                if isinstance(result, Exception):
                    log.info("mark_failed", error=type(result).__name__)
