"""A database that came back from an older copy: what may have happened since then is not done again blindly.

See docs/decisions/0019.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, text, update

from storage import timers
from storage.ids import BLOCK
from storage.outbox import RESTORED
from storage.tables import DeliveryState, counters, deliveries, events

COPIED = "copied_at"  # in `counters` of a copy that `backup` made
DOUBTFUL = "doubtful_up_to"  # in `counters`: events up to this one may have been handled before
# More numbers than were ever given between a copy and the restoring of it. Dialogs, messages and events are named to
# the outside (dialog_ref in Okdesk, keys in statuses of WhatsApp, buttons): the same name must not mean another thing.
LEAP = 10_000_000


@dataclass(frozen=True, slots=True)
class Restored:
    """What was found open in the copy."""

    deliveries: int  # are settled before they are sent
    events: int  # are handled; what they order is settled before it is sent


def take_over(conn: Connection, *, now: int) -> Restored:
    """Make an older copy fit to go on. `now`: milliseconds."""
    while timers.fire_due(conn, now=now):
        pass  # they came due in the time that is lost: their turns are as doubtful as those of waiting events
    newest = conn.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one()
    waiting = conn.execute(select(func.count()).select_from(events).where(text("state in (0, 4)"))).scalar_one()
    lost = conn.execute(
        update(deliveries)
        .where(deliveries.c.state.in_([int(DeliveryState.WAITING), int(DeliveryState.SENDING)]))
        .values(
            state=int(DeliveryState.UNKNOWN),
            owner=RESTORED,
            started_at=now,
            next_try_at=now,
            error="restored from a copy: it may have been sent since",
        )
    )
    conn.execute(update(deliveries).where(deliveries.c.state == int(DeliveryState.UNKNOWN)).values(owner=RESTORED))
    conn.execute(
        update(counters).where(counters.c.name == "ids").values(value=counters.c.value + LEAP // BLOCK * BLOCK)
    )
    _leap(conn)
    conn.execute(delete(counters).where(counters.c.name.in_([DOUBTFUL, COPIED])))
    conn.execute(insert(counters).values(name=DOUBTFUL, value=newest))
    return Restored(lost.rowcount, waiting)


def _leap(conn: Connection) -> None:
    """The next number of an event or a delivery is far behind every one that was given since the copy."""
    for name in ("events", "deliveries"):
        if conn.dialect.name == "sqlite":
            conn.execute(
                text("update sqlite_sequence set seq = seq + :leap where name = :name"), {"leap": LEAP, "name": name}
            )
        else:
            conn.execute(
                text(
                    "select setval(pg_get_serial_sequence(:name, 'id'),"  # noqa: S608 - a name of ours
                    f" (select coalesce(max(id), 0) from {name}) + :leap)"
                ),
                {"leap": LEAP, "name": name},
            )


def copied_at(conn: Connection) -> int | None:
    """When this copy was made, milliseconds; None: it is no copy, or was taken over."""
    return conn.execute(select(counters.c.value).where(counters.c.name == COPIED)).scalar()


def doubtful_up_to(conn: Connection) -> int:
    return conn.execute(select(counters.c.value).where(counters.c.name == DOUBTFUL)).scalar() or 0
