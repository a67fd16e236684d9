"""Texts with placeholders (FLOWS.md section 5), compiled once and filled for every message."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from dialogs.expression_values import filled
from dialogs.scope import Path, Scope

Titles = Callable[[str], Mapping[str, str]]  # variable → option id → title

_NBSP = "\u00a0"
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]{1,15}\])*")
_PART = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]+)\]")
_SHORT = re.compile(r"[1-9][0-9]{0,3}")
_RUSSIAN_PHONE = re.compile(r"\+7([0-9]{3})([0-9]{3})([0-9]{2})([0-9]{2})")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?", re.DOTALL)
_RUSSIAN = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_ENGLISH = "January February March April May June July August September October November December"
_RUSSIAN_MONTHS = tuple(_RUSSIAN.split())
_ENGLISH_MONTHS = tuple(_ENGLISH.split())

FILTERS: Mapping[str, bool] = {
    "phone": False,
    "rub": False,
    "date": False,
    "title": False,
    "short": True,
    "or": True,
    "lower": False,
}
"""Filter → whether it has an argument."""


class TextError(Exception):
    """The text cannot be compiled: N02 a path that cannot be read, N03 a filter, N04 a bracket.

    `message` names what is wrong, for the «x» of the finding.
    """

    def __init__(self, code: Literal["N02", "N03", "N04"], message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Placeholder:
    path: Path
    filters: tuple[tuple[str, str | None], ...] = ()

    @property
    def fallback(self) -> str | None:
        """TEXT of the last `or:`, if there is one."""
        return next((argument for name, argument in reversed(self.filters) if name == "or"), None)


_Line = tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled text."""

    text: str  # as written
    placeholders: tuple[Placeholder, ...]
    paths: frozenset[Path]
    single: Path | None  # the text is exactly one placeholder without filters: the value itself is passed
    plain: str | None  # the text itself when it has no placeholders
    _lines: tuple[_Line, ...]

    @property
    def is_broken(self) -> bool:
        return not self._lines

    @property
    def known(self) -> str:
        """What is sure to be sent: the text without its placeholders."""
        if self.plain is not None:
            return self.plain
        return "\n".join("".join(part for part in line if isinstance(part, str)) for line in self._lines)

    def value(self, scope: Scope) -> object | None:
        """The value of the one placeholder of a `single` text, as it is. Raises ValueError for any other text."""
        if self.single is None:
            raise ValueError("this text is more than one placeholder")
        return scope.lookup(self.single)

    def render(
        self, scope: Scope, *, lang: str, titles: Titles = lambda _variable: {}, limit: int | None = None
    ) -> str:
        """Fill the text; lines whose placeholders leave them blank are left out.

        Over `limit` characters, the longest value is shortened until the text fits. The author's own words are
        never cut: a text that is too long without any value stays so.
        """
        if self.plain is not None:
            return self.plain
        values = [_fill(placeholder, scope, lang, titles) for placeholder in self.placeholders]
        result = self._join(values)
        if limit is None or len(result) <= limit:
            return result
        for _ in values:
            longest = max(range(len(values)), key=lambda index: len(values[index]))
            excess = len(result) - limit
            values[longest] = _cut(values[longest], max(len(values[longest]) - excess, 1))
            result = self._join(values)
            if len(result) <= limit:
                break
        return result

    def _join(self, values: list[str]) -> str:
        filled = iter(values)
        lines: list[str] = []
        for parts in self._lines:
            if len(parts) == 1 and isinstance(parts[0], str):
                lines.append(parts[0])
                continue
            line = "".join([part if isinstance(part, str) else next(filled) for part in parts])
            if line and not line.isspace():
                lines.append(line)
        return "\n".join(lines)


def compile_text(text: str) -> Text:
    """Compile `text`. Raises TextError."""
    lines = _split_lines(_parts(text))
    placeholders = tuple(part for line in lines for part in line if isinstance(part, Placeholder))
    is_single = len(lines) == 1 and len(lines[0]) == 1 and placeholders and not placeholders[0].filters
    return Text(
        text=text,
        placeholders=placeholders,
        paths=frozenset(placeholder.path for placeholder in placeholders),
        single=placeholders[0].path if is_single else None,
        plain=None if placeholders else "\n".join("".join(map(str, line)) for line in lines),
        _lines=lines,
    )


def broken_text(text: str) -> Text:
    """Stands for a text that cannot be compiled, so that the rest of its flow can still be checked. Never sent."""
    return Text(text=text, placeholders=(), paths=frozenset(), single=None, plain=text, _lines=())


def parse_path(text: str) -> Path | None:
    """`orders[0].id` → ("orders", 0, "id"); None if it is no path."""
    if _PATH.fullmatch(text) is None:
        return None
    return tuple(name or int(index) for name, index in _PART.findall(text))


# -------------------------------------------------------------------------------------------------------- compiling


def _parts(text: str) -> list[str | Placeholder]:
    parts: list[str | Placeholder] = []
    words: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char not in "{}":
            end = at + 1
            while end < len(text) and text[end] not in "{}":
                end += 1
            words.append(text[at:end])
            at = end
        elif text[at + 1 : at + 2] == char:
            words.append(char)
            at += 2
        elif char == "}":
            raise TextError("N04", "}")
        else:
            end = at + 1
            while end < len(text) and text[end] not in "{}":
                end += 1
            if text[end : end + 1] != "}":
                raise TextError("N04", text[at : at + 40])
            if words:
                parts.append("".join(words))
                words = []
            parts.append(_placeholder(text[at + 1 : end]))
            at = end + 1
    if words:
        parts.append("".join(words))
    return parts


def _placeholder(inside: str) -> Placeholder:
    written, *filters = inside.split("|")
    path = parse_path(written.strip())
    if path is None:
        raise TextError("N02", written.strip())
    return Placeholder(path, tuple(_filter(part) for part in filters))


def _filter(written: str) -> tuple[str, str | None]:
    name, colon, argument = written.partition(":")
    name = name.strip()
    if name not in FILTERS or FILTERS[name] is not bool(colon):
        raise TextError("N03", written.strip())
    if name == "short":
        argument = argument.strip()
        if _SHORT.fullmatch(argument) is None:
            raise TextError("N03", written.strip())
    if name == "or" and not argument.strip():
        raise TextError("N03", written.strip())
    return name, argument if colon else None


def _split_lines(parts: list[str | Placeholder]) -> tuple[_Line, ...]:
    """Lines as written; those of several that have no placeholders are one part, with their line breaks."""
    lines: list[list[str | Placeholder]] = [[]]
    for part in parts:
        if isinstance(part, Placeholder):
            lines[-1].append(part)
            continue
        first, *rest = part.split("\n")
        if first:
            lines[-1].append(first)
        lines.extend([words] if words else [] for words in rest)
    joined: list[_Line] = []
    is_plain_before = False
    for line in lines:
        is_plain = not any(isinstance(part, Placeholder) for part in line)
        words = "".join(part for part in line if isinstance(part, str))
        if is_plain and is_plain_before:
            joined[-1] = (f"{joined[-1][0]}\n{words}",)
        else:
            joined.append((words,) if is_plain else tuple(line))
        is_plain_before = is_plain
    return tuple(joined)


# ---------------------------------------------------------------------------------------------------------- filling


def _fill(placeholder: Placeholder, scope: Scope, lang: str, titles: Titles) -> str:
    value = scope.lookup(placeholder.path)
    for name, argument in placeholder.filters:
        if name == "or":
            if not filled(value):
                value = argument
        elif value is not None:
            value = _apply(name, argument, value, placeholder.path, lang, titles)
    return _show(value, lang)


def _apply(name: str, argument: str | None, value: object, path: Path, lang: str, titles: Titles) -> object:
    if name == "title":
        shown = _show(value, lang)
        return titles(str(path[0])).get(shown, shown) if len(path) == 1 else shown
    if name == "rub":
        return rub(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if name == "phone":
        return phone(value) if isinstance(value, str) else value
    if name == "date":
        return long_date(value, lang) if isinstance(value, str) else value
    if name == "lower":
        return _show(value, lang).lower()
    return _cut(_show(value, lang), int(argument or 1))


def _show(value: object | None, lang: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        yes, no = ("да", "нет") if lang.startswith("ru") else ("yes", "no")
        return yes if value else no
    if isinstance(value, int):
        # An int of over 4300 digits cannot be written; nobody has that many kopecks.
        return str(value) if -(10**30) < value < 10**30 else ""
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else ""
    if isinstance(value, list | tuple):
        return ", ".join(_show(item, lang) for item in value if isinstance(item, str | int | float))
    return ""  # maps, and files, say nothing that a person could read


def rub(kopecks: int) -> str:
    """350050 → `3 500,50 ₽`; the blanks do not break."""
    roubles, rest = divmod(abs(kopecks), 100)
    if roubles >= 10**30:
        return ""
    sign = "-" if kopecks < 0 else ""
    tail = f",{rest:02}" if rest else ""
    return f"{sign}{roubles:,}".replace(",", _NBSP) + f"{tail}{_NBSP}₽"


def phone(number: str) -> str:
    """`+79123456789` → `+7 912 345-67-89`; any other text as it is."""
    found = _RUSSIAN_PHONE.fullmatch(number)
    return f"+7 {found[1]} {found[2]}-{found[3]}-{found[4]}" if found else number


def long_date(iso: str, lang: str) -> str:
    """ISO date or time → `15 марта 2026`, `March 15, 2026`: the day as written, whatever its zone. Else as it is."""
    found = _ISO_DATE.fullmatch(iso)
    if found is None:
        return iso
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return iso
    if lang.startswith("ru"):
        return f"{day.day} {_RUSSIAN_MONTHS[day.month - 1]} {day.year}"
    return f"{_ENGLISH_MONTHS[day.month - 1]} {day.day}, {day.year}"


def _cut(value: str, length: int) -> str:
    """At most `length` characters: whole words and `…`; a single word is cut where it must be."""
    if len(value) <= length:
        return value
    kept = value[: length - 1]
    if not value[length - 1].isspace() and not kept[-1:].isspace():
        words = kept.rstrip().rsplit(None, 1)
        if len(words) == 2:
            kept = words[0]
    return kept.rstrip(" \t\n\u00a0,;:-–—.") + "…"
