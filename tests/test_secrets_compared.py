"""Secrets are compared in constant time: with == the time of the answer tells how much of a guess was right."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECRET_WORDS = re.compile(r"(^|_)(secret|token|signature|password|passwd|pass|digest|hmac|api_key|credential)s?(_|$)")
# Names of a secret in which no secret lies.
WORDS_OF_A_QUERY = "simulated_odata.py"  # its tokens are "and", "or" and "("
HARMLESS = re.compile(r"(_|^)(name|type|count|path|field|file|header|kind)s?$")


def is_secret(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return bool(SECRET_WORDS.search(name.lower()) and not HARMLESS.search(name.lower()))
        case ast.Call(func=ast.Attribute(attr="get_secret_value" | "hexdigest" | "digest")):
            return True
        case ast.Call(func=ast.Attribute(value=value, attr="encode" | "strip" | "lower" | "upper" | "decode")):
            return is_secret(value)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return bool(SECRET_WORDS.search(name.lower().replace("-", "_")))
        case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
            return bool(SECRET_WORDS.search(name.lower().replace("-", "_"))) or is_secret(value)
        case ast.Subscript(value=value):
            return is_secret(value)
    return False


def says_nothing(node: ast.expr) -> bool:
    """A comparison with nothing or with an empty text only asks whether there is a secret."""
    return isinstance(node, ast.Constant) and node.value in (None, "", b"")


def careless(source: str) -> list[int]:
    """Lines in which a secret is compared with ==, != or in."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
            is_by_value = isinstance(operator, ast.Eq | ast.NotEq)
            if (
                is_by_value
                and (is_secret(left) or is_secret(right))
                and not (says_nothing(left) or says_nothing(right))
            ):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize("folder", ["bot", "integrations"])
def test_no_secret_is_compared_with_equals(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != WORDS_OF_A_QUERY
        for line in careless(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "given == self._token",
        "request.headers.get('X-Token') != wanted",
        "token.encode() == given",
        "settings.api_token.get_secret_value() == given",
        "hmac.new(key, body).hexdigest() == given",
        "body['password'] == 'x'",
        "signature[7:] == expected",
        "user == 'a' and password == 'b'",
    ],
)
def test_what_is_careless_is_seen(line: str) -> None:
    assert careless(line) == [1]


@pytest.mark.parametrize(
    "line", ["token is None", "token == ''", "hmac.compare_digest(token, given)", "token_type == 'bearer'", "a == b"]
)
def test_what_is_harmless_is_not_seen(line: str) -> None:
    assert careless(line) == []
