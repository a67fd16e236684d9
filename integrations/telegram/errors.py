"""Telegram's refusals and failures as decisions: later, never, or nobody knows (contract 3.3 and 3.4)."""

from __future__ import annotations

from typing import Literal

from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiohttp import ClientConnectorError, ConnectionTimeoutError

from integrations.base import Later, Never, Unknown

FREEZE_ALL_AFTER_S = 30
"""A wait longer than this is no flood in one chat: the whole bot is asked to be quiet (contract 3.3)."""

CONFLICT_PAUSE_S = 10.0
UNREACHABLE_PAUSE_S = 5.0

Reason = Literal[
    "closed_to_us",
    "chat_not_found",
    "topic_gone",
    "topic_closed",
    "topic_as_wanted",
    "not_a_forum",
    "not_modified",
    "message_gone",
    "no_text_in_it",
    "our_markup",
    "media_refused",
    "file_refused",
    "query_expired",
    "no_rights",
    "migrated",
    "too_big",
    "token",
    "other",
]


class Refused(Never):
    """Never, with what exactly was wrong: the actions can mend some of it."""

    def __init__(
        self,
        message: str,
        *,
        reason: Reason,
        code: str = "invalid",
        unreachable: bool = False,
        stops_system: bool = False,
    ) -> None:
        super().__init__(message, code=code, unreachable=unreachable, stops_system=stops_system)
        self.reason = reason


# (part of the description in lower case, reason, code). Telegram has no other names for its refusals than these words.
DESCRIPTIONS: tuple[tuple[str, Reason, str], ...] = (
    ("message thread not found", "topic_gone", "topic_gone"),
    ("topic_deleted", "topic_gone", "topic_gone"),
    ("topic_id_invalid", "topic_gone", "topic_gone"),
    ("topic_closed", "topic_closed", "topic_closed"),
    ("topic_not_modified", "topic_as_wanted", "invalid"),
    ("the chat is not a forum", "not_a_forum", "not_a_forum"),
    ("message is not modified", "not_modified", "invalid"),
    ("message to edit not found", "message_gone", "not_found"),
    ("message can't be edited", "message_gone", "not_found"),
    ("message_id_invalid", "message_gone", "not_found"),
    ("there is no text in the message to edit", "no_text_in_it", "invalid"),
    ("query is too old", "query_expired", "not_found"),
    ("query id is invalid", "query_expired", "not_found"),
    ("message is too long", "our_markup", "invalid"),
    ("caption is too long", "our_markup", "invalid"),
    ("button_", "our_markup", "invalid"),
    ("can't parse", "our_markup", "invalid"),
    ("reply markup is too long", "our_markup", "invalid"),
    ("file is too big", "too_big", "invalid"),
    ("http url", "media_refused", "invalid"),
    ("web page content", "media_refused", "invalid"),
    ("webpage_", "media_refused", "invalid"),
    ("image_process_failed", "media_refused", "invalid"),
    ("photo_", "media_refused", "invalid"),
    ("wrong remote file identifier", "file_refused", "not_found"),
    ("wrong file_id", "file_refused", "not_found"),
    ("invalid file_id", "file_refused", "not_found"),
    ("can't use file of type", "file_refused", "invalid"),
    ("chat not found", "chat_not_found", "not_found"),
    ("bot was kicked", "closed_to_us", "forbidden"),
    ("bot was blocked", "closed_to_us", "forbidden"),
    ("user is deactivated", "closed_to_us", "forbidden"),
    ("bot can't initiate conversation", "closed_to_us", "forbidden"),
    ("not enough rights", "no_rights", "forbidden"),
    ("have no rights", "no_rights", "forbidden"),
    ("chat_admin_required", "no_rights", "forbidden"),
    ("chat_write_forbidden", "no_rights", "forbidden"),
)
UNREACHABLE: frozenset[Reason] = frozenset({"closed_to_us", "chat_not_found"})


def decide(error: Exception) -> Later | Never | Unknown:
    """What an exception of the library means for the order that was carried out.

    `Never.code` beside the four words of the flows: `migrated` (the message is the new chat id: store it, send
    again), `topic_gone` (open a new topic), `topic_closed`, `not_a_forum`.
    """
    match error:
        case Later() | Never() | Unknown():
            return error
        case TelegramRetryAfter():
            return Later(
                f"Telegram asks to wait {error.retry_after} s",
                retry_after_s=float(error.retry_after),
                scope="system" if error.retry_after > FREEZE_ALL_AFTER_S else "recipient",
            )
        case TelegramMigrateToChat():
            return Refused(str(error.migrate_to_chat_id), reason="migrated", code="migrated")
        case TelegramUnauthorizedError():
            return Refused("Telegram refuses the bot's token", reason="token", code="forbidden", stops_system=True)
        case TelegramNotFound():
            return Refused("Telegram knows no such bot or method", reason="token", code="not_found", stops_system=True)
        case TelegramConflictError():
            return Later(error.message, retry_after_s=CONFLICT_PAUSE_S, scope="system")
        case TelegramEntityTooLarge():  # of the library's network errors, but a refusal
            return Refused("too big for Telegram", reason="too_big")
        case TelegramForbiddenError():
            return _refused(error.message, otherwise="closed_to_us")
        case TelegramBadRequest():
            return _refused(error.message, otherwise="other")
        case TelegramServerError():
            return Unknown(f"Telegram failed: {error.message}")
        case TelegramNetworkError():
            # an SSL or name error is a connector error too: no byte of the request has left
            if isinstance(error.__cause__, ClientConnectorError | ConnectionTimeoutError):
                return Later("Telegram cannot be reached", retry_after_s=UNREACHABLE_PAUSE_S, scope="system")
            return Unknown(f"the answer of Telegram was lost: {error.message}")
        case ClientDecodeError():  # a page of a proxy in front of Telegram, a cut body
            return Unknown("the answer of Telegram cannot be read")
        case TelegramAPIError():
            return _refused(error.message, otherwise="other")
        case AiogramError() | ValueError():  # a value that the method does not take: nothing was sent
            return Refused(f"the call cannot be made: {type(error).__name__}", reason="other")
    raise error


def _refused(description: str, *, otherwise: Reason) -> Refused:
    words = description.lower()
    for part, reason, code in DESCRIPTIONS:
        if part in words:
            return Refused(description, reason=reason, code=code, unreachable=reason in UNREACHABLE)
    code = "forbidden" if otherwise == "closed_to_us" else "invalid"
    return Refused(description, reason=otherwise, code=code, unreachable=otherwise in UNREACHABLE)
