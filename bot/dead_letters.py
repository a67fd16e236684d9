"""Dead letters as operators handle them: found by their trouble, and given another chance in small transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from bot.clock import Clock
from storage import dead_letters, inbox, wakeups
from storage.clock import to_ms
from storage.database import Database
from storage.dead_letters import KINDS, DeadLetter, Group, What
from storage.tables import EventState

AT_ONCE = 200  # rows given another chance in one transaction


@dataclass(slots=True)
class Given:
    """What became of a replay. `kept`: deliveries that perhaps were done, and that nobody insisted on."""

    replayed: int = 0
    kept: int = 0

    def __iadd__(self, other: Given) -> Given:
        self.replayed += other.replayed
        self.kept += other.kept
        return self


class DeadLetters:
    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def groups(self) -> list[Group]:
        """Those whose newest letter is newest first."""
        found: dict[str, Group] = {}
        for what in KINDS:
            async for letters in self._pages(what):
                dead_letters.add_to(found, letters)
        return sorted(found.values(), key=lambda group: (-group.newest, group.id))

    async def group(self, group_id: str) -> Group | None:
        return next((group for group in await self.groups() if group.id == group_id), None)

    async def of_group(self, group: Group) -> AsyncIterator[list[DeadLetter]]:
        """Its letters in pages, in the order of their ids."""
        async for letters in self._pages(group.what):
            if wanted := [letter for letter in letters if letter.group == group.id]:
                yield wanted

    async def dead_events(self) -> AsyncIterator[list[DeadLetter]]:
        async for letters in self._pages("event"):
            yield letters

    async def replay(self, letters: Sequence[DeadLetter], *, force: bool = False) -> Given:
        """Give dead letters another chance. `force`: deliveries too that perhaps were done.

        Each transaction takes a few: a service that works beside it gets in between, and what was done stays done if
        this ends early.
        """
        given = Given()
        for start in range(0, len(letters), AT_ONCE):
            some = letters[start : start + AT_ONCE]
            given += await self._database.write(partial(self._replay, letters=some, force=force))
        return given

    def _replay(self, conn: Connection, letters: Sequence[DeadLetter], force: bool) -> Given:
        of_events = [letter.id for letter in letters if letter.what == "event"]
        of_deliveries = [letter for letter in letters if letter.what == "delivery"]
        replayed = 0
        if of_events:
            replayed += inbox.replay(conn, of_events, states=[EventState.DEAD])
            wakeups.notify(conn)
        kept = 0
        if of_deliveries:
            kept = 0 if force else sum(letter.is_end_unknown for letter in of_deliveries)
            ids, now = [letter.id for letter in of_deliveries], to_ms(self._clock.now())
            replayed += dead_letters.revive(conn, ids, now=now, ends_unknown=force)
        return Given(replayed, kept)

    async def _pages(self, what: What) -> AsyncIterator[list[DeadLetter]]:
        """Dead letters of this moment. One that dies again while they are read is not met twice."""
        until = await self._database.read(partial(dead_letters.newest_id, what=what))
        after = 0
        while after < until:
            letters = await self._database.read(partial(dead_letters.page, what=what, after=after, until=until))
            if not letters:
                return
            after = letters[-1].id
            yield letters
