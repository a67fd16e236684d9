"""What comparisons and functions of expressions say about values (FLOWS.md section 6): types never mix."""

from __future__ import annotations

from collections.abc import Mapping


def equal(one: object | None, other: object | None) -> bool:
    """`=`: different types are never equal; null equals null."""
    if type(one) is type(other) and not isinstance(one, list | tuple):
        return one == other
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, Mapping) and isinstance(other, Mapping) and one == other


def can_be_ordered(one: object | None, other: object | None) -> bool:
    if isinstance(one, str):
        return isinstance(other, str)
    return (
        isinstance(one, int | float)
        and isinstance(other, int | float)
        and not isinstance(one, bool)
        and not isinstance(other, bool)
    )


def is_in(one: object | None, other: object | None) -> bool:
    return isinstance(other, list | tuple) and any(equal(one, item) for item in other)


def filled(value: object | None) -> bool:
    """Not null, not an empty text, not an empty list."""
    return not (value is None or value == "" or (isinstance(value, list | tuple) and not value))


def length(value: object | None) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def lower(value: object | None) -> str:
    return value.lower() if isinstance(value, str) else ""


def contains(whole: object | None, part: object | None) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    return is_in(part, whole)
