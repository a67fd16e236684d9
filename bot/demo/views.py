"""What the page and scripts get to see of a stand-in's records: plain JSON with the documented fields always there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.demo.stand_ins import Record

Shown = dict[str, Any]

ASKED = {"contact": "Поделиться номером", "location": "Отправить геопозицию"}  # as WhatsApp titles these buttons

CARRIED = re.compile(r"\[([a-z_]+)\]")
"""How the stand-in for Telegram writes a message without words: [photo]."""


class FirstSeen:
    """When each message was first shown, for stand-ins that do not tell when it was written."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._moments: dict[tuple[str, ...], datetime] = {}

    def dated(self, messages: Iterable[Shown], *where: str) -> list[Shown]:
        """The messages, each with `at`."""
        return [{"at": self._at(*where, str(one.get("id"))), **one} for one in messages]

    def forget(self) -> None:
        self._moments.clear()

    def _at(self, *key: str) -> str:
        return str(plain(self._moments.setdefault(key, self._now())))


def message(record: Record) -> Shown:
    """One message of a chat. Whatever else the stand-in tells of it (status, id, media) is passed on.

    `kind` says what it carries (text, photo, contact, location, document …). A message that asks for the customer's
    number or place offers that as an option, as the apps do.
    """
    text = record.get("text") or ""
    options = [option(one) for one in record.get("options") or ()]
    asks = record.get("asks")
    if asks in ASKED and all(one["id"] != asks for one in options):
        options.append({"id": asks, "title": ASKED[asks]})
    carried = CARRIED.fullmatch(text)
    return {
        **{name: plain(value) for name, value in record.items()},
        "from": str(record.get("from", "bot")),
        "text": text,
        "kind": record.get("kind") or record.get("media") or (carried[1] if carried else "text"),
        "options": options,
    }


def option(record: Record) -> Shown:
    return {
        **{name: plain(value) for name, value in record.items()},
        "id": str(record["id"]),
        "title": str(record["title"]),
    }


def payment(record: Record) -> Shown:
    """How an issue's bill stands: `issue_id`, `total`, `paid` (kopecks), `state`, and what else 1C says."""
    shown = {name: plain(value) for name, value in record.items()}
    return {**shown, "issue_id": record.get("issue_id", record.get("issue"))}


def records(many: Iterable[Record]) -> list[Shown]:
    return [{name: plain(value) for name, value in one.items()} for one in many]


def plain(value: Any) -> Any:
    """JSON for whatever a stand-in keeps: moments become ISO 8601 in UTC, unknown objects their text."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return [plain(inner) for inner in value]
    return str(value)


def find_option(messages: Sequence[Record], wanted: str) -> str | None:
    """Id of the option that `wanted` names: by id, by the last part of an id, or by title; the newest message wins.

    Ids of our own service look like DIALOG.VERSION.STEP.OPTION, so a script may say just OPTION.
    """
    sought = wanted.strip().casefold()
    for one in reversed(messages):
        offered = [option(record) for record in one.get("options") or ()]
        names = (
            [(found["id"], found["id"]) for found in offered]
            + [(found["title"].strip(), found["id"]) for found in offered]
            + [(found["id"].rpartition(".")[2], found["id"]) for found in offered]
        )
        for name, option_id in names:
            if name.casefold() == sought:
                return str(option_id)
    return None
