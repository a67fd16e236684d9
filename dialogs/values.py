"""Values of variables: what a person wrote turned into what is stored (FLOWS.md section 4).

One parser for each kind of `expect`; see also `phones.py`, `amounts.py`, `dates.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from dialogs.amounts import parse_money, parse_number, parse_rating
from dialogs.cleaning import clean, contains_phrase, normal
from dialogs.dates import parse_date, parse_time
from dialogs.events import Location
from dialogs.phones import parse_phone, phone_from_card

__all__ = [
    "BASE_TYPES",
    "PARSED_KINDS",
    "clean",
    "contains_phrase",
    "fits",
    "location_text",
    "normal",
    "parse",
    "phone_from_card",
]

MAX_TEXT = 4000
MAX_LIST = 50
_DEFAULT_TEXT = 1000

BASE_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "text": "text",
        "choice": "text",
        "person_name": "text",
        "phone": "text",
        "email": "text",
        "url": "text",
        "address": "text",
        "date": "text",
        "time": "text",
        "number": "number",
        "money": "number",
        "rating": "number",
        "flag": "flag",
        "list": "list",
        "file_list": "list",
    }
)
"""Type of a variable → what is stored: text, number (an integer), flag or list."""


@dataclass(frozen=True, slots=True)
class _Limits:
    max: int | None
    min: int | None
    of: int | None
    today: date | None


def parse(
    kind: str,
    text: str,
    *,
    max: int | None = None,
    min: int | None = None,
    of: int | None = None,
    today: date | None = None,
) -> object | None:
    """Read `text` as `kind` of `expect`. None is a wrong answer. Never raises.

    `max` and `min` limit the characters of a text, a number, or the kopecks of money; `of` is the best rating.
    Without `today` only a date with its year can be read. Kinds that no text fills (choice, photo …) give None.
    """
    parser = _PARSERS.get(kind)
    if parser is None:
        return None
    cleaned = clean(text)
    return parser(cleaned, _Limits(max, min, of, today)) if cleaned else None


def fits(value: object | None, type: str) -> bool:
    """Whether a value from `save`, `take` or `with` has the type of a variable; null fits every type.

    Only the type is asked (text, integer, boolean, list of at most 50): the limits `min`, `max` and `of` are for what
    people write.
    """
    if value is None:
        return True
    base = BASE_TYPES.get(type)
    if base == "text":
        return isinstance(value, str)
    if base == "number":
        return isinstance(value, int) and not isinstance(value, bool)
    if base == "flag":
        return isinstance(value, bool)
    return base == "list" and isinstance(value, list | tuple) and len(value) <= MAX_LIST


def location_text(location: Location) -> str:
    """What is stored of a location: its address, else its name, else `55.790300, 49.134600`."""
    for written in (location.address, location.name):
        if written and (cleaned := clean(written)):
            return cleaned[:_MAX_ADDRESS]
    return f"{location.latitude:.6f}, {location.longitude:.6f}"


# ------------------------------------------------------------------------------------------------------------ texts


def parse_text(text: str, max_characters: int | None) -> str | None:
    most = _DEFAULT_TEXT if max_characters is None else max_characters
    return text if len(text) <= (most if most < MAX_TEXT else MAX_TEXT) else None


_INTRODUCTION = re.compile(r"(?:меня\s+зовут|зовите\s+меня|my\s+name\s+is)\b[\s:,–—-]*", re.IGNORECASE)


def parse_person_name(text: str) -> str | None:
    if len(text) > 200:
        return None
    text = text.replace("’", "'").replace("‑", "-").replace("‐", "-")
    if introduction := _INTRODUCTION.match(text):
        text = text[introduction.end() :]
    words = text.split()
    if not 1 <= len(words) <= 5:
        return None
    if not all(_is_name(word) for word in words):
        return None
    last = words[-1]
    if last.endswith(".") and last.count(".") == 1 and len(last) > 3:  # the end of a sentence, not of "Jr."
        words[-1] = last[:-1]
    name = " ".join(_capital(word) if word.islower() or word.isupper() else word for word in words)
    return name if 2 <= len(name) <= 60 else None


def _is_name(word: str) -> bool:
    return any(map(str.isalpha, word)) and all(
        char.isalpha() or char in "-'." or unicodedata.category(char).startswith("M") for char in word
    )


def _capital(word: str) -> str:
    """анна-мария → Анна-Мария, о'нил → О'Нил, but мар'яна → Мар'яна: only after a single letter."""
    letters: list[str] = []
    is_first = True
    length = 0
    for char in word.lower():
        letters.append(char.title() if is_first and char.isalpha() else char)
        if char in "-.":
            is_first, length = True, 0
        elif char == "'":
            is_first = length == 1
        else:
            is_first, length = False, length + 1
    return "".join(letters)


_EMAIL_NAME = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}")
_HOST = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+"
_DOMAIN = re.compile(_HOST + r"(?:[^\W\d_]{2,63}|xn--[a-z0-9-]{1,59})", re.IGNORECASE)


def parse_email(text: str) -> str | None:
    if len(text) > 254:
        return None
    name, at, domain = text.rpartition("@")
    if not at or not _EMAIL_NAME.fullmatch(name) or not _DOMAIN.fullmatch(domain):
        return None
    if name.startswith(".") or name.endswith(".") or ".." in name:
        return None
    return f"{name}@{domain.lower()}"


_URL = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    rf"(?:(?P<domain>{_DOMAIN.pattern})|(?P<address>(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}))"
    r"(?P<rest>(?::[0-9]{1,5})?(?:[/?#][^\s<>\"]*)?)",
    re.IGNORECASE,
)


def parse_url(text: str) -> str | None:
    if len(text) > 2000 or (found := _URL.fullmatch(text)) is None:
        return None
    if found["scheme"]:
        return found["scheme"].lower() + text[len(found["scheme"]) :]
    if found["address"] or len(text) > 2000 - len("https://"):
        return None
    return f"https://{text}"


_MAX_ADDRESS = 300
_WORD_OF_THREE = re.compile(r"[^\W\d_]{3}")
_DIGIT = re.compile(r"\d")


def parse_address(text: str) -> str | None:
    if not 5 <= len(text) <= _MAX_ADDRESS:
        return None
    return text if _WORD_OF_THREE.search(text) and _DIGIT.search(text) else None


# ------------------------------------------------------------------------------------------------------------ kinds

_PARSERS: Mapping[str, Callable[[str, _Limits], object | None]] = {
    "text": lambda text, limits: parse_text(text, limits.max),
    "person_name": lambda text, _limits: parse_person_name(text),
    "phone": lambda text, _limits: parse_phone(text),
    "email": lambda text, _limits: parse_email(text),
    "url": lambda text, _limits: parse_url(text),
    "address": lambda text, _limits: parse_address(text),
    "number": lambda text, limits: parse_number(text, limits.min, limits.max),
    "money": lambda text, limits: parse_money(text, limits.min, limits.max),
    "rating": lambda text, limits: parse_rating(text, limits.of),
    "date": lambda text, limits: parse_date(text, limits.today),
    "time": lambda text, _limits: parse_time(text),
}

PARSED_KINDS = frozenset(_PARSERS)
"""Kinds of `expect` that a text can fill."""
