"""Every row that is about a person: by what ties rows together, and by the phone and the addresses in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Select, select

from storage.person import Found
from storage.tables import (
    api_calls,
    batches,
    conflicts,
    contacts,
    conversations,
    deliveries,
    dialogs,
    early_statuses,
    events,
    issues,
    links,
    messages,
    payments,
    turns,
)
from storage.words import pattern, texts_pattern

AT_ONCE = 500  # values of one `in`
PAGE = 2_000  # rows of one look at a large table
_MADE_BY = re.compile(r"(?:e(?P<event>\d+)[./]|d(?P<dialog>\d+)\.)")  # keys of deliveries say who wanted them

Scan = Callable[[Connection, int], int | None]
"""Look at the next rows after that number. Returns where to go on; None: there are no more."""


@dataclass(slots=True)
class Traces:
    """Filled by `tie` and then by each of `scans`, page by page. Holds numbers of rows, by table."""

    phones: set[str]  # E.164
    addresses: set[tuple[str, str]]  # (channel, address)
    contact_ids: list[int]
    ids: dict[str, set[Any]] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)
    open_dialogs: set[int] = field(default_factory=set)
    open_deliveries: set[int] = field(default_factory=set)
    open_events: set[int] = field(default_factory=set)
    _keys: set[str] = field(default_factory=set)
    _external: set[str] = field(default_factory=set)
    who: re.Pattern[str] | None = None
    words: re.Pattern[str] | None = None

    def of(self, table: str) -> set[Any]:
        return self.ids.setdefault(table, set())

    def means(self, *texts: Any) -> bool:
        """Whether one of them holds the phone or an address."""
        return self.who is not None and any(self.who.search(text) for text in map(_text, texts) if text)

    def quotes(self, *texts: Any) -> bool:
        """Whether one of them holds the name, or something the person wrote."""
        return self.words is not None and any(self.words.search(text) for text in map(_text, texts) if text)

    # -------------------------------------------------------------------------------------- by what ties rows together

    def tie(self, conn: Connection) -> None:
        names: set[str | None] = set()
        for some in chunks(self.contact_ids):
            for row in conn.execute(select(contacts).where(contacts.c.id.in_(some))):
                told = orjson.loads(row.variables)
                self.phones |= {
                    one for one in (row.phone, told.get("phone")) if isinstance(one, str) and one[:1] == "+"
                }
                names |= {one for one in (row.name, row.username, told.get("name")) if isinstance(one, str)}
                self._keys.add(f"contact:{row.id}")
            for row in conn.execute(select(conversations).where(conversations.c.contact_id.in_(some))):
                self.of("conversations").add(row.id)
                self.addresses.add((row.channel, row.address))
                self._keys |= {row.event_key, f"conversation:{row.id}"}
                if row.group_chat_id is not None and row.thread_id:
                    self._keys.add(f"telegram-group:{row.group_chat_id}:{row.thread_id}")
            of_contact = select(dialogs.c.id, dialogs.c.status).where(
                dialogs.c.contact_id.in_(some), dialogs.c.status != "closed"
            )
            self._add_dialogs(conn.execute(of_contact))
        for some in chunks(self.of("conversations")):
            of_talks = select(dialogs.c.id, dialogs.c.status).where(dialogs.c.conversation_id.in_(some))
            self._add_dialogs(conn.execute(of_talks))
        self.who = pattern(phones=self.phones, addresses=[address for _, address in self.addresses])
        self._tie_businesses(conn)
        texts = self._tie_messages(conn)
        self.words = texts_pattern(names=names, texts=texts)
        for some in chunks(self.of("dialogs")):
            query = select(turns.c.id, turns.c.event_id).where(turns.c.dialog_id.in_(some))
            for row in conn.execute(query):
                self.of("turns").add(row.id)
                self.of("events").add(row.event_id)
            self.subjects |= {
                row[0] for row in conn.execute(select(links.c.subject).where(links.c.dialog_id.in_(some)))
            }
            self._keys |= {f"dialog:{id_}" for id_ in some}
            paid = select(payments.c.id).where(payments.c.dialog_id.in_(some))
            self.of("payments").update(row[0] for row in conn.execute(paid))
        self.of("events").discard(None)
        numbers = {int(s[6:]) for s in self.subjects if s.startswith("issue:") and s[6:].isdecimal()}
        self.of("issues").update(numbers)
        self._keys |= {f"okdesk:{subject}" for subject in self.subjects if subject.startswith("issue:")}
        self._keys |= {f"form:{phone}" for phone in self.phones}
        for some in chunks(self._external):
            early = select(early_statuses.c.external_id).where(early_statuses.c.external_id.in_(some))
            self.of("early_statuses").update(row[0] for row in conn.execute(early))

    def _add_dialogs(self, rows: Iterable[Any]) -> None:
        for id_, status in rows:
            self.of("dialogs").add(id_)
            if status != "closed":
                self.open_dialogs.add(id_)

    def _tie_businesses(self, conn: Connection) -> None:
        """Dialogs without a customer that are about this person: an order, a form."""
        last = 0
        while True:
            rows = conn.execute(
                select(dialogs.c.id, dialogs.c.status, dialogs.c.state, dialogs.c.contact_id)
                .where(dialogs.c.id > last)
                .order_by(dialogs.c.id)
                .limit(PAGE)
            ).fetchall()
            self._add_dialogs([(r.id, r.status) for r in rows if r.contact_id is None and self.means(r.state)])
            if len(rows) < PAGE:
                return
            last = rows[-1].id

    def _tie_messages(self, conn: Connection) -> set[str | None]:
        """Returns what the person wrote."""
        texts: set[str | None] = set()
        for some in chunks(self.of("conversations")):
            query = select(messages.c.id, messages.c.direction, messages.c.text, messages.c.external_id)
            for row in conn.execute(query.where(messages.c.conversation_id.in_(some))):
                self.of("messages").add(row.id)
                if row.external_id:
                    self._external.add(row.external_id)
                if row.direction == "in":
                    texts.add(row.text)
        return texts

    # ------------------------------------------------------------------------------------------- by what is in the rows

    def scans(self) -> Sequence[tuple[str, Scan]]:
        """In this order: each goes by what the ones before have found."""
        return (
            ("events", self._scan_events),
            ("deliveries", self._scan_deliveries),
            ("batches", self._scan_batches),
            ("conflicts", self._scan_conflicts),
            ("api_calls", self._scan_calls),
            ("issues", self._scan_issues),
        )

    def _scan_events(self, conn: Connection, after: int) -> int | None:
        rows = _page(conn, select(*(c for c in events.c if c.name not in ("minute", "position"))), events.c.id, after)
        of_others = self._dialogs_of_others(conn, {row.dialog_id for row in rows if row.dialog_id is not None})
        for row in rows:
            is_tied = row.id in self.of("events") or row.dialog_id in self.of("dialogs") or row.key in self._keys
            if is_tied or (row.dialog_id not in of_others and self._is_told_in(row)):
                self.of("events").add(row.id)
                if row.batch_id is not None:
                    self.of("batches").add(row.batch_id)
                if row.state in (0, 4):
                    self.open_events.add(row.id)
        return _next(rows)

    def _is_told_in(self, row: Any) -> bool:
        if not row.body:
            return False
        if row.external_id in self._external or self.means(row.key, row.body, row.headers, row.error):
            return True
        return row.key.startswith("telegram-group:") and self.quotes(row.body)

    def _scan_deliveries(self, conn: Connection, after: int) -> int | None:
        rows = _page(conn, select(deliveries), deliveries.c.id, after)
        of_others = self._dialogs_of_others(conn, {row.dialog_id for row in rows if row.dialog_id is not None})
        addresses = {address for _, address in self.addresses}
        for row in rows:
            wanted_by = _MADE_BY.match(row.key)
            is_tied = (
                row.dialog_id in self.of("dialogs")
                or row.conversation_id in self.of("conversations")
                or row.recipient in addresses
                or (wanted_by is not None and self._is_mine(wanted_by))
            )
            words = (row.params, row.result, row.error, row.waiters, row.recipient, row.key)
            belongs_to_nobody = row.dialog_id is None and row.conversation_id is None
            is_told = row.dialog_id not in of_others and (
                self.means(*words) or (belongs_to_nobody and self.quotes(row.params))
            )
            if is_tied or is_told:
                self.of("deliveries").add(row.id)
                if row.state < 3:
                    self.open_deliveries.add(row.id)
        return _next(rows)

    def _is_mine(self, wanted_by: re.Match[str]) -> bool:
        event, dialog = wanted_by["event"], wanted_by["dialog"]
        return int(event) in self.of("events") if event else int(dialog) in self.of("dialogs")

    def _dialogs_of_others(self, conn: Connection, ids: set[int]) -> set[int]:
        """Those that belong to other people: what they say of this person is theirs."""
        found: set[int] = set()
        for some in chunks(ids - self.of("dialogs")):
            query = select(dialogs.c.id).where(dialogs.c.id.in_(some), dialogs.c.contact_id.is_not(None))
            found |= {row[0] for row in conn.execute(query)}
        return found

    def _scan_batches(self, conn: Connection, after: int) -> int | None:
        rows = _page(conn, select(batches.c.id, batches.c.body), batches.c.id, after)
        self.of("batches").update(row.id for row in rows if self.means(row.body))
        return _next(rows)

    def _scan_conflicts(self, conn: Connection, after: int) -> int | None:
        rows = _page(conn, select(conflicts), conflicts.c.id, after)
        mine = self.of("events")
        self.of("conflicts").update(row.id for row in rows if row.event_id in mine or self.means(row.body))
        return _next(rows)

    def _scan_calls(self, conn: Connection, after: int) -> int | None:
        rows = _page(conn, select(api_calls), api_calls.c.id, after)
        mine = [row.id for row in rows if self.is_call(row.delivery_id, row.url, row.request, row.response)]
        self.of("api_calls").update(mine)
        return _next(rows)

    def is_call(self, delivery_id: int | None, *words: str | None) -> bool:
        """Whether a call of ours was about the person."""
        if delivery_id is not None and delivery_id in self.of("deliveries"):
            return True
        return self.means(*words) or (delivery_id is None and self.quotes(*words))

    def _scan_issues(self, conn: Connection, after: int) -> int | None:
        rows = _page(conn, select(issues.c.id, issues.c.title), issues.c.id, after)
        self.of("issues").update(row.id for row in rows if self.means(row.title))
        return _next(rows)


def traces_of(found: Sequence[Found], *, phone: str | None) -> Traces:
    """`phone`: E.164 that was asked for; it may be known from forms and orders alone."""
    addresses = {place for person in found for place in person.addresses}
    return Traces({phone} if phone else set(), addresses, [person.contact_id for person in found])


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    found = list(values)
    for start in range(0, len(found), AT_ONCE):
        yield found[start : start + AT_ONCE]


def _page(conn: Connection, query: Select[Any], id_: Any, after: int) -> list[Any]:
    return list(conn.execute(query.where(id_ > after).order_by(id_).limit(PAGE)))


def _next(rows: Sequence[Any]) -> int | None:
    return rows[-1].id if len(rows) == PAGE else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")
