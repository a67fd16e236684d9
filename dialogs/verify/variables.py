"""The variables of a flow: N06, N08, N10."""

from __future__ import annotations

import re

from dialogs.actions import Catalogue
from dialogs.findings import Finding
from dialogs.flow import Ask, Flow
from dialogs.verify.folder import Folder
from dialogs.verify.noting import Noting
from dialogs.verify.uses import TextUse, expressions_of
from dialogs.verify.ways import Ways, is_interruptible

_WORD = re.compile(r"[a-z][a-z0-9_]*")


def check(
    flow: Flow, texts: list[TextUse], *, folder: Folder, catalogue: Catalogue, ways: Ways, reached: set[str]
) -> list[Finding]:
    notes = Noting(flow.document)
    _always_empty(flow, texts, ways, reached, notes)
    notes.step = None
    used = _used(flow, texts, folder, catalogue)
    for variable in flow.variables.values():
        if variable.name not in used:
            notes.add("N10", variable.path, x=variable.name)
        if variable.is_contact:
            for name, other in folder.contact_variables.get(variable.name, ()):
                if name != flow.name and (other.type, other.pii) != (variable.type, variable.pii):
                    notes.add("N08", variable.path, x=variable.name, y=name)
                    break
    return notes.findings


# --------------------------------------------------------------------------------------------------------------- empty


def _always_empty(flow: Flow, texts: list[TextUse], ways: Ways, reached: set[str], notes: Noting) -> None:
    """N06. A placeholder with `or:` says itself what to do; of a step that nobody comes to F04 was said."""
    asked = [
        (use, names)
        for use in texts
        if use.kind != "key" and (names := _needed(use) & flow.variables.keys()) and use.step in {None, *reached}
    ]
    if not asked:
        return
    begins_with = {*flow.takes, *(name for name, variable in flow.variables.items() if variable.is_contact)}
    begins_with |= {name for entry in flow.start for name, _, _ in entry.take}
    filled = _filled(flow, ways, frozenset(begins_with))
    reminded = [
        filled[step.id]
        for step in flow.steps.values()
        if isinstance(step, Ask) and step.silence is flow.silence and step.id in filled
    ]
    for use, names in asked:
        notes.step = use.step
        if use.step is not None:
            there = filled[use.step]
        elif reminded:
            there = frozenset[str]().union(*reminded)
        else:
            continue  # reminders that no question has
        for name in sorted(names - there):
            notes.add("N06", use.path, x=name)


def _needed(use: TextUse) -> set[str]:
    return {str(placeholder.path[0]) for placeholder in use.text.placeholders if placeholder.fallback is None}


def _filled(flow: Flow, ways: Ways, begins_with: frozenset[str]) -> dict[str, frozenset[str]]:
    """Step that can be reached → the variables that may have a value when it is entered, on any way."""
    filled = {flow.first.id: begins_with}
    interrupted: frozenset[str] | None = None  # what may have a value where an interrupt leads
    waiting = [flow.first.id]
    while waiting:
        name = waiting.pop()
        here = filled[name]
        ahead = [(target, here | sets) for target, sets in ways.own[name]]
        if is_interruptible(flow.steps[name]) and (interrupted is None or not here <= interrupted):
            interrupted = here if interrupted is None else interrupted | here
            ahead += [(target, interrupted) for target in ways.interrupted]
        for target, there in ahead:
            known = filled.get(target)
            if known is None or not there <= known:
                filled[target] = there if known is None else known | there
                waiting.append(target)
    return filled


# ---------------------------------------------------------------------------------------------------------------- used


def _used(flow: Flow, texts: list[TextUse], folder: Folder, catalogue: Catalogue) -> set[str]:
    """Names that are read or filled anywhere. What only the managers' card shows is used too."""
    used = {*flow.takes, *flow.returns}
    for use in texts:
        used |= _words(use.text.text) if use.text.is_broken else {str(path[0]) for path in use.text.paths}
    for asked in expressions_of(flow, folder=folder, catalogue=catalogue):
        expression = asked.expression
        used |= _words(expression.text) if expression.is_broken else {str(path[0]) for path in expression.paths}
        if asked.target is not None and flow.variables.get(asked.target.name) is asked.target:
            used.add(asked.target.name)
    for step in flow.steps.values():
        if isinstance(step, Ask):
            used |= {step.into} if isinstance(step.into, str) else set((step.into or {}).values())
            if step.options_from is not None:
                used.add(step.options_from.variable)
    return used


def _words(text: str) -> set[str]:
    """What cannot be read may have named any of its words."""
    return set(_WORD.findall(text))
