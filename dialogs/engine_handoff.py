"""Giving a talk to people, and what passes through while they have it."""

from __future__ import annotations

from dialogs.effects import CloseHandoff, ForwardToManager, OpenHandoff
from dialogs.engine_limits import IDLE_HANDOFF
from dialogs.engine_question import text_limit
from dialogs.engine_turn import IDLE, NOBODY, Place, Turn
from dialogs.events import ButtonPressed, MessageReceived
from dialogs.flow import Handoff
from dialogs.project import MANAGERS, Queue
from dialogs.values import location_text


def open_handoff(turn: Turn, place: Place, step: Handoff) -> None:
    queue = turn.flows.project.queues.get(step.queue) or Queue(MANAGERS, MANAGERS)
    is_open = queue.hours is None or queue.hours.is_open(turn.now)
    wording = step.open_say if is_open else step.closed_say
    lang = turn.lang
    text = wording.by(lang).render(place.scope, lang=lang, titles=place.program.titles(lang), limit=text_limit(turn))
    turn.status = "handed_off"
    turn.send(place, text)
    turn.effects.append(OpenHandoff(queue.name, queue.group, is_open))
    after = turn.now + step.nobody_after
    turn.set_timer(NOBODY, after if queue.hours is None else queue.hours.after(turn.now, step.nobody_after))
    turn.set_timer(IDLE, turn.now + IDLE_HANDOFF)


def close_handoff(turn: Turn, outcome: str) -> None:
    """The bot speaks again. The caller moves the dialog on."""
    turn.status = "active"
    turn.cancel_timer(NOBODY)
    turn.cancel_timer(IDLE)
    if outcome == "returned":
        turn.effects.append(CloseHandoff("returned"))
    elif outcome == "nobody":
        turn.effects.append(CloseHandoff("nobody"))
    else:
        turn.effects.append(CloseHandoff("closed"))


def handoff_place(turn: Turn) -> Place | None:
    """The frame in a handoff; None if the dialog was given away by a failure or by a manager taking it."""
    return next((place for place in reversed(turn.places) if isinstance(_step(place), Handoff)), None)


def _step(place: Place) -> object:
    return place.program.steps.get(place.state)


def forward(turn: Turn, event: MessageReceived | ButtonPressed) -> None:
    """A customer's message goes to the manager as it is."""
    turn.set_timer(IDLE, turn.now + IDLE_HANDOFF)
    if isinstance(event, ButtonPressed):
        turn.effects.append(ForwardToManager(event.title or event.payload.rpartition(".")[2]))
        return
    parts = [event.text] if event.text else []
    if event.location is not None:
        parts.append(location_text(event.location))
    if event.card is not None:
        parts.append(" ".join(filter(None, (event.card.name, *event.card.phones))))
    turn.effects.append(ForwardToManager("\n".join(parts) or None, event.files, is_edit=event.edits is not None))
