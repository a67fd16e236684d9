"""All dialogs of one contact and one event: who gets it, what comes of it, and that only one question is open."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from dialogs.dialog import Dialog, new_dialog
from dialogs.effects import Link, SendMessage, StartDialog
from dialogs.engine import Step, advance, ask_again, cancel, fail, park
from dialogs.engine_limits import EventNotAccepted
from dialogs.engine_turn import language_of
from dialogs.events import BusinessEvent, ButtonPressed, DialogStarted, Event, MessageReceived
from dialogs.flow import Flow
from dialogs.flows_set import FlowMissing, Flows
from dialogs.moving import move
from dialogs.record import record
from dialogs.routing import (
    AskAgain,
    Hold,
    Ignored,
    Nobody,
    OldButtonEnded,
    Route,
    StartFlow,
    ToDialog,
    channel_for,
    has_open_question,
    is_asking,
    route_business,
    route_message,
)


@record(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What is stored of a contact (or of nobody, for events that concern no customer)."""

    contact_id: int | None
    channel: str  # of the message; "" if nobody wrote
    dialogs: Sequence[Dialog] = ()  # open ones, last active first; for events those without a customer too
    contact: Mapping[str, Any] = field(default_factory=dict)  # variables with `scope: contact`
    lang: str = "ru"
    had_dialog: bool = False  # ever
    last_message_at: datetime | None = None  # the contact's last message in `channel`
    channels: Sequence[str] = ()  # used by the contact, the last one first
    can_write: bool = True  # the contact is known or has a phone
    linked: Collection[int] = ()  # dialogs that belong to the subject of a business event
    own_dialogs: Collection[int] = ()  # for a press: the dialog of its payload, if it was this contact's and is over


@record(frozen=True, slots=True)
class Outcome:
    """What one event came to. Steps are to be stored in order, in one transaction."""

    steps: tuple[Step, ...] = ()
    messages: tuple[SendMessage, ...] = ()  # to the contact, from no dialog
    held_until: datetime | None = None  # offer the event again when the open question is left, or then
    ignored: str | None = None  # why nothing was done: a constant word
    nobody: bool = False  # no dialog and no flow wanted it
    failed: Exception | None = None  # the turn was undone and managers have the dialog: the event is dead
    question_left: bool = False  # there was an open question and there is none now: offer held events again


def handle(
    flows: Flows,
    conversation: Conversation,
    event: Event,
    *,
    new_id: Callable[[], int],
    dialog_id: int | None = None,
    subjects: Iterable[str] = (),
    now: datetime | None = None,
) -> Outcome:
    """Do everything that `event` asks for.

    `dialog_id` is the dialog of an EffectFinished, TimerFired or ManagerActed (other events go where section 8 says,
    unless it is given); `subjects` are those of a business
    event, for the dialogs that it begins; `now` tells a held event that its time is over (the event's own time, if
    absent). Raises FlowMissing if `flows` lacks a version in use (see `Flows.missing`).
    """
    work = _Work(flows, conversation, event, new_id, tuple(subjects))
    if flows.is_moving:
        conversation = work.move_all()
    before = tuple(work.dialogs.values())
    routes: tuple[Route, ...]
    if dialog_id is None and isinstance(event, MessageReceived | ButtonPressed):
        routes = (_route_message(flows, conversation, event),)
    elif dialog_id is None and isinstance(event, BusinessEvent):
        routes = route_business(
            flows,
            conversation.dialogs,
            event,
            linked=conversation.linked,
            channels=conversation.channels,
            can_write=conversation.can_write,
            contact=conversation.contact,
            now=now or event.at,
        )
    else:
        dialog = work.dialogs.get(dialog_id) if dialog_id is not None else None
        routes = (ToDialog(dialog) if dialog else Ignored("closed"),)
    for route in routes:
        work.follow(route)
    work.settle_questions()
    is_left = not work.has_open_question() and any(has_open_question(flows, dialog) for dialog in before)
    return work.outcome(question_left=is_left)


def apologize(
    flows: Flows, conversation: Conversation, event: MessageReceived | ButtonPressed
) -> Outcome | SendMessage:
    """What to do with a message that waited too long for us: it answers nothing, the present question is asked again.

    Without a question to ask there is only the apology; the message is to go its usual way behind it.
    """
    work = _Work(flows, conversation, event, lambda: 0, ())  # no dialog begins here
    if flows.is_moving:
        conversation = work.move_all()
    asking = [
        dialog
        for dialog in work.dialogs.values()
        if dialog.channel == conversation.channel and not dialog.parked and is_asking(flows, dialog)
    ]
    if asking:
        work.ask_late(asking[0])
        return work.outcome()
    return work.said("late")


def start_dialog(
    flows: Flows,
    conversation: Conversation,
    flow: Flow,
    event: Event,
    *,
    new_id: Callable[[], int],
    values: Mapping[str, Any] | None = None,
) -> Outcome:
    """Begin a flow directly, with parameters `values`."""
    work = _Work(flows, conversation, event, new_id, ())
    work.start(flow, values or {}, event)
    work.settle_questions()
    return work.outcome()


def _route_message(flows: Flows, conversation: Conversation, event: MessageReceived | ButtonPressed) -> Route:
    return route_message(
        flows,
        [dialog for dialog in conversation.dialogs if dialog.channel == conversation.channel],
        event,
        had_dialog=conversation.had_dialog,
        channel=conversation.channel,
        contact=conversation.contact,
        own_dialogs=conversation.own_dialogs,
    )


class _Work:
    """The dialogs as they become while one event is handled."""

    def __init__(
        self,
        flows: Flows,
        conversation: Conversation,
        event: Event,
        new_id: Callable[[], int],
        subjects: tuple[str, ...],
    ) -> None:
        self._flows = flows
        self._conversation = conversation
        self._event = event
        self._new_id = new_id
        self._subjects = subjects
        self._contact = conversation.contact
        self._steps: list[Step] = []
        self._messages: list[SendMessage] = []
        self._held_until: datetime | None = None
        self._ignored: str | None = None
        self._nobody = False
        self._failed: Exception | None = None
        self.dialogs = {dialog.id: dialog for dialog in conversation.dialogs}  # last active first

    def outcome(self, *, question_left: bool = False) -> Outcome:
        return Outcome(
            tuple(self._steps),
            tuple(self._messages),
            self._held_until,
            self._ignored,
            self._nobody,
            self._failed,
            question_left,
        )

    def move_all(self) -> Conversation:
        """Move the dialogs to newer versions where those say so; the conversation as it is then."""
        for dialog in self._conversation.dialogs:
            step = move(self._flows, self._fresh(dialog), self._event)
            if step is not None:
                order = list(self.dialogs)
                self._keep(step)
                self.dialogs = {key: self.dialogs[key] for key in order if key in self.dialogs}
        self._conversation = replace(self._conversation, dialogs=tuple(self.dialogs.values()), contact=self._contact)
        return self._conversation

    def follow(self, route: Route) -> None:
        if isinstance(route, ToDialog):
            self._advance(route.dialog, self._event)
        elif isinstance(route, StartFlow):
            if route.ends is not None:
                self._keep(cancel(self._fresh(route.ends)))
            self.start(route.flow, route.values, self._event)
        elif isinstance(route, AskAgain):
            self._keep(ask_again(self._flows, self._fresh(route.dialog), self._event))
        elif isinstance(route, Hold):
            self._held_until = route.until
        elif isinstance(route, Ignored):
            self._ignored = route.reason
        elif isinstance(route, OldButtonEnded):
            self._say("old_button_ended")
        elif isinstance(route, Nobody):
            self._nobody = True
            if isinstance(self._event, MessageReceived):
                self._say("no_flow")

    def start(self, flow: Flow, values: Mapping[str, Any], event: Event) -> None:
        conversation = self._conversation
        channel = conversation.channel
        if not isinstance(event, MessageReceived | ButtonPressed):
            channel = channel_for(flow, (*conversation.channels, *([channel] if channel else []))) or channel
        dialog = new_dialog(
            self._new_id(),
            conversation.contact_id if flow.has_customer else None,
            channel,
            flow.name,
            flow.version,
            conversation.lang,
            self._contact if flow.has_customer else {},
            conversation.last_message_at,
        )
        occasion = event if isinstance(event, MessageReceived | BusinessEvent) else None
        self._advance(dialog, DialogStarted(event.id, event.at, values, occasion))
        if self._subjects and isinstance(event, BusinessEvent):
            step = self._steps[-1]
            links = tuple(Link(subject) for subject in self._subjects)
            self._steps[-1] = replace(step, effects=(*links, *step.effects))

    def ask_late(self, dialog: Dialog) -> None:
        self._keep(ask_again(self._flows, self._fresh(dialog), self._event, first="late"))

    def said(self, name: str) -> SendMessage:
        """A built-in sentence in the contact's language."""
        return SendMessage(self._flows.project.sentence(name, language_of(self._contact, self._conversation.lang)))

    def _say(self, name: str) -> None:
        self._messages.append(self.said(name))

    def _fresh(self, dialog: Dialog) -> Dialog:
        """The dialog with the contact's variables as they are now."""
        if dialog.contact_id is None or dialog.contact is self._contact:
            return dialog
        return replace(dialog, contact=self._contact)

    def _advance(self, dialog: Dialog, event: Event) -> None:
        dialog = self._fresh(dialog)
        try:
            step = advance(self._flows, dialog, event)
        except EventNotAccepted as refusal:
            self._ignored = refusal.reason
            return
        except FlowMissing:
            raise
        except Exception as error:  # noqa: BLE001 — one dialog's trouble: it goes to people, the event is kept
            self._failed = error
            step = fail(dialog, event, texts=self._flows.project.texts)
        self._keep(step)
        for effect in step.effects:
            if isinstance(effect, StartDialog):
                self.start(self._begun_anew(dialog), effect.values, self._event)

    def _begun_anew(self, dialog: Dialog) -> Flow:
        root = dialog.frames[0]
        try:
            return self._flows.live(root.flow)
        except FlowMissing:  # taken out of use since
            return self._flows.get(root.flow, root.version)

    def _keep(self, step: Step) -> None:
        self._steps.append(step)
        dialog = step.dialog
        self.dialogs.pop(dialog.id, None)
        if dialog.contact_id is not None:
            self._contact = dialog.contact
        if dialog.status != "closed":
            self.dialogs = {dialog.id: dialog, **self.dialogs}

    # -------------------------------------------------------------------------------------------- one open question

    def has_open_question(self) -> bool:
        return any(has_open_question(self._flows, dialog) for dialog in self.dialogs.values())

    def settle_questions(self) -> None:
        """Park all questions but the newest one; when none is open, ask the last parked one again."""
        if len(self.dialogs) < 2 and not any(dialog.parked for dialog in self.dialogs.values()):
            return
        for channel in {step.dialog.channel for step in self._steps if step.dialog.contact_id is not None}:
            group = [
                dialog
                for dialog in self.dialogs.values()
                if dialog.channel == channel and dialog.contact_id is not None
            ]
            if len(group) > 1 or any(dialog.parked for dialog in group):
                self._settle(group)

    def _settle(self, group: Sequence[Dialog]) -> None:
        asking = [dialog for dialog in group if is_asking(self._flows, dialog) and not dialog.parked]
        if not any(dialog.status == "handed_off" for dialog in group):
            asking = asking[1:]  # the last active one keeps its question
        for dialog in asking:
            order = list(self.dialogs)
            self._keep(park(dialog))
            self.dialogs = {key: self.dialogs[key] for key in order}
        current = [self.dialogs[dialog.id] for dialog in group]
        if any(has_open_question(self._flows, dialog) for dialog in current):
            return
        parked = next((dialog for dialog in current if dialog.parked), None)
        if parked is not None:
            self._keep(ask_again(self._flows, self._fresh(parked), self._event))
