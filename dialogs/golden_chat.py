"""The person, the clock and the outside world of a golden test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dialogs.cleaning import clean, normal
from dialogs.commands import command_of
from dialogs.conversation import Conversation, Outcome, handle, start_dialog
from dialogs.dialog import Dialog
from dialogs.effects import CancelTimer, Effect, EndDialog, OpenHandoff, Option, RunAction, SendMessage, SetTimer
from dialogs.engine_question import options_of
from dialogs.engine_turn import Turn
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
from dialogs.flow import Ask, Flow, Start
from dialogs.flow_fields import parse_duration
from dialogs.flows_set import Flows
from dialogs.golden_lines import BEGINS, EXPECTATIONS, FIRST, STIMULI
from dialogs.golden_messages import sent_message
from dialogs.payload import base36
from dialogs.routing import taken

_MONDAY = "2026-03-02 12:00"
_MAX_TIMERS = 1000  # that fire in one line: a flow that goes round for ever ends here


class Mismatch(Exception):
    """The chat went otherwise than the test says, or the line cannot be played."""

    def __init__(self, expected: str, got: str, field: str | None = None) -> None:
        super().__init__(f"{expected}; {got}")
        self.expected = expected
        self.got = got
        self.field = field  # of the line; its place in the file is shown


class Chat:
    """One golden test as it goes; after `play` its attributes tell what the line brought."""

    def __init__(self, flows: Flows, flow: Flow, test: Mapping[str, Any]) -> None:
        self.flows = flows
        self.flow = flow
        self.messages: list[SendMessage] = []  # of this line
        self.actions: list[RunAction | OpenHandoff] = []
        self.last_message: SendMessage | None = None
        self.ended: dict[int, str] = {}  # dialog → tag
        self.transcript: list[str] = []
        self.contact: dict[str, Any] = dict(test.get("known") or {})
        self._channel = str(test.get("channel") or (flow.channels[0] if flow.channels else ""))
        self._lang = str(test.get("lang") or flow.lang)
        self._now = _clock(test.get("begins", _MONDAY), flows)
        self._dialogs: dict[int, Dialog] = {}  # the last active one last; ended ones too
        self._due: dict[tuple[int, str], tuple[datetime, int]] = {}  # (dialog, timer) → due, turn
        self._ordered: dict[str, RunAction] = {}  # step → the action it ordered last
        self._events = 0
        self._ids = 0
        self._message_id: str | None = None
        self._stimuli: Mapping[str, Callable[[Any], None]] = {
            "in": lambda text: self._handle(self._message(text)),
            "press": self._press,
            "old_press": self._old_press,
            "send": lambda given: self._handle(self._sending(given)),
            "edit": lambda text: self._handle(self._editing(text)),
            "event": lambda given: self._handle(self._business_event(given), self.dialog.id),
            "result": self._result,
            "pass": self._pass,
            "manager": self._manager,
            "begin": self._begin,
        }

    def play(self, line: Mapping[str, Any], *, is_first: bool) -> None:
        """Raises Mismatch if the line cannot be played."""
        self.messages, self.actions = [], []
        for name in line:
            if name not in STIMULI and name not in EXPECTATIONS:
                raise Mismatch("–", name, name)
        given = [name for name in STIMULI if name in line]
        if len(given) != 1:
            raise Mismatch("in | press | send | …", ", ".join(given) or "–")
        stimulus = given[0]
        self.transcript.append(f"> {stimulus}: {line[stimulus]}")
        if is_first and stimulus in ("in", "event"):
            self._first(stimulus, line[stimulus])
        elif is_first and stimulus != "begin":
            raise Mismatch(" | ".join(FIRST), stimulus, stimulus)
        else:
            self._stimuli[stimulus](line[stimulus])
        self._fire_until(self._now)

    @property
    def dialog(self) -> Dialog:
        """The newest dialog, which the test follows."""
        return self._dialogs[max(self._dialogs)]

    def value_of(self, name: str) -> object | None:
        """A variable of the frame on top."""
        frame = self.dialog.top
        variable = self.flows.get(frame.flow, frame.version).variables.get(name)
        if variable is None:
            raise Mismatch(name, "–", "vars")
        values = self.contact if variable.is_contact else frame.variables
        return values.get(name)

    # --------------------------------------------------------------------------------------------------- stimuli

    def _first(self, stimulus: str, value: object) -> None:
        """The first line begins the flow of the test, by one of its own `start` entries."""
        event = self._message(value) if stimulus == "in" else self._business_event(value)
        for entry in _entries_for(self.flow, event):
            values = taken(self.flows, self.flow, entry, event, self._channel, self.contact)
            if values is not None:
                self._take(self._start(event, values))
                return
        raise Mismatch(f"start: {self.flow.name}", "–", stimulus)

    def _start(self, event: Event, values: Mapping[str, Any]) -> Outcome:
        return start_dialog(self.flows, self._conversation(), self.flow, event, new_id=self._new_id, values=values)

    def _begin(self, given: object) -> None:
        if not isinstance(given, Mapping):
            raise Mismatch("begin: {…}", str(given), "begin")
        for name in given:
            if name not in self.flow.takes:
                raise Mismatch(", ".join(self.flow.takes) or "{}", str(name), "begin")
        self._take(self._start(DialogStarted(self._event_id(), self._now), given))

    def _press(self, wanted: object) -> None:
        dialog = self.dialog
        turn = Turn(self.flows, dialog, ManagerActed("", self._now, "say"))
        place = turn.top
        options: tuple[Option, ...] = ()
        if dialog.status == "active" and isinstance(place.program.steps.get(place.state), Ask):
            options = options_of(turn, place, place.program.questions[place.state])
        for option in options:
            if option.id == str(wanted):
                self._handle(ButtonPressed(self._event_id(), self._now, option.payload, option.title))
                return
        raise Mismatch(f"press: {wanted}", ", ".join(option.id for option in options) or "–", "press")

    def _old_press(self, given: object) -> None:
        step_name, option = _two(given, "step", "option", "old_press")
        flow_name, _, name = str(step_name).rpartition(".")
        frames = [(frame.flow, frame.version) for frame in reversed(self.dialog.frames)]
        for flow in [*(self.flows.get(*frame) for frame in frames), self.flow, *self.flows.all_live()]:
            step = flow.steps.get(name)
            if step is not None and flow_name in ("", flow.name):
                payload = f"{base36(self.dialog.id)}.{base36(flow.version)}.{step.index}.{option}"
                self._handle(ButtonPressed(self._event_id(), self._now, payload, str(option)))
                return
        raise Mismatch(f"step: {step_name}", "–", "old_press")

    def _result(self, given: object) -> None:
        if not isinstance(given, Mapping) or ("ok" in given) is ("rejected" in given):
            raise Mismatch("result: {step, ok | rejected}", str(given), "result")
        step = str(given.get("step")).rpartition(".")[2]
        ordered = self._ordered.get(step)
        if ordered is None:
            raise Mismatch(f"do: {step}", ", ".join(self._ordered) or "–", "result")
        answer = given.get("ok") if "ok" in given else given.get("rejected")
        fields = dict(answer) if isinstance(answer, Mapping) else {}
        is_ok = "ok" in given
        event = EffectFinished(
            self._event_id(),
            self._now,
            ordered.key,
            step,
            ordered.action,
            is_ok,
            fields if is_ok else {},
            None if is_ok else str(fields.get("code", "invalid")),
            None if is_ok else fields.get("message"),
        )
        self._handle(event, self.dialog.id)

    def _pass(self, given: object) -> None:
        duration = parse_duration(given)
        if duration is None:
            raise Mismatch("15m, 3h, 2d …", str(given), "pass")
        until = self._now + duration
        self._fire_until(until)
        self._now = until

    def _manager(self, given: object) -> None:
        if given in ("returned", "closed"):
            event = ManagerActed(self._event_id(), self._now, "returned" if given == "returned" else "closed")
        elif isinstance(given, Mapping) and isinstance(given.get("say"), str) and len(given) == 1:
            event = ManagerActed(self._event_id(), self._now, "say", given["say"])
        else:
            raise Mismatch("manager: returned | closed | {say: …}", str(given), "manager")
        if self.dialog.status != "handed_off":
            raise Mismatch("handoff", self.at(), "manager")
        self._handle(event, self.dialog.id)

    def at(self) -> str:
        return f"{self.dialog.top.flow}.{self.dialog.top.step}"

    # ---------------------------------------------------------------------------------------------------- events

    def _event_id(self) -> str:
        self._events += 1
        return f"e{self._events}"

    def _message(self, text: object) -> MessageReceived:
        if not isinstance(text, str):
            raise Mismatch("in: TEXT", str(text), "in")
        event_id = self._event_id()
        self._message_id = f"m{self._events}"
        return MessageReceived(event_id, self._now, text, message_id=self._message_id)

    def _editing(self, text: object) -> MessageReceived:
        if not isinstance(text, str) or self._message_id is None:
            raise Mismatch("edit: TEXT", str(text), "edit")
        return MessageReceived(self._event_id(), self._now, text, message_id=self._message_id, edits=self._message_id)

    def _sending(self, given: object) -> MessageReceived:
        message = sent_message(given, self._event_id(), self._now, f"m{self._events}")
        if message is None:
            raise Mismatch("send: {photo: 1} | {file: …} | {contact: …} …", str(given), "send")
        self._message_id = message.message_id
        return message

    def _business_event(self, given: object) -> BusinessEvent:
        if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
            raise Mismatch("event: {kind: …}", str(given), "event")
        fields = {name: value for name, value in given.items() if name != "kind"}
        return BusinessEvent(self._event_id(), self._now, given["kind"], fields, fields.get("phone"))

    # ----------------------------------------------------------------------------------------------- the service

    def _new_id(self) -> int:
        self._ids += 1
        return self._ids

    def _conversation(self) -> Conversation:
        # Templates take no part: as if the customer had just written.
        dialogs = [
            replace(dialog, last_message_at=self._now)
            for dialog in reversed(self._dialogs.values())
            if dialog.status != "closed"
        ]
        return Conversation(
            contact_id=1,
            channel=self._channel,
            dialogs=dialogs,
            contact=self.contact,
            lang=self._lang,
            had_dialog=bool(self._dialogs),
            last_message_at=self._now,
            channels=(self._channel,) if self._channel else (),
            own_dialogs=[dialog.id for dialog in self._dialogs.values() if dialog.status == "closed"],
        )

    def _handle(self, event: Event, dialog_id: int | None = None) -> None:
        if not self._dialogs:
            raise Mismatch("in | event | begin", "–")
        self._take(
            handle(self.flows, self._conversation(), event, new_id=self._new_id, dialog_id=dialog_id, now=self._now)
        )

    def _take(self, outcome: Outcome) -> None:
        if outcome.failed is not None:
            raise Mismatch("–", f"{type(outcome.failed).__name__}: {outcome.failed}")
        for step in outcome.steps:
            dialog = step.dialog
            self._dialogs.pop(dialog.id, None)
            self._dialogs[dialog.id] = dialog
            if dialog.contact_id is not None:
                self.contact = dict(dialog.contact)
            for effect in step.effects:
                self._carry_out(dialog, effect)
        for message in outcome.messages:
            self._hear(message)
        if outcome.ignored:
            self.transcript.append(f"  ({outcome.ignored})")

    def _carry_out(self, dialog: Dialog, effect: Effect) -> None:
        if isinstance(effect, SendMessage):
            self._hear(effect)
        elif isinstance(effect, RunAction):
            self.actions.append(effect)
            self._ordered[effect.step] = effect
            self.transcript.append(f"  ! {effect.action} {dict(effect.params)}")
        elif isinstance(effect, OpenHandoff):
            self.actions.append(effect)
            self.transcript.append(f"  ! handoff {effect.queue}")
        elif isinstance(effect, SetTimer):
            self._due[dialog.id, effect.name] = (effect.due_at, dialog.turn)
        elif isinstance(effect, CancelTimer):
            self._due.pop((dialog.id, effect.name), None)
        elif isinstance(effect, EndDialog):
            self.ended[dialog.id] = effect.tag
            self.transcript.append(f"  ! end {effect.tag}")

    def _hear(self, message: SendMessage) -> None:
        self.messages.append(message)
        self.last_message = message
        buttons = " ".join(f"[{option.title}]" for option in message.options)
        self.transcript.append(f"< {message.text} {buttons}".rstrip())

    def _fire_until(self, until: datetime) -> None:
        for _ in range(_MAX_TIMERS):
            due = min(((at, key) for key, (at, _) in self._due.items()), default=None)
            if due is None or due[0] > until:
                return
            at, key = due
            turn = self._due.pop(key)[1]
            self._now = max(self._now, at)
            self.transcript.append(f"  ~ {key[1]} {self._now.astimezone(self.flows.project.zone):%d.%m %H:%M}")
            self._handle(TimerFired(self._event_id(), self._now, key[1], turn), key[0])
        raise Mismatch("–", f"{_MAX_TIMERS} timers")


def _clock(given: object, flows: Flows) -> datetime:
    try:
        local = datetime.strptime(str(given), BEGINS).replace(tzinfo=flows.project.zone)
    except ValueError:
        raise Mismatch(f"begins: {_MONDAY}", str(given)) from None
    return local.astimezone(UTC)


def _entries_for(flow: Flow, event: MessageReceived | BusinessEvent) -> list[Start]:
    """The entries of `start` that this event may begin the flow by, in the order in which they are asked."""
    if isinstance(event, BusinessEvent):
        return [entry for entry in flow.start if entry.event == event.kind]
    text = clean(event.text or "")
    command = command_of(text)
    written = normal(text)
    return [
        *(entry for entry in flow.start if command and entry.command == command[0]),
        *(entry for entry in flow.start if written in entry.texts),
        *(entry for entry in flow.start if entry.kind == "first_message"),
        *(entry for entry in flow.start if entry.kind == "any_message"),
    ]


def _two(given: object, first: str, second: str, field: str) -> tuple[object, object]:
    if not isinstance(given, Mapping) or set(given) != {first, second}:
        raise Mismatch(f"{field}: {{{first}, {second}}}", str(given), field)
    return given[first], given[second]
