"""What operators, load balancers and web sites ask of us: lists, single rows, forms, health, metrics, documentation."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot.service import EVERYTHING, GROUP, Alone, alone, given_dialog
from tests.stage import API_TOKEN, BEARER, TELEGRAM_WEBHOOK, sqlite_url
from tests.waiting import until

LISTS = ("/api/v1/webhooks/events", "/api/v1/dialogs", "/api/v1/deliveries", "/api/v1/logs")
FORM = {"form": "callback", "name": "Олег", "phone": "8 (999) 111-22-33", "page": "/prices"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
        yield service


async def post_updates(service: Alone, number: int) -> None:
    for update_id in range(number):
        assert (await service.telegram(b'{"update_id": %d, "poll": {}}' % update_id)).status == 200
    await service.handled()


async def stop_work(service: Alone) -> None:
    """The addresses stay, the loops behind them end."""
    inner = service.service
    for loop in (inner.timers, inner.worker, inner.sender):
        assert loop is not None
        await loop.stop()
    await asyncio.gather(*inner._loops)


# ------------------------------------------------------------------------------------------------------------- access


@pytest.mark.parametrize("path", [*LISTS, "/api/v1/webhooks/events/1", "/api/v1/dialogs/1"])
async def test_reading_needs_the_bearer_token(service: Alone, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {API_TOKEN}"},
                    {"Authorization": "Bearer тайна"}, {"Authorization": "Bearer"}):  # fmt: skip
        answer = await service.get(path, headers)
        assert (answer.status, answer.json["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await service.get(path, {"Authorization": f"bearer  {API_TOKEN}"})).status in (200, 404)


async def test_without_a_token_only_this_machine_may_read(tmp_path: Path) -> None:
    async with alone(sqlite_url(tmp_path), **{**EVERYTHING, "API_TOKEN": ""}) as service:
        assert (await service.get("/api/v1/dialogs", {})).status == 200
        for name in ("X-Forwarded-For", "Forwarded"):
            answer = await service.get("/api/v1/dialogs", {name: "203.0.113.5"})
            assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden")


# -------------------------------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize("path", LISTS)
async def test_wrong_parameters_are_422_and_name_the_field(service: Alone, path: str) -> None:
    for query in ("limit=0", "limit=201", "limit=-1", "limit=ten", "limit=٣", "limit=" + "9" * 5000, "skip=-1",
                  "skip=1.5", "skip=", "limit=", "skip=99999999999999999999"):  # fmt: skip
        answer = await service.get(f"{path}?{query}")
        assert answer.status == 422, query
        assert answer.json["error"]["details"]["field"] == query.partition("=")[0]
    if path != "/api/v1/logs":
        answer = await service.get(f"{path}?state=nonsense")
        assert (answer.status, answer.json["error"]["details"]) == (422, {"field": "state"})
    empty = (await service.get(f"{path}?skip=0&limit=200")).json
    assert empty == {"total": 0, "items": []}


@pytest.mark.parametrize(
    "path",
    ["/api/v1/webhooks/events/{}", "/api/v1/dialogs/{}"],
)
async def test_what_is_not_there_is_404(service: Alone, path: str) -> None:
    for id_ in ("1", "0", "-1", "abc", "9" * 30, "1.5", "%D0%B9", "1%00"):
        answer = await service.get(path.format(id_))
        assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


async def test_events_are_listed_newest_first_in_pages(service: Alone) -> None:
    await post_updates(service, 7)
    whole = (await service.get("/api/v1/webhooks/events")).json
    ids = [item["id"] for item in whole["items"]]
    assert whole["total"] == 7
    assert ids == sorted(ids, reverse=True)
    second = (await service.get("/api/v1/webhooks/events?skip=3&limit=2")).json
    assert (second["total"], [item["id"] for item in second["items"]]) == (7, ids[3:5])
    assert (await service.get("/api/v1/webhooks/events?skip=7")).json == {"total": 7, "items": []}
    assert set(whole["items"][0]) == {
        "id", "source", "kind", "external_id", "state", "received_at", "processed_at", "attempts", "error", "dialog_id",
        "order_id",
    }  # fmt: skip
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", item["received_at"]) for item in whole["items"])


async def test_events_are_filtered_by_source_and_state(service: Alone) -> None:
    await post_updates(service, 2)
    await service.telegram(b"not json")
    await service.okdesk(b'{"event": {"event_type": "nobody_knows_it"}}')
    await service.handled()

    async def total(query: str) -> int:
        return int((await service.get(f"/api/v1/webhooks/events?{query}")).json["total"])

    assert await total("source=telegram") == 3
    assert await total("source=telegram&state=dead") == 1
    assert await total("source=okdesk&state=ignored") == 1
    assert await total("state=waiting") == 0
    assert await total("source=nobody") == 0
    assert await total("source=%27%20or%201=1--") == 0


async def test_an_event_can_be_replayed_and_one_that_waits_cannot(service: Alone) -> None:
    await post_updates(service, 1)
    [event] = await service.events()
    answer = await service.request("POST", f"/api/v1/webhooks/events/{event['id']}/replay", headers=BEARER)
    assert (answer.status, answer.json) == (202, {"id": event["id"], "state": "waiting"})
    await service.handled()
    [again] = await service.events()
    assert again["state"] == event["state"]
    assert again["processed_at"] > event["processed_at"]
    await stop_work(service)
    await service.request("POST", f"/api/v1/webhooks/events/{event['id']}/replay", headers=BEARER)
    answer = await service.request("POST", f"/api/v1/webhooks/events/{event['id']}/replay", headers=BEARER)
    assert (answer.status, answer.json["error"]["code"]) == (409, "still_waiting")
    answer = await service.request("POST", "/api/v1/webhooks/events/424242/replay", headers=BEARER)
    assert answer.status == 404


async def test_dialogs_are_found_by_channel_address_and_state(service: Alone) -> None:
    one = await given_dialog(service.service, subjects=["issue:1077"], phone="+79990000001")
    await given_dialog(service.service, subjects=[], phone="+79990000002")

    async def found(query: str) -> list[int]:
        return [item["id"] for item in (await service.get(f"/api/v1/dialogs?{query}")).json["items"]]

    assert len(await found("")) == 2
    assert await found("address=79990000001") == [one]
    assert await found("address=%2B79990000001&channel=whatsapp&state=active") == [one]
    assert await found("address=79990000001&channel=telegram") == []
    assert await found("state=closed") == []
    dialog = (await service.get(f"/api/v1/dialogs/{one}")).json
    assert dialog["step"] == "lead.watch"
    assert dialog["issues"] == [{"id": 1077, "number": "1077", "status": None}]
    assert {"messages", "turns", "payments", "orders", "variables"} <= set(dialog)


async def test_deliveries_and_calls_are_shown_without_secrets(tmp_path: Path) -> None:
    async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
        body = {"update_id": 5, "message": {"message_id": 1, "date": int(service.service.clock.now().timestamp()),
                "chat": {"id": 77, "type": "private"}, "from": {"id": 77, "is_bot": False, "first_name": "Анна"},
                "text": "/start"}}  # fmt: skip
        await service.telegram(json.dumps(body).encode())
        await service.handled()

        async def waits() -> Any:
            return (await service.get("/api/v1/deliveries?state=waiting")).json["items"]

        item = (await until(waits, "nothing was ordered"))[0]
        assert set(item) == {
            "id", "system", "action", "recipient", "key", "state", "attempts", "next_try_at", "error", "external_id",
        }  # fmt: skip
        assert (item["system"], item["action"], item["recipient"], item["state"]) == (
            "telegram",
            "send",
            "77",
            "waiting",
        )
        assert (await service.get("/api/v1/deliveries?state=done")).json["total"] == 0

        async def called() -> Any:
            return (await service.get("/api/v1/logs")).json["items"]

        calls = await until(called, "no call was noted")
        assert {"system", "method", "url", "status", "duration_ms", "request", "response", "at", "id"} <= set(calls[0])
        assert EVERYTHING["TELEGRAM_BOT_TOKEN"] not in json.dumps(calls)


# -------------------------------------------------------------------------------------------------------------- forms


async def test_a_form_begins_a_lead_with_the_template_for_strangers(service: Alone) -> None:
    answer = await service.request("POST", "/api/v1/forms", json.dumps(FORM).encode(), BEARER)
    assert answer.status == 202
    assert answer.json["accepted"] is True
    await service.handled()
    [dialog] = (await service.get("/api/v1/dialogs")).json["items"]
    assert (dialog["flow"], dialog["channel"], dialog["address"]) == ("lead", "whatsapp", "79991112233")
    event = await service.event(answer.json["event_id"])
    assert (event["source"], event["kind"], event["state"]) == ("site", "form_sent", "done")
    [send] = (await service.get("/api/v1/deliveries")).json["items"]
    assert send["recipient"] == "79991112233"


async def test_the_same_form_counts_once(service: Alone) -> None:
    body = json.dumps({**FORM, "id": "form-1"}).encode()
    first = await service.request("POST", "/api/v1/forms", body, BEARER)
    again = await service.request("POST", "/api/v1/forms", body, BEARER)
    assert (first.json["new"], again.json["new"]) == (True, False)
    assert first.json["event_id"] == again.json["event_id"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"form=callback&phone=1", 400, None),
        (b"[]", 422, "body"),
        (b"null", 422, "body"),
        (b"{}", 422, "form"),
        (b'{"form": "a"}', 422, "phone"),
        (b'{"form": "a", "phone": "12"}', 422, "phone"),
        (b'{"form": "a", "phone": 79991112233}', 422, "phone"),
        (b'{"form": "", "phone": "+79991112233"}', 422, "form"),
        (b'{"form": "a", "phone": "+79991112233", "text": ["a"]}', 422, "text"),
        (b'{"form": "a", "phone": "+79991112233", "name": "\\ud800"}', 400, None),
        (json.dumps({**FORM, "text": "x" * 4001}).encode(), 422, "text"),
        (b'{"form": "a", "phone": "+79991112233", "id": "' + b"i" * 201 + b'"}', 422, "id"),
    ],
)
async def test_a_wrong_form_is_refused_in_words(service: Alone, body: bytes, status: int, field: str | None) -> None:
    answer = await service.request("POST", "/api/v1/forms", body, BEARER)
    assert answer.status == status, answer.body
    assert answer.json["error"]["message"]
    if field is not None:
        assert answer.json["error"]["details"]["field"] == field
    assert await service.events() == []


async def test_a_form_needs_the_bearer_token(service: Alone) -> None:
    answer = await service.request("POST", "/api/v1/forms", json.dumps(FORM).encode(), {})
    assert answer.status == 401


# ------------------------------------------------------------------------------------------------------------- health


async def test_health_tells_each_system_and_the_oldest_event(service: Alone) -> None:
    answer = await service.get("/health", {})
    assert answer.status == 200
    state = answer.json
    assert set(state) == {"status", "version", "database", "oldest_waiting_s", "stuck_deliveries", "systems"}
    assert (state["database"], state["oldest_waiting_s"], state["stuck_deliveries"]) == ("ok", 0.0, 0)
    assert set(state["systems"]) >= {"whatsapp", "telegram", "okdesk", "onec"}
    assert (await service.get("/health/ready", {})).status == 200


async def test_systems_that_are_not_there_are_off(tmp_path: Path) -> None:
    async with alone(sqlite_url(tmp_path)) as service:
        systems = (await service.get("/health", {})).json["systems"]
        assert set(systems.values()) == {"off"}


async def test_events_left_lying_make_the_service_not_ready(service: Alone) -> None:
    await service.service.worker.stop()  # type: ignore[union-attr]
    await until(
        lambda: all(task.done() for task in service.service._loops if task.get_name() == "worker"), "it works on"
    )
    await service.telegram(b'{"update_id": 1}')
    await service.database.write(
        lambda conn: conn.exec_driver_sql(
            "update events set received_at = received_at - 100000, state = 0, processed_at = null, due_at = null"
        )
    )
    ready = await service.get("/health/ready", {})
    health = await service.get("/health", {})
    assert (ready.status, health.status, health.json["status"]) == (503, 200, "degraded")
    assert health.json["oldest_waiting_s"] >= 100


async def test_a_database_that_is_away_is_told_and_costs_no_event(tmp_path: Path) -> None:
    async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
        await stop_work(service)
        await service.database.close()
        health = await service.get("/health", {})
        assert (health.status, health.json["status"]) == (503, "failed")
        assert (await service.get("/health/ready", {})).status == 503
        posted = await service.telegram(b'{"update_id": 1}')
        assert (posted.status, posted.headers["Retry-After"]) == (503, "3")
        assert (await service.get("/api/v1/dialogs")).status == 503
        await service.database.open()
        assert (await service.telegram(b'{"update_id": 1}')).status == 200
        assert (await service.get("/health", {})).status == 200


async def test_metrics_count_what_happens(service: Alone) -> None:
    await post_updates(service, 3)
    await service.telegram(b"not json")
    answer = await service.get("/metrics", {})
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    assert 'fixit_events_received_total{source="telegram"} 4.0' in text
    assert 'fixit_events_dead{source="telegram"} 1.0' in text
    for name in ("fixit_turn_seconds_count", "fixit_oldest_waiting_seconds", "fixit_stuck_deliveries", "fixit_sends",
                 "fixit_window_misses", "fixit_events_handled"):  # fmt: skip
        assert name in text
    assert str(GROUP) not in text


# ------------------------------------------------------------------------------------------------------ documentation


async def test_every_address_of_the_service_is_documented(service: Alone) -> None:
    document = (await service.get("/openapi.json", {})).json
    assert document["openapi"].startswith("3.1")
    assert service.service.app is not None
    own = {"/docs", "/openapi.json", "/docs/start.js", "/docs/static/{name}"}
    for route in service.service.app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        if path in own or path.endswith("/{tail}") or path.startswith(("/panel", "/demo")):
            continue
        assert path in document["paths"], path
        if route.method not in ("*", "HEAD"):
            assert route.method.lower() in document["paths"][path], (route.method, path)


async def test_the_documentation_comes_from_here_alone(service: Alone) -> None:
    page = await service.get("/docs", {})
    assert page.status == 200
    assert "http" not in page.body.decode().replace("http-equiv", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for path in ("/docs/start.js", "/docs/static/swagger-ui.css", "/docs/static/swagger-ui-bundle.js"):
        assert (await service.get(path, {})).status == 200
    for path in ("/docs/static/..%2f..%2fpyproject.toml", "/docs/static/nothing.js"):
        assert (await service.get(path, {})).status == 404


async def test_a_start_does_not_wait_for_telegram(tmp_path: Path) -> None:
    environment = {**EVERYTHING, **TELEGRAM_WEBHOOK, "BASE_URL": "https://bot.example"}
    async with alone(sqlite_url(tmp_path), **environment) as service:
        assert (await service.get("/health", {})).status == 200  # Telegram is away: the start does not wait for it
