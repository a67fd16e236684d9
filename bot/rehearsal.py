"""What would happen if ended events were handled again: their real turns, in a transaction that is rolled back.

Nothing of a rehearsal remains. Its effects are rows that are rolled back with it; jobs for after the commit are thrown
away; ids come from a range that is never stored, so that no counter is touched; and whatever the process keeps in
memory for its turns (dialogs, flows, groups) a rehearsal has for itself. A few events at a time: while they are played
SQLite's writer waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from bot.clock import Clock
from bot.flow_store import FlowStore
from bot.managers.routes import Groups
from bot.turns.base import Service, Turn
from bot.turns.dispatch import Verdict, our_trouble, read_facts, take_turn, wanted_addresses, wanted_contacts
from bot.turns.standing import KnownDialogs
from integrations.base import CannotRead
from storage import inbox
from storage.clock import from_ms, to_ms
from storage.database import Database
from storage.ids import Ids
from storage.inbox import Claimed, Settled
from storage.journal import EVENT_WORDS
from storage.outbox import NewDelivery
from storage.tables import EventState, events
from storage.unit import UnitOfWork

AT_ONCE = 16  # events of one transaction

_TO_MANAGERS = frozenset({"send_group", "to_topic", "edit_group"})
_LOCK_KEY = text("select pg_advisory_xact_lock(hashtextextended(:key, 20260101))")  # the worker's, see storage.inbox
# Deadlocks, cancelled statements and lost connections: the database's trouble of this moment, and not the event's.
_OF_THE_MOMENT = frozenset({"40", "57", "08"})


@dataclass(frozen=True, slots=True)
class Move:
    """A turn of a dialog. `dialog_id` None: a dialog that would begin."""

    dialog_id: int | None
    from_step: str | None
    to_step: str | None


@dataclass(frozen=True, slots=True)
class Ordered:
    """A delivery that would be added to the outbox. `to`: customer, managers or a system."""

    to: str
    system: str
    action: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would become of one event. `state` None: it cannot be replayed now."""

    event_id: int
    state: str | None
    sentence: str | None
    source: str = ""
    kind: str = ""
    dialog_id: int | None = None
    moves: Sequence[Move] = ()
    orders: Sequence[Ordered] = ()
    timers: Sequence[tuple[str, datetime]] = ()
    events: Sequence[str] = ()  # kinds of events that it would bring itself


class _ScratchIds(Ids):
    """Ids for rows that are never stored."""

    FIRST = 2**61

    def __init__(self) -> None:
        super().__init__()
        self._last = self.FIRST

    def next(self, conn: Connection) -> int:
        self._last += 1
        return self._last


@dataclass(slots=True)
class _Scene:
    """What the events of one transaction share; those behind see what those before have done."""

    conn: Connection
    service: Service
    flows: Any
    now: int
    ids: Ids = field(default_factory=_ScratchIds)


class Rehearsal:
    """Plays events for whoever wants to know; safe beside a working service."""

    def __init__(self, database: Database, service: Service, flows: FlowStore, *, clock: Clock) -> None:
        """`flows` must be of its own: a store holds the connection of the transaction that uses it."""
        self._database = database
        self._service = service
        self._flows = flows
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def play(self, ids: Sequence[int]) -> list[Rehearsed]:
        """What each of these events would do, in the order of `ids`. Raises DatabaseAway."""
        played: dict[int, Rehearsed] = {}
        async with self._one_at_a_time:
            await self._database.read(self._flows.at)  # what is new is compiled here, and not while the writer waits
            for start in range(0, len(ids), AT_ONCE):
                some = partial(self._play, ids=ids[start : start + AT_ONCE], aside=self._aside())
                played |= {one.event_id: one for one in await self._database.write(some, is_long=True)}
        return [played[id_] for id_ in ids]

    def _play(self, conn: Connection, ids: Sequence[int], aside: Service) -> list[Rehearsed]:
        whole = conn.begin_nested()
        try:
            with structlog.contextvars.bound_contextvars(is_rehearsal=True):
                return self._play_all(conn, ids, aside)
        finally:
            whole.rollback()

    def _play_all(self, conn: Connection, ids: Sequence[int], aside: Service) -> list[Rehearsed]:
        rows = {row.id: row for row in conn.execute(select(events).where(events.c.id.in_(ids)))}
        if conn.dialect.name == "postgresql":
            for key in sorted({row.key for row in rows.values()}):
                conn.execute(_LOCK_KEY, {"key": key})
            rows = {row.id: row for row in conn.execute(select(events).where(events.c.id.in_(ids)))}
        found = {id_: _cannot(id_, rows.get(id_)) for id_ in ids}
        playable = [row for row in rows.values() if found[row.id] is None]
        inbox.replay(conn, [row.id for row in playable])
        scene = _Scene(conn, aside, self._flows.at(conn), to_ms(self._clock.now()))
        for row in sorted(playable, key=lambda row: (row.key, row.position, row.id)):
            found[row.id] = _play_one(scene, row)
        return [one for one in found.values() if one is not None]

    def _aside(self) -> Service:
        """The service as turns see it, with nothing that could reach anybody or be remembered."""
        groups = self._service.groups
        return replace(
            self._service,
            groups=Groups(groups.managers_chat_id, dict(groups.chats), groups.has_telegram, set(groups.heard)),
            background=_forget_job,
            mark=_forget_mark,
            delivered=_forget_delivered,
            dialogs=KnownDialogs(),
        )


def _cannot(event_id: int, row: Any | None) -> Rehearsed | None:
    """Why there is nothing to replay."""
    if row is None:
        return Rehearsed(event_id, None, "there is no such event")
    if row.state not in (EventState.DONE, EventState.IGNORED, EventState.DEAD):
        return Rehearsed(event_id, None, "it has not been handled yet", row.source, row.kind)
    if not row.body:
        return Rehearsed(
            event_id, None, "it has no body: nothing was sent, or the years removed it", row.source, row.kind
        )
    return None


def _play_one(scene: _Scene, row: Any) -> Rehearsed:
    conn = scene.conn
    event = Claimed(row.id, row.source, row.kind, row.external_id, row.key, row.received_at, 0, bytes(row.body))
    state = conn.execute(select(events.c.state, events.c.error).where(events.c.id == row.id)).one()
    if state.state != EventState.WAITING:  # pictures of one album are handled with the first of them
        return Rehearsed(row.id, "done", "handled together with an event before it", row.source, row.kind)
    own = conn.begin_nested()
    try:
        unit, turn, verdict = _handle(scene, event)
    except Exception as error:
        own.rollback()
        if _is_of_the_moment(error):
            raise
        return Rehearsed(row.id, "dead", our_trouble(error), row.source, row.kind)
    own.commit()
    return _told(event, unit, turn, verdict)


def _handle(scene: _Scene, event: Claimed) -> tuple[UnitOfWork, Turn, Verdict]:
    """As the worker does it for a batch of one."""
    unit = UnitOfWork(scene.conn, scene.now, scene.ids)
    facts: Any
    try:
        facts = read_facts(scene.service, event)
    except CannotRead as error:
        facts = error
    unit.load(wanted_addresses([(event, facts)]), wanted_contacts([(event, facts)]))
    turn = Turn(unit, scene.flows, scene.service, event, from_ms(scene.now), [])
    verdict = take_turn(turn, facts)
    if verdict.until is None:
        unit.settled.append(Settled(event.id, verdict.state, turn.dialog_id, turn.result, verdict.error))
    unit.flush()
    return unit, turn, verdict


def _told(event: Claimed, unit: UnitOfWork, turn: Turn, verdict: Verdict) -> Rehearsed:
    return Rehearsed(
        event.id,
        EVENT_WORDS[verdict.state],
        verdict.error,
        event.source,
        event.kind,
        _real(turn.dialog_id),
        [Move(_real(row[0]), row[5], row[6]) for row in unit.turns],
        [_ordered(unit, delivery) for delivery in unit.delivered],
        [(name, from_ms(due_at)) for _, name, due_at in unit.timers],
        [made.kind for made in unit.events],
    )


def _ordered(unit: UnitOfWork, delivery: NewDelivery) -> Ordered:
    if delivery.message_id is not None:
        return Ordered("customer", delivery.system, delivery.action, unit.text_of(delivery.message_id))
    if delivery.action in _TO_MANAGERS:
        said = delivery.params.get("text")
        return Ordered("managers", delivery.system, delivery.action, None if said is None else str(said))
    return Ordered("system", delivery.system, delivery.action)


def _real(dialog_id: int | None) -> int | None:
    return None if dialog_id is None or dialog_id >= _ScratchIds.FIRST else dialog_id


def _is_of_the_moment(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.OperationalError) or error.connection_invalidated:
        return True
    return str(getattr(error.orig, "sqlstate", ""))[:2] in _OF_THE_MOMENT


def _forget_job(_job: Callable[[], Awaitable[None]]) -> None:
    """Nothing comes after a commit that there is none of."""


def _forget_mark(_person: str, _mark: Callable[[], Awaitable[object]]) -> None:
    """The same for read marks."""


def _forget_delivered(_channel: str, _recipient: str) -> None:
    """The same for the gate of a recipient."""
