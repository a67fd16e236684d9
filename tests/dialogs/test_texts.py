"""Texts with placeholders: filling, filters, limits and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogs.expressions import MappingScope
from dialogs.texts import FILTERS, Placeholder, TextError, compile_text

FLOWS = Path(__file__).parents[2] / "dialogs" / "flows"
NBSP = "\u00a0"
VALUES: dict[str, Any] = {
    "name": "Анна",
    "empty": "",
    "blank": "  ",
    "none": None,
    "phone": "+79123456789",
    "paid": 350_000,
    "due": 350_050,
    "day": "2026-03-15",
    "service": "washer",
    "stars": 5,
    "problem": "Не сливает воду и громко шумит",
    "long": "слово " * 200,
    "braces": "{name}}{",
    "yes": True,
    "half": 2.5,
    "two": 2.0,
    "files": [{"id": "F1", "kind": "photo"}],
    "no_files": [],
    "words": ["раз", 2],
    "map": {"a": 1},
    "dialog": {"id": "d1"},
    "orders": [{"id": 1005}],
}
SCOPE = MappingScope(VALUES, "2026-03-02")


def titles(variable: str) -> Mapping[str, str]:
    return {"service": {"washer": "Стиральная машина"}, "stars": {"5": "Отлично"}}.get(variable, {})


def fill(text: str, lang: str = "ru", limit: int | None = None) -> str:
    return compile_text(text).render(SCOPE, lang=lang, titles=titles, limit=limit)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ""),
        ("Просто текст", "Просто текст"),
        ("Здравствуйте, {name}!", "Здравствуйте, Анна!"),
        ("{ name }", "Анна"),
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{Анна}"),
        ("{{}}", "{}"),
        ("a {{ b }} c", "a { b } c"),
        ("{braces}", "{name}}{"),
        ("{missing}|{none}|{empty}", "||"),
        ("{dialog.id}", "d1"),
        ("{orders[0].id}", "1005"),
        ("{orders[7].id|or:нет}", "нет"),
        ("{stars}", "5"),
        ("{half} {two}", "2.5 2"),
        ("{yes}", "да"),
        ("{words}", "раз, 2"),
        ("[{files}{map}{no_files}]", "[]"),
        ("{phone|phone}", "+7 912 345-67-89"),
        ("{name|phone}", "Анна"),
        ("{stars|phone}", "5"),
        ("{paid|rub}", f"3{NBSP}500{NBSP}₽"),
        ("{due|rub}", f"3{NBSP}500,50{NBSP}₽"),
        ("{stars|rub}", f"0,05{NBSP}₽"),
        ("{name|rub}", "Анна"),
        ("{yes|rub}", "да"),
        ("{none|rub|or:сумма неизвестна}", "сумма неизвестна"),
        ("{day|date}", "15 марта 2026"),
        ("{name|date}", "Анна"),
        ("{stars|date}", "5"),
        ("{service|title}", "Стиральная машина"),
        ("{stars|title}", "Отлично"),
        ("{name|title}", "Анна"),
        ("{orders[0].id|title}", "1005"),
        ("{none|title|or:без услуги}", "без услуги"),
        ("{name|lower}", "анна"),
        ("{none|lower}", ""),
        ("{name|or:клиент}", "Анна"),
        ("{none|or:клиент}", "клиент"),
        ("{empty|or:клиент}", "клиент"),
        ("{no_files|or:нет фото}", "нет фото"),
        ("{files|or:нет фото}", ""),
        ("{none|or:время 12:30}", "время 12:30"),
        ("{none|or:НЕТ|lower}", "нет"),
        ("{problem|short:12}", "Не сливает…"),
        ("{problem|short:10}", "Не…"),
        ("{problem|short:11}", "Не сливает…"),
        ("{problem|short:30}", "Не сливает воду и громко шумит"),
        ("{name|short:3}", "Ан…"),
        ("{name|short:1}", "…"),
        ("{name|short:4}", "Анна"),
        ("{due|rub|short:3}", "3…"),
    ],
)
def test_a_text_is_filled(text: str, filled: str) -> None:
    assert fill(text) == filled


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("раз\n{none}\nдва", "раз\nдва"),
        ("раз\n{none} {empty}\nдва", "раз\nдва"),
        ("раз\n{blank}\nдва", "раз\nдва"),
        ("раз\n\nдва", "раз\n\nдва"),
        ("раз\n\n{none}\n\nдва", "раз\n\n\nдва"),
        ("{none}\nдва", "два"),
        ("раз\n{none}", "раз"),
        ("раз\n{none}\n", "раз\n"),
        ("{none}", ""),
        ("{none}\n{none}", ""),
        ("раз\n- {none}\nдва", "раз\n- \nдва"),
        ("{name}\n{stars}\nитого", "Анна\n5\nитого"),
    ],
)
def test_a_line_left_blank_is_left_out(text: str, filled: str) -> None:
    assert fill(text) == filled


@pytest.mark.parametrize(
    ("kopecks", "shown"),
    [
        (0, "0 ₽"),
        (5, "0,05 ₽"),
        (100, "1 ₽"),
        (99_999, "999,99 ₽"),
        (100_000, "1 000 ₽"),
        (100_050, "1 000,50 ₽"),
        (123_456_789_00, "123 456 789 ₽"),
        (-50_000, "-500 ₽"),
    ],
)
def test_money(kopecks: int, shown: str) -> None:
    scope = MappingScope({"x": kopecks}, "")
    assert compile_text("{x|rub}").render(scope, lang="ru") == shown.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("iso", "ru", "en"),
    [
        ("2026-03-15", "15 марта 2026", "March 15, 2026"),
        ("2026-03-03T10:00:00+03:00", "3 марта 2026", "March 3, 2026"),
        ("2026-12-01 23:59", "1 декабря 2026", "December 1, 2026"),
        ("2026-02-30", "2026-02-30", "2026-02-30"),
        ("завтра", "завтра", "завтра"),
    ],
)
def test_dates_in_both_languages(iso: str, ru: str, en: str) -> None:
    text = compile_text("{x|date}")
    scope = MappingScope({"x": iso}, "")
    assert (text.render(scope, lang="ru"), text.render(scope, lang="en")) == (ru, en)


def test_yes_and_no_in_both_languages() -> None:
    assert fill("{yes}", lang="en") == "yes"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{name", "N04"),
        ("name}", "N04"),
        ("{", "N04"),
        ("}", "N04"),
        ("{{{", "N04"),
        ("{a{b}}", "N04"),
        ("{a|or:{b}}", "N04"),
        ("{}", "N02"),
        ("{ }", "N02"),
        ("{a b}", "N02"),
        ("{a.}", "N02"),
        ("{.a}", "N02"),
        ("{a[x]}", "N02"),
        ("{a[-1]}", "N02"),
        ("{имя}", "N02"),
        ("{a = b}", "N02"),
        ("{a.__class__()}", "N02"),
        ("{|or:x}", "N02"),
        ("{a|}", "N03"),
        ("{a|upper}", "N03"),
        ("{a|rub:2}", "N03"),
        ("{a|phone:}", "N03"),
        ("{a|short}", "N03"),
        ("{a|short:}", "N03"),
        ("{a|short:0}", "N03"),
        ("{a|short:x}", "N03"),
        ("{a|short:-5}", "N03"),
        ("{a|short:99999}", "N03"),
        ("{a|or}", "N03"),
        ("{a|or:}", "N03"),
        ("{a||rub}", "N03"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_its_code(text: str, code: str) -> None:
    with pytest.raises(TextError) as caught:
        compile_text(text)
    assert caught.value.code == code
    assert isinstance(caught.value.message, str)


def test_placeholders_are_there_for_the_verifier() -> None:
    text = compile_text("{name|or:клиент}: {paid|rub|short:5}\n{orders[0].id}")
    assert text.placeholders == (
        Placeholder(("name",), (("or", "клиент"),)),
        Placeholder(("paid",), (("rub", None), ("short", "5"))),
        Placeholder(("orders", 0, "id")),
    )
    assert text.paths == {("name",), ("paid",), ("orders", 0, "id")}
    assert [placeholder.fallback for placeholder in text.placeholders] == ["клиент", None, None]
    assert text.plain is None
    assert compile_text("a {{b}}").plain == "a {b}"
    assert set(FILTERS) == {"phone", "rub", "date", "title", "short", "or", "lower"}


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("{files}", ("files",)),
        ("{orders[0].id}", ("orders", 0, "id")),
        ("{files|or:нет}", None),
        (" {files}", None),
        ("{files}\n", None),
        ("{files}{files}", None),
        ("files", None),
        ("", None),
        ("{{files}}", None),
    ],
)
def test_one_placeholder_alone_passes_its_value(text: str, single: tuple[str | int, ...] | None) -> None:
    compiled = compile_text(text)
    assert compiled.single == single
    if single is None:
        with pytest.raises(ValueError, match="more than one"):
            compiled.value(SCOPE)
    elif text == "{files}":
        assert compiled.value(SCOPE) is VALUES["files"]


def test_the_longest_value_is_shortened_until_the_text_fits() -> None:
    full = fill("Заявка: {long}, {name}")
    assert len(full) > 1000
    short = fill("Заявка: {long}, {name}", limit=60)
    assert len(short) <= 60
    assert short.startswith("Заявка: слово слово")
    assert short.endswith("…, Анна")
    assert fill("{name}", limit=4) == "Анна"
    assert fill("{long}{long}{name}", limit=30).endswith("Анна")
    assert len(fill("{long}{long}{name}", limit=30)) <= 30
    assert fill("{name}{name}", limit=2) == "……"


def test_the_words_of_the_author_are_never_cut() -> None:
    assert fill("Слишком длинно", limit=5) == "Слишком длинно"
    assert fill("Слишком длинно: {name}", limit=5) == "Слишком длинно: …"


def test_titles_are_optional() -> None:
    assert compile_text("{service|title}").render(SCOPE, lang="ru") == "washer"


_TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        [
            "{name}",
            "{none}",
            "{long}",
            "{paid|rub}",
            "{problem|short:7}",
            "{files}",
            "{none|or:нет}",
            "\n",
            " ",
            "а",
            "{{",
            "}}",
            "{",
            "}",
            "|",
            ":",
            "{service|title}",
            "{x.y[0]}",
            "{map|lower}",
            "{day|date}",
        ]
    ),
    max_size=12,
).map("".join)


@given(_TEXTS, st.none() | st.integers(min_value=1, max_value=100))
def test_any_text_is_compiled_or_refused_and_never_raises_when_filled(text: str, limit: int | None) -> None:
    try:
        compiled = compile_text(text)
    except TextError:
        return
    full = compiled.render(SCOPE, lang="ru", titles=titles)
    result = compiled.render(SCOPE, lang="ru", titles=titles, limit=limit)
    assert limit is None or len(result) <= max(limit, min(len(full), len(text) + len(compiled.placeholders)))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(_JSON | st.integers(min_value=10**4000, max_value=10**5000), st.sampled_from(["ru", "en", "tt"]))
def test_any_value_can_be_shown(value: object, lang: str) -> None:
    scope = MappingScope({"x": value}, "")
    for name in ("", "|phone", "|rub", "|date", "|title", "|short:5", "|or:нет", "|lower", "|rub|short:3|lower"):
        text = compile_text("{x" + name + "}").render(scope, lang=lang, limit=50)
        assert len(text) <= 50
