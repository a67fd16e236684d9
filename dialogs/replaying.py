"""What a draft of a flow would have done in a conversation that was really led.

The draft gets the events of the recording with their recorded times, and the recorded ends of actions. It is followed
until it stands somewhere else than the conversation stood: what a customer wrote there answers a question that the
draft did not ask. If it only left out what was asked, it is followed on from where both meet again.

What is approximate:

- Timers are the draft's own, at their due times. A recorded one is used where the draft has set the very same: it says
  when it was handled, or that the answer was quicker. All others of the recording are ignored.
- An action that the draft orders at another moment ends after as long a time as it took then. One that was ordered in
  another step only lends its result.
- The person's variables are those that the journal tells: what dialogs stored before, or meanwhile. Dialogs of the same
  person are not played along; what they did to this one (parked it, asked again) is taken from the recording.
- Where the draft goes on longer than the conversation went, nobody answers it any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from dialogs.effects import RunAction
from dialogs.events import (
    BusinessEvent,
    ButtonPressed,
    EffectFinished,
    ManagerActed,
    MessageReceived,
    TimerFired,
)
from dialogs.flow import Flow
from dialogs.flows_set import Flows
from dialogs.payload import base36
from dialogs.replay_comparing import compare, event_word, meeting_point
from dialogs.replay_player import ENDED, Player, Segment
from dialogs.replay_recording import CLASSES, Class, Difference, Happened, NotPlayable, Recording, Verdict
from dialogs.replay_retelling import OWN_TIMER, FlowsThen, Ordered, Retold, place_of, retell

__all__ = ["Class", "Difference", "Happened", "NotPlayable", "Recording", "Verdict", "replay"]

_MOST_TIMERS = 1000
_NO_STEP = 999  # a button of no step: an old one, whatever the draft asks


def replay(recording: Recording, then: FlowsThen, draft: Flows, flow: Flow) -> Verdict:
    """Play one conversation to the draft `flow`; `then` gives the flows that it was recorded with."""
    try:
        told = retell(recording, then)
    except NotPlayable as error:
        return Verdict(
            dialog_id=recording.dialog_id,
            version=recording.version,
            kind="unplayable",
            difference=Difference(kind="unplayable", reason=error.reason, step=error.detail, event=""),
        )
    found = _Replay(recording, told, draft, flow).run()
    return Verdict(
        dialog_id=recording.dialog_id,
        version=recording.version,
        kind="same" if found is None else found.kind,
        difference=found,
    )


class _Replay:
    """The draft in one conversation."""

    def __init__(self, recording: Recording, told: Retold, draft: Flows, flow: Flow) -> None:
        self._items = recording.items
        self._recording = recording
        self._told = told
        self._flows = draft
        self._flow = flow
        self._player = Player(recording)
        self._found: Difference | None = None
        self._index: int | None = None  # of the item being played; None: something of the draft's own
        self._awaited: dict[int, RunAction] = {}  # end in the recording → the order that it is the end of
        self._ends: list[tuple[datetime, RunAction, Ordered]] = []  # those that come at times of their own
        self._orders = 0  # of the segment that have been looked at
        self._button_gone: str | None = None
        self._fired = 0

    def run(self) -> Difference | None:
        items, start = self._items, 0
        is_met = False  # both stand in the same place again, after the draft left something out
        boundary = -1  # the item that what is in the segment came of
        for index, item in enumerate(items):
            self._player.contact |= item.contact
            if index < start:
                continue
            self._let_pass(item.at, self._told.pending[index])
            if not _is_follow_up(item):
                if boundary >= 0 or is_met:
                    start = self._judge(boundary, index, is_met=is_met)
                    is_met = start > index
                    if start < 0:
                        return self._found
                    if is_met:
                        boundary = -1
                        continue
                boundary = index
            self._take(index, item)
        # A conversation that is over has no clock any more: the draft may take longer to come to the same end.
        self._let_pass(None if self._told.end == ENDED else self._recording.until, {})
        self._judge(boundary, len(items), is_met=is_met)
        return self._found

    # ------------------------------------------------------------------------------------------------------- events

    def _take(self, index: int, item: Happened) -> None:
        player, event, refused = self._player, item.event, self._player.segment.refused
        self._index = index
        if item.kind == "begin":
            if not player.begin(self._flows, self._flow, item):
                player.segment.refused = "no_start"
        elif player.dialog is None or player.dialog.status == "closed":
            player.segment.refused = "closed"
        elif isinstance(event, TimerFired) and item.kind == "timer":
            if player.timers.get(event.name) == event.at:
                player.fire(self._flows, event.name, event.id)
        elif item.kind != "event":
            player.operate(self._flows, item)
        elif isinstance(event, EffectFinished):
            order = self._awaited.pop(index, None)
            if order is not None:
                player.play(self._flows, _end_of(order, event, event.at))
        elif isinstance(event, ButtonPressed):
            player.play(self._flows, self._translated(event))
        else:
            player.play(self._flows, event)
        if _is_follow_up(item):
            player.segment.refused = refused  # only what came from outside can be refused
        self._look_at_orders()
        self._index = None

    def _translated(self, press: ButtonPressed) -> ButtonPressed:
        """The press on the same option of the same step of the draft."""
        pressed = self._told.buttons.get(press.payload)
        if pressed is None:
            return press  # it came from no message of this dialog: refused by both
        payload = self._player.payloads.get(pressed)
        if payload is None:
            self._button_gone = f"{pressed[0]}: {press.title or pressed[1]}"
            payload = f"{base36(self._recording.dialog_id)}.{base36(self._flow.version)}.{_NO_STEP}.{pressed[1]}"
            payload = payload if "#" not in pressed[1] else payload.replace("#", "")
        return ButtonPressed(press.id, press.at, payload, press.title, press.message_id)

    def _let_pass(self, until: datetime | None, undisturbed: Mapping[str, datetime]) -> None:
        """What comes due until then, but for the timers that were set at that time too and had not come due yet."""
        player = self._player
        while self._fired < _MOST_TIMERS:
            due = [(at, name) for name, at in player.timers.items() if undisturbed.get(name) != at]
            timer = min((one for one in due if until is None or one[0] <= until), default=None)
            ends = [waiting for waiting in self._ends if until is None or waiting[0] <= until]
            end = min(ends, key=lambda waiting: waiting[0], default=None)
            if end is not None and (timer is None or end[0] <= timer[0]):
                self._ends.remove(end)
                at, order, ordered = end
                if ordered.end is not None:
                    player.follow(self._flows, _end_of(order, ordered.end, at))
            elif timer is not None:
                self._fired += 1
                player.fire(self._flows, timer[1], OWN_TIMER)
            else:
                return
            self._look_at_orders()
        player.segment.error = f"more than {_MOST_TIMERS} timers"

    # ------------------------------------------------------------------------------------------------------ actions

    def _look_at_orders(self) -> None:
        orders = self._player.segment.orders
        for order in orders[self._orders :]:
            self._find_end(order)
        self._orders = len(orders)

    def _find_end(self, order: RunAction) -> None:
        """When an order of the draft ends, and how: as the same order did, else one of this step, else of this action.

        No end: that the conversation's own order has none either (nobody waited for it).
        """
        ordered, index = self._told.ordered, self._index
        same = [one for one in ordered if one.order.key == order.key]
        same = same or [one for one in ordered if one.place == place_of(order)]
        for one in same:
            is_here = index is not None and one.index == index
            if is_here and one.end_index is not None and one.end_index not in self._awaited:
                self._awaited[one.end_index] = order
                return
        known = [one for one in same if one.end is not None]
        if same and not known:
            return
        known = known or [one for one in ordered if one.order.action == order.action and one.end is not None]
        if not known:
            self._player.segment.unrecorded = order.action
            return
        one = known[0]
        assert one.end is not None
        took = max(one.end.at - one.at, timedelta(0))
        self._ends.append((self._player.now + took, order, one))

    def _meet(self, since: int, index: int) -> None:
        """Both have ordered the same by now: from here on its end comes where it came then."""
        for waiting in list(self._ends):
            _, order, one = waiting
            if one.index is not None and since < one.index <= index and one.end_index is not None:
                self._ends.remove(waiting)
                self._awaited[one.end_index] = order

    # ----------------------------------------------------------------------------------------------------- judgement

    def _judge(self, boundary: int, index: int, *, is_met: bool) -> int:
        """Compare what came of item `boundary` until item `index`. Returns where to go on; -1: nowhere."""
        told, player = self._told, self._player
        done = player.take_segment()
        self._orders = 0
        gone, self._button_gone = self._button_gone, None
        is_last = index == len(self._items)
        then = Segment()
        for segment in told.segments[max(boundary, 0) : index]:
            then.add(segment)
        if is_last:
            then.add(told.rest)
        position = told.end if is_last else told.positions[index - 1]
        if is_met and boundary < 0:
            then, done = Segment(), Segment()  # only where they stand is compared: one of them came by another way
        at = boundary if boundary >= 0 else index - 1
        found = compare(
            self._items[at], then, done, position=position, draft=player.position, top=told.tops[at], gone=gone
        )
        if found is None:
            return index
        if found.kind == "way" and player.position != position:
            # Shorter is only what leaves something out: a step that the conversation never came to is another way.
            if not is_last and set(done.path) <= {ENDED, *told.path_from(boundary)}:
                point = meeting_point(told, self._items, player.position, index)
                if point is not None:
                    self._meet(boundary, point)
                    self._note(self._left_over(index, point + 1, "left_over", found))
                    return point + 1
                if player.position == ENDED:
                    found = self._left_over(index, len(self._items), "ended", found)
            self._note(found)
            return -1
        self._note(found)
        return -1 if found.kind == "stuck" or found.reason == "no_recording" else index

    def _left_over(self, index: int, end: int, reason: str, found: Difference) -> Difference:
        """The draft was done before: what came then and has nothing to answer."""
        for number in range(index, end):
            item = self._items[number]
            if item.told is not None and isinstance(item.event, MessageReceived | ButtonPressed | BusinessEvent):
                return Difference(
                    kind="shorter",
                    reason=reason,
                    step=self._told.tops[number],
                    event=event_word(item),
                    words=item.words,
                    live=found.live,
                    draft=found.draft,
                )
            if item.told is not None and isinstance(item.event, ManagerActed):
                return Difference(
                    kind="shorter", reason=reason, step=self._told.tops[number], event=event_word(item),
                    live=found.live, draft=found.draft,
                )  # fmt: skip
        if reason == "left_over":
            return Difference(
                kind="shorter", reason=reason, step=found.step, event=found.event, words=found.words,
                live=found.live, draft=found.draft,
            )  # fmt: skip
        return found

    def _note(self, found: Difference) -> None:
        """The first of the most serious differences is the one to tell."""
        if self._found is None or CLASSES.index(found.kind) > CLASSES.index(self._found.kind):
            self._found = found


def _is_follow_up(item: Happened) -> bool:
    """It came of what happened before, and each of the two has its own time for it."""
    return item.kind == "timer" or isinstance(item.event, EffectFinished)


def _end_of(order: RunAction, end: EffectFinished, at: datetime) -> EffectFinished:
    return EffectFinished(end.id, at, order.key, order.step, order.action, end.ok, end.result, end.code, end.message)
