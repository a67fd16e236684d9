"""What a call of the Bot API carries, and the checks of the real server on it (contract 3.1, 3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from integrations.telegram.simulator_world import Wire, bad

TEXT_LIMIT = 4096
HTML_TAGS = frozenset(
    ["b", "strong", "i", "em", "u", "ins", "s", "del", "a", "code", "pre", "tg-spoiler", "blockquote"]
)


class Form:
    """The fields of a call: everything is a string, nested objects are JSON text."""

    def __init__(self, fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> None:
        self.fields = fields
        self.files = files

    def text(self, name: str) -> str:
        return self.fields.get(name, "")

    def integer(self, name: str, default: int = 0) -> int:
        try:
            return int(self.fields.get(name, default))
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in {"true", "1"}

    def json(self, name: str) -> Any:
        if not self.text(name):
            return None
        try:
            return orjson.loads(self.text(name))
        except orjson.JSONDecodeError:
            raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def checked_text(form: Form) -> str:
    text = form.text("text")
    if form.text("parse_mode").upper() == "HTML":
        for tag in re.findall(r"</?([^\s>/]*)[^>]*>", text):
            if tag.lower() not in HTML_TAGS:
                raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset 0')
        text = re.sub(r"<[^>]*>", "", text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    if not text.strip():
        raise bad("message text is empty")
    if utf16_length(text) > TEXT_LIMIT:
        raise bad("message is too long")
    return text


def checked_markup(markup: Any) -> Wire | None:
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    for row in markup.get("inline_keyboard", ()):
        for button in row:
            if not button.get("text"):
                raise bad('can\'t parse inline keyboard button: Field "text" must be of type String')
            data = button.get("callback_data")
            if data is not None and not 1 <= len(data.encode()) <= 64:
                raise bad("BUTTON_DATA_INVALID")
    return markup


async def read_form(request: web.Request) -> Form:
    """Fields of a query string, a form, a multipart form or a JSON object."""
    fields: dict[str, str] = dict(request.query)
    files: dict[str, tuple[str, bytes]] = {}
    if request.content_type == "application/json":
        given = orjson.loads(await request.read() or b"{}")
        for name, value in given.items() if isinstance(given, dict) else ():
            fields[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    elif request.can_read_body:
        for name, item in (await request.post()).items():
            if isinstance(item, web.FileField):
                files[name] = (item.filename, item.file.read())
            else:
                fields[name] = item if isinstance(item, str) else item.decode()
    return Form(fields, files)
