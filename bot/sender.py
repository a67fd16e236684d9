"""The sender: takes wishes from the outbox, carries them out, and writes down honestly what became of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, delete, select, update

from bot.calls import Calls, for_delivery
from bot.clock import Clock
from bot.metrics import Metrics
from integrations.base import Action, Done, Later, Never, Order, Unknown
from storage import inbox, outbox
from storage.clock import from_ms, to_ms
from storage.database import Database, DatabaseAway
from storage.faults import FaultPoint
from storage.hot import Insert, Row, Statement, update_of
from storage.inbox import NewEvent
from storage.outbox import Ended, NewDelivery, Taken
from storage.tables import DeliveryState, api_calls, conversations, early_statuses, messages
from storage.unit import DELIVERED_RANK, finished_event, life_mark

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 8
POLL_S = 0.5  # how often to look without being woken
SETTLE_EVERY_S = 1.0  # how often to look for lost answers to be found out about
BACKOFF_S = (1, 3, 10, 30, 60, 180, 600, 1800)
STOPPED_RETRY_S = 60  # after token trouble: how often one row tries whether it is over
WAIT_FOR_STATUS_S = 45  # a lost answer of a channel: how long its status may take to come (30-60 s)
WAIT_AFTER_CRASH_MS = 10_000  # the same when our own process died: most such rows never left it
GATE_MS = 2_500  # WhatsApp keeps no order between two requests: how long the next part of one answer waits
FORGOTTEN_AFTER_MS = 5_000  # a row taken so long ago that we do not know of: its commit was told as failed

_CALLING = FaultPoint("sender.calling", down=lambda: Later("a fault of a rehearsal", scope="system"))
_CALLED = FaultPoint("sender.called", lost=lambda: Unknown("a fault of a rehearsal: the answer was lost"))
_SETTLING = FaultPoint("sender.settling", lost=lambda: Unknown("a fault of a rehearsal: no answer"))
_ENDING = FaultPoint("sender.ending", away=lambda: DatabaseAway("a fault of a rehearsal"))
_ENDED = FaultPoint("sender.ended")

_SENT = update_of(messages, "status", "rank", "external_id", "error")
_CALL = ("at", "system", "method", "url", "request", "status", "response", "duration_ms", "delivery_id")
_INSERT_CALL = Insert(api_calls, *_CALL)
_ANY_EARLY = Statement("select 1 from early_statuses limit 1")
_EARLY = Statement(
    "select external_id, status, rank, error from early_statuses where external_id in :ids[]", types={"ids": "text"}
)


@dataclass(slots=True)
class System:
    """How one outside system is doing."""

    name: str
    actions: Mapping[str, Action]
    in_flight_max: int
    pace_delay: Callable[[str, datetime], float] | None = None
    pace_sent: Callable[[str, datetime], None] | None = None
    window_s: int | None = None
    keeps_order: bool = True
    in_flight: int = 0
    paused_until: float = 0.0  # loop time
    is_down: bool = False
    down_reason: str | None = None
    failures: int = 0


@dataclass(slots=True)
class _End:
    ended: Ended
    message: tuple[str, int, str | None, str | None] | None = None  # status, rank, external id, error
    unreachable: str | None = None
    window_closed: bool = False
    moved_to: str | None = None  # the chat of the row has this id now


class Sender:
    """A loop that keeps as many orders in flight as each system takes, in order for each recipient."""

    def __init__(
        self,
        database: Database,
        systems: Mapping[str, System],
        *,
        clock: Clock,
        metrics: Metrics,
        calls: Calls,
        owner: str,
        on_events: Callable[[], None],
    ) -> None:
        self._database = database
        self.systems = systems
        self._clock = clock
        self._metrics = metrics
        self._calls = calls
        self.owner = owner
        self._on_events = on_events
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mine: set[int] = set()  # rows of ours from their launch until their end is written
        self._suspects: set[int] = set()
        self._ended: list[_End] = []
        self._flusher: asyncio.Task[None] | None = None
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gates: dict[tuple[str, str], tuple[int | None, int | None, int]] = {}
        self._settle_at = 0.0
        self._is_paced = False  # a row was added that has to wait for its pace: the loop must look when it may go
        self._due_at = 0  # when the first row that was told to wait may go, milliseconds

    def wake(self) -> None:
        self._wake.set()

    def opened(self, channel: str, recipient: str) -> None:
        """The last message to this person was delivered: the next part may follow."""
        if self._gates.pop((channel, recipient), None) is not None:
            self._wake.set()

    async def run(self) -> None:
        """Send until `stop`; then let what is in flight end."""
        self._loop = asyncio.get_running_loop()
        while not self._stopping:
            # Cleared before the look: what arrives while we look is seen by the next one.
            self._wake.clear()
            try:
                found = await self._round()
            except DatabaseAway as error:
                log.warning("sender_waits_for_database", error=str(error))
                await self._pause(1.0)
                continue
            if not found:
                await self._pause(self._until_due())

    async def _round(self) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._settle_at:
            self._settle_at = loop.time() + SETTLE_EVERY_S
            await self._settle_round()
        if not self._room():
            return False
        taken = await self._database.write(self.take)
        self.launch(taken)
        return bool(taken)

    def _room(self) -> dict[str, int]:
        """How many orders each system can take now."""
        now = asyncio.get_running_loop().time() if self._loop is None else self._loop.time()
        return {
            # Of a system that is down, one row finds out whether it is back.
            name: min(system.in_flight_max - system.in_flight, 1 if system.is_down else system.in_flight_max)
            for name, system in self.systems.items()
            if system.paused_until <= now and system.in_flight < system.in_flight_max
        }

    def take(self, conn: Connection) -> list[Taken]:
        """Mark what may go now as being sent, in the caller's transaction; `launch` it after the commit."""
        if self._stopping:
            return []
        now = to_ms(self._clock.now())
        return outbox.take(conn, now=now, owner=self.owner, room=self._room(), delay_ms=self._delay_ms)

    def chooses(self, conn: Connection, new: Sequence[NewDelivery]) -> list[bool]:
        """Which of the rows to be added may go at once: the first of a recipient for whom nothing else is open."""
        if self._stopping:
            return [False] * len(new)
        now = to_ms(self._clock.now())
        room = self._room()
        recipients: dict[str, set[str]] = {}
        for row in new:
            recipients.setdefault(row.system, set()).add(row.recipient)
        busy = {system: outbox.busy(conn, system, names) for system, names in recipients.items() if room.get(system)}
        chosen = []
        for row in new:
            open_ones = busy.get(row.system)
            goes = False
            if open_ones is not None and row.state is DeliveryState.WAITING and row.recipient not in open_ones:
                open_ones.add(row.recipient)  # what is behind it waits, also if it cannot go itself
                if room[row.system] > 0:
                    goes = self._delay_ms(row, now) == 0
                    self._is_paced |= not goes
                    room[row.system] -= goes
            chosen.append(goes)
        return chosen

    def launch(self, taken: Sequence[Taken]) -> None:
        """Send rows that `take` marked and that are committed."""
        if self._stopping:  # taken in the moment of the stop, and not begun: nobody has seen them
            now = to_ms(self._clock.now())
            for row in taken:
                self._finish(_End(Ended(row, DeliveryState.WAITING, now, refund=1)))
            return
        if self._is_paced:
            self._is_paced = False
            self._wake.set()
        for row in taken:
            system = self.systems[row.system]
            system.in_flight += 1
            self._mine.add(row.id)
            self._begin(row, self._send(system, row))

    def _until_due(self) -> float:
        """Seconds until a row that had to wait for its pace may go; at most the polling interval."""
        wait = (self._due_at - to_ms(self._clock.now())) / 1000
        return min(max(wait, 0.005), POLL_S) if wait > -POLL_S else POLL_S

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _delay_ms(self, row: Taken | NewDelivery, now: int) -> int:
        system = self.systems[row.system]
        gate = self._gates.get((row.system, row.recipient))
        if gate is not None:
            if gate[:2] == (row.dialog_id, row.turn) and gate[2] > now:
                self._wait_until(gate[2], now)
                return gate[2] - now
            del self._gates[row.system, row.recipient]
        if system.pace_delay is None:
            return 0
        moment = from_ms(now)
        wait = system.pace_delay(row.recipient, moment)
        if wait > 0:
            self._wait_until(now + int(wait * 1000), now)
            return max(int(wait * 1000), 1)
        if system.pace_sent is not None:
            system.pace_sent(row.recipient, moment)
        return 0

    def _wait_until(self, due_at: int, now: int) -> None:
        if self._due_at <= now or due_at < self._due_at:
            self._due_at = due_at

    def _begin(self, row: Taken, work: Coroutine[Any, Any, _End]) -> None:
        task = asyncio.create_task(self._to_its_end(row, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _to_its_end(self, row: Taken, work: Coroutine[Any, Any, _End]) -> None:
        """The whole of a task of ours: an error in it ends its row, so that nobody waits for it for ever."""
        for_delivery.set(row.id)
        try:
            end = await work
        except DatabaseAway as error:
            log.warning("sender_waits_for_database", error=str(error))
            self._mine.discard(row.id)  # it counts as forgotten soon, and is settled
            return
        except Exception:
            log.exception("delivery_failed", system=row.system, action=row.action, delivery_id=row.id)
            end = self._dead(row, "unavailable", outbox.OUR_ERROR)
        self._finish(end)

    # --------------------------------------------------------------------------------------------------- sending

    async def _send(self, system: System, row: Taken) -> _End:
        try:
            return await self._attempt(system, row)
        finally:
            system.in_flight -= 1

    async def _attempt(self, system: System, row: Taken) -> _End:
        action = system.actions.get(row.action)
        if action is None:
            return self._dead(row, "invalid", f"{row.system} has no action {row.action}")
        order = Order(row.key, row.action, row.recipient, row.params, row.attempt, from_ms(row.created_at))
        try:
            _CALLING.hit()
            done = await action.run(order)
            _CALLED.hit()
        except Later as error:
            return self._later(system, row, error)
        except Never as error:
            return self._never(system, row, error)
        except Unknown as error:
            self._metrics.sends.labels(row.system, "unknown").inc()
            return self._unknown(action, row, str(error))
        except asyncio.CancelledError:
            return self._unknown(action, row, "the service stopped before the answer came")
        self._is_up(system)
        self._metrics.sends.labels(row.system, "done").inc()
        return self._done(system, row, done)

    def _done(self, system: System, row: Taken, done: Done) -> _End:
        if not system.keeps_order and row.turn is not None:
            until = to_ms(self._clock.now()) + GATE_MS
            self._gates[row.system, row.recipient] = (row.dialog_id, row.turn, until)
            if len(self._gates) > 50_000:
                self._gates = {key: gate for key, gate in self._gates.items() if gate[2] > until - GATE_MS}
        ended = Ended(row, DeliveryState.DONE, row.created_at, external_id=done.external_id, result=dict(done.result))
        return _End(ended, ("accepted", 1, done.external_id, None))

    def _later(self, system: System, row: Taken, error: Later) -> _End:
        loop = asyncio.get_running_loop()
        now = to_ms(self._clock.now())
        step = BACKOFF_S[min(row.attempt, len(BACKOFF_S)) - 1]
        wait = error.retry_after_s if error.retry_after_s is not None else step * random.uniform(0.7, 1.3)  # noqa: S311
        self._metrics.sends.labels(row.system, "later").inc()
        if error.scope == "system":
            self._is_down(system, str(error))
            pause = wait if error.retry_after_s is not None else min(0.5 * 2**system.failures, 30.0)
            system.paused_until = max(system.paused_until, loop.time() + pause)
            return _End(Ended(row, DeliveryState.WAITING, now, str(error), error.code, refund=1))
        if row.attempt >= MAX_ATTEMPTS and error.scope == "row":
            return self._dead(row, "unavailable", f"given up after {row.attempt} attempts: {error}")
        until = now + int(wait * 1000)
        return _End(Ended(row, DeliveryState.WAITING, until, str(error), error.code))

    def _never(self, system: System, row: Taken, error: Never) -> _End:
        now = to_ms(self._clock.now())
        if error.stops_system:
            # The token or the account: the queue is kept, and one row a minute finds out whether it is over.
            self._is_down(system, str(error))
            system.paused_until = asyncio.get_running_loop().time() + STOPPED_RETRY_S
            return _End(Ended(row, DeliveryState.WAITING, now, str(error), error.code, refund=1))
        self._metrics.sends.labels(row.system, "never").inc()
        if error.code == "migrated" and "chat_id" in row.params:
            return _End(
                Ended(row, DeliveryState.WAITING, now + 1000, "the group has a new id", error.code),
                moved_to=str(error),
            )
        if error.code == "topic_gone" and row.params.get("thread_id"):
            params = {**row.params, "thread_id": None}
            return _End(Ended(row, DeliveryState.WAITING, now, "its topic was deleted", error.code, params=params))
        if error.window_closed and row.message_id is not None:
            self._metrics.window_misses.labels(row.system).inc()
            if row.params.get("template") and not row.params.get("use_template"):
                params = {**row.params, "use_template": True}
                return _End(Ended(row, DeliveryState.WAITING, now, str(error), error.code, params=params))
            ended = Ended(row, DeliveryState.PARKED, now, "waits until the customer writes: 24 hours are over")
            return _End(ended, ("parked", 0, None, str(error)), window_closed=True)
        end = self._dead(row, error.code, str(error))
        return _End(end.ended, end.message, unreachable=str(error) if error.unreachable else None)

    def _dead(self, row: Taken, code: str, message: str) -> _End:
        now = to_ms(self._clock.now())
        log.warning("delivery_dead", system=row.system, action=row.action, delivery_id=row.id, code=code)
        return _End(Ended(row, DeliveryState.DEAD, now, message, code), ("failed", 0, None, message))

    def _unknown(self, action: Action, row: Taken, message: str) -> _End:
        asks = action.settle is not None or action.repeatable or row.message_id is None
        wait = action.settle_after_s if asks else WAIT_FOR_STATUS_S  # only a status of the channel can tell
        until = to_ms(self._clock.now()) + int(wait * 1000)
        return _End(Ended(row, DeliveryState.UNKNOWN, until, message or "the answer was lost", "unknown"))

    def _is_down(self, system: System, reason: str) -> None:
        system.failures = min(system.failures + 1, 10)
        if not system.is_down:
            system.is_down, system.down_reason = True, reason
            log.warning("system_down", system=system.name, reason=reason)

    def _is_up(self, system: System) -> None:
        system.failures = 0
        if system.is_down:
            system.is_down, system.down_reason = False, None
            log.info("system_back", system=system.name)
            self._wake.set()

    # -------------------------------------------------------------------------------------------- lost answers

    async def _settle_round(self) -> None:
        """Find out what became of rows whose answer was lost."""
        now = to_ms(self._clock.now())

        def look(conn: Connection) -> list[Taken]:
            self._abandon_forgotten(conn, now)
            if conn.dialect.name == "postgresql" and (lost := outbox.abandon_of_the_dead(conn, now=now)):
                log.warning("sends_interrupted", number=lost)
            rows = outbox.unknown_due(conn, now=now)
            outbox.delay(conn, [row.id for row in rows], until=now + 60_000)  # ours for a minute
            return rows

        for row in await self._database.write(look):
            system = self.systems.get(row.system)
            if system is not None:
                self._begin(row, self._settle(system, row))

    def _abandon_forgotten(self, conn: Connection, now: int) -> None:
        """Rows of ours that we do not know of: the commit that took them was told as failed, and had not.

        Only what two looks saw: at one it may be between its commit and its launch.
        """
        taken = outbox.taken_by(conn, self.owner, before=now - FORGOTTEN_AFTER_MS) - self._mine
        forgotten = taken & self._suspects
        self._suspects = taken - forgotten
        if forgotten:
            log.warning("sends_forgotten", number=len(forgotten))
            outbox.abandon_some(conn, forgotten, now=now)

    async def _settle(self, system: System, row: Taken) -> _End:
        action = system.actions.get(row.action)
        now = to_ms(self._clock.now())
        if action is None:
            return self._dead(row, "invalid", f"{row.system} has no action {row.action}")
        if action.settle is None:
            may_be_reported = row.message_id is not None and not action.repeatable
            until = (row.started_at or 0) + WAIT_AFTER_CRASH_MS
            if may_be_reported and now < until:
                return _End(Ended(row, DeliveryState.UNKNOWN, until, "waits for a status of the channel", "unknown"))
            external = None if row.message_id is None else await self._told_by_status(row.message_id)
            return self._give_up_or_repeat(action, row) if external is None else _reported(row, external)
        order = Order(row.key, row.action, row.recipient, row.params, row.attempt, from_ms(row.created_at))
        try:
            _SETTLING.hit()
            done = await action.settle(order)
        except (Later, Unknown) as error:
            wait = getattr(error, "retry_after_s", None) or 5.0
            until = now + int(wait * 1000)
            return _End(Ended(row, DeliveryState.UNKNOWN, until, f"not settled yet: {error}", "unknown"))
        except Never as error:
            return self._dead(row, error.code, f"{outbox.NOT_SETTLED}: {error}")
        log.info(
            "delivery_settled", system=row.system, action=row.action, delivery_id=row.id, was_done=done is not None
        )
        if done is not None:
            return self._done(system, row, done)
        return _End(Ended(row, DeliveryState.WAITING, now, "the answer was lost; it had not been done"))

    async def _told_by_status(self, message_id: int) -> str | None:
        """The channel's id of a message that a status named while the row still counted as being sent."""
        query = select(messages.c.external_id).where(messages.c.id == message_id)
        return await self._database.read(lambda conn: conn.execute(query).scalar())

    def _give_up_or_repeat(self, action: Action, row: Taken) -> _End:
        now = to_ms(self._clock.now())
        harmless = action.repeatable or bool(row.params.get("is_question"))
        if harmless and row.attempt < MAX_ATTEMPTS:
            log.info("delivery_repeated", system=row.system, action=row.action, delivery_id=row.id)
            return _End(Ended(row, DeliveryState.WAITING, now, "sent again: the first answer was lost"))
        return self._dead(row, "unknown", outbox.PERHAPS_DONE)

    # ------------------------------------------------------------------------------------------------ the ends

    def _finish(self, end: _End) -> None:
        self._ended.append(end)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="sender-flush")

    async def _flush(self) -> None:
        try:
            to_write: list[tuple[Sequence[_End], Sequence[Row]]] = []
            while to_write or self._ended:
                if not to_write:
                    to_write.append((self._ended, self._calls.take()))
                    self._ended = []
                ends, calls = to_write.pop()
                try:
                    await self._write_down(ends, calls)
                except Exception:
                    log.exception("ends_not_written", deliveries=[end.ended.taken.id for end in ends][:20])
                    if len(ends) + bool(calls) > 1:  # each by itself: what cannot be written takes nothing else along
                        to_write += [((), calls), *(([end], ()) for end in reversed(ends))]
                    else:
                        self._forget(ends)
        finally:
            self._flusher = None

    async def _write_down(self, ends: Sequence[_End], calls: Sequence[Row]) -> None:
        """What became of the sends must not be lost: tried until the database is back."""
        while True:
            try:
                _ENDING.hit()
                has_events, following = await self._database.write(lambda conn: self._store(conn, ends, calls))
            except DatabaseAway as error:
                log.warning("sender_waits_for_database", error=str(error))
                await asyncio.sleep(0.5)
            else:
                break
        _ENDED.hit()
        self._forget(ends)
        self.launch(following)
        if has_events:
            self._on_events()

    def _forget(self, ends: Sequence[_End]) -> None:
        self._mine.difference_update([end.ended.taken.id for end in ends])

    def _store(self, conn: Connection, taken: Sequence[_End], calls: Sequence[Row]) -> tuple[bool, list[Taken]]:
        """Write the ends, and take what waited for them: whether there are events to handle, and what goes next."""
        now = to_ms(self._clock.now())
        outbox.end(conn, (end.ended for end in taken), now=now)
        rows = []
        for end in taken:
            if end.message is not None and end.ended.taken.message_id is not None:
                status, rank, external, why = end.message
                rows.append((status, rank, external, why, end.ended.taken.message_id))
        _SENT.many(conn, rows)
        _apply_early(conn, [external for _, _, external, _, _ in rows if external])
        for end in taken:
            if end.unreachable is not None and end.ended.taken.conversation_id is not None:
                conn.execute(
                    update(conversations)
                    .where(conversations.c.id == end.ended.taken.conversation_id)
                    .values(unreachable=end.unreachable[:200])
                )
        events = [*_finished(conn, [end.ended for end in taken], now), *_troubles(taken, now), *_moved(taken, now)]
        if events:
            inbox.put(conn, events)
        _INSERT_CALL.many(conn, calls)
        return bool(events), self.take(conn)

    async def store_calls(self) -> None:
        """Write down calls that no end of a send takes along: read marks, typing marks, files."""
        calls = self._calls.take()
        if calls:
            await self._database.write(lambda conn: _INSERT_CALL.many(conn, calls))

    async def stop(self, *, grace_s: float = 20.0) -> None:
        """Take nothing more, wait for what is in flight, write its end."""
        self._stopping = True
        self._wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=2.0)
        while self._flusher is not None:
            await asyncio.wait([self._flusher])


def _reported(row: Taken, external_id: str) -> _End:
    log.info("delivery_settled", system=row.system, action=row.action, delivery_id=row.id, was_done=True)
    why = "the answer was lost; a status of the channel settled it"
    return _End(Ended(row, DeliveryState.DONE, row.created_at, why, external_id=external_id))


def _apply_early(conn: Connection, external_ids: list[str]) -> None:
    """Statuses that came before the answer of our own call."""
    if not external_ids or _ANY_EARLY.first(conn) is None:
        return
    for external_id, status, rank, error in _EARLY.all(conn, ids=external_ids):
        conn.execute(
            update(messages)
            .where(
                messages.c.external_id == external_id,
                messages.c.rank < (DELIVERED_RANK if status == "failed" else rank + 1),
            )
            .values(status=status, rank=rank, error=error)
        )
        conn.execute(delete(early_statuses).where(early_statuses.c.external_id == external_id))


def _life(row: Taken) -> int:
    """From 1; a dead row that an operator has sent again begins another one."""
    return int(row.params.get("life", 1))


def _finished(conn: Connection, ended: Sequence[Ended], now: int) -> list[NewEvent]:
    """The ends of actions, as events of the dialogs that wait for them."""
    over = {e.taken.id: e for e in ended if e.state in (DeliveryState.DONE, DeliveryState.DEAD)}
    waiting = outbox.waiters_of(conn, [id_ for id_, e in over.items() if e.taken.message_id is None])
    return [
        finished_event(
            {**waiter, "is_doubtful": True} if over[id_].taken.is_doubtful else waiter,
            key=over[id_].taken.key,
            action=over[id_].taken.action,
            ok=over[id_].state is DeliveryState.DONE,
            result=over[id_].result or {},
            code=over[id_].code,
            message=over[id_].error,
            now=now,
            life=_life(over[id_].taken),
        )
        for id_, waiters in waiting.items()
        for waiter in waiters
    ]


def _moved(taken: Sequence[_End], now: int) -> list[NewEvent]:
    """Groups that have a new id, told by the refusal of a send."""
    return [
        NewEvent(
            source="outbox",
            external_id=f"moved:{end.ended.taken.id}.{end.ended.taken.attempt}",
            kind="group_moved",
            key="groups",
            body=orjson.dumps({"old": end.ended.taken.params["chat_id"], "new": int(end.moved_to)}),
            received_at=now,
        )
        for end in taken
        if end.moved_to is not None and end.moved_to.lstrip("-").isdigit()
    ]


def _troubles(taken: Sequence[_End], now: int) -> list[NewEvent]:
    """Messages to customers that could not be delivered: the managers are told."""
    return [
        NewEvent(
            source="outbox",
            external_id=f"undelivered:{end.ended.taken.id}.{end.ended.taken.attempt}{life_mark(_life(end.ended.taken))}",
            kind="undelivered",
            key=f"conversation:{end.ended.taken.conversation_id}",
            body=orjson.dumps(
                {
                    "conversation_id": end.ended.taken.conversation_id,
                    "dialog_id": end.ended.taken.dialog_id,
                    "message_id": end.ended.taken.message_id,
                    "reason": end.ended.error,
                    "code": end.ended.code,
                    "parked": end.ended.state is DeliveryState.PARKED,
                }
            ),
            received_at=now,
        )
        for end in taken
        if end.ended.taken.message_id is not None and end.ended.state in (DeliveryState.DEAD, DeliveryState.PARKED)
    ]
