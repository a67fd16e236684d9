from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.base import Answer, CannotRead, IncomingEvent, Received, Request, StoredEvent
from integrations.okdesk import OkdeskSettings
from integrations.okdesk.reading import okdesk_reader
from integrations.okdesk.webhook import OkdeskWebhook

SAMPLES = Path(__file__).parents[2] / "samples" / "okdesk" / "webhooks"
NOW = datetime(2026, 3, 2, 12, 10, tzinfo=UTC)  # five minutes before a new quarter of an hour
SETTINGS = OkdeskSettings(webhook_user="okdesk", webhook_password="пароль", author_id=99)


def basic(user: str = "okdesk", password: str = "пароль") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def request(
    body: bytes, *, at: datetime = NOW, path: str = "/webhooks/okdesk", remote: str | None = "10.0.0.1", **headers: str
) -> Request:
    headers = headers or {"Authorization": basic()}
    return Request("POST", path, {}, headers, body, remote, at)


def received(body: bytes, webhook: OkdeskWebhook | None = None, at: datetime = NOW) -> tuple[IncomingEvent, Answer]:
    got = (webhook or OkdeskWebhook(SETTINGS)).receive(request(body, at=at))
    assert isinstance(got, Received)
    (event,) = got.events
    return event, got.answer([])


KNOWN = sorted(path.name for path in SAMPLES.iterdir() if path.name[0].isdigit())


@pytest.mark.parametrize("name", KNOWN)
def test_every_sample_is_accepted_and_kept_as_it_came(name: str) -> None:
    body = (SAMPLES / name).read_bytes()
    event, answer = received(body)
    assert (answer.status, answer.body) == (200, b'{"status":"accepted"}')
    assert event.body == body
    assert event.state == ("ignored" if name.startswith("36") else "waiting")
    parsed = orjson.loads(body)
    if "issue" in parsed:
        assert event.key == f"okdesk:issue:{parsed['issue']['id']}"


@pytest.mark.parametrize(
    ("name", "external_id"),
    [
        ("01_new_ticket_from_contact.json", "new_ticket:19734"),
        ("14_new_comment_public_by_employee_with_files.json", "new_comment:771402"),
        ("27_ticket_deleted.json", "ticket_deleted:19734"),
    ],
)
def test_what_has_a_natural_key_is_a_repeat_for_ever(name: str, external_id: str) -> None:
    body = (SAMPLES / name).read_bytes()
    assert received(body)[0].external_id == external_id
    assert received(body, at=NOW + timedelta(days=30))[0].external_id == external_id


@pytest.mark.parametrize(
    "name",
    ["07_new_ticket_status_completed_time_entries.json", "06_new_ticket_status_delayed.json", "21_new_files.json"],
)
def test_comments_time_entries_and_files_identify_for_ever(name: str) -> None:
    body = (SAMPLES / name).read_bytes()
    later = body.replace(b'"priority": {"code": "normal"', b'"priority": {"code": "high"')
    assert received(body)[0].external_id == received(later, at=NOW + timedelta(days=30))[0].external_id


def test_the_comment_inside_a_status_is_another_event_than_the_comment_itself() -> None:
    status = orjson.loads((SAMPLES / "06_new_ticket_status_delayed.json").read_bytes())
    comment = {
        "event": {"event_type": "new_comment", "comment": status["event"]["comment"]}, "issue": {"id": 19734}
    }  # fmt: skip
    assert received(orjson.dumps(status))[0].external_id != received(orjson.dumps(comment))[0].external_id


def test_ids_as_strings_and_as_numbers_are_the_same_event() -> None:
    numbers = (SAMPLES / "04_new_ticket_status_in_progress.json").read_bytes()
    strings = (SAMPLES / "05_new_ticket_status_ids_as_strings.json").read_bytes()
    webhook = OkdeskWebhook(SETTINGS)
    assert received(numbers, webhook)[0].external_id == received(strings, webhook)[0].external_id
    assert received(numbers, webhook)[0].key == received(strings, webhook)[0].key


@pytest.mark.parametrize("name", [name for name in KNOWN if name[:2] not in ("04", "05")])
def test_any_sample_with_ids_as_strings_is_the_same_event(name: str) -> None:
    parsed = orjson.loads((SAMPLES / name).read_bytes())
    shuffled = orjson.dumps(as_strings(parsed), option=orjson.OPT_SORT_KEYS)
    webhook = OkdeskWebhook(SETTINGS)
    one, other = received(orjson.dumps(parsed), webhook)[0], received(shuffled, webhook)[0]
    assert (one.external_id, one.key, one.state) == (other.external_id, other.key, other.state)


def as_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_strings(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_strings(inner) for inner in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def test_the_same_content_is_a_repeat_for_fifteen_minutes_even_over_the_turn_of_the_quarter() -> None:
    body = (SAMPLES / "04_new_ticket_status_in_progress.json").read_bytes()
    webhook = OkdeskWebhook(SETTINGS)
    first = received(body, webhook)[0].external_id
    assert received(body, webhook, NOW + timedelta(minutes=2))[0].external_id == first
    assert received(body, webhook, NOW + timedelta(minutes=14, seconds=59))[0].external_id == first
    assert received(body, webhook, NOW + timedelta(minutes=15))[0].external_id != first


def test_another_process_gives_the_same_id_within_the_quarter() -> None:
    body = (SAMPLES / "10_new_assignee.json").read_bytes()
    assert received(body)[0].external_id == received(body, at=NOW + timedelta(minutes=4))[0].external_id


def test_different_events_have_different_ids() -> None:
    webhook = OkdeskWebhook(SETTINGS)
    ids = [received((SAMPLES / name).read_bytes(), webhook)[0].external_id for name in KNOWN if name[:2] != "05"]
    assert len(set(ids)) == len(ids)


def test_memory_of_repeats_is_bounded() -> None:
    webhook = OkdeskWebhook(SETTINGS)
    for number in range(200):
        body = {"event": {"event_type": "new_priority"}, "issue": {"id": number + 1}}
        received(orjson.dumps(body), webhook, NOW + timedelta(minutes=number))
    assert len(webhook._seen) <= 16


@pytest.mark.parametrize(
    "name", ["bad_1_empty_object.json", "bad_2_no_event_type.json", "bad_3_array.json", "bad_4_truncated.txt"]
)
def test_what_cannot_be_read_is_refused_and_kept(name: str) -> None:
    body = (SAMPLES / name).read_bytes()
    event, answer = received(body)
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"]["code"] == "bad_request"
    assert (event.kind, event.state, event.body) == ("unreadable", "dead", body)
    assert event.error
    assert received(body)[0].external_id == event.external_id


def test_a_known_type_without_an_issue_id_is_accepted_and_kept_as_dead() -> None:
    event, answer = received((SAMPLES / "bad_5_no_issue_id.json").read_bytes())
    assert answer.status == 200
    assert (event.kind, event.state) == ("new_ticket_status", "dead")
    assert event.error is not None
    assert "npr" in event.error


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic ???", "Basic b2tkZXNr", "Bearer x", basic("okdesk", "wrong"), basic("other"), basic() + "x"],
)
def test_a_stranger_is_refused(authorization: str) -> None:
    answer = OkdeskWebhook(SETTINGS).receive(request(b"{}", Authorization=authorization))
    assert isinstance(answer, Answer)
    assert answer.status == 401
    assert ("WWW-Authenticate", 'Basic realm="okdesk"') in answer.headers


def test_the_scheme_is_written_in_any_case_and_the_content_type_does_not_matter() -> None:
    headers = {"Authorization": basic().replace("Basic", "bASIC"), "Content-Type": "text/plain"}
    assert isinstance(OkdeskWebhook(SETTINGS).receive(replace(request(b"{}"), headers=headers)), Received)


def test_a_secret_tail_stands_in_for_basic() -> None:
    webhook = OkdeskWebhook(OkdeskSettings(webhook_tail="s3cret"))
    assert webhook.with_tail
    assert isinstance(webhook.receive(request(b"{}", path="/webhooks/okdesk/s3cret", X="")), Received)
    for path, status in (("/webhooks/okdesk/other", 404), ("/webhooks/okdesk", 401)):
        answer = webhook.receive(request(b"{}", path=path))
        assert isinstance(answer, Answer)
        assert answer.status == status


def test_only_allowed_networks_may_call() -> None:
    webhook = OkdeskWebhook(
        OkdeskSettings(webhook_user="okdesk", webhook_password="пароль", webhook_networks=("10.0.0.0/8",))
    )
    assert isinstance(webhook.receive(request(b"{}")), Received)
    for remote in ("192.168.0.1", "::1", None, "nonsense"):
        answer = webhook.receive(request(b"{}", remote=remote))
        assert isinstance(answer, Answer)
        assert answer.status == 403


def test_deep_and_huge_values_are_taken() -> None:
    deep = b'{"event": {"event_type": "new_priority"}, "issue": {"id": 1, "x": ' + b"[" * 500 + b"]" * 500 + b"}}"
    assert received(deep)[0].state == "waiting"
    deeper = b'{"event": {"event_type": "new_priority"}, "issue": {"id": 1, "x": ' + b"[" * 10**5
    assert received(deeper)[1].status == 400
    huge = b'{"event": {"event_type": "new_priority"}, "issue": {"id": 1' + b"0" * 5000 + b"}}"
    assert received(huge)[1].status in (200, 400)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = [orjson.loads((SAMPLES / name).read_bytes()) for name in KNOWN]


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A sample in which some parts were replaced by anything."""
    body = orjson.loads(orjson.dumps(draw(st.sampled_from(names))))
    for _ in range(draw(st.integers(0, 4))):
        at: Any = body
        for _ in range(draw(st.integers(1, 4))):
            key: Any
            if isinstance(at, dict) and at:
                key = draw(st.sampled_from(sorted(at)))
            elif isinstance(at, list) and at:
                key = draw(st.integers(0, len(at) - 1))
            else:
                break
            if isinstance(at[key], dict | list) and draw(st.booleans()):
                at = at[key]
            else:
                at[key] = draw(json)
                break
    return body


@settings(max_examples=400, deadline=None)
@given(damaged() | json)
def test_no_body_breaks_receiving_and_reading(body: Any) -> None:
    try:
        raw = orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):
        return
    event, answer = received(raw)
    assert answer.status in (200, 400)
    assert (event.kind == "unreadable") == (answer.status == 400)
    stored = StoredEvent(1, "okdesk", event.kind, event.external_id, event.body, NOW)
    with suppress(CannotRead):
        assert len(okdesk_reader(SETTINGS)(stored)) == 1


@given(st.binary(max_size=200))
def test_no_bytes_break_receiving(body: bytes) -> None:
    assert received(body)[1].status in (200, 400)
