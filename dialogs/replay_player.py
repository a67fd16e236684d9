"""One conversation going through one set of flows: the dialog, its timers, and what it said and ordered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from dialogs.cleaning import clean, normal
from dialogs.commands import command_of
from dialogs.dialog import Dialog, new_dialog
from dialogs.effects import CancelTimer, EndDialog, RunAction, SendMessage, SetTimer, StartDialog
from dialogs.engine import Step, advance, ask_again, cancel, fail, park, take_over
from dialogs.engine_interrupts import find_interrupt
from dialogs.engine_limits import EventNotAccepted
from dialogs.engine_turn import Turn
from dialogs.events import BusinessEvent, DialogStarted, Event, MessageReceived, TimerFired
from dialogs.flow import Do, Flow, Start
from dialogs.flows_set import Flows
from dialogs.replay_recording import Happened, Recording
from dialogs.routing import has_open_question, is_asking, taken

Position = tuple[str, ...]
"""Status, then FLOW.STEP of every frame from the bottom up. A dialog that is over is nowhere any more."""

NOWHERE: Position = ()
ENDED: Position = ("closed",)
RESTARTED: Position = ("restarted",)  # another dialog began in place of this one


@dataclass(slots=True)
class Segment:
    """What came of one event, and of the timers after it."""

    path: list[Position] = field(default_factory=list)
    messages: list[SendMessage] = field(default_factory=list)
    orders: list[RunAction] = field(default_factory=list)
    decided: list[str] = field(default_factory=list)
    tag: str | None = None
    refused: str | None = None
    error: str | None = None
    gave_up: bool = False
    unrecorded: str | None = None  # an action of whose end nothing is known

    def add(self, other: Segment) -> None:
        self.path += other.path
        self.messages += other.messages
        self.orders += other.orders
        self.decided += other.decided
        self.tag = other.tag or self.tag
        self.refused = self.refused or other.refused
        self.error = self.error or other.error
        self.gave_up = self.gave_up or other.gave_up
        self.unrecorded = self.unrecorded or other.unrecorded


class Player:
    """Plays events to a dialog and keeps what came of them in `segment`, which the caller takes away."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.dialog: Dialog | None = None
        self.contact = dict(recording.contact)
        self.timers: dict[str, datetime] = {}  # name → due, in whole milliseconds as the tables have it
        self.segment = Segment()
        self.now = recording.items[0].at
        self.buttons: dict[str, tuple[str, str]] = {}  # payload → (FLOW.STEP, option)
        self.payloads: dict[tuple[str, str], str] = {}  # and back: the one shown last

    def take_segment(self) -> Segment:
        segment, self.segment = self.segment, Segment()
        return segment

    @property
    def position(self) -> Position:
        dialog = self.dialog
        if dialog is None:
            return NOWHERE
        if dialog.status == "closed":
            return ENDED
        return (dialog.status, *(f"{frame.flow}.{frame.step}" for frame in dialog.frames))

    @property
    def top(self) -> str:
        dialog = self.dialog
        return "" if dialog is None else f"{dialog.top.flow}.{dialog.top.step}"

    # ------------------------------------------------------------------------------------------------------ playing

    def begin(self, flows: Flows, flow: Flow, item: Happened) -> bool:
        """Begin the dialog as `item` began it. False if no `start` entry of the flow takes that event."""
        recording, event = self._recording, item.event
        occasion = event if isinstance(event, MessageReceived | BusinessEvent) else None
        values = item.values
        if values is None and occasion is not None and (not recording.channel or recording.channel in flow.channels):
            for entry in _entries_for(flow, occasion, had_dialog=recording.had_dialog):
                values = taken(flows, flow, entry, occasion, recording.channel, self.contact)
                if values is not None:
                    break
        if values is None:
            return False
        self.dialog = new_dialog(
            recording.dialog_id,
            recording.contact_id if flow.has_customer else None,
            recording.channel,
            flow.name,
            flow.version,
            recording.lang,
            self.contact if flow.has_customer else {},
            recording.last_message_at,
        )
        self.play(flows, DialogStarted(event.id, event.at, values, occasion))
        return True

    def play(self, flows: Flows, event: Event) -> None:
        """Give the dialog an event; a refusal or a failure is noted."""
        self.now = event.at
        before = self.position
        dialog = self._fresh()
        try:
            step = advance(flows, dialog, event)
        except EventNotAccepted as refusal:
            self.segment.refused = refusal.reason
            return
        except Exception as error:  # noqa: BLE001 - as in the service: managers get the dialog
            self.segment.error = f"{type(error).__name__}: {error}"
            step = fail(dialog, event, texts=flows.project.texts)
        self._keep(step)
        if self.position != before and any(word.startswith("wrong:") for word in step.trace.decided):
            self.segment.gave_up = True

    def follow(self, flows: Flows, event: Event) -> None:
        """Give it an event that came of an earlier one: that it comes too late is no refusal."""
        refused = self.segment.refused
        self.play(flows, event)
        self.segment.refused = refused

    def operate(self, flows: Flows, item: Happened) -> None:
        """Do to the dialog what was done to it from outside, as far as that concerns it where it stands."""
        self.now = item.event.at
        try:
            self._operate(flows, item, self._fresh())
        except EventNotAccepted as refusal:
            self.segment.refused = refusal.reason
        except Exception as error:  # noqa: BLE001 - the flow's trouble, not the replay's
            self.segment.error = f"{type(error).__name__}: {error}"

    def _operate(self, flows: Flows, item: Happened, dialog: Dialog) -> None:
        event = item.event
        if dialog.status == "closed":
            return
        if item.kind == "park":
            self._keep(park(dialog))
        elif item.kind == "take_over":
            if dialog.status == "active" and has_open_question(flows, dialog):
                self._keep(take_over(dialog, item.at))
        elif (
            not dialog.parked
            and isinstance(event, MessageReceived)
            and _is_command(event)
            and self._hears_itself(flows, dialog, event)
        ):
            self.play(flows, event)  # a command that the dialog knows itself goes to no other flow
        elif item.kind == "ask_again":
            self._keep(ask_again(flows, dialog, event))
        elif item.kind == "cancel" and is_asking(flows, dialog):
            self._keep(cancel(dialog))

    def fire(self, flows: Flows, name: str, event_id: str) -> None:
        """A timer comes due."""
        due = self.timers.pop(name)
        dialog = self.dialog
        if dialog is not None and name in dialog.timers:
            self.follow(flows, TimerFired(event_id, due, name, dialog.timers[name]))

    def _hears_itself(self, flows: Flows, dialog: Dialog, event: MessageReceived) -> bool:
        top = flows.program(dialog.top.flow, dialog.top.version).steps.get(dialog.top.step)
        if isinstance(top, Do):
            return True  # it first gets its outcome; the message is kept for it
        return find_interrupt(Turn(flows, dialog, event), clean(event.text or "")) is not None

    def _fresh(self) -> Dialog:
        """The dialog with the person's variables as they are now."""
        dialog = self.dialog
        assert dialog is not None
        return dialog if dialog.contact_id is None else replace(dialog, contact=self.contact)

    def _keep(self, step: Step) -> None:
        segment, dialog = self.segment, step.dialog
        self.dialog = dialog
        if dialog.contact_id is not None:
            self.contact = dict(dialog.contact)
        segment.decided += step.trace.decided
        for effect in step.effects:
            if isinstance(effect, SendMessage):
                segment.messages.append(effect)
                for option in effect.options:
                    key = (effect.step or "", option.id)
                    self.buttons[option.payload] = key
                    self.payloads[key] = option.payload
            elif isinstance(effect, RunAction):
                segment.orders.append(effect)
            elif isinstance(effect, SetTimer):
                due = effect.due_at
                self.timers[effect.name] = due.replace(microsecond=due.microsecond // 1000 * 1000)
            elif isinstance(effect, CancelTimer):
                self.timers.pop(effect.name, None)
            elif isinstance(effect, EndDialog):
                segment.tag = effect.tag
                self.timers.clear()
            elif isinstance(effect, StartDialog):
                segment.path.append(RESTARTED)
        segment.path.append(self.position)


def _is_command(event: MessageReceived) -> bool:
    return not event.files and command_of(clean(event.text or "")) is not None


def _entries_for(flow: Flow, event: MessageReceived | BusinessEvent, *, had_dialog: bool) -> Iterable[Start]:
    """The entries of `start` that this event may begin the flow by, in the order of section 8 of the language."""
    if isinstance(event, BusinessEvent):
        return [entry for entry in flow.start if entry.event == event.kind]
    text = clean(event.text or "") if not event.files else ""
    command = command_of(text)
    written = normal(text)
    return [
        *(entry for entry in flow.start if command and entry.command == command[0]),
        *(entry for entry in flow.start if written and written in entry.texts),
        *(entry for entry in flow.start if entry.kind == "first_message" and not had_dialog),
        *(entry for entry in flow.start if entry.kind == "any_message"),
    ]
