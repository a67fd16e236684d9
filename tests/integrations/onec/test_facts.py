from __future__ import annotations

import base64
from typing import Any

import pytest

from integrations.base import BusinessFact, CannotRead, Nothing, StoredEvent
from integrations.onec import OnecPlan, OnecSettings, invoice_bytes, plan, read
from integrations.onec.webhook import stored_body
from tests.integrations.onec.given import NOW, sample


def stored(event: Any, kind: str = "payment_status") -> StoredEvent:
    return StoredEvent(7, "onec", kind, "x", stored_body("unf-main", event), NOW)


def planned(event: Any, settings: OnecSettings | None = None) -> OnecPlan:
    return plan(stored(event), settings or OnecSettings())


def test_a_payment_has_the_fields_of_the_catalogue() -> None:
    made = planned({**sample("02_payment_partial_state_computed.json"), "order": {"external_id": "okdesk-1077"}})
    assert made.fact.event.kind == "onec.payment_changed"
    assert made.fact.event.fields == {
        "issue_id": 1077,
        "external_id": "okdesk-1077",
        "order_number": None,
        "invoice_number": None,
        "state": "partial",
        "total": 1530000,
        "paid": 500050,
        "due": 1029950,
    }
    assert made.fact.event.phone == "+79991234567"
    assert made.fact.event.id == "7"


def test_an_invoice_has_the_fields_of_the_catalogue_and_its_file_can_be_fetched() -> None:
    made = planned(sample("04_invoice_issued.json"))
    assert made.fact.event.kind == "onec.invoice_issued"
    assert made.fact.event.fields == {
        "issue_id": None,
        "external_id": "dlg-000184",
        "order_number": "НФНФ-000123",
        "invoice_number": "НФНФ-000045",
        "total": 1530000,
        "due_date": "2024-05-05",
        "url": None,
        "files": [{"id": "onec-event:7", "kind": "file", "name": "Счет 45.pdf", "mime": "application/pdf", "size": 24}],
    }
    found = invoice_bytes(stored(sample("04_invoice_issued.json")))
    assert found is not None
    assert found[1].startswith(b"%PDF")
    assert len(found[1]) == 24
    assert invoice_bytes(stored(sample("01_payment_paid.json"))) is None


def test_a_status_is_mapped_by_the_settings() -> None:
    event = {**sample("03_order_status.json"), "status": {"name": "Завершён"}}
    assert planned(event).fact.event.fields["status"] == "Завершён"
    made = planned(event, OnecSettings(status_map={"завершен": "completed"}))
    assert made.fact.event.kind == "onec.order_status_changed"
    assert made.fact.event.fields == {
        "issue_id": None,
        "external_id": "dlg-000184",
        "order_number": "НФНФ-000123",
        "status": "completed",
        "status_name": "Завершён",
        "final": True,
    }


def test_a_shipment_has_the_fields_of_the_catalogue() -> None:
    made = planned(sample("05_shipment.json"))
    assert made.fact.event.kind == "onec.order_shipped"
    assert made.fact.event.fields == {
        "issue_id": None,
        "external_id": "dlg-000184",
        "order_number": "НФНФ-000123",
        "date": "2024-05-02",
        "carrier": "СДЭК",
        "track": "10012345678",
    }


def test_a_refund_tells_what_was_returned() -> None:
    made = planned({**sample("01_payment_paid.json"), "kind": "возврат", "amount": {"total": 500, "paid": "−350,00"}})
    fields = made.fact.event.fields
    assert (fields["state"], fields["paid"], fields["due"]) == ("refunded", 35000, 0)


def test_dialogs_are_looked_for_in_the_order_of_the_contract() -> None:
    event = sample("04_invoice_issued.json")
    event["order"]["external_id"] = "okdesk-5"
    made = planned(event)
    assert made.subjects == (
        "onec-ext:okdesk-5",
        "issue:5",
        "onec-order:0c7f2a44-06f1-11ef-9a4c-00155d012a03",
        "onec-invoice:11aa53f0-06f2-11ef-9a4c-00155d012a03",
        "onec-doc:11aa53f0-06f2-11ef-9a4c-00155d012a03",
        "onec-ordernum:HФHФ-000123/2024",
        "onec-invnum:HФHФ-000045/2024",
        "onec-party:35067c4b-23a8-11ef-9a4c-00155d012a03",
    )
    assert made.weak_subjects == ("inn:7701234567", "phone:+79991234567")
    assert made.learns == made.subjects[:-1]
    assert made.fact.subjects == made.subjects + made.weak_subjects


def test_a_lone_flat_number_is_tried_as_document_invoice_and_order() -> None:
    made = planned(sample("07_flat_russian_minimal.json"))
    assert made.subjects == (
        "onec-docnum:УT00-000123/2024",
        "onec-invnum:УT00-000123/2024",
        "onec-ordernum:УT00-000123/2024",
    )
    assert made.learns == ("onec-docnum:УT00-000123/2024",)
    assert made.weak_subjects == ("phone:+79991234567",)


@pytest.mark.parametrize(
    ("order", "number", "guid"),
    [
        ("УТ00-000123", "УТ00-000123", None),
        ("Заказ покупателя УТ00-000123 от 30.04.2024 15:20:00", "УТ00-000123", None),
        ("0C7F2A44-06F1-11EF-9A4C-00155D012A03", None, "0c7f2a44-06f1-11ef-9a4c-00155d012a03"),
    ],
)
def test_an_order_told_as_a_string_is_a_number_a_presentation_or_a_reference(
    order: str, number: str | None, guid: str | None
) -> None:
    event = {**sample("01_payment_paid.json"), "order": order}
    assert (planned(event).event.order.number, planned(event).event.order.guid) == (number, guid)


def test_names_of_one_base_can_be_added() -> None:
    event = {"kind": "оплата", "GUID": "5d1d7c1e-07a0-11ef-9a4c-00155d012a03", "НомерЗаявки": "dlg-1", "Оплачен": True}
    made = planned(event, OnecSettings(aliases={"order.external_id": ("Номер заявки",)}))
    assert made.event.order.external_id == "dlg-1"


def test_paid_no_with_a_part_of_the_sum_is_partial() -> None:
    event = {"kind": "оплата", "GUID": "5d1d7c1e-07a0-11ef-9a4c-00155d012a03", "Сумма": 100, "Оплачено": 40}
    assert planned({**event, "Оплачен": "Нет"}).event.payment.state == "partial"
    assert planned({**event, "Оплачено": 0, "Оплачен": "Нет"}).event.payment.state == "unpaid"
    assert planned({**event, "Оплачено": 140}).event.payment.state == "overpaid"


def test_reading_alone_gives_the_fact_or_says_why_not() -> None:
    (fact,) = read(stored(sample("01_payment_paid.json")))
    assert isinstance(fact, BusinessFact)
    assert fact.title == "1С: заказ НФНФ-000123: оплачен"
    (nothing,) = read(stored(sample("25_old_document.json")))
    assert isinstance(nothing, Nothing)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", b"[1]", stored_body("b", 5), stored_body("b", {}), stored_body("b", {"kind": "ping"}),
             stored_body("b", {"kind": "?"}), stored_body("b", {"kind": "оплата"})]
)  # fmt: skip
def test_what_cannot_be_understood_says_so(body: bytes) -> None:
    with pytest.raises(CannotRead):
        plan(StoredEvent(1, "onec", "payment_status", "x", body, NOW))


def test_an_invoice_file_that_is_no_base64_is_left_out() -> None:
    event = sample("04_invoice_issued.json")
    event["invoice"]["file"]["base64"] = "не base64!"
    assert planned(event).fact.event.fields["files"] == []
    event["invoice"]["file"]["base64"] = base64.b64encode(b"12345").decode().rstrip("=")
    found = invoice_bytes(stored(event))
    assert found is not None
    assert found[1] == b"12345"
