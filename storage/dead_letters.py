"""Dead letters: events that could not be handled and deliveries that were given up, grouped by their trouble.

One trouble makes many of them, and their sentences differ by numbers, ids and quoted words. Everything here goes page
by page over the indexes of what is dead: there may be a hundred thousand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import orjson
from sqlalchemy import Connection, func, select, text, update

from storage.outbox import is_end_unknown
from storage.tables import DeliveryState, deliveries, events, messages

What = Literal["event", "delivery"]
KINDS: tuple[What, ...] = ("event", "delivery")
PAGE = 1000  # rows read at once: what else the process does waits some tens of milliseconds for a page
LONGEST_REASON = 300

_VARIABLE = re.compile(
    r"""
    (?P<quoted> «[^»]*» | “[^”]*” | „[^“”]*[“”] | "[^"]*" | `[^`]*` | (?<!\w)'[^']*'(?!\w) )
    | \b[a-z][a-z0-9+.-]*://\S+                                             # an address
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+                                          # a mail address
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b      # a GUID
    | (?<![\w./:~-])(?=[\w./:~=+-]*\d)[\w./:~=+-]{9,}                       # a long word with digits: an id, a key
    | (?<!\w)[+-]?\d[\d.,:]*(?!\w)                                          # a number, a time
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NO_REASON = "-"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead event or delivery, without what it holds."""

    what: What
    id: int
    source: str  # of an event; the system of a delivery
    kind: str  # of an event; the action of a delivery
    reason: str
    died_at: int  # milliseconds
    is_end_unknown: bool = False  # a delivery that perhaps was done

    @property
    def group(self) -> str:
        return group_id(self.what, self.source, self.kind, trouble(self.reason))


@dataclass(slots=True)
class Group:
    """Dead letters of one trouble."""

    id: str
    what: What
    source: str
    kind: str
    reason: str
    count: int
    oldest: int  # milliseconds
    newest: int
    example_id: int  # of the newest
    ends_unknown: int = 0  # deliveries of it that perhaps were done

    def add(self, letter: DeadLetter) -> None:
        self.count += 1
        self.ends_unknown += letter.is_end_unknown
        self.oldest = min(self.oldest, letter.died_at)
        if letter.died_at >= self.newest:
            self.newest, self.example_id = letter.died_at, letter.id


@lru_cache(maxsize=4096)
def trouble(reason: str) -> str:
    """The reason without what differs from case to case."""
    line = " ".join(reason[: 4 * LONGEST_REASON].split())
    return _VARIABLE.sub(lambda found: "«…»" if found["quoted"] else "…", line)[:LONGEST_REASON] or _NO_REASON


@lru_cache(maxsize=4096)
def group_id(what: What, source: str, kind: str, reason: str) -> str:
    """Short, and the same in every process and at every time."""
    return hashlib.sha256("\n".join((what, source, kind, reason)).encode()).hexdigest()[:10]


def newest_id(conn: Connection, what: What) -> int:
    """No dead letter of this moment has a greater id; 0: there is none."""
    table, is_dead = (events, "state = 3") if what == "event" else (deliveries, "state = 5")
    return int(conn.execute(select(func.coalesce(func.max(table.c.id), 0)).where(text(is_dead))).scalar_one())


def page(conn: Connection, what: What, *, after: int, until: int, limit: int = PAGE) -> list[DeadLetter]:
    """Dead letters with ids above `after` up to `until`, in the order of their ids."""
    if what == "event":
        died_at = func.coalesce(events.c.processed_at, events.c.received_at)  # some are dead on arrival
        query = select(events.c.id, events.c.source, events.c.kind, events.c.error, died_at)
        found = query.where(text("state = 3"), events.c.id > after, events.c.id <= until).order_by(events.c.id)
        return [
            DeadLetter(what, id_, source, kind, error or "", at)
            for id_, source, kind, error, at in conn.execute(found.limit(limit))
        ]
    d = deliveries.c
    died_at = func.coalesce(d.finished_at, d.created_at)
    dead = select(d.id, d.system, d.action, d.error, d.code, died_at)
    rows = conn.execute(dead.where(text("state = 5"), d.id > after, d.id <= until).order_by(d.id).limit(limit))
    return [
        DeadLetter(what, id_, system, action, error or "", at, is_end_unknown(code, error))
        for id_, system, action, error, code, at in rows
    ]


def add_to(groups: dict[str, Group], letters: Iterable[DeadLetter]) -> None:
    for letter in letters:
        known = groups.get(letter.group)
        if known is None:
            known = groups[letter.group] = Group(
                letter.group,
                letter.what,
                letter.source,
                letter.kind,
                trouble(letter.reason),
                0,
                letter.died_at,
                letter.died_at,
                letter.id,
            )
        known.add(letter)


def revive(conn: Connection, ids: Sequence[int], *, now: int, ends_unknown: bool = False) -> int:
    """Dead deliveries are sent again, in their old place before what is behind them. Returns how many.

    `ends_unknown`: those too that perhaps were done. They count as tried once: a system that can look whether it was
    done looks at a second try. Each has another life from now on, so that its next end is told as news.
    """
    d = deliveries.c
    query = select(d.id, d.params, d.code, d.error, d.message_id).where(text("state = 5"), d.id.in_(ids))
    if conn.dialect.name == "postgresql":
        query = query.with_for_update()
    revived = 0
    for row in conn.execute(query).fetchall():
        is_unknown = is_end_unknown(row.code, row.error)
        if is_unknown and not ends_unknown:
            continue
        params = orjson.loads(row.params)
        conn.execute(
            update(deliveries)
            .where(d.id == row.id)
            .values(
                state=int(DeliveryState.WAITING),
                attempts=int(is_unknown),
                next_try_at=now,
                started_at=None,
                finished_at=None,
                owner=None,
                error=None,
                code=None,
                params=orjson.dumps({**params, "life": params.get("life", 1) + 1}).decode(),
            )
        )
        if row.message_id is not None:
            conn.execute(
                update(messages).where(messages.c.id == row.message_id).values(status="queued", rank=0, error=None)
            )
        revived += 1
    return revived
