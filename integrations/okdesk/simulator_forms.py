"""The simulated Okdesk reads a comment or an issue from JSON or from a multipart form, as strictly as the real one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import BodyPartReader, web

from integrations.okdesk.simulator_rules import Refusal

_KEY: Final = re.compile(r"(\w+)((?:\[\w*\])+)")
_FIELDS: Final = {
    "comment": frozenset({"content", "public", "author_id", "author_type"}),
    "issue": frozenset({"title", "description", "contact_id", "company_id", "type", "priority"}),
}


@dataclass(slots=True)
class FormFile:
    name: str = ""
    content: bytes | None = None
    mime: str = "application/octet-stream"
    is_public: bool = False
    description: str | None = None


@dataclass(slots=True)
class Form:
    fields: dict[str, Any]
    files: list[FormFile] = field(default_factory=list)


async def read_json(request: web.Request) -> dict[str, Any]:
    """The object in the body. Raises Refusal(400)."""
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "Неверный запрос")
    return body


async def read_form(request: web.Request, entity: str) -> Form:
    """`entity` is comment or issue. Keys of a multipart form that Okdesk does not know make a 422."""
    if request.content_type != "multipart/form-data":
        body = await read_json(request)
        wrapped = body.get(entity)
        return Form(wrapped if isinstance(wrapped, dict) else {} if entity == "issue" else body)
    fields: dict[str, Any] = {}
    files: dict[str, FormFile] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise Refusal(422, {"attachments": ["неверный формат"]})
        content = bytes(await part.read())
        if not _take(entity, part, content, fields, files):
            raise Refusal(422, {part.name: ["неизвестное поле"]})
    if any(file.content is None for file in files.values()):
        raise Refusal(422, {"attachments": ["не может быть пустым"]})
    return Form(fields, [files[index] for index in sorted(files, key=int)])


def _take(
    entity: str, part: BodyPartReader, content: bytes, fields: dict[str, Any], files: dict[str, FormFile]
) -> bool:
    """Put one part where it belongs; false for a key that Okdesk does not know."""
    key = _KEY.fullmatch(part.name or "")
    if key is None or key[1] != entity:
        return False
    match re.findall(r"\[(\w*)\]", key[2]):
        case ["attachments", index, "attachment"] if index.isdigit() and part.filename:
            file = files.setdefault(index, FormFile())
            file.name, file.content = part.filename, content
            file.mime = part.headers.get("Content-Type", file.mime)
        case ["attachments", index, "is_public"] if index.isdigit():
            files.setdefault(index, FormFile()).is_public = content == b"true"
        case ["attachments", index, "description"] if index.isdigit():
            files.setdefault(index, FormFile()).description = content.decode(errors="replace")
        case ["custom_parameters", code] if entity == "issue" and code:
            fields.setdefault("custom_parameters", {})[code] = content.decode(errors="replace")
        case ["observer_ids", ""] if entity == "issue":
            fields.setdefault("observer_ids", []).append(content.decode(errors="replace"))
        case ["public"] if entity == "comment":
            fields["public"] = content == b"true"
        case [name] if name in _FIELDS[entity]:
            fields[name] = content.decode(errors="replace")
        case _:
            return False
    return True
