"""The Python functions that a compiled expression is made of: at run time there is no tree to walk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dialogs.expression_values import can_be_ordered, contains, equal, filled, is_in, length, lower
from dialogs.patterns import PatternError, compile_pattern
from dialogs.scope import MappingScope, Path, Scope

Run = Callable[[Scope], object | None]

SIGNS = frozenset({"=", "!=", "<", "<=", ">", ">="})
FUNCTIONS: Mapping[str, int] = {"filled": 1, "len": 1, "lower": 1, "contains": 2, "matches": 2, "today": 0}
"""Function → number of its arguments."""


class ExpressionError(Exception):
    """The expression cannot be read; `message` says why, in English."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Node:
    run: Run
    says_yes_or_no: bool = False
    path: Path | None = None
    is_constant: bool = False
    is_list: bool = False  # written with [ ]

    def constant(self) -> object | None:
        """The value of a constant node, which asks nothing of its scope."""
        return self.run(_NO_SCOPE)


_NO_SCOPE = MappingScope({}, "")


def always(value: object | None) -> Run:
    return lambda _scope: value


def constant(value: object | None) -> Node:
    return Node(always(value), is_constant=True)


def any_of(runs: tuple[Run, ...]) -> Run:
    def run(scope: Scope) -> bool:
        for part in runs:  # noqa: SIM110 — `any` with a generator is three times slower
            if part(scope) is True:
                return True
        return False

    return run


def all_of(runs: tuple[Run, ...]) -> Run:
    def run(scope: Scope) -> bool:
        for part in runs:  # noqa: SIM110
            if part(scope) is not True:
                return False
        return True

    return run


def comparison(sign: str, left: Node, right: Node) -> Run:
    one, other = left.run, right.run
    if sign == "=":
        return lambda scope: equal(one(scope), other(scope))
    if sign == "!=":
        return lambda scope: not equal(one(scope), other(scope))
    return _order(sign, one, other)


def _order(sign: str, one: Run, other: Run) -> Run:
    if sign in (">", ">="):
        return _order("<" if sign == ">" else "<=", other, one)
    is_strict = sign == "<"

    def run(scope: Scope) -> bool:
        a: Any = one(scope)
        b: Any = other(scope)
        if not can_be_ordered(a, b):
            return False
        return bool(a < b) if is_strict else bool(a <= b)

    return run


def membership(left: Node, right: Node, *, is_negative: bool) -> Run:
    one, other = left.run, right.run
    constants = right.constant() if right.is_constant else None
    if isinstance(constants, list) and all(isinstance(item, str) for item in constants):
        texts = frozenset(constants)

        def is_one_of(scope: Scope) -> bool:
            value = one(scope)
            return (isinstance(value, str) and value in texts) is not is_negative

        return is_one_of
    return lambda scope: is_in(one(scope), other(scope)) is not is_negative


def call(name: str, arguments: list[Node]) -> Node:
    if name == "today":
        return Node(lambda scope: scope.today())
    first = arguments[0].run
    if name == "filled":
        return Node(lambda scope: filled(first(scope)), says_yes_or_no=True)
    if name == "len":
        return Node(lambda scope: length(first(scope)))
    if name == "lower":
        return Node(lambda scope: lower(first(scope)))
    second = arguments[1].run
    if name == "contains":
        return Node(lambda scope: contains(first(scope), second(scope)), says_yes_or_no=True)
    pattern = arguments[1].constant() if arguments[1].is_constant else None
    if not isinstance(pattern, str):
        raise ExpressionError("the pattern of «matches» is a text in quotes")
    try:
        fits = compile_pattern(pattern)
    except PatternError as error:
        raise ExpressionError(f"pattern: {error}") from None

    def matches(scope: Scope) -> bool:
        value = first(scope)
        return isinstance(value, str) and fits(value)

    return Node(matches, says_yes_or_no=True)
