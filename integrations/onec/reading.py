"""A body in any of the forms of §3.2–§3.4 → `OnecEvent`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from integrations.onec import normalize
from integrations.onec.aliases import (
    DEFAULT_TABLE,
    KIND_BY_WORD,
    PAYMENT_STATE_BY_WORD,
    AliasTable,
    FlatEvent,
    flatten,
    fold,
)
from integrations.onec.errors import BadValue, FieldError
from integrations.onec.schemas import (
    PAYMENT_STATES,
    Amount,
    Counterparty,
    Document,
    Invoice,
    InvoiceFile,
    Kind,
    Moment,
    OnecEvent,
    Order,
    OrderStatus,
    Payment,
    PaymentState,
    Shipment,
)
from integrations.onec.settings import OnecSettings

T = TypeVar("T")

MAX_ID = 200
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An order as the HTTP service of §7 tells it: the sections of an event without the event."""

    order: Order
    invoice: Invoice
    amount: Amount
    payment: Payment
    has_invoice: bool  # the answer speaks of an invoice at all, even to say that there is none


def alias_table(settings: OnecSettings) -> AliasTable:
    return AliasTable.build(settings.aliases) if settings.aliases else DEFAULT_TABLE


def kind_of(flat: FlatEvent) -> Kind | None:
    """None for a word that is not in the table. Raises FieldError when there is no word at all."""
    word = normalize.text(flat.values.get("kind"), 100)
    if word is None:
        raise missing("kind")
    return KIND_BY_WORD.get(fold(word))


def missing(field: str) -> FieldError:
    return FieldError("missing_field", f"Не заполнено поле {field}", field)


def is_test(flat: FlatEvent) -> bool:
    try:
        return normalize.flag(flat.values.get("test")) or False
    except BadValue:
        return False


def event_id(flat: FlatEvent) -> str | None:
    """The sender's key of the event. Raises FieldError when it is too long."""
    written = normalize.text(flat.values.get("id"), MAX_ID + 1)
    if written is not None and len(written) > MAX_ID:
        raise FieldError("too_long", f"Поле id длиннее {MAX_ID} знаков", "id")
    return written


def parse_event(flat: FlatEvent, *, source: str, received_at: datetime, settings: OnecSettings) -> OnecEvent:
    """Raises FieldError for what is missing or cannot be read; an unknown kind is the caller's business."""
    kind = kind_of(flat)
    if kind is None:
        raise FieldError("unknown_kind", "Неизвестный вид события", "kind")
    default_zone = normalize.zone(settings.timezone, UTC)
    reader = _Reader(flat.values, normalize.zone(flat.values.get("source.timezone"), default_zone))
    event = OnecEvent(
        kind=kind,
        source=source,
        received_at=received_at,
        id=event_id(flat),
        test=reader.required("test", normalize.flag) or False,
    )
    if kind == "ping":
        return event
    occurred_at = reader.required("occurred_at", reader.moment)
    notify = reader.required("notify", normalize.flag)
    event = replace(
        event,
        occurred_at=occurred_at.at if occurred_at else None,
        seq=reader.required("seq", normalize.integer),
        notify=True if notify is None else notify,
        document=reader.document(),
        order=reader.order(),
        invoice=reader.invoice(),
        counterparty=reader.counterparty(),
        amount=reader.amount(),
        shipment=reader.shipment(),
    )
    if event.document.guid is None and event.document.number is None:
        raise missing("document.guid")
    if event.document.guid is None and event.document.date is None:
        raise missing("document.date")
    event = _complete(event, has_flat_number="document.number" in flat.flat)
    if kind in ("payment_status", "refund"):
        return replace(event, **_payment(event, reader, settings))
    if kind == "order_status":
        status = reader.status(settings)
        if status.code is None and status.name is None and not event.document.is_revoked:
            raise missing("status.name")
        return replace(event, status=status)
    return event


def parse_snapshot(raw: Mapping[str, Any], settings: OnecSettings) -> Snapshot:
    """The answer to `GET /hs/dialogs/v1/orders/{external_id}`. Raises FieldError."""
    flat = flatten(raw, alias_table(settings))
    reader = _Reader(flat.values, normalize.zone(settings.timezone, UTC))
    document, order, amount = reader.document(), reader.order(), reader.amount()
    if order.guid is None and order.number is None:
        order = replace(order, guid=document.guid, number=document.number, date=document.date)
    payment = Payment(state=payment_state(reader.state_word(), amount, settings))
    invoice = reader.invoice()
    return Snapshot(order, invoice, amount, payment, has_invoice="invoice" in {fold(str(name)) for name in raw})


def _complete(event: OnecEvent, *, has_flat_number: bool) -> OnecEvent:
    """An event about an order or an invoice is often sent with the document alone."""
    document, order, invoice = event.document, event.order, event.invoice
    has_order = bool(order.guid or order.number or order.external_id)
    if event.kind == "order_status" and not (order.guid or order.number):
        order = replace(order, guid=document.guid, number=document.number, date=document.date)
    elif event.kind == "invoice_issued" and not (invoice.guid or invoice.number):
        invoice = replace(invoice, guid=document.guid, number=document.number, date=document.date)
    is_loose = has_flat_number and not has_order and event.kind in ("payment_status", "refund", "shipment")
    return replace(event, order=order, invoice=invoice, number_is_loose=is_loose)


def _payment(event: OnecEvent, reader: _Reader, settings: OnecSettings) -> dict[str, Any]:
    amount = event.amount
    state: PaymentState | None = None
    if event.kind == "refund":
        state = "refunded"
        sum_ = amount.paid if amount.paid is not None else amount.total
        if sum_ is None and not event.document.is_revoked:
            raise missing("amount.paid")
        amount = replace(amount, paid=None if sum_ is None else abs(sum_))
    elif event.document.is_revoked:
        pass  # what an un-posted document says of the payment counts for nothing (§3.7): it cannot be wrong either
    else:
        state = payment_state(reader.state_word(), amount, settings)
        if state is None:
            raise missing("amount.paid" if amount.paid is None else "amount.total")
        if amount.paid is None and state in ("paid", "unpaid"):
            amount = replace(amount, paid=amount.total if state == "paid" else 0)
    payment = Payment(
        state=state,
        method=normalize.text(reader.values.get("payment.method"), 100),
        purpose=normalize.text(reader.values.get("payment.purpose")),
        paid_at=reader.optional("payment.paid_at", reader.moment),
    )
    return {"amount": amount, "payment": payment}


def payment_state(written: Any, amount: Amount, settings: OnecSettings) -> PaymentState | None:
    """The state told in words or as yes/no, else the one that follows from the sums; None when nothing tells.

    Raises FieldError `unknown_payment_state`.
    """
    if written is not None and written != "":
        word = fold(normalize.text(written, 100) or "") if not isinstance(written, bool) else ""
        own = {fold(name): state for name, state in settings.payment_words.items()}.get(word)
        if own in PAYMENT_STATES:
            return own
        if word in PAYMENT_STATE_BY_WORD:
            return PAYMENT_STATE_BY_WORD[word]
        try:
            is_paid = normalize.flag(written)
        except BadValue as error:
            message = f"Неизвестное состояние оплаты: «{normalize.shown(written)}»"
            raise FieldError("unknown_payment_state", message, "payment.state") from error
        if is_paid:
            return "paid"
        return computed_state(amount) or "unpaid"  # "Оплачен: Нет" may still be a part of the sum
    return computed_state(amount)


def computed_state(amount: Amount) -> PaymentState | None:
    """§3.2: paid = 0 → unpaid; less than the total → partial; equal → paid; more → overpaid."""
    if amount.paid is None:
        return None
    if amount.paid <= 0:
        return "unpaid"
    if amount.total is None:
        return None
    if amount.paid < amount.total:
        return "partial"
    return "paid" if amount.paid == amount.total else "overpaid"


class _Reader:
    """Reads sections out of the flat fields; every error names its field."""

    def __init__(self, values: Mapping[str, Any], local: tzinfo) -> None:
        self.values = values
        self.local = local

    def required(self, path: str, read: Callable[[Any], T]) -> T:
        """For what decides: identity, order, sums. Raises FieldError."""
        try:
            return read(self.values.get(path))
        except BadValue as error:
            raise FieldError(error.code, error.message, path) from error

    def optional(self, path: str, read: Callable[[Any], T]) -> T | None:
        """An unreadable due date must not hold up an invoice; it stays in the raw record."""
        return normalize.readable(read, self.values.get(path))

    def text(self, path: str, limit: int = 300) -> str | None:
        return normalize.text(self.values.get(path), limit)

    def state_word(self) -> Any:
        """What was written of the payment's state: `Состояние` and a bare `status` count when nothing else is there."""
        written = self.values.get("payment.state")
        return self.values.get("state") if written is None or written == "" else written

    def moment(self, value: Any) -> Moment | None:
        return normalize.moment(value, self.local)

    def _numbered(self, section: str) -> tuple[str | None, str | None, Moment | None]:
        """guid, number and date of an object, which may also be told as a presentation of 1C."""
        values = self.values
        number, date = values.get(f"{section}.number"), values.get(f"{section}.date")
        guid = values.get(f"{section}.guid")
        for written in (guid, number):
            if not normalize.is_guid(written) and (told := normalize.presentation(written)):
                number = told[0]
                date = date or told[1]
                guid = None if written is guid else guid
                break
        if section == "document":
            try:
                return normalize.guid(guid), normalize.document_number(number), self.moment(date)
            except BadValue as error:
                field = "guid" if error.code == "bad_guid" else "date"
                raise FieldError(error.code, error.message, f"document.{field}") from error
        return (
            normalize.readable(normalize.guid, guid),
            normalize.document_number(number),
            normalize.readable(self.moment, date),
        )

    def document(self) -> Document:
        guid, number, date = self._numbered("document")
        posted = self.required("document.posted", normalize.flag)
        return Document(
            guid=guid,
            type=self.text("document.type", 200),
            number=number,
            date=date,
            posted=True if posted is None else posted,
            deleted=self.required("document.deleted", normalize.flag) or False,
            version=self.text("document.version", 100),
        )

    def order(self) -> Order:
        guid, number, date = self._numbered("order")
        return Order(guid, number, date, external_id=self.text("order.external_id", 100))

    def invoice(self) -> Invoice:
        guid, number, date = self._numbered("invoice")
        return Invoice(
            guid=guid,
            number=number,
            date=date,
            due_date=self.optional("invoice.due_date", lambda value: normalize.day(value, self.local)),
            url=normalize.web_address(self.values.get("invoice.url")),
            file=_file(self.values.get("invoice.file")),
        )

    def counterparty(self) -> Counterparty:
        return Counterparty(
            guid=self.optional("counterparty.guid", normalize.guid),
            name=self.text("counterparty.name"),
            inn=normalize.inn(self.values.get("counterparty.inn")),
            kpp=self.text("counterparty.kpp", 20),
            phone=normalize.phone(self.values.get("counterparty.phone")),
            email=self.text("counterparty.email", 254),
        )

    def amount(self) -> Amount:
        return Amount(
            total=self.required("amount.total", normalize.money),
            paid=self.required("amount.paid", normalize.money),
            currency=normalize.currency(self.values.get("amount.currency")),
        )

    def status(self, settings: OnecSettings) -> OrderStatus:
        code, name = self.text("status.code", 100), self.text("status.name") or self.text("state")
        words = {fold(known): word for known, word in settings.status_map.items()}
        word = words.get(fold(code or "")) or words.get(fold(name or "")) or code or name
        told_final = self.optional("status.final", normalize.flag)
        return OrderStatus(
            code=code,
            name=name,
            previous=self.text("status.previous"),
            word=word,
            is_final=told_final if told_final is not None else word in settings.final_statuses,
        )

    def shipment(self) -> Shipment:
        return Shipment(
            state=self.text("shipment.state", 100),
            date=self.optional("shipment.date", lambda value: normalize.day(value, self.local)),
            carrier=self.text("shipment.carrier"),
            track=self.text("shipment.track", 100),
        )


def _file(value: Any) -> InvoiceFile | None:
    if not isinstance(value, Mapping):
        return None
    content = "".join(value["base64"].split()) if isinstance(value.get("base64"), str) else ""
    if _BASE64.fullmatch(content) is None:
        return None
    return InvoiceFile(
        name=normalize.text(value.get("name"), 200) or "schet.pdf",
        content_type=normalize.text(value.get("content_type"), 100) or "application/pdf",
        base64=content,
    )
