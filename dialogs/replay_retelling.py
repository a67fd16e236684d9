"""The conversation as it went, played once more with the flows of that time.

Nothing that a draft does can be judged by a recording that does not lead where it led then. So every conversation is
first retold with its own version, turn by turn against the journal; one that comes out otherwise is not used. What the
draft does is compared with this retelling, not with the journal: both come from the same machinery, and what that
leaves out (joined messages, templates instead of texts) is left out on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dialogs.effects import RunAction, SendMessage
from dialogs.events import EffectFinished
from dialogs.flow import Flow
from dialogs.flows_set import FlowMissing, Flows
from dialogs.replay_player import NOWHERE, Player, Position, Segment
from dialogs.replay_recording import Happened, NotPlayable, Recording, Told

OWN_TIMER = "timer"  # id of the events that no recording has

FlowsThen = Callable[[datetime], Flows]
"""The flows as they were live at a moment."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An action that was ordered, and its recorded end."""

    order: RunAction
    index: int | None  # of the item that ordered it; None: a timer that came due after the last one
    at: datetime
    end: EffectFinished | None = None
    end_index: int | None = None

    @property
    def place(self) -> str:
        return place_of(self.order)


@dataclass(slots=True)
class Retold:
    """What each item brought."""

    flow: Flow
    segments: list[Segment] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)  # after it
    tops: list[str] = field(default_factory=list)  # FLOW.STEP before it
    pending: list[dict[str, datetime]] = field(default_factory=list)  # timers that were set before it
    ordered: list[Ordered] = field(default_factory=list)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    rest: Segment = field(default_factory=Segment)  # of the timers after the last item
    end: Position = NOWHERE

    def path_from(self, index: int) -> list[Position]:
        """Where the conversation came to from that item on."""
        segments = [*self.segments[max(index, 0) :], self.rest]
        return [position for segment in segments for position in segment.path]


def place_of(order: RunAction) -> str:
    """ACTION/FLOW/STEP: the key without what tells one order of a step from another."""
    return "/".join(order.key.split("/")[:3])


def retell(recording: Recording, then: FlowsThen) -> Retold:
    """Raises NotPlayable."""
    try:
        return _retold(recording, then)
    except FlowMissing as missing:
        raise NotPlayable("version_gone", str(missing)) from missing


def _retold(recording: Recording, then: FlowsThen) -> Retold:
    items = recording.items
    flow = then(items[0].at).get(recording.flow, recording.version)
    player, told = Player(recording), Retold(flow)
    for index, item in enumerate(items):
        flows = then(item.at)
        player.contact |= item.contact
        told.tops.append(player.top)
        told.pending.append(dict(player.timers))
        if isinstance(item.event, EffectFinished):
            _note_end(told.ordered, item.event, index)
        if item.told is not None:
            _play(player, flows, flow, item)
            _check(item, item.told, player)
        segment = player.take_segment()
        told.ordered += [Ordered(order, index, player.now) for order in segment.orders]
        told.segments.append(segment)
        told.positions.append(player.position)
    flows = then(recording.until)
    fire_rest(player, flows, recording.until)
    told.rest = player.take_segment()
    told.ordered += [Ordered(order, None, player.now) for order in told.rest.orders]
    told.buttons = player.buttons
    told.end = player.position
    return told


def fire_rest(player: Player, flows: Flows, until: datetime) -> None:
    """What comes due when nothing else happens any more."""
    for _ in range(_MOST_TIMERS):
        due = min(((at, name) for name, at in player.timers.items() if at <= until), default=None)
        if due is None:
            return
        player.fire(flows, due[1], OWN_TIMER)


_MOST_TIMERS = 1000  # of one conversation after its last event: silence that leads to silence for ever ends here


def _play(player: Player, flows: Flows, flow: Flow, item: Happened) -> None:
    if item.kind == "begin":
        if not player.begin(flows, flow, item):
            raise NotPlayable("not_retold", "_new")
    elif player.dialog is None:
        raise NotPlayable("no_beginning")
    elif item.kind == "timer":
        player.timers.pop(getattr(item.event, "name", ""), None)
        player.play(flows, item.event)
    elif item.kind == "event":
        player.play(flows, item.event)
    else:
        player.operate(flows, item)


def _check(item: Happened, told: Told, player: Player) -> None:
    segment = player.segment
    lines = told.lines
    if segment.refused is not None or not segment.path or player.top != told.step:
        raise NotPlayable("not_retold", told.step)
    if lines is not None and lines != lines_of(segment.messages):
        raise NotPlayable("not_retold", told.step)


def lines_of(messages: Sequence[SendMessage]) -> tuple[str, ...]:
    """The words of a turn however a channel joins its messages."""
    return text_lines(message.text for message in messages)


def text_lines(texts: Iterable[str]) -> tuple[str, ...]:
    found = [line.strip() for text in texts for line in text.splitlines()]
    return tuple(line for line in found if line)


def _note_end(ordered: list[Ordered], end: EffectFinished, index: int) -> None:
    for number, one in enumerate(ordered):
        if one.end is None and one.order.key == end.key:
            ordered[number] = Ordered(one.order, one.index, one.at, end, index)
            return
