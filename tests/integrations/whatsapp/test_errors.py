"""Meta's error codes over real HTTP: every sample answer and every code of the contract's table."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest
from aiohttp import web

from integrations.base import Done, Later, Never, Unknown
from integrations.whatsapp.errors import DECISIONS, GraphError, decide, key_of, opaque, refusal
from tests.integrations.whatsapp.given import SAMPLES, ApiServer, order, sample, text

ANNA = "79161234501"
OUTCOMES: dict[str, tuple[type[Exception], dict[str, Any]]] = {
    "err_100_parameter": (Never, {"code": "invalid", "stops_system": False}),
    "err_10_permission": (Never, {"stops_system": True}),
    "err_130429_throughput": (Later, {"scope": "system", "retry_after_s": 1.0}),
    "err_131000_unknown": (Unknown, {}),
    "err_131009_parameter": (Never, {"code": "invalid"}),
    "err_131016_unavailable": (Unknown, {}),
    "err_131026_undeliverable": (Never, {"unreachable": True}),
    "err_131030_not_allowed": (Never, {"code": "invalid"}),
    "err_131031_locked": (Never, {"stops_system": True}),
    "err_131042_payment": (Later, {"scope": "row", "retry_after_s": 3600.0}),
    "err_131047_window": (Never, {"window_closed": True}),
    "err_131048_spam": (Later, {"scope": "row", "retry_after_s": 3600.0}),
    "err_131056_pair_rate": (Later, {"scope": "recipient", "retry_after_s": 4.0}),
    "err_131056_pair_rate_http400": (Later, {"scope": "recipient", "retry_after_s": 4.0}),
    "err_131062_bsuid": (Never, {"code": "invalid"}),
    "err_132000_template_params": (Never, {"code": "invalid"}),
    "err_132001_template_missing": (Never, {"code": "not_found"}),
    "err_132015_template_paused": (Never, {"code": "forbidden", "stops_system": False}),
    "err_133010_not_registered": (Never, {"stops_system": True}),
    "err_190_token": (Never, {"stops_system": True}),
    "err_2_service": (Unknown, {}),
    "err_368_blocked": (Never, {"stops_system": True}),
    "err_4_app_rate": (Later, {"scope": "system", "retry_after_s": 60.0}),
    "err_502_html": (Unknown, {}),
    "err_80007_waba_rate": (Later, {"scope": "system"}),
}


def answering(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, content_type=content_type, headers=renamed)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    return app


def test_every_sample_answer_has_its_outcome_here() -> None:
    assert set(OUTCOMES) == {path.stem for path in (SAMPLES / "responses").glob("err_*.json")}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_every_sample_refusal_is_decided(name: str, against: ApiServer) -> None:
    given = json.loads(sample(f"responses/{name}.json"))
    body = given["body_text"].encode() if "body_text" in given else json.dumps(given["body"]).encode()
    whatsapp = await against(answering(given["http_status"], body, given.get("content_type", "application/json")))
    kind, facts = OUTCOMES[name]
    with pytest.raises(kind) as caught:
        await whatsapp.actions["send"].run(order(ANNA, text("да")))
    assert {fact: getattr(caught.value, fact) for fact in facts} == facts


@pytest.mark.parametrize(
    ("name", "wamid", "result"),
    [
        ("send_ok", "wamid.HBgLNzkxNjEyMzQ1MDEVAgARGBRFODlGMjQzQUVFQjY0MjA4QkNFNgA=", {"wa_id": ANNA}),
        (
            "send_ok_bsuid",
            "wamid.HBgLNzAwMDAwMDAwMDAVAgARGBQ2QUZGODJCQUU0MEE4MDBDREQ3MAA=",
            {"user_id": "RU.7100000000000000003"},
        ),
        (
            "send_ok_template_paced",
            "wamid.HBgLNzkxNjEyMzQ1MDEVAgARGBQ0MzMwQkY4NkY2QjU3ODVDNTY4QwA=",
            {"wa_id": ANNA, "message_status": "held_for_quality_assessment"},
        ),
    ],
)
async def test_every_sample_success_gives_the_wamid(
    name: str, wamid: str, result: dict[str, str], against: ApiServer
) -> None:
    given = json.loads(sample(f"responses/{name}.json"))
    whatsapp = await against(answering(200, json.dumps(given["body"]).encode()))
    assert await whatsapp.actions["send"].run(order(ANNA, text("да"))) == Done(result, external_id=wamid)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{}", b"[]", b'{"messages": []}', b'{"messages": [{"id": 5}]}', b'{"messages": {"id": "wamid"}}'],
)
async def test_a_success_that_names_no_message_is_unknown(body: bytes, against: ApiServer) -> None:
    whatsapp = await against(answering(200, body))
    with pytest.raises(Unknown):
        await whatsapp.actions["send"].run(order(ANNA, text("да")))


async def test_an_error_in_a_200_is_an_error(against: ApiServer) -> None:
    whatsapp = await against(answering(200, b'{"error": {"code": "131047"}}'))
    with pytest.raises(Never) as caught:
        await whatsapp.actions["send"].run(order(ANNA, text("да")))
    assert caught.value.window_closed


async def test_retry_after_lengthens_the_wait(against: ApiServer) -> None:
    whatsapp = await against(answering(429, b'{"error": {"code": 130429}}', Retry_After="120"))
    with pytest.raises(Later) as caught:
        await whatsapp.actions["send"].run(order(ANNA, text("да")))
    assert caught.value.retry_after_s == 120


Outcome = Literal["later", "never", "unknown"]
TABLE: list[tuple[Outcome, list[int]]] = [
    ("later", [130429, 80007, 4, 613, 131056, 131048, 131064, 131057, 133004, 131042, 131044]),
    ("never", [131047, 131026, 131049, 130472, 131050, 131021, 131030, 131009, 131008, 100, 135000, 33]),
    ("never", [131051, 131053, 131052, 131062, 137000, 132000, 132001, 132005, 132007, 132008, 132012]),
    ("never", [132015, 132016, 132068, 132069, 0, 190, 3, 10, 200, 250, 299, 131005, 368, 131031, 130497]),
    ("never", [133010, 133000, 133016, 131045, 131037]),
    ("unknown", [1, 2, 131000, 131016]),
]


@pytest.mark.parametrize(("outcome", "code"), [(outcome, code) for outcome, codes in TABLE for code in codes])
def test_every_code_of_the_contract_is_decided_whatever_the_http_status(outcome: Outcome, code: int) -> None:
    for status in (200, 400, 401, 403, 429, 500, 503):
        assert decide(GraphError(code), status).outcome == outcome


def test_only_token_account_and_number_trouble_stops_everything() -> None:
    stopping = {code for code, decision in DECISIONS.items() if decision.stops_system}
    assert stopping >= {0, 190, 3, 10, 200, 299, 131005, 368, 131031, 130497, 133010, 133000, 131045, 131037}
    assert not stopping & {131047, 131026, 131048, 131042, 100, 133004, 132015}


def test_an_unknown_code_is_believed_only_where_it_surely_was_a_refusal() -> None:
    assert decide(GraphError(999_999), 400).outcome == "never"
    assert decide(GraphError(999_999, is_transient=True), 400).outcome == "later"
    assert decide(GraphError(999_999, is_transient=True), 500).outcome == "unknown"
    assert decide(GraphError(None), 500).outcome == "unknown"


def test_the_pair_rate_waits_four_to_the_power_of_n() -> None:
    waits = [DECISIONS[131056].wait_s(attempt) for attempt in range(1, 9)]
    assert waits == [4, 16, 64, 256, 1024, 4096, 4096, 4096]
    assert DECISIONS[130429].wait_s(10**9) == 60


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"error": 1}', b'{"error": []}', b"\xff"],
)
def test_a_body_without_an_error_has_none(body: bytes) -> None:
    assert GraphError.of(body) is None


def test_an_error_of_strange_types_is_still_an_error() -> None:
    error = GraphError.of(b'{"error": {"code": "x", "message": 5, "error_data": "y", "error_subcode": "463"}}')
    assert error == GraphError(None, 463)
    assert isinstance(refusal(GraphError(None), 400, attempt=1), Never)


def test_the_key_survives_the_way_there_and_back() -> None:
    assert opaque("send/d1/7/0", 2) == "send/d1/7/0#2"
    assert key_of("send/d1/7/0#2") == "send/d1/7/0"
    assert key_of("order#17") == "order"  # a foreign key of that form is no key of ours anyway
    assert key_of(opaque("a#1", 12)) == "a#1"
    assert key_of(None) is None
    assert len(opaque("k" * 600, 1)) == 512
    assert re.fullmatch("k+#1", opaque("k" * 600, 1))
