"""JSON as Meta writes it: reading, writing, and making its strings safe to store."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

LATEST_S = 4_102_444_800  # 2100-01-01: a later time is nonsense, not a date

# One escape of a JSON string. Pairs and other escapes are matched as wholes, so that `\\ud83d` (an escaped backslash
# before the letters) is not taken for a surrogate; group 1 is a surrogate without its partner.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOM = b"\xef\xbb\xbf"


def parse(body: bytes) -> Any:
    """Read one JSON document.

    A lone surrogate escape, which is valid JSON but cannot be encoded again, becomes U+FFFD: no string that is read
    here holds one. NaN and Infinity, which are not JSON, become null: one of them must not take a whole batch along.
    Raises ValueError for everything else that is not JSON, and for nesting of about 1000 levels.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_repaired(_ESCAPE.sub(_repaired, body.removeprefix(_BOM)))


def _parse_repaired(repaired: bytes) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(repaired)
    try:
        return json.loads(repaired.decode(), parse_constant=_null)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _null(_: str) -> None:
    return None


def _repaired(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match[1] else match[0]


def dump(value: Any) -> bytes | None:
    """Write parsed JSON compactly, with sorted keys; None if it is nested too deeply to be written."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # orjson writes 254 levels, but reads 1024
        try:
            return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        except RecursionError:
            return None


def digest(value: Any) -> str | None:
    """The same for the same JSON, however it was written; None if it is nested too deeply."""
    written = dump(value)
    return None if written is None else hashlib.sha256(written).hexdigest()


def clean(text: str) -> str:
    """The text without NUL, which databases refuse. They refuse lone surrogates too, but JSON is read without those."""
    return text.replace("\x00", "")


def storable(identifier: str) -> str:
    """The identifier itself, or its hash when it is too long or too strange for an index."""
    if len(identifier) <= 200 and identifier.isascii() and identifier.isprintable():
        return identifier
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()


def seconds_of(timestamp: Any) -> int | None:
    """Unix seconds, a string in messages and a number in `user_preferences`; None if it is no time."""
    if type(timestamp) is not str and type(timestamp) not in (int, float):
        return None
    try:
        seconds = int(timestamp)
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= LATEST_S else None


def moment(timestamp: Any) -> datetime | None:
    seconds = seconds_of(timestamp)
    return _EPOCH + timedelta(0, seconds) if seconds is not None else None


def changes_of(document: Any) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every (entry, change) that has the shape of one."""
    found = []
    entries = document.get("entry") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        changes = entry.get("changes") if isinstance(entry, dict) else None
        for change in changes if isinstance(changes, list) else ():
            if isinstance(change, dict):
                found.append((entry, change))
    return found


def number_of(value: Any) -> str | None:
    """Id of our number that the change is about."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
    return number if isinstance(number, str) and number else None


def contact_for(contacts: Any, wa_id: Any, user_id: Any) -> dict[str, Any] | None:
    """The contact with that wa_id or that BSUID, whatever its place in the array."""
    for contact in contacts if isinstance(contacts, list) else ():
        if isinstance(contact, dict) and (
            (wa_id and contact.get("wa_id") == wa_id) or (user_id and contact.get("user_id") == user_id)
        ):
            return contact
    return None
