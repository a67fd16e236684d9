"""Where the names of expressions and texts get their values from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Path = tuple[str | int, ...]
"""`orders[0].id` is ("orders", 0, "id")."""


class Scope(Protocol):
    """Where the names of an expression come from."""

    def lookup(self, path: Path) -> object | None:
        """The value of a path; None when there is none. Must not raise."""
        ...

    def today(self) -> str:
        """ISO date of the event being handled."""
        ...


class MappingScope:
    """Names from one map of maps and lists, as JSON makes them."""

    __slots__ = ("_mapping", "_today")

    def __init__(self, mapping: Mapping[str, Any], today: str) -> None:
        self._mapping = mapping
        self._today = today

    def lookup(self, path: Path) -> object | None:
        return walk(self._mapping, path)

    def today(self) -> str:
        return self._today


def walk(value: object | None, path: Path) -> object | None:
    """Follow `path` into maps (by name) and lists (by number, from 0); None where it leads nowhere."""
    for part in path:
        if type(part) is str:
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        else:
            if not isinstance(value, list | tuple) or not 0 <= int(part) < len(value):
                return None
            value = value[int(part)]
    return value
