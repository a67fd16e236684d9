"""Publishing over live dialogs: `publish: {running: move}` (FLOWS.md section 11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dialogs.dialog import NEW, Dialog, Frame
from dialogs.engine import Step
from dialogs.engine_handoff import close_handoff
from dialogs.engine_question import begin_silence
from dialogs.engine_turn import STEP_TIMERS, Turn
from dialogs.engine_walk import enter
from dialogs.events import Event
from dialogs.findings import Finding, finding
from dialogs.flow import Ask, Flow, Handoff
from dialogs.flows_set import Flows
from dialogs.machine import is_state


def place_of(step: str, old: Flow, new: Flow) -> str | None:
    """Where a dialog that stands in `step` of the old version stands in the new one; None if there is no place."""
    before, after = old.steps.get(step), new.steps.get(step)
    if step == NEW or (before is not None and type(before) is type(after)):
        return step
    target = new.steps.get(new.moved.get(step, ""))
    return target.id if target is not None and is_state(target) else None


def without_place(new: Flow, standing: Iterable[tuple[Flow, Mapping[str, int]]]) -> list[Finding]:
    """R01 for each step in which live dialogs stand and that `new` has no place for.

    `standing`: older versions with the steps in which live dialogs are, and how many.
    """
    if not new.moves:
        return []
    stranded: dict[str, int] = {}
    for old, steps in standing:
        for step, count in steps.items():
            if count and place_of(step, old, new) is None:
                stranded[step] = stranded.get(step, 0) + count
    document = new.document
    line = document.lines.of(("publish",))
    return [finding("R01", file=document.file, line=line, x=step, n=count) for step, count in sorted(stranded.items())]


def move(flows: Flows, dialog: Dialog, event: Event) -> Step | None:
    """Move a dialog to the live versions that want it, before `event` is handled; None if it stays as it is.

    What keeps its place goes on unchanged; a new question is asked at the next message. A frame without a place stays
    on its version (publishing refuses that, but a dialog may have come there since).
    """
    targets = {
        level: new
        for level, frame in enumerate(dialog.frames)
        if (new := flows.moves_to(frame.flow, frame.version)) is not None
    }
    places = {
        level: place
        for level, new in targets.items()
        if (place := place_of(dialog.frames[level].step, _version(flows, dialog.frames[level]), new)) is not None
    }
    if not places or dialog.status == "closed":
        return None
    frames = tuple(
        _moved(frame, targets[level]) if level in places else frame for level, frame in enumerate(dialog.frames)
    )
    turn = Turn(flows, replace(dialog, frames=frames), event)
    turn.decided.append("moved")
    for level, place in places.items():
        if level < len(turn.places) and place != dialog.frames[level].step:
            _take_place(turn, level, place)
    return Step(*turn.finished())


def _version(flows: Flows, frame: Frame) -> Flow:
    return flows.get(frame.flow, frame.version)


def _moved(frame: Frame, new: Flow) -> Frame:
    answered = tuple(step for step in frame.answered if isinstance(new.steps.get(step), Ask))
    edit = frame.edit if isinstance(new.steps.get(frame.edit or ""), Ask) else None
    return replace(frame, version=new.version, answered=answered, edit=edit)


def _take_place(turn: Turn, level: int, target: str) -> None:
    """Stand in another step of the new version; the frames above were called by the step that is gone."""
    turn.drop_above(level)
    place = turn.places[level]
    turn.cancel_timer(STEP_TIMERS[level])
    step = place.program.steps[target]
    place.state = target
    place.forget_stay()
    place.edit = None
    if turn.status == "handed_off" and not any(isinstance(under.step, Handoff) for under in turn.places):
        close_handoff(turn, "returned")
    if isinstance(step, Ask):
        place.unasked = True
        begin_silence(turn, place, step)
    else:
        enter(turn, place, step)
