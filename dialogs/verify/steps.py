"""Whether every step has what it needs: F03, F09, F10, F11, F12, F26, I02, I03, I05, I06, I07, R02."""

from __future__ import annotations

from collections.abc import Iterator

from dialogs.actions import Catalogue
from dialogs.business_events import EVENTS
from dialogs.findings import Finding
from dialogs.flow import Ask, Branch, Close, Do, Flow, Handoff, Retry, Silence, Step, Wait
from dialogs.machine import is_state
from dialogs.project import Project
from dialogs.reading import Path
from dialogs.verify.noting import Noting

Reference = tuple[str, Path]  # a step, and the field that names it


def check(flow: Flow, *, project: Project, catalogue: Catalogue) -> list[Finding]:
    notes = Noting(flow.document)
    _references(flow, notes)
    if flow.silence is not None and not _grows(flow.silence):
        asks = (step for step in flow.steps.values() if isinstance(step, Ask) and step.silence is flow.silence)
        notes.step = next((ask.id for ask in asks), None)  # one of them is enough to name
        notes.add("F12", (*flow.silence.path, "remind"))
    for old, new in flow.moved.items():
        target = flow.steps.get(new)
        if target is None or not is_state(target):
            notes.add("R02", ("publish", "moved", old), x=new)
    for step in flow.steps.values():
        notes.step = step.id
        if isinstance(step, Ask):
            _question(step, flow, notes)
        elif isinstance(step, Do):
            _action(step, project, catalogue, notes)
        elif isinstance(step, Handoff) and step.queue not in project.queues:
            notes.add("I06", (*step.path, "handoff"), x=step.queue)
        elif isinstance(step, Wait):
            _cases(step, flow, notes)
    return notes.findings


def _references(flow: Flow, notes: Noting) -> None:
    for owner, target, path in _all_references(flow):
        if target not in flow.steps:
            notes.step = owner
            notes.add("F03", path, x=target)
    notes.step = None


def _all_references(flow: Flow) -> Iterator[tuple[str | None, str, Path]]:
    for name, path in (*_of_retry(flow.retry), *_of_silence(flow.silence)):
        yield None, name, path
    for interrupt in flow.interrupts:
        if interrupt.act == "next" and interrupt.target is not None:
            yield None, interrupt.target, (*interrupt.path, "next")
    for step in flow.steps.values():
        for name, path in _of_step(step, flow):
            yield step.id, name, path


def _of_step(step: Step, flow: Flow) -> Iterator[Reference]:
    if step.next is not None:
        yield step.next, (*step.path, "next")
    if isinstance(step, Branch):
        for branching in step.cases:
            yield branching.next, (*branching.path, "next")
    elif isinstance(step, Do | Handoff):
        for name, target in step.outcome.items():
            yield target, (*step.path, "outcome", name)
    elif isinstance(step, Wait):
        for case in step.cases:
            if case.next is not None:
                yield case.next, (*case.path, "next")
        yield from _of_close(step.close)
    elif isinstance(step, Ask):
        for option in step.options:
            if option.next is not None:
                yield option.next, (*option.path, "next")
            if option.edit is not None:
                yield option.edit, (*option.path, "edit")
        if step.edited is not None:
            yield step.edited, (*step.path, "edited")
        if step.retry is not flow.retry:
            yield from _of_retry(step.retry)
        if step.silence is not flow.silence:
            yield from _of_silence(step.silence)


def _of_retry(retry: Retry | None) -> Iterator[Reference]:
    if retry is not None:
        yield retry.then, (*retry.path, "then")


def _of_silence(silence: Silence | None) -> Iterator[Reference]:
    if silence is not None and silence.close is not None:
        yield from _of_close(silence.close)


def _of_close(close: Close) -> Iterator[Reference]:
    yield close.next, (*close.path, "next")


def _question(step: Ask, flow: Flow, notes: Noting) -> None:
    place = (*step.path, "id")
    if step.retry is None:
        notes.add("F10", place)
    if step.silence is None or step.silence.close is None:
        notes.add("F11", place)
    elif step.silence is not flow.silence and not _grows(step.silence):
        notes.add("F12", (*step.silence.path, "remind"))
    for option in step.options:
        if option.edit is not None and (step.edited is None or not isinstance(flow.steps.get(option.edit, step), Ask)):
            notes.add("F09", (*option.path, "edit"))


def _grows(silence: Silence) -> bool:
    """Reminders come one after another, and before the close."""
    times = [reminder.after for reminder in silence.reminders]
    return sorted(set(times)) == times and all(silence.close is None or after < silence.close.after for after in times)


def _cases(step: Wait, flow: Flow, notes: Noting) -> None:
    always = {interrupt.event for interrupt in flow.interrupts if interrupt.event and interrupt.condition is None}
    taken: set[str | None] = {*always}  # interrupts are asked before the cases
    for case in step.cases:
        if case.event is not None and case.event not in EVENTS:
            notes.add("I05", (*case.path, "event"), x=case.event)
        elif case.event in taken:
            notes.add("F26", (*case.path, "event" if case.event else "message"))
        if case.condition is None:
            taken.add(case.event)


def _action(step: Do, project: Project, catalogue: Catalogue, notes: Noting) -> None:
    if step.action not in catalogue:
        return  # I01 was said while reading
    spec = step.spec
    given = {name for name, _, _ in step.params}
    for name, text, path in step.params:
        if name not in spec.parameters:
            notes.add("I07", path, x=step.action, y=name)
        elif name == "group" and text.plain is not None and text.plain not in project.groups:
            notes.add("I06", path, x=text.plain)
    for name, parameter in spec.parameters.items():
        if parameter.required and name not in given:
            notes.add("I02", (*step.path, "do"), x=step.action, y=name)
    if spec.one_of and len(given.intersection(spec.one_of)) != 1:
        notes.add("I02", (*step.path, "do"), x=step.action, y=" / ".join(spec.one_of))
    if spec.writes and step.once_per is None:
        notes.add("I03", (*step.path, "do"), x=step.action)
