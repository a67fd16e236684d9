"""An event of 1C after reading: typed, normalised, with the names of contract §3.2."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

Kind = Literal["payment_status", "order_status", "invoice_issued", "shipment", "refund", "ping"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PaymentState = Literal["unpaid", "partial", "paid", "overpaid", "refunded", "cancelled"]
PAYMENT_STATES: tuple[PaymentState, ...] = get_args(PaymentState)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date of 1C. `day` is the date in the base's own zone: numbers of documents are unique within its year."""

    at: datetime  # aware UTC
    day: dt.date
    text: str  # as sent


@dataclass(frozen=True, slots=True)
class Document:
    """The 1C object that the event is about."""

    guid: str | None = None
    type: str | None = None
    number: str | None = None
    date: Moment | None = None
    posted: bool = True
    deleted: bool = False
    version: str | None = None  # ВерсияДанных: opaque, compared for equality only

    @property
    def is_revoked(self) -> bool:
        return self.deleted or not self.posted


@dataclass(frozen=True, slots=True)
class Order:
    guid: str | None = None
    number: str | None = None
    date: Moment | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    name: str
    content_type: str
    base64: str = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes after decoding."""
        return len(self.base64) * 3 // 4 - self.base64[-2:].count("=")


@dataclass(frozen=True, slots=True)
class Invoice:
    guid: str | None = None
    number: str | None = None
    date: Moment | None = None
    due_date: dt.date | None = None
    url: str | None = None
    file: InvoiceFile | None = None


@dataclass(frozen=True, slots=True)
class Counterparty:
    guid: str | None = None
    name: str | None = None
    inn: str | None = None
    kpp: str | None = None
    phone: str | None = None  # E.164
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    total: int | None = None  # kopecks
    paid: int | None = None  # kopecks, of the whole order and not of the document alone (contract §4)
    currency: str = "RUB"


@dataclass(frozen=True, slots=True)
class Payment:
    state: PaymentState | None = None
    method: str | None = None
    purpose: str | None = None
    paid_at: Moment | None = None


@dataclass(frozen=True, slots=True)
class OrderStatus:
    code: str | None = None
    name: str | None = None
    previous: str | None = None
    word: str | None = None  # ours by the table of settings, else 1C's own code or name
    is_final: bool = False  # told by 1C, else by the table


@dataclass(frozen=True, slots=True)
class Shipment:
    state: str | None = None
    date: dt.date | None = None
    carrier: str | None = None
    track: str | None = None


@dataclass(frozen=True, slots=True)
class OnecEvent:
    """One event. `kind` "ping" has nothing but a source."""

    kind: Kind
    source: str  # the base it came from
    received_at: datetime
    id: str | None = None
    occurred_at: datetime | None = None
    seq: int | None = None
    document: Document = field(default_factory=Document)
    order: Order = field(default_factory=Order)
    invoice: Invoice = field(default_factory=Invoice)
    counterparty: Counterparty = field(default_factory=Counterparty)
    amount: Amount = field(default_factory=Amount)
    payment: Payment = field(default_factory=Payment)
    status: OrderStatus = field(default_factory=OrderStatus)
    shipment: Shipment = field(default_factory=Shipment)
    notify: bool = True
    test: bool = False
    number_is_loose: bool = False  # a flat body's "Номер": may be the number of the invoice or of the order

    @property
    def at(self) -> datetime:
        """When it happened. A clock that runs ahead must not make later events look old: never after the receipt."""
        return min(self.occurred_at, self.received_at) if self.occurred_at else self.received_at
