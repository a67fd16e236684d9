"""One message of ours as Telegram can show it. Pure.

Texts go without a parse mode: nothing a person wrote can become markup, and a name like `<b>` breaks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from dialogs.effects import Option, SendMessage
from dialogs.events import File
from integrations.telegram.files import way_of
from integrations.telegram.utf16 import clean, shorten, split, units

LIMITS: Final[Mapping[str, int]] = {
    "text": 4096,
    "text_with_options": 4096,
    "caption": 1024,
    "options": 100,
    "title": 60,  # our own: Telegram names no limit, more does not fit a telephone's screen
    "payload_bytes": 64,
    "callback_answer": 200,
    "topic_name": 128,
}
"""What this channel can show, in UTF-16 units unless the name says otherwise (contract 3.5)."""

SHORT_TITLE = 15  # two such buttons fit in a row

QUICK_TITLES = {
    "share_contact": {"ru": "Отправить номер", "en": "Share phone number"},
    "share_location": {"ru": "Отправить местоположение", "en": "Share location"},
}
QUICK_REQUESTS = {"share_contact": "request_contact", "share_location": "request_location"}

MEDIA_METHODS = {
    "jpg": ("sendPhoto", "photo"),
    "jpeg": ("sendPhoto", "photo"),
    "png": ("sendPhoto", "photo"),
    "webp": ("sendPhoto", "photo"),
    "gif": ("sendAnimation", "animation"),
    "mp4": ("sendVideo", "video"),
    "pdf": ("sendDocument", "document"),  # by link, sendDocument takes PDF and ZIP only (Bot API, Sending files)
    "zip": ("sendDocument", "document"),
}

Keyboard = dict[str, Any]
REMOVE_KEYBOARD: Keyboard = {"remove_keyboard": True}


def render(message: SendMessage) -> list[dict[str, Any]]:
    """The params of "send" orders, in order: `{"method", "fields", "is_question"}`, without the recipient."""
    text, keyboard = _text_and_keyboard(message)
    calls = _with_files(message, text, keyboard)
    return [{"method": method, "fields": fields, "is_question": message.is_question} for method, fields in calls]


def _text_and_keyboard(message: SendMessage) -> tuple[str, Keyboard | None]:
    text = clean(message.text).strip()
    options = message.options
    if message.quick:  # a message has one keyboard: the options stand on it as texts, and are typed by a press
        keyboard = _reply_keyboard(message, text)
    elif not options:
        return text, None
    elif _fits_buttons(options):
        keyboard = {"inline_keyboard": _rows([_inline_button(option) for option in options])}
    else:
        lines = [f"{number}. {_title(option)}" for number, option in enumerate(options, 1)]
        return _join(text, "\n".join(lines)), None
    about = [f"{_title(option)} — {clean(option.about).strip()}" for option in options if option.about]
    # Telegram sends no keyboard without a text
    return _join(text, "\n".join(about)) or clean(message.button or "").strip() or "…", keyboard


def _with_files(message: SendMessage, text: str, keyboard: Keyboard | None) -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, dict[str, Any]]] = []
    caption = text if 0 < units(text) <= LIMITS["caption"] else None
    if message.media:
        media = _media_method(message.media)
        if media is None:  # a kind that Telegram does not fetch by itself: it shows a preview of the link
            text, caption = _join(text, message.media), None
        else:
            method, field = media
            calls.append((method, {field: message.media}))
    for file in message.files:
        way, file_id = way_of(file.id, file.kind)
        calls.append((way.method, {way.field: file_id}))
    if caption and len(calls) == 1 and _takes_caption(message.files):
        fields = calls[0][1]
        fields["caption"] = caption
        if keyboard:
            fields["reply_markup"] = keyboard
        return calls
    pieces = split(text, LIMITS["text"])
    calls += [("sendMessage", {"text": piece}) for piece in pieces]
    if pieces:
        # the last one has the buttons; without any it takes away a reply keyboard that an earlier question left
        calls[-1][1]["reply_markup"] = keyboard or REMOVE_KEYBOARD
    return calls


def inline_rows(rows: Sequence[Sequence[Mapping[str, Any]]]) -> Keyboard | None:
    """Rows of `{"text", "data"}` or `{"text", "url"}` as an inline keyboard; None without any button."""
    keyboard = [[_group_button(button) for button in row] for row in rows if row]
    return {"inline_keyboard": keyboard} if keyboard else None


def _group_button(button: Mapping[str, Any]) -> dict[str, str]:
    title = shorten(_one_line(str(button.get("text", ""))), LIMITS["title"]) or "…"
    if button.get("url"):
        return {"text": title, "url": str(button["url"])}
    return {"text": title, "callback_data": str(button.get("data", ""))}


def _reply_keyboard(message: SendMessage, text: str) -> Keyboard:
    """Its buttons send their title as a text, so a title is never cut here."""
    language = "ru" if any("а" <= letter <= "я" or letter == "ё" for letter in text.lower()) else "en"
    rows: list[list[dict[str, Any]]] = [
        [{"text": QUICK_TITLES[quick][language], QUICK_REQUESTS[quick]: True}] for quick in message.quick
    ]
    rows += _rows([{"text": _one_line(option.title) or option.id} for option in message.options])
    return {"keyboard": rows, "resize_keyboard": True, "one_time_keyboard": True}


def _rows(buttons: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Two in a row while both titles are short, else one."""
    rows: list[list[dict[str, Any]]] = []
    for button in buttons:
        last = rows[-1] if rows else []
        if len(last) == 1 and all(units(each["text"]) <= SHORT_TITLE for each in (last[0], button)):
            last.append(button)
        else:
            rows.append([button])
    return rows


def _inline_button(option: Option) -> dict[str, Any]:
    return {"text": _title(option), "callback_data": option.payload}


def _fits_buttons(options: Sequence[Option]) -> bool:
    if len(options) > LIMITS["options"]:
        return False
    return all(0 < len(clean(option.payload).encode()) <= LIMITS["payload_bytes"] for option in options)


def _title(option: Option) -> str:
    return shorten(_one_line(option.title), LIMITS["title"]) or option.id


def _one_line(title: str) -> str:
    return " ".join(clean(title).split())


def _media_method(url: str) -> tuple[str, str] | None:
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return MEDIA_METHODS.get(path.rpartition(".")[2].lower())


def _takes_caption(files: Sequence[File]) -> bool:
    return all(way_of(file.id, file.kind)[0].has_caption for file in files)


def _join(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
