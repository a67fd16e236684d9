"""Whether the templates that a flow uses are approved: C07, C08. Not asked if the project names no templates."""

from __future__ import annotations

from collections.abc import Iterator

from dialogs.findings import Finding
from dialogs.flow import Ask, Flow, Say, Silence, TemplateUse
from dialogs.project import Project
from dialogs.verify.noting import Noting


def check(flow: Flow, *, project: Project) -> list[Finding]:
    notes = Noting(flow.document)
    if project.templates is None:
        return []
    for step, use in _used(flow):
        notes.step = step
        approved = project.templates.get(use.name)
        if approved is None:
            notes.add("C07", (*use.path, "whatsapp"), x=use.name)
        elif len(use.params) != approved.params:
            where = (*use.path, "params") if use.params else (*use.path, "whatsapp")
            notes.add("C08", where, x=use.name, n=approved.params)
    return notes.findings


def _used(flow: Flow) -> Iterator[tuple[str | None, TemplateUse]]:
    yield from _of_silence(flow.silence, None)
    for step in flow.steps.values():
        if isinstance(step, Say | Ask) and step.template is not None:
            yield step.id, step.template
        if isinstance(step, Ask) and step.silence is not flow.silence:
            yield from _of_silence(step.silence, step.id)


def _of_silence(silence: Silence | None, step: str | None) -> Iterator[tuple[str | None, TemplateUse]]:
    for reminder in silence.reminders if silence is not None else ():
        if reminder.template is not None:
            yield step, reminder.template
