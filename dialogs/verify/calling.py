"""Every place of a flow that calls another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from dialogs.flow import Assignment, Call, Flow, Wait
from dialogs.reading import Path


class Calling(NamedTuple):
    step: str | None  # None: an interrupt
    flow: str
    params: tuple[Assignment, ...]
    path: Path  # of the interrupt, the case or the step
    by: Literal["step", "message", "event"] = "step"  # "event" if an event may be the occasion


def callings(flow: Flow) -> Iterator[Calling]:
    for interrupt in flow.interrupts:
        if interrupt.act == "call" and interrupt.target is not None:
            by: Literal["message", "event"] = "event" if interrupt.event else "message"
            yield Calling(None, interrupt.target, interrupt.params, interrupt.path, by)
    for step in flow.steps.values():
        if isinstance(step, Call):
            yield Calling(step.id, step.flow, step.params, step.path)
        elif isinstance(step, Wait):
            for case in step.cases:
                if case.call is not None:
                    by = "event" if case.event else "message"
                    yield Calling(step.id, case.call, case.params, case.path, by)
