"""What strangers, old proxies and broken senders post: answered as the contracts say, kept, never a 500."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.bot.service import (
    EVERYTHING,
    OKDESK,
    OKDESK_LOGIN,
    ONEC,
    ONEC_TOKEN,
    TELEGRAM,
    WHATSAPP,
    Alone,
    alone,
    basic,
    given_dialog,
    signed,
)
from tests.stage import API_TOKEN, BEARER, sqlite_url

HOOKS = ("/webhooks/whatsapp", "/webhooks/telegram", "/webhooks/okdesk", "/webhooks/onec")
MIB = 1024 * 1024
DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
MESSAGE = {"from": "79161234501", "id": "wamid.test1", "timestamp": "1790000000", "type": "text", "text": {"body": "я"}}
EVENT = {"kind": "order_status", "id": "e-1", "order": {"external_id": "dlg-1"}, "status": {"name": "В работе"},
         "document": {"guid": "5d1d7c1e-07a0-11ef-9a4c-00155d012a03"}}  # fmt: skip


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Alone]:
    with capture_logs() as logs:
        async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
            yield service
            await service.handled()
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


def envelope(message: Any, **value: Any) -> bytes:
    metadata = {"display_phone_number": "74950000111", "phone_number_id": "310000000000001"}
    whole = {"messaging_product": "whatsapp", "metadata": metadata, "messages": [message], **value}
    change = {"field": "messages", "value": whole}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "210000000000001", "changes": [change]}]}
    ).encode()


# -------------------------------------------------------------------------------------------------------- who calls


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/webhooks/whatsapp", {}),
        ("/webhooks/whatsapp", {"X-Hub-Signature-256": "sha256=" + "0" * 64}),
        ("/webhooks/whatsapp", {"X-Hub-Signature-256": "sha1=" + "0" * 40}),
        ("/webhooks/whatsapp", {"X-Hub-Signature-256": "sha256=подпись"}),
        ("/webhooks/telegram", {}),
        ("/webhooks/telegram", {"X-Telegram-Bot-Api-Secret-Token": "wrong"}),
        ("/webhooks/okdesk", {}),
        ("/webhooks/okdesk", {"Authorization": basic("okdesk", "wrong")}),
        ("/webhooks/okdesk", {"Authorization": "Basic !!!"}),
        ("/webhooks/okdesk", {"Authorization": f"Bearer {API_TOKEN}"}),
        ("/webhooks/onec", {}),
        ("/webhooks/onec", {"Authorization": "Bearer wrong"}),
        ("/webhooks/onec", {"X-Token": "wrong"}),
        ("/webhooks/onec", {"Authorization": basic("Обмен", "wrong")}),
    ],
)
async def test_a_stranger_gets_401_and_leaves_nothing_but_a_count(
    service: Alone, path: str, headers: dict[str, str]
) -> None:
    answer = await service.request("POST", path, b"{not json", headers)
    assert answer.status == 401
    assert answer.json["error"]["code"]
    if "okdesk" in path:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="okdesk"'
    if "onec" in path:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="1c", charset="UTF-8"'
    assert await service.events() == []
    metrics = (await service.get("/metrics")).body.decode()
    assert f'fixit_requests_refused_total{{source="{path.rpartition("/")[2]}"}} 1.0' in metrics


async def test_a_token_in_the_query_opens_nothing(service: Alone) -> None:
    answer = await service.request("POST", f"/webhooks/onec?token={ONEC_TOKEN}", b"{}", {})
    assert answer.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {ONEC_TOKEN}"},
        {"X-Token": ONEC_TOKEN},
        {"Authorization": basic("Обмен", ONEC_TOKEN)},
    ],
)
async def test_each_way_to_show_the_token_of_1c_is_taken(service: Alone, headers: dict[str, str]) -> None:
    answer = await service.request("GET", "/webhooks/onec", headers=headers)
    assert answer.status == 200
    assert answer.json["ok"] is True


async def test_meta_proves_the_address(service: Alone) -> None:
    path = "/webhooks/whatsapp?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    answer = await service.request("GET", path + "test-verify-token")
    assert (answer.status, answer.body) == (200, b"1158201444")
    assert (await service.request("GET", path + "wrong")).status == 403
    assert (await service.request("GET", "/webhooks/whatsapp")).status == 403


async def test_one_of_several_app_secrets_is_enough(tmp_path: Path) -> None:
    secrets = f"new-secret-of-the-app, {WHATSAPP['WHATSAPP_APP_SECRET']}"
    async with alone(sqlite_url(tmp_path), **{**EVERYTHING, "WHATSAPP_APP_SECRET": secrets}) as service:
        assert (await service.whatsapp(envelope(MESSAGE))).status == 200


async def test_systems_that_are_not_configured_have_no_address(tmp_path: Path) -> None:
    async with alone(sqlite_url(tmp_path), API_TOKEN=API_TOKEN) as service:
        for path in HOOKS:
            answer = await service.request("POST", path, b"{}")
            assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


# ------------------------------------------------------------------------------------------------- methods and sizes


@pytest.mark.parametrize("path", HOOKS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_405_and_says_which_are_allowed(service: Alone, path: str, method: str) -> None:
    answer = await service.request(method, path, b"{}")
    assert answer.status == 405
    allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert "POST" in allowed
    assert method not in allowed
    if path == "/webhooks/telegram":
        assert (await service.request("GET", path)).status == 405


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/webhooks/events", "POST"),
        ("/api/v1/webhooks/events/1/replay", "GET"),
        ("/api/v1/forms", "GET"),
        ("/health", "POST"),
        ("/metrics", "DELETE"),
        ("/docs", "POST"),
        ("/openapi.json", "PUT"),
    ],
)
async def test_addresses_of_our_own_tell_their_methods_too(service: Alone, path: str, method: str) -> None:
    answer = await service.request(method, path, headers=BEARER)
    assert (answer.status, answer.json["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"]


async def test_an_address_that_does_not_exist_is_404_in_our_form(service: Alone) -> None:
    answer = await service.get("/no/such/page")
    assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "limit", "headers"),
    [
        ("/webhooks/whatsapp", 4 * MIB, {}),
        ("/webhooks/telegram", 4 * MIB, {}),
        ("/webhooks/okdesk", 2 * MIB, {"Authorization": basic(*OKDESK_LOGIN)}),
        ("/webhooks/onec", 5 * MIB, {"Authorization": f"Bearer {ONEC_TOKEN}"}),
        ("/api/v1/forms", 64 * 1024, BEARER),
    ],
)
async def test_a_body_over_the_limit_is_413(service: Alone, path: str, limit: int, headers: dict[str, str]) -> None:
    answer = await service.request("POST", path, b"x" * (limit + 1), headers)
    assert answer.status == 413
    assert answer.json["error"]["code"]

    async def in_chunks() -> AsyncIterator[bytes]:
        for _ in range(limit // MIB + 2):
            yield b"x" * MIB

    async with service.http.post(service.url + path, data=in_chunks(), headers=headers) as chunked:
        assert chunked.status == 413
    assert await service.events() == []


async def test_the_largest_body_that_meta_sends_is_taken(service: Alone) -> None:
    body = envelope({**MESSAGE, "text": {"body": "я" * 500_000}})
    assert len(body) > 3_000_000
    assert (await service.whatsapp(body)).status == 200
    [event] = await service.events(source="whatsapp")
    assert event["kind"] == "message"


async def test_a_gzip_bomb_for_1c_is_413(service: Alone) -> None:
    bomb = gzip.compress(b"0" * 60 * MIB)
    headers = {"Authorization": f"Bearer {ONEC_TOKEN}", "Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = await service.onec(bomb, headers)
    assert answer.status == 413


# ------------------------------------------------------------------------------------------------ bodies of all kinds

BROKEN: dict[str, bytes] = {
    "not json": b"{not json",
    "cut": b'{"entry":[{"changes":',
    "empty": b"",
    "blank": b"   ",
    "null": b"null",
    "number": b"42",
    "text": '"привет"'.encode(),
    "array": b"[]",
    "array of things": b'[1, null, {"a": []}]',
    "empty object": b"{}",
    "not a number": b'{"update_id": NaN, "event": {"event_type": NaN}, "object": NaN, "kind": NaN}',
    "infinity": b'{"update_id": 1e999, "object": -1e999, "kind": 1e999}',
    "deep": DEEP,
    "deep array": b"[" * 100_000 + b"]" * 100_000,
    "not utf-8": b'{"kind": "\xff\xfe\xfa"}',
    "zeros": b"\x00" * 1000,
    "bom": b"\xef\xbb\xbf{}",
    "lone surrogate": b'{"update_id": 1, "kind": "\\ud800", "event": {"event_type": "\\udfff"}, "object": "\\ud83d"}',
    "duplicate keys": b'{"update_id": 5, "update_id": 6, "kind": "a", "kind": "b", "event": 1, "event": {}}',
    "huge number": b'{"update_id": ' + b"9" * 4_000 + b', "kind": ' + b"9" * 4_000 + b"}",
    "huge key": b'{"' + b"k" * 100_000 + b'": 1}',
    "two documents": b'{"update_id": 1}{"update_id": 2}',
}
SENT_TO = {
    "whatsapp": {200},
    "telegram": {200},
    "okdesk": {200, 400},
    "onec": {400, 422, 200},
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_body_is_answered_kept_and_harms_nobody(service: Alone, name: str) -> None:
    body = BROKEN[name]
    for source, allowed in SENT_TO.items():
        send = getattr(service, source)
        answer = await send(body)
        assert answer.status in allowed, (source, answer.status, answer.body[:300])
        assert b"Traceback" not in answer.body
        kept = await service.events(source=source)
        if source in ("whatsapp", "telegram") or answer.status == 400:
            assert kept or not body.strip() or source == "onec" or name in ("empty object",), source
        for event in kept:
            shown = await service.get(f"/api/v1/webhooks/events/{event['id']}")
            assert shown.status == 200, (source, shown.body[:300])
        again = await send(body)
        assert again.status == answer.status
        assert [event["id"] for event in await service.events(source=source)] == [event["id"] for event in kept]
    answer = await service.whatsapp(envelope(MESSAGE))
    assert answer.status == 200
    await service.handled()
    assert await service.events(source="whatsapp", state="done")  # the next one is handled as ever


@pytest.mark.parametrize("source", ["whatsapp", "telegram", "okdesk", "onec"])
async def test_the_bytes_of_what_cannot_be_read_are_kept_as_they_came(service: Alone, source: str) -> None:
    body = b'{"cut": "\xff\xfe \xd0\xbf'
    await getattr(service, source)(body)
    [event] = await service.events(source=source)
    assert (event["kind"], event["state"], event["attempts"]) == ("unreadable", "dead", 0)
    assert event["error"]
    [(kept,)] = await service.rows("select body from events where id = :id", id=event["id"])
    assert bytes(kept) == body
    assert (await service.event(event["id"]))["body"] == {"hex": body.hex()}


WRONG_VALUES: list[Any] = [None, True, 0, -1, 1.5, 2**70, "", "текст", "\ud800", [], [[]], {}, {"a": 1}, "x" * 5_000]


@pytest.mark.parametrize("field", ["from", "id", "timestamp", "type", "text"])
async def test_a_message_of_whatsapp_with_a_field_of_another_type_is_never_lost(service: Alone, field: str) -> None:
    for number, value in enumerate(WRONG_VALUES):
        message = {**MESSAGE, "id": f"wamid.{field}{number}", field: value}
        answer = await service.whatsapp(envelope(message))
        assert answer.status == 200, (value, answer.body)
    good = {**MESSAGE, "id": "wamid.good"}
    bad = {**MESSAGE, "id": "wamid.bad", field: [1]}
    assert (await service.whatsapp(envelope(bad, messages=[bad, good]))).status == 200
    await service.handled()
    events = await service.events(source="whatsapp")
    assert any("wamid.good" in event["external_id"] and event["state"] == "done" for event in events)
    assert all(event["state"] != "waiting" for event in events)
    assert len(events) >= len(WRONG_VALUES)


@pytest.mark.parametrize("field", ["message_id", "from", "chat", "date", "text", "entities", "photo", "contact"])
async def test_an_update_of_telegram_with_a_field_of_another_type_is_never_lost(service: Alone, field: str) -> None:
    person = {"id": 5400000001, "is_bot": False, "first_name": "Анна"}
    message = {"message_id": 1, "from": person, "chat": {"id": 5400000001, "type": "private"}, "date": 1790000000}
    for number, value in enumerate(WRONG_VALUES):
        update = {"update_id": 1000 + number, "message": {**message, "text": "привет", field: value}}
        assert (await service.telegram(json.dumps(update).encode())).status == 200
    await service.handled()
    events = await service.events(source="telegram")
    assert len(events) == len(WRONG_VALUES)
    assert all(event["state"] != "waiting" for event in events)


@pytest.mark.parametrize("field", ["event", "issue", "event.author", "event.new_status", "event.comment", "issue.id"])
async def test_an_event_of_okdesk_with_a_field_of_another_type_is_never_lost(service: Alone, field: str) -> None:
    for value in WRONG_VALUES:
        body: dict[str, Any] = {
            "event": {"event_type": "new_ticket_status", "author": {"id": 1, "type": "employee"},
                      "old_status": {"code": "opened"}, "new_status": {"code": "closed", "name": "Закрыта"},
                      "comment": {"id": 5, "is_public": True, "content": "<p>готово</p>"}},
            "issue": {"id": 1077, "title": "Течёт", "status": {"code": "closed", "name": "Закрыта"}},
        }  # fmt: skip
        *path, last = field.split(".")
        target = body
        for part in path:
            target = target[part]
        target[last] = value
        answer = await service.okdesk(json.dumps(body).encode())
        assert answer.status in (200, 400), (value, answer.body)
    await service.handled()
    assert all(event["state"] != "waiting" for event in await service.events())


@pytest.mark.parametrize("field", ["kind", "id", "document", "order", "status", "occurred_at", "seq", "source", "test"])
async def test_an_event_of_1c_with_a_field_of_another_type_is_answered_in_words(service: Alone, field: str) -> None:
    for number, value in enumerate(WRONG_VALUES):
        body = json.dumps({**EVENT, "id": f"e-{number}", field: value}).encode()
        answer = await service.onec(body)
        assert answer.status in (200, 403, 409, 422), (value, answer.body.decode())
        assert answer.json["ok"] is (answer.status == 200)
        if answer.status != 200:
            assert answer.json["error"]["message"]
    await service.handled()


async def test_foreign_numbers_and_empty_batches_are_kept_and_answered_200(service: Alone) -> None:
    foreign = envelope(MESSAGE, metadata={"display_phone_number": "1", "phone_number_id": "999"})
    for body in (
        foreign,
        b'{"object":"whatsapp_business_account","entry":[]}',
        b'{"object":"instagram","entry":[{"id":"1","changes":[]}]}',
    ):
        assert (await service.whatsapp(body)).status == 200
    events = await service.events(source="whatsapp")
    assert all(event["state"] in ("ignored", "dead") for event in events)
    assert any(event["kind"] == "foreign" for event in events)


async def test_batches_of_1c_have_limits(service: Alone) -> None:
    assert (await service.onec(b"[]")).status == 422
    assert (await service.onec(b'{"events": []}')).status == 422
    many = [{**EVENT, "id": f"e-{n}"} for n in range(501)]
    assert (await service.onec(json.dumps(many).encode())).status == 413
    fits = await service.onec(json.dumps(many[:500]).encode())
    assert fits.status == 200
    assert len(fits.json["results"]) == 500


async def test_1c_learns_the_result_of_the_turn_in_the_same_answer(service: Alone) -> None:
    await given_dialog(service.service, subjects=["onec-ext:dlg-1"])
    first = await service.onec(json.dumps({**EVENT, "seq": 20}).encode())
    assert first.json["results"] == [{"id": "e-1", "result": "accepted"}]
    older = await service.onec(json.dumps({**EVENT, "id": "e-0", "seq": 10, "status": {"name": "Новый"}}).encode())
    assert older.json["results"][0]["result"] == "stale"


async def test_the_same_id_with_another_body_is_a_conflict_whenever_it_claims_to_have_happened(
    service: Alone,
) -> None:
    first = {**EVENT, "occurred_at": "2026-05-01T07:00:05Z"}
    assert (await service.onec(json.dumps(first).encode())).status == 200
    other = {**first, "occurred_at": "2026-05-01T09:30:00Z", "status": {"name": "Готов"}}
    answer = await service.onec(json.dumps(other).encode())
    assert answer.status == 409
    [event] = await service.events(source="onec")
    kept = await service.rows("select event_id from conflicts")
    assert [row.event_id for row in kept] == [event["id"]]


# -------------------------------------------------------------------------------------------------------- secrecy


async def test_headers_are_kept_without_their_secrets(service: Alone) -> None:
    await service.whatsapp(envelope(MESSAGE))
    await service.telegram(b'{"update_id": 77}')
    await service.okdesk(b'{"event": {"event_type": "other"}}')
    await service.onec(json.dumps(EVENT).encode())
    shown = [await service.event(event["id"]) for event in await service.events()]
    assert {item["source"] for item in shown} >= {"whatsapp", "telegram", "okdesk", "onec"}
    written = json.dumps(shown, ensure_ascii=False)
    for secret in (*WHATSAPP.values(), TELEGRAM["TELEGRAM_WEBHOOK_SECRET"], OKDESK["OKDESK_WEBHOOK_PASSWORD"],
                   ONEC["ONEC_WEBHOOK_TOKEN"], basic(*OKDESK_LOGIN)):  # fmt: skip
        if secret not in ("310000000000001,310000000000002", WHATSAPP["WHATSAPP_API_URL"]):
            assert secret not in written
    assert signed(envelope(MESSAGE))["X-Hub-Signature-256"] in written  # it gives nothing away and helps to check


async def test_each_event_of_a_batch_is_shown_alone_and_with_its_request(service: Alone) -> None:
    other = {**MESSAGE, "id": "wamid.test2", "text": {"body": "ещё"}}
    body = envelope(MESSAGE, messages=[MESSAGE, other])
    await service.whatsapp(body)
    first, second = [await service.event(event["id"]) for event in await service.events(source="whatsapp")]
    assert first["request_body"] == second["request_body"] == json.loads(body)
    assert "wamid.test2" not in json.dumps(first["body"])
    assert "wamid.test2" in json.dumps(second["body"])
