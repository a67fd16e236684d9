"""Every webhook sample is answered and understood as its `.meta.json` says."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from integrations.onec import DocumentState, OrderState, judge, plan
from integrations.onec.schemas import Moment, OnecEvent
from tests.integrations.onec.given import NOW, SAMPLES, SETTINGS, Inbox, inbox, request

METAS = sorted((SAMPLES / "webhook").glob("*.meta.json"))
KOPECKS = {"amount.total", "amount.paid"}


def body_of(meta: Path) -> bytes:
    name = meta.name.removesuffix(".meta.json")
    (found,) = [path for path in meta.parent.glob(f"{name}.*") if path != meta]
    return found.read_bytes()


def deliver(box: Inbox, meta: Path) -> tuple[int, Any]:
    told = json.loads(meta.read_bytes())
    status, answer, _ = box.receive(request(body_of(meta), headers=told["headers"]))
    return status, answer


def told_value(event: OnecEvent, path: str) -> Any:
    value: Any = event.document if path == "number" else event
    for part in path.split("."):
        value = getattr(value, part)
    if path in KOPECKS and value is not None:
        return f"{value / 100:.2f}"
    if isinstance(value, Moment):
        return value.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, dt.date) else value


def test_there_are_samples() -> None:
    assert len(METAS) == 33


@pytest.mark.parametrize("meta", METAS, ids=lambda meta: meta.name.removesuffix(".meta.json"))
def test_sample_is_answered_and_normalized_as_its_meta_says(meta: Path) -> None:
    expect = json.loads(meta.read_bytes())["expect"]
    box = inbox()
    state: DocumentState | None = None
    if after := expect.get("after"):
        assert deliver(box, meta.with_name(after.replace(".json", ".meta.json")))[0] == 200
        state = judge(None, plan(box.stored[0], SETTINGS).event, NOW).new_state
    if expect.get("result") == "unmatched":
        box.results = ["unmatched"]

    status, answer = deliver(box, meta)

    if expect.get("result") == "stale":
        assert judge(state, plan(box.stored[-1], SETTINGS).event, NOW).result == "stale"
        box.rows.popitem()
        box.results = ["stale"]
        status, answer = deliver(box, meta)
    assert status == expect["http"]
    if "results" in expect:
        results = [line["result"] + (f":{line['code']}" if "code" in line else "") for line in answer["results"]]
        assert results == expect["results"]
    elif status == 200:
        assert answer["ok"] is True
        assert [line["result"] for line in answer["results"]] == [expect["result"]]
    elif "error" in expect:
        assert (answer["error"]["code"], answer["error"]["field"]) == (expect["error"], expect["field"])
    if "normalized" in expect:
        event = plan(box.stored[-1], SETTINGS).event
        assert {path: told_value(event, path) for path in expect["normalized"]} == expect["normalized"]


@pytest.mark.parametrize(
    ("sample", "response"),
    [
        ("01_payment_paid", "200_single"),
        ("06_batch_with_one_bad", "200_batch"),
        ("28_missing_kind", "422"),
    ],
)
def test_answer_is_exactly_that_of_the_contract(sample: str, response: str) -> None:
    _, answer = deliver(inbox(), SAMPLES / "webhook" / f"{sample}.meta.json")
    assert answer == json.loads((SAMPLES / "webhook_responses" / f"{response}.json").read_bytes())


def test_conflict_is_answered_exactly_as_the_contract_says() -> None:
    box = inbox()
    deliver(box, SAMPLES / "webhook" / "01_payment_paid.meta.json")
    status, answer = deliver(box, SAMPLES / "webhook" / "21_same_id_other_body.meta.json")
    assert status == 409
    assert answer == json.loads((SAMPLES / "webhook_responses" / "409.json").read_bytes())


def test_the_same_event_in_another_packing_is_a_duplicate() -> None:
    box = inbox()
    results = [
        deliver(box, SAMPLES / "webhook" / f"{name}.meta.json")[1]["results"][0]["result"]
        for name in ("01_payment_paid", "09_utf8_with_bom", "10_utf16le_with_bom", "17_gzip")
    ]
    assert results == ["accepted", "duplicate", "duplicate", "duplicate"]
    assert len(box.rows) == 1


def test_unposting_after_paid_recomputes_alerts_and_does_not_tell_the_client() -> None:
    box = inbox()
    deliver(box, SAMPLES / "webhook" / "01_payment_paid.meta.json")
    deliver(box, SAMPLES / "webhook" / "18_unposted_rollback.meta.json")
    paid, unposted = (plan(stored, SETTINGS) for stored in box.stored)
    assert (paid.state_key, paid.order_key) == (unposted.state_key, unposted.order_key)

    first = judge(None, paid.event, NOW)
    assert first.tell
    second = judge(first.new_state, unposted.event, NOW, order=first.order)

    assert (second.result, second.tell) == ("accepted", False)
    assert second.alert is not None
    assert "НФНФ-000087" in second.alert
    assert second.order == OrderState(total=1530000, parts={}, state="unpaid", told=("paid", 1530000, 1530000))


def test_old_document_is_stored_and_not_told() -> None:
    box = inbox()
    deliver(box, SAMPLES / "webhook" / "25_old_document.meta.json")
    judgement = judge(None, plan(box.stored[0], SETTINGS).event, NOW)
    assert (judgement.result, judgement.tell, judgement.alert) == ("accepted", False, None)
