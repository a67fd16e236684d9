"""Moving through a flow: from one state over say, set and branch steps to the next, into called flows and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dialogs.dialog import NEW, Begun
from dialogs.effects import CountGoal, EndDialog
from dialogs.engine_actions import link, order
from dialogs.engine_handoff import open_handoff
from dialogs.engine_limits import MAX_PASSED, EngineLimit
from dialogs.engine_question import begin_silence, show, text_limit
from dialogs.engine_turn import STEP_TIMERS, Place, Turn
from dialogs.events import EffectFinished
from dialogs.flow import Ask, Assign, Assignment, Branch, Call, Do, End, Handoff, Say, Step, Wait
from dialogs.flows_set import FlowMissing
from dialogs.machine import fire


def go(turn: Turn, place: Place, trigger: str, target: str) -> None:
    """Walk from the step `target` to the next state and enter it."""
    step = _walk(turn, place, target)
    place.dest = step.id
    fire(place.program.machine, trigger, place)
    turn.cancel_timer(STEP_TIMERS[place.level])
    turn.parked = False
    place.forget_stay()
    turn.count_state()
    enter(turn, place, step)


def _walk(turn: Turn, place: Place, target: str) -> Step:
    """Do what the passed steps say; the state they lead to."""
    steps, scope = place.program.steps, place.scope
    step = steps[target]
    for _ in range(MAX_PASSED + 1):
        if step.goal is not None:
            turn.effects.append(CountGoal(step.goal, place.program.step_names[step.id]))
        if isinstance(step, Say):
            _say(turn, place, step)
        elif isinstance(step, Branch):
            for number, case in enumerate(step.cases):
                if case.condition is None or case.condition.evaluate(scope) is True:
                    turn.decided.append(f"branch:{step.id}[{number}]")
                    step = steps[case.next]
                    break
            continue
        elif isinstance(step, Assign):
            assign(turn, place, step.values)
        else:
            return step
        turn.decided.append(f"via:{place.program.step_names[step.id]}")
        step = steps[step.next or ""]
    raise EngineLimit(f"more than {MAX_PASSED} steps passed in one walk")


def _say(turn: Turn, place: Place, step: Say) -> None:
    program, lang = place.program, turn.lang
    text = step.text.by(lang).render(place.scope, lang=lang, titles=program.titles(lang), limit=text_limit(turn))
    if text or step.media:
        turn.send(place, text, template=program.template(step.template, place.scope), media=step.media)


def assign(turn: Turn, place: Place, values: Iterable[Assignment]) -> None:
    """In the order written; a later line sees the earlier ones."""
    for name, expression, _ in values:
        turn.store(place, name, expression.evaluate(place.scope))


def enter(turn: Turn, place: Place, step: Step) -> None:
    if isinstance(step, Ask):
        show(turn, place, place.program.questions[step.id])
    elif isinstance(step, Do):
        order(turn, place, step)
    elif isinstance(step, Wait):
        place.deadline = turn.now + step.close.after
        turn.set_timer(STEP_TIMERS[place.level], place.deadline)
    elif isinstance(step, Call):
        call(turn, place, step.flow, step.params, "call")
    elif isinstance(step, Handoff):
        open_handoff(turn, place, step)
    elif isinstance(step, End):
        leave(turn, step.tag)


def call(turn: Turn, caller: Place, flow: str, params: Iterable[Assignment], begun: Begun) -> None:
    """Begin the live version of a flow on top of the stack; parameters are those of `caller`."""
    values = {name: expression.evaluate(caller.scope) for name, expression, _ in params}
    try:
        program = turn.flows.live_program(flow)
    except FlowMissing as error:  # taken out of use while a caller still runs
        raise EngineLimit(f"flow {flow} is not live") from error
    begin(turn, turn.push(program, begun), values)


def begin(turn: Turn, place: Place, values: Mapping[str, Any]) -> None:
    """Start a frame that is on top with the variables `values`; what an event does not tell is not forgotten."""
    known = place.program.flow.variables
    for name, value in values.items():
        if name in known and value is not None:
            turn.store(place, name, value)
    place.given = dict(place.variables)
    go(turn, place, "begin", place.program.flow.first.id)


def leave(turn: Turn, tag: str) -> None:
    """The frame on top has come to its `end`."""
    if len(turn.places) == 1:
        end_dialog(turn, tag)
        return
    child = turn.places.pop()
    turn.cancel_timer(STEP_TIMERS[child.level])
    caller = turn.top
    step = caller.step
    if child.begun != "call" or not isinstance(step, Call):
        resume(turn, child)
        return
    caller.scope.result = {
        **{name: child.scope.lookup((name,)) for name in child.program.flow.returns},
        "end": tag,
    }
    assign(turn, caller, step.save)
    caller.scope.result = None
    go(turn, caller, "child", step.next or "")


def end_dialog(turn: Turn, tag: str) -> None:
    turn.status = "closed"
    turn.held.clear()
    turn.parked = False
    turn.cancel_all_timers()
    turn.effects.append(EndDialog(tag))


def resume(turn: Turn, child: Place | None) -> None:
    """The frame on top goes on where it was, after `child` or after people had the dialog."""
    place = turn.top
    if place.state == NEW:
        begin(turn, place, {})
        return
    step = place.step
    timer = STEP_TIMERS[place.level]
    if isinstance(step, Ask):
        if child is None or child.begun != "event" or child.spoke:
            show(turn, place, place.program.questions[step.id])
        elif not turn.restore_timer(timer):
            begin_silence(turn, place, step)
    elif isinstance(step, Wait):
        if not turn.restore_timer(timer):
            turn.set_timer(timer, place.deadline or turn.now)
    elif isinstance(step, Do):
        if place.pending is not None:
            finish_action(turn, place, step, place.pending)
        elif child is None:
            turn.set_timer(timer, turn.now + step.slow_after)
    elif isinstance(step, Handoff) and turn.status == "active":
        open_handoff(turn, place, step)  # the child gave the talk to people too, and they gave it back


def finish_action(turn: Turn, place: Place, step: Do, event: EffectFinished | None) -> None:
    """The outcome of a `do` on top of the stack; None: it is `slow`."""
    outcome = "slow" if event is None else "ok" if event.ok else "rejected"
    turn.decided.append(f"outcome:{outcome}")
    if step.spec.writes and outcome != "rejected":
        turn.wrote = True
        for other in turn.places:
            other.answered = ()  # no way back to before something was written
    if event is not None:
        if event.ok:
            link_result(turn, step, event)
            place.scope.result = event.result
            assign(turn, place, step.save)
        else:
            place.scope.result = {"code": event.code, "message": event.message}
    go(turn, place, outcome, step.outcome[outcome])
    place.scope.result = None


def link_result(turn: Turn, step: Do, event: EffectFinished) -> None:
    spec = step.spec
    if spec.subject is not None and spec.subject[1] not in spec.parameters:
        link(turn, spec, event.result, spec.result)
