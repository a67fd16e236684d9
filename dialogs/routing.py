"""Which dialog gets what (FLOWS.md section 8): decisions only, `conversation.handle` carries them out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from dialogs.cleaning import clean, normal
from dialogs.commands import command_of
from dialogs.dialog import Dialog, new_dialog
from dialogs.engine_interrupts import find_interrupt
from dialogs.engine_limits import HOLD
from dialogs.engine_turn import Turn
from dialogs.engine_waits import would_take
from dialogs.events import BusinessEvent, ButtonPressed, DialogStarted, MessageReceived
from dialogs.flow import Ask, Call, Do, Flow, Handoff, Start
from dialogs.flows_set import Entry, Flows
from dialogs.payload import read_payload
from dialogs.record import record


@record(frozen=True, slots=True)
class ToDialog:
    """The dialog gets the event, and may still refuse it."""

    dialog: Dialog


@record(frozen=True, slots=True)
class StartFlow:
    """A flow begins with the variables `values`, after `ends` has ended `cancelled`."""

    flow: Flow
    values: Mapping[str, Any]
    ends: Dialog | None = None


@record(frozen=True, slots=True)
class AskAgain:
    """The command that began the dialog, once more before anything was answered: its question is repeated."""

    dialog: Dialog


@record(frozen=True, slots=True)
class Hold:
    """The event waits until the open question is left, at most until then."""

    until: datetime


@record(frozen=True, slots=True)
class Nobody:
    """No dialog and no flow wants it."""


@record(frozen=True, slots=True)
class Ignored:
    reason: str  # foreign_button, edit_recorded


@record(frozen=True, slots=True)
class OldButtonEnded:
    """A button of a dialog of this contact that is over."""


_TALKING = (Ask, Do, Call, Handoff)  # made once: a union in the call would be made for every question

Route = ToDialog | StartFlow | AskAgain | Hold | Nobody | Ignored | OldButtonEnded


# --------------------------------------------------------------------------------------------------- where a dialog is


def has_open_question(flows: Flows, dialog: Dialog) -> bool:
    """In `ask`, `do`, `call` of those, or a handoff: the customer talks here. A parked question is not open."""
    if dialog.status == "handed_off":
        return True
    if dialog.status == "closed" or dialog.parked or dialog.contact_id is None:
        return False
    return isinstance(_step_on_top(flows, dialog), _TALKING)


def is_asking(flows: Flows, dialog: Dialog) -> bool:
    return dialog.status == "active" and isinstance(_step_on_top(flows, dialog), Ask)


def _step_on_top(flows: Flows, dialog: Dialog) -> object:
    top = dialog.frames[-1]
    return flows.program(top.flow, top.version).flow.steps.get(top.step)


# ------------------------------------------------------------------------------------------------------------ messages


def route_message(
    flows: Flows,
    dialogs: Sequence[Dialog],
    event: MessageReceived | ButtonPressed,
    *,
    had_dialog: bool,
    channel: str,
    contact: Mapping[str, Any],
    own_dialogs: Collection[int] = (),
) -> Route:
    """Where a message or a press goes.

    `dialogs`: the open dialogs of the contact in this channel, last active first. `own_dialogs`: ids of ended dialogs
    of this contact, as far as the payload of a press names one.
    """
    handed_off = next((dialog for dialog in dialogs if dialog.status == "handed_off"), None)
    if isinstance(event, ButtonPressed):
        return _route_press(dialogs, event, handed_off, own_dialogs)
    if handed_off is not None:
        return ToDialog(handed_off)
    if event.edits is not None:
        return _route_edit(dialogs, event)
    text = clean(event.text) if event.text and not event.files else ""
    command = command_of(text)
    asking = next((dialog for dialog in dialogs if has_open_question(flows, dialog)), None)
    if asking is not None:
        begun = _command_past(flows, asking, event, command, channel, contact) if command else None
        return begun or ToDialog(asking)
    entry = None
    if command is not None:
        entry = _first(flows, flows.starts.commands.get(command[0], ()), event, channel, contact)
    if entry is None and text:
        entry = _first(flows, flows.starts.texts.get(normal(text), ()), event, channel, contact)
    if entry is not None:
        return entry
    for dialog in dialogs:
        if would_take(flows, dialog, event):
            return ToDialog(dialog)
    if not had_dialog and not dialogs:
        entry = _first(flows, flows.starts.first_message, event, channel, contact)
    return entry or _first(flows, flows.starts.any_message, event, channel, contact) or Nobody()


def _route_press(
    dialogs: Sequence[Dialog], event: ButtonPressed, handed_off: Dialog | None, own_dialogs: Collection[int]
) -> Route:
    pressed = read_payload(event.payload)
    if pressed is None:
        return Ignored("foreign_button")
    named = next((dialog for dialog in dialogs if dialog.id == pressed.dialog_id), None)
    if named is None and pressed.dialog_id not in own_dialogs:
        return Ignored("foreign_button")
    if handed_off is not None:
        return ToDialog(handed_off)
    return OldButtonEnded() if named is None else ToDialog(named)


def _route_edit(dialogs: Sequence[Dialog], event: MessageReceived) -> Route:
    """An edit never begins anything: at most it puts the last refused message right."""
    for dialog in dialogs:
        if dialog.top.refused is not None and dialog.top.refused == event.edits:
            return ToDialog(dialog)
    return Ignored("edit_recorded")


def _command_past(
    flows: Flows,
    asking: Dialog,
    event: MessageReceived,
    command: tuple[str, str | None],
    channel: str,
    contact: Mapping[str, Any],
) -> Route | None:
    """A command that begins a flow goes past the open question, unless the dialog knows it itself."""
    if not is_asking(flows, asking):
        return None  # a `do` first gets its outcome
    started = _first(flows, flows.starts.commands.get(command[0], ()), event, channel, contact)
    if started is None or find_interrupt(Turn(flows, asking, event), clean(event.text or "")) is not None:
        return None
    if started.flow.name == asking.frames[0].flow and not any(frame.answered for frame in asking.frames):
        return AskAgain(asking)
    return StartFlow(started.flow, started.values, ends=asking)


def _first(
    flows: Flows, entries: Sequence[Entry], event: MessageReceived, channel: str, contact: Mapping[str, Any]
) -> StartFlow | None:
    for flow, entry in entries:
        if channel in flow.channels:
            values = taken(flows, flow, entry, event, channel, contact)
            if values is not None:
                return StartFlow(flow, values)
    return None


def taken(
    flows: Flows,
    flow: Flow,
    entry: Start,
    event: MessageReceived | BusinessEvent,
    channel: str,
    contact: Mapping[str, Any],
) -> dict[str, Any] | None:
    """The variables that a `start` entry takes from the event; None if its `if` is false."""
    dialog = new_dialog(0, None, channel, flow.name, flow.version, flow.lang, contact)
    scope = Turn(flows, dialog, DialogStarted(event.id, event.at, occasion=event)).top.scope
    if entry.condition is not None and entry.condition.evaluate(scope) is not True:
        return None
    return {name: expression.evaluate(scope) for name, expression, _ in entry.take}


# ------------------------------------------------------------------------------------------------------ business events


def route_business(
    flows: Flows,
    dialogs: Sequence[Dialog],
    event: BusinessEvent,
    *,
    linked: Collection[int],
    channels: Sequence[str],
    can_write: bool,
    contact: Mapping[str, Any],
    now: datetime,
) -> tuple[Route, ...]:
    """Where a business event goes: at most one dialog, or the flows it begins.

    `dialogs`: the open dialogs of the contact in all channels, last active first; `linked`: ids of those (and of
    dialogs without a customer) that belong to the event's subject. `channels`: what the contact has used, the last one
    first. `can_write`: the contact is known or has a phone. After `Hold` the event is to be offered again when the
    open question is left, and at `until` at the latest, with `now` not before it.
    """
    until = event.at + HOLD
    asking = next((dialog for dialog in dialogs if has_open_question(flows, dialog)), None)
    for dialog in dialogs:
        if dialog.id in linked and would_take(flows, dialog, event):
            if asking is not None and asking.id != dialog.id and dialog.contact_id is not None and now < until:
                return (Hold(until),)
            return (ToDialog(dialog),)
    starts = _starts_by(flows, event, channels, can_write, contact)
    has_customer = any(start.flow.has_customer for start in starts)
    # An alert to managers does not wait for a customer; then the customer's flow does not wait either.
    if has_customer and len(starts) == 1 and asking is not None and now < until:
        return (Hold(until),)
    return starts or (Nobody(),)


def _starts_by(
    flows: Flows, event: BusinessEvent, channels: Sequence[str], can_write: bool, contact: Mapping[str, Any]
) -> tuple[StartFlow, ...]:
    """The first flow by name with a customer, and all without."""
    found: list[StartFlow] = []
    has_customer = False
    for flow, entry in flows.starts.events.get(event.kind, ()):
        if any(start.flow is flow for start in found) or (flow.has_customer and (has_customer or not can_write)):
            continue
        channel = channel_for(flow, channels)
        if flow.has_customer and channel is None:
            continue
        values = taken(flows, flow, entry, event, channel or "", contact)
        if values is not None:
            found.append(StartFlow(flow, values))
            has_customer = has_customer or flow.has_customer
    return tuple(found)


def channel_for(flow: Flow, channels: Sequence[str]) -> str | None:
    """The contact's last used channel among those of the flow, else WhatsApp by phone; None if there is none."""
    if not flow.has_customer:
        return ""
    used = next((channel for channel in channels if channel in flow.channels), None)
    return used or ("whatsapp" if "whatsapp" in flow.channels else None)
