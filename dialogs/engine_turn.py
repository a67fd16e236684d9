"""One turn at work: a mutable copy of the dialog that becomes a new dialog and effects, or is thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dialogs.dialog import Begun, Dialog, Frame, Held, Status
from dialogs.effects import CancelTimer, Effect, Option, SaveContact, SendMessage, SetTimer, Template
from dialogs.engine_limits import MAX_FRAMES, MAX_MESSAGES, MAX_STATES, MAX_VARIABLES_BYTES, EngineLimit
from dialogs.engine_scope import TurnScope
from dialogs.events import DialogStarted, EffectFinished, Event
from dialogs.flow import Ask, Step, Wait
from dialogs.flows_set import Flows
from dialogs.payload import base36
from dialogs.program import Program
from dialogs.record import record
from dialogs.values import fits

SMALL, MANY = 200, 80  # characters of a value, and values: fewer and smaller ones cannot come near the limit
STEP_TIMERS = ("step", *(f"step{level}" for level in range(1, MAX_FRAMES)))  # by the level of the frame
NOBODY, IDLE, HELD = "nobody", "idle", "held"


Change = tuple[int, str, Mapping[str, Any]]
"""Level of a frame, its flow, and its variables as they became (null: it has no value any more)."""


@record(frozen=True, slots=True)
class Trace:
    """What decided a turn and what it stored, for the journal: enough to tell every moment from the turns before."""

    from_step: str | None  # FLOW.STEP on top before and after
    to_step: str | None
    decided: tuple[str, ...] = ()  # "option:washer", "interrupt:paid", "branch:who_ok[0]", "via:lead.hello", …
    changes: tuple[Change, ...] = ()
    frames: int = 1  # on the stack afterwards

    def to_json(self) -> dict[str, Any]:
        return {"from": self.from_step, "to": self.to_step, "decided": list(self.decided)}


class Place:
    """A frame at work; also the model of the `transitions` machine (`state`, `dest`)."""

    __slots__ = (
        "answered",
        "begun",
        "deadline",
        "dest",
        "edit",
        "given",
        "key",
        "level",
        "owns_variables",
        "pending",
        "program",
        "refused",
        "reminded",
        "scope",
        "since",
        "spoke",
        "state",
        "templated",
        "unasked",
        "variables",
        "wrong",
    )

    scope: TurnScope
    deadline: datetime | None
    since: datetime | None
    pending: EffectFinished | None

    def __init__(self, frame: Frame, program: Program, level: int) -> None:
        self.program = program
        self.level = level
        self.state = self.dest = frame.step
        self.variables: dict[str, Any] = frame.variables  # type: ignore[assignment]  # copied before the first change
        self.owns_variables = False
        self.begun: Begun = frame.begun
        self.given = frame.given
        self.answered = frame.answered
        self.wrong = frame.wrong
        self.edit = frame.edit
        self.since = frame.since
        self.reminded = frame.reminded
        self.refused = frame.refused
        self.templated = frame.templated
        self.deadline = frame.deadline
        self.key = frame.key
        self.pending = frame.pending
        self.spoke = frame.spoke
        self.unasked = frame.unasked

    @property
    def step(self) -> Step:
        return self.program.steps[self.state]

    @property
    def name(self) -> str:
        return self.program.step_names.get(self.state, self.state)

    def forget_stay(self) -> None:
        """A state is entered: what belonged to the stay in the last one is over."""
        self.wrong = self.reminded = 0
        self.since = self.deadline = self.pending = None
        self.refused = self.key = None
        self.templated = self.unasked = False

    def set_variables(self, variables: dict[str, Any]) -> None:
        self.variables = variables
        self.owns_variables = True

    def frame(self) -> Frame:
        flow = self.program.flow
        return Frame(
            flow.name,
            flow.version,
            self.state,
            self.variables,
            self.begun,
            self.given,
            self.answered,
            self.wrong,
            self.edit,
            self.since,
            self.reminded,
            self.refused,
            self.templated,
            self.deadline,
            self.key,
            self.pending,
            self.spoke,
            self.unasked,
        )


class Turn:
    """The state of one turn. Time is that of the event."""

    def __init__(self, flows: Flows, dialog: Dialog, event: Event) -> None:
        self.flows = flows
        self.dialog = dialog
        self.event: Event = event  # what `event.…` means now: a held event is handled in a later turn
        self.now = event.at
        self.effects: list[Effect] = []
        self.contact: Mapping[str, Any] = dialog.contact
        self.saved: dict[str, Any] = {}
        self.status: Status = dialog.status
        self.wrote = dialog.wrote
        self.held: list[Held] = list(dialog.held)
        self.last_press = dialog.last_press
        self.last_message_at = dialog.last_message_at
        self.parked = dialog.parked
        self.timers: Mapping[str, int] = dialog.timers
        self.decided: list[str] = []
        self._due: dict[str, datetime] = {}
        self._cancelled: set[str] = set()
        self._entered = 0
        self._sent = 0
        self._has_big_values = False
        self._today: str | None = None
        self._payload_start: str | None = None
        self.lang = language_of(dialog.contact, dialog.lang)
        self.places: list[Place] = []
        for level, frame in enumerate(dialog.frames):
            self._put(Place(frame, flows.program(frame.flow, frame.version), level))
        self._from = self.top.name

    def _put(self, place: Place) -> None:
        place.scope = TurnScope(self, place)
        self.places.append(place)

    @property
    def top(self) -> Place:
        return self.places[-1]

    def today(self) -> str:
        if self._today is None:
            self._today = self.now.astimezone(self.flows.project.zone).date().isoformat()
        return self._today

    def sentence(self, name: str) -> str:
        return self.flows.project.sentence(name, self.lang)

    def event_id(self) -> str:
        event = self.event
        return event.occasion.id if isinstance(event, DialogStarted) and event.occasion else event.id

    # ------------------------------------------------------------------------------------------------------- stack

    def push(self, program: Program, begun: Begun) -> Place:
        if len(self.places) >= MAX_FRAMES:
            raise EngineLimit(f"more than {MAX_FRAMES} frames")
        covered = self.top
        if isinstance(covered.step, Ask | Wait):
            self.cancel_timer(STEP_TIMERS[covered.level])
        place = Place(Frame(program.flow.name, program.flow.version, begun=begun), program, len(self.places))
        self._put(place)
        return place

    def drop_above(self, level: int) -> None:
        """Drop the frames above `level`; they end without their callers being told."""
        while len(self.places) > level + 1:
            dropped = self.places.pop()
            self.cancel_timer(STEP_TIMERS[dropped.level])
            self.decided.append(f"dropped:{dropped.name}")

    def count_state(self) -> None:
        self._entered += 1
        if self._entered > MAX_STATES:
            raise EngineLimit(f"more than {MAX_STATES} states entered")

    # --------------------------------------------------------------------------------------------------- variables

    def store(self, place: Place, name: str, value: object | None) -> None:
        """Set a variable; a value of another type becomes null."""
        variable = place.program.flow.variables[name]
        if not fits(value, variable.type):
            self.decided.append(f"misfit:{place.program.flow.name}.{name}")
            value = None
        if isinstance(value, list | tuple) or (isinstance(value, str) and len(value) > SMALL):
            self._has_big_values = True
        if variable.is_contact:
            if not self.saved:
                self.contact = dict(self.contact)
            self.saved[name] = value
            self.contact[name] = value  # type: ignore[index]  # our own copy
            return
        if not place.owns_variables:
            place.set_variables(dict(place.variables))
        if value is None:
            place.variables.pop(name, None)
        else:
            place.variables[name] = value

    # ---------------------------------------------------------------------------------------------------- messages

    def send(
        self,
        place: Place,
        text: str,
        *,
        options: tuple[Option, ...] = (),
        template: Template | None = None,
        **more: Any,
    ) -> None:
        if not place.program.flow.has_customer:
            return
        self._sent += 1
        if self._sent > MAX_MESSAGES:
            raise EngineLimit(f"more than {MAX_MESSAGES} messages")
        for below in self.places:
            if below.begun == "event":
                below.spoke = True
        self.effects.append(SendMessage(text, options=options, template=template, step=place.name, **more))

    def payload(self, place: Place, step: Step) -> str:
        """The beginning of the payloads of a step's buttons: `DIALOG.VERSION.STEP.`"""
        if self._payload_start is None:
            self._payload_start = base36(self.dialog.id)
        return f"{self._payload_start}.{base36(place.program.flow.version)}.{step.index}."

    # ------------------------------------------------------------------------------------------------------ timers

    def set_timer(self, name: str, due_at: datetime) -> None:
        self._due[name] = due_at
        self._cancelled.discard(name)

    def cancel_timer(self, name: str) -> None:
        self._due.pop(name, None)
        if name in self.timers:
            self._cancelled.add(name)

    def restore_timer(self, name: str) -> bool:
        """Take back a `cancel_timer` of this turn. False if there is nothing to take back."""
        if name not in self._cancelled:
            return False
        self._cancelled.discard(name)
        return True

    def cancel_all_timers(self) -> None:
        self._due.clear()
        self._cancelled.update(self.timers)

    def forget_timer(self, name: str) -> None:
        """It fired: there is nothing left to cancel."""
        self.timers = {other: turn for other, turn in self.timers.items() if other != name}

    # -------------------------------------------------------------------------------------------------------- end

    def finished(self) -> tuple[Dialog, tuple[Effect, ...], Trace]:
        number = self.dialog.turn + 1
        if self._has_big_values or sum([len(place.variables) for place in self.places]) > MANY:
            self._check_size()
        if self.saved:
            self.effects.append(SaveContact(self.saved))
        timers = self.timers
        if self._cancelled or self._due:
            timers = {name: turn for name, turn in timers.items() if name not in self._cancelled}
            self.effects.extend([CancelTimer(name) for name in sorted(self._cancelled)])
            for name, due_at in self._due.items():
                self.effects.append(SetTimer(name, due_at))
                timers[name] = number
        old = self.dialog
        dialog = Dialog(
            old.id,
            old.contact_id,
            old.channel,
            self.status,
            tuple([place.frame() for place in self.places]),
            number,
            self.wrote,
            old.lang,
            timers,
            tuple(self.held),
            self.last_press,
            self.parked,
            self.last_message_at,
            self.contact,
        )
        trace = Trace(self._from, self.top.name, tuple(self.decided), self._changes(), len(self.places))
        return dialog, tuple(self.effects), trace

    def _changes(self) -> tuple[Change, ...]:
        changes: list[Change] = []
        before = self.dialog.frames
        for place in self.places:
            flow = place.program.flow.name
            old = before[place.level] if place.level < len(before) else None
            if old is None or old.flow != flow:
                changes.append((place.level, flow, dict(place.variables)))
            elif old.variables is not place.variables:
                now, then = place.variables, old.variables
                changed = {name: value for name, value in now.items() if name not in then or then[name] != value}
                changed |= {name: None for name in then if name not in now}
                if changed:
                    changes.append((place.level, flow, changed))
        return tuple(changes)

    def _check_size(self) -> None:
        size = _size(self.contact)
        for place in self.places:
            size += _size(place.variables)
        if size > MAX_VARIABLES_BYTES:
            raise EngineLimit(f"more than {MAX_VARIABLES_BYTES} bytes of variables")


def language_of(contact: Mapping[str, Any], otherwise: str) -> str:
    """The contact variable `language` if it is one, else the channel's word."""
    language = contact.get("language")
    return language if isinstance(language, str) and len(language) == 2 else otherwise


def _size(values: Mapping[str, Any]) -> int:
    """About the bytes of variables in JSON, without making it."""
    size = 0
    for name, value in values.items():
        size += 14 + len(name)
        if isinstance(value, str):
            size += len(value) if value.isascii() else 2 * len(value)
        elif isinstance(value, list | tuple):
            size += sum([_size_of_item(item) for item in value])
    return size


def _size_of_item(value: object) -> int:
    if isinstance(value, str):
        return 4 + 2 * len(value)
    if isinstance(value, Mapping):
        return _size(value)
    return 8
