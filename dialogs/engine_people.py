"""What managers do with a dialog that they have."""

from __future__ import annotations

from dialogs.engine_handoff import close_handoff, handoff_place
from dialogs.engine_limits import IDLE_HANDOFF, EventNotAccepted
from dialogs.engine_turn import IDLE, NOBODY, Turn
from dialogs.engine_walk import end_dialog, go, resume
from dialogs.events import ManagerActed
from dialogs.flow import Handoff


def on_manager(turn: Turn, event: ManagerActed) -> None:
    """Raises EventNotAccepted when the bot has the dialog."""
    if turn.status != "handed_off":
        raise EventNotAccepted("not_handed_off")
    turn.decided.append(f"manager:{event.action}")
    if event.action == "say":
        if event.text or event.files:
            turn.send(turn.top, event.text or "", files=event.files)
        turn.cancel_timer(NOBODY)
        turn.set_timer(IDLE, turn.now + IDLE_HANDOFF)
    else:
        end_handoff(turn, event.action)


def end_handoff(turn: Turn, outcome: str) -> None:
    """The bot has the dialog again: the flow goes on, or where a failure stopped it, the question is asked again."""
    place = handoff_place(turn)
    close_handoff(turn, outcome)
    if place is not None:
        turn.drop_above(place.level)
        step = place.step
        if isinstance(step, Handoff):
            go(turn, place, outcome, step.outcome[outcome])
    elif outcome == "returned":
        resume(turn, None)
    else:
        turn.drop_above(0)
        end_dialog(turn, "failed")
