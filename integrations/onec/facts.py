"""An inbox event → what flows know of it (FLOWS.md section 8), and where its state is remembered."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialogs.events import BusinessEvent
from integrations.base import BusinessFact, CannotRead, Fact, Nothing, Notice, StoredEvent
from integrations.onec.aliases import flatten
from integrations.onec.body import loads
from integrations.onec.documents import Judgement, judge
from integrations.onec.errors import FieldError, Refusal
from integrations.onec.names import Names, document_name, issue_id, names, order_name
from integrations.onec.reading import alias_table, parse_event
from integrations.onec.schemas import InvoiceFile, OnecEvent
from integrations.onec.settings import OnecSettings

DEFAULT_SETTINGS = OnecSettings()

EVENT_KINDS = {
    "payment_status": "onec.payment_changed",
    "refund": "onec.payment_changed",
    "order_status": "onec.order_status_changed",
    "invoice_issued": "onec.invoice_issued",
    "shipment": "onec.order_shipped",
}

_PAYMENT_TITLES = {
    "unpaid": "не оплачен",
    "partial": "оплачен частично",
    "paid": "оплачен",
    "overpaid": "переплата",
    "refunded": "возврат",
    "cancelled": "оплата отменена",
}


@dataclass(frozen=True, slots=True)
class OnecPlan:
    """What the turn does with one event: read both states, `judge`, write them, and tell if the judgement says so.

    `state_key` holds a `DocumentState`; `order_key`, for payments, the `OrderState` that several documents share.
    Dialogs are looked for by `subjects` in order; only if none hits by `weak_subjects`, and there more than one open
    order means the result "unmatched". After a hit `learns` are linked to the dialog.
    """

    state_key: str
    order_key: str | None
    event: OnecEvent
    fact: BusinessFact
    subjects: tuple[str, ...]
    weak_subjects: tuple[str, ...]
    learns: tuple[str, ...]


def plan(stored: StoredEvent, settings: OnecSettings = DEFAULT_SETTINGS) -> OnecPlan:
    """Raises CannotRead when the event cannot be understood (with these settings)."""
    event = read_event(stored, settings)
    known_as = names(event)
    name = document_name(event.document)
    is_payment = event.kind in ("payment_status", "refund")
    return OnecPlan(
        state_key=f"onec:{event.source}:{name}:{event.kind}",
        order_key=f"onec-payments:{event.source}:{order_name(event)}" if is_payment else None,
        event=event,
        fact=_fact(stored, event, known_as),
        subjects=known_as.sure,
        weak_subjects=known_as.weak,
        learns=known_as.learns,
    )


def read(stored: StoredEvent, settings: OnecSettings = DEFAULT_SETTINGS) -> Sequence[Fact]:
    """The event alone, as if nothing were known of its document. Raises CannotRead."""
    made = plan(stored, settings)
    judgement = judge(None, made.event, stored.received_at, old_after_days=settings.old_after_days)
    return facts_of(made, judgement)


def facts_of(made: OnecPlan, judgement: Judgement) -> Sequence[Fact]:
    facts: list[Fact] = [made.fact] if judgement.tell else []
    if judgement.alert:
        facts.append(Notice(judgement.alert))
    return facts or [Nothing(f"{judgement.result}, nothing to tell")]


def read_event(stored: StoredEvent, settings: OnecSettings = DEFAULT_SETTINGS) -> OnecEvent:
    """Raises CannotRead."""
    raw, source, timezone = _unwrap(stored)
    flat = flatten(raw, alias_table(settings))
    if timezone is not None:
        flat.values.setdefault("source.timezone", timezone)
    try:
        event = parse_event(flat, source=source, received_at=stored.received_at, settings=settings)
    except FieldError as error:
        raise CannotRead(f"{error.code}: {error.field or 'event'}") from error
    if event.kind == "ping":
        raise CannotRead("a ping says nothing")
    return event


def invoice_bytes(stored: StoredEvent, settings: OnecSettings = DEFAULT_SETTINGS) -> tuple[InvoiceFile, bytes] | None:
    """The file that came with an `invoice_issued`; None when there is none. Raises CannotRead."""
    file = read_event(stored, settings).invoice.file
    if file is None:
        return None
    try:
        return file, base64.b64decode(file.base64 + "=" * (-len(file.base64) % 4))
    except binascii.Error as error:
        raise CannotRead("the invoice's file is not base64") from error


def _unwrap(stored: StoredEvent) -> tuple[Mapping[str, Any], str, str | None]:
    try:
        wrapped = loads(stored.body.decode("utf-8"))
    except (Refusal, UnicodeDecodeError) as error:
        raise CannotRead("the body is not JSON") from error
    if not isinstance(wrapped, Mapping) or not isinstance(wrapped.get("event"), Mapping):
        raise CannotRead("the body is not an event")
    return wrapped["event"], str(wrapped.get("source")), wrapped.get("timezone")


# ------------------------------------------------------------------------------------------------ business events


def _fact(stored: StoredEvent, event: OnecEvent, known_as: Names) -> BusinessFact:
    number = event.order.number or (event.document.number if event.number_is_loose else None)
    common: dict[str, Any] = {
        "issue_id": issue_id(event.order.external_id),
        "external_id": event.order.external_id,
        "order_number": number,
    }
    fields, what = _fields(event, stored)
    about = f"заказ {number}" if number else f"документ {event.document.number or event.document.guid}"
    return BusinessFact(
        event=BusinessEvent(
            id=str(stored.id),
            at=event.at,
            kind=EVENT_KINDS[event.kind],
            fields=common | fields,
            phone=event.counterparty.phone,
        ),
        subjects=(*known_as.sure, *known_as.weak),
        learns=known_as.learns,
        title=f"1С: {about}: {what}",
    )


def _fields(event: OnecEvent, stored: StoredEvent) -> tuple[dict[str, Any], str]:
    """(the fields of the business event beside the common ones, what happened in Russian)."""
    if event.kind in ("payment_status", "refund"):
        fields = payment_fields(event.payment.state, event.amount.total, event.amount.paid)
        return {"invoice_number": event.invoice.number, **fields}, _PAYMENT_TITLES.get(fields["state"] or "", "оплата")
    if event.kind == "invoice_issued":
        due_date = event.invoice.due_date.isoformat() if event.invoice.due_date else None
        return {
            "invoice_number": event.invoice.number,
            "total": event.amount.total,
            "due_date": due_date,
            "url": event.invoice.url,
            "files": [file_json(event.invoice.file, f"onec-event:{stored.id}")] if event.invoice.file else [],
        }, f"выставлен счёт {event.invoice.number or ''}".rstrip()
    if event.kind == "order_status":
        name = event.status.name or event.status.code
        return {"status": event.status.word, "status_name": name, "final": event.status.is_final}, f"статус «{name}»"
    date = event.shipment.date or (event.document.date.day if event.document.date else None)
    return {
        "date": date.isoformat() if date else None,
        "carrier": event.shipment.carrier,
        "track": event.shipment.track,
    }, "отгружен"


def payment_fields(state: str | None, total: int | None, paid: int | None) -> dict[str, Any]:
    """state, total, paid, due in kopecks. Of a refund `paid` is the returned sum, and nothing is due."""
    is_settled = state in ("refunded", "cancelled", "paid", "overpaid")
    due = 0 if is_settled else None if total is None else max(total - (paid or 0), 0)
    return {"state": state, "total": total, "paid": paid, "due": due}


def file_json(file: InvoiceFile, file_id: str) -> dict[str, Any]:
    """A file as flows carry it: the shape of `dialogs.events.File`."""
    return {"id": file_id, "kind": "file", "name": file.name, "mime": file.content_type, "size": file.size}
