"""Timers wait in a table of their own; one that comes due becomes an event of the inbox."""

from __future__ import annotations

import orjson
from sqlalchemy import Connection, delete, func, select, tuple_

from storage import inbox
from storage.inbox import NewEvent
from storage.tables import timers


def fire_due(conn: Connection, *, now: int, limit: int = 500) -> int:
    """Turn due timers into events. Returns how many."""
    query = select(timers).where(timers.c.due_at <= now).order_by(timers.c.due_at).limit(limit)
    if conn.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    rows = conn.execute(query).fetchall()
    if not rows:
        return 0
    inbox.put(
        conn,
        [
            NewEvent(
                source="timer",
                external_id=f"{row.dialog_id}.{row.name}.{row.turn}",
                kind="timer_due",
                key=row.event_key,
                body=orjson.dumps(
                    {"dialog_id": row.dialog_id, "name": row.name, "turn": row.turn, "due_at": row.due_at}
                ),
                received_at=now,
                occurred_at=row.due_at,
            )
            for row in rows
        ],
    )
    conn.execute(
        delete(timers).where(
            tuple_(timers.c.dialog_id, timers.c.name, timers.c.turn).in_([(r.dialog_id, r.name, r.turn) for r in rows])
        )
    )
    return len(rows)


def next_due(conn: Connection) -> int | None:
    """When the next timer comes due, milliseconds."""
    return conn.execute(select(func.min(timers.c.due_at))).scalar()
