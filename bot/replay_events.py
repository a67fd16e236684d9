"""From rows of the journal and the inbox to a conversation that can be played again.

An event is read as the worker read it: by its integration, with the time at which it was handled. What the journal does
not keep is looked up as far as it is still there (to which issue an order belonged then, whether a comment had been
told before); the replay finds out by itself when that leads elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection

from bot.turns import internal
from bot.turns.customer_message import LATE
from dialogs.events import BusinessEvent, ButtonPressed, DialogStarted, Event, ManagerActed, MessageReceived, renamed
from dialogs.replay_recording import Happened, Kind, NotPlayable, Recording, Told
from dialogs.replay_retelling import text_lines
from integrations.base import BusinessFact, CannotRead, CustomerSaid, GroupSaid, Integration, ManagerWrote, StoredEvent
from storage.clock import from_ms
from storage.recordings import DialogOfFlow, EventRow, Page, TurnRow, album_parts
from storage.unit import subject_state

_OPERATIONS: Mapping[str, Kind] = {
    "parked": "park",
    "asked_again": "ask_again",
    "cancelled": "cancel",
    "taken_over": "take_over",
}


class Recordings:
    """Makes recordings of the dialogs of a page."""

    def __init__(self, integrations: Mapping[str, Integration], *, flow: str, until: datetime) -> None:
        self._integrations = integrations
        self._flow = flow
        self._until = until

    def make(self, conn: Connection, page: Page, dialog: DialogOfFlow) -> Recording:
        """Raises NotPlayable."""
        rows = page.turns.get(dialog.id, [])
        if not rows or rows[0].turn != 1:
            raise NotPlayable("no_beginning")
        stored = _Stored(page, dialog, rows[0])
        items = [self._turn(conn, page, dialog, row, stored) for row in rows]
        for event in sorted(
            page.without_turn.get(dialog.id, ()), key=lambda event: (event.processed_at or 0, event.id)
        ):
            item = self._without_turn(conn, page, dialog, event)
            if item is not None:
                place = next((n for n, other in enumerate(items) if other.at > item.at), len(items))
                items.insert(max(place, 1), item)
        first = page.first_dialogs.get(dialog.conversation_id or 0)
        begun = items[0].event
        return Recording(
            dialog_id=dialog.id,
            contact_id=dialog.contact_id,
            channel=dialog.channel,
            lang=str(orjson.loads(dialog.state).get("lang") or "ru"),
            flow=self._flow,
            version=dialog.version,
            items=items,
            contact=stored.before,
            had_dialog=first is not None and first < (dialog.created_at, dialog.id),
            last_message_at=begun.at if isinstance(begun, MessageReceived | ButtonPressed | DialogStarted) else None,
            until=self._until,
        )

    def _turn(self, conn: Connection, page: Page, dialog: DialogOfFlow, row: TurnRow, stored: _Stored) -> Happened:
        decided = orjson.loads(row.trace).get("decided") or [""]
        if "moved" in decided:
            raise NotPlayable("moved")
        event = None if row.event_id is None else page.events.get(row.event_id)
        if event is None or not event.body:
            raise NotPlayable("event_gone", row.event)
        kind: Kind = "begin" if row.turn == 1 else _OPERATIONS.get(decided[0], "event")
        values = stored.restart(row) if kind == "begin" else None
        happened = self._read(conn, page, dialog, event, row, decided)
        if kind == "begin" and values is not None:
            happened = DialogStarted(happened.id, happened.at)
        elif kind == "event" and event.source == "timer":
            kind = "timer"
        return Happened(
            kind=kind,
            at=from_ms(row.at),
            event=happened,
            told=Told(row.to_step or "", _lines(orjson.loads(row.effects))),
            contact=stored.meanwhile(row),
            values=values,
            words=_words(happened),
        )

    def _without_turn(self, conn: Connection, page: Page, dialog: DialogOfFlow, event: EventRow) -> Happened | None:
        """A message that the dialog refused, or an end that nobody waited for; None: nothing that concerns a flow."""
        if event.processed_at is None or event.source == "timer" or not event.body:
            return None
        try:
            happened = self._read(conn, page, dialog, event, None, ())
        except NotPlayable:
            return None
        return Happened(kind="event", at=from_ms(event.processed_at), event=happened, told=None, words=_words(happened))

    # ------------------------------------------------------------------------------------------------------- reading

    def _read(
        self,
        conn: Connection,
        page: Page,
        dialog: DialogOfFlow,
        row: EventRow,
        turn: TurnRow | None,
        decided: Sequence[str],
    ) -> Event:
        """The event as the flows saw it. Raises NotPlayable."""
        handled_at = from_ms(turn.at if turn is not None else row.processed_at or row.received_at)
        id_ = f"e{row.id}"
        for fact in self._facts(row, handled_at):
            if isinstance(fact, CustomerSaid):
                said = renamed(self._whole(conn, row, fact).said, id_)
                return replace(said, at=handled_at) if handled_at - said.at > LATE else said
            if isinstance(fact, internal.TimerDue):
                return fact.fired
            if isinstance(fact, internal.EffectEnded):
                return fact.finished
            if isinstance(fact, GroupSaid):
                return _manager(fact, id_, handled_at, decided)
            if isinstance(fact, ManagerWrote):
                return ManagerActed(id_, handled_at, "say", fact.text)
            if isinstance(fact, BusinessFact) and (turn is None or fact.event.kind == turn.event):
                return _as_told(conn, row, fact.event, page.subjects.get(dialog.id, ()))
        raise NotPlayable("unreadable", f"{row.source} {row.kind}")

    def _facts(self, row: EventRow, handled_at: datetime) -> Sequence[Any]:
        stored = StoredEvent(row.id, row.source, row.kind, row.external_id, row.body, from_ms(row.received_at))
        try:
            if row.source in internal.SOURCES:
                return internal.read(stored)
            integration = self._integrations.get(row.source)
            if integration is None:
                raise NotPlayable("not_configured", row.source)
            if integration.plan is not None:
                # What was remembered then is not known any more: as if it were the first news of its subject.
                return integration.plan(stored).decide({}, handled_at).facts
            return [] if integration.read is None else integration.read(stored)
        except CannotRead as error:
            raise NotPlayable("unreadable", f"{row.source} {row.kind}") from error

    def _whole(self, conn: Connection, row: EventRow, fact: CustomerSaid) -> CustomerSaid:
        """Pictures that were sent together are one message."""
        if not isinstance(fact.said, MessageReceived) or not fact.said.files or fact.said.edits:
            return fact
        said = [fact.said]
        for part in album_parts(conn, row):
            said += [
                other.said
                for other in self._facts(part, from_ms(row.received_at))
                if isinstance(other, CustomerSaid) and isinstance(other.said, MessageReceived)
            ]
        if len(said) == 1:
            return fact
        text = next((one.text for one in said if one.text), None)
        files = tuple(file for one in said for file in one.files)
        return replace(fact, said=replace(fact.said, text=text, files=files))


class _Stored:
    """What the journal tells of a person's variables: before a dialog, and meanwhile by other dialogs."""

    def __init__(self, page: Page, dialog: DialogOfFlow, first: TurnRow) -> None:
        self._others = [turn for turn in page.people.get(dialog.contact_id or 0, ()) if turn.dialog_id != dialog.id]
        self._next = 0
        self.before: dict[str, Any] = self._until(first.id)

    def _until(self, turn_id: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while self._next < len(self._others) and self._others[self._next].id < turn_id:
            for effect in orjson.loads(self._others[self._next].effects):
                if effect.get("effect") == "SaveContact":
                    values |= effect.get("values") or {}
            self._next += 1
        return values

    def meanwhile(self, row: TurnRow) -> dict[str, Any]:
        return self._until(row.id)

    def restart(self, row: TurnRow) -> Mapping[str, Any] | None:
        """The variables that another dialog begins this one with by its own restart; None: it was not begun so."""
        for turn in self._others:
            if turn.event_id == row.event_id and turn.id < row.id:
                for effect in orjson.loads(turn.effects):
                    if effect.get("effect") == "StartDialog":
                        return dict(effect.get("values") or {})
        return None


def _manager(fact: GroupSaid, id_: str, at: datetime, decided: Sequence[str]) -> ManagerActed:
    word = next((word.removeprefix("manager:") for word in decided if word.startswith("manager:")), "say")
    if word == "say":
        return ManagerActed(id_, at, "say", text=fact.text, files=fact.files, manager=fact.manager_name)
    return ManagerActed(id_, at, "returned" if word == "returned" else "closed", manager=fact.manager_name)


def _as_told(
    conn: Connection, row: EventRow, event: BusinessEvent, subjects: Sequence[tuple[str, int]]
) -> BusinessEvent:
    """As it was offered to the dialog: with the dialog's issue, and without a comment that was told before."""
    fields = dict(event.fields)
    if "issue_id" in fields and fields["issue_id"] is None and row.processed_at is not None:
        issues = [s for s, since in subjects if s.startswith("issue:") and since <= row.processed_at]
        if len(issues) == 1 and issues[0][6:].isdigit():
            fields["issue_id"] = int(issues[0][6:])
    if event.kind == "okdesk.status_changed" and fields.get("comment_id") is not None:
        mark = subject_state(conn, f"comment:{row.source}:{fields['comment_id']}")
        if mark is not None and mark.get("event_id", row.id) < row.id:
            fields |= {"comment": None, "comment_id": None}
    return replace(event, fields=fields)


def _lines(effects: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The words of a turn. After the 24-hour window templates stood in for some of them: None."""
    sent = [effect for effect in effects if effect.get("effect") == "SendMessage"]
    if any("window" in effect for effect in sent):
        return None
    return text_lines(effect.get("text") or "" for effect in sent)


def _words(event: Event) -> str | None:
    if isinstance(event, ButtonPressed):
        return event.title or event.payload.rpartition(".")[2]
    if not isinstance(event, MessageReceived):
        return None
    if event.text is not None or not (event.files or event.location or event.card):
        return event.text
    return "📍" if event.location else "☎" if event.card else f"({event.files[0].kind})"
