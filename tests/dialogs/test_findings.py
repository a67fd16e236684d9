"""The sentences of the verifier."""

from __future__ import annotations

import re

import pytest

from dialogs.business_events import COMMON_FIELDS, EVENTS, MESSAGE_FIELDS
from dialogs.findings import RULES, Finding, Words, finding, format_finding

WARNINGS = {"F17", "F20", "F21", "N10", "P01", "T01", "T02", "X02"}
FAMILIES = {"Y": 7, "F": 26, "N": 11, "C": 8, "I": 8, "P": 2, "T": 3, "R": 2, "X": 2}


def test_every_code_of_section_15_is_there() -> None:
    assert set(RULES) == {f"{family}{n:02}" for family, count in FAMILIES.items() for n in range(1, count + 1)}
    assert {code for code, rule in RULES.items() if rule.severity == "warning"} == WARNINGS


@pytest.mark.parametrize("code", sorted(RULES))
def test_both_sentences_name_the_same_things(code: str) -> None:
    rule = RULES[code]
    names = re.compile(r"\{(.*?)\}")
    assert sorted(names.findall(rule.ru)) == sorted(names.findall(rule.en))
    found = finding(code, file="lead.yaml", line=3, x="x1", y="y1", n=21, m=20)
    assert "{" not in found.ru + found.en
    assert re.search("[а-я]", found.ru)
    assert not re.search("[а-я]", found.en)


def test_a_finding_is_printed_with_its_place_and_step() -> None:
    found = finding("F03", file="flows/lead.yaml", line=12, step="hello", x="creat")
    assert found == Finding("F03", "error", "flows/lead.yaml", 12, "нет шага «creat»", "no step «creat»", "hello")
    assert format_finding(found, "ru_RU.UTF-8") == "flows/lead.yaml:12: F03 error: шаг «hello»: нет шага «creat»"
    assert format_finding(found, "en") == "flows/lead.yaml:12: F03 error: step «hello»: no step «creat»"
    assert format_finding(found, "de") == format_finding(found, "en")


def test_numbers_and_words_of_each_language_are_filled_in() -> None:
    long = finding("C01", file="x", line=1, x="Очень длинная кнопка", n=21, m=20)
    assert (long.ru, long.en) == (
        "«Очень длинная кнопка»: 21 знаков, можно 20",
        "«Очень длинная кнопка»: 21 characters, 20 allowed",
    )
    broken = finding("Y01", file="x", line=0, x=Words("файл пуст", "the file is empty"))
    assert broken.ru.endswith("«файл пуст»")
    assert broken.en.endswith("«the file is empty»")
    assert broken.line == 1


def test_a_hostile_name_stays_on_one_line_and_is_not_a_format() -> None:
    found = finding("Y03", file="x", line=1, x="{y.__class__}\n\x1b[31m\u202e" + "z" * 10_000)
    assert "\n" not in found.ru
    assert "\x1b" not in found.ru
    assert "\u202e" not in found.ru
    assert "{y.__class__}" in found.ru
    assert len(found.ru) < 250


def test_every_event_has_the_common_fields_and_known_types() -> None:
    assert len(EVENTS) == 17
    for fields in EVENTS.values():
        assert COMMON_FIELDS.items() <= fields.items()
        assert set(fields.values()) <= {"text", "number", "flag", "money", "list", "map"}
    assert EVENTS["onec.payment_changed"]["due"] == "money"
    assert EVENTS["okdesk.status_changed"]["final"] == "flag"
    assert EVENTS["effect.done"]["result"] == "map"
    assert EVENTS["order.created"] == EVENTS["order.problem"] == EVENTS["order.status_changed"]
    assert set(MESSAGE_FIELDS) == {"id", "text", "payload"}
