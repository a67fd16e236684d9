"""WhatsApp's 24 hours: what may be sent only as a template, and has none (C04, "C04 exactly" in FLOWS.md section 15).

The greatest age that the customer's last message may have is carried along the ways of all flows until nothing
changes. It only grows, and from the limit on it counts as endless, so that it comes to rest; a circle that adds a
little every time round has added everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from math import inf

from dialogs.engine_limits import WINDOW
from dialogs.findings import Finding
from dialogs.flow import Ask, Assign, Branch, Call, Do, Flow, Handoff, Say, Silence, Step, Wait
from dialogs.verify.calling import callings
from dialogs.verify.folder import Folder
from dialogs.verify.noting import Noting

_LIMIT = WINDOW.total_seconds()
_Place = tuple[str, str]  # flow, step
Ages = Mapping[_Place, float]  # seconds; of the steps that are reached


def check(flow: Flow, *, ages: Ages) -> list[Finding]:
    notes = Noting(flow.document)
    for step in flow.steps.values():
        age = ages.get((flow.name, step.id))
        if age is None or not isinstance(step, Say | Ask):
            continue
        notes.step = step.id
        if step.template is None and age >= _LIMIT:
            notes.add("C04", step.text.path)
        if isinstance(step, Ask) and step.silence is not None:
            _reminders(step.silence, age, notes)
    return notes.findings


def _reminders(silence: Silence, age: float, notes: Noting) -> None:
    """Reminders of `defaults` too name the question: it is what needs a `silence` of its own."""
    for reminder in silence.reminders:
        if reminder.template is None and _later(age, reminder.after) >= _LIMIT:
            notes.add("C04", reminder.text.path)


def ages_of(folder: Folder) -> Ages:
    """The age at every step of the flows that run in WhatsApp."""
    flows = {name: flow for name, flow in folder.flows.items() if "whatsapp" in flow.channels and flow.has_customer}
    ages: dict[_Place, float] = {}
    grown: dict[_Place, int] = {}
    waiting: list[_Place] = []

    def come_to(flow: str, step: str, age: float) -> None:
        place = flow, step
        if flow not in flows or step not in flows[flow].steps or ages.get(place, -1) >= age:
            return
        grown[place] = grown.get(place, 0) + 1
        # More often than there are steps: it goes round in a circle.
        ages[place] = inf if grown[place] > len(flows[flow].steps) + 1 else age
        waiting.append(place)

    for flow in flows.values():
        for name, step_id, age in _begins(flow, flows):
            come_to(name, step_id, age)
    at = 0
    while at < len(waiting):  # first in, first out: longer ways come later
        name, step_id = waiting[at]
        at += 1
        step, age = flows[name].steps[step_id], ages[name, step_id]
        for target, later in _ahead(step, age, folder):
            come_to(name, target, later)
        if isinstance(step, Call) and step.flow in flows:
            come_to(step.flow, flows[step.flow].first.id, age)
        for target in _edited(flows[name], step):
            come_to(name, target, 0)
    return ages


def _begins(flow: Flow, flows: Mapping[str, Flow]) -> Iterator[tuple[str, str, float]]:
    """Where something begins: (flow, step, age)."""
    for entry in flow.start:
        yield flow.name, flow.first.id, inf if entry.kind == "event" else 0
    for interrupt in flow.interrupts:
        age = inf if interrupt.event is not None else 0
        if interrupt.act == "next":
            yield flow.name, interrupt.target or "", age
        elif interrupt.act == "restart":
            yield flow.name, flow.first.id, age
    for calling in callings(flow):
        if calling.by != "step" and calling.flow in flows:
            yield calling.flow, flows[calling.flow].first.id, inf if calling.by == "event" else 0


def _ahead(step: Step, age: float, folder: Folder) -> Iterator[tuple[str, float]]:
    if isinstance(step, Say | Assign):
        yield step.next or "", age
    elif isinstance(step, Branch):
        for branching in step.cases:
            yield branching.next, age
    elif isinstance(step, Ask):
        yield step.next or "", 0
        for option in step.options:
            yield option.next or option.edit or "", 0
        if step.retry is not None:
            yield step.retry.then, 0
        if step.silence is not None and step.silence.close is not None:
            yield step.silence.close.next, _later(age, step.silence.close.after)
    elif isinstance(step, Do):
        for target in step.outcome.values():
            yield target, _later(age, step.slow_after)
    elif isinstance(step, Wait):
        closing = _later(age, step.close.after)
        for case in step.cases:
            yield case.next or "", closing if case.event else 0
        yield step.close.next, closing
    elif isinstance(step, Call):
        yield step.next or "", 0 if folder.has_question(step.flow) else age
    elif isinstance(step, Handoff):
        for target in step.outcome.values():
            yield target, 0


def _edited(flow: Flow, step: Step) -> Iterator[str]:
    """Where the answer to a question that was come to by `edit` leads."""
    if isinstance(step, Ask) and step.edited is not None and any(option.edit for option in step.options):
        yield step.edited


def _later(age: float, after: timedelta) -> float:
    later = age + after.total_seconds()
    return later if later < _LIMIT else inf
