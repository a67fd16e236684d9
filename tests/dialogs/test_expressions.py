"""Conditions of flows: what they mean, what is refused, and that nothing a customer types can hang them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialogs.expressions import ExpressionError, MappingScope, compile_expression, true
from tests.work import lines_run

VALUES: dict[str, Any] = {
    "name": "Анна",
    "empty": "",
    "five": 5,
    "zero": 0,
    "half": 2.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "topic": "t_pay",
    "orders": [{"id": 1005, "number": "1005"}, {"id": 1006}],
    "none_yet": [],
    "words": ["a", "b"],
    "dialog": {"id": "d1", "flow": "lead"},
    "event": {"id": "e1", "result": {"id": 7}, "final": True, "in": 1},
    "day": "2026-03-01",
}
SCOPE = MappingScope(VALUES, "2026-03-02")


def value(text: str) -> object:
    return compile_expression(text).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("-5", -5),
        ("'а б'", "а б"),
        ("''", ""),
        ("true", True),
        ("false", False),
        ("null", None),
        ("[]", []),
        ("[1, 'a', null, [2]]", [1, "a", None, [2]]),
        ("[five, name]", [5, "Анна"]),
        ("name", "Анна"),
        ("  name  ", "Анна"),
        ("missing", None),
        ("missing.deeper[3].still", None),
        ("dialog.id", "d1"),
        ("orders[0].id", 1005),
        ("orders [1] . id", 1006),
        ("orders[2].id", None),
        ("orders[999999999999999].id", None),
        ("orders.id", None),
        ("name.length", None),
        ("name[0]", None),
        ("dialog[0]", None),
        ("event.result.id", 7),
        ("event.in", 1),
        ("five = 5", True),
        ("five = '5'", False),
        ("five != '5'", True),
        ("yes = 1", False),
        ("no = 0", False),
        ("yes = true", True),
        ("half = 2", False),
        ("null = null", True),
        ("nothing = null", True),
        ("missing = nothing", True),
        ("name != null", True),
        ("name = 'анна'", False),
        ("[1] = [1]", True),
        ("[1] = [true]", False),
        ("[1, 2] = [1]", False),
        ("five < 6", True),
        ("five <= 5", True),
        ("five > 5", False),
        ("five >= 5", True),
        ("half > 2", True),
        ("day < today()", True),
        ("'a' < 'b'", True),
        ("five < '6'", False),
        ("five >= '6'", False),
        ("nothing < 5", False),
        ("nothing >= null", False),
        ("no < yes", False),
        ("five > false", False),
        ("[1] < [2]", False),
        ("topic in ['t_pay', 't_status']", True),
        ("topic not in ['t_pay', 't_status']", False),
        ("five in ['5', 'x']", False),
        ("five in [1, 5]", True),
        ("yes in [1]", False),
        ("null in [null]", True),
        ("nothing in ['a']", False),
        ("nothing not in ['a']", True),
        ("'a' in words", True),
        ("'c' not in words", True),
        ("'a' in nothing", False),
        ("'a' not in nothing", True),
        ("'А' in name", False),
        ("'А' not in name", True),
        ("topic in []", False),
        ("not yes", False),
        ("not no", True),
        ("not nothing", True),
        ("not five", True),
        ("not not yes", True),
        ("not five = 6", True),
        ("yes and no", False),
        ("yes and yes", True),
        ("yes and five", False),
        ("no or yes", True),
        ("name or 'x'", False),
        ("no or yes and no", False),
        ("(no or yes) and yes", True),
        ("yes or no and no", True),
        ("not no and yes", True),
        ("filled(name)", True),
        ("filled(empty)", False),
        ("filled(nothing)", False),
        ("filled(none_yet)", False),
        ("filled(zero)", True),
        ("filled(no)", True),
        ("filled(dialog)", True),
        ("len(name)", 4),
        ("len(orders)", 2),
        ("len(nothing)", 0),
        ("len(five)", 0),
        ("len(orders) = 2", True),
        ("lower('АБВ')", "абв"),
        ("lower(nothing)", ""),
        ("contains(name, 'нн')", True),
        ("contains(name, 'НН')", False),
        ("contains(lower(name), 'ан')", True),
        ("contains(words, 'a')", True),
        ("contains(words, five)", False),
        ("contains(nothing, 'a')", False),
        ("contains(name, nothing)", False),
        ("contains(five, 5)", False),
        ("matches(name, '[А-Я][а-я]+')", True),
        ("matches(five, '5')", False),
        ("matches(nothing, '.*')", False),
        ("today()", "2026-03-02"),
        ("filled(name and five)", True),
    ],
)
def test_an_expression_means_what_section_6_says(text: str, expected: object) -> None:
    result = value(text)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "a == b",
        "a = = b",
        "a = b = c",
        "1 < 2 < 3",
        "a <> b",
        "a + b",
        "a - 1",
        "a-1",
        "1.5",
        "len(a",
        "len a",
        "len",
        "len()",
        "len(a, b)",
        "today(a)",
        "filled",
        "filled = 1",
        "unknown(a)",
        "a(b)",
        "a.b(c)",
        "(a",
        "a)",
        "[a",
        "[a,]",
        "[,a]",
        "[a b]",
        "'a",
        "a'",
        '"a"',
        "a b",
        "a not b",
        "a not = b",
        "a in",
        "a in 'abc'",
        "a in 5",
        "a in len(b)",
        "in a",
        "and a",
        "a and",
        "a or",
        "not",
        "a AND b b",
        "a && b",
        "!a",
        "a.",
        "a..b",
        ".a",
        "a.5",
        "a[b]",
        "a[-1]",
        "a['x']",
        "a[0",
        "a[]",
        "1a",
        "имя",
        "a; b",
        "a\x00",
        "__import__('os')",
        "{}",
        "lambda: 1",
        "1234567890123456",
        "a" * 501,
        "(" * 21 + "a" + ")" * 21,
        "not " * 21 + "a",
        "[" * 21 + "]" * 21,
        "len(" * 21 + "a" + ")" * 21,
        "matches(a, b)",
        "matches(a, ['x'])",
        "matches(a, 5)",
        "matches(a)",
        "matches(a, '(')",
    ],
)
def test_what_the_grammar_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert caught.value.message


@pytest.mark.parametrize(
    "text", ["(" * 20 + "a" + ")" * 20, "not " * 20 + "a", "a" * 500, " or ".join(["a"] * 100), "[" * 20 + "]" * 20]
)
def test_up_to_the_limits_it_is_read(text: str) -> None:
    compile_expression(text)


@pytest.mark.parametrize(
    ("text", "is_condition", "bare_path"),
    [
        ("a = 1", True, None),
        ("a in [1]", True, None),
        ("a not in b", True, None),
        ("a and b", True, None),
        ("a or b", True, None),
        ("not a", True, None),
        ("filled(a)", True, None),
        ("contains(a, b)", True, None),
        ("matches(a, 'x')", True, None),
        ("true", True, None),
        ("(false)", True, None),
        ("null", False, None),
        ("5", False, None),
        ("'a'", False, None),
        ("[a]", False, None),
        ("len(a)", False, None),
        ("lower(a)", False, None),
        ("today()", False, None),
        ("a.b[0]", False, ("a", "b", 0)),
        ("(a)", False, ("a",)),
    ],
)
def test_conditions_are_told_from_values(
    text: str, is_condition: bool, bare_path: tuple[str | int, ...] | None
) -> None:
    expression = compile_expression(text)
    assert expression.is_condition is is_condition
    assert expression.bare_path == bare_path


def test_paths_and_comparisons_are_there_for_the_verifier() -> None:
    expression = compile_expression(
        "topic = 't_pay' and 'ok' != result.end or state in ['paid', 5, 'partial'] and x not in ['y'] "
        "and a = b and n = 5 and len(orders[0].id) > 1 and a < 'z'"
    )
    assert expression.paths == {
        ("topic",),
        ("result", "end"),
        ("state",),
        ("x",),
        ("a",),
        ("b",),
        ("n",),
        ("orders", 0, "id"),
    }
    assert expression.comparisons == (
        (("topic",), "=", ("t_pay",)),
        (("result", "end"), "!=", ("ok",)),
        (("state",), "in", ("paid", "partial")),
        (("x",), "not in", ("y",)),
    )


class _Counting:
    def __init__(self) -> None:
        self.asked: list[tuple[str | int, ...]] = []

    def lookup(self, path: tuple[str | int, ...]) -> object | None:
        self.asked.append(path)
        return VALUES.get(str(path[0]))

    def today(self) -> str:
        return "2026-03-02"


@pytest.mark.parametrize(
    ("text", "asked"), [("no and name", ["no"]), ("yes or name", ["yes"]), ("no or yes", ["no", "yes"])]
)
def test_and_and_or_stop_early(text: str, asked: list[str]) -> None:
    scope = _Counting()
    compile_expression(text).evaluate(scope)
    assert scope.asked == [(name,) for name in asked]


def test_a_list_is_a_new_one_each_time() -> None:
    expression = compile_expression("[1]")
    assert expression.evaluate(SCOPE) is not expression.evaluate(SCOPE)


def test_only_true_counts_as_true() -> None:
    assert true(True)
    assert not any(true(other) for other in (1, "true", [1], None, False))


def test_endlessly_nested_values_are_null_not_a_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    scope = MappingScope({"a": deep, "b": [deep[0]]}, "")
    other: list[Any] = []
    for _ in range(100_000):
        other = [other]
    scope = MappingScope({"a": deep, "b": other}, "")
    assert compile_expression("a = b").evaluate(scope) is None
    assert compile_expression("not (a = b)").evaluate(scope) is None


# ---------------------------------------------------------------------------------------------------------- matches


def fits(pattern: str, text: str) -> object:
    return compile_expression(f"matches(x, '{pattern}')").evaluate(MappingScope({"x": text}, ""))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("abc", "xabc", False),
        (r"\d{10}", "7707083893", True),
        (r"\d{10}|\d{12}", "770708389312", True),
        (r"\d{10}|\d{12}", "77070838931", False),
        (r"\d", "٣", False),
        (r"\w+", "Анна_5", True),
        (r"\s", "\u00a0", True),
        (r"[А-ЯЁ][а-яё]*", "Ёлка", True),
        (r"[^0-9]+", "абв", True),
        (r"[^0-9]+", "а1", False),
        (r"[a\-z]", "-", True),
        (r"[a\-z]", "b", False),
        (r"[-a]", "-", True),
        (r"[a-]", "-", True),
        (r"[\]\[]", "]", True),
        (r"[\d\s-]+", "12 -3", True),
        (r"[.*+?{}()|]", "*", True),
        (r"[&&a]", "&", True),
        (r"[~~||-]", "|", True),
        (r"\.\*\(\)\\\/", r".*()\/", True),
        ("а.в", "абв", True),
        ("а.в", "а\nв", False),
        ("colou?r", "color", True),
        ("a{2}", "aa", True),
        ("a{2,}", "aaaa", True),
        ("a{2,3}", "aaaa", False),
        ("a{0,2}b", "b", True),
        ("a{500}", "a" * 500, True),
        ("(да|нет)", "нет", True),
        ("(да|нет), (я|мы)", "да, мы", True),
        ("a(b(c|d)|e)f", "abdf", True),
        ("a(b|)c", "ac", True),
        ("|a", "", True),
        ("A", "a", False),
        (".*", "x" * 501, False),
        (".*", "x" * 500, True),
        ("a*b*c*", "aabbcc", True),
    ],
)
def test_a_pattern_fits_the_whole_text(pattern: str, text: str, expected: bool) -> None:
    assert fits(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(ab)*",
        "(ab)+",
        "(ab)?",
        "(ab){2}",
        "a**",
        "a+?",
        "a?+",
        "a{2}{3}",
        "*a",
        "+",
        "?",
        "{2}",
        "a{,3}",
        "a{x}",
        "a{3,2}",
        "a{1000}",
        "a*b*c*d*",
        "a+b*c{2,}d+",
        "^a",
        "a$",
        r"\b",
        r"\D",
        r"\1",
        r"\n",
        r"\_",
        r"\я",
        "\\",
        "(a",
        "a)",
        "[a",
        "[]",
        "[^]",
        "[z-a]",
        r"[a-\d]",
        "[[a]",
        "(?:a)",
        "(?=a)",
        "(?i)a",
        "(" * 21 + ")" * 21,
        "a" * 201,
    ],
)
def test_an_unsafe_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        fits(pattern, "a")


MOST_LINES = 20_000  # a pattern that backtracked would run millions


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a?" * 66 + "a" * 66, "a" * 65),
        ("(a|a)" * 40, "a" * 39 + "b"),
        ("(a|aa)" * 33, "a" * 67),
        ("a*a*a*b", "a" * 500),
        (".*.*.*x", "a" * 500),
        ("a{0,500}" * 25, "a" * 499 + "b"),
        ("(a{0,99}|a{0,98})" * 11, "a" * 499 + "b"),
        (".{0,500}" * 24 + "x", "a" * 500),
    ],
)
def test_no_pattern_is_slow(pattern: str, text: str) -> None:
    assert fits(pattern, text) is False
    assert lines_run(lambda: fits(pattern, text)) < MOST_LINES


_ATOMS = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", r"\w", "1", "[a-c]"])
_REPEATED = st.tuples(_ATOMS, st.sampled_from(["", "", "?", "{2}", "{0,2}", "{1,3}"])).map("".join)
_PATTERNS = st.recursive(
    st.lists(_REPEATED, max_size=4).map("".join),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})")
        | st.tuples(inner, inner).map("".join)
    ),
    max_leaves=4,
)


@given(_PATTERNS, st.text(alphabet="ab1\n", max_size=8), st.sampled_from(["", "a*", "[ab]+", "b{1,}", ".*"]))
def test_patterns_agree_with_the_usual_engine(pattern: str, text: str, tail: str) -> None:
    assert fits(pattern + tail, text) is bool(re.fullmatch(pattern + tail, text, re.ASCII))


@given(st.text(alphabet=r"ab1.*+?{},[]()|\^$-dws" + "\n", max_size=30), st.text(max_size=20))
@example("[\\", "")
@example("a{", "")
def test_any_pattern_is_compiled_or_refused(pattern: str, text: str) -> None:
    try:
        result = fits(pattern, text)
    except ExpressionError:
        return
    assert isinstance(result, bool)


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                "a",
                "five",
                "orders",
                "not",
                "and",
                "or",
                "in",
                "(",
                ")",
                "[",
                "]",
                ",",
                ".",
                "=",
                "!=",
                "<",
                ">=",
                "'x'",
                "5",
                "-1",
                "null",
                "true",
                "len",
                "filled",
                "contains",
                "today",
                "lower",
                " ",
                "0",
            ]
        ),
        max_size=25,
    ).map(" ".join)
)
def test_any_text_is_compiled_or_refused_and_never_raises_when_run(text: str) -> None:
    try:
        expression = compile_expression(text)
    except ExpressionError:
        return
    result = expression.evaluate(SCOPE)
    if expression.is_condition:
        assert isinstance(result, bool)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(_JSON, _JSON)
def test_any_values_can_be_compared(one: object, other: object) -> None:
    scope = MappingScope({"a": one, "b": other}, "2026-03-02")
    for text in ("a = b", "a != b", "a < b", "a >= b", "a in b", "a not in b", "contains(a, b)", "filled(a)", "a or b"):
        assert isinstance(compile_expression(text).evaluate(scope), bool)
    assert compile_expression("a = b").evaluate(scope) is not compile_expression("a != b").evaluate(scope)
    compile_expression("[len(a), lower(b), a.x[0]]").evaluate(scope)
