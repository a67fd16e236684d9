"""A flow as a `transitions` machine: which state can follow which, by which trigger (FLOWS.md section 14).

One flat machine for each flow version, made once and never changed; the model of a trigger is any object with `state`
(a step id) and `dest`, the state that the walk over say, set and branch steps has found. Callables only: a dotted
string would be imported and called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from transitions import Event, Machine, State, Transition

from dialogs.dialog import NEW
from dialogs.flow import Ask, Branch, Call, Do, End, Flow, Handoff, Step, Wait


class Model(Protocol):
    """What a trigger moves."""

    state: str
    dest: str


class WrongTransition(Exception):
    """The walk led to a state that the flow does not allow: a mistake of ours, never of a flow or a customer."""


class TableEvent(Event):
    """A trigger that asks the table of transitions and moves the model.

    The library's own goes through queues, callbacks and log lines of every transition, and we have none of them: it
    took 13 % of a turn.
    """

    def trigger(self, model: Any, *_: Any, **__: Any) -> bool:
        dest = model.dest
        for transition in self.transitions.get(model.state, ()):
            if transition.dest == dest:
                model.state = dest
                return True
        return False


class TableMachine(Machine):
    event_cls = TableEvent


def fire(machine: Machine, trigger: str, model: Model) -> None:
    """Move `model` to its `dest`. Raises WrongTransition, with the state unchanged, if the flow has no such way."""
    event = machine.events.get(trigger)
    if event is None or not event.trigger(model):
        raise WrongTransition(f"{model.state} --{trigger}--> {model.dest}")


def build_machine(flow: Flow) -> Machine:
    """The machine of one flow version, whose steps are all there (checked before)."""
    states = {step.id: step for step in flow.steps.values() if is_state(step)}
    machine = TableMachine(
        model=None,
        states=[NEW, *(State(name, final=isinstance(step, End)) for name, step in states.items())],
        initial=NEW,
        auto_transitions=False,
    )
    # Ways with the same trigger and target are one object: from every question «назад» may lead to every other one,
    # which would be ten thousand of them in a flow of a hundred questions.
    made: dict[tuple[str, str], Transition] = {}
    for trigger, source, targets in _transitions(flow, _Reach(flow)):
        event = machine.events.get(trigger)
        if event is None:
            event = machine.events[trigger] = TableEvent(trigger, machine)
        ways = event.transitions[source]
        for target in targets:
            way = made.get((trigger, target))
            if way is None:
                way = made[trigger, target] = Transition(source, target)
            ways.append(way)
    return machine


def is_state(step: Step) -> bool:
    return isinstance(step, Ask | Do | Wait | Call | Handoff | End)


class _Reach:
    """Which states a step leads to when say, set and branch are passed on the way."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, target: str | None) -> tuple[str, ...]:
        if target is None:
            return ()
        if target not in self._known:
            found: dict[str, None] = {}
            seen: set[str] = set()
            open_steps = [target]
            while open_steps:
                name = open_steps.pop()
                if name in seen:
                    continue
                seen.add(name)
                step = self._flow.steps[name]
                if is_state(step):
                    found[name] = None
                elif isinstance(step, Branch):
                    open_steps.extend(case.next for case in reversed(step.cases))
                elif step.next is not None:
                    open_steps.append(step.next)
            self._known[target] = tuple(found)
        return self._known[target]


_Rows = Iterator[tuple[str, str, Sequence[str]]]


def _transitions(flow: Flow, reach: _Reach) -> _Rows:
    """(trigger, source, possible targets)"""
    yield "begin", NEW, reach.of(flow.first.id)
    asks = [step.id for step in flow.steps.values() if isinstance(step, Ask)]
    returns = _returns_of_edits(flow)
    for step in flow.steps.values():
        if not is_state(step) or isinstance(step, End):
            continue
        yield from _own_transitions(step, reach, asks)
        if isinstance(step, Ask) and step.id in returns:
            yield "edited", step.id, _union(reach.of(target) for target in returns[step.id])
        for interrupt in flow.interrupts:
            if interrupt.act == "next":
                yield f"interrupt_{interrupt.id}", step.id, reach.of(interrupt.target)
        yield "restart", step.id, reach.of(flow.first.id)


def _own_transitions(step: Step, reach: _Reach, asks: Sequence[str]) -> _Rows:
    if isinstance(step, Ask):
        yield "input", step.id, reach.of(step.next)
        for option in step.options:
            target = option.edit or option.next or step.next
            if target is not None and not option.is_back:
                yield f"option_{option.id}", step.id, reach.of(target)
        if step.retry:
            yield "gave_up", step.id, reach.of(step.retry.then)
        if step.silence and step.silence.close:
            yield "close", step.id, reach.of(step.silence.close.next)
        yield "back", step.id, asks
    elif isinstance(step, Do):
        for outcome, target in step.outcome.items():
            yield outcome, step.id, reach.of(target)
    elif isinstance(step, Wait):
        for index, case in enumerate(step.cases):
            if case.next is not None:
                yield f"on_{index}", step.id, reach.of(case.next)
        yield "close", step.id, reach.of(step.close.next)
        yield "back", step.id, asks  # «назад» typed while the flow waits for news
    elif isinstance(step, Call):
        yield "child", step.id, reach.of(step.next)
        yield "back", step.id, asks  # out of the called flow, to the question before it
    elif isinstance(step, Handoff):
        for outcome, target in step.outcome.items():
            yield outcome, step.id, reach.of(target)


def _returns_of_edits(flow: Flow) -> dict[str, list[str]]:
    """Question → where an answer leads when the question was come to by `edit`."""
    returns: dict[str, list[str]] = {}
    for step in flow.steps.values():
        if isinstance(step, Ask) and step.edited is not None:
            for option in step.options:
                if option.edit is not None:
                    returns.setdefault(option.edit, []).append(step.edited)
    return returns


def _union(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple({name: None for group in groups for name in group})
