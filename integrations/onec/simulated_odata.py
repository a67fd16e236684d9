"""The OData side of the simulated 1C: query options, filters and errors as the platform answers them (§6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Row = dict[str, Any]

XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><entry/></feed>'
)


class ODataError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def as_json(self) -> dict[str, Any]:
        return {"odata.error": {"code": self.code, "message": {"lang": "ru", "value": self.message}}}


@dataclass(frozen=True, slots=True)
class Address:
    """Resource, GUID in brackets and operation of an address."""

    resource: str
    guid: str | None
    operation: str | None


def parse_address(path: str) -> Address:
    match = re.fullmatch(r"([\w$]+)(?:\(guid'([0-9a-f-]{36})'\))?(?:/([$\w]+))?", path)
    if match is None:
        raise ODataError(400, "6", "Неверный адрес")
    return Address(match[1], match[2], match[3])


def parse_options(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def select_rows(rows: Sequence[Row], options: Mapping[str, str]) -> dict[str, Any]:
    """The body of a list: filter, order, skip, top; `odata.count` is a string and counts before `$top`."""
    accepts = compile_filter(options["$filter"]) if options.get("$filter") else None
    found = [row for row in rows if accepts is None or accepts(row)]
    if order := options.get("$orderby"):
        name, _, direction = order.partition(" ")
        found.sort(key=lambda row: str(row.get(name, "")), reverse=direction.lower() == "desc")
    body: dict[str, Any] = {}
    if options.get("$inlinecount") == "allpages":
        body["odata.count"] = str(len(found))
    start = int(options.get("$skip", "0"))
    found = found[start : start + int(options["$top"])] if "$top" in options else found[start:]
    return body | {"value": [project(row, options.get("$select")) for row in found]}


def project(row: Row, select: str | None) -> Row:
    return {name: row[name] for name in select.split(",") if name in row} if select else dict(row)


# ------------------------------------------------------------------------------------------------------ $filter

_TOKENS = re.compile(
    r"\s*(?:(?P<guid>guid'[0-9a-f-]{36}')|(?P<date>datetime'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[^\W\d]\w*)|(?P<mark>[(),]))"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: bool(left > right),
    "ge": lambda left, right: bool(left >= right),
    "lt": lambda left, right: bool(left < right),
    "le": lambda left, right: bool(left <= right),
}
Test = Callable[[Row], bool]


def compile_filter(text: str) -> Test:
    """Raises ODataError 400 for what the grammar does not know."""
    tokens: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKENS.match(text, at)
        if match is None:
            raise _bad_filter()
        tokens.append(match.group().strip())
        at = match.end()
    parser = _Filter(tokens)
    test = parser.either()
    if parser.tokens:
        raise _bad_filter()
    return test


def _bad_filter() -> ODataError:
    return ODataError(400, "14", "Неверный параметр запроса $filter")


class _Filter:
    """or > and > not > comparison, function or brackets."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def take(self, expected: str | None = None) -> str:
        if not self.tokens or (expected is not None and self.tokens[0] != expected):
            raise _bad_filter()
        return self.tokens.pop(0)

    def either(self) -> Test:
        tests = [self.both()]
        while self.tokens[:1] == ["or"]:
            self.take()
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.tokens[:1] == ["and"]:
            self.take()
            tests.append(self.one())
        return lambda row: all(test(row) for test in tests)

    def one(self) -> Test:
        if self.tokens[:1] == ["not"]:
            self.take()
            inner = self.one()
            return lambda row: not inner(row)
        if self.tokens[:1] == ["("]:
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if self.tokens[:1] in (["substringof"], ["startswith"]):
            return self.function()
        name, compare, wanted = self.take(), _COMPARE.get(self.take()), self.value()
        if compare is None:
            raise _bad_filter()
        return lambda row: name in row and compare(row[name], wanted)

    def function(self) -> Test:
        name = self.take()
        self.take("(")
        first = self.take()
        self.take(",")
        second = self.take()
        self.take(")")
        if name == "substringof":
            return lambda row: _literal(first) in str(row.get(second, ""))
        return lambda row: str(row.get(first, "")).startswith(str(_literal(second)))

    def value(self) -> Any:
        written = self.take()
        if written != "cast":
            return _literal(written)
        self.take("(")
        value = self.take()
        self.take(",")
        self.take()
        self.take(")")
        return _literal(value)


def _literal(written: str) -> Any:
    if written in ("true", "false"):
        return written == "true"
    if written.startswith("'"):
        return written[1:-1].replace("''", "'")
    if written.startswith(("guid'", "datetime'")):
        return written.partition("'")[2][:-1]
    return float(written) if re.fullmatch(r"-?\d+(\.\d+)?", written) else written
