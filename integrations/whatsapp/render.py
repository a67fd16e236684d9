"""One message of ours as WhatsApp can show it. Pure. Contract: section 5; FLOWS.md section 13."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from dialogs.effects import Option, SendMessage, Template
from integrations.whatsapp.cutting import cut, fits, shorten, units

LIMITS: Final[Mapping[str, int]] = {
    "text": 4096,
    "body": 1024,  # of every interactive message; lists may have 4096 by one page of Meta and 1024 by another
    "caption": 1024,
    "buttons": 3,
    "button_title": 20,
    "button_id": 256,
    "rows": 10,
    "row_title": 24,
    "row_about": 72,
    "row_id": 200,
    "list_button": 20,
    "template_name": 512,
    "template_params": 1000,  # all parameters together; the filled body may have 1024
    "file_name": 240,
}
_CHOOSE = "Выбрать"  # when the flow gives no title for the button that opens a list
_BLANKS = re.compile(r"\s*[\r\n\t]\s*| {2,}")
_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("jpg", "jpeg", "png"), "image"),
    **dict.fromkeys(("mp4", "3gp"), "video"),
    **dict.fromkeys(("aac", "amr", "mp3", "m4a", "ogg", "opus"), "audio"),
}
_FILE_KINDS: Final[Mapping[str, str]] = {
    "photo": "image",
    "video": "video",
    "voice": "audio",
    "audio": "audio",
    "sticker": "sticker",
    "file": "document",
}
_CAPTIONED = frozenset({"image", "video", "document"})

Body = dict[str, Any]


def render(message: SendMessage) -> list[Mapping[str, Any]]:
    """The params of "send" orders, in order.

    Each is `{"message": body without the recipient, "template": body | None, "is_question": bool}`. The template
    stands for the whole message, so only the first order has it; the others carry `"skip_with_template": true` and
    are to be dropped when the first went out as its template. A manager's file, whose bytes are in another channel,
    is `"file": {id, kind, name, mime, size}` beside a message that still lacks its media id.
    """
    parts = _parts(message)
    template = _template(message.template) if message.template is not None else None
    orders: list[Mapping[str, Any]] = []
    for part in parts:
        order: Body = {"message": part.pop("_message"), "template": None, "is_question": message.is_question, **part}
        if template is not None:
            order["template"] = template if not orders else None
            if orders:
                order["skip_with_template"] = True
        orders.append(order)
    if not orders and template is not None:
        orders.append({"message": None, "template": template, "is_question": message.is_question})
    return orders


def merge(messages: Sequence[SendMessage]) -> list[SendMessage]:
    """Join consecutive plain texts by an empty line, the last of them with the question that follows, while they fit.

    Meta lets one message in six seconds through to a person. Messages with a template stay apart: out of the
    window each is another template.
    """
    merged: list[SendMessage] = []
    for message in messages:
        joined = _joined(merged[-1], message) if merged else None
        if joined is not None:
            merged[-1] = joined
        else:
            merged.append(message)
    return merged


def _joined(first: SendMessage, second: SendMessage) -> SendMessage | None:
    if first.template is not None or second.template is not None or not first.text.strip() or not second.text.strip():
        return None
    if first.options or first.quick or first.media or first.files or second.media or second.files:
        return None
    joined = replace(
        second,
        text=f"{first.text.rstrip()}\n\n{second.text.lstrip()}",
        is_question=first.is_question or second.is_question,
        step=second.step or first.step,
    )
    return joined if len(_parts(joined)) == 1 and len(_parts(second)) == 1 else None


def text_instead(message: Mapping[str, Any]) -> Body | None:
    """A plain text for a message whose file or form was refused: its words and its link. None if it has neither."""
    kind = str(message.get("type"))
    content = message.get(kind)
    if not isinstance(content, dict):
        return None
    body = content.get("body")
    words = body.get("text") if isinstance(body, dict) else content.get("caption")
    header = content.get("header")
    media = header.get(header.get("type")) if isinstance(header, dict) else content
    link = media.get("link") if isinstance(media, dict) else None
    buttons = content.get("action", {}).get("buttons", ())
    titles = [f"{place}. {button['reply']['title']}" for place, button in enumerate(buttons, 1)]
    lines = [str(line) for line in (words, link, "\n".join(titles)) if line]
    return _text("\n\n".join(lines)) if lines and kind != "text" else None


# ------------------------------------------------------------------------------------------------------------ parts


def _parts(message: SendMessage) -> list[Body]:
    """Messages in order, each as {"_message": body, …further params}."""
    text = message.text.strip()
    parts: list[Body] = []
    media = _linked(message.media) if message.media else None
    if media is not None and _heads_buttons(message, media):
        *before, body = cut(text, LIMITS["body"]) or ["…"]
        return [*_texts(before), {"_message": _buttons(body, _tidy(message.options), header=media)}]
    files = [_file(file_params) for file_params in _file_params(message)]
    attachments = ([{"_message": media}] if media is not None else []) + files
    if attachments and text and not message.options and not message.quick:
        first = attachments[0]["_message"]
        if first["type"] in _CAPTIONED and fits(text, LIMITS["caption"]):
            first[first["type"]]["caption"] = text
            return attachments
    parts += attachments
    return parts + _words(message, text, has_attachments=bool(attachments))


def _words(message: SendMessage, text: str, *, has_attachments: bool) -> list[Body]:
    if message.options:
        return _choice(message, text)
    if message.quick:
        *before, body = cut(text, LIMITS["body"]) or ["…"]
        if message.quick[0] == "share_location":
            kind, action = "location_request_message", "send_location"
        else:
            kind, action = "contact_request", "request_contact_info"
        content = {"type": kind, "body": {"text": body}, "action": {"name": action}}
        return [*_texts(before), {"_message": {"type": "interactive", "interactive": content}}]
    return _texts(cut(text, LIMITS["text"]))


def _choice(message: SendMessage, text: str) -> list[Body]:
    """Buttons, a list, or a numbered text: the first that can hold all options."""
    options = _tidy(message.options)
    if _are_buttons(options):
        *before, body = cut(text, LIMITS["body"]) or ["…"]
        return [*_texts(before), {"_message": _buttons(body, options)}]
    if _are_rows(options):
        *before, body = cut(text, LIMITS["body"]) or ["…"]
        rows = [
            {"id": option.payload, "title": option.title, **({"description": option.about} if option.about else {})}
            for option in options
        ]
        button = shorten((message.button or "").strip() or _CHOOSE, LIMITS["list_button"])
        content = {
            "type": "list",
            "body": {"text": body},
            "action": {"button": button, "sections": [{"rows": rows}]},
        }
        return [*_texts(before), {"_message": {"type": "interactive", "interactive": content}}]
    lines = [f"{place}. {o.title}{f' — {o.about}' if o.about else ''}" for place, o in enumerate(options, 1)]
    return _texts(cut("\n\n".join(part for part in (text, "\n".join(lines)) if part), LIMITS["text"]))


def _are_buttons(options: Sequence[Option]) -> bool:
    return (
        len(options) <= LIMITS["buttons"]
        and len({option.title for option in options}) == len(options)  # equal titles are refused with 131009
        and all(not o.about and units(o.title) <= LIMITS["button_title"] for o in options)
        and _have_ids(options, LIMITS["button_id"])
    )


def _are_rows(options: Sequence[Option]) -> bool:
    return (
        len(options) <= LIMITS["rows"]
        and all(units(o.title) <= LIMITS["row_title"] for o in options)
        and all(units(o.about or "") <= LIMITS["row_about"] for o in options)
        and _have_ids(options, LIMITS["row_id"])
    )


def _have_ids(options: Sequence[Option], limit: int) -> bool:
    ids = [option.payload for option in options]
    return len(set(ids)) == len(ids) and all(0 < len(option_id) <= limit for option_id in ids)


def _tidy(options: Sequence[Option]) -> list[Option]:
    """Titles and descriptions without line breaks and outer blanks, which Meta refuses."""
    return [
        replace(
            option,
            title=_BLANKS.sub(" ", option.title).strip() or option.id,
            about=_BLANKS.sub(" ", option.about or "").strip() or None,
        )
        for option in options
    ]


def _buttons(body: str, options: Sequence[Option], header: Body | None = None) -> Body:
    buttons = [{"type": "reply", "reply": {"id": o.payload, "title": o.title}} for o in options]
    content: Body = {"type": "button", "body": {"text": body}, "action": {"buttons": buttons}}
    if header is not None:
        content["header"] = header
    return {"type": "interactive", "interactive": content}


def _heads_buttons(message: SendMessage, media: Body) -> bool:
    """A picture above buttons is one message; as two, the order in which they arrive is not kept."""
    is_free = bool(message.options) and not message.files and media["type"] in _CAPTIONED
    return is_free and _are_buttons(_tidy(message.options))


def _texts(parts: Sequence[str]) -> list[Body]:
    return [{"_message": _text(part)} for part in parts]


def _text(body: str) -> Body:
    return {"type": "text", "text": {"preview_url": False, "body": body}}


# ------------------------------------------------------------------------------------------------ files, templates


def _linked(address: str) -> Body:
    """Media by link. The kind is guessed from the address; without an ending it is taken for a picture."""
    name = unquote(urlsplit(address).path).rsplit("/", 1)[-1]
    ending = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    kind = _KINDS.get(ending, "document" if ending else "image")
    content: Body = {"link": address}
    if kind == "document":
        content["filename"] = name[-LIMITS["file_name"] :]
    return {"type": kind, kind: content}


def _file_params(message: SendMessage) -> list[Body]:
    return [
        {"id": file.id, "kind": file.kind, "name": file.name, "mime": file.mime, "size": file.size}
        for file in message.files
    ]


def _file(params: Body) -> Body:
    kind = _FILE_KINDS.get(str(params["kind"]), "document")
    content: Body = {}
    if kind == "document":
        content["filename"] = str(params["name"] or "file")[-LIMITS["file_name"] :]
    return {"_message": {"type": kind, kind: content}, "file": params}


def _template(template: Template) -> Body:
    """Parameters may hold no line breaks and no empty texts; together they leave room for the template's own words."""
    params = [_BLANKS.sub(" ", param).strip() or "-" for param in template.params]
    if sum(units(param) for param in params) > LIMITS["template_params"]:
        room = max(LIMITS["template_params"] // len(params), 2)
        params = [shorten(param, room) for param in params]
    content: Body = {"name": template.name[: LIMITS["template_name"]], "language": {"code": template.lang}}
    if params:
        content["components"] = [{"type": "body", "parameters": [{"type": "text", "text": p} for p in params]}]
    return {"type": "template", "template": content}
