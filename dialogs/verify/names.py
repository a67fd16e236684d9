"""Whether texts and expressions name what exists, and of the right type: N01, N02, N07, N09, I04, I08, F16."""

from __future__ import annotations

from collections.abc import Mapping

from dialogs.actions import Catalogue
from dialogs.findings import Finding
from dialogs.flow import Ask, Flow
from dialogs.reading import Path
from dialogs.texts import Text
from dialogs.verify.folder import Folder
from dialogs.verify.noting import Noting
from dialogs.verify.types import NOWHERE, base_of, dotted, meaning_of, type_of
from dialogs.verify.uses import ExpressionUse, Names, TextUse, expressions_of

FILTER_TYPES: Mapping[str, frozenset[str]] = {
    "phone": frozenset({"phone", "text"}),
    "rub": frozenset({"money", "number"}),
    "date": frozenset({"date", "text"}),  # dates of events and results are texts
    "title": frozenset({"choice"}),
}
"""Filter → the types that it can do something with; `short` and `lower` take any value but a list."""

_MADE_TEXT = frozenset({"phone", "rub", "date", "title", "short", "lower"})


def check(flow: Flow, texts: list[TextUse], *, folder: Folder | None, catalogue: Catalogue) -> list[Finding]:
    notes = Noting(flow.document)
    for text in texts:
        notes.step = text.step
        _paths(text.text.paths, text.path, text.names, flow, notes)
        check_filters(text.text, text.path, text.names, flow, notes)
    choices = _choices(flow, folder, catalogue)
    for use in expressions_of(flow, folder=folder, catalogue=catalogue):
        notes.step = use.step
        _paths(use.expression.paths, use.path, use.names, flow, notes)
        _types(use, flow, notes)
        _options(use, choices, notes)
    return notes.findings


def _paths(paths: frozenset[Path], where: Path, names: Names, flow: Flow, notes: Noting) -> None:
    for path in sorted(paths, key=dotted) if len(paths) > 1 else paths:
        wrong = meaning_of(path, names, flow.variables).wrong
        if wrong is not None:
            code, x, y = wrong
            notes.add(code, where, x=x, y=y)


def check_filters(text: Text, where: Path, names: Names, flow: Flow, notes: Noting) -> None:
    """N07 for a filter that can do nothing with such a value."""
    for placeholder in text.placeholders:
        type_ = meaning_of(placeholder.path, names, flow.variables).type if placeholder.filters else None
        if type_ is None:
            continue
        for name, _ in placeholder.filters:
            fits = FILTER_TYPES.get(name)
            if type_ not in fits if fits is not None else name != "or" and base_of(type_) in ("list", "map"):
                notes.add("N07", where, x=dotted(placeholder.path))
                break
            if name in _MADE_TEXT:
                type_ = "text"


def _types(use: ExpressionUse, flow: Flow, notes: Noting) -> None:
    expression = use.expression
    if use.is_condition and not expression.is_condition:
        if expression.bare_path is None:
            notes.add("N02", use.path, x=expression.text)
        elif not _may_be(expression.bare_path, "flag", use, flow):
            notes.add("N07", use.path, x=dotted(expression.bare_path))
    for path in sorted(expression.truths, key=dotted):
        if not _may_be(path, "flag", use, flow):
            notes.add("N07", use.path, x=dotted(path))
    for path, _, _ in expression.comparisons:
        if not _may_be(path, "text", use, flow):
            notes.add("N07", use.path, x=dotted(path))
    if use.target is not None:
        type_ = type_of(expression, use.names, flow.variables)
        if type_ is not None and base_of(type_) != base_of(use.target.type):
            notes.add("N07", use.path, x=use.target.name)


def _may_be(path: Path, base: str, use: ExpressionUse, flow: Flow) -> bool:
    type_ = meaning_of(path, use.names, flow.variables).type
    return type_ is None or base_of(type_) == base


# ------------------------------------------------------------------------------------------------------------- options


def _options(use: ExpressionUse, choices: Mapping[str, frozenset[str]], notes: Noting) -> None:
    for path, _, texts in use.expression.comparisons:
        options = choices.get(str(path[0])) if len(path) == 1 else None
        for text in texts if options is not None else ():
            if text not in options:  # type: ignore[operator]  # mypy does not follow the line above
                notes.add("N09", use.path, x=str(path[0]), y=text)


def _choices(flow: Flow, folder: Folder | None, catalogue: Catalogue) -> dict[str, frozenset[str]]:
    """Variable → all values that it can have, where they are written out in this flow.

    A variable of the contact may have been set by any flow, a parameter by any caller.
    """
    choices: dict[str, set[str]] = {}
    for step in flow.steps.values():
        if isinstance(step, Ask) and "choice" in step.stores and step.options_from is None:
            choices.setdefault(step.stores["choice"], set()).update(option.id for option in step.options)
    open_ended = {*flow.takes, *(name for name, variable in flow.variables.items() if variable.is_contact)}
    for step in flow.steps.values():
        if isinstance(step, Ask):
            open_ended |= {name for kind, name in step.stores.items() if kind != "choice" or step.options_from}
    for use in expressions_of(flow, folder=folder, catalogue=catalogue) if choices else ():
        if use.target is not None and use.target.name in choices and flow.variables.get(use.target.name) is use.target:
            expression = use.expression
            value = None if expression.paths else expression.evaluate(NOWHERE)
            if isinstance(value, str):
                choices[use.target.name].add(value)
            elif expression.text.strip() != "null":
                open_ended.add(use.target.name)
    return {name: frozenset(options) for name, options in choices.items() if name not in open_ended}
