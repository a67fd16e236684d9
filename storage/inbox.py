"""The inbox: every event once, in order within its key.

The hot statements are driver-level SQL: many rows in one statement, with `values` in SQLite and `unnest` in
PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from storage.hot import Row, driver_of
from storage.tables import EventState, batches, conflicts, events, metadata

_COLUMNS = (
    "minute",
    "source",
    "external_id",
    "kind",
    "key",
    "position",
    "state",
    "due_at",
    "received_at",
    "error",
    "headers",
    "body",
    "batch_id",
)
_BODY, _RECEIVED_AT = _COLUMNS.index("body"), _COLUMNS.index("received_at")
_AT_ONCE = 64  # rows of one statement in SQLite
_LAST_SQLITE = "select seq from sqlite_sequence where name = 'events'"
_FIND_SQLITE = "select id from events where minute = ? and source = ? and external_id = ?"
_INSERT_POSTGRES = text(
    """
    insert into events (minute, source, external_id, kind, key, position, state, due_at, received_at, error, headers,
                        body, batch_id)
    select minute, source, external_id, kind, key, position, state, due_at, received_at, error, headers, body, batch_id
    from unnest(
        cast(:minute as bigint[]), cast(:source as text[]), cast(:external_id as text[]), cast(:kind as text[]),
        cast(:key as text[]), cast(:position as bigint[]), cast(:state as smallint[]), cast(:due_at as bigint[]),
        cast(:received_at as bigint[]), cast(:error as text[]), cast(:headers as text[]), cast(:body as bytea[]),
        cast(:batch_id as bigint[])
    ) with ordinality as new(minute, source, external_id, kind, key, position, state, due_at, received_at, error,
                             headers, body, batch_id, n)
    order by n
    on conflict do nothing
    returning id, minute, source, external_id
    """
)
_SAME = select(events.c.id, events.c.body, events.c.state, events.c.result)

_CLAIM_KEYS_SQLITE = """
    select distinct key from (
        select key from events where state = 0 and id > 0 and (due_at is null or due_at <= ?) order by id limit ?
    ) limit ?
"""
_CLAIM_NEWEST_SQLITE = _CLAIM_KEYS_SQLITE.replace("order by id", "order by id desc")
_CLAIM_EVENTS_SQLITE = """
    select id, source, kind, external_id, key, received_at, attempts, due_at, body from events
    where key = ? and state = 0 order by position, id limit ?
"""
# The keys are locked in one statement and their events read in a second one: a claim that does both at once reads
# with the snapshot of before the lock, and handles events twice.
_CLAIM_KEYS_POSTGRES = text(
    """
    select key from (
        select key from (
            select key, id from events
            where state = 0 and id > 0 and id >= :mark and (due_at is null or due_at <= :now) order by id limit :look
        ) head group by key order by min(id) offset 0
    ) keys where pg_try_advisory_xact_lock(hashtextextended(key, 20260101)) limit :keys
    """
)
_CLAIM_NEWEST_POSTGRES = text(
    """
    select key from (
        select key from (
            select key, id from events
            where state = 0 and id > 0 and (due_at is null or due_at <= :now) order by id desc limit :look
        ) tail group by key order by max(id) desc offset 0
    ) keys where pg_try_advisory_xact_lock(hashtextextended(key, 20260101)) limit :keys
    """
)
_CLAIM_EVENTS_POSTGRES = text(
    """
    select e.id, e.source, e.kind, e.external_id, e.key, e.received_at, e.attempts, e.due_at, e.body
    from unnest(cast(:keys as text[])) with ordinality as k(key, n)
    cross join lateral (
        select * from events where events.key = k.key and state = 0 order by position, id limit :per_key
    ) e
    order by k.n, e.position, e.id
    """
)
_SETTLE = (
    "update events set state = ?, processed_at = ?, dialog_id = ?, result = ?, error = ? where id = ? and state = 0"
)
_SETTLE_POSTGRES = text(
    """
    update events set state = new.state, processed_at = new.processed_at, dialog_id = new.dialog_id,
                      result = new.result, error = new.error
    from unnest(cast(:state as smallint[]), cast(:processed_at as bigint[]), cast(:dialog_id as bigint[]),
                cast(:result as text[]), cast(:error as text[]), cast(:id as bigint[]))
         as new(state, processed_at, dialog_id, result, error, id)
    where events.id = new.id
    """
)


@dataclass(slots=True)  # not frozen: making one would cost several times as much
class NewEvent:
    """A row to come. Times in milliseconds."""

    source: str
    external_id: str
    kind: str
    key: str
    body: bytes
    received_at: int
    occurred_at: int | None = None
    state: EventState = EventState.WAITING
    due_at: int | None = None
    error: str | None = None
    headers: str | None = None
    batch_id: int | None = None

    def row(self) -> Row:
        return event_row(
            self.source,
            self.external_id,
            self.kind,
            self.key,
            self.body,
            self.received_at,
            self.occurred_at,
            int(self.state),
            self.due_at,
            self.error,
            self.headers,
            self.batch_id,
        )


def event_row(
    source: str,
    external_id: str,
    kind: str,
    key: str,
    body: bytes,
    received_at: int,
    occurred_at: int | None,
    state: int,
    due_at: int | None,
    error: str | None,
    headers: str | None,
    batch_id: int | None,
) -> Row:
    """A row of `_COLUMNS`. Times in milliseconds."""
    return (
        0 if occurred_at is None else occurred_at // 60_000,
        source,
        external_id,
        kind,
        key,
        received_at if occurred_at is None else occurred_at,
        state,
        due_at,
        received_at,
        error,
        headers,
        body,
        batch_id,
    )


@dataclass(slots=True)
class Stored:
    """What the inbox says of one event that was brought to it."""

    id: int
    is_new: bool
    is_conflict: bool = False


@dataclass(slots=True)
class Claimed:
    id: int
    source: str
    kind: str
    external_id: str
    key: str
    received_at: int
    attempts: int
    body: bytes


@dataclass(slots=True)
class Settled:
    id: int
    state: EventState
    dialog_id: int | None = None
    result: str | None = None
    error: str | None = None


Same = Callable[[str, bytes, bytes], bool]
"""(source, first body, other body): whether they say the same."""


def put(conn: Connection, new: Sequence[NewEvent], *, same: Same | None = None) -> list[Stored]:
    """Add events; a known one has no effect, one that says something else is kept aside as a conflict."""
    return put_rows(conn, [event.row() for event in new], same=same)


def put_rows(conn: Connection, rows: Sequence[Row], *, same: Same | None = None) -> list[Stored]:
    """The same for rows as `event_row` makes them."""
    if not rows:
        return []
    raw = driver_of(conn)
    ids = _put_postgres(conn, rows) if raw is None else _put_sqlite(raw, rows)
    return [_known(conn, row, same) if id_ is None else Stored(id_, True) for id_, row in zip(ids, rows, strict=True)]


def _put_sqlite(raw: Any, rows: Sequence[Row]) -> list[int | None]:
    """The number of each row that is new."""
    ids: list[int | None] = []
    last = 0
    if len(rows) > 1:
        found = raw.execute(_LAST_SQLITE).fetchone()
        last = found[0] if found else 0
    while len(ids) < len(rows):
        size = min(_AT_ONCE, 1 << ((len(rows) - len(ids)).bit_length() - 1))  # few sizes: few statements to prepare
        chunk = rows[len(ids) : len(ids) + size]
        cursor = raw.execute(_insert_sqlite(size), [value for row in chunk for value in row])
        added = cursor.rowcount
        if added == size:
            last = cursor.lastrowid
            ids += range(last - size + 1, last + 1)
        elif added == 0:
            ids += [None] * size
        else:
            ids += _new_of(raw, chunk, last)
            last = cursor.lastrowid
    return ids


def _new_of(raw: Any, rows: Sequence[Row], last: int) -> list[int | None]:
    """Numbers of the rows that one statement added after row `last`, some of which it found there."""
    ids: list[int | None] = []
    for row in rows:
        (id_,) = raw.execute(_FIND_SQLITE, row[:3]).fetchone()
        ids.append(id_ if id_ > last and id_ not in ids else None)
    return ids


@lru_cache
def _insert_sqlite(number: int) -> str:
    row = f"({', '.join('?' * len(_COLUMNS))})"
    return f"insert into events ({', '.join(_COLUMNS)}) values {', '.join([row] * number)} on conflict do nothing"  # noqa: S608


def _put_postgres(conn: Connection, rows: Sequence[Row]) -> list[int | None]:
    arrays = dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    inserted = {
        (minute, source, external_id): id_
        for id_, minute, source, external_id in conn.execute(_INSERT_POSTGRES, arrays)
    }
    return [inserted.pop((row[0], row[1], row[2]), None) for row in rows]


def _known(conn: Connection, row: Row, same: Same | None) -> Stored:
    minute, source, external_id = row[:3]
    body, received_at = row[_BODY], row[_RECEIVED_AT]
    first = conn.execute(
        _SAME.where(events.c.minute == minute, events.c.source == source, events.c.external_id == external_id)
    ).one()
    first_body = bytes(first.body)
    # An empty body was removed with the years: nothing is left to compare with, and a repeat is a repeat.
    if not first_body or first_body == body or (same is not None and same(source, first_body, body)):
        return Stored(first.id, False)
    conn.execute(insert(conflicts).values(event_id=first.id, received_at=received_at, body=body))
    return Stored(first.id, False, True)


def put_batch_body(conn: Connection, source: str, body: bytes, received_at: int) -> int:
    """Keep a request that held several events, byte for byte. Returns its id for `NewEvent.batch_id`."""
    result = conn.execute(insert(batches).values(source=source, body=body, received_at=received_at))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


class Claim:
    """Takes waiting events, whole keys at a time. In PostgreSQL a key stays locked until the transaction ends.

    The oldest come first. When more is waiting than it takes, a quarter of the keys are those that were heard of last:
    after an outage somebody who writes now is not answered behind everybody who wrote then.
    """

    def __init__(self, *, keys: int = 64, per_key: int = 16) -> None:
        self.keys = keys
        self.per_key = per_key
        self._mark = 0
        self._full_scan_at = 0

    def take(self, conn: Connection, *, now: int, keys: int | None = None, per_key: int | None = None) -> list[Claimed]:
        """The next events, grouped by key, in their order."""
        keys = keys or self.keys
        per_key = per_key or self.per_key
        claimed: list[Claimed] = []
        newest = keys // 4
        if conn.dialect.name == "sqlite":
            execute = conn.connection.driver_connection.execute  # type: ignore[union-attr]
            names = [row[0] for row in execute(_CLAIM_KEYS_SQLITE, (now, keys * 8, keys)).fetchall()]
            if newest and len(names) == keys:
                last = execute(_CLAIM_NEWEST_SQLITE, (now, newest * 8, newest)).fetchall()
                names = list(dict.fromkeys(names[: keys - newest] + [row[0] for row in last]))
            for key in names:
                claimed += _due(execute(_CLAIM_EVENTS_SQLITE, (key, per_key)).fetchall(), now)
            return claimed
        oldest = {"mark": self._low_water(conn, now), "now": now, "look": keys * 8, "keys": keys - newest}
        names = [row.key for row in conn.execute(_CLAIM_KEYS_POSTGRES, oldest)]
        if newest and len(names) == keys - newest:
            last = conn.execute(_CLAIM_NEWEST_POSTGRES, {"now": now, "look": newest * 8, "keys": newest})
            names = list(dict.fromkeys(names + [row.key for row in last]))
        if not names:
            return []
        rows = conn.execute(_CLAIM_EVENTS_POSTGRES, {"keys": names, "per_key": per_key}).fetchall()
        by_key: dict[str, list[Any]] = {}
        for row in rows:
            by_key.setdefault(row.key, []).append(row)
        for same_key in by_key.values():
            claimed += _due(same_key, now)
        return claimed

    def _low_water(self, conn: Connection, now: int) -> int:
        """No waiting event has a smaller id.

        Without it the claim steps over every dead index entry that an old snapshot keeps alive. It is taken anew
        every few seconds, and lags behind: a row with a smaller id may be committed late.
        """
        if now >= self._full_scan_at:
            self._full_scan_at = now + 5_000
            oldest, newest = conn.execute(
                text("select (select min(id) from events where state = 0 and id > 0), (select max(id) from events)")
            ).one()
            self._mark = min(oldest or newest or 0, max((newest or 0) - 20_000, 0))
        return self._mark


def _due(rows: Sequence[Any], now: int) -> list[Claimed]:
    """Events up to the first that must wait: what is behind it in its key waits too."""
    due: list[Claimed] = []
    for id_, source, kind, external_id, key, received_at, attempts, due_at, body in rows:
        if due_at is not None and due_at > now:
            break
        due.append(Claimed(id_, source, kind, external_id, key, received_at, attempts, bytes(body)))
    return due


def settle(conn: Connection, settled: Iterable[Settled], *, now: int) -> None:
    rows = [(int(s.state), now, s.dialog_id, s.result, s.error, s.id) for s in settled]
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        conn.connection.driver_connection.executemany(_SETTLE, rows)  # type: ignore[union-attr]
        return
    names = ("state", "processed_at", "dialog_id", "result", "error", "id")
    conn.execute(_SETTLE_POSTGRES, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def hold(conn: Connection, event_id: int, *, until: int, key: str | None = None) -> None:
    """Let an event wait for a question to be left; `release` of its key, or its time, ends that."""
    values: dict[str, Any] = {"state": int(EventState.HELD), "due_at": until, "processed_at": None}
    if key is not None:
        values["key"] = key
    conn.execute(update(events).where(events.c.id == event_id).values(values))


def release(conn: Connection, keys: Sequence[str]) -> int:
    """Held events of these keys are looked at again. Returns how many."""
    held = select(events.c.id).where(text("state = 4"), events.c.key.in_(keys))
    found = [row.id for row in conn.execute(held)]
    if found:
        conn.execute(update(events).where(events.c.id.in_(found)).values(state=int(EventState.WAITING), due_at=None))
    return len(found)


def release_due(conn: Connection, *, now: int) -> int:
    """Held events whose time is over are handled now. Returns how many."""
    result = conn.execute(
        update(events)
        .where(text("state = 4"), events.c.due_at <= now)
        .values(state=int(EventState.WAITING), due_at=None)
    )
    return result.rowcount


def postpone(conn: Connection, event_id: int, *, until: int, error: str | None = None, failed: bool = True) -> None:
    """Handle it later, and what is behind it in its key with it. `failed`: an attempt went wrong."""
    values: dict[str, Any] = {"due_at": until, "error": error, "state": int(EventState.WAITING)}
    if failed:
        values["attempts"] = events.c.attempts + 1
    conn.execute(update(events).where(events.c.id == event_id).values(values))


ENDED = (EventState.DONE, EventState.IGNORED, EventState.DEAD)


def replay(conn: Connection, ids: Sequence[int], *, states: Sequence[EventState] = ENDED) -> int:
    """Ended events are handled again from the start, unless their body was removed. Returns how many.

    `states`: only what still is in one of these. Whoever looked for dead events in an earlier transaction must not
    repeat one that somebody else has replayed and that is done by now.
    """
    result = conn.execute(
        update(events)
        .where(
            events.c.id.in_(ids),
            func.length(events.c.body) > 0,
            events.c.state.in_([int(state) for state in states]),
        )
        .values(state=int(EventState.WAITING), attempts=0, due_at=None, error=None, processed_at=None, result=None)
    )
    return result.rowcount


def oldest_waiting(conn: Connection) -> int | None:
    """When the oldest event that waits to be handled was received, milliseconds."""
    found = (
        select(events.c.received_at)
        .where(text("state = 0 and id > 0"), events.c.due_at.is_(None))
        .order_by(events.c.id)
        .limit(1)
    )
    return conn.execute(found).scalar()


def counts(conn: Connection) -> dict[tuple[str, int], int]:
    """Events by (source, state), for the metrics: only what is open or dead, which stays small."""
    found = (
        select(events.c.source, events.c.state, func.count())
        .where(text("state = 0 and id > 0"))
        .group_by(events.c.source, events.c.state)
    )
    dead = (
        select(events.c.source, events.c.state, func.count())
        .where(text("state = 3"))
        .group_by(events.c.source, events.c.state)
    )
    return {(source, state): n for query in (found, dead) for source, state, n in conn.execute(query)}


def forget_all(conn: Connection) -> None:
    """Empty every table but the schema's own (the demo's fresh start)."""
    for table in reversed(metadata.sorted_tables):
        conn.execute(delete(table))


def has_held_due(conn: Connection, *, now: int) -> bool:
    query = select(events.c.id).where(text("state = 4"), events.c.due_at <= now).limit(1)
    return conn.execute(query).first() is not None
