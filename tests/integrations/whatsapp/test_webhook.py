"""Meta's calls: verification, signatures, batches, repeats, and whatever a hostile body may hold."""

from __future__ import annotations

import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from integrations.base import Answer, CannotRead, CustomerSaid, IncomingEvent, Outcome, Received, Request
from integrations.whatsapp.reading import make_reader
from integrations.whatsapp.splitting import MOST_UNREADABLE, ROUTED_FIELDS
from integrations.whatsapp.webhook import Signer, WhatsAppWebhook
from integrations.whatsapp.wire import parse
from tests.integrations.whatsapp.given import NOW, manifest, post, sample, settings, sign, stored
from tests.work import lines_run

WEBHOOK = WhatsAppWebhook(settings())
READ = make_reader(frozenset(settings().numbers))
HEAD: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "metadata": {"display_phone_number": "74950000111", "phone_number_id": "310000000000001"},
}


def verify(**query: list[str]) -> Answer:
    renamed = {name.replace("hub_", "hub."): values for name, values in query.items()}
    got = WEBHOOK.receive(Request("GET", "/webhooks/whatsapp", renamed, {}, b"", None, NOW))
    assert isinstance(got, Answer)
    return got


def events_of(body: bytes) -> list[IncomingEvent]:
    got = WEBHOOK.receive(post(body))
    if isinstance(got, Answer):
        assert got.status == 200
        return []
    assert got.answer(()).status == 200
    return list(got.events)


def envelope(value: Any, field: Any = "messages") -> bytes:
    document = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": field, "value": value}]}],
    }
    return json.dumps(document).encode()


def message(wamid: str = "wamid.A", **changes: Any) -> dict[str, Any]:
    given = {"from": "79161234501", "id": wamid, "timestamp": "1790000000", "type": "text", "text": {"body": "да"}}
    return {**given, **changes}


# ---------------------------------------------------------------------------------------------------- verification


def test_the_challenge_comes_back_exactly() -> None:
    got = verify(hub_mode=["subscribe"], hub_verify_token=["prüf-mich"], hub_challenge=["<b>1158201444</b>"])
    assert (got.status, got.body, got.content_type) == (200, b"<b>1158201444</b>", "text/plain")
    assert ("X-Content-Type-Options", "nosniff") in got.headers


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"hub_mode": ["subscribe"], "hub_challenge": ["1"]},
        {"hub_mode": ["subscribe"], "hub_verify_token": ["prüf-mich"]},
        {"hub_mode": ["subscribe"], "hub_verify_token": ["wrong"], "hub_challenge": ["1"]},
        {"hub_mode": ["subscribe"], "hub_verify_token": ["ключ"], "hub_challenge": ["1"]},
        {"hub_mode": ["subscribe"], "hub_verify_token": ["\udce9"], "hub_challenge": ["1"]},
        {"hub_mode": ["unsubscribe"], "hub_verify_token": ["prüf-mich"], "hub_challenge": ["1"]},
        {"hub_mode": ["subscribe", "subscribe"], "hub_verify_token": ["prüf-mich"], "hub_challenge": ["1"]},
        {"hub_mode": ["subscribe"], "hub_verify_token": ["prüf-mich"] * 2, "hub_challenge": ["1"]},
        {"hub_mode": ["subscribe"], "hub_verify_token": ["prüf-mich"], "hub_challenge": ["1", "2"]},
    ],
)
def test_a_wrong_verification_is_forbidden_with_an_empty_body(query: dict[str, list[str]]) -> None:
    got = verify(**query)
    assert (got.status, got.body) == (403, b"")


# ------------------------------------------------------------------------------------------------------- signatures


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 64,
        sign(b"another body"),
        sign(sample("01_text_old_shape.json"), "another secret"),
        sign(sample("01_text_old_shape.json")).upper(),
        sign(sample("01_text_old_shape.json"))[:-1],
        sign(sample("01_text_old_shape.json")) + "0",
        sign(sample("01_text_old_shape.json")).removeprefix("sha256="),
        "sha256=" + "é" * 64,
        "sha256=\udce9",
    ],
)
def test_a_wrong_signature_is_refused(signature: str) -> None:
    got = WEBHOOK.receive(post(sample("01_text_old_shape.json"), signature))
    assert isinstance(got, Answer)
    assert got.status == 401


def test_a_missing_signature_is_refused_before_the_body_is_looked_at() -> None:
    got = WEBHOOK.receive(Request("POST", "/", {}, {"X-Hub-Signature": "sha1=0"}, b"{", None, NOW))
    assert isinstance(got, Answer)
    assert got.status == 401


def test_the_signature_covers_the_bytes_and_not_the_meaning() -> None:
    case = next(case for case in manifest()["cases"] if case["file"] == "02_text_2026_shape.json")
    rewritten = orjson.dumps(orjson.loads(sample(case["file"])))
    got = WEBHOOK.receive(post(rewritten, case["signature"]))
    assert isinstance(got, Answer)
    assert got.status == 401


@hypothesis_settings(max_examples=100, deadline=None)
@given(secret=st.binary(max_size=150), body=st.binary(max_size=5000))
def test_our_signature_is_the_standards(secret: bytes, body: bytes) -> None:
    signer = Signer(secret)
    assert [signer.sign(b"another body"), signer.sign(body)] == [
        f"sha256={hmac.digest(secret, given, 'sha256').hex()}" for given in (b"another body", body)
    ]


def test_while_a_secret_is_being_changed_both_are_good() -> None:
    webhook = WhatsAppWebhook(settings(app_secrets=("new", "old")))
    body = sample("01_text_old_shape.json")
    for secret in ("new", "old"):
        assert isinstance(webhook.receive(post(body, sign(body, secret))), Received)
    assert isinstance(webhook.receive(post(body, sign(body, "older"))), Answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"app_secrets": ()},
        {"app_secrets": ("",)},
        {"verify_token": ""},
        {"access_token": " "},
        {"phone_number_id": ","},
    ],
)
def test_an_empty_secret_is_refused_at_the_start(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is empty"):
        settings(**changes)


def test_secrets_are_not_shown() -> None:
    shown = repr(settings())
    assert not any(secret in shown for secret in ("EAAtoken", "prüf-mich", "demo-app-secret"))


# ---------------------------------------------------------------------------------------------------------- events


def test_one_event_keeps_the_bytes_of_the_request() -> None:
    body = sample("raw/02_text_2026_shape.json")
    got = WEBHOOK.receive(post(body))
    assert isinstance(got, Received)
    assert (got.events[0].body, got.body) == (body, b"")


def test_a_batch_is_cut_into_envelopes_with_one_event_and_its_own_person() -> None:
    got = WEBHOOK.receive(post(sample("58_batch_3_messages_2_customers.json")))
    assert isinstance(got, Received)
    assert got.body == sample("58_batch_3_messages_2_customers.json")
    names = [fact.person.name for event in got.events for fact in READ(stored(event)) if isinstance(fact, CustomerSaid)]
    assert names == ["Анна Петрова", "Борис 🚗", "Анна Петрова"]
    assert [event.key for event in got.events] == [
        "whatsapp:310000000000001:79161234501",
        "whatsapp:310000000000001:79265550102",
        "whatsapp:310000000000001:79161234501",
        *[f"whatsapp-status:{event.external_id.split(':')[1]}" for event in got.events[3:]],
    ]


def test_two_numbers_of_ours_are_two_conversations_of_one_person() -> None:
    keys = [event.key for event in events_of(sample("60_batch_two_accounts.json")) if event.kind == "message"]
    assert keys == ["whatsapp:310000000000001:79161234501", "whatsapp:310000000000002:79161234501"]


def test_a_person_without_a_phone_is_known_by_the_bsuid() -> None:
    (event,) = events_of(sample("03_text_username_only.json"))
    assert event.key == "whatsapp:310000000000001:RU.7100000000000000003"


def test_the_answer_to_a_repeat_is_the_same() -> None:
    got = WEBHOOK.receive(post(sample("01_text_old_shape.json")))
    assert isinstance(got, Received)
    assert got.answer([Outcome("new")]) == got.answer([Outcome("duplicate")]) == got.answer([Outcome("conflict")])
    assert got.answer([Outcome("new")]).status == 200


def test_the_time_of_an_event_is_its_own() -> None:
    (event,) = events_of(envelope({**HEAD, "messages": [message()]}))
    assert event.occurred_at == datetime.fromtimestamp(1790000000, UTC)


@pytest.mark.parametrize("timestamp", [None, "", "soon", "-1", "9" * 5000, True, 1e300, [], "99999999999999"])
def test_a_message_without_a_sensible_time_is_a_message_all_the_same(timestamp: Any) -> None:
    (event,) = events_of(envelope({**HEAD, "messages": [message(timestamp=timestamp)]}))
    (fact,) = READ(stored(event))
    assert event.occurred_at is None
    assert isinstance(fact, CustomerSaid)
    assert fact.said.at == NOW


def test_messages_of_groups_are_kept_and_ignored() -> None:
    (event,) = events_of(envelope({**HEAD, "messages": [message(group_id="1203")]}))
    assert (event.kind, event.state) == ("message", "ignored")


@pytest.mark.parametrize("wamid", ["wamid." + "A" * 5000, "wamid.\x00", "wamid.ж", "wamid.\ud83d"])
def test_a_strange_id_is_shortened_to_what_an_index_can_hold(wamid: str) -> None:
    (event,) = events_of(envelope({**HEAD, "messages": [message(wamid)]}))
    assert event.state == "waiting"
    assert event.external_id.isascii()
    assert len(event.external_id) < 200


def test_an_account_error_counts_once_a_day() -> None:
    body = sample("66_errors_only.json")
    ids = []
    for at in (NOW, NOW + timedelta(minutes=5), NOW + timedelta(days=1)):
        got = WEBHOOK.receive(post(body, at=at))
        assert isinstance(got, Received)
        ids.append(got.events[0].external_id)
    assert ids[0] == ids[1] != ids[2]


def test_a_change_with_a_new_array_is_kept() -> None:
    (event,) = events_of(envelope({**HEAD, "holograms": [{"id": "1"}]}))
    assert (event.kind, event.state) == ("field:messages", "ignored")


def test_a_batch_of_a_thousand_messages_in_three_megabytes_is_work_for_a_thousand() -> None:
    items = [message(f"wamid.{n}", text={"body": "я" * 480}) for n in range(1000)]
    body, tenth = (envelope({**HEAD, "messages": some}) for some in (items, items[:100]))
    assert 2_900_000 < len(body) < WEBHOOK.max_body_bytes
    assert [event.external_id.split(".")[1] for event in events_of(body)] == [str(n) for n in range(1000)]
    assert lines_run(lambda: events_of(body)) < 10.5 * lines_run(lambda: events_of(tenth))


# --------------------------------------------------------------------------------------------------- hostile bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"0",
        b'"text"',
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe\x00",
        b'{"object": NaN}',
        b'{"object": 1}',
        b'{"object": "whatsapp_business_account"}',
        b'{"object": "whatsapp_business_account", "entry": {}}',
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        sample("82_truncated_body.json"),
        sample("83_two_documents_in_one_body.json"),
        sample("84_top_level_array.json"),
    ],
)
def test_a_signed_body_that_cannot_be_read_is_kept_as_dead(body: bytes) -> None:
    (event,) = events_of(body)
    assert (event.kind, event.state, event.body) == ("unreadable", "dead", body)
    assert event.error
    with pytest.raises(CannotRead):
        READ(stored(event))


def test_an_item_nested_deeper_than_json_is_written_does_not_stop_its_neighbours() -> None:
    deep = "[" * 900 + "]" * 900
    good = json.dumps(message())
    strange = json.dumps(message("wamid.deep"))[:-1] + f', "x": {deep}}}'
    broken = f'{{"x": {deep}}}'
    body = envelope({**HEAD, "messages": ["@"]}).replace(b'"@"', f"{good},{strange},{broken}".encode())
    events = events_of(body)
    assert [(event.kind, event.state) for event in events] == [
        ("message", "waiting"),
        ("message", "waiting"),
        ("unreadable", "dead"),
    ]


def test_broken_items_are_counted_only_so_far() -> None:
    items = [None, *range(MOST_UNREADABLE + 50), message()]
    events = events_of(envelope({**HEAD, "messages": items}))
    assert len(events) == MOST_UNREADABLE + 2
    assert events[-2].kind == "message"
    assert events[-1].body == envelope({**HEAD, "messages": items})


def test_a_thousand_nulls_are_one_broken_item() -> None:
    events = events_of(envelope({**HEAD, "messages": [None] * 1000, "statuses": [None] * 1000}))
    assert [event.kind for event in events] == ["unreadable", "unreadable"]
    twice = json.loads(envelope({**HEAD, "messages": [None]}))
    twice["entry"] *= 2
    assert [event.kind for event in events_of(json.dumps(twice).encode())] == ["unreadable"]


def test_a_number_that_is_no_json_spoils_its_own_item_only() -> None:
    bad = json.dumps(message("wamid.bad", type="location", location={"latitude": "@", "longitude": 1}))
    body = envelope({**HEAD, "messages": [message(), "@@"]}).replace(b'"@@"', bad.replace('"@"', "NaN").encode())
    facts = [fact for event in events_of(body) for fact in READ(stored(event))]
    assert [fact.said.unsupported for fact in facts if isinstance(fact, CustomerSaid)] == [False, True]  # type: ignore[union-attr]


def test_a_key_written_twice_counts_once_with_its_last_value() -> None:
    body = envelope({**HEAD, "messages": [message()]}).replace(b'"type": "text"', b'"type": "image", "type": "text"')
    (event,) = events_of(body)
    (fact,) = READ(stored(event))
    assert isinstance(fact, CustomerSaid)
    assert fact.said.text == "да"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("escape", "text"),
    [
        (rb"\ud83d", "\ufffd"),
        (rb"\ude00", "\ufffd"),
        (rb"\ude00\ud83d", "\ufffd\ufffd"),
        (rb"\ud83d\ude00", "😀"),
        (rb"\ud83d\ud83d\ude00", "\ufffd😀"),
        (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
        (rb"a\u0000b", "ab"),
    ],
)
def test_texts_are_made_fit_for_storing(escape: bytes, text: str) -> None:
    body = envelope({**HEAD, "messages": [message(text={"body": "@"})]}).replace(b"@", escape)
    (event,) = events_of(body)
    (fact,) = READ(stored(event))
    assert isinstance(fact, CustomerSaid)
    assert fact.said.text == text  # type: ignore[union-attr]


@hypothesis_settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(categories=("Cs", "Lu", "Po"))), junk=st.binary(max_size=3))
def test_whatever_is_read_can_be_encoded(text: str, junk: bytes) -> None:
    escaped = json.dumps({text: [text]}).encode()
    for body in (escaped, escaped.replace(rb"\u", rb"\\u"), escaped.replace(rb"\u", rb"\u" + junk)):
        with suppress(ValueError):
            orjson.dumps(parse(body))  # raises TypeError for a lone surrogate


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["310000000000001", "wamid.A", "79161234501", "text", "1790000000"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "from", "type", "text", "body", "status", "timestamp", "image", "errors", "code", "to", "wa_id",
                 "value", "context", "interactive", "system", "contacts", "edit", "reaction", "order", "location"]
            )
            | st.text(max_size=8),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)  # fmt: skip
ARRAYS = ["messages", "statuses", "message_echoes", "user_preferences", "errors", "contacts", "metadata"]


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    value=JSON | st.dictionaries(st.sampled_from(ARRAYS), JSON | st.lists(JSON, max_size=3), max_size=5),
    field=st.sampled_from([*ROUTED_FIELDS, "account_update", "message_template_status_update", "new"]) | JSON,
    is_ours=st.booleans(),
)
def test_any_json_in_an_envelope_gets_its_200_and_can_be_read_or_is_dead(value: Any, field: Any, is_ours: bool) -> None:
    body = envelope({**value, **HEAD} if is_ours and isinstance(value, dict) else value, field)
    for event in events_of(body):
        assert event.external_id.isascii()
        if event.state == "waiting":
            with suppress(CannotRead):
                assert READ(stored(event))


@hypothesis_settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200) | JSON.map(lambda document: json.dumps(document).encode()))
def test_any_bytes_get_their_200(body: bytes) -> None:
    for event in events_of(body):
        assert event.state in ("dead", "ignored")


@hypothesis_settings(max_examples=300, deadline=None)
@given(
    content=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("text", "image", "contacts", "interactive", "edit", "order", "context"), JSON)
    ),
    kind=st.sampled_from(["text", "image", "contacts", "interactive", "edit", "order", "system", "location", "x"]),
)
def test_a_message_with_any_content_reaches_somebody(content: dict[str, Any], kind: str) -> None:
    (event,) = events_of(envelope({**HEAD, "messages": [message(**content, type=kind)]}))
    assert len(READ(stored(event))) == 1
