"""Importing aiogram without what we do not use of it (docs/decisions/0011).

At import aiogram builds the pydantic schemas of its six hundred models, a hundred megabytes and more than a second of
start-up. We make some twenty of its methods and parse none of its types, so only those methods are built.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, cast, get_args

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
    """Import aiogram and build METHODS, with the types of their fields.

    Does nothing where somebody has imported all of it already.
    """
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
    waiting = [cast(type[pydantic.BaseModel], getattr(aiogram.methods, name)) for name in METHODS]
    waiting.append(aiogram.types.ResponseParameters)  # of every refusal
    built: set[type[pydantic.BaseModel]] = set()
    while waiting:
        model = waiting.pop()
        if model not in built:
            built.add(model)
            model.model_rebuild(_types_namespace=names)
            for field in model.model_fields.values():
                waiting += _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """Models that a value of this type may be or hold: each is turned into JSON by itself."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _put_off(_model: type[pydantic.BaseModel], /, **_: Any) -> None:
    """What a model does instead of building its schema."""
