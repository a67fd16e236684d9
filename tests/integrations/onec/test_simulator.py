"""The simulated 1C speaks to our webhook by real HTTP, with all the habits of contract §2 and §5."""

from __future__ import annotations

import pytest

from integrations.onec import DocumentState, judge, plan
from integrations.onec.simulated_sender import Packing
from tests.integrations.onec.conftest import Office


async def test_a_day_of_the_bookkeeper_arrives(office: Office) -> None:
    heard: list[int] = []
    office.onec.changed = lambda: heard.append(1)
    await office.onec.invoice(77, 350000)
    await office.onec.pay(77, 100000)
    await office.onec.pay(77, 250000)
    await office.onec.set_status(77, "Готов", final=True)
    await office.onec.ship(77, "СДЭК", "10012345678")
    await office.onec.refund(77, 350000)
    await office.onec.delivered()
    events = [plan(stored).event for stored in office.box.stored]
    assert [event.kind for event in events] == [
        "invoice_issued", "payment_status", "payment_status", "order_status", "shipment", "refund",
    ]  # fmt: skip
    assert [event.payment.state for event in events if event.payment.state] == ["partial", "paid", "refunded"]
    assert {plan(stored).subjects[1] for stored in office.box.stored} == {"issue:77"}
    assert office.onec.payments() == [
        {
            "order": "okdesk-77",
            "issue": 77,
            "number": office.onec.orders["okdesk-77"].number,
            "total": 350000,
            "paid": 0,
            "state": "refunded",
        }
    ]
    assert heard
    office.onec.reset()
    assert office.onec.payments() == []


@pytest.mark.parametrize(
    "packing",
    [
        Packing(bom=True),
        Packing(encoding="utf-16-le", bom=True),
        Packing(encoding="cp1251", content_type=None),
        Packing(encoding="cp1251"),
        Packing(gzip=True, auth="x-token"),
        Packing(form_field=True, single=True, auth="basic"),
        Packing(flat=True, single=True),
        Packing(flat=True, encoding="cp1251", content_type="text/plain"),
    ],
    ids=str,
)
async def test_every_packing_is_understood(office: Office, packing: Packing) -> None:
    office.onec.sender.packing = packing
    await office.onec.pay(77, 1234567, total_kopecks=2000000)
    await office.onec.delivered()
    (event,) = [plan(stored).event for stored in office.box.stored]
    assert (event.payment.state, event.amount.total, event.amount.paid) == ("partial", 2000000, 1234567)
    assert event.order.external_id == "okdesk-77"
    assert event.document.date is not None
    assert event.document.date.at.isoformat() == "2024-05-01T07:00:06+00:00"
    assert not office.onec.sender.stuck


async def test_events_survive_outages_and_a_lost_answer_is_repeated_with_the_same_id(office: Office) -> None:
    office.answers.extend([500, 503, 0, 502])
    await office.onec.pay(1, 100)
    await office.onec.delivered()
    assert len(office.box.rows) == 1
    assert not office.answers


async def test_doubled_deliveries_count_once(office: Office) -> None:
    office.onec.trouble = "duplicate"
    await office.onec.pay(1, 100)
    await office.onec.delivered()
    assert len(office.box.rows) == 1


async def test_a_refused_token_leaves_the_events_with_the_programmer(office: Office) -> None:
    office.onec.sender.packing = Packing(auth="none")
    await office.onec.pay(1, 100)
    await office.onec.delivered()
    assert [why for _, why in office.onec.sender.stuck] == ["HTTP 401"]


async def test_swapped_events_are_stale_and_a_rollback_alerts(office: Office) -> None:
    await office.onec.set_status(5, "Новый")
    await office.onec.set_status(5, "В работе")
    await office.onec.pay(5, 100)
    await office.onec.unpost(5)
    await office.onec.delivered()
    new, working, paid, unposted = [plan(stored).event for stored in office.box.stored]
    known = judge(None, working, working.received_at).new_state
    assert judge(known, new, new.received_at).result == "stale"
    told = judge(None, paid, paid.received_at)
    taken_back = judge(DocumentState.from_json(told.new_state.as_json()), unposted, paid.received_at, order=told.order)
    assert (told.tell, taken_back.tell, taken_back.alert is not None) == (True, False, True)


async def test_a_batch_with_one_bad_event_and_a_foreign_base(office: Office) -> None:
    good = await office.onec.pay(1, 100)
    await office.onec.delivered()
    bad = {**good, "id": "bad", "amount": {"total": "сто рублей"}}
    status, answer = await office.onec.send(good, bad, {**good, "id": "new"})
    assert (status, [line["result"] for line in answer["results"]]) == (200, ["duplicate", "error", "accepted"])
    status, _ = await office.onec.send({**good, "source": {"base_id": "unf-copy"}}, packing=Packing(single=True))
    assert status == 403


async def test_ten_thousand_old_documents_are_kept_and_nobody_is_told(office: Office) -> None:
    office.onec.sender.packing = Packing(gzip=True)
    await office.onec.repost_old(10_000)
    await office.onec.delivered()
    assert len(office.box.rows) == 10_000
    for stored in office.box.stored[::500]:
        assert not judge(None, plan(stored).event, stored.received_at).tell
