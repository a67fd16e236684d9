"""Conditions and values in flows (FLOWS.md section 6): a parser of our own and the closures it compiles to.

Nothing here can name anything but paths of the scope and the functions of the table; there is no `eval` below it.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialogs.expression_closures import FUNCTIONS, ExpressionError, Run
from dialogs.expression_parser import KEYWORDS, Comparison, parse_expression
from dialogs.scope import MappingScope, Path, Scope

__all__ = [
    "FUNCTIONS",
    "KEYWORDS",
    "RESERVED",
    "Comparison",
    "Expression",
    "ExpressionError",
    "MappingScope",
    "Path",
    "Scope",
    "broken_expression",
    "compile_expression",
    "true",
]

MAX_CHARACTERS = 500

RESERVED = frozenset({"event", "result", "item", "dialog", "contact", "channel"}) | KEYWORDS | frozenset(FUNCTIONS)
"""Names that no variable may have."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    text: str
    paths: frozenset[Path]
    is_condition: bool  # a comparison, and/or/not, a function that says yes or no, true, false
    bare_path: Path | None  # the expression is this path and nothing else: a condition if it is a flag
    comparisons: tuple[Comparison, ...]  # where a path meets constant texts: (path, one of = != in, not in, texts)
    truths: frozenset[Path]  # paths that `and`, `or`, `not` ask for yes or no: flags, or it never is true
    _run: Run
    is_broken: bool = False

    def evaluate(self, scope: Scope) -> object | None:
        """The value. Never raises: what has no value is null."""
        try:
            return self._run(scope)
        except RecursionError:  # two endlessly nested lists compared
            return None


def compile_expression(text: str) -> Expression:
    """Compile `text`. Raises ExpressionError."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"at most {MAX_CHARACTERS} characters")
    node, paths, comparisons, truths = parse_expression(text)
    return Expression(
        text=text,
        paths=paths,
        is_condition=node.says_yes_or_no,
        bare_path=node.path,
        comparisons=comparisons,
        truths=truths,
        _run=node.run,
    )


def broken_expression(text: str) -> Expression:
    """Stands for an expression that cannot be read, so that the rest of its flow can still be checked. Never run."""
    nothing: frozenset[Path] = frozenset()
    return Expression(text, nothing, True, None, (), nothing, lambda _scope: None, is_broken=True)


def true(value: object | None) -> bool:
    """Only `true` counts as true."""
    return value is True
