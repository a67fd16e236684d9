"""Who is talking: contacts, their addresses and conversations."""

from __future__ import annotations

from datetime import datetime

import structlog

from bot.turns.base import Turn
from integrations.base import Person
from storage.clock import to_ms
from storage.unit import Contact, Conversation

log = structlog.get_logger(__name__)


def contact_key(contact_id: int) -> str:
    """Key of the events that the service itself makes for a person."""
    return f"contact:{contact_id}"


def find_contact(turn: Turn, channel: str, person: Person) -> Contact | None:
    for address in person.addresses:
        contact = turn.unit.contact_at(channel, address)
        if contact is not None:
            return contact
    return None


def know(turn: Turn, channel: str, account: str, person: Person) -> tuple[Contact, Conversation]:
    """The contact and the conversation of somebody who wrote; new ones if he never did before."""
    unit = turn.unit
    contact = find_contact(turn, channel, person)
    if contact is None:
        contact = unit.add_contact(
            name=_cut(person.name, 200), username=_cut(person.username, 100), lang=person.language, phone=person.phone
        )
    else:
        _learn(contact, person)
    for address in person.addresses:
        known = unit.contact_at(channel, address)
        if known is None:
            unit.add_address(contact, channel, address)
        elif known.id != contact.id:
            # Seen apart before, together now: one person. The histories stay where they are.
            log.warning("address_moved_between_contacts", contact_id=contact.id, from_contact_id=known.id)
            unit.move_address(contact, channel, address)
    return contact, conversation_of(turn, contact, channel, account, person.addresses[0])


def conversation_of(turn: Turn, contact: Contact, channel: str, account: str, address: str) -> Conversation:
    for conversation in turn.unit.conversations_of(contact.id):
        if conversation.channel == channel and conversation.account == account:
            if conversation.address != address:
                conversation.address = address
                conversation.is_changed = True
            return conversation
    return turn.unit.add_conversation(
        contact, channel=channel, account=account, address=address, key=contact_key(contact.id)
    )


def heard(turn: Turn, conversation: Conversation, at_ms: int) -> None:
    """The customer wrote: the window is open from that moment on, and what was parked may go."""
    if conversation.last_in_at is None or at_ms > conversation.last_in_at:
        conversation.last_in_at = at_ms
    conversation.last_at = turn.unit.now
    conversation.is_touched = True
    if conversation.unreachable is not None:
        conversation.unreachable = None
        conversation.is_changed = True
    turn.unit.unpark(conversation.id)


def window_is_closed(turn: Turn, conversation: Conversation, *, at: datetime | None = None) -> bool:
    """Whether the channel lets us write only templates to this person now, or at that time."""
    channel = turn.service.channels.get(conversation.channel)
    if channel is None or channel.window_s is None:
        return False
    if conversation.last_in_at is None:
        return True
    return to_ms(at or turn.now) - conversation.last_in_at >= channel.window_s * 1000


def _learn(contact: Contact, person: Person) -> None:
    for name in ("name", "username"):
        value = _cut(getattr(person, name), 200 if name == "name" else 100)
        if value and value != getattr(contact, name):
            setattr(contact, name, value)
            contact.is_changed = True
    if person.language and contact.lang is None:
        contact.lang = person.language
        contact.is_changed = True
    if person.phone and not (contact.phone_is_proven and contact.phone == person.phone):
        contact.phone, contact.phone_is_proven = person.phone, True
        contact.is_changed = True


def _cut(text: str | None, limit: int) -> str | None:
    return None if not text else text[:limit]


__all__ = [
    "contact_key",
    "conversation_of",
    "find_contact",
    "heard",
    "know",
    "window_is_closed",
]
