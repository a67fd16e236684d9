"""Turning the steps that the engine decided into rows: state, journal, messages, timers, wishes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import orjson
import structlog

from bot.managers import handoff
from bot.turns.base import Turn
from bot.turns.people import contact_key, window_is_closed
from dialogs.dialog import Dialog
from dialogs.effects import (
    CancelTimer,
    CloseHandoff,
    CountGoal,
    Effect,
    EndDialog,
    ForwardToManager,
    Link,
    OpenHandoff,
    RunAction,
    SaveContact,
    SendMessage,
    SetTimer,
    StartDialog,
)
from dialogs.engine import Step
from storage.clock import to_ms
from storage.outbox import NewDelivery, short_key
from storage.tables import DeliveryState
from storage.unit import Contact, Conversation, DialogRow, finished_event

log = structlog.get_logger(__name__)

CLOSES_SOON = timedelta(minutes=15)
E164 = re.compile(r"\+[1-9][0-9]{7,14}")


def store_steps(
    turn: Turn, contact: Contact | None, conversation: Conversation | None, steps: Sequence[Step], *, event: str
) -> None:
    """Store what the turn decided. `event`: what happened, in one word, for the journal."""
    for step in steps:
        _store_step(turn, contact, conversation, step, event=event)


def _store_step(
    turn: Turn, contact: Contact | None, conversation: Conversation | None, step: Step, *, event: str
) -> None:
    unit = turn.unit
    dialog = step.dialog
    row = unit.dialog(dialog.id)
    top = dialog.top
    where = f"{top.flow}.{top.step}"
    base = dialog.frames[0]
    from_step = None if row is None else row.step
    state = turn.service.dialogs.write(dialog, instead=None if row is None else row.state)
    if row is None:
        row = DialogRow(
            dialog.id,
            None if conversation is None else conversation.id,
            None if contact is None else contact.id,
            dialog.channel,
            base.flow,
            base.version,
            where,
            dialog.status,
            None,
            dialog.turn,
            state,
            unit.now,
            unit.now,
        )
        unit.add_dialog(row)
    else:
        row.step, row.turn, row.state, row.updated_at = where, dialog.turn, state, unit.now
        row.is_moved = True
        if row.status != dialog.status or row.version != base.version:
            row.status, row.version, row.is_changed = dialog.status, base.version, True
    if conversation is not None and not conversation.had_dialog:
        conversation.had_dialog = True
        conversation.is_changed = True
    turn.dialog_id = dialog.id
    summary = _carry_out(turn, contact, conversation, dialog, row, step.effects)
    unit.add_turn(
        dialog_id=dialog.id,
        turn=dialog.turn,
        event_id=turn.event.id,
        event=event,
        at=unit.now,
        from_step=from_step,
        to_step=where,
        version=top.version,
        trace=orjson.dumps(step.trace, default=_plain).decode(),
        effects=orjson.dumps(summary, default=_plain).decode(),
    )


def _carry_out(
    turn: Turn,
    contact: Contact | None,
    conversation: Conversation | None,
    dialog: Dialog,
    row: DialogRow,
    effects: Sequence[Effect],
) -> list[dict[str, Any]]:
    """Order every effect; the messages of one turn together, so that the channel may join them."""
    unit = turn.unit
    summary: list[dict[str, Any]] = []
    said: list[SendMessage] = []
    key = contact_key(contact.id) if contact is not None else f"dialog:{dialog.id}"
    for effect in effects:
        if isinstance(effect, SendMessage):
            said.append(effect)
            continue
        summary.append({"effect": type(effect).__name__, **_shown(effect)})
        if isinstance(effect, SetTimer):
            unit.set_timer(dialog.id, effect.name, due_at=to_ms(effect.due_at), turn=dialog.turn, event_key=key)
        elif isinstance(effect, CancelTimer):
            unit.cancel_timer(dialog.id, effect.name)
        elif isinstance(effect, RunAction):
            _run_action(turn, conversation, dialog, effect, key)
        elif isinstance(effect, SaveContact):
            _save_contact(contact, effect.values)
        elif isinstance(effect, Link):
            unit.link(effect.subject, dialog.id)
        elif isinstance(effect, CountGoal):
            unit.add_goal(flow=row.flow, version=row.version, goal=effect.goal, dialog_id=dialog.id)
        elif isinstance(effect, EndDialog):
            row.tag, row.status, row.is_changed = effect.tag, "closed", True
            unit.end_timers(dialog.id)
        elif isinstance(effect, OpenHandoff):
            handoff.opened(turn, contact, conversation, dialog, effect)
        elif isinstance(effect, CloseHandoff):
            handoff.ended(turn, conversation, dialog, effect)
        elif isinstance(effect, ForwardToManager):
            handoff.forward(turn, contact, conversation, effect)
        elif isinstance(effect, StartDialog):
            pass  # the engine has begun it already: it is a step of its own
    if said:
        summary = _send(turn, conversation, dialog, said) + summary
    return summary


def _send(
    turn: Turn, conversation: Conversation | None, dialog: Dialog, said: Sequence[SendMessage]
) -> list[dict[str, Any]]:
    if conversation is None:
        log.error("message_without_conversation", dialog_id=dialog.id)
        return []
    summary: list[dict[str, Any]] = []
    closed = window_is_closed(turn, conversation)
    channel = turn.service.channels[conversation.channel]
    for message in _as_templates(said) if closed else channel.merge(_inside(turn, conversation, said)):
        reason = send_message(
            turn,
            conversation,
            message,
            key=f"d{dialog.id}.{dialog.turn}",
            dialog=dialog,
            closed=closed,
            author=turn.data.get("author"),
        )
        summary.append({"effect": "SendMessage", "text": message.text, "step": message.step,
                        "options": [option.id for option in message.options], **reason})  # fmt: skip
    return summary


def _inside(turn: Turn, conversation: Conversation, said: Sequence[SendMessage]) -> Sequence[SendMessage]:
    """Well inside the window no template is needed, and messages without one can be joined."""
    closes_soon = turn.now + CLOSES_SOON
    if window_is_closed(turn, conversation, at=closes_soon):
        return said
    return [replace(message, template=None) if message.template is not None else message for message in said]


def _as_templates(said: Sequence[SendMessage]) -> list[SendMessage]:
    """Outside the window: the same template with the same words only once in a turn."""
    kept: list[SendMessage] = []
    for message in said:
        if not (kept and message.template is not None and kept[-1].template == message.template):
            kept.append(message)
    return kept


def send_message(
    turn: Turn,
    conversation: Conversation,
    message: SendMessage,
    *,
    key: str,
    dialog: Dialog | None = None,
    closed: bool | None = None,
    author: str | None = None,
) -> dict[str, Any]:
    """Put one message into the history and the outbox. Returns what the journal should say of the window."""
    unit = turn.unit
    channel = turn.service.channels[conversation.channel]
    if closed is None:
        closed = window_is_closed(turn, conversation)
    use_template = closed and message.template is not None
    parked = closed and message.template is None
    dialog_id = None if dialog is None else dialog.id
    for part, rendered in enumerate(channel.render(message)):
        if use_template and part > 0:
            break  # a template says it all
        params = {**rendered, "account": conversation.account}
        message_id = unit.add_message(
            conversation_id=conversation.id,
            dialog_id=dialog_id,
            direction="out",
            kind="template" if use_template else "question" if message.is_question else "text",
            text=message.text if part == 0 else None,
            status="parked" if parked else "queued",
            at=unit.now,
            files=[asdict(file) for file in message.files] if part == 0 and message.files else None,
            author=author,
        )
        unit.send(
            NewDelivery(
                key=f"{key}.{len(unit.delivered)}",
                system=conversation.channel,
                action="send",
                recipient=conversation.address,
                params={**params, "use_template": True} if use_template else params,
                created_at=unit.now,
                dialog_id=dialog_id,
                conversation_id=conversation.id,
                message_id=message_id,
                turn=None if dialog is None else dialog.turn,
                state=DeliveryState.PARKED if parked else turn.first_state,
                error="waits until the customer writes: 24 hours are over" if parked else None,
            )
        )
    if parked:
        handoff.parked(turn, conversation, message)
        return {"window": "closed", "sent_as": "parked"}
    return {"window": "closed", "sent_as": "template"} if use_template else {}


def _run_action(
    turn: Turn, conversation: Conversation | None, dialog: Dialog, effect: RunAction, event_key: str
) -> None:
    unit = turn.unit
    waiter = {
        "dialog_id": dialog.id,
        "contact_id": dialog.contact_id,
        "turn": dialog.turn,
        "step": effect.step,
        "event_key": event_key,
        "wanted": effect.key,
    }
    params: Mapping[str, Any] = _with_channel(effect.params, dialog.channel)
    system = turn.service.systems_of_actions.get(effect.action)
    recipient = f"dialog:{dialog.id}"
    problem = None if system else "this system is not configured"
    if effect.action == "telegram.notify" and system:
        target = turn.service.groups.target(str(params.get("group") or "managers"), conversation, params)
        if target is None:
            problem = "no Telegram group is configured for this notice"
        else:
            recipient, params = target
    if problem is not None or system is None:
        unit.events.append(
            finished_event(
                waiter,
                key=effect.key,
                action=effect.action,
                ok=False,
                result={},
                code="unavailable",
                message=problem,
                now=unit.now,
                again=True,
            )
        )
        return
    turn.data["waits_for_action"] = True
    unit.wish(
        NewDelivery(
            key=short_key(effect.key),
            system=system,
            action=effect.action,
            recipient=recipient,
            params=params,
            created_at=unit.now,
            dialog_id=dialog.id,
            conversation_id=None if conversation is None else conversation.id,
            waiters=(waiter,),
            state=turn.first_state,
        )
    )


def _with_channel(params: Mapping[str, Any], channel: str) -> dict[str, Any]:
    """Files are fetched from the channel that they came by."""
    return {
        name: [{**file, "channel": file.get("channel", channel)} for file in value]
        if isinstance(value, list) and value and all(isinstance(f, dict) and "kind" in f for f in value)
        else value
        for name, value in params.items()
    }


def _save_contact(contact: Contact | None, values: Mapping[str, Any]) -> None:
    if contact is None:
        return
    contact.variables = {**contact.variables, **values}
    contact.is_changed = True
    phone = values.get("phone")
    if isinstance(phone, str) and E164.fullmatch(phone) and not contact.phone_is_proven:
        contact.phone = phone


def _shown(effect: Effect) -> dict[str, Any]:
    return {name: getattr(effect, name) for name in effect.__slots__}


def _plain(value: Any) -> Any:
    if hasattr(value, "__slots__"):
        return {name: getattr(value, name) for name in value.__slots__}
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
