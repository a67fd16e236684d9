"""Timers that came due: reminders and silence, slow actions, the end of a wait, a handoff that nobody took."""

from __future__ import annotations

from dialogs.dialog import NEW
from dialogs.engine_handoff import handoff_place
from dialogs.engine_limits import HOLD, EventNotAccepted
from dialogs.engine_people import end_handoff
from dialogs.engine_question import await_silence, next_of_silence, text_limit
from dialogs.engine_turn import HELD, IDLE, NOBODY, STEP_TIMERS, Place, Turn
from dialogs.engine_waits import drop_for_held
from dialogs.engine_walk import finish_action, go
from dialogs.events import TimerFired
from dialogs.flow import Ask, Do, Reminder, Wait


def on_timer(turn: Turn, event: TimerFired) -> None:
    """Raises EventNotAccepted for a timer of an earlier turn."""
    if turn.timers.get(event.name) != event.turn:
        raise EventNotAccepted("old_timer")
    turn.forget_timer(event.name)
    turn.decided.append(f"timer:{event.name}")
    if event.name == HELD:
        drop_for_held(turn)
        if turn.status == "handed_off":
            turn.set_timer(HELD, turn.now + HOLD)
    elif event.name == NOBODY:
        end_handoff(turn, "nobody")
    elif event.name == IDLE:
        end_handoff(turn, "closed")
    elif event.name in STEP_TIMERS[: len(turn.places)]:
        _step_timer(turn, turn.places[STEP_TIMERS.index(event.name)])
    else:
        raise EventNotAccepted("old_timer")


def _step_timer(turn: Turn, place: Place) -> None:
    step = place.program.steps.get(place.state) if place.state != NEW else None
    if isinstance(step, Do):
        if place is turn.top:
            finish_action(turn, place, step, None)
        else:
            # Another frame lies on top; when it has ended, the action is given its time once more.
            turn.set_timer(STEP_TIMERS[place.level], turn.now + step.slow_after)
    elif place is not turn.top or (turn.status == "handed_off" and handoff_place(turn) is None):
        raise EventNotAccepted("old_timer")
    elif isinstance(step, Wait):
        go(turn, place, "close", step.close.next)
    elif isinstance(step, Ask):
        _silence(turn, place, step)
    else:
        raise EventNotAccepted("old_timer")


def _silence(turn: Turn, place: Place, ask: Ask) -> None:
    if ask.silence is None or place.since is None:
        return
    due = next_of_silence(ask.silence, place.program.flow.quiet_hours, place.since, place.reminded)
    if due is None:
        return
    reminder = due[1]
    if reminder is not None:
        _remind(turn, place, reminder)
        place.reminded += 1
        await_silence(turn, place, ask)
    elif ask.silence.close is not None:
        turn.decided.append("silence")
        place.edit = None
        go(turn, place, "close", ask.silence.close.next)


def _remind(turn: Turn, place: Place, reminder: Reminder) -> None:
    program, lang = place.program, turn.lang
    text = reminder.text.by(lang).render(place.scope, lang=lang, titles=program.titles(lang), limit=text_limit(turn))
    turn.send(place, text, template=program.template(reminder.template, place.scope))
