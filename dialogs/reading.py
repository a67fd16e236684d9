"""Strict YAML (FLOWS.md section 2): plain data and the line of every field, or everything that is wrong at once.

Built on the parser's events: no constructor of PyYAML ever sees the file, so there is nothing to make it build an
object, follow an alias or guess a type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dialogs.findings import Finding, Words, finding
from dialogs.scope import Path as Path

MAX_BYTES = 512 * 1024
MAX_NESTING = 20
_MAX_FINDINGS = 1000  # a hostile file could have a hundred thousand; nobody reads them

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "": None, "~": None, "null": None}
# What YAML allows in a file. Checked here because the parser tells the place in bytes or characters, as built.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# libyaml when PyYAML was built with it (every wheel is): the same events many times faster.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ReadingError(Exception):
    """The file is not strict YAML; `findings` has everything that was found, in file order."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{found.file}:{found.line}: {found.code} {found.en}" for found in findings[:5]))
        self.findings = findings


class Lines:
    """Where each field of a document stands."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self._lines = lines

    def of(self, path: Path) -> int:
        """Line, from 1, of a key or list item; of the nearest known parent if there is no such field."""
        for length in range(len(path), -1, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return 1


@dataclass(frozen=True, slots=True)
class Document:
    """One file: maps with text keys, lists, text, integers, booleans and null."""

    file: str
    data: dict[str, Any]
    lines: Lines


def read(text: bytes | str, *, file: str) -> Document:
    """Read one strict YAML document whose top level is a map.

    Keys are always text. Raises ReadingError with codes Y01, Y02, Y05; nothing else, whatever the bytes.
    """
    return _Reader(file).read(text)


class _Broken(Exception):
    """The file cannot be read any further; the finding is already noted."""


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._findings: dict[Finding, None] = {}  # a set that keeps the order
        self._lines: dict[Path, int] = {}
        self._events: Iterator[yaml.Event] = iter(())

    def read(self, text: bytes | str) -> Document:
        data: Any = None
        try:
            self._events = self._parse(self._decode(text))
            data = self._document()
        except _Broken:
            pass
        if self._findings:
            raise ReadingError(tuple(sorted(self._findings, key=lambda found: found.line)))
        return Document(self._file, data, Lines(self._lines))

    # ------------------------------------------------------------------------------------------- bytes to events

    def _decode(self, text: bytes | str) -> str:
        try:
            raw = text.encode() if isinstance(text, str) else text
            if len(raw) > MAX_BYTES:
                raise self._broken(1, "файл больше 512 КиБ", "the file is larger than 512 KiB")
            decoded = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise self._broken(line, "это не UTF-8", "this is not UTF-8") from None
        except UnicodeEncodeError as error:
            line = error.object.count("\n", 0, error.start) + 1
            raise self._broken(line, "половина суррогатной пары", "a lone surrogate") from None
        if found := _UNPRINTABLE.search(decoded):
            line = decoded.count("\n", 0, found.start()) + 1
            name = f"U+{ord(found.group()):04X}"
            raise self._broken(line, f"управляющий знак {name}", f"control character {name}")
        return decoded

    def _parse(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            shape = _shape(error.problem or "")
            words = _PROBLEMS.get(shape, "")
            mark = error.problem_mark or error.context_mark
            if shape in _NEVER_CLOSED and error.context_mark is not None:
                mark = error.context_mark  # where the quote was opened, not where the file ends
            english = error.problem or error.context or "a mistake"
            line = 1 if mark is None else mark.line + 1
            raise self._broken(line, words or english, english) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # ValueError: PyYAML 6 on "%YAML 1.99999…" and on escapes beyond the last character of Unicode.
            raise self._broken(1, str(error), str(error)) from None

    # -------------------------------------------------------------------------------------------- events to data

    def _document(self) -> Any:
        data: Any = None
        is_found = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                line = _line(event)
                if is_found:
                    raise self._broken(line, "в файле больше одного документа", "more than one document")
                is_found = True
                if event.tags:
                    self._note("Y05", line)
                first = next(self._events)
                if not isinstance(first, yaml.MappingStartEvent):
                    self._check_plain(first)
                    raise self._broken(_line(first), "наверху нужны поля «имя: значение»", "the top must be fields")
                data = self._value(first, (), 1)
        if not is_found:
            raise self._broken(1, "файл пуст", "the file is empty")
        return data

    def _value(self, event: yaml.Event, path: Path, depth: int) -> Any:
        """The value that begins with `event`. `depth` is its nesting if it is a map or a list."""
        self._check_plain(event)
        if isinstance(event, yaml.ScalarEvent):
            self._check_printable(event)
            return _scalar(event)
        if isinstance(event, yaml.AliasEvent):
            return None
        if depth > MAX_NESTING:
            raise self._broken(_line(event), "больше 20 уровней вложенности", "nested deeper than 20 levels")
        self._lines.setdefault(path, _line(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._map(path, depth)
        items: list[Any] = []
        for item in self._events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            place = (*path, len(items))
            self._lines[place] = _line(item)
            items.append(self._value(item, place, depth + 1))
        return items

    def _map(self, path: Path, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            self._check_plain(event)
            if isinstance(event, yaml.AliasEvent):
                key = "*" + str(event.anchor)
            elif isinstance(event, yaml.ScalarEvent):
                self._check_printable(event)
                key = str(event.value)
                if key == "<<" and _is_plain(event):
                    self._note("Y05", line)
            else:
                raise self._broken(line, "ключ должен быть текстом", "a key must be text")
            place = (*path, key)
            if key in fields:
                self._note("Y02", line, key)
            else:
                self._lines[place] = line
            value = self._value(next(self._events), place, depth + 1)
            fields.setdefault(key, value)
        return fields

    # --------------------------------------------------------------------------------------------------- findings

    def _check_plain(self, event: yaml.Event) -> None:
        # A document's own "!" on a quoted text is a tag too.
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            self._note("Y05", _line(event))

    def _check_printable(self, event: yaml.ScalarEvent) -> None:
        """Escapes can still make what a file may not hold: "\\0" would not fit into a database."""
        if event.style == '"' and (found := _UNPRINTABLE.search(event.value)):
            name = f"U+{ord(found.group()):04X}"
            raise self._broken(_line(event), f"управляющий знак {name}", f"control character {name}")

    def _note(self, code: str, line: int, x: str | Words = "") -> None:
        self._findings[finding(code, file=self._file, line=line, x=x)] = None
        if len(self._findings) >= _MAX_FINDINGS:
            raise _Broken

    def _broken(self, line: int, ru: str, en: str) -> _Broken:
        self._findings[finding("Y01", file=self._file, line=line, x=Words(ru, en))] = None
        return _Broken()


def _line(event: yaml.Event) -> int:
    return 1 if event.start_mark is None else event.start_mark.line + 1


def _is_plain(event: yaml.ScalarEvent) -> bool:
    return not event.style  # libyaml's binding says "", PyYAML's own parser None


def _scalar(event: yaml.ScalarEvent) -> str | int | bool | None:
    text = str(event.value)
    if not _is_plain(event):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _shape(problem: str) -> str:
    """The parser's sentence without what it quotes from the file, and alike for both parsers."""
    return re.sub(r"'.*?'(?:\(.*\))?|, but (?:found|got).*", "", problem).replace("  ", " ").strip()


_NEVER_CLOSED = frozenset({"found unexpected end of stream", "found unexpected document indicator"})
_PROBLEMS: Mapping[str, str] = {
    "found character that cannot start any token": "этот знак (табуляция, @, `, %) не может начинать значение",
    "found a tab character that violates indentation": "отступ сделан табуляцией",
    "found a tab character where an indentation space is expected": "отступ сделан табуляцией",
    "found unexpected end of stream": "файл кончился внутри кавычек или скобок",
    "found unexpected document indicator": "внутри кавычек стоит --- или ...",
    "found unexpected document separator": "внутри кавычек стоит --- или ...",
    "mapping values are not allowed in this context": "двоеточие не на месте (возьмите значение в кавычки)",
    "mapping values are not allowed here": "двоеточие не на месте (возьмите значение в кавычки)",
    "block sequence entries are not allowed in this context": "список («- ») не на месте",
    "sequence entries are not allowed here": "список («- ») не на месте",
    "mapping keys are not allowed in this context": "ключ не на месте",
    "did not find expected key": "ожидался ключ (проверьте отступ)",
    "did not find expected - indicator": "ожидался «-» (проверьте отступ)",
    "expected <block end>": "ожидался конец блока (проверьте отступ)",
    "did not find expected or": "не закрыта скобка или нет запятой",
    "expected or": "не закрыта скобка или нет запятой",
    "did not find expected node content": "нет значения",
    "expected the node content": "нет значения",
    "could not find expected": "после ключа нет двоеточия",
    "found unknown escape character": "неизвестный знак после \\ в двойных кавычках",
    "did not find expected hexadecimal number": "после \\x, \\u или \\U нужно шестнадцатеричное число",
    "did not find expected comment or line break": "после | или > может быть только комментарий",
    "found invalid Unicode character escape code": "такого знака Unicode нет",
    "did not find expected <document start>": "в файле больше одного документа",
    "expected": "в файле больше одного документа",
    "found undefined tag handle": "неизвестный тег",
    "found incompatible YAML document": "версия YAML не поддерживается",
    "did not find expected alphabetic or numeric character": "после & или * нужно имя",
}
