"""How a person's phone, address, name or text looks wherever it may have been written down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import orjson

SHORTEST_ADDRESS = 6  # a shorter number is found in everything
SHORTEST_NAME = 3
SHORTEST_TEXT = 10  # a shorter text is what anybody says

_BETWEEN = r"[ ()\-\u00a0]{0,2}"


def pattern(*, phones: Iterable[str], addresses: Iterable[str]) -> re.Pattern[str] | None:
    """Finds what means this person and nobody else, however a phone is written. `phones`: E.164."""
    parts = [_phone(phone) for phone in phones]
    parts += [
        rf"(?<![\w-]){re.escape(written)}(?!\w)"
        for address in addresses
        if len(address) >= SHORTEST_ADDRESS
        for written in _written(address)
    ]
    return re.compile("|".join(dict.fromkeys(parts))) if parts else None


def texts_pattern(*, names: Iterable[str | None], texts: Iterable[str | None]) -> re.Pattern[str] | None:
    """Finds words of a person, in places where nothing else tells whose they are."""
    found = [name for name in names if name and len(name) >= SHORTEST_NAME]
    found += [text for text in texts if text and len(text) >= SHORTEST_TEXT]
    parts = {re.escape(written) for word in found for written in _written(word)}
    return re.compile("|".join(sorted(parts, key=len, reverse=True))) if parts else None


def _phone(phone: str) -> str:
    digits = phone.removeprefix("+")
    if len(digits) == 11 and digits.startswith("7"):
        return rf"(?<!\d)(?:\+?[78]{_BETWEEN})?{_BETWEEN.join(digits[1:])}(?!\d)"
    return rf"(?<!\d){_BETWEEN.join(digits)}(?!\d)"


def _written(word: str) -> set[str]:
    """As it is, inside JSON with and without escapes, and inside an address of the web."""
    escaped = "".join(char if ord(char) < 128 else "".join(_units(char)) for char in word)
    inside = orjson.dumps(word).decode()[1:-1]
    return {word, inside, escaped, escaped.upper().replace("\\U", "\\u"), quote(word, safe=""), quote_plus(word)}


def _units(char: str) -> Iterable[str]:
    raw = char.encode("utf-16-be")
    return (f"\\u{raw[at]:02x}{raw[at + 1]:02x}" for at in range(0, len(raw), 2))
