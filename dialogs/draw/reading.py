"""Texts and conditions of a flow as they are read in the picture."""

from __future__ import annotations

import re

from dialogs.draw.words import word
from dialogs.flow import Ask, Flow

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_QUOTED = re.compile(r"('[^']*'|«[^»]*»)")
_FILLED = re.compile(r"(not\s+)?filled\(\s*([\w.]+)\s*\)")
_COUNT = re.compile(r"len\(\s*(\w+)\s*\)")
_SAME = re.compile(r"\bevent\.(?:(\w+) = \1|step = '\w+')(?: and |$)")
_EQUALS = re.compile(r"(?<![\w.])([\w.]+)\s*(=|!=)\s*'([^']*)'")
_LISTED = re.compile(r"(?<![\w.])([\w.]+)\s+(not\s+)?in\s+\[([^\]\[]*)\]")
_NAME = re.compile(r"(?<![\w.«])([a-z]\w*)(?![\w.(])")


def title_of(name: str, flow: Flow) -> str:
    """What people call a variable: its title, else its name."""
    variable = flow.variables.get(name)
    return variable.title if variable is not None and variable.title else name


def shown(text: str, flow: Flow) -> str:
    """A text of the flow as it is read in the picture: `{name|or:you}` → `[Имя]`."""

    def show(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        path = found[1].split("|", 1)[0].strip()
        return f"[{title_of(path, flow)}]"

    return _PLACEHOLDER.sub(show, text)


def condition(text: str, flow: Flow, lang: str) -> str:
    """A condition in nearly plain words: `filled(phone) and topic = 't_pay'` → `есть «Телефон» и «Тема» = «Оплата»`.

    That an event is about this very thing (`event.issue_id = issue_id`, `event.step = …`) goes without saying.
    """

    def filled(found: re.Match[str]) -> str:
        return word("unfilled" if found[1] else "filled", lang, f"«{title_of(found[2], flow)}»")

    def count(found: re.Match[str]) -> str:
        return word("count", lang, f"«{title_of(found[1], flow)}»")

    def equals(found: re.Match[str]) -> str:
        sign = "=" if found[2] == "=" else "≠"
        return f"«{title_of(found[1], flow)}» {sign} {value(found[1], found[3])}"

    def listed(found: re.Match[str]) -> str:
        values = [value(found[1], part.strip().strip("'")) for part in found[3].split(",")]
        return word("none_of" if found[2] else "one_of", lang, f"«{title_of(found[1], flow)}»") + ", ".join(values)

    def value(variable: str, written: str) -> str:
        return f"«{_option_title(variable, written, flow, lang) or written}»"

    def name(found: re.Match[str]) -> str:
        if found[1] in ("and", "or", "not"):
            return word(found[1], lang)
        variable = flow.variables.get(found[1])
        return f"«{variable.title}»" if variable is not None and variable.title else found[1]

    text = _SAME.sub("", text).removesuffix(" and ")
    text = _EQUALS.sub(equals, _LISTED.sub(listed, _COUNT.sub(count, _FILLED.sub(filled, text))))
    parts = _QUOTED.split(text)  # words inside quotes are not ours to change
    said = [part if part[:1] in ("'", "«") else _signs(_NAME.sub(name, part)) for part in parts]
    return "".join(said)


def _signs(text: str) -> str:
    return text.replace("!=", "≠").replace("<=", "≤").replace(">=", "≥")


def _option_title(variable: str, option: str, flow: Flow, lang: str) -> str | None:
    for step in flow.steps.values():
        if isinstance(step, Ask) and step.into == variable:
            for choice in step.options:
                if choice.id == option:
                    return choice.title.by(lang).text
    return None
