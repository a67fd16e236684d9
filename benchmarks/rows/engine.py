"""Row 3: the engine alone, one turn of the lead flow, beside a bare trigger of `transitions` in the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from transitions import Machine

from benchmarks.table import Line, at_most, median_ratio
from bot.catalogue import catalogue
from bot.flow_store import BUILT_IN, read_folder
from dialogs import conversation
from dialogs.dialog import Dialog
from dialogs.engine import Step, advance
from dialogs.events import Event
from dialogs.flows_set import Flows, load_folder
from dialogs.golden_chat import Chat
from dialogs.texts import Text

ROW = "engine"
FLOW = "lead"
CHAT = "От приветствия до оценки"
TIMEZONE = "Europe/Moscow"
ROUNDS = 7
MOST_US, MOST_TRIGGERS = 150.0, 3.0


@dataclass(slots=True)
class _Recorded:
    """What the golden chat asks of the engine, to be asked again."""

    turns: list[tuple[Flows, Dialog, Event]] = field(default_factory=list)
    texts: list[tuple[Text, Any, dict[str, Any]]] = field(default_factory=list)

    def play(self) -> None:
        for flows, dialog, event in self.turns:
            advance(flows, dialog, event)

    def render(self) -> None:
        for text, scope, options in self.texts:
            text.render(scope, **options)


async def measure(_folder: Path, *, quick: bool) -> list[Line]:
    recorded = _record()
    trigger = _bare_trigger()
    times = 100 if quick else 500
    turns: list[float] = []
    texts: list[float] = []
    triggers: list[float] = []
    gc.collect()
    for _ in range(ROUNDS):
        turns.append(_us(recorded.play, times) / len(recorded.turns))
        triggers.append(_us(trigger, times * 20))
        texts.append(_us(recorded.render, times) / len(recorded.turns))
    turn, bare = median(turns), median(triggers)
    figures = (
        f"{turn:.0f} us a turn ({len(recorded.turns)} turns of the lead flow), {median(texts):.1f} us of it text; "
        f"bare trigger {bare:.1f} us"
    )
    ratio = median_ratio([turn - text for turn, text in zip(turns, texts, strict=True)], triggers)
    return [
        at_most(f"{ROW}: a turn of the lead flow", figures, turn, MOST_US, unit=" us"),
        at_most(f"{ROW}: without its texts, to a bare trigger", figures, ratio, MOST_TRIGGERS),
    ]


def _record() -> _Recorded:
    """Play the chat once and note every call of `advance` and of `Text.render`, with what they were given."""
    loaded = load_folder(read_folder(BUILT_IN), catalogue(), timezone=TIMEZONE)
    recorded = _Recorded()
    render = Text.render

    def noting_advance(flows: Flows, dialog: Dialog, event: Event) -> Step:
        step = advance(flows, dialog, event)  # what raises EventNotAccepted is no turn
        recorded.turns.append((flows, dialog, event))
        return step

    def noting_render(text: Text, scope: Any, **options: Any) -> str:
        recorded.texts.append((text, scope, options))
        return render(text, scope, **options)

    flow = loaded.flows.live(FLOW)
    test = next(test for test in flow.tests if test.name == CHAT)
    conversation.advance, Text.render = noting_advance, noting_render  # type: ignore[attr-defined, method-assign, assignment]
    try:
        chat = Chat(loaded.flows, flow, test.data)
        for number, line in enumerate(test.data["chat"]):
            chat.play(line, is_first=number == 0)
    finally:
        conversation.advance, Text.render = advance, render  # type: ignore[attr-defined, method-assign]
    return recorded


class _Model:
    state: str


def _bare_trigger() -> Callable[[], None]:
    """One transition with nothing attached to it."""
    machine = Machine(model=None, states=["here", "there"], initial="here", auto_transitions=False, send_event=True)
    machine.add_transition("go", "here", "there")
    machine.add_transition("go", "there", "here")
    model = _Model()
    model.state = "here"
    go = machine.events["go"]

    def trigger() -> None:
        go.trigger(model)

    return trigger


def _us(work: Callable[[], None], times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times * 1e6
