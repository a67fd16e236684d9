"""What an event changes, and whether anybody is told (contract §3.7). Pure: states come in and go out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from integrations.onec.names import document_name
from integrations.onec.reading import computed_state
from integrations.onec.schemas import Amount, OnecEvent

FINAL_HOLDS = timedelta(minutes=10)
MAX_PARTS = 200  # documents remembered of one order

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What is remembered of one (base, document, kind)."""

    at: datetime
    seq: int | None = None
    version: str | None = None
    revoked: bool = False
    facts: tuple[Scalar, ...] = ()  # what the document says; equal facts are no news
    told: tuple[Scalar, ...] | None = None  # what the customer was last told
    final_at: datetime | None = None  # when an order reached its final status

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(),
            "seq": self.seq,
            "version": self.version,
            "revoked": self.revoked,
            "facts": list(self.facts),
            "told": None if self.told is None else list(self.told),
            "final_at": self.final_at.isoformat() if self.final_at else None,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> DocumentState | None:
        """None for nothing stored. Raises KeyError, TypeError or ValueError for what `as_json` did not write."""
        if not stored:
            return None
        told, final_at = stored["told"], stored["final_at"]
        return cls(
            at=datetime.fromisoformat(stored["at"]),
            seq=stored["seq"],
            version=stored["version"],
            revoked=stored["revoked"],
            facts=tuple(stored["facts"]),
            told=None if told is None else tuple(told),
            final_at=datetime.fromisoformat(final_at) if final_at else None,
        )


@dataclass(frozen=True, slots=True)
class OrderState:
    """The payments of one order: what each document brought, in kopecks; a refund brings a negative sum.

    1C tells with every payment what is paid for the whole order (contract §4), so a document brings the difference
    to what the others had brought.
    """

    total: int | None = None
    parts: Mapping[str, int] = field(default_factory=dict)
    state: str | None = None
    told: tuple[Scalar, ...] | None = None

    @property
    def paid(self) -> int:
        return sum(self.parts.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "parts": dict(self.parts),
            "state": self.state,
            "told": None if self.told is None else list(self.told),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> OrderState | None:
        """None for nothing stored. Raises KeyError, TypeError or ValueError for what `as_json` did not write."""
        if not stored:
            return None
        told = stored["told"]
        return cls(stored["total"], dict(stored["parts"]), stored["state"], None if told is None else tuple(told))


@dataclass(frozen=True, slots=True)
class Judgement:
    """`tell`: the dialog gets the event. `alert`: a sentence for the managers. `order`: of payments only."""

    result: Literal["accepted", "duplicate", "stale"]
    new_state: DocumentState
    tell: bool = False
    alert: str | None = None
    order: OrderState | None = None


def judge(
    stored: DocumentState | None,
    event: OnecEvent,
    now: datetime,
    *,
    order: OrderState | None = None,
    old_after_days: int = 3,
) -> Judgement:
    """Compare `event` with what is known of its document (`stored`) and of its order's payments (`order`)."""
    if stored is not None:
        if event.document.version is not None and event.document.version == stored.version:
            return Judgement("duplicate", stored, order=order)
        if _is_older(event, stored) or _reopens_too_soon(event, stored):
            return Judgement("stale", stored, order=order)
    base = DocumentState(
        at=event.at,
        seq=event.seq if event.seq is not None else (stored.seq if stored else None),
        version=event.document.version,
        told=stored.told if stored else None,
    )
    is_payment = event.kind in ("payment_status", "refund")
    if event.document.is_revoked:
        return _revoke(stored, event, replace(base, revoked=True), order, is_payment=is_payment)

    facts = _facts(event)
    is_final = event.kind == "order_status" and event.status.is_final
    was_final = stored.final_at if stored and is_final else None
    state = replace(base, facts=facts, final_at=(was_final or event.at) if is_final else None)
    new_order = _pay(order, event) if is_payment else None
    is_news = (stored is None or stored.revoked or facts != stored.facts) and facts != state.told
    if event.kind == "payment_status" and order is not None:
        is_news = is_news and facts != order.told  # another document of this order has said the same already
    is_old = event.document.date is not None and now - event.document.date.at > timedelta(days=old_after_days)
    is_foreign = is_payment and event.amount.currency != "RUB"
    tell = is_news and event.notify and not is_old and not is_foreign
    if tell:
        state = replace(state, told=facts)
        new_order = replace(new_order, told=facts) if new_order is not None else None
    alert = None
    if is_news and is_foreign and not is_old:
        alert = f"1С: {_title(event)}: сумма в валюте {event.amount.currency}, клиенту не сообщено."
    return Judgement("accepted", state, tell, alert, new_order)


def _is_older(event: OnecEvent, stored: DocumentState) -> bool:
    """Rule 2: by `seq` where both have one, else by the time it happened or was received."""
    if event.seq is not None and stored.seq is not None:
        return event.seq < stored.seq
    return event.at < stored.at


def _reopens_too_soon(event: OnecEvent, stored: DocumentState) -> bool:
    """Rule 3: only a newer `seq` proves within ten minutes that a final status was really taken back."""
    if event.kind != "order_status" or stored.final_at is None or event.document.is_revoked:
        return False
    if event.status.is_final:
        return False
    is_proved = event.seq is not None and stored.seq is not None and event.seq > stored.seq
    return not is_proved and event.at - stored.final_at < FINAL_HOLDS


def _facts(event: OnecEvent) -> tuple[Scalar, ...]:
    """What an event says that a customer could be told."""
    if event.kind in ("payment_status", "refund"):
        return (event.payment.state, event.amount.total, event.amount.paid)
    if event.kind == "order_status":
        return (event.status.code, event.status.name, event.status.is_final)
    if event.kind == "invoice_issued":
        due = event.invoice.due_date.isoformat() if event.invoice.due_date else None
        return (event.invoice.number, event.amount.total, due, event.invoice.url)
    day = event.shipment.date.isoformat() if event.shipment.date else None
    return (event.shipment.state, day, event.shipment.carrier, event.shipment.track)


def _pay(order: OrderState | None, event: OnecEvent) -> OrderState:
    """Rule of §4: the paid sum of an event is that of the whole order."""
    known = order or OrderState()
    name = document_name(event.document)
    parts = {other: part for other, part in known.parts.items() if other != name}
    paid = event.amount.paid or 0
    if event.kind == "refund":
        parts[name] = -paid
        return replace(known, parts=_latest(parts), state="refunded")
    parts[name] = paid - sum(parts.values())
    total = event.amount.total if event.amount.total is not None else known.total
    return replace(known, total=total, parts=_latest(parts), state=event.payment.state)


def _latest(parts: dict[str, int]) -> dict[str, int]:
    """At most MAX_PARTS documents; what the oldest brought is kept in one sum."""
    if len(parts) <= MAX_PARTS:
        return parts
    names = list(parts)
    early, late = names[: -MAX_PARTS + 1], names[-MAX_PARTS + 1 :]
    return {"earlier": sum(parts[name] for name in early)} | {name: parts[name] for name in late}


def _revoke(
    stored: DocumentState | None,
    event: OnecEvent,
    state: DocumentState,
    order: OrderState | None,
    *,
    is_payment: bool,
) -> Judgement:
    """Rule 5: what the document said counts no more; the customer is not told, the managers are."""
    new_order = None
    standing = ""
    if is_payment:
        known = order or OrderState()
        name = document_name(event.document)
        parts = {other: part for other, part in known.parts.items() if other != name}
        total = event.amount.total if event.amount.total is not None else known.total
        new_order = OrderState(total, parts, None, known.told)
        recomputed = computed_state(Amount(total, max(new_order.paid, 0))) or "partial"
        new_order = replace(new_order, state=recomputed)
        of = f" из {_roubles(total)}" if total is not None else ""
        standing = f" По заказу оплачено {_roubles(max(new_order.paid, 0))}{of} ₽."
    alert = None
    if stored is not None and not stored.revoked:
        why = "помечен на удаление" if event.document.deleted else "отменён (проведение снято)"
        alert = f"1С: {_title(event)} {why}.{standing} Клиенту не сообщено."
    return Judgement("accepted", state, False, alert, new_order)


def _title(event: OnecEvent) -> str:
    document = event.document
    words = ["документ", document.number or document.guid or ""]
    if document.date:
        words.append(f"от {document.date.day:%d.%m.%Y}")
    if event.order.number:
        words.append(f"(заказ {event.order.number})")
    return " ".join(words)


def _roubles(kopecks: int) -> str:
    """15300.50 → 15 300,50 with a space that does not break."""
    whole, rest = divmod(kopecks, 100)
    return f"{whole:,}".replace(",", "\u00a0") + f",{rest:02}"
