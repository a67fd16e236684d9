"""Importing aiogram without what we do not use of it (docs/decisions/0011).

At import aiogram builds the pydantic schemas of its six hundred models, a hundred megabytes and more than a second of
start-up. We make some twenty of its methods and parse none of its types, so only those methods are built.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import pydantic

METHODS = (
    "AnswerCallbackQuery",
    "CloseForumTopic",
    "CreateForumTopic",
    "DeleteWebhook",
    "EditMessageCaption",
    "EditMessageReplyMarkup",
    "EditMessageText",
    "GetFile",
    "GetMe",
    "GetUpdates",
    "ReopenForumTopic",
    "SendAnimation",
    "SendAudio",
    "SendChatAction",
    "SendDocument",
    "SendLocation",
    "SendMessage",
    "SendPhoto",
    "SendSticker",
    "SendVideo",
    "SendVideoNote",
    "SendVoice",
    "SetWebhook",
)


def load() -> None:
    """Import aiogram and build METHODS. Does nothing where somebody has imported all of it already."""
    if "aiogram" in sys.modules:
        return
    build = pydantic.BaseModel.__dict__["model_rebuild"]
    pydantic.BaseModel.model_rebuild = classmethod(_put_off)  # type: ignore[method-assign, assignment]
    try:
        import aiogram.methods
        import aiogram.types
        from aiogram.client.default import Default
    finally:
        pydantic.BaseModel.model_rebuild = build  # type: ignore[method-assign]
    names: dict[str, Any] = {**vars(aiogram.types), "Default": Default}
    for name in METHODS:
        method = cast(type[pydantic.BaseModel], getattr(aiogram.methods, name))
        method.model_rebuild(_types_namespace=names)


def _put_off(_model: type[pydantic.BaseModel], /, **_: Any) -> None:
    """What a model does instead of building its schema."""
