"""Phone numbers as people write them and as contact cards hold them (FLOWS.md section 4)."""

from __future__ import annotations

import re

from dialogs.cleaning import clean

_EXTENSION = re.compile(r"(?<![^\W\d_])(?:доб(?:авочный)?|ext(?:ension)?)[.:\s№]*[0-9]{1,6}(?![0-9])", re.IGNORECASE)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
_RUN = re.compile(r"\+?[0-9 \t\u00a0\u2000-\u200a\u202f().-]+")
_DIGIT = re.compile(r"[0-9]")
_NOT_DIGIT = re.compile(r"[^0-9]+")
_FOREIGN_DIGITS = re.compile(r"[1-9][0-9]{10,14}")


def parse_phone(text: str) -> str | None:
    """E.164 of the one number in `text`."""
    if len(text) > 1000:
        return None
    without_extension = _EXTENSION.sub(" доб ", text.translate(_DASHES), count=1)
    runs = [run for run in _RUN.findall(without_extension) if _DIGIT.search(run)]
    if len(runs) != 1:
        return None
    digits = _NOT_DIGIT.sub("", runs[0])
    if runs[0].startswith("+"):
        return _international(digits)
    if digits.startswith("00"):
        return _international(digits[2:])
    if len(digits) == 10:
        return _russian(digits)
    if len(digits) == 11 and digits[0] in "78":
        return _russian(digits[1:])
    return None


def phone_from_card(number: str) -> str | None:
    """E.164 of a number as it is written on a contact card.

    Telegram gives numbers of other countries without `+`, so more digits than a Russian number has are taken as one.
    """
    cleaned = clean(number)
    found = parse_phone(cleaned)
    if found is None and _FOREIGN_DIGITS.fullmatch(cleaned):
        return f"+{cleaned}"
    return found


def _russian(digits: str) -> str | None:
    return f"+7{digits}" if digits[0] in "3456789" else None


def _international(digits: str) -> str | None:
    if digits.startswith("7") or (digits.startswith("8") and len(digits) == 11):
        return _russian(digits[1:]) if len(digits) == 11 else None
    return f"+{digits}" if 8 <= len(digits) <= 15 and digits[0] != "0" else None
