"""The ways between the steps of a flow, as F04, F06 and N06 count them (the end of FLOWS.md section 15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from dialogs.flow import Ask, Assign, Branch, Call, Do, Flow, Handoff, Say, Step, Wait

_Way = tuple[str | None, frozenset[str]]  # where it leads, and the variables that may have been set on it
_NOTHING: frozenset[str] = frozenset()


@dataclass(slots=True)
class Ways:
    """Step → its own ways in the order written. Interrupts are kept apart: an end that only they reach is no end."""

    own: dict[str, list[tuple[str, frozenset[str]]]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)  # steps with a way that leads to no step
    interrupted: tuple[str, ...] = ()  # where interrupts lead from every ask, do, wait, call

    def reached(self, flow: Flow) -> set[str]:
        """The steps that somebody may come to, by interrupts too."""
        seen: set[str] = set()
        is_interrupted = False
        waiting = [flow.first.id]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            waiting += [target for target, _ in self.own[name]]
            if not is_interrupted and is_interruptible(flow.steps[name]):
                is_interrupted = True
                waiting += self.interrupted
        return seen


def is_interruptible(step: Step) -> bool:
    return isinstance(step, Ask | Do | Wait | Call)


def ways_of(flow: Flow) -> Ways:
    """A way to a step that is not there leads to the step whose name is most alike: a slip of the pen is one finding.

    F03 names it; that the step that was meant is now out of reach (F04) goes without saying.
    """
    ways = Ways()
    returns = _returns_of_edits(flow)
    for step in flow.steps.values():
        own = ways.own[step.id] = []
        unclear = frozenset(flow.variables) if _fills_unclearly(step, flow) else _NOTHING
        for target, filled in (*_of(step), *returns.get(step.id, ())):
            sets = filled | unclear if unclear else filled
            if target is not None and target in flow.steps:
                own.append((target, sets))
            else:
                ways.lost.add(step.id)
                own += [(meant, sets) for meant in get_close_matches(target or "", flow.steps, 1)]
    ways.interrupted = tuple(
        interrupt.target
        for interrupt in flow.interrupts
        if interrupt.act == "next" and interrupt.target is not None and interrupt.target in flow.steps
    )
    return ways


def _of(step: Step) -> Iterator[_Way]:
    if isinstance(step, Say):
        yield step.next, _NOTHING
    elif isinstance(step, Assign):
        yield step.next, frozenset(name for name, _, _ in step.values)
    elif isinstance(step, Call):
        yield step.next, frozenset(name for name, _, _ in step.save)
    elif isinstance(step, Branch):
        for case in step.cases:
            yield case.next, _NOTHING
    elif isinstance(step, Do):
        for outcome, target in step.outcome.items():
            yield target, frozenset(name for name, _, _ in step.save) if outcome == "ok" else _NOTHING
    elif isinstance(step, Handoff):
        for target in step.outcome.values():
            yield target, _NOTHING
    elif isinstance(step, Wait):
        for wait_case in step.cases:
            # A call comes back to the wait itself.
            yield wait_case.next or step.id, frozenset(name for name, _, _ in wait_case.save)
        yield step.close.next, _NOTHING
    elif isinstance(step, Ask):
        yield from _of_question(step)


def _of_question(step: Ask) -> Iterator[_Way]:
    chosen = frozenset({step.stores["choice"]} if "choice" in step.stores else ())
    given = frozenset(name for kind, name in step.stores.items() if kind != "choice")
    goes_on = step.options_from is not None
    for option in step.options:
        if option.next is not None or option.edit is not None:
            yield option.edit or option.next, chosen
        elif not option.is_back:
            goes_on = True
    if goes_on or any(kind != "choice" for kind in step.expect):
        yield step.next, given | chosen if goes_on else given
    if step.retry is not None:
        yield step.retry.then, _NOTHING
    if step.silence is not None and step.silence.close is not None:
        yield step.silence.close.next, _NOTHING


def _returns_of_edits(flow: Flow) -> Mapping[str, list[_Way]]:
    """Question → where any answer leads when the question was come to by `edit`."""
    returns: dict[str, list[_Way]] = {}
    for step in flow.steps.values():
        if not isinstance(step, Ask) or step.edited is None:
            continue
        for option in step.options:
            edited = flow.steps.get(option.edit or "")
            if isinstance(edited, Ask):
                returns.setdefault(edited.id, []).append((step.edited, frozenset(edited.stores.values())))
    return returns


def _fills_unclearly(step: Step, flow: Flow) -> bool:
    """Something goes where nothing is declared, or not of that type: N05 or N07. It may have been meant for any."""
    names: set[str] = set()
    if isinstance(step, Ask) and step.into is not None:
        if not step.stores:
            return True
        names = {step.into} if isinstance(step.into, str) else set(step.into.values())
    elif isinstance(step, Assign):
        names = {name for name, _, _ in step.values}
    elif isinstance(step, Do | Call):
        names = {name for name, _, _ in step.save}
    elif isinstance(step, Wait):
        names = {name for case in step.cases for name, _, _ in case.save}
    return not names <= flow.variables.keys()
