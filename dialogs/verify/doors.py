"""How a flow begins, and what a flow without a customer cannot do: F14, F22, F23, F26 of `start`."""

from __future__ import annotations

from dialogs.findings import Finding
from dialogs.flow import Assign, Branch, Call, Do, End, Flow, Wait
from dialogs.verify.folder import Folder, claims_of
from dialogs.verify.noting import Noting


def check(flow: Flow, *, folder: Folder) -> list[Finding]:
    notes = Noting(flow.document)
    if not flow.start and not flow.is_callable:
        notes.add("F14", ("flow",))
    always: set[str] = set()  # what an entry without `if` has taken
    for claim, path, entry in claims_of(flow):
        others = [name for name in folder.claims.get(claim, ()) if name != flow.name]
        if others:
            notes.add("F22", path, x=claim, y=others[0])
        if claim in always:
            notes.add("F26", path)
        if entry.condition is None:
            always.add(claim)
    if not flow.has_customer:
        _without_customer(flow, folder, notes)
    return notes.findings


def _without_customer(flow: Flow, folder: Folder, notes: Noting) -> None:
    for entry in flow.start:
        if entry.kind != "event":
            notes.add("F23", (*entry.path, entry.kind), x=entry.kind)
    for interrupt in flow.interrupts:
        for word in ("text", "phrase", "command"):
            if word in flow.document.data["interrupts"][interrupt.path[1]]:
                notes.add("F23", (*interrupt.path, word), x=word)
    for step in flow.steps.values():
        notes.step = step.id
        if not isinstance(step, Assign | Branch | Do | Wait | Call | End):
            written = flow.document.data["steps"][step.index]
            name = next(name for name in ("say", "ask", "handoff") if name in written)
            notes.add("F23", (*step.path, name), x=name)
        elif isinstance(step, Call):
            called = folder.flows.get(step.flow)
            if called is not None and called.has_customer:
                notes.add("F23", (*step.path, "call"), x=f"call: {step.flow}")
        elif isinstance(step, Wait):
            for case in step.cases:
                if case.event is None:
                    notes.add("F23", (*case.path, "message"), x="message")
