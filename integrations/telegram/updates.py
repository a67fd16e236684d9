"""From one Update of Telegram to one row of the inbox. On the way of every request: no models, no copies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

import orjson

from integrations.base import IncomingEvent

KINDS = frozenset(
    {
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
        "message_reaction",
        "chat_member",
        "channel_post",
        "edited_channel_post",
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
    }
)
"""The types that `reading` tells apart; any other is kept and means nothing to us."""

ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "message_reaction")
"""What we ask for, at every start: an omitted list would leave the previous one in force (contract 1.1)."""

LAST_SECOND = 253_402_300_799  # 9999-12-31, the last that a datetime can hold
LARGEST_ID = 2**63 - 1


def load(body: bytes | str) -> Any:
    """Parse JSON as Telegram sends it. Raises ValueError.

    orjson refuses escapes of lone surrogates, which do arrive; the standard library reads them.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def dump(update: Any) -> bytes:
    """JSON of a parsed update; what orjson cannot write (lone surrogates, huge numbers) goes as escapes."""
    try:
        return orjson.dumps(update)
    except (TypeError, orjson.JSONEncodeError):
        try:
            return json.dumps(update).encode("ascii")
        except RecursionError:  # nothing of Telegram's is nested so deeply; one such update must not stop the others
            return orjson.dumps({"update_id": update.get("update_id") if isinstance(update, dict) else None})


def kind_of(update: Mapping[str, Any]) -> str:
    """The type of an update: its field besides `update_id`."""
    fields = [name for name in update if name != "update_id"]
    for name in fields:
        if name in KINDS:
            return name
    name = fields[0] if fields else "empty"
    return name if re.fullmatch("[a-z_]{1,60}", name) else "unknown"


def event_from_body(body: bytes) -> IncomingEvent:
    """One event of a webhook's body. Never raises: what cannot be read becomes a dead event with its bytes."""
    try:
        update = load(body)
    except ValueError:
        return unreadable(body, "the body is not JSON")
    return event_from_update(update, body)


def event_from_update(update: Any, body: bytes) -> IncomingEvent:
    """One event of a parsed update; `body` is what the inbox keeps."""
    if not isinstance(update, dict):
        return unreadable(body, "the body is not a JSON object")
    update_id = update.get("update_id")
    if not is_id(update_id) or update_id < 0:
        return unreadable(body, "the update has no update_id")
    kind = kind_of(update)
    content = update.get(kind)
    return IncomingEvent(
        kind=kind,
        external_id=str(update_id),
        key=key_of(kind, content if isinstance(content, dict) else {}),
        body=body,
        occurred_at=time_of(content) if isinstance(content, dict) else None,
    )


def unreadable(body: bytes, error: str) -> IncomingEvent:
    """The digest makes a redelivery of the same bytes the same event."""
    return IncomingEvent(
        kind="unreadable",
        external_id=f"unreadable:{hashlib.sha256(body).hexdigest()}",
        key="telegram:unreadable",
        body=body,
        state="dead",
        error=error,
    )


def key_of(kind: str, content: Mapping[str, Any]) -> str:
    """Whose line of work it is: a private chat with its button presses, or one topic of a group.

    Telegram queues presses by user and messages by chat, so the two may arrive in either order (contract 1.2).
    """
    message = content.get("message") if kind == "callback_query" else content
    message = message if isinstance(message, dict) else {}
    chat = message.get("chat")
    if isinstance(chat, dict) and is_id(chat.get("id")):
        chat_id = chat["id"]
        if "business" in kind:
            return f"telegram-business:{chat_id}"
        if chat.get("type") == "private":
            return f"telegram:{chat_id}"
        return f"telegram-group:{chat_id}:{thread_of(message) or 0}"
    for field in ("from", "user"):  # a press on an inline message, inline queries, payments
        person = content.get(field)
        if isinstance(person, dict) and is_id(person.get("id")):
            return f"telegram:{person['id']}"
    return "telegram:other"


def thread_of(message: Mapping[str, Any]) -> int | None:
    """The topic; General and chats without topics have none.

    `message_thread_id` alone proves nothing: replies in ordinary groups carry it as well.
    """
    thread_id = message.get("message_thread_id")
    return thread_id if message.get("is_topic_message") is True and is_id(thread_id) else None


def time_of(content: Mapping[str, Any]) -> datetime | None:
    """The event's own time, the same on every redelivery. A button press has none."""
    return moment(content.get("edit_date")) or moment(content.get("date"))


def moment(seconds: Any) -> datetime | None:
    """Unix time to UTC; None if it is not one. 0 is Telegram's mark of an inaccessible message."""
    if not is_id(seconds) or not 0 < seconds <= LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def is_id(value: object) -> TypeGuard[int]:
    """An integer that fits 64 bits; true and false are none."""
    return type(value) is int and -LARGEST_ID <= value <= LARGEST_ID
