"""The outbox: every wish once, in order for each recipient, each with an honest state."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, select, text, update

from storage.hot import Insert, Row, Statement
from storage.leases import POSTGRES_NOW, PROCESS
from storage.tables import DeliveryState, deliveries

_INSERT = Insert(
    deliveries,
    "key",
    "system",
    "action",
    "recipient",
    "params",
    "state",
    "attempts",
    "next_try_at",
    "created_at",
    "started_at",
    "owner",
    "dialog_id",
    "conversation_id",
    "message_id",
    "turn",
    "waiters",
    "error",
)
_UNPARK = Statement(
    "update deliveries set state = 0, next_try_at = :now, error = null where state = 3 and conversation_id in :ids[]",
    types={"ids": "bigint"},
)

# Only the first open row of a recipient may go: a row that is being sent, or whose end is not known, holds up those
# behind it, and nobody else.
_DUE = """
    select id, key, system, action, recipient, params, attempts, created_at, dialog_id, conversation_id, message_id,
           turn
    from deliveries d
    where d.state = 0 and d.next_try_at <= :now and d.system in :systems[]
      and not exists (
          select 1 from deliveries earlier
          where earlier.state < 3 and earlier.system = d.system and earlier.recipient = d.recipient
            and earlier.id < d.id
      )
    order by d.next_try_at, d.id limit :limit
"""
_NEWEST = _DUE.replace("order by d.next_try_at, d.id", "order by d.id desc")
_ANY_WAITING = Statement("select 1 from deliveries where state = 0 limit 1")
_BUSY = Statement(
    "select distinct recipient from deliveries where state < 3 and system = :system and recipient in :recipients[]",
    types={"recipients": "text"},
)
_LOOK = Statement(_DUE, types={"systems": "text"})
_LOOK_AND_LOCK = Statement(_DUE + " for update of d skip locked", types={"systems": "text"})
_LOOK_BACK = Statement(_NEWEST, types={"systems": "text"})
_LOOK_BACK_AND_LOCK = Statement(_NEWEST + " for update of d skip locked", types={"systems": "text"})

_TAKE = Statement(
    "update deliveries set state = 1, started_at = :now, owner = :owner, attempts = attempts + 1 where id = :id"
)
_DELAY = Statement("update deliveries set next_try_at = :until where id = :id")
# A row that was cancelled meanwhile stays so: its person may have been erased.
_END = Statement(
    """
    update deliveries set state = :state, next_try_at = :next_try_at, finished_at = :finished_at, error = :error,
                          code = :code, external_id = :external_id, result = :result,
                          attempts = case when attempts > :attempt then attempts else :counted end
    where id = :id and state <> 6
    """
)
_ABANDONED = "state = 2, next_try_at = :now, error = 'the answer was lost: the process ended'"
_ABANDON_ALL = Statement(f"update deliveries set {_ABANDONED} where state = 1")  # noqa: S608 - both parts are ours
_ABANDON = Statement(f"update deliveries set {_ABANDONED} where id = :id and state = 1")  # noqa: S608
_ABANDON_OF_THE_DEAD = Statement(
    f"update deliveries set {_ABANDONED} where state = 1 and not exists (select 1 from leases"  # noqa: S608
    f" where name = '{PROCESS}' || deliveries.owner and expires_at > {POSTGRES_NOW})"
)
_TAKEN_BY = Statement("select id from deliveries where state = 1 and owner = :owner and started_at < :before")
_FINISHED = (DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.CANCELLED)
_CHANGE = Statement("update deliveries set params = :params where id = :id and state <> 6")


RESTORED = "restored"  # owner of a row that was open in a copy: it may have been sent since then


@dataclass(slots=True)  # not frozen, like the other rows of every turn: making one would cost several times as much
class NewDelivery:
    """A row to come. Times in milliseconds."""

    key: str
    system: str
    action: str
    recipient: str
    params: Mapping[str, Any]
    created_at: int
    dialog_id: int | None = None
    conversation_id: int | None = None
    message_id: int | None = None
    turn: int | None = None
    waiters: tuple[Mapping[str, Any], ...] = ()
    state: DeliveryState = DeliveryState.WAITING
    error: str | None = None

    def row(self, *, params: str, owner: str | None = None) -> Row:
        """`owner`: who begins to send it in the transaction that adds it."""
        return (
            self.key,
            self.system,
            self.action,
            self.recipient,
            params,
            int(self.state),
            0 if owner is None else 1,
            self.created_at,
            self.created_at,
            None if owner is None else self.created_at,
            RESTORED if self.state is DeliveryState.UNKNOWN else owner,
            self.dialog_id,
            self.conversation_id,
            self.message_id,
            self.turn,
            orjson.dumps(self.waiters).decode() if self.waiters else None,
            self.error,
        )


@dataclass(slots=True)
class Taken:
    """A row that this process is to send."""

    id: int
    key: str
    system: str
    action: str
    recipient: str
    params: dict[str, Any]
    attempt: int  # from 1
    created_at: int
    dialog_id: int | None
    conversation_id: int | None
    message_id: int | None
    turn: int | None
    started_at: int | None = None  # when its last attempt began, where that matters
    is_doubtful: bool = False  # it was open in a copy: if it was done, so was what followed from it


@dataclass(slots=True)
class Ended:
    """What became of an attempt.

    `refund` = 1 takes the attempt back: it was never really made (the system is down, a pace was to be kept).
    """

    taken: Taken
    state: DeliveryState
    next_try_at: int
    error: str | None = None
    code: str | None = None
    external_id: str | None = None
    result: Mapping[str, Any] | None = None
    refund: int = 0
    params: Mapping[str, Any] | None = None  # changed for the next attempt


class Starter(Protocol):
    """Who may begin to send a row at once, without anybody looking for it afterwards."""

    owner: str

    def chooses(self, conn: Connection, new: Sequence[NewDelivery]) -> Sequence[bool]:
        """For each row, whether it is to be added as being sent."""
        ...


def add(conn: Connection, new: Sequence[NewDelivery], *, starter: Starter | None = None) -> list[Taken]:
    """Add rows whose keys are surely new. Returns those that `starter` is to send as soon as they are committed."""
    if not new:
        return []
    written = [orjson.dumps(delivery.params).decode() for delivery in new]
    if starter is None:
        _INSERT.many(conn, [d.row(params=p) for d, p in zip(new, written, strict=True)])
        return []
    rows = []
    begun = starter.chooses(conn, new)
    for delivery, params, is_begun in zip(new, written, begun, strict=True):
        if is_begun:
            delivery.state = DeliveryState.SENDING
            rows.append(delivery.row(params=params, owner=starter.owner))
        else:
            rows.append(delivery.row(params=params))
    return [
        Taken(
            id_,
            d.key,
            d.system,
            d.action,
            d.recipient,
            orjson.loads(params),  # as whoever reads the row would see them
            1,
            d.created_at,
            d.dialog_id,
            d.conversation_id,
            d.message_id,
            d.turn,
        )
        for id_, d, params, is_begun in zip(_INSERT.ids(conn, rows), new, written, begun, strict=True)
        if is_begun
    ]


PERHAPS_DONE = "perhaps not done: the answer was lost, and it must not be done twice"
NOT_SETTLED = "could not be settled"
OUR_ERROR = "an error of ours; see the log"


def is_end_unknown(code: str | None, error: str | None) -> bool:
    """Of a dead row: whether it may have been done after all.

    Its answer was lost and could not be found out, or our own code broke, perhaps behind the call.
    """
    return code == "unknown" or (error or "").startswith((PERHAPS_DONE, NOT_SETTLED, OUR_ERROR))


MAX_KEY = 300  # characters


def short_key(key: str) -> str:
    """A key that fits its column: a long one keeps its beginning and gets a fingerprint."""
    if len(key) <= MAX_KEY:
        return key
    return f"{key[: MAX_KEY - 41]}~{hashlib.sha256(key.encode()).hexdigest()[:40]}"


def busy(conn: Connection, system: str, recipients: Collection[str]) -> set[str]:
    """Those of the recipients that have an open row."""
    return {row[0] for row in _BUSY.all(conn, system=system, recipients=list(recipients))}


def by_keys(conn: Connection, keys: Sequence[str]) -> dict[str, Any]:
    """Rows that already exist under these keys; locked until the transaction ends."""
    if not keys:
        return {}
    query = select(
        deliveries.c.id,
        deliveries.c.key,
        deliveries.c.state,
        deliveries.c.result,
        deliveries.c.code,
        deliveries.c.error,
        deliveries.c.waiters,
    ).where(deliveries.c.key.in_(keys))
    if conn.dialect.name == "postgresql":
        query = query.with_for_update()
    return {row.key: row for row in conn.execute(query)}


def set_waiters(conn: Connection, delivery_id: int, waiters: Sequence[Mapping[str, Any]]) -> None:
    conn.execute(
        update(deliveries).where(deliveries.c.id == delivery_id).values(waiters=orjson.dumps(waiters).decode())
    )


def take(
    conn: Connection,
    *,
    now: int,
    owner: str,
    room: Mapping[str, int],
    delay_ms: Callable[[Taken, int], int],
    limit: int = 200,
) -> list[Taken]:
    """Mark due rows as being sent and return them.

    `room`: how many orders each system can take now; a system that is not named takes none. `delay_ms(row,
    now)`: how long this row must still wait for the pace of its system or for the message before it.
    """
    systems = [name for name, free in room.items() if free > 0]
    if not systems or _ANY_WAITING.first(conn) is None:
        return []
    left = dict(room)
    taken: list[Taken] = []
    delayed: list[tuple[int, int]] = []
    for row in _to_look_at(conn, now, systems, room=sum(max(free, 0) for free in room.values()), limit=limit):
        (id_, key, system, action, recipient, params, attempts, created_at), places = row[:8], row[8:]
        dialog_id, conversation_id, message_id, turn = places
        found = Taken(
            id_,
            key,
            system,
            action,
            recipient,
            orjson.loads(params),
            attempts + 1,
            created_at,
            dialog_id,
            conversation_id,
            message_id,
            turn,
        )
        if left[found.system] <= 0:
            continue
        wait = delay_ms(found, now)
        if wait > 0:
            delayed.append((now + wait, found.id))
            continue
        left[found.system] -= 1
        taken.append(found)
    if delayed:
        _DELAY.many(conn, delayed)
    if taken:
        _TAKE.many(conn, [(now, owner, t.id) for t in taken])
    return taken


def _to_look_at(conn: Connection, now: int, systems: list[str], *, room: int, limit: int) -> list[Row]:
    """Due rows, the oldest first.

    If more is due than there is room for, every fourth is one of the newest: after an outage a customer who writes now
    hears something before everybody who wrote then.
    """
    locks = conn.dialect.name == "postgresql"
    oldest = (_LOOK_AND_LOCK if locks else _LOOK).all(conn, now=now, systems=systems, limit=limit)
    if len(oldest) <= room:
        return oldest
    look_back = _LOOK_BACK_AND_LOCK if locks else _LOOK_BACK
    newest = look_back.all(conn, now=now, systems=systems, limit=max(room // 4, 1))
    mixed: dict[int, Row] = {}
    for place, row in enumerate(oldest):
        mixed.setdefault(row[0], row)
        if place % 3 == 2 and place // 3 < len(newest):
            mixed.setdefault(newest[place // 3][0], newest[place // 3])
    return list(mixed.values())


def end(conn: Connection, ended: Iterable[Ended], *, now: int) -> None:
    rows, changes = [], []
    for e in ended:
        rows.append(
            (
                int(e.state),
                e.next_try_at,
                now if e.state in _FINISHED else None,
                e.error,
                e.code,
                e.external_id,
                None if e.result is None else orjson.dumps(e.result, default=str).decode(),
                e.taken.attempt,
                e.taken.attempt - e.refund,  # not "one less": it is written again when its commit was not answered
                e.taken.id,
            )
        )
        if e.params is not None:
            changes.append((orjson.dumps(e.params).decode(), e.taken.id))
    _END.many(conn, rows)
    _CHANGE.many(conn, changes)


def waiters_of(conn: Connection, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Who wants to know the end of these rows; locked until the transaction ends."""
    if not ids:
        return {}
    query = select(deliveries.c.id, deliveries.c.waiters).where(
        deliveries.c.id.in_(ids), deliveries.c.waiters.is_not(None)
    )
    if conn.dialect.name == "postgresql":
        query = query.with_for_update()
    return {row.id: orjson.loads(row.waiters) for row in conn.execute(query)}


def abandon(conn: Connection, *, now: int) -> int:
    """Every row that was being sent when the only process of this database died. Returns how many."""
    return _ABANDON_ALL.run(conn, now=now)


def abandon_of_the_dead(conn: Connection, *, now: int) -> int:
    """Rows of processes without a lease: nobody knows what became of them. Returns how many. PostgreSQL only."""
    return _ABANDON_OF_THE_DEAD.run(conn, now=now)


def taken_by(conn: Connection, owner: str, *, before: int) -> set[int]:
    """Rows that `owner` is said to be sending since that time or longer."""
    return {row[0] for row in _TAKEN_BY.all(conn, owner=owner, before=before)}


def abandon_some(conn: Connection, ids: Iterable[int], *, now: int) -> None:
    """Nobody is sending these rows, although they say so."""
    _ABANDON.many(conn, [(now, id_) for id_ in ids])


def unknown_due(conn: Connection, *, now: int, limit: int = 100) -> list[Taken]:
    """Rows whose end is to be found out now, locked until the transaction ends."""
    query = (
        select(deliveries)
        .where(deliveries.c.state == int(DeliveryState.UNKNOWN), deliveries.c.next_try_at <= now)
        .order_by(deliveries.c.next_try_at)
        .limit(limit)
    )
    if conn.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return [
        Taken(
            row.id,
            row.key,
            row.system,
            row.action,
            row.recipient,
            orjson.loads(row.params),
            row.attempts,
            row.created_at,
            row.dialog_id,
            row.conversation_id,
            row.message_id,
            row.turn,
            row.started_at,
            row.owner == RESTORED,
        )
        for row in conn.execute(query)
    ]


def delay(conn: Connection, ids: Sequence[int], *, until: int) -> None:
    _DELAY.many(conn, [(until, id_) for id_ in ids])


def next_due(conn: Connection, *, now: int) -> int | None:
    """When the next row that waits comes due, milliseconds; rows that are due already count as `now`."""
    query = (
        select(deliveries.c.next_try_at)
        .where(text("state = 0"), deliveries.c.next_try_at > now)
        .order_by(deliveries.c.next_try_at)
        .limit(1)
    )
    return conn.execute(query).scalar()


def unpark(conn: Connection, conversation_ids: Collection[int], *, now: int) -> int:
    """The customers of these conversations wrote: what waited for that may go. Returns how many rows may."""
    return _UNPARK.run(conn, ids=list(conversation_ids), now=now) if conversation_ids else 0


def stuck(conn: Connection, *, before: int) -> int:
    """Open rows older than `before`, milliseconds: what /health calls stuck."""
    return int(
        conn.execute(
            text("select count(*) from deliveries where state < 3 and created_at < :before"), {"before": before}
        ).scalar_one()
    )
