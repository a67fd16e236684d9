"""What the outside brings to a dialog: business events, outcomes of actions, and messages while it waits."""

from __future__ import annotations

from dialogs.cleaning import clean
from dialogs.dialog import Dialog
from dialogs.engine_actions import link
from dialogs.engine_handoff import handoff_place
from dialogs.engine_interrupts import act, find_interrupt
from dialogs.engine_limits import HOLD, MAX_HELD, EventNotAccepted
from dialogs.engine_turn import HELD, Place, Turn
from dialogs.engine_walk import assign, call, finish_action, go
from dialogs.events import BusinessEvent, EffectFinished, MessageReceived
from dialogs.flow import Case, Do, Wait
from dialogs.flows_set import Flows


def take_message(turn: Turn, event: MessageReceived) -> bool:
    """Offer a message to the interrupts and, if a `wait` is on top, to its `message` case."""
    text = clean(event.text) if event.text else ""
    if text and not event.files:
        found = find_interrupt(turn, text)
        if found is not None:
            act(turn, *found)
            return True
    place = turn.top
    step = place.step
    if isinstance(step, Wait):
        for index, case in enumerate(step.cases):
            if case.event is None and _is_true(case, place):
                _take_case(turn, place, index, case)
                return True
    return False


def _is_true(case: Case, place: Place) -> bool:
    return case.condition is None or case.condition.evaluate(place.scope) is True


def _take_case(turn: Turn, place: Place, index: int, case: Case) -> None:
    turn.decided.append(f"case:{place.name}[{index}]")
    assign(turn, place, case.save)
    if case.next is not None:
        go(turn, place, f"on_{index}", case.next)
    else:
        call(turn, place, case.call or "", case.params, "case")


# ------------------------------------------------------------------------------------------------- business events


def on_business_event(turn: Turn, event: BusinessEvent) -> None:
    """Raises EventNotAccepted."""
    if turn.status == "handed_off" and handoff_place(turn) is None:
        raise EventNotAccepted("given_to_managers")
    answer = _offer(turn, event)
    if answer == "held":
        if sum(isinstance(held, BusinessEvent) for held in turn.held) >= MAX_HELD:
            raise EventNotAccepted("too_many_held")
        turn.held.append(event)
        turn.decided.append("held")
        if HELD not in turn.timers:
            turn.set_timer(HELD, max(event.at, turn.now) + HOLD)
    elif answer == "no":
        raise EventNotAccepted("no_case")


def _offer(turn: Turn, event: BusinessEvent) -> str:
    """Ask each frame from the top: "taken", "held" (for a `wait` below, or until a `do` is done), or "no"."""
    has_handoff = turn.status == "handed_off"
    for place in reversed(turn.places):
        for interrupt in place.program.events.get(event.kind, ()):
            if has_handoff and interrupt.act != "call":
                continue
            if interrupt.condition is None or interrupt.condition.evaluate(place.scope) is True:
                act(turn, place, interrupt, begun="event")
                return "taken"
        found = _case_for(place, event)
        if found is not None:
            if place is not turn.top:
                return "held"
            _take_case(turn, place, *found)
            return "taken"
    # A `do` takes seconds; what its flow waits for afterwards must not be lost meanwhile.
    if isinstance(turn.top.step, Do) and any(event.kind in place.program.listens_to for place in turn.places):
        return "held"
    return "no"


def _case_for(place: Place, event: BusinessEvent) -> tuple[int, Case] | None:
    step = place.step
    if isinstance(step, Wait):
        for index, case in enumerate(step.cases):
            if case.event == event.kind and _is_true(case, place):
                return index, case
    return None


# ---------------------------------------------------------------------------------------------------------- actions


def on_effect(turn: Turn, event: EffectFinished) -> None:
    """The outcome of the `do` that waits for this key; for one that was left by `slow` it is a business event.

    Raises EventNotAccepted when nothing came of it.
    """
    for place in reversed(turn.places):
        step = place.program.steps.get(place.state)
        if isinstance(step, Do) and place.key == event.key and place.pending is None:
            is_covered = place is not turn.top or (turn.status == "handed_off" and handoff_place(turn) is None)
            if is_covered:
                place.pending = event
                turn.decided.append("outcome_kept")
            else:
                finish_action(turn, place, step, event)
            return
    is_linked = _link(turn, event)
    late = turn.event = late_outcome(event)
    try:
        on_business_event(turn, late)
    except EventNotAccepted:
        if not is_linked:
            raise


def _link(turn: Turn, event: EffectFinished) -> bool:
    spec = turn.flows.catalogue.get(event.action)
    if not event.ok or spec is None or spec.subject is None or spec.subject[1] in spec.parameters:
        return False
    return link(turn, spec, event.result, spec.result)


def late_outcome(event: EffectFinished) -> BusinessEvent:
    fields: dict[str, object] = {"step": event.step, "action": event.action}
    if event.ok:
        return BusinessEvent(event.id, event.at, "effect.done", {**fields, "result": dict(event.result)})
    return BusinessEvent(event.id, event.at, "effect.failed", {**fields, "code": event.code, "message": event.message})


# ------------------------------------------------------------------------------------------------------ what was held


def take_held(turn: Turn) -> None:
    """Handle what was held, as far as it can be handled now."""
    if not turn.held:
        return
    waiting, turn.held = turn.held, []
    kept = []
    for event in waiting:
        if turn.status == "closed":
            return
        if isinstance(turn.top.step, Do):
            kept.append(event)
            continue
        turn.event = event
        if isinstance(event, BusinessEvent):
            if _offer(turn, event) == "held":
                kept.append(event)
        elif turn.status == "active":
            take_message(turn, event)
    turn.held = [*kept, *turn.held]
    if not any(isinstance(event, BusinessEvent) for event in turn.held):
        turn.cancel_timer(HELD)


def drop_for_held(turn: Turn) -> None:
    """The half hour is over: frames above a `wait` are dropped for the event it wants. Not a talk with a manager."""
    if turn.status != "active":
        return
    for event in turn.held:
        if not isinstance(event, BusinessEvent):
            continue
        turn.event = event
        for place in reversed(turn.places):
            if _case_for(place, event) is not None:
                turn.drop_above(place.level)
                break


def would_take(flows: Flows, dialog: Dialog, event: MessageReceived | BusinessEvent) -> bool:
    """Whether a dialog that waits has an interrupt or a case for this event. Changes nothing."""
    if dialog.status == "closed":
        return False
    try:
        turn = Turn(flows, dialog, event)
        if isinstance(event, BusinessEvent):
            on_business_event(turn, event)
            return True
        return take_message(turn, event)
    except EventNotAccepted:
        return False
    except Exception:  # noqa: BLE001 — it is the turn itself that must fail, where it can be undone
        return True
