from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import StoredEvent
from integrations.onec import DocumentState, Judgement, OnecSettings, OrderState, judge, plan
from integrations.onec.webhook import stored_body
from tests.integrations.onec.given import NOW

DAY = "2024-05-01T09:00:00"
SETTINGS = OnecSettings(status_map={"Готов": "completed"})


@dataclass
class Shell:
    """What the turn does: both states are read, judged and written."""

    documents: dict[str, Any] = field(default_factory=dict)
    orders: dict[str, Any] = field(default_factory=dict)
    at: datetime = NOW

    def hears(self, **event: Any) -> Judgement:
        event.setdefault("document", {})
        document = {"guid": guid(1), "date": DAY, "number": "1", **event.pop("document")}
        event = {"order": {"guid": guid(9), "number": "УТ-9"}, **event, "document": document}
        made = plan(StoredEvent(1, "onec", event["kind"], "x", stored_body("b", event), self.at), SETTINGS)
        known = OrderState.from_json(self.orders.get(made.order_key or ""))
        judgement = judge(DocumentState.from_json(self.documents.get(made.state_key)), made.event, self.at, order=known)
        self.documents[made.state_key] = json.loads(json.dumps(judgement.new_state.as_json()))
        if made.order_key is not None and judgement.order is not None:
            self.orders[made.order_key] = json.loads(json.dumps(judgement.order.as_json()))
        return judgement

    def pays(self, paid: int, *, total: int = 100, doc: int = 1, **event: Any) -> Judgement:
        document = {"guid": guid(doc), **event.pop("document", {})}
        return self.hears(kind="payment_status", amount={"total": total, "paid": paid}, document=document, **event)

    def status(self, name: str, **event: Any) -> Judgement:
        final = event.pop("final", None)
        return self.hears(kind="order_status", status={"name": name, "final": final}, **event)

    @property
    def order(self) -> OrderState:
        (state,) = self.orders.values()
        known = OrderState.from_json(state)
        assert known is not None
        return known


def guid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def test_the_first_payment_is_told_and_its_repeat_is_not() -> None:
    shell = Shell()
    assert shell.pays(100).tell
    again = shell.pays(100)
    assert (again.result, again.tell) == ("accepted", False)


def test_an_older_seq_is_stale_and_changes_nothing() -> None:
    shell = Shell()
    shell.pays(100, seq=10)
    before = dict(shell.documents)
    assert shell.pays(50, seq=9).result == "stale"
    assert shell.documents == before
    assert shell.pays(50, seq=11).tell


def test_without_seq_the_time_decides_and_without_that_the_receipt() -> None:
    shell = Shell()
    shell.pays(100, occurred_at="2024-05-01T07:00:00Z")
    assert shell.pays(50, occurred_at="2024-05-01T06:59:59Z").result == "stale"
    shell.at += timedelta(seconds=1)
    assert shell.pays(50).result == "accepted"


def test_a_clock_that_runs_ahead_does_not_make_later_events_stale() -> None:
    shell = Shell()
    shell.pays(100, occurred_at="2030-01-01T00:00:00Z")
    shell.at += timedelta(minutes=1)
    assert shell.pays(50).result == "accepted"


def test_the_same_version_is_a_duplicate_whatever_its_seq() -> None:
    shell = Shell()
    shell.pays(100, seq=1, document={"version": "AAE="})
    assert shell.pays(50, seq=2, document={"version": "AAE="}).result == "duplicate"
    assert shell.pays(50, seq=2, document={"version": "AAI="}).tell


def test_notify_false_updates_silently() -> None:
    shell = Shell()
    assert not shell.pays(100, notify=False).tell
    assert shell.order.state == "paid"


@pytest.mark.parametrize(("date", "is_told"), [("2024-04-29T00:00:00", True), ("2024-04-27T00:00:00", False)])
def test_documents_older_than_three_days_are_not_told(date: str, is_told: bool) -> None:
    assert Shell().pays(100, document={"date": date}).tell is is_told


def test_a_payment_taken_back_is_recomputed_from_the_others_and_the_manager_is_alerted() -> None:
    shell = Shell()
    shell.pays(30, doc=1)
    shell.pays(100, doc=2)
    first = shell.pays(100, doc=1, document={"posted": False})
    assert (first.tell, shell.order.state, shell.order.paid) == (False, "partial", 7000)
    assert first.alert is not None
    assert "70,00 из 100,00 ₽" in first.alert
    second = shell.pays(0, doc=2, document={"deleted": True})
    assert (second.tell, shell.order.state, shell.order.paid) == (False, "unpaid", 0)
    assert second.alert is not None
    assert "помечен на удаление" in second.alert
    assert shell.pays(0, doc=2, document={"deleted": True}).alert is None


def test_reposting_what_the_customer_already_knows_is_not_told_again() -> None:
    shell = Shell()
    assert shell.pays(100).tell
    assert not shell.pays(100, document={"posted": False}).tell
    assert not shell.pays(100).tell
    assert shell.order.state == "paid"


def test_two_documents_that_tell_the_same_payment_are_told_once() -> None:
    shell = Shell()
    assert shell.pays(100, doc=1).tell
    assert not shell.pays(100, doc=2).tell


def test_taking_back_what_was_never_heard_of_alerts_nobody() -> None:
    judgement = Shell().pays(100, document={"posted": False})
    assert (judgement.result, judgement.alert, judgement.tell) == ("accepted", None, False)


def test_a_refund_is_told_and_lowers_what_is_paid() -> None:
    shell = Shell()
    shell.pays(100, doc=1)
    refund = shell.hears(kind="refund", amount={"paid": "-100,00"}, document={"guid": guid(2)})
    assert refund.tell
    assert (shell.order.state, shell.order.paid) == ("refunded", 0)
    shell.hears(kind="refund", amount={"paid": 100}, document={"guid": guid(2), "posted": False})
    assert (shell.order.state, shell.order.paid) == ("paid", 10000)


def test_a_sum_in_another_currency_goes_to_the_manager_and_not_to_the_customer() -> None:
    judgement = Shell().hears(kind="payment_status", amount={"total": 5, "paid": 5, "currency": "USD"})
    assert not judgement.tell
    assert judgement.alert is not None
    assert "USD" in judgement.alert


def test_a_final_status_holds_for_ten_minutes_against_events_without_seq() -> None:
    shell = Shell()
    shell.status("Готов")
    shell.at += timedelta(minutes=9)
    assert shell.status("В работе").result == "stale"
    assert shell.status("Закрыт", final=True).tell
    shell.at += timedelta(minutes=2)
    assert shell.status("В работе").tell


def test_a_newer_seq_reopens_a_final_status_at_once() -> None:
    shell = Shell()
    shell.status("Готов", seq=1)
    assert shell.status("В работе", seq=1).result == "stale"
    assert shell.status("В работе", seq=2).tell


def test_shipments_and_invoices_are_told_once() -> None:
    shell = Shell()
    for _ in range(2):
        judgements = [
            shell.hears(kind="shipment", shipment={"track": "1"}),
            shell.hears(kind="invoice_issued", invoice={"number": "45"}),
        ]
        assert {judgement.tell for judgement in judgements} == {not shell.documents.get("done")}
        shell.documents["done"] = True
    assert shell.hears(kind="invoice_issued", document={"posted": False}).alert is not None


def test_an_order_of_very_many_documents_keeps_its_sum() -> None:
    shell = Shell()
    for number in range(1, 251):
        shell.pays(number, total=1000, doc=number)
    assert shell.order.paid == 25000
    assert len(shell.order.parts) == 200


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 150), st.integers(0, 5), st.booleans(), st.booleans()), max_size=12
    )
)
def test_any_order_of_events_keeps_the_promises(events: list[tuple[int, int, int, bool, bool]]) -> None:
    shell = Shell()
    for doc, paid, seq, posted, notify in events:
        before = dict(shell.documents)
        judgement = shell.pays(paid, doc=doc, seq=seq, notify=notify, document={"posted": posted})
        if judgement.result != "accepted":
            assert shell.documents == before
            assert not judgement.tell
        if judgement.tell:
            assert posted
            assert notify
        stored = DocumentState.from_json(judgement.new_state.as_json())
        assert stored == judgement.new_state
