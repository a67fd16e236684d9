"""Cutting long texts where a reader would: between paragraphs, lines, sentences, words, at last between characters."""

from __future__ import annotations

import re
import unicodedata

_BREAKS = (re.compile(r"\n[ \t]*\n\s*"), re.compile(r"\n\s*"), re.compile(r"(?<=[.!?…])\s+"), re.compile(r"\s+"))
_ZWJ = "\u200d"
_LEAST_PART = 0.5  # a break is taken only if it fills at least so much of a part; else a finer one is looked for


def units(text: str) -> int:
    """Length in UTF-16 units: never less than code points, so right whichever of the two Meta counts."""
    return len(text) + sum(1 for character in text if character > "\uffff")


def fits(text: str, limit: int) -> bool:
    """Whether the text surely stays within a limit of Meta.

    How emoji are counted is documented nowhere: a text that has some must leave 5 % in reserve.
    """
    length = units(text)
    return length <= limit if length == len(text) else length <= limit * 95 // 100


def cut(text: str, limit: int) -> list[str]:
    """The text in parts that fit, in order, without blanks at the cuts; no empty part, [] for a blank text."""
    parts = []
    rest = text.strip()
    while rest and not fits(rest, limit):
        head, rest = _split(rest, limit)
        parts.append(head)
    return [*parts, rest] if rest else parts


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word, with `…` for what is missing."""
    if fits(text, limit):
        return text
    head, _ = _split(text, limit - 1)
    return f"{head}…"


def is_border(text: str, index: int) -> bool:
    """Whether a cut before `index` leaves every character that people see whole."""
    if index <= 0 or index >= len(text):
        return True
    before, after = text[index - 1], text[index]
    if _ZWJ in (before, after) or unicodedata.category(after) in ("Mn", "Me", "Mc") or (before, after) == ("\r", "\n"):
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":  # skin tones, flags of regions
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):  # flags are pairs of letters
        letters = index - 1
        while letters >= 0 and _is_flag_letter(text[letters]):
            letters -= 1
        return (index - 1 - letters) % 2 == 0
    return True


def _split(text: str, limit: int) -> tuple[str, str]:
    end = _longest_prefix(text, limit)
    least = int(end * _LEAST_PART)
    for pattern in _BREAKS:
        found = None
        for match in pattern.finditer(text, 0, min(len(text), end + 1)):
            if least <= match.start() <= end and match.start() > 0:
                found = match
        if found is not None:
            return text[: found.start()].rstrip(), text[found.end() :].lstrip()
    border = end
    while border > 0 and not is_border(text, border):
        border -= 1
    border = border or end  # one character longer than the limit: it has to break
    return text[:border], text[border:].lstrip()


def _longest_prefix(text: str, limit: int) -> int:
    """Code points of the longest beginning that fits; at least one."""
    low, high = 1, min(len(text), max(limit, 1))
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[:middle], limit):
            low = middle
        else:
            high = middle - 1
    return low


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
