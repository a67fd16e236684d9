"""Reading the fields of a flow file one by one: what is wrong becomes a finding, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

from dialogs.expressions import Expression, ExpressionError, broken_expression, compile_expression
from dialogs.findings import Finding, finding
from dialogs.reading import Document, Path
from dialogs.texts import Text, TextError, broken_text, compile_text

SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DURATION = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=365)


def parse_duration(text: object) -> timedelta | None:
    """`15m` → 15 minutes; None if it is no duration of at most 365 days."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
    return duration if duration <= LONGEST else None


class Reader:
    """The findings of one document, and where its fields stand."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []
        self.step: str | None = None  # the step being read, which its findings name

    def note(self, code: str, path: Path, *, x: str = "", y: str = "", n: int = 0, m: int = 0) -> None:
        line = self.document.lines.of(path)
        self.findings.append(finding(code, file=self.document.file, line=line, step=self.step, x=x, y=y, n=n, m=m))

    def fields(self, value: object, path: Path, known: Collection[str]) -> Fields | None:
        """A map that may have the fields `known` and no others."""
        if not isinstance(value, dict):
            self.note("Y04", path, x=str(path[-1]) if path else self.document.file)
            return None
        for name in value:
            if name not in known:
                self.note("Y03", (*path, name), x=name)
        return Fields(self, value, path)

    def text(self, text: str, path: Path) -> Text:
        """What cannot be compiled is noted, and stands for itself: the field is there."""
        try:
            return compile_text(text)
        except TextError as error:
            self.note(error.code, path, x=error.message)
            return broken_text(text)

    def expression(self, text: str, path: Path) -> Expression:
        try:
            return compile_expression(text)
        except ExpressionError:
            self.note("N02", path, x=text)
            return broken_expression(text)


class Fields:
    """The fields of one map. A wrong value is noted and read as absent."""

    __slots__ = ("data", "path", "reader")

    def __init__(self, reader: Reader, data: dict[str, Any], path: Path) -> None:
        self.reader = reader
        self.data = data
        self.path = path

    def has(self, name: str) -> bool:
        return name in self.data

    def at(self, name: str) -> Path:
        return (*self.path, name)

    def wrong(self, name: str, *inner: str | int) -> None:
        self.reader.note("Y04", (*self.path, name, *inner), x=name)

    def _missing(self, name: str) -> None:
        # A step is known by its id: that is where a reader looks for a field that is not there.
        path = (*self.path, "id") if "id" in self.data else self.path
        self.reader.note("Y04", path, x=name)

    # ------------------------------------------------------------------------------------------------- one value

    def text(
        self, name: str, *, must: bool = False, longest: int = 100_000, of: Collection[str] | None = None
    ) -> str | None:
        if name not in self.data:
            if must:
                self._missing(name)
            return None
        value = self.data[name]
        if not isinstance(value, str) or not value or len(value) > longest or (of is not None and value not in of):
            self.wrong(name)
            return None
        return value

    def slug(self, name: str, *, must: bool = False) -> str | None:
        value = self.text(name, must=must)
        if value is not None and SLUG.fullmatch(value) is None:
            self.wrong(name)
            return None
        return value

    def integer(
        self, name: str, *, minimum: int | None = None, maximum: int | None = None, must: bool = False
    ) -> int | None:
        if name not in self.data:
            if must:
                self._missing(name)
            return None
        value = self.data[name]
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or (minimum is not None and value < minimum)
            or (maximum is not None and value > maximum)
        ):
            self.wrong(name)
            return None
        return value

    def flag(self, name: str) -> bool:
        value = self.data.get(name, False)
        if not isinstance(value, bool):
            self.wrong(name)
            return False
        return value

    def only_true(self, name: str) -> bool:
        """A field that is there with `true` or not at all, such as `else: true`."""
        if name not in self.data:
            return False
        if self.data[name] is not True:
            self.wrong(name)
        return True

    def duration(
        self, name: str, *, must: bool = False, shortest: timedelta = timedelta(0), longest: timedelta = LONGEST
    ) -> timedelta | None:
        if name not in self.data:
            if must:
                self._missing(name)
            return None
        value = parse_duration(self.data[name])
        if value is None or not shortest <= value <= longest:
            self.wrong(name)
            return None
        return value

    def filled_text(self, name: str, *, must: bool = False) -> Text | None:
        """A text with placeholders."""
        value = self.text(name, must=must)
        return None if value is None else self.reader.text(value, self.at(name))

    def expression(self, name: str, *, must: bool = False) -> Expression | None:
        value = self.text(name, must=must)
        return None if value is None else self.reader.expression(value, self.at(name))

    # ---------------------------------------------------------------------------------------------- several values

    def texts(self, name: str, *, must: bool = False) -> tuple[str, ...]:
        """A list of texts, at least one."""
        found: list[str] = []
        for value, path in self.items(name, must=must):
            if isinstance(value, str) and value:
                found.append(value)
            else:
                self.reader.note("Y04", path, x=name)
        return tuple(found)

    def items(self, name: str, *, must: bool = False, may_be_empty: bool = True) -> Iterator[tuple[Any, Path]]:
        if name not in self.data:
            if must:
                self._missing(name)
            return
        value = self.data[name]
        if not isinstance(value, list) or not (value or may_be_empty):
            self.wrong(name)
            return
        for index, item in enumerate(value):
            yield item, (*self.path, name, index)

    def map(self, name: str, *, must: bool = False) -> Iterator[tuple[str, Any, Path]]:
        if name not in self.data:
            if must:
                self._missing(name)
            return
        value = self.data[name]
        if not isinstance(value, dict):
            self.wrong(name)
            return
        for key, item in value.items():
            yield key, item, (*self.path, name, key)

    def text_map(self, name: str, *, must: bool = False) -> Iterator[tuple[str, str, Path]]:
        for key, value, path in self.map(name, must=must):
            if isinstance(value, str) and value:
                yield key, value, path
            else:
                self.reader.note("Y04", path, x=key)

    def expressions(self, name: str, *, must: bool = False) -> tuple[tuple[str, Expression, Path], ...]:
        """A map of variables to expressions, in the order written."""
        found = []
        for key, value, path in self.text_map(name, must=must):
            found.append((key, self.reader.expression(value, path), path))
        return tuple(found)

    def inner(self, name: str, known: Collection[str], *, must: bool = False) -> Fields | None:
        if name not in self.data:
            if must:
                self._missing(name)
            return None
        return self.reader.fields(self.data[name], self.at(name), known)

    def named(self, name: str, known: Collection[str], *, slug: bool = True) -> Iterator[tuple[str, Fields]]:
        """A map of names to maps."""
        for key, value, path in self.map(name):
            if not key or (slug and SLUG.fullmatch(key) is None):
                self.reader.note("Y04", path, x=key)
                continue
            fields = self.reader.fields(value, path, known)
            if fields is not None:
                yield key, fields
