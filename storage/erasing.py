"""Erasing a person: small transactions, each of which may be done again, and the person's own rows last.

So a kill in the middle leaves the person findable, and the same command goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from storage import stats
from storage.retention import empty, remove_dialogs, remove_people
from storage.tables import (
    DeliveryState,
    EventState,
    api_calls,
    batches,
    conflicts,
    contacts,
    conversations,
    deliveries,
    dialogs,
    early_statuses,
    erasures,
    events,
    messages,
    metadata,
    timers,
)
from storage.traces import Traces, chunks

INTERNAL = ("outbox", "timer")  # sources of our own: what they bring is never brought again
WHY = "the person was erased"

Part = Callable[[Connection], Counter[str]]


@dataclass(frozen=True, slots=True)
class Named:
    """How the protocol names a person."""

    salt: str
    hashes: list[str]  # of each phone and address


class WroteMeanwhile(Exception):
    """Something of the person came in while he was being erased: look for everything again."""


def close(conn: Connection, traces: Traces, *, now: int) -> None:
    """End what is open: dialogs, timers, sends that have not begun, events that wait."""
    for some in chunks(traces.open_dialogs):
        conn.execute(
            update(dialogs)
            .where(dialogs.c.id.in_(some), dialogs.c.status != "closed")
            .values(status="closed", tag="cancelled", updated_at=now)
        )
    for some in chunks(traces.of("dialogs")):
        conn.execute(delete(timers).where(timers.c.dialog_id.in_(some)))
    for some in chunks(traces.open_deliveries):
        conn.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(some), deliveries.c.state.in_([0, 1, 2, 3]))
            .values(state=int(DeliveryState.CANCELLED), finished_at=now, waiters=None)
        )
    for some in chunks(traces.open_events):
        conn.execute(
            update(events)
            .where(events.c.id.in_(some), events.c.state.in_([0, 4]))
            .values(state=int(EventState.IGNORED), processed_at=now, error=WHY)
        )


def being_sent(conn: Connection, traces: Traces, *, since: int) -> list[int]:
    """Deliveries of the person that went out after that time and have no end yet."""
    found: list[int] = []
    for some in chunks(traces.open_deliveries):
        query = select(deliveries.c.id).where(
            deliveries.c.id.in_(some),
            deliveries.c.state == int(DeliveryState.SENDING),
            deliveries.c.started_at >= since,
        )
        found += [row[0] for row in conn.execute(query)]
    return found


def parts(traces: Traces, *, now: int) -> Iterator[Part]:
    """All but the person's own rows, in the order to do them."""
    yield partial(_count_turns, now=now)
    for some in chunks(sorted(traces.of("events"))):
        yield partial(_events, some, traces)
    yield from _deleting(batches, traces.of("batches"))
    yield from _deleting(conflicts, traces.of("conflicts"))
    for some in chunks(sorted(traces.of("deliveries"))):
        yield partial(_deliveries, some, traces)
    yield from _deleting(api_calls, traces.of("api_calls"))
    yield from _deleting(early_statuses, traces.of("early_statuses"), column="external_id")
    for some in chunks(sorted(traces.of("issues"))):
        yield partial(_issues, some)


def last_part(conn: Connection, traces: Traces, *, by: str, named: Named, counts: Counter[str], now: int) -> None:
    """The person's own rows, and the protocol in the same transaction. Raises WroteMeanwhile."""
    if traces.contact_ids:
        locked = select(contacts.c.id).where(contacts.c.id.in_(traces.contact_ids))
        if conn.dialect.name == "postgresql":
            locked = locked.with_for_update()
        conn.execute(locked)
        _refuse_news(conn, traces)
    for some in chunks(sorted(traces.of("dialogs"))):
        remove_dialogs(conn, some, counts)
    talks = sorted(traces.of("conversations"))
    remove_people(conn, traces.contact_ids, talks, counts)
    conn.execute(
        insert(erasures).values(
            at=now,
            erased_by=by[:100],
            salt=named.salt,
            person=orjson.dumps(named.hashes).decode(),
            counts=orjson.dumps(dict(+counts)).decode(),
            cleaned_at=None if conn.dialect.name == "sqlite" else now,
        )
    )


def named(traces: Traces, given: str) -> Named:
    salt = os.urandom(16).hex()
    identifiers = sorted({given, *traces.phones, *(address for _, address in traces.addresses)})
    return Named(salt, [hashed(salt, one) for one in identifiers])


def hashed(salt: str, identifier: str) -> str:
    """How the protocol names a phone or an address. Slow, because all phones of a country are quickly tried."""
    return hashlib.scrypt(identifier.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=24).hex()


def _refuse_news(conn: Connection, traces: Traces) -> None:
    """Anything that was not there when the traces were looked for."""
    of_person = select(conversations.c.id).where(conversations.c.contact_id.in_(traces.contact_ids))
    talks = [row[0] for row in conn.execute(of_person)]
    if set(talks) - traces.of("conversations"):
        raise WroteMeanwhile
    for query, known in (
        (select(dialogs.c.id).where(dialogs.c.conversation_id.in_(talks)), "dialogs"),
        (select(messages.c.id).where(messages.c.conversation_id.in_(talks)), "messages"),
    ):
        if {row[0] for row in conn.execute(query)} - traces.of(known):
            raise WroteMeanwhile
    keys = [f"contact:{id_}" for id_ in traces.contact_ids]
    for state in (EventState.WAITING, EventState.HELD):
        waiting = select(events.c.id).where(events.c.state == int(state), events.c.key.in_(keys))
        if conn.execute(waiting).first() is not None:
            raise WroteMeanwhile


def _count_turns(conn: Connection, *, now: int) -> Counter[str]:
    """What the person did stays in the sums of the funnels, where nobody can be told from others."""
    while stats.roll_up(conn, now=now):
        pass
    return Counter()


def _events(ids: Sequence[int], traces: Traces, conn: Connection) -> Counter[str]:
    query = select(events.c.id, events.c.source, events.c.external_id, events.c.body).where(events.c.id.in_(ids))
    rows = conn.execute(query).fetchall()
    for row in rows:
        if row.source in INTERNAL and traces.means(row.external_id):
            conn.execute(update(events).where(events.c.id == row.id).values(external_id=_nameless()))
    found = [row.id for row in rows if row.body]
    return Counter(events=empty(conn, "events", found))


def _deliveries(ids: Sequence[int], traces: Traces, conn: Connection) -> Counter[str]:
    query = select(deliveries.c.id, deliveries.c.key, deliveries.c.params).where(deliveries.c.id.in_(ids))
    rows = conn.execute(query).fetchall()
    for row in rows:
        if traces.means(row.key):  # a `once_per` with a phone in it
            conn.execute(update(deliveries).where(deliveries.c.id == row.id).values(key=_nameless()))
    return Counter(deliveries=empty(conn, "deliveries", [row.id for row in rows if row.params != "{}"]))


def _nameless() -> str:
    """Chance, not a hash: a hash of something with a phone in it is as good as the phone."""
    return f"erased:{os.urandom(16).hex()}"


def _issues(ids: Sequence[int], conn: Connection) -> Counter[str]:
    issues = metadata.tables["issues"]
    query = select(issues.c.id).where(issues.c.id.in_(ids), issues.c.title.is_not(None))
    return Counter(issues=empty(conn, "issues", [row[0] for row in conn.execute(query)]))


def _deleting(table: Any, ids: set[Any], *, column: str = "id") -> Iterator[Part]:
    for some in chunks(sorted(ids)):
        yield partial(_delete, table, column, some)


def _delete(table: Any, column: str, ids: Sequence[Any], conn: Connection) -> Counter[str]:
    return Counter({str(table.name): conn.execute(delete(table).where(table.c[column].in_(ids))).rowcount})
