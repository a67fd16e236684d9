"""Old personal data goes, in steps that are small enough to disturb nobody (storage.personal says what goes).

Never touched: open dialogs with what belongs to them, events that wait, deliveries that are to be sent or settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, text

from storage.hot import Statement
from storage.personal import EMPTIED

MOST_PASSED_OVER = 5_000  # rows of one table that are too old and still open: more would be no exception

_IDS = {"ids": "bigint"}
_DIALOG_IS_OPEN = "exists (select 1 from dialogs g where g.id = d.dialog_id and g.status <> 'closed')"


@dataclass(slots=True)
class Step:
    removed: Counter[str] = field(default_factory=Counter)
    has_more: bool = False


@dataclass(slots=True)
class Round:
    """One walk through all tables. Times in milliseconds.

    Call each of `steps` with a connection until it has no more; each call is to be a transaction of its own.
    """

    before: int  # what is older goes
    limit: int  # rows looked at in one step
    _from: dict[str, Any] = field(default_factory=dict)

    def steps(self) -> Sequence[Callable[[Connection], Step]]:
        return (
            self.events,
            self.deliveries,
            lambda conn: self._logged(conn, "batches", "received_at"),
            lambda conn: self._logged(conn, "conflicts", "received_at"),
            lambda conn: self._logged(conn, "api_calls", "at"),
            self.dialogs,
            self.people,
            self.early_statuses,
            self.issues,
        )

    # ------------------------------------------------------------------------------------- numbered in their order

    def events(self, conn: Connection) -> Step:
        return self._in_order(conn, "events", _EVENTS, _EVENTS_AGAIN, _EMPTY_EVENTS)

    def deliveries(self, conn: Connection) -> Step:
        """What waits for a customer who has not written for so long waits no more."""
        return self._in_order(conn, "deliveries", _DELIVERIES, _DELIVERIES_AGAIN, _EMPTY_DELIVERIES)

    def _in_order(self, conn: Connection, name: str, look: Statement, again: Statement, empty: _Emptying) -> Step:
        """The next rows by number; the place is remembered, and with it what was still open."""
        if conn.dialect.name == "postgresql":
            # Two processes here at once would only do everything twice; the lease sees to that, this is the belt.
            conn.execute(text("select pg_advisory_xact_lock(20260101, 5)"))
        found = _PLACE.first(conn, name=name)
        place: int = 0 if found is None else found[0]
        passed: list[int] = [] if found is None else orjson.loads(found[1])
        ended: list[int] = []
        left = passed
        if passed and not self._from.get(name):
            states = {row[0]: row[1] for row in again.all(conn, ids=passed)}
            ended = [id_ for id_ in passed if states.get(id_) == _ENDED]
            left = [id_ for id_ in passed if states.get(id_) == _OPEN]
        self._from[name] = True
        rows = look.all(conn, place=place, limit=self.limit)
        for id_, at, state in rows:
            if at >= self.before or len(left) >= MOST_PASSED_OVER:
                break
            place = id_
            if state == _ENDED:
                ended.append(id_)
            elif state == _OPEN:
                left = [*left, id_]
        step = Step(has_more=len(rows) == self.limit and rows[-1][0] == place)
        if ended:
            step.removed[name] = empty.run(conn, ids=ended)
        if rows or left != passed:
            _SET_PLACE.run(conn, name=name, place=place, passed_over=orjson.dumps(left).decode())
        return step

    def _logged(self, conn: Connection, name: str, time: str) -> Step:
        """A table of which nothing stays: its first rows are always the oldest."""
        look = _statement(f"select id, {time} from {name} where id > :last order by id limit :limit")  # noqa: S608
        rows = look.all(conn, last=self._from.get(name, 0), limit=self.limit)
        old = [id_ for id_, at in rows if at < self.before]
        step = Step(has_more=bool(old) and len(rows) == self.limit)
        if old:
            self._from[name] = old[-1]
            step.removed[name] = _delete(conn, name, "id", old)
        return step

    # --------------------------------------------------------------------------------------------- dialogs, people

    def dialogs(self, conn: Connection) -> Step:
        """Closed dialogs with everything of theirs, the longest untouched first."""
        at, last = self._from.get("dialogs", (0, 0))
        limit = max(self.limit // 20, 1)  # each has about as many turns and messages
        rows = _DIALOGS.all(conn, at=at, last=last, before=self.before, limit=limit)
        step = Step(has_more=len(rows) == limit)
        if not rows:
            return step
        self._from["dialogs"] = (rows[-1][1], rows[-1][0])
        ids = [row[0] for row in rows if row[2] == "closed"]
        if ids:
            kept = {row[0] for row in _IN_USE.all(conn, ids=ids, also=ids)}
            remove_dialogs(conn, [id_ for id_ in ids if id_ not in kept], step.removed)
        return step

    def people(self, conn: Connection) -> Step:
        """Words outside of dialogs, and people of whom nothing is left."""
        limit = max(self.limit // 4, 1)
        lock = " for update skip locked" if conn.dialect.name == "postgresql" else ""
        look = _statement(f"select id, created_at from contacts where id > :last order by id limit :limit{lock}")  # noqa: S608
        rows = look.all(conn, last=self._from.get("contacts", 0), limit=limit)
        step = Step(has_more=len(rows) == limit)
        if not rows:
            return step
        self._from["contacts"] = rows[-1][0]
        # Read after the lock, in a statement of its own: a turn of the person may have just been committed.
        talks = _CONVERSATIONS.all(conn, ids=[row[0] for row in rows])
        if talks:
            given = {"ids": [talk[0] for talk in talks], "before": self.before}
            step.removed["messages"] = _OLD_WORDS.run(conn, **given)
        quiet = self._quiet(conn, rows, talks)
        if quiet:
            remove_people(conn, quiet, [talk[0] for talk in talks if talk[1] in quiet], step.removed)
        return step

    def _quiet(self, conn: Connection, rows: Sequence[Any], talks: Sequence[Any]) -> list[int]:
        """Those with whom nothing happened for so long, and of whom nothing is open or left."""
        quiet = {id_ for id_, created_at in rows if created_at < self.before}
        quiet -= {talk[1] for talk in talks if talk[2] >= self.before}
        mine = [talk for talk in talks if talk[1] in quiet]
        if mine:
            ids = [talk[0] for talk in mine]
            busy = {row[0] for row in _TALKS_IN_USE.all(conn, ids=ids, also=ids, third=ids)}
            quiet -= {talk[1] for talk in mine if talk[0] in busy}
        if quiet:
            keys = [f"contact:{id_}" for id_ in quiet]
            waiting = {row[0] for row in _KEYS_IN_USE.all(conn, keys=keys, also=keys)}
            quiet -= {int(key.partition(":")[2]) for key in waiting}
        if quiet:
            quiet -= {row[0] for row in _WITH_OPEN_DIALOGS.all(conn, ids=sorted(quiet))}
        return sorted(quiet)

    # ------------------------------------------------------------------------------------------------- small tables

    def early_statuses(self, conn: Connection) -> Step:
        look = _statement(
            "select external_id, at from early_statuses where external_id > :last order by external_id limit :limit"
        )
        rows = look.all(conn, last=self._from.get("early_statuses", ""), limit=self.limit)
        step = Step(has_more=len(rows) == self.limit)
        old = [id_ for id_, at in rows if at < self.before]
        if rows:
            self._from["early_statuses"] = rows[-1][0]
        if old:
            step.removed["early_statuses"] = _delete(conn, "early_statuses", "external_id", old, type_="text")
        return step

    def issues(self, conn: Connection) -> Step:
        look = _statement("select id, updated_at, title from issues where id > :last order by id limit :limit")
        rows = look.all(conn, last=self._from.get("issues", 0), limit=self.limit)
        step = Step(has_more=len(rows) == self.limit)
        old = [id_ for id_, at, title in rows if at < self.before and title is not None]
        if rows:
            self._from["issues"] = rows[-1][0]
        if old:
            step.removed["issues"] = empty(conn, "issues", old)
        return step


# ---------------------------------------------------------------------------------------------- what erasing does too


def empty(conn: Connection, name: str, ids: Sequence[int]) -> int:
    """Put the values of `storage.personal.EMPTIED` into these rows. Returns how many."""
    return _emptying(name).run(conn, ids=ids) if ids else 0


def remove_dialogs(conn: Connection, ids: Sequence[int], removed: Counter[str]) -> None:
    """Dialogs and all that belongs to them; their deliveries stay, emptied, for the sake of their keys."""
    if not ids:
        return
    removed["deliveries"] += _EMPTY_DELIVERIES_OF_DIALOGS.run(conn, ids=ids)
    for name in ("turns", "messages", "links", "timers"):
        removed[name] += _delete(conn, name, "dialog_id", ids)
    removed["dialogs"] += _delete(conn, "dialogs", "id", ids)


def remove_people(
    conn: Connection, contact_ids: Sequence[int], conversation_ids: Sequence[int], removed: Counter[str]
) -> None:
    removed["messages"] += _delete(conn, "messages", "conversation_id", conversation_ids)
    removed["conversations"] += _delete(conn, "conversations", "id", conversation_ids)
    removed["contact_addresses"] += _delete(conn, "contact_addresses", "contact_id", contact_ids)
    removed["contacts"] += _delete(conn, "contacts", "id", contact_ids)


def _delete(conn: Connection, name: str, column: str, values: Sequence[Any], *, type_: str = "bigint") -> int:
    if not values:
        return 0
    sql = f"delete from {name} where {column} in :ids[]"  # noqa: S608 - names of ours
    return _statement(sql, type_).run(conn, ids=values)


_MADE: dict[tuple[str, str | None], Statement] = {}


def _statement(sql: str, type_: str | None = None) -> Statement:
    """Each is prepared once."""
    if (sql, type_) not in _MADE:
        _MADE[sql, type_] = Statement(sql, types={"ids": type_} if type_ else None)
    return _MADE[sql, type_]


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    return "cast('' as bytea)" if isinstance(value, bytes) else f"'{value}'"


class _Emptying:
    """An update that puts the empty values in; bytes are written in two ways."""

    def __init__(self, name: str, where: str, *, more: str = "") -> None:
        changes = ", ".join(f"{column} = {_literal(value)}" for column, value in EMPTIED[name].items())
        sql = f"update {name} set {changes}{more} where {where}"  # noqa: S608 - all of it is ours
        self._postgres = Statement(sql, types=_IDS)
        self._sqlite = Statement(sql.replace("cast('' as bytea)", "x''"), types=_IDS)

    def run(self, conn: Connection, **parameters: Any) -> int:
        chosen = self._postgres if conn.dialect.name == "postgresql" else self._sqlite
        return chosen.run(conn, **parameters)


def _emptying(name: str) -> _Emptying:
    return {"events": _EMPTY_EVENTS, "deliveries": _EMPTY_DELIVERIES, "issues": _EMPTY_ISSUES}[name]


_OPEN, _ENDED, _OF_AN_OPEN_DIALOG = 0, 1, 2

_PLACE = Statement("select place, passed_over from retention where name = :name")
_SET_PLACE = Statement(
    "insert into retention (name, place, passed_over) values (:name, :place, :passed_over)"
    " on conflict (name) do update set place = excluded.place, passed_over = excluded.passed_over"
)
_EVENT = f"case when state in (0, 4) then {_OPEN} else {_ENDED} end"
_EVENTS = Statement(f"select id, received_at, {_EVENT} from events where id > :place order by id limit :limit")  # noqa: S608
_EVENTS_AGAIN = Statement(f"select id, {_EVENT} from events where id in :ids[]", types=_IDS)  # noqa: S608
# Those of an open dialog go with it.
_DELIVERY = f"case when d.state < 3 then {_OPEN} when {_DIALOG_IS_OPEN} then {_OF_AN_OPEN_DIALOG} else {_ENDED} end"
_DELIVERIES = Statement(
    f"select d.id, d.created_at, {_DELIVERY} from deliveries d where d.id > :place order by d.id limit :limit"  # noqa: S608
)
_DELIVERIES_AGAIN = Statement(f"select d.id, {_DELIVERY} from deliveries d where d.id in :ids[]", types=_IDS)  # noqa: S608
_CANCEL_PARKED = ", state = case when state = 3 then 6 else state end"
_EMPTY_EVENTS = _Emptying("events", "id in :ids[]")
_EMPTY_DELIVERIES = _Emptying("deliveries", "id in :ids[] and state >= 3", more=_CANCEL_PARKED)
_EMPTY_DELIVERIES_OF_DIALOGS = _Emptying(
    "deliveries", "dialog_id in :ids[] and state >= 3 and recipient <> ''", more=_CANCEL_PARKED
)
_EMPTY_ISSUES = _Emptying("issues", "id in :ids[]")

_DIALOGS = Statement(
    "select id, updated_at, status from dialogs where updated_at >= :at and updated_at < :before"
    " and (updated_at > :at or id > :last) order by updated_at, id limit :limit"
)
# Not yet: a send of theirs is not over, or a turn is not in the sums of the funnel.
_IN_USE = Statement(
    "select dialog_id from deliveries where dialog_id in :ids[] and state < 3"
    " union select dialog_id from turns where dialog_id in :also[]"
    " and id > coalesce((select value from counters where name = 'stats_turn'), 0)",
    types={"ids": "bigint", "also": "bigint"},
)
_CONVERSATIONS = Statement("select id, contact_id, last_at from conversations where contact_id in :ids[]", types=_IDS)
_OLD_WORDS = Statement(
    "delete from messages where conversation_id in :ids[] and at < :before and (dialog_id is null"
    " or not exists (select 1 from dialogs where dialogs.id = messages.dialog_id))",
    types=_IDS,
)
_TALKS_IN_USE = Statement(
    "select conversation_id from dialogs where conversation_id in :ids[]"
    " union select conversation_id from deliveries where conversation_id in :also[] and state < 3"
    " union select conversation_id from messages where conversation_id in :third[]",
    types={"ids": "bigint", "also": "bigint", "third": "bigint"},
)
_WITH_OPEN_DIALOGS = Statement(
    "select contact_id from dialogs where contact_id in :ids[] and status <> 'closed'", types=_IDS
)
_KEYS_IN_USE = Statement(
    "select key from events where state = 0 and key in :keys[]"
    " union select key from events where state = 4 and key in :also[]",
    types={"keys": "text", "also": "text"},
)
