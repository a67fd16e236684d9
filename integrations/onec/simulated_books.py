"""The books of the simulated 1C: orders, invoices, payments, and the events that are told of them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import NAMESPACE_URL, uuid5

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
EMPTY_DATE = "0001-01-01T00:00:00"
MOSCOW = timezone(timedelta(hours=3))
PDF = b"%PDF-1.4\n% simulated invoice\n%%EOF\n"
PARTY = {"name": "ООО Ромашка", "inn": "7701234567", "kpp": "770101001"}

_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)  # 1C counts its milliseconds from here


@dataclass(slots=True)
class BookedDocument:
    """A document that brings or returns money, or an invoice."""

    guid: str
    number: str
    date: str
    type: str
    amount: int  # kopecks
    version: str
    posted: bool = True


@dataclass(slots=True)
class BookedOrder:
    guid: str
    number: str
    date: str
    external_id: str
    version: str
    total: int = 0  # kopecks
    name: str | None = None
    phone: str | None = None
    comment: str = ""
    status: str = "Новый"
    items: list[dict[str, Any]] = field(default_factory=list)
    invoices: list[BookedDocument] = field(default_factory=list)
    payments: list[BookedDocument] = field(default_factory=list)
    refunds: list[BookedDocument] = field(default_factory=list)

    @property
    def paid(self) -> int:
        return sum(one.amount for one in self.payments if one.posted) - sum(one.amount for one in self.refunds)

    @property
    def state(self) -> str:
        if self.refunds and self.paid <= 0:
            return "refunded"
        if self.paid <= 0:
            return "unpaid"
        if self.paid < self.total:
            return "partial"
        return "paid" if self.paid == self.total else "overpaid"


def roubles(kopecks: int) -> float:
    return kopecks / 100


class Books:
    """All documents of one base. Numbers and GUIDs follow from the order of writing: a demo looks alike each time."""

    def __init__(self, base_id: str, now: Callable[[], datetime]) -> None:
        self.base_id = base_id
        self._now = now
        self.orders: dict[str, BookedOrder] = {}  # by external id
        self._counter = 0
        self._last_seq = 0

    def order(self, external_id: str) -> BookedOrder:
        """The order, written now if there was none."""
        if external_id not in self.orders:
            guid, number = self._name("order")
            self.orders[external_id] = BookedOrder(guid, number, self._date(), external_id, self.version())
        return self.orders[external_id]

    def document(self, kind: str, amount: int, *, days_old: int = 0) -> BookedDocument:
        guid, number = self._name(kind)
        return BookedDocument(guid, number, self._date(days_old), f"Документ.{kind}", amount, self.version())

    def version(self) -> str:
        """ВерсияДанных: opaque base64, another one at each write."""
        self._counter += 1
        return base64.b64encode(self._counter.to_bytes(8, "big")).decode("ascii")

    def _name(self, kind: str) -> tuple[str, str]:
        self._counter += 1
        return str(uuid5(NAMESPACE_URL, f"{self.base_id}/{kind}/{self._counter}")), f"НФНФ-{self._counter:06}"

    def _date(self, days_old: int = 0) -> str:
        """A date as 1C writes it: the base's own time without a zone."""
        return (self._now() - timedelta(days=days_old)).astimezone(MOSCOW).strftime("%Y-%m-%dT%H:%M:%S")

    # ------------------------------------------------------------------------------------------------- events

    def event(self, kind: str, document: dict[str, Any], order: BookedOrder, **sections: Any) -> dict[str, Any]:
        """An event of §3.2 about `document`, frozen now: a repeat must carry the same body."""
        now = self._now()
        self._last_seq = max(self._last_seq + 1, int((now - _YEAR_ONE).total_seconds() * 1000))
        return {
            "v": 1,
            "id": f"{document['guid']}:{document['version']}",
            "kind": kind,
            "occurred_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seq": self._last_seq,
            "source": {"base_id": self.base_id, "config": "УНФ 3.0", "timezone": "Europe/Moscow"},
            "document": document,
            "order": order_section(order),
            "counterparty": {**PARTY, "name": order.name or PARTY["name"], "phone": order.phone},
            **sections,
        }

    def payment_event(self, order: BookedOrder, payment: BookedDocument) -> dict[str, Any]:
        return self.event(
            "payment_status",
            document_section(payment),
            order,
            amount=amount_section(order),
            payment={"state": order.state, "purpose": f"Оплата по заказу {order.number}"},
        )


def document_section(document: BookedDocument) -> dict[str, Any]:
    return {
        "guid": document.guid,
        "type": document.type,
        "number": document.number,
        "date": document.date,
        "posted": document.posted,
        "deleted": False,
        "version": document.version,
    }


def order_document(order: BookedOrder) -> dict[str, Any]:
    return {
        "guid": order.guid,
        "type": "Документ.ЗаказПокупателя",
        "number": order.number,
        "date": order.date,
        "posted": True,
        "deleted": False,
        "version": order.version,
    }


def order_section(order: BookedOrder) -> dict[str, Any]:
    return {"guid": order.guid, "number": order.number, "date": order.date, "external_id": order.external_id}


def amount_section(order: BookedOrder) -> dict[str, Any]:
    return {"total": roubles(order.total), "paid": roubles(max(order.paid, 0)), "currency": "RUB"}


def invoice_section(invoice: BookedDocument) -> dict[str, Any]:
    return {
        "guid": invoice.guid,
        "number": invoice.number,
        "date": invoice.date,
        "due_date": EMPTY_DATE,
        "url": f"https://pay.example.test/{invoice.number.lower().replace('нфнф-', '')}",
    }


def odata_tables(orders: dict[str, BookedOrder]) -> dict[str, list[dict[str, Any]]]:
    """The same books under the OData names of УНФ, with empty dates and zero references as the platform gives them."""
    tables: dict[str, list[dict[str, Any]]] = {
        "Catalog_Контрагенты": [
            {
                "Ref_Key": str(uuid5(NAMESPACE_URL, "party")),
                "DeletionMark": False,
                "Parent_Key": ZERO_GUID,
                "IsFolder": False,
                "Code": "НФ-000012",
                "Description": PARTY["name"],
                "ИНН": PARTY["inn"],
                "КПП": PARTY["kpp"],
            }
        ],
        "Document_ЗаказПокупателя": [],
        "Document_СчетНаОплату": [],
        "Document_ПоступлениеНаСчет": [],
        "Document_ПоступлениеНаСчет_РасшифровкаПлатежа": [],
    }
    for order in orders.values():
        tables["Document_ЗаказПокупателя"].append(
            _row(order.guid, order.number, order.date, order.version, order.total)
            | {"Комментарий": f"{order.comment} {order.external_id}".strip(), "ДатаОтгрузки": EMPTY_DATE}
        )
        for invoice in order.invoices:
            row = _row(invoice.guid, invoice.number, invoice.date, invoice.version, invoice.amount)
            tables["Document_СчетНаОплату"].append(
                row
                | {"ДокументОснование": order.guid, "ДокументОснование_Type": "StandardODATA.Document_ЗаказПокупателя"}
            )
        for payment in order.payments:
            row = _row(payment.guid, payment.number, payment.date, payment.version, payment.amount)
            tables["Document_ПоступлениеНаСчет"].append(row | {"Posted": payment.posted})
            tables["Document_ПоступлениеНаСчет_РасшифровкаПлатежа"].append(
                {
                    "Ref_Key": payment.guid,
                    "LineNumber": "1",
                    "Заказ_Key": order.guid,
                    "СуммаПлатежа": roubles(payment.amount),
                }
            )
    return tables


def _row(guid: str, number: str, date: str, version: str, amount: int) -> dict[str, Any]:
    return {
        "Ref_Key": guid,
        "DataVersion": version,
        "DeletionMark": False,
        "Number": number,
        "Date": date,
        "Posted": True,
        "Ответственный_Key": ZERO_GUID,
        "СуммаДокумента": roubles(amount),
    }
