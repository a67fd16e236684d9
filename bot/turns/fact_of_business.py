"""News of other systems: what is remembered of them, and which dialog hears them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.managers import handoff
from bot.managers.words import word
from bot.turns import converse
from bot.turns.base import Turn
from dialogs.events import BusinessEvent
from integrations.base import BusinessFact, Nothing, Notice, Plan, StoredEvent
from storage.unit import Contact, DialogRow

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    """An event that must be judged against what was said before."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Found:
    """Whom an event is about."""

    linked: Sequence[DialogRow] = ()
    contact: Contact | None = None
    is_ambiguous: bool = False


def site_form(stored: StoredEvent, data: Mapping[str, Any]) -> BusinessFact:
    """A form of the web site (POST /api/v1/forms)."""
    fields = {name: data.get(name) for name in ("form", "name", "email", "text", "page")}
    event = BusinessEvent(f"e{stored.id}", stored.received_at, "site.form_sent", fields, data["phone"])
    return BusinessFact(event, (f"phone:{data['phone']}",))


def handle(turn: Turn, fact: BusinessFact) -> None:
    """An event that needs no past of its own.

    What is remembered of it is written last: Held ends the turn before, and the event must be news when it is looked
    at again.
    """
    if fact.once is not None and turn.unit.subject_state(fact.once) is not None:
        turn.ignored = "told before, or said by ourselves"
        return
    marks = [] if fact.once is None else [fact.once]
    told: BusinessFact | None = fact
    comment = _comment_key(turn, fact.event)
    if comment is not None and turn.unit.subject_state(comment) is not None:
        told = _without_comment(fact)
    elif comment is not None:
        marks.append(comment)
    if told is None:
        turn.ignored = "the comment was told before"
    elif not _is_news(turn, told.event):
        turn.ignored = "the status is already known"
    else:
        sure = [subject for subject in told.subjects if not _is_weak(subject)]
        weak = [subject for subject in told.subjects if _is_weak(subject)]
        tell(turn, told, sure, weak)
    for mark in marks:
        turn.unit.save_subject_state(mark, {"event_id": turn.event.id})
    _remember_issue(turn, fact.event)


def _comment_key(turn: Turn, event: BusinessEvent) -> str | None:
    """The same comment may come by itself and with a change of status; it is told with what comes first."""
    comment_id = event.fields.get("comment_id")
    if comment_id is None or event.kind not in ("okdesk.comment_added", "okdesk.status_changed"):
        return None
    return f"comment:{turn.event.source}:{comment_id}"


def _without_comment(fact: BusinessFact) -> BusinessFact | None:
    """None: nothing is left to tell."""
    event = fact.event
    if event.kind == "okdesk.comment_added":
        return None
    return replace(fact, event=replace(event, fields={**event.fields, "comment": None, "comment_id": None}))


def handle_planned(turn: Turn, planned: Planned) -> None:
    unit = turn.unit
    states = {key: unit.subject_state(key) for key in planned.plan.state_keys}
    decided = planned.plan.decide({key: state for key, state in states.items() if state is not None}, turn.now)
    turn.result = decided.result
    for fact in decided.facts:
        if isinstance(fact, BusinessFact):
            tell(turn, fact, decided.subjects, decided.weak_subjects)
    # After the telling: an event that is Held must be news when it is looked at again.
    for key, state in decided.states.items():
        if state != states.get(key):
            unit.save_subject_state(key, state)
    for fact in decided.facts:
        if isinstance(fact, Notice):
            handoff.alert(turn, word("notice", handoff.LANG, text=fact.text))
        elif isinstance(fact, Nothing):
            turn.ignored = fact.reason
    is_told = any(isinstance(fact, BusinessFact) for fact in decided.facts)
    # Nobody is told; but a caller wants to know whether it could be placed at all.
    if (
        not is_told
        and decided.result == "accepted"
        and find(turn, decided.subjects, decided.weak_subjects).is_ambiguous
    ):
        turn.result = "unmatched"


def tell(turn: Turn, fact: BusinessFact, subjects: Sequence[str], weak: Sequence[str]) -> None:
    """Offer the event to the dialogs of its subject, then to the flows that it begins."""
    event = fact.event
    found = find(turn, subjects, weak)
    if found.is_ambiguous:
        turn.result = "unmatched"
        turn.ignored = "fits several dialogs; the managers were told"
        handoff.alert(turn, word("unmatched", handoff.LANG, title=fact.title or event.kind))
        return
    if found.linked:
        for name in (*subjects, *fact.learns):
            if not _is_weak(name):
                turn.unit.link(name, found.linked[0].id)
        event = _with_issue(turn, event, found.linked[0])
    _remember(turn, event, subjects, found)
    contact = found.contact or _by_phone(turn, event.phone)
    names = [name for name in (*subjects, *fact.learns) if not _is_weak(name)]
    converse.offer(turn, event, found.linked, contact, subjects=names)


def find(turn: Turn, subjects: Sequence[str], weak: Sequence[str]) -> Found:
    """The first subject that a dialog is linked to; weak names count only if they fit one dialog."""
    unit = turn.unit
    for subject in subjects:
        linked = unit.dialogs_linked_to(subject)
        if linked:
            return Found(linked, _owner(turn, linked[0]))
    for subject in weak:
        kind, _, value = subject.partition(":")
        if kind == "phone":
            people = unit.contacts_with_phone(value)
            rows = [row for person in people for row in unit.open_dialogs(person.id)]
            rows = [row for row in rows if unit.has_links(row.id)]
            if not rows and len(people) == 1:
                return Found((), people[0])
        else:
            rows = unit.dialogs_linked_to(subject)
        if len(rows) == 1:
            return Found(rows, _owner(turn, rows[0]))
        if len(rows) > 1:
            return Found(is_ambiguous=True)
    return Found()


def _owner(turn: Turn, row: DialogRow) -> Contact | None:
    return None if row.contact_id is None else turn.unit.contact(row.contact_id)


def _by_phone(turn: Turn, phone: str | None) -> Contact | None:
    people = [] if phone is None else turn.unit.contacts_with_phone(phone)
    return people[0] if len(people) == 1 else None


def _is_weak(subject: str) -> bool:
    return subject.startswith(("phone:", "inn:"))


def _with_issue(turn: Turn, event: BusinessEvent, row: DialogRow) -> BusinessEvent:
    """The issue of the dialog, where the other system knows only its own order."""
    if "issue_id" not in event.fields or event.fields["issue_id"] is not None:
        return event
    issues = [s for s in turn.unit.subjects_of(row.id) if s.startswith("issue:") and s[6:].isdigit()]
    if len(issues) != 1:
        return event
    return replace(event, fields={**event.fields, "issue_id": int(issues[0][6:])})


def _is_news(turn: Turn, event: BusinessEvent) -> bool:
    """A status that we know already, from our own call or an earlier event, is told to nobody."""
    issue_id = event.fields.get("issue_id")
    if event.kind != "okdesk.status_changed" or not isinstance(issue_id, int):
        return True
    before = turn.unit.issue_status(issue_id)
    return before is None or before != event.fields.get("status") or bool(event.fields.get("comment"))


def _remember_issue(turn: Turn, event: BusinessEvent) -> None:
    fields = event.fields
    issue_id = fields.get("issue_id")
    if event.kind in ("okdesk.status_changed", "okdesk.issue_created") and isinstance(issue_id, int):
        turn.unit.save_issue(
            issue_id,
            number=fields.get("number"),
            title=fields.get("title"),
            status=fields.get("status"),
            status_name=fields.get("status_name"),
        )


def _remember(turn: Turn, event: BusinessEvent, subjects: Sequence[str], found: Found) -> None:
    if event.kind != "onec.payment_changed" or not subjects:
        return
    fields = event.fields
    turn.unit.save_payment(
        subjects[0],
        order_number=fields.get("order_number"),
        invoice_number=fields.get("invoice_number"),
        state=fields.get("state"),
        total=fields.get("total"),
        paid=fields.get("paid"),
        due=fields.get("due"),
        currency="RUB",
        dialog_id=found.linked[0].id if found.linked else None,
    )
