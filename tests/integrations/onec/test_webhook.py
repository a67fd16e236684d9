from __future__ import annotations

import base64
import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.base import Answer, Received
from integrations.onec import OnecSettings, plan
from integrations.onec.webhook import OnecWebhook
from tests.integrations.onec.given import NOW, SAMPLES, SETTINGS, TOKEN, inbox, request, sample

PAID = sample("01_payment_paid.json")


def basic(login: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode(encoding)).decode("ascii")


# ------------------------------------------------------------------------------------------------------- sender


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"X-Token": TOKEN},
        {"Authorization": basic("1c", TOKEN)},
        {"Authorization": basic("Обмен", TOKEN)},
        {"Authorization": basic("Обмен", TOKEN, "cp1251")},
        {"Authorization": basic("1c", TOKEN).rstrip("=")},
        {"Authorization": "Bearer wrong", "X-Token": TOKEN},
    ],
)
def test_any_form_of_the_token_opens(headers: dict[str, str]) -> None:
    assert inbox().receive(request(PAID, headers=headers))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": TOKEN},
        {"Authorization": basic(TOKEN, "")},
        {"Authorization": "Basic \udcff\udcfe"},
        {"Authorization": "Basic не base64"},
        {"X-Token": "\ud800"},
        {"X-Token": ""},
    ],
)
def test_a_wrong_token_is_answered_as_the_contract_says(headers: dict[str, str]) -> None:
    status, answer, full = inbox().receive(request(PAID, headers=headers))
    assert status == 401
    assert answer == json.loads((SAMPLES / "webhook_responses" / "401.json").read_bytes())
    assert full.headers == (("WWW-Authenticate", 'Basic realm="1c", charset="UTF-8"'),)


def test_a_token_in_the_address_is_not_accepted() -> None:
    assert inbox().receive(request(PAID, headers={}, query={"token": [TOKEN]}))[0] == 401


def test_a_cyrillic_token_works() -> None:
    box = inbox(OnecSettings(webhook_token="секрет"))
    assert box.receive(request(PAID, headers={"X-Token": "секрет"}))[0] == 200


@pytest.mark.parametrize(
    ("remote", "status"),
    [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("2001:db8::5", 200), ("192.0.2.1", 403), (None, 403), ("?", 403)],
)
def test_only_the_networks_of_the_settings_may_call(remote: str | None, status: int) -> None:
    box = inbox(OnecSettings(webhook_token=TOKEN, allowed_networks=("10.0.0.0/8", "2001:db8::/32")))
    assert box.receive(request(PAID, remote=remote))[0] == status


def test_a_wrong_network_in_the_settings_stops_the_start() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0"):
        OnecWebhook(OnecSettings(webhook_token=TOKEN, allowed_networks=("10.0.0/99",)))


def test_get_with_the_token_tells_that_the_connection_works() -> None:
    status, answer, _ = inbox().receive(request(method="GET"))
    assert (status, answer) == (200, json.loads((SAMPLES / "webhook_responses" / "get_ok.json").read_bytes()))
    assert inbox().receive(request(method="GET", headers={}))[0] == 401
    assert inbox().receive(request(method="GET", query={"Номер": ["1"]}))[0] == 405
    assert inbox().receive(request(PAID, method="PUT"))[2].headers == (("Allow", "GET, POST"),)


# --------------------------------------------------------------------------------------------------- which base


@pytest.mark.parametrize(
    ("bases", "tail", "base_id", "status", "source"),
    [
        ((), "", None, 200, "onec"),
        ((), "", "any", 200, "any"),
        ((), "/main", None, 200, "main"),
        ((), "/main/", "unf", 200, "unf"),
        ((), "/a/b", None, 403, None),
        ((), "", "x" * 65, 403, None),
        (("unf",), "", None, 200, "unf"),
        (("unf",), "/unf", "unf", 200, "unf"),
        (("unf",), "/bp", None, 403, None),
        (("unf",), "/unf", "unf-copy", 403, None),
        (("unf", "bp"), "", "bp", 200, "bp"),
        (("unf", "bp"), "", None, 422, None),
        (("unf", "bp"), "/unf", "bp", 403, None),
    ],
)
def test_source_is_a_known_base(
    bases: tuple[str, ...], tail: str, base_id: str | None, status: int, source: str | None
) -> None:
    box = inbox(OnecSettings(webhook_token=TOKEN, base_ids=bases))
    event = {**PAID, "source": {"base_id": base_id}}
    assert box.receive(request(event, tail=tail))[0] == status
    assert [plan(stored).event.source for stored in box.stored] == ([source] if source else [])


def test_two_bases_may_use_the_same_ids() -> None:
    box = inbox(OnecSettings(webhook_token=TOKEN))
    for base in ("a", "b"):
        event = {**PAID, "id": "1", "source": {"base_id": base}}
        assert box.receive(request(event))[1]["results"][0]["result"] == "accepted"
    assert len(box.rows) == 2


def test_a_batch_from_a_foreign_base_is_refused_and_one_foreign_event_is_an_error_of_its_own() -> None:
    foreign = {**PAID, "id": "2", "source": {"base_id": "copy"}}
    status, answer, _ = inbox().receive(request({"events": [foreign, foreign]}))
    assert (status, answer["error"]["code"]) == (403, "unknown_base")
    status, answer, _ = inbox().receive(request([PAID, foreign]))
    assert [line.get("code", line["result"]) for line in answer["results"]] == ["accepted", "unknown_base"]


def test_the_base_of_a_batch_may_be_told_once() -> None:
    box = inbox(OnecSettings(webhook_token=TOKEN, base_ids=("a", "b")))
    bare = {name: value for name, value in PAID.items() if name != "source"}
    batch = {"source": {"base_id": "b", "timezone": "Asia/Omsk"}, "events": [bare]}
    assert box.receive(request(batch))[1]["accepted"] == 1
    event = plan(box.stored[0]).event
    assert event.source == "b"
    assert event.document.date is not None
    assert event.document.date.at.hour == 4  # 10:00 in Omsk


# ------------------------------------------------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<?xml version='1.0'?><a/>", ""),
        ("\ufeff  <V8Exch:Data/>".encode(), "text/plain"),
        (b"--x\r\nContent-Disposition: form-data\r\n", "multipart/form-data; boundary=x"),
    ],
)
def test_xml_and_multipart_are_415_with_a_hint(body: bytes, content_type: str) -> None:
    headers = {"X-Token": TOKEN, "Content-Type": content_type}
    status, answer, _ = inbox().receive(request(body, headers=headers))
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")
    assert "JSON" in answer["error"]["message"]


def test_json_under_the_type_of_xml_is_read() -> None:
    assert inbox().receive(request(PAID, headers={"X-Token": TOKEN, "Content-Type": "application/xml"}))[0] == 200


def test_what_is_not_json_is_400_with_the_position_and_its_bytes_are_kept() -> None:
    box = inbox()
    status, answer, _ = box.receive(request(b'{"kind":\n "ping",}'))
    assert (status, answer["error"]["code"]) == (400, "bad_json")
    assert "строка 2, позиция" in answer["error"]["message"]
    (row,) = box.rows.values()
    assert (row.kind, row.state, row.body) == ("unreadable", "dead", b'{"kind":\n "ping",}')
    assert box.receive(request(b'{"kind":\n "ping",}'))[0] == 400
    assert len(box.rows) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 900 + b"]" * 900,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b"\xff\xfe\x00",
        b"\x98\x98",
        b"nul",
        b"\x1f\x8b broken",
        b"data=",
        b"data=%ff%fe",
        b"data={broken",
    ],
)
def test_broken_bodies_are_400(body: bytes) -> None:
    assert inbox().receive(request(body))[0] == 400


@pytest.mark.parametrize("body", [b"1", b'"text"', b"null", b"true", b"NaN"])
def test_json_that_is_no_event_is_422(body: bytes) -> None:
    status, answer, _ = inbox().receive(request(body))
    assert (status, answer["error"]["code"]) == (422, "bad_event")


def test_nan_huge_numbers_double_keys_and_lone_surrogates_do_not_break() -> None:
    box = inbox()
    text = json.dumps({**PAID, "comment": "\ud800\x00", "extra": "EXTRA"}).replace(
        '"EXTRA"',
        '{"nan": NaN, "inf": -Infinity, "big": ' + "9" * 5000 + ', "exp": 1e999999999999999999999, "e": 1e99}',
    )
    text = text.replace('"v": 1', '"v": 1, "v": 2, "order": 5')
    status, answer, _ = box.receive(request(text))
    assert (status, answer["results"][0]["result"]) == (200, "accepted")
    assert plan(box.stored[0]).event.amount.total == 1530000
    box.stored[0].body.decode("utf-8")


def test_nan_as_a_sum_is_an_error_of_that_field() -> None:
    text = json.dumps(PAID).replace('"total": 15300.0', '"total": NaN')
    status, answer, _ = inbox().receive(request(text))
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, "bad_amount", "amount.total")


@pytest.mark.parametrize("is_unpacked", [True, False])
def test_gzip_is_read_whether_the_http_layer_unpacked_it_or_not(is_unpacked: bool) -> None:
    body = json.dumps(PAID).encode()
    headers = {"X-Token": TOKEN, "Content-Encoding": "gzip"}
    assert inbox().receive(request(body if is_unpacked else gzip.compress(body), headers=headers))[0] == 200


def test_gzip_of_several_members_is_read_and_a_cut_one_is_400() -> None:
    body = json.dumps(PAID).encode()
    assert inbox().receive(request(gzip.compress(body[:50]) + gzip.compress(body[50:])))[0] == 200
    assert inbox().receive(request(gzip.compress(body)[:-20]))[0] == 400


def test_a_gzip_bomb_is_413_without_being_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(60)) + packer.flush()
    assert len(bomb) < 100_000
    assert inbox().receive(request(bomb))[0] == 413
    many = gzip.compress(b" " * 2**20) * 6
    assert inbox().receive(request(many))[0] == 413


def test_more_than_five_megabytes_or_500_events_are_413_and_an_empty_batch_is_422() -> None:
    assert inbox().receive(request(b" " * (5 * 2**20 + 1)))[0] == 413
    assert inbox().receive(request([{"kind": "ping"}] * 501))[0] == 413
    assert inbox().receive(request([{"kind": "ping"}] * 500))[1]["accepted"] == 500
    assert inbox().receive(request({"events": []}))[1]["error"]["field"] == "events"


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/json; charset=iso-8859-1", "a; charset=utf-16", "a; charset=zlib"]
)
def test_utf8_is_read_under_any_declared_charset(content_type: str) -> None:
    box = inbox()
    headers = {"X-Token": TOKEN, "Content-Type": content_type}
    assert box.receive(request(PAID, headers=headers))[0] == 200
    assert plan(box.stored[0]).event.counterparty.name == "ООО Ромашка"


@pytest.mark.parametrize("charset", ["koi8-r", "cp866", "utf-16le", "utf-16be", "windows-1251"])
def test_a_declared_charset_is_believed_if_it_decodes(charset: str) -> None:
    box = inbox()
    body = json.dumps(PAID, ensure_ascii=False).encode(charset)
    assert box.receive(request(body, headers={"X-Token": TOKEN, "Content-Type": f"a/b;charset={charset}"}))[0] == 200
    assert plan(box.stored[0]).event.counterparty.name == "ООО Ромашка"


@pytest.mark.parametrize("prefix", ["data=", "json="])
def test_a_form_field_without_url_encoding_is_read(prefix: str) -> None:
    assert inbox().receive(request(prefix + json.dumps(PAID, ensure_ascii=False)))[0] == 200


# ------------------------------------------------------------------------------------------------------- events


def test_a_test_event_is_checked_and_not_stored() -> None:
    box = inbox()
    assert box.receive(request({**PAID, "test": "Да"}))[1]["results"][0]["result"] == "accepted"
    assert box.receive(request({**PAID, "test": True, "amount": {"total": "x"}}))[0] == 422
    assert box.receive(request([{**PAID, "test": True}, {"kind": "ping"}]))[1]["accepted"] == 2
    assert not box.rows


def test_a_refused_event_is_kept_dead_and_the_corrected_one_is_accepted_under_the_same_id() -> None:
    box = inbox()
    broken = {**PAID, "payment": {"state": "Под вопросом"}}
    assert box.receive(request(broken))[0] == 422
    (row,) = box.rows.values()
    assert (row.state, row.kind, row.error) == ("dead", "payment_status", "unknown_payment_state: payment.state")
    status, answer, _ = box.receive(request(PAID))
    assert (status, answer["results"][0]["result"]) == (200, "accepted")


def test_a_word_added_to_the_settings_makes_the_dead_event_readable() -> None:
    box = inbox()
    box.receive(request({**PAID, "payment": {"state": "Под вопросом"}}))
    (row,) = box.rows.values()
    box.rows = {row.external_id: replace(row, state="waiting")}
    made = plan(box.stored[0], OnecSettings(payment_words={"под вопросом": "partial"}))
    assert made.event.payment.state == "partial"


def test_the_header_is_the_key_of_a_single_event_without_id() -> None:
    box = inbox()
    event = {name: value for name, value in PAID.items() if name != "id"}
    headers = {"X-Token": TOKEN, "Idempotency-Key": "key-1"}
    assert box.receive(request(event, headers=headers))[1]["results"][0] == {"id": "key-1", "result": "accepted"}
    assert box.receive(request(event, headers=headers))[1]["results"][0]["result"] == "duplicate"
    assert box.receive(request({**event, "comment": "x"}, headers=headers))[0] == 409
    assert list(box.rows) == ["unf-main:id:key-1"]


def test_without_any_key_version_or_content_makes_it() -> None:
    box = inbox()
    event = {name: value for name, value in PAID.items() if name != "id"}
    bare = {**event, "document": {**event["document"], "version": None}}
    outcomes = [
        box.receive(request(body))[1]
        for body in (event, event, {**event, "comment": "same version"}, bare, {**bare, "comment": "other"}, bare)
    ]
    told = [answer["results"][0]["result"] if answer["ok"] else answer["error"]["code"] for answer in outcomes]
    assert told == ["accepted", "duplicate", "conflict", "accepted", "accepted", "duplicate"]


def test_a_batch_tells_conflict_duplicate_and_the_words_of_the_turn() -> None:
    box = inbox()
    box.receive(request(PAID))
    box.results = ["stale", "unmatched", None, "nonsense"]
    others = [{**PAID, "id": f"{number}"} for number in range(4)]
    status, answer, _ = box.receive(request({"events": [PAID, {**PAID, "comment": "x"}, *others, 5]}))
    results = [line["result"] for line in answer["results"]]
    assert status == 200
    assert results == ["duplicate", "conflict", "stale", "unmatched", "accepted", "accepted", "error"]
    assert answer["accepted"] == 2
    assert answer["results"][1]["code"] == "conflict"


def test_the_answer_may_wait_for_the_turn_only_when_there_is_one() -> None:
    webhook = OnecWebhook(SETTINGS)
    waiting, dead = webhook.receive(request(PAID)), webhook.receive(request(b"{"))
    assert isinstance(waiting, Received)
    assert isinstance(dead, Received)
    assert (waiting.wait_s, dead.wait_s) == (0.8, 0.0)
    assert waiting.events[0].key == "onec:unf-main:5d1d7c1e-07a0-11ef-9a4c-00155d012a03"
    assert waiting.events[0].occurred_at is None  # so that the same id with another time is found as a conflict
    assert isinstance(webhook.receive(request({"kind": "ping"})), Answer)


def test_the_bytes_of_a_batch_are_kept_once() -> None:
    call = request([PAID, {**PAID, "id": "2"}])
    received = OnecWebhook(SETTINGS).receive(call)
    assert isinstance(received, Received)
    assert received.body == call.body
    assert all(len(event.body) < len(call.body) for event in received.events)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"kind": ""}, "missing_field", "kind"),
        ({"document": {}}, "missing_field", "document.guid"),
        ({"document": {"number": "1"}}, "missing_field", "document.date"),
        ({"document": {"guid": "nonsense"}}, "bad_guid", "document.guid"),
        ({"document": {"number": "1", "date": "вчера"}}, "bad_time", "document.date"),
        ({"document": {**PAID["document"], "posted": "может быть"}}, "bad_bool", "document.posted"),
        ({"occurred_at": "soon"}, "bad_time", "occurred_at"),
        ({"seq": "abc"}, "bad_number", "seq"),
        ({"id": "x" * 201}, "too_long", "id"),
        ({"amount": {}, "payment": {}}, "missing_field", "amount.paid"),
        ({"amount": {"paid": 5}, "payment": {}}, "missing_field", "amount.total"),
        ({"kind": "order_status"}, "missing_field", "status.name"),
        ({"kind": "возврат", "amount": {}}, "missing_field", "amount.paid"),
    ],
)
def test_a_field_that_is_absent_or_unreadable_is_named(change: dict[str, Any], code: str, field: str) -> None:
    status, answer, _ = inbox().receive(request({**PAID, **change}))
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, code, field)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["kind", "id", "seq", "test", "notify", "occurred_at", "source", "document", "order", "invoice", "counterparty",
     "amount", "payment", "status", "shipment", "events", "Номер", "Дата", "Сумма", "Оплачен", "Ссылка", "Заказ"]
)  # fmt: skip
KINDS = st.sampled_from(["payment_status", "order_status", "invoice_issued", "shipment", "refund", "ping", "?"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(NAMES, JSON_VALUES, max_size=8), KINDS, st.booleans())
def test_any_json_is_answered_and_what_is_accepted_can_be_planned(
    content: dict[str, Any], kind: str, is_over_a_good_one: bool
) -> None:
    box = inbox()
    event = {**PAID, **content} if is_over_a_good_one else content
    status, _, _ = box.receive(request({**event, "kind": kind}))
    assert status in (200, 403, 413, 422)
    for stored in box.stored:
        made = plan(stored, SETTINGS)
        json.dumps(made.fact.event.fields)


@settings(deadline=None)
@given(st.binary(max_size=200), st.text(st.characters(codec="latin-1"), max_size=40))
def test_any_bytes_are_answered(body: bytes, content_type: str) -> None:
    received = OnecWebhook(SETTINGS).receive(request(body, headers={"X-Token": TOKEN, "Content-Type": content_type}))
    assert isinstance(received, Answer | Received)
    assert NOW.tzinfo is not None
