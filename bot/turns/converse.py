"""Between rows and the engine: build the conversation, let it handle the event, store what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bot.managers import handoff
from bot.managers.words import word
from bot.turns.base import Held, Rejected, Turn
from bot.turns.people import contact_key, conversation_of
from bot.turns.store import send_message, store_steps
from dialogs.conversation import Conversation as Talk
from dialogs.conversation import Outcome
from dialogs.conversation import apologize as decide_late
from dialogs.conversation import handle as decide
from dialogs.dialog import Dialog
from dialogs.effects import SendMessage
from dialogs.engine import Step, take_over
from dialogs.engine_limits import EventNotAccepted
from dialogs.events import (
    BusinessEvent,
    ButtonPressed,
    EffectFinished,
    Event,
    ManagerActed,
    MessageReceived,
    TimerFired,
)
from dialogs.payload import read_payload
from storage.clock import from_ms
from storage.unit import Contact, Conversation, DialogRow

log = structlog.get_logger(__name__)

_WORDS: Mapping[type, str] = {
    MessageReceived: "message",
    ButtonPressed: "press",
    EffectFinished: "effect",
    TimerFired: "timer",
    ManagerActed: "manager",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message came to, for the caller."""

    dialog_id: int | None
    nobody: bool


def hear(turn: Turn, contact: Contact, conversation: Conversation, event: MessageReceived | ButtonPressed) -> Heard:
    """A message or a press of a customer."""
    talk = _talk_of_customer(turn, contact, conversation, event)
    outcome = decide(turn.flows, talk, event, new_id=turn.unit.next_id, now=turn.now)
    return _heard(turn, contact, conversation, outcome, event)


def apologize(
    turn: Turn, contact: Contact, conversation: Conversation, event: MessageReceived | ButtonPressed
) -> Heard:
    """A message or a press that came too late to be answered as if it were new."""
    talk = _talk_of_customer(turn, contact, conversation, event)
    outcome = decide_late(turn.flows, talk, event)
    if isinstance(outcome, SendMessage):
        send_message(turn, conversation, outcome, key=f"e{turn.event.id}/late")
        return hear(turn, contact, conversation, event)
    return _heard(turn, contact, conversation, outcome, event)


def is_with_people(turn: Turn, contact: Contact, conversation: Conversation) -> bool:
    """Whether a manager has the talk."""
    return any(
        dialog.status == "handed_off" and dialog.channel == conversation.channel for dialog in _dialogs(turn, contact)
    )


def _talk_of_customer(turn: Turn, contact: Contact, conversation: Conversation, event: Event) -> Talk:
    return Talk(
        contact_id=contact.id,
        channel=conversation.channel,
        dialogs=_dialogs(turn, contact),
        contact=contact.variables,
        lang=contact.lang or "ru",
        had_dialog=conversation.had_dialog,
        last_message_at=_last_in(conversation),
        channels=_channels(turn, contact),
        own_dialogs=_own_dialog(turn, contact, event),
    )


def _heard(turn: Turn, contact: Contact, conversation: Conversation, outcome: Outcome, event: Event) -> Heard:
    _store(turn, contact, conversation, outcome, event)
    if outcome.ignored is not None:
        turn.ignored = outcome.ignored
    return Heard(turn.dialog_id, outcome.nobody)


def in_dialog(
    turn: Turn, dialog_id: int, event: TimerFired | EffectFinished | ManagerActed, *, author: str | None = None
) -> None:
    """An event that names its dialog."""
    unit = turn.unit
    row = unit.dialog(dialog_id)
    if row is None:
        turn.ignored = "the dialog does not exist any more"
        return
    contact = None if row.contact_id is None else unit.contact(row.contact_id)
    conversation = None if row.conversation_id is None else unit.conversation(row.conversation_id)
    turn.data["author"] = author
    outcome = decide(
        turn.flows,
        Talk(
            contact_id=row.contact_id,
            channel=row.channel,
            dialogs=_dialogs(turn, contact, row),
            contact={} if contact is None else contact.variables,
            lang=(contact.lang if contact else None) or "ru",
            had_dialog=True,
            last_message_at=_last_in(conversation),
            channels=() if contact is None else _channels(turn, contact),
        ),
        event,
        new_id=unit.next_id,
        dialog_id=dialog_id,
        now=turn.now,
    )
    turn.dialog_id = dialog_id
    _store(turn, contact, conversation, outcome, event)
    if outcome.ignored is not None:
        turn.ignored = outcome.ignored


def offer(
    turn: Turn,
    event: BusinessEvent,
    linked: Sequence[DialogRow],
    contact: Contact | None,
    *,
    subjects: Sequence[str] = (),
) -> None:
    """A business event: to the dialogs of its subject, then to the flows that it begins.

    Raises Held when it is to wait for a question to be left.
    """
    unit = turn.unit
    without_customer = [row for row in linked if row.contact_id is None]
    outcome = decide(
        turn.flows,
        Talk(
            contact_id=None if contact is None else contact.id,
            channel="",
            dialogs=[*_dialogs(turn, contact), *(turn.service.dialogs.read(row.state, {}) for row in without_customer)],
            contact={} if contact is None else contact.variables,
            lang=(contact.lang if contact else None) or "ru",
            had_dialog=bool(contact),
            channels=() if contact is None else _channels(turn, contact),
            can_write=contact is not None or event.phone is not None,
            linked={row.id for row in linked},
        ),
        event,
        new_id=unit.next_id,
        subjects=subjects,
        now=turn.now,
    )
    if outcome.held_until is not None:
        key = None if contact is None else contact_key(contact.id)
        raise Held(outcome.held_until, key=key)
    _store(turn, contact, None, outcome, event)
    if outcome.nobody or (not outcome.steps and outcome.ignored):
        turn.ignored = outcome.ignored or "no dialog and no flow wants it"


def silence(turn: Turn, contact: Contact, conversation: Conversation) -> None:
    """The business wrote past the bot: the bot gives its open question to people."""
    for dialog in _dialogs(turn, contact):
        if dialog.channel != conversation.channel:
            continue
        try:
            step = take_over(dialog, turn.now)
        except EventNotAccepted:
            continue
        if dialog.status == "active" and _is_asking(turn, dialog):
            store_steps(turn, contact, conversation, [step], event="manager")


def _is_asking(turn: Turn, dialog: Dialog) -> bool:
    from dialogs.routing import has_open_question

    return has_open_question(turn.flows, dialog)


def _store(
    turn: Turn, contact: Contact | None, conversation: Conversation | None, outcome: Outcome, event: Event
) -> None:
    name = event.kind if isinstance(event, BusinessEvent) else _WORDS.get(type(event), "start")
    for step in outcome.steps:
        person, talk = _place(turn, contact, conversation, step, event)
        store_steps(turn, person, talk, [step], event=name)
    if conversation is not None:
        for message in outcome.messages:
            send_message(turn, conversation, message, key=turn.order_key)
    if outcome.question_left and contact is not None:
        turn.unit.questions_left.add(contact_key(contact.id))
    if outcome.failed is not None:
        if contact is not None and conversation is not None:
            text = word("failed", handoff.LANG, dialog=str(turn.dialog_id), reason=type(outcome.failed).__name__)
            handoff.alert(turn, text)
        log.error("turn_failed", dialog_id=turn.dialog_id, event_id=turn.event.id, exc_info=outcome.failed)
        raise Rejected(f"the flow could not handle it: {outcome.failed}")


def _place(
    turn: Turn, contact: Contact | None, conversation: Conversation | None, step: Step, event: Event
) -> tuple[Contact | None, Conversation | None]:
    """Whose dialog a step is of, and where its messages go."""
    dialog = step.dialog
    if dialog.contact_id is None and (conversation is None or contact is None or dialog.channel == ""):
        if dialog.channel == "" or not isinstance(event, BusinessEvent) or event.phone is None:
            return None, None
        contact = _stranger(turn, event.phone)
    if contact is None:
        return None, None
    if conversation is not None and conversation.channel == dialog.channel:
        return contact, conversation
    row = turn.unit.dialog(dialog.id)
    if row is not None and row.conversation_id is not None:
        return contact, turn.unit.conversation(row.conversation_id)
    for known in turn.unit.conversations_of(contact.id):
        if known.channel == dialog.channel:
            return contact, known
    return contact, _first_conversation(turn, contact, dialog.channel)


def _stranger(turn: Turn, phone: str) -> Contact:
    """Somebody whom only another system named, by the phone."""
    unit = turn.unit
    known = unit.contacts_with_phone(phone)
    if known:
        return known[0]
    contact = unit.contact_at("whatsapp", phone.removeprefix("+"))
    if contact is None:
        contact = unit.add_contact(name=None, username=None, lang=None, phone=phone)
        contact.phone_is_proven = False
    return contact


def _first_conversation(turn: Turn, contact: Contact, channel: str) -> Conversation | None:
    """We write first: possible where a phone is an address."""
    if contact.phone is None or channel not in turn.service.channels:
        return None
    address = contact.phone.removeprefix("+")
    account = turn.service.channels[channel].account
    if turn.unit.contact_at(channel, address) is None:
        turn.unit.add_address(contact, channel, address)
    return conversation_of(turn, contact, channel, account, address)


def _dialogs(turn: Turn, contact: Contact | None, named: DialogRow | None = None) -> list[Dialog]:
    """Open dialogs, the last active first."""
    rows = [] if contact is None else turn.unit.open_dialogs(contact.id)
    if named is not None and named.status != "closed" and all(row.id != named.id for row in rows):
        rows = [named, *rows]
    variables: Mapping[str, Any] = {} if contact is None else contact.variables
    known = turn.service.dialogs
    return [known.read(row.state, variables) for row in rows]


def _channels(turn: Turn, contact: Contact) -> list[str]:
    """Those the contact has used, the last one first."""
    return list(dict.fromkeys(c.channel for c in turn.unit.conversations_of(contact.id) if c.last_in_at))


def _own_dialog(turn: Turn, contact: Contact, event: Event) -> Collection[int]:
    """The ended dialog that a press names, if it was this contact's."""
    pressed = read_payload(event.payload) if isinstance(event, ButtonPressed) else None
    if pressed is None or pressed.dialog_id > 2**62:
        return ()
    row = turn.unit.dialog(pressed.dialog_id)
    return () if row is None or row.contact_id != contact.id else (row.id,)


def _last_in(conversation: Conversation | None) -> Any:
    return None if conversation is None or conversation.last_in_at is None else from_ms(conversation.last_in_at)
