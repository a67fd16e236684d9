"""The worker: claims events, one key at a time, and stores what their turns decided in the same transaction."""

from __future__ import annotations

import asyncio
import random
from collections import Counter as Tally
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import Connection

from bot.clock import Clock
from bot.flow_store import FlowStore
from bot.metrics import Metrics
from bot.sender import Sender
from bot.turns.base import Service, Turn
from bot.turns.dispatch import our_trouble, read_facts, take_turn, wanted_addresses, wanted_contacts
from integrations.base import CannotRead
from storage import inbox
from storage.clock import from_ms, to_ms
from storage.database import Database, DatabaseAway
from storage.faults import FaultPoint
from storage.ids import Ids
from storage.inbox import Claim, Claimed, Settled
from storage.outbox import Taken
from storage.tables import EventState
from storage.unit import UnitOfWork

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5
BACKOFF_S = (1, 5, 30, 120)
POLL_S = 0.5  # how often to look without being woken
RIDING_KEYS, RIDING_PER_KEY = 48, 4  # so long a webhook may wait for the turns of its commit


_CLAIMED = FaultPoint("worker.claimed", error=lambda: RuntimeError("a fault of a rehearsal"))
_HANDLED = FaultPoint("worker.handled", error=lambda: RuntimeError("a fault of a rehearsal"))
_COMMITTED = FaultPoint("worker.committed")


@dataclass(slots=True)
class Batch:
    """What one transaction did, for what comes after the commit."""

    handled: list[tuple[Claimed, EventState]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    has_events: bool = False
    is_full: bool = False  # it took as many events as it may: more may be waiting

    def __bool__(self) -> bool:
        return bool(self.handled)


class Worker:
    """A loop of cycles; each is one transaction: claim, turns, everything they want stored."""

    def __init__(
        self,
        database: Database,
        service: Service,
        flows: FlowStore,
        *,
        clock: Clock,
        metrics: Metrics,
        sender: Sender | None = None,
        claim: Claim | None = None,
    ) -> None:
        self._database = database
        self._service = service
        self._flows = flows
        self._clock = clock
        self._metrics = metrics
        self._sender = sender
        self._claim = claim or Claim()
        self._ids = Ids()
        self._wake = asyncio.Event()
        self._stopping = False
        self._counters: dict[tuple[str, EventState], Counter] = {}
        self._one_by_one = 0  # so many cycles take a single event, to find the one that fails

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`; the transaction under way is finished."""
        while not self._stopping:
            # Cleared before the claim, not after it: an event stored while we claim is seen by the next cycle.
            self._wake.clear()
            try:
                if await self.cycle():
                    continue
            except DatabaseAway as error:
                log.warning("worker_waits_for_database", error=str(error))
                await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def cycle(self) -> bool:
        """One transaction. False: nothing was waiting."""
        alone = self._one_by_one > 0
        current: list[Claimed] = []
        try:
            batch = await self._database.write(lambda conn: self._work(conn, alone=alone, current=current))
        except DatabaseAway:
            self._ids.forget()
            raise
        except Exception as error:  # noqa: BLE001 - one event's failure must stop nobody but itself
            self._ids.forget()
            if not alone:
                self._one_by_one = max(self._claim.keys * self._claim.per_key, 64)
                return True
            self._one_by_one = 0
            await self._failed(current, error)
            return True
        self._one_by_one = max(self._one_by_one - 1, 0) if batch else 0
        self._after(batch)
        return bool(batch)

    def ride(self, conn: Connection) -> Batch | None:
        """Handle events in the transaction that brings them (SQLite): one commit for the receipt and the turn.

        None: nothing was done, and `run` will do it. A turn that fails takes nothing along: the events stay.
        """
        if self._one_by_one > 0 or self._stopping:
            return None
        raw: Any = conn.connection.driver_connection
        raw.execute("savepoint ride")
        try:
            batch = self._work(conn, alone=False, current=[], keys=RIDING_KEYS, per_key=RIDING_PER_KEY)
        except Exception:  # the receipt of events must not fail with their turns
            raw.execute("rollback to ride")
            raw.execute("release ride")
            self._ids.forget()
            log.info("ride_failed", exc_info=True)
            return None
        raw.execute("release ride")
        return batch

    def rode(self, batch: Batch | None) -> None:
        """The transaction of `ride` is committed."""
        if batch is not None:
            self._after(batch)
        if batch is None or batch.is_full or batch.has_events:
            self._wake.set()

    def _work(
        self,
        conn: Connection,
        *,
        alone: bool,
        current: list[Claimed],
        keys: int | None = None,
        per_key: int | None = None,
    ) -> Batch:
        now_ms = to_ms(self._clock.now())
        current.clear()
        claimed = self._claim.take(conn, now=now_ms, keys=1 if alone else keys, per_key=1 if alone else per_key)
        current += claimed
        batch = Batch()
        if not claimed:
            return batch
        _CLAIMED.hit()
        taken_of = Tally(event.key for event in claimed)
        most = keys or self._claim.keys
        batch.is_full = len(taken_of) >= most - most // 4 or max(taken_of.values()) >= (per_key or self._claim.per_key)
        flows = self._flows.at(conn)
        unit = UnitOfWork(conn, now_ms, self._ids)
        read: list[tuple[Claimed, Any]] = []
        for event in claimed:
            try:
                read.append((event, read_facts(self._service, event)))
            except CannotRead as error:
                read.append((event, error))
        unit.load(wanted_addresses(read), wanted_contacts(read))
        blocked: set[str] = set()
        for event, facts in read:
            if event.key not in blocked and not unit.is_settled(event.id):
                self._handle(unit, flows, batch, event, facts, blocked)
        # In the same transaction: a row that may go at once need not wait for another commit.
        batch.taken = unit.flush(self._sender)
        self._release_held(conn, unit, batch)
        if self._sender is not None and unit.has_unparked:
            batch.taken += self._sender.take(conn)
        batch.has_events = bool(unit.events)
        _HANDLED.hit()
        return batch

    def _handle(
        self, unit: UnitOfWork, flows: Any, batch: Batch, event: Claimed, facts: Any, blocked: set[str]
    ) -> None:
        turn = Turn(unit, flows, self._service, event, from_ms(unit.now), batch.after)
        verdict = take_turn(turn, facts)
        batch.handled.append((event, verdict.state))
        if verdict.state is EventState.HELD:
            assert verdict.until is not None
            inbox.hold(unit.conn, event.id, until=to_ms(verdict.until), key=verdict.key)
            return
        if verdict.state is EventState.WAITING:
            assert verdict.until is not None
            inbox.postpone(unit.conn, event.id, until=to_ms(verdict.until), failed=False)
            blocked.add(event.key)
            return
        if verdict.state is EventState.DEAD:
            log.warning("event_dead", event_id=event.id, source=event.source, kind=event.kind, reason=verdict.error)
        unit.settled.append(Settled(event.id, verdict.state, turn.dialog_id, turn.result, verdict.error))

    def _release_held(self, conn: Connection, unit: UnitOfWork, batch: Batch) -> None:
        """Business events that waited for the question of a person to be left look again."""
        if unit.questions_left and inbox.release(conn, sorted(unit.questions_left)):
            batch.has_events = True

    def _after(self, batch: Batch) -> None:
        _COMMITTED.hit()
        now_ms = to_ms(self._clock.now())
        for event, state in batch.handled:
            self._count(event.source, state).inc()
            self._metrics.turn_seconds.observe(max(now_ms - event.received_at, 0) / 1000)
        if self._sender is not None:
            self._sender.launch(batch.taken)
        for job in batch.after:
            job()

    def _count(self, source: str, state: EventState) -> Counter:
        known = self._counters.get((source, state))
        if known is None:
            known = self._counters[source, state] = self._metrics.handled.labels(source, state.name.lower())
        return known

    async def _failed(self, current: list[Claimed], error: Exception) -> None:
        """The single event of this transaction could not be handled: later, and after some attempts never."""
        if not current:
            log.error("worker_cycle_failed", exc_info=error)
            await asyncio.sleep(1.0)
            return
        event = current[0]
        attempt = event.attempts + 1
        sentence = our_trouble(error)
        log.error(
            "event_failed", event_id=event.id, source=event.source, kind=event.kind, attempt=attempt, exc_info=error
        )
        now_ms = to_ms(self._clock.now())

        def note(conn: Connection) -> None:
            if attempt >= MAX_ATTEMPTS:
                inbox.settle(conn, [Settled(event.id, EventState.DEAD, error=sentence)], now=now_ms)
            else:
                until = now_ms + BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1] * 1000
                inbox.postpone(conn, event.id, until=until, error=sentence)

        await self._database.write(note)

    async def stop(self) -> None:
        self._stopping = True
        self._wake.set()
