"""Where personal data must not go: P01 (groups), P02 (keys)."""

from __future__ import annotations

from dialogs.findings import Finding
from dialogs.flow import Do, Flow
from dialogs.project import MANAGERS, Project
from dialogs.texts import Text
from dialogs.verify.noting import Noting

_NOTIFY = "telegram.notify"


def check(flow: Flow, *, project: Project) -> list[Finding]:
    notes = Noting(flow.document)
    for step in flow.steps.values():
        if not isinstance(step, Do):
            continue
        notes.step = step.id
        if step.once_per is not None:
            _note("P02", step.once_per, (*step.path, "once_per"), flow, notes)
        if step.action == _NOTIFY and not _may_hold_personal_data(step, project):
            for _, text, path in step.params:
                _note("P01", text, path, flow, notes)
    return notes.findings


def _note(code: str, text: Text, path: tuple[str | int, ...], flow: Flow, notes: Noting) -> None:
    roots = dict.fromkeys(str(placeholder.path[0]) for placeholder in text.placeholders)
    personal = [name for name in roots if name in flow.variables and flow.variables[name].pii]
    if personal:
        notes.add(code, path, x=", ".join(personal))


def _may_hold_personal_data(step: Do, project: Project) -> bool:
    named = next((text for name, text, _ in step.params if name == "group"), None)
    if named is not None and named.plain is None:  # filled at run time: any group
        return all(group.personal_data for group in project.groups.values())
    group = project.groups.get(MANAGERS if named is None or named.plain is None else named.plain)
    return group is None or group.personal_data  # of a group that is not there I06 was said
