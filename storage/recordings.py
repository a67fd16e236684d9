"""What a replay reads of the journal and the inbox: dialogs of a flow page by page, and all that happened to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from storage.tables import EventState, conversations, dialogs, events, flow_versions, links, turns

_AT_ONCE = 500  # values of one `in`
_ALBUM_BEFORE, _ALBUM_AFTER = 500, 2000  # events between the first picture of an album and the others


@dataclass(frozen=True, slots=True)
class DialogOfFlow:
    """Times in milliseconds."""

    id: int
    conversation_id: int | None
    contact_id: int | None
    channel: str
    version: int
    status: str
    state: str  # JSON
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class TurnRow:
    id: int
    dialog_id: int
    turn: int
    event_id: int | None
    event: str
    at: int
    to_step: str | None
    trace: str  # JSON
    effects: str  # JSON


@dataclass(frozen=True, slots=True)
class EventRow:
    id: int
    source: str
    external_id: str
    kind: str
    key: str
    state: int
    received_at: int
    processed_at: int | None
    dialog_id: int | None
    body: bytes


@dataclass(slots=True)
class Page:
    """Dialogs with what happened to them, and what else the journal tells of the same people."""

    dialogs: list[DialogOfFlow] = field(default_factory=list)
    turns: dict[int, list[TurnRow]] = field(default_factory=dict)  # of a dialog, in their order
    events: dict[int, EventRow] = field(default_factory=dict)
    without_turn: dict[int, list[EventRow]] = field(default_factory=dict)  # of a dialog: nothing came of them
    people: dict[int, list[TurnRow]] = field(default_factory=dict)  # turns that stored something of a contact
    first_dialogs: dict[int, tuple[int, int]] = field(default_factory=dict)  # conversation → (time, id)
    subjects: dict[int, list[tuple[str, int]]] = field(default_factory=dict)  # of a dialog, since when

    def after(self) -> tuple[int, int] | None:
        """Where the next page begins; None: there is none."""
        return (self.dialogs[-1].updated_at, self.dialogs[-1].id) if self.dialogs else None


def read_page(conn: Connection, flow: str, *, since: int, before: tuple[int, int] | None, limit: int) -> Page:
    """Dialogs of a flow in which something happened since then, the last active first."""
    names = ("id", "conversation_id", "contact_id", "channel", "version", "status", "state", "created_at", "updated_at")
    query = select(*(dialogs.c[name] for name in names)).where(dialogs.c.flow == flow, dialogs.c.updated_at >= since)
    if before is not None:
        at, id_ = before
        query = query.where(or_(dialogs.c.updated_at < at, and_(dialogs.c.updated_at == at, dialogs.c.id < id_)))
    query = query.order_by(dialogs.c.updated_at.desc(), dialogs.c.id.desc()).limit(limit)
    page = Page([DialogOfFlow(*row) for row in conn.execute(query)])
    _read_turns(conn, page)
    _read_events(conn, page)
    _read_people(conn, page)
    for some in _chunks(dialog.id for dialog in page.dialogs):
        linked = select(links.c.dialog_id, links.c.subject, links.c.created_at).where(links.c.dialog_id.in_(some))
        for dialog_id, subject, created_at in conn.execute(linked):
            page.subjects.setdefault(dialog_id, []).append((subject, created_at))
    return page


_TURN: tuple[Any, ...] = tuple(turns.c[name] for name in TurnRow.__slots__)
_EVENT: tuple[Any, ...] = tuple(events.c[name] for name in EventRow.__slots__)


def _read_turns(conn: Connection, page: Page) -> None:
    for some in _chunks(dialog.id for dialog in page.dialogs):
        for row in conn.execute(select(*_TURN).where(turns.c.dialog_id.in_(some)).order_by(turns.c.id)):
            page.turns.setdefault(row.dialog_id, []).append(_turn(row))


def _read_events(conn: Connection, page: Page) -> None:
    wanted = {turn.event_id for found in page.turns.values() for turn in found if turn.event_id is not None}
    for some in _chunks(wanted):
        for row in conn.execute(select(*_EVENT).where(events.c.id.in_(some))):
            page.events[row.id] = _event(row)
    ended = [int(EventState.DONE), int(EventState.IGNORED)]
    for some in _chunks(dialog.id for dialog in page.dialogs):
        query = select(*_EVENT).where(events.c.dialog_id.in_(some), events.c.state.in_(ended)).order_by(events.c.id)
        for row in conn.execute(query):
            if row.id not in wanted:
                page.without_turn.setdefault(row.dialog_id, []).append(_event(row))


def _read_people(conn: Connection, page: Page) -> None:
    """Other dialogs of the same people: what they stored of them, and whether one came before."""
    talks: dict[int, int] = {}
    for some in _chunks({dialog.contact_id for dialog in page.dialogs if dialog.contact_id is not None}):
        query = select(conversations.c.id, conversations.c.contact_id).where(conversations.c.contact_id.in_(some))
        talks.update({row.id: row.contact_id for row in conn.execute(query)})
    owners: dict[int, int] = {}
    for some in _chunks(talks):
        query = select(dialogs.c.id, dialogs.c.conversation_id, dialogs.c.created_at)
        for row in conn.execute(query.where(dialogs.c.conversation_id.in_(some))):
            owners[row.id] = talks[row.conversation_id]
            first = (row.created_at, row.id)
            page.first_dialogs[row.conversation_id] = min(first, page.first_dialogs.get(row.conversation_id, first))
    for some in _chunks(owners):
        stored = or_(turns.c.effects.contains('"SaveContact"'), turns.c.effects.contains('"StartDialog"'))
        query = select(*_TURN).where(turns.c.dialog_id.in_(some), stored).order_by(turns.c.id)
        for row in conn.execute(query):
            page.people.setdefault(owners[row.dialog_id], []).append(_turn(row))
    for found in page.people.values():
        found.sort(key=lambda turn: turn.id)


def album_parts(conn: Connection, first: EventRow) -> list[EventRow]:
    """The events that were handled together with this one, as parts of its message."""
    query = (
        select(*_EVENT)
        .where(
            events.c.id.between(first.id - _ALBUM_BEFORE, first.id + _ALBUM_AFTER),
            events.c.key == first.key,
            events.c.result == "album",
            events.c.processed_at == first.processed_at,
        )
        .order_by(events.c.position, events.c.id)
    )
    return [_event(row) for row in conn.execute(query)]


def publications(conn: Connection) -> list[tuple[int, str, int]]:
    """(when, flow, version) of everything that was published, the oldest first."""
    query = select(flow_versions.c.created_at, flow_versions.c.flow, flow_versions.c.version)
    return [(row[0], row[1], row[2]) for row in conn.execute(query.order_by(*query.selected_columns))]


def project_at(conn: Connection, at: int) -> str:
    """The project file of the last publishing at or before that time; "" = none."""
    query = (
        select(flow_versions.c.project)
        .where(flow_versions.c.created_at <= at)
        .order_by(flow_versions.c.created_at.desc(), flow_versions.c.flow, flow_versions.c.version.desc())
        .limit(1)
    )
    return conn.execute(query).scalar() or ""


def _turn(row: Any) -> TurnRow:
    return TurnRow(*row)


def _event(row: Any) -> EventRow:
    return EventRow(*row)


def _chunks(values: Iterable[Any]) -> Iterator[Sequence[Any]]:
    found = list(values)
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]
