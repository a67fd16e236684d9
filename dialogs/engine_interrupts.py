"""Interrupts: what a customer may say at any time, and going back or starting over."""

from __future__ import annotations

from dialogs.cleaning import normal
from dialogs.commands import command_of
from dialogs.dialog import Begun
from dialogs.effects import StartDialog
from dialogs.engine_limits import MAX_ANSWERED, MAX_PHRASE
from dialogs.engine_question import show
from dialogs.engine_turn import Place, Turn
from dialogs.engine_walk import call, end_dialog, go
from dialogs.flow import Ask, Interrupt, Wait

Found = tuple[Place, Interrupt]


def find_interrupt(turn: Turn, text: str) -> Found | None:
    """What a cleaned text means to the frames, from the top; commands and whole texts before phrases."""
    command = command_of(text)
    written = normal(text)
    for place in reversed(turn.places):
        program = place.program
        found = program.commands.get(command[0]) if command else program.texts.get(written)
        for interrupt in found or ():
            if _is_true(place, interrupt):
                return place, interrupt
    if len(text) > MAX_PHRASE or command:
        return None
    padded = f" {written} "
    for place in reversed(turn.places):
        for phrase, interrupt in place.program.phrases:
            if phrase in padded and _is_true(place, interrupt):
                return place, interrupt
    return None


def _is_true(place: Place, interrupt: Interrupt) -> bool:
    return interrupt.condition is None or interrupt.condition.evaluate(place.scope) is True


def act(turn: Turn, owner: Place, interrupt: Interrupt, *, begun: Begun = "interrupt") -> None:
    """Do what an interrupt of the frame `owner` says. `begun` is "event" if a business event is the occasion."""
    turn.decided.append(f"interrupt:{owner.program.flow.name}.{interrupt.id}")
    if interrupt.act == "back":
        go_back(turn)
    elif interrupt.act == "restart":
        restart(turn, owner)
    elif interrupt.act == "call":
        call(turn, owner, interrupt.target or "", interrupt.params, begun)
    else:
        turn.drop_above(owner.level)
        if isinstance(owner.step, Ask):
            remember(owner, owner.state)
        owner.edit = None
        go(turn, owner, f"interrupt_{interrupt.id}", interrupt.target or "")


def remember(place: Place, step: str) -> None:
    """Put an answered question on the list for `back`."""
    place.answered = (*place.answered[1 - MAX_ANSWERED :], step)


def go_back(turn: Turn) -> None:
    """Ask the last answered question again; answers stay until they are replaced."""
    for place in reversed(turn.places):
        if place.answered:
            turn.drop_above(place.level)
            target = place.answered[-1]
            place.answered = place.answered[:-1]
            place.edit = None
            go(turn, place, "back", target)
            return
        if place.begun != "call":
            break
    turn.send(turn.top, turn.sentence("nothing_before"))
    repeat_question(turn)


def repeat_question(turn: Turn) -> None:
    place = turn.top
    if isinstance(place.step, Ask):
        show(turn, place, place.program.questions[place.state])


def restart(turn: Turn, owner: Place) -> None:
    """Begin the flow of `owner` anew with the variables it began with.

    When something was written outside, the root flow begins as another dialog: `StartDialog` says so.
    """
    if owner.level == 0 and turn.wrote:
        flow = owner.program.flow
        if not isinstance(turn.top.step, Wait):
            turn.drop_above(0)
            end_dialog(turn, "cancelled")
        turn.effects.append(StartDialog(flow.name, dict(owner.given)))
        return
    turn.drop_above(owner.level)
    owner.answered = ()
    owner.edit = None
    owner.set_variables(dict(owner.given))
    go(turn, owner, "restart", owner.program.flow.first.id)
