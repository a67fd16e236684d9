"""How a flow begins and what interrupts it: F14, F19, F22, F23."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dialogs.findings import Finding
from dialogs.flow import Assign, Branch, Call, Do, End, Flow, Start, Wait
from dialogs.reading import Path
from dialogs.verify.noting import Noting


def check(flow: Flow, *, others: Mapping[str, Flow]) -> list[Finding]:
    notes = Noting(flow)
    if not flow.start and not flow.is_callable:
        notes.add("F14", ("flow",))
    _interrupts(flow, notes)
    taken = {claim: other.name for other in others.values() if other.name != flow.name for claim, _ in _claims(other)}
    said: set[str] = set()
    for claim, path in _claims(flow):
        if claim in taken:
            notes.add("F22", path, x=claim, y=taken[claim])
        elif claim in said:
            notes.add("F22", path, x=claim, y=flow.name)
        said.add(claim)
    if not flow.has_customer:
        _without_customer(flow, notes)
    return notes.findings


def _claims(flow: Flow) -> Iterator[tuple[str, Path]]:
    """What of a customer begins this flow."""
    for entry in flow.start:
        for claim in _claims_of(entry):
            yield claim, (*entry.path, entry.kind)


def _claims_of(entry: Start) -> tuple[str, ...]:
    if entry.kind == "command":
        return (f"/{entry.command}",)
    if entry.kind == "text":
        return tuple(dict.fromkeys(entry.texts))
    return () if entry.kind == "event" else (entry.kind,)


def _interrupts(flow: Flow, notes: Noting) -> None:
    taken: set[str] = set()
    for interrupt in flow.interrupts:
        words = {f"/{interrupt.command}"} if interrupt.command else set()
        words |= {*interrupt.texts, *interrupt.phrases}
        for word in sorted(words & taken):
            notes.add("F19", interrupt.path, x=word)
        taken |= words


def _without_customer(flow: Flow, notes: Noting) -> None:
    for entry in flow.start:
        if entry.kind != "event":
            notes.add("F23", (*entry.path, entry.kind), x=entry.kind)
    for step in flow.steps.values():
        notes.step = step.id
        kind = flow.document.data["steps"][step.index]
        if not isinstance(step, Assign | Branch | Do | Wait | Call | End):
            name = next(name for name in ("say", "ask", "handoff") if name in kind)
            notes.add("F23", (*step.path, name), x=name)
        elif isinstance(step, Wait):
            for case in step.cases:
                if case.event is None:
                    notes.add("F23", (*case.path, "message"), x="message")
