"""The intake: one commit for all requests of the moment, and an answer only after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import orjson
import structlog
from sqlalchemy import Connection, select

from integrations.base import IncomingEvent, Outcome
from storage import inbox, wakeups
from storage.clock import to_ms
from storage.database import Database, DatabaseAway
from storage.faults import FaultPoint
from storage.inbox import Stored
from storage.tables import EventState, events

log = structlog.get_logger(__name__)

_STATES = {"waiting": int(EventState.WAITING), "ignored": int(EventState.IGNORED), "dead": int(EventState.DEAD)}
_SECRET_HEADERS = frozenset(
    {"authorization", "cookie", "proxy-authorization", "x-api-key", "x-telegram-bot-api-secret-token", "x-token"}
)
MAX_PENDING_BYTES = 64 * 1024 * 1024
MAX_PENDING_EVENTS = 50_000
_STORED = FaultPoint("intake.stored")
COMMIT_REQUESTS = 48  # of one commit: while they wait for the disk, the next ones are read


class IntakeBusy(Exception):
    """Nothing was stored; the sender should come again after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class _Pending:
    """What one request, or one round of polling, brought."""

    __slots__ = ("batch", "events", "future", "headers", "received_at", "size", "source")

    def __init__(
        self,
        source: str,
        events: Sequence[IncomingEvent],
        received_at: int,
        headers: str | None,
        batch: bytes | None,
        future: asyncio.Future[list[Stored]],
    ) -> None:
        self.source = source
        self.events = events
        self.received_at = received_at
        self.headers = headers
        self.batch = batch
        self.future = future
        self.size = len(batch or b"")
        for event in events:
            self.size += len(event.body)


def masked_headers(headers: Mapping[str, str]) -> str:
    """Headers as JSON; those that carry secrets say only that they were there."""
    shown = {str(name): "***" if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}
    try:
        return orjson.dumps(shown).decode()
    except orjson.JSONEncodeError:  # bytes that are not UTF-8 come as lone surrogates
        return orjson.dumps(
            {
                name.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
                for name, value in shown.items()
            }
        ).decode()


class Rider(Protocol):
    """Work that is done in the same transaction, if it can be."""

    def ride(self, conn: Connection) -> Any: ...

    def rode(self, ridden: Any) -> None:
        """That transaction is committed. Whatever `ride` left undone is for the rider to see to."""
        ...


class Intake:
    """Brings events to the inbox.

    `on_new` is called after each commit that added any, unless there is a rider; `on_stored(source, number)` with how
    many were new.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_new: Callable[[], None],
        on_stored: Callable[[str, int], None],
        same: inbox.Same | None = None,
    ) -> None:
        self.rider: Rider | None = None
        self._database = database
        self._same = same
        self._on_new = on_new
        self._on_stored = on_stored
        self._pending: list[_Pending] = []
        self._bytes = 0
        self._count = 0
        # PostgreSQL commits beside one another; SQLite's one writer joins whatever waits for it.
        self._most_flushers = 2 if database.dialect == "postgresql" else 1
        self._flushers: set[asyncio.Task[Any]] = set()

    async def put(
        self,
        source: str,
        new: Sequence[IncomingEvent],
        *,
        received_at: datetime,
        headers: str | None = None,
        batch: bytes | None = None,
    ) -> list[Stored]:
        """Store events durably and say which are new.

        `batch`: the bytes of the request if it held several events. Raises IntakeBusy when nothing was stored.
        """
        if not new:
            return []
        if self._bytes > MAX_PENDING_BYTES or self._count > MAX_PENDING_EVENTS:
            raise IntakeBusy("too many events are waiting to be stored", retry_after_s=5)
        pending = _Pending(source, new, to_ms(received_at), headers, batch, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._bytes += pending.size
        self._count += len(new)
        # Whoever is not the first in the list is taken along by the flusher that the first one called.
        if not self._flushers or (len(self._pending) == 1 and len(self._flushers) < self._most_flushers):
            self._flushers.add(asyncio.create_task(self._flush(), name="intake"))
        try:
            return await pending.future  # what was brought is stored even if this caller is cancelled
        except DatabaseAway as error:
            raise IntakeBusy("the database is away", retry_after_s=3) from error

    async def _flush(self) -> None:
        try:
            while self._pending:
                taken, self._pending = self._pending[:COMMIT_REQUESTS], self._pending[COMMIT_REQUESTS:]
                await self._store(taken)
                self._bytes -= sum([p.size for p in taken])
                self._count -= sum([len(p.events) for p in taken])
        finally:
            this = asyncio.current_task()
            assert this is not None
            self._flushers.discard(this)

    async def _store(self, taken: list[_Pending]) -> None:
        try:
            stored, ridden = await self._database.write(lambda conn: self._insert(conn, taken))
        except DatabaseAway as error:
            for pending in taken:
                if not pending.future.done():
                    pending.future.set_exception(error)
            return
        except Exception as error:
            if len(taken) > 1:
                for pending in taken:
                    await self._store([pending])
                return
            log.error("intake_failed", source=taken[0].source, error=type(error).__name__, exc_info=True)
            if not taken[0].future.done():
                taken[0].future.set_exception(error)
            return
        _STORED.hit()
        added: dict[str, int] = {}
        for pending, result in zip(taken, stored, strict=True):
            new = 0
            for one in result:
                new += one.is_new
            added[pending.source] = added.get(pending.source, 0) + new
            if not pending.future.done():
                pending.future.set_result(result)
        for source, number in added.items():
            self._on_stored(source, number)
        if self.rider is None:
            self._on_new()
        else:
            self.rider.rode(ridden)

    def _insert(self, conn: Connection, taken: list[_Pending]) -> tuple[list[list[Stored]], Any]:
        stored = _insert(conn, taken, self._same)
        return stored, None if self.rider is None else self.rider.ride(conn)

    async def results(self, stored: Sequence[Stored], *, wait_s: float) -> list[str | None]:
        """What the turns of new events said, for those that end within `wait_s`."""
        ids = [s.id for s in stored if s.is_new]
        found: dict[int, str | None] = {}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        pause = 0.005
        while ids and loop.time() < deadline:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.1)
            found |= await self._database.read(partial(_ended, ids=tuple(ids)))
            ids = [id_ for id_ in ids if id_ not in found]
        return [found.get(s.id) for s in stored]

    async def drain(self) -> None:
        """Wait until everything that was brought is stored."""
        while self._flushers:
            await asyncio.wait(self._flushers)


def _insert(conn: Connection, taken: list[_Pending], same: inbox.Same | None) -> list[list[Stored]]:
    rows = []
    for pending in taken:
        batch_id = None
        if pending.batch is not None:
            batch_id = inbox.put_batch_body(conn, pending.source, pending.batch, pending.received_at)
        for event in pending.events:
            occurred_at = event.occurred_at
            rows.append(
                inbox.event_row(
                    pending.source,
                    event.external_id,
                    event.kind,
                    event.key,
                    event.body,
                    pending.received_at,
                    None if occurred_at is None else to_ms(occurred_at),
                    _STATES[event.state],
                    None,
                    event.error,
                    pending.headers,
                    batch_id,
                )
            )
    stored = inbox.put_rows(conn, rows, same=same)
    wakeups.notify(conn)
    result: list[list[Stored]] = []
    position = 0
    for pending in taken:
        result.append(stored[position : position + len(pending.events)])
        position += len(pending.events)
    return result


def _ended(conn: Connection, ids: Sequence[int]) -> dict[int, str | None]:
    query = select(events.c.id, events.c.result).where(events.c.id.in_(ids), events.c.processed_at.is_not(None))
    return {row.id: row.result for row in conn.execute(query)}


_NEW, _DUPLICATE, _CONFLICT = Outcome("new"), Outcome("duplicate"), Outcome("conflict")


def outcomes(stored: Sequence[Stored], results: Sequence[str | None]) -> list[Outcome]:
    """`results`: what the turns said, or nothing if nobody waited for them."""
    found = [_NEW if s.is_new else _CONFLICT if s.is_conflict else _DUPLICATE for s in stored]
    if not results:
        return found
    return [
        outcome if result is None else Outcome(outcome.kind, result)
        for outcome, result in zip(found, results, strict=True)
    ]
