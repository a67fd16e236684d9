"""The grammar of expressions (FLOWS.md section 6): recursive descent, one method for each rule."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialogs.expression_closures import (
    FUNCTIONS,
    SIGNS,
    ExpressionError,
    Node,
    Run,
    all_of,
    always,
    any_of,
    call,
    comparison,
    constant,
    membership,
)
from dialogs.scope import Path

MAX_LEVELS = 20
KEYWORDS = frozenset({"true", "false", "null", "and", "or", "not", "in"})

Comparison = tuple[Path, str, tuple[str, ...]]


def parse_expression(text: str) -> tuple[Node, frozenset[Path], tuple[Comparison, ...], frozenset[Path]]:
    """Compile `text`; also the paths in it, where one is compared with constant texts, and those asked for yes or no.

    Raises ExpressionError.
    """
    parser = _Parser(_tokens(text))
    node = parser.whole()
    return node, frozenset(parser.paths), tuple(parser.comparisons), frozenset(parser.truths)


# ---------------------------------------------------------------------------------------------------------- tokens

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>-?[0-9]+)
      | '(?P<string>[^']*)'
      | (?P<sign>!=|<=|>=|[=<>()\[\],.])
    )""",
    re.VERBOSE,
)
_MAX_DIGITS = 15  # as of an integer in a flow file


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # name, number, string, sign, end
    text: str


_END = _Token("end", "the end")


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            raise ExpressionError("a quote is not closed" if rest.startswith("'") else f"unexpected «{rest[:1]}»")
        kind = found.lastgroup or ""
        tokens.append(_Token(kind, found[kind]))
        at = found.end()
    tokens.append(_END)
    return tokens


# ---------------------------------------------------------------------------------------------------------- parser


class _Parser:
    """Recursive descent: one method for each rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._level = 0
        self.paths: set[Path] = set()
        self.comparisons: list[Comparison] = []
        self.truths: set[Path] = set()  # operands of and, or, not that are nothing but a path

    def whole(self) -> Node:
        node = self._or()
        if self._now is not _END:
            raise ExpressionError(f"unexpected «{self._now.text}»")
        return node

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        if token is not _END:
            self._at += 1
        return token

    def _is(self, kind: str, text: str) -> bool:
        return self._now.kind == kind and self._now.text == text

    def _skip(self, kind: str, text: str) -> bool:
        if self._is(kind, text):
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._skip("sign", sign):
            raise ExpressionError(f"«{sign}» is missing before «{self._now.text}»")

    def _deeper(self) -> None:
        self._level += 1
        if self._level > MAX_LEVELS:
            raise ExpressionError(f"nested deeper than {MAX_LEVELS} levels")

    def _or(self) -> Node:
        node = self._and()
        if not self._is("name", "or"):
            return node
        runs = [self._truth(node)]
        while self._skip("name", "or"):
            runs.append(self._truth(self._and()))
        return Node(any_of(tuple(runs)), says_yes_or_no=True)

    def _and(self) -> Node:
        node = self._not()
        if not self._is("name", "and"):
            return node
        runs = [self._truth(node)]
        while self._skip("name", "and"):
            runs.append(self._truth(self._not()))
        return Node(all_of(tuple(runs)), says_yes_or_no=True)

    def _not(self) -> Node:
        if not self._skip("name", "not"):
            return self._compare()
        self._deeper()
        run = self._truth(self._not())
        self._level -= 1
        return Node(lambda scope: run(scope) is not True, says_yes_or_no=True)

    def _truth(self, node: Node) -> Run:
        if node.path is not None:
            self.truths.add(node.path)
        return node.run

    def _compare(self) -> Node:
        left = self._value()
        token = self._now
        if token.kind == "sign" and token.text in SIGNS:
            self._next()
            right = self._value()
            self._remember(left, token.text, right)
            self._remember(right, token.text, left)
            return Node(comparison(token.text, left, right), says_yes_or_no=True)
        is_negative = self._is("name", "not")
        if is_negative:
            self._next()
            if not self._is("name", "in"):
                raise ExpressionError("«not» between two values needs «in»")
        if self._skip("name", "in"):
            right = self._value()
            if not right.is_list and right.path is None:
                raise ExpressionError("after «in» comes a list or a path")
            self._remember(left, "not in" if is_negative else "in", right)
            return Node(membership(left, right, is_negative=is_negative), says_yes_or_no=True)
        return left

    def _remember(self, path: Node, sign: str, other: Node) -> None:
        """Keep a comparison of a path with constant texts, for the verifier."""
        if path.path is None or not other.is_constant:
            return
        value = other.constant()
        if sign in ("=", "!=") and isinstance(value, str):
            self.comparisons.append((path.path, sign, (value,)))
        elif sign in ("in", "not in") and isinstance(value, list):
            texts = tuple(item for item in value if isinstance(item, str))
            if texts:
                self.comparisons.append((path.path, sign, texts))

    def _value(self) -> Node:
        token = self._next()
        if token.kind == "number":
            if len(token.text.lstrip("-")) > _MAX_DIGITS:
                raise ExpressionError(f"a number has at most {_MAX_DIGITS} digits")
            return constant(int(token.text))
        if token.kind == "string":
            return constant(token.text)
        if token.kind == "sign" and token.text == "(":
            self._deeper()
            node = self._or()
            self._level -= 1
            self._need(")")
            return node
        if token.kind == "sign" and token.text == "[":
            return self._list()
        if token.kind == "name":
            return self._named(token.text)
        raise ExpressionError(f"a value is missing before «{token.text}»")

    def _named(self, name: str) -> Node:
        if name in ("true", "false"):
            return Node(always(name == "true"), says_yes_or_no=True, is_constant=True)
        if name == "null":
            return constant(None)
        if name in KEYWORDS:
            raise ExpressionError(f"a value is missing before «{name}»")
        if self._is("sign", "("):
            return self._call(name)
        if name in FUNCTIONS:
            raise ExpressionError(f"«{name}» is a function and needs brackets")
        return self._path(name)

    def _list(self) -> Node:
        self._deeper()
        items: list[Node] = []
        if not self._is("sign", "]"):
            items.append(self._value())
            while self._skip("sign", ","):
                items.append(self._value())
        self._need("]")
        self._level -= 1
        runs = tuple(item.run for item in items)
        return Node(
            lambda scope: [run(scope) for run in runs],  # a new list each time: values are kept and changed elsewhere
            is_constant=all(item.is_constant for item in items),
            is_list=True,
        )

    def _path(self, name: str) -> Node:
        parts: list[str | int] = [name]
        while True:
            if self._skip("sign", "."):
                token = self._next()
                if token.kind != "name":
                    raise ExpressionError(f"a name is missing after «{name}.»")
                parts.append(token.text)
            elif self._is("sign", "["):
                self._next()
                token = self._next()
                if token.kind != "number" or not token.text.isdigit() or len(token.text) > _MAX_DIGITS:
                    raise ExpressionError("an index is a number from 0")
                self._need("]")
                parts.append(int(token.text))
            else:
                break
        path = tuple(parts)
        self.paths.add(path)
        return Node(lambda scope: scope.lookup(path), path=path)

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise ExpressionError(f"no function «{name}»")
        self._deeper()
        self._need("(")
        arguments: list[Node] = []
        if not self._is("sign", ")"):
            arguments.append(self._or())
            while self._skip("sign", ","):
                arguments.append(self._or())
        self._need(")")
        self._level -= 1
        if len(arguments) != FUNCTIONS[name]:
            raise ExpressionError(f"«{name}» takes {FUNCTIONS[name]} arguments")
        return call(name, arguments)
