"""The outbox: every wish once, in order for each recipient, each with an honest state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, insert, select, text, update

from storage.tables import DeliveryState, deliveries

_INSERT = insert(deliveries)

# Only the first open row of a recipient may go: a row that is being sent, or whose end is not known, holds up those
# behind it, and nobody else.
_DUE = """
    select id, key, system, action, recipient, params, attempts, created_at, dialog_id, conversation_id, message_id,
           turn
    from deliveries d
    where d.state = 0 and d.next_try_at <= :now {systems}
      and not exists (
          select 1 from deliveries earlier
          where earlier.state < 3 and earlier.system = d.system and earlier.recipient = d.recipient
            and earlier.id < d.id
      )
    order by d.next_try_at, d.id limit :limit {lock}
"""

_TAKE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row_id"))
    .values(
        state=int(DeliveryState.SENDING),
        started_at=bindparam("now"),
        owner=bindparam("owner_name"),
        attempts=deliveries.c.attempts + 1,
    )
)
_DELAY = update(deliveries).where(deliveries.c.id == bindparam("row_id")).values(next_try_at=bindparam("until"))

_END = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        next_try_at=bindparam("next_try"),
        finished_at=bindparam("finished"),
        error=bindparam("why"),
        code=bindparam("new_code"),
        external_id=bindparam("external"),
        result=bindparam("new_result"),
        attempts=deliveries.c.attempts - bindparam("refund"),
        params=bindparam("new_params"),
    )
)


@dataclass(frozen=True, slots=True)
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

    def row(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "system": self.system,
            "action": self.action,
            "recipient": self.recipient,
            "params": orjson.dumps(self.params).decode(),
            "state": int(self.state),
            "next_try_at": self.created_at,
            "created_at": self.created_at,
            "dialog_id": self.dialog_id,
            "conversation_id": self.conversation_id,
            "message_id": self.message_id,
            "turn": self.turn,
            "waiters": orjson.dumps(self.waiters).decode() if self.waiters else None,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


def add(conn: Connection, new: Sequence[NewDelivery]) -> None:
    """Add rows whose keys are surely new."""
    if new:
        conn.execute(_INSERT, [delivery.row() for delivery in new])


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
    delay_ms: Callable[[Any, int], int],
    limit: int = 200,
) -> list[Taken]:
    """Mark due rows as being sent and return them.

    `room`: how many orders each system can take now; a system that is not named takes none. `delay_ms(row,
    now)`: how long this row must still wait for the pace of its system or for the message before it.
    """
    systems = [name for name, free in room.items() if free > 0]
    if not systems:
        return []
    names = {f"s{n}": name for n, name in enumerate(systems)}
    query = text(
        _DUE.format(
            systems=f"and d.system in ({', '.join(':' + name for name in names)})",
            lock="for update of d skip locked" if conn.dialect.name == "postgresql" else "",
        )
    )
    left = dict(room)
    taken: list[Taken] = []
    delayed: list[dict[str, int]] = []
    for row in conn.execute(query, {"now": now, "limit": limit, **names}):
        if left[row.system] <= 0:
            continue
        wait = delay_ms(row, now)
        if wait > 0:
            delayed.append({"row_id": row.id, "until": now + wait})
            continue
        left[row.system] -= 1
        taken.append(
            Taken(
                row.id,
                row.key,
                row.system,
                row.action,
                row.recipient,
                orjson.loads(row.params),
                row.attempts + 1,
                row.created_at,
                row.dialog_id,
                row.conversation_id,
                row.message_id,
                row.turn,
            )
        )
    if delayed:
        conn.execute(_DELAY, delayed)
    if taken:
        conn.execute(_TAKE, [{"row_id": t.id, "now": now, "owner_name": owner} for t in taken])
    return taken


def end(conn: Connection, ended: Iterable[Ended], *, now: int) -> None:
    rows = [
        {
            "row_id": e.taken.id,
            "new_state": int(e.state),
            "next_try": e.next_try_at,
            "finished": now if e.state in (DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.CANCELLED) else None,
            "why": e.error,
            "new_code": e.code,
            "external": e.external_id,
            "new_result": None if e.result is None else orjson.dumps(e.result, default=str).decode(),
            "refund": e.refund,
            "new_params": orjson.dumps(e.taken.params if e.params is None else e.params).decode(),
        }
        for e in ended
    ]
    if rows:
        conn.execute(_END, rows)


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


def abandon(conn: Connection, *, now: int, owner: str | None = None, older_than: int | None = None) -> int:
    """Rows that somebody was sending when he died: nobody knows what became of them. Returns how many.

    `owner`: rows of that process (it is starting again). `older_than`: rows whose attempt began before that time.
    """
    query = update(deliveries).where(deliveries.c.state == int(DeliveryState.SENDING))
    if owner is not None:
        query = query.where(deliveries.c.owner == owner)
    if older_than is not None:
        query = query.where(deliveries.c.started_at < older_than)
    result = conn.execute(
        query.values(state=int(DeliveryState.UNKNOWN), next_try_at=now, error="the answer was lost: the process ended")
    )
    return result.rowcount


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
        )
        for row in conn.execute(query)
    ]


def delay(conn: Connection, ids: Sequence[int], *, until: int) -> None:
    if ids:
        conn.execute(_DELAY, [{"row_id": id_, "until": until} for id_ in ids])


def next_due(conn: Connection, *, now: int) -> int | None:
    """When the next row that waits comes due, milliseconds; rows that are due already count as `now`."""
    query = (
        select(deliveries.c.next_try_at)
        .where(text("state = 0"), deliveries.c.next_try_at > now)
        .order_by(deliveries.c.next_try_at)
        .limit(1)
    )
    return conn.execute(query).scalar()


def unpark(conn: Connection, conversation_id: int, *, now: int) -> int:
    """The customer wrote: what waited for that may go. Returns how many."""
    result = conn.execute(
        update(deliveries)
        .where(text("state = 3"), deliveries.c.conversation_id == conversation_id)
        .values(state=int(DeliveryState.WAITING), next_try_at=now, error=None)
    )
    return result.rowcount


def stuck(conn: Connection, *, before: int) -> int:
    """Open rows older than `before`, milliseconds: what /health calls stuck."""
    return int(
        conn.execute(
            text("select count(*) from deliveries where state < 3 and created_at < :before"), {"before": before}
        ).scalar_one()
    )
