"""The secret, and bodies that nobody should send."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from integrations.base import Answer, CannotRead, Received, Request, StoredEvent
from integrations.telegram.reading import TelegramReader
from integrations.telegram.updates import dump, event_from_update
from integrations.telegram.webhook import TelegramWebhook

SECRET = "demo_secret_token-1"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
NOW = datetime(2026, 9, 22, tzinfo=UTC)
GROUP = -1002400000001


def post(body: bytes, headers: dict[str, str]) -> Answer | Received:
    request = Request("POST", "/webhooks/telegram", {}, CIMultiDict(headers), body, "203.0.113.9", NOW)
    return TelegramWebhook(SECRET).receive(request)


@pytest.mark.parametrize("headers", [{}, {HEADER: ""}, {HEADER: SECRET + " "}, {HEADER: "пароль"}, {HEADER: "\udcff"}])
def test_another_secret_is_refused(headers: dict[str, str]) -> None:
    answer = post(b'{"update_id":1}', headers)
    assert isinstance(answer, Answer)
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["code"] == "unauthorized"


def test_the_header_may_be_written_in_any_case() -> None:
    assert isinstance(post(b'{"update_id":1}', {HEADER.lower(): SECRET}), Received)


def test_an_empty_secret_cannot_be_configured() -> None:
    with pytest.raises(ValueError, match="secret"):
        TelegramWebhook("")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b'{"update_id":true}',
        b'{"update_id":1.5}',
        b'{"update_id":"1"}',
        b'{"update_id":-1}',
        b'{"update_id":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_update_is_kept_as_dead_and_taken(body: bytes) -> None:
    received = post(body, {HEADER: SECRET})
    assert isinstance(received, Received)
    [event] = received.events
    assert (event.kind, event.state, event.body) == ("unreadable", "dead", body)
    assert received.answer([]).status == 200


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
IDS = st.sampled_from([5400000001, GROUP, 0, 2**60, -(2**70), "5", None, True, 1.5])
CHATS = st.fixed_dictionaries({"id": IDS, "type": st.sampled_from(["private", "supergroup", "channel", 7])}) | Json
USERS = st.fixed_dictionaries(
    {"id": IDS, "is_bot": st.booleans()},
    optional={"first_name": Json, "last_name": st.text(st.characters()), "language_code": Json},
)
FIELDS = [
    "text",
    "caption",
    "photo",
    "document",
    "voice",
    "sticker",
    "animation",
    "location",
    "venue",
    "contact",
    "web_app_data",
    "reply_to_message",
    "message_thread_id",
    "is_topic_message",
    "sender_chat",
    "forward_origin",
    "media_group_id",
    "migrate_to_chat_id",
    "edit_date",
    "new_chat_members",
    "reply_markup",
]
MESSAGES = st.fixed_dictionaries(
    {"message_id": IDS, "chat": CHATS, "date": IDS | Json}, optional={"from": USERS, **dict.fromkeys(FIELDS, Json)}
)
CONTENTS = (
    MESSAGES
    | st.fixed_dictionaries({"id": st.text(), "from": USERS, "message": MESSAGES | Json, "data": Json})
    | st.fixed_dictionaries(
        {"chat": CHATS, "from": USERS, "user": USERS, "message_id": IDS, "date": IDS},
        optional={"new_chat_member": Json | st.just({"status": "kicked"}), "new_reaction": Json},
    )
    | Json
)
KINDS = st.sampled_from(
    ["message", "edited_message", "callback_query", "my_chat_member", "message_reaction", "business_message", "poll"]
) | st.text(max_size=5)
UPDATES = st.fixed_dictionaries({"update_id": st.integers(0, 2**31)}) | st.just({})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(update=UPDATES, kind=KINDS, content=CONTENTS)
def test_any_update_is_kept_and_read_or_refused_with_a_sentence(
    update: dict[str, Any], kind: str, content: Any
) -> None:
    body = json.dumps({**update, kind: content}).encode()
    received = post(body, {HEADER: SECRET})
    assert isinstance(received, Received)
    [event] = received.events
    assert event.body == body
    for text in (event.kind, event.key, event.external_id):
        assert len(text.encode()) < 200
    stored = StoredEvent(1, "telegram", event.kind, event.external_id, body, NOW)
    sentence, facts = None, None
    try:
        facts = TelegramReader(account="7000000001", groups={GROUP}).read(stored)
    except CannotRead as error:
        sentence = str(error)
    assert facts or sentence
    repr(facts).encode()  # no half of a surrogate pair came through


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(update=Json)
def test_anything_polled_is_an_event(update: Any) -> None:
    json.loads(dump(update))
    assert event_from_update(update, b"x").body == b"x"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.binary(max_size=60))
def test_any_bytes_are_taken(body: bytes) -> None:
    assert isinstance(post(body, {HEADER: SECRET}), Received)


def test_an_update_nested_out_of_reason_stops_nobody() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert json.loads(dump({"update_id": 5, "message": deep})) == {"update_id": 5}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b'{"update_id":1,"message":[]}'])
def test_stored_bytes_that_are_no_update_cannot_be_read(body: bytes) -> None:
    with pytest.raises(CannotRead):
        TelegramReader(account="1", groups=()).read(StoredEvent(1, "telegram", "message", "1", body, NOW))
