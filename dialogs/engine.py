"""One turn of a dialog: what an event makes of it (FLOWS.md section 14). Pure: the event brings time and ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dialogs.dialog import NEW, Dialog
from dialogs.effects import CancelTimer, Effect, EndDialog, OpenHandoff, SendMessage, SetTimer
from dialogs.engine_answers import on_message, on_press
from dialogs.engine_limits import IDLE_HANDOFF, EngineError, EngineLimit, EventNotAccepted
from dialogs.engine_people import on_manager
from dialogs.engine_question import show
from dialogs.engine_timers import on_timer
from dialogs.engine_turn import IDLE, STEP_TIMERS, Trace, Turn, language_of
from dialogs.engine_waits import on_business_event, on_effect, take_held
from dialogs.engine_walk import begin
from dialogs.events import (
    BusinessEvent,
    ButtonPressed,
    DialogStarted,
    EffectFinished,
    Event,
    ManagerActed,
    MessageReceived,
    TimerFired,
)
from dialogs.flow import Ask
from dialogs.flows_set import Flows
from dialogs.project import MANAGERS
from dialogs.record import record
from dialogs.sentences import sentence

__all__ = [
    "EngineError",
    "EngineLimit",
    "EventNotAccepted",
    "Step",
    "Trace",
    "advance",
    "ask_again",
    "cancel",
    "fail",
    "park",
    "take_over",
]


@record(frozen=True, slots=True)
class Step:
    """What a turn came to: the dialog as it is now, and what is to be done, in order."""

    dialog: Dialog
    effects: tuple[Effect, ...]
    trace: Trace


def advance(flows: Flows, dialog: Dialog, event: Event) -> Step:
    """Apply `event` to `dialog`.

    Raises EventNotAccepted when the dialog does not wait for such an event, EngineLimit when a limit is hit, and
    FlowMissing when `flows` lacks a version that the dialog stands in. Nothing has changed then. After EngineLimit, as
    after any other exception, the dialog is to be given to managers with `fail`.
    """
    if dialog.status == "closed":
        raise EventNotAccepted("closed")
    turn = Turn(flows, dialog, event)
    _HANDLERS[type(event)](turn, event)
    if turn.held:
        take_held(turn)
    return Step(*turn.finished())


def _on_start(turn: Turn, event: DialogStarted) -> None:
    place = turn.top
    if len(turn.places) != 1 or place.state != NEW:
        raise EventNotAccepted("already_begun")
    if isinstance(event.occasion, MessageReceived):
        turn.last_message_at = event.occasion.at
    begin(turn, place, event.values)


_HANDLERS: Mapping[type, Callable[[Turn, Any], None]] = {
    MessageReceived: on_message,
    ButtonPressed: on_press,
    BusinessEvent: on_business_event,
    EffectFinished: on_effect,
    TimerFired: on_timer,
    ManagerActed: on_manager,
    DialogStarted: _on_start,
}


# ----------------------------------------------------------------------------- what is done to a dialog from outside


def fail(dialog: Dialog, event: Event, *, texts: Mapping[str, str] | None = None) -> Step:
    """Give a dialog to the managers after a turn that could not be done; its frames stay as they were.

    `returned` asks the present question again, `closed` ends the dialog `failed`. `texts` is the project's own wording.
    """
    apology: tuple[Effect, ...] = ()
    if dialog.contact_id is not None:
        apology = (SendMessage(sentence("failed", language_of(dialog.contact, dialog.lang), texts or {})),)
    return _give_away(dialog, event.at, apology, OpenHandoff(MANAGERS, MANAGERS, True, "failed"), "failed")


def take_over(dialog: Dialog, at: datetime) -> Step:
    """A manager takes a dialog that the bot has (or wrote to the customer past the bot): the bot falls silent.

    Raises EventNotAccepted if managers have it already, or it is over.
    """
    if dialog.status != "active":
        raise EventNotAccepted("not_active")
    return _give_away(dialog, at, (), OpenHandoff(MANAGERS, MANAGERS, True), "taken_over")


def _give_away(dialog: Dialog, at: datetime, before: tuple[Effect, ...], handoff: OpenHandoff, decided: str) -> Step:
    number = dialog.turn + 1
    effects: list[Effect] = [*before, handoff]
    effects += [CancelTimer(name) for name in sorted(dialog.timers) if name != IDLE]
    effects.append(SetTimer(IDLE, at + IDLE_HANDOFF))
    given = replace(dialog, status="handed_off", turn=number, timers={IDLE: number}, parked=False)
    return Step(given, tuple(effects), _trace(dialog, given, decided))


def cancel(dialog: Dialog) -> Step:
    """End a dialog `cancelled`: another flow takes its place."""
    effects: list[Effect] = [CancelTimer(name) for name in sorted(dialog.timers)]
    frames = dialog.frames[:1]
    ended = replace(dialog, status="closed", turn=dialog.turn + 1, frames=frames, timers={}, held=(), parked=False)
    return Step(ended, (*effects, EndDialog("cancelled")), _trace(dialog, ended, "cancelled"))


def park(dialog: Dialog) -> Step:
    """Another dialog asks now: this one's question waits, without counting silence."""
    number = dialog.turn + 1
    timer = STEP_TIMERS[len(dialog.frames) - 1]
    timers = {name: turn for name, turn in dialog.timers.items() if name != timer}
    effects: tuple[Effect, ...] = (CancelTimer(timer),) if timer in dialog.timers else ()
    parked = replace(dialog, turn=number, timers=timers, parked=True)
    return Step(parked, effects, _trace(dialog, parked, "parked"))


def ask_again(flows: Flows, dialog: Dialog, event: Event, *, first: str | None = None) -> Step:
    """Ask the question of a dialog again: that of another dialog has been left by `event`, or it came too late.

    `first`: name of a built-in sentence to say before it.
    """
    turn = Turn(flows, dialog, event)
    turn.parked = False
    if isinstance(event, MessageReceived | ButtonPressed):
        turn.last_message_at = event.at
    turn.decided.append("asked_again" if first is None else first)
    place = turn.top
    if first is not None:
        turn.send(place, turn.sentence(first))
    if isinstance(place.step, Ask):
        show(turn, place, place.program.questions[place.state])
    return Step(*turn.finished())


def _trace(before: Dialog, after: Dialog, decided: str) -> Trace:
    return Trace(_top(before), _top(after), (decided,), frames=len(after.frames))


def _top(dialog: Dialog) -> str:
    return f"{dialog.top.flow}.{dialog.top.step}"
