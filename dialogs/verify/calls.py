"""Whether a flow may call what it calls: F15, F17, F18, F25."""

from __future__ import annotations

from dialogs.findings import Finding
from dialogs.flow import Call, End, Flow
from dialogs.verify.calling import Calling, callings
from dialogs.verify.folder import Folder
from dialogs.verify.noting import Noting

_FAILED = ("failed", "silent")


def check(flow: Flow, *, folder: Folder) -> list[Finding]:
    notes = Noting(flow.document)
    for calling in callings(flow):
        notes.step = calling.step
        called = folder.flows.get(calling.flow)
        if called is None or not called.is_callable:
            if calling.flow not in folder.unreadable:
                notes.add("F15", (*calling.path, "call"), x=calling.flow)
            continue
        _parameters(calling, called, flow, notes)
        circle = _circle(flow.name, called.name, folder)
        if circle:
            notes.add("F18", (*calling.path, "call"), x=" → ".join(circle))
    for step in flow.steps.values():
        if isinstance(step, Call):
            notes.step = step.id
            _failures(step, folder, notes)
    return notes.findings


def _parameters(calling: Calling, called: Flow, flow: Flow, notes: Noting) -> None:
    given = {name for name, _, _ in calling.params}
    if given != set(called.takes):
        where = "with" if given else "call"
        notes.add("F25", (*calling.path, where), x=calling.flow, y=", ".join(called.takes) or "–")


def _failures(step: Call, folder: Folder, notes: Noting) -> None:
    called = folder.flows.get(step.flow)
    if called is None or not any(isinstance(end, End) and end.tag in _FAILED for end in called.steps.values()):
        return
    if not any(("result", "end") in expression.paths for _, expression, _ in step.save):
        notes.add("F17", (*step.path, "call"), x=step.flow)


def _circle(name: str, called: str, folder: Folder) -> list[str]:
    """The flows by which `name` calls itself, first and last itself; empty if it does not."""
    came_from = {called: name}
    waiting = [called]
    for current in waiting:
        if current == name:
            circle = [name]
            while len(circle) == 1 or circle[-1] != name:
                circle.append(came_from[circle[-1]])
            return circle[::-1]
        for calling in callings(folder.flows[current]) if current in folder.flows else ():
            if calling.flow not in came_from:
                came_from[calling.flow] = current
                waiting.append(calling.flow)
    return []
