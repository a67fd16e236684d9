"""Whether a flow may call what it calls: F15, F18, F25."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dialogs.findings import Finding
from dialogs.flow import Assignment, Call, Flow, Wait
from dialogs.reading import Path
from dialogs.verify.noting import Noting

Calling = tuple[str | None, str, tuple[Assignment, ...], Path]  # step, flow, parameters, the field that names it


def check(flow: Flow, *, others: Mapping[str, Flow]) -> list[Finding]:
    notes = Noting(flow)
    for step, name, params, path in calls_of(flow):
        notes.step = step
        called = others.get(name)
        if called is None or not called.is_callable:
            notes.add("F15", path, x=name)
            continue
        if {param for param, _, _ in params} != set(called.takes):
            notes.add("F25", path, x=name, y=", ".join(called.takes))
        if _leads_back(name, flow.name, others):
            notes.add("F18", path, x=name)
    return notes.findings


def calls_of(flow: Flow) -> Iterator[Calling]:
    """Every place of `flow` that calls another one."""
    for interrupt in flow.interrupts:
        if interrupt.act == "call" and interrupt.target is not None:
            yield None, interrupt.target, interrupt.params, (*interrupt.path, "call")
    for step in flow.steps.values():
        if isinstance(step, Call):
            yield step.id, step.flow, step.params, (*step.path, "call")
        elif isinstance(step, Wait):
            for case in step.cases:
                if case.call is not None:
                    yield step.id, case.call, case.params, (*case.path, "call")


def _leads_back(begin: str, goal: str, others: Mapping[str, Flow]) -> bool:
    seen: set[str] = set()
    open_flows = [begin]
    while open_flows:
        name = open_flows.pop()
        if name == goal:
            return True
        if name in seen or name not in others:
            continue
        seen.add(name)
        open_flows.extend(called for _, called, _, _ in calls_of(others[name]))
    return False
