"""What a stored event of WhatsApp means. Contract: section 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from datetime import datetime
from typing import Any

from integrations.base import (
    AddressMoved,
    CannotRead,
    CustomerNoted,
    DeliveryReported,
    Fact,
    ManagerWrote,
    Nothing,
    Person,
    Reader,
    StoredEvent,
)
from integrations.whatsapp.contents import files_of, said, text_of
from integrations.whatsapp.errors import WINDOW_CLOSED, key_of
from integrations.whatsapp.notices import account_notice, field_notice
from integrations.whatsapp.schemas import (
    Contact,
    GraphProblem,
    InboundMessage,
    MessageStatus,
    Preference,
    System,
    problems_of,
)
from integrations.whatsapp.splitting import OBJECT, ROUTED_FIELDS
from integrations.whatsapp.wire import changes_of, contact_for, moment, number_of, parse

CHANNEL = "whatsapp"
RANKS = {"sent": 2, "delivered": 3, "read": 4, "played": 5, "failed": 0}
UNKNOWN_RANK = -1  # below everything: a status that we do not know changes nothing


def make_reader(numbers: Set[str]) -> Reader:
    """A reader of stored events. `numbers` are the ids of ours: what was foreign once may be ours on a replay."""

    def read(event: StoredEvent) -> Sequence[Fact]:
        try:
            document = parse(event.body)
        except ValueError as error:
            raise CannotRead("the body is not JSON") from error
        about = document.get("object") if isinstance(document, dict) else None
        if isinstance(about, str) and about != OBJECT:
            return (Nothing("the update is about another Meta product"),)
        for _, change in changes_of(document):
            field, value = change.get("field"), change.get("value")
            number = number_of(value)
            if number is not None and isinstance(value, dict):
                for array, meaning in _MEANINGS.items():
                    item = _first(value[array]) if array in value else None
                    if item is not None:
                        if number not in numbers:
                            return (Nothing("the update is for a number that is not configured here"),)
                        return meaning(event, number, value, item)
                problem = _first(value.get("errors"))
                if problem is not None and number in numbers:
                    return (account_notice(GraphProblem(problem)),)
            if isinstance(field, str):
                if number is None and field in ROUTED_FIELDS:
                    raise CannotRead("the update does not say which number it is for")
                return (field_notice(field, value),)
        raise CannotRead("there is no update that we know in the body")

    return read


def _first(items: Any) -> dict[str, Any] | None:
    """The stored body of an event holds one item; broken neighbours are events of their own."""
    if isinstance(items, list):
        for item in items:
            if isinstance(item, dict):
                return item
    return None


def _message(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    message = InboundMessage(item)
    at = moment(item.get("timestamp")) or event.received_at
    person = _person(value, message.from_, message.from_user_id)
    if message.type == "system" and (system := message.system) is not None:
        return (_system(number, person, message, system, at),)
    about = _noted(message)
    if about is not None:
        kind, text, subject = about
        return (CustomerNoted(CHANNEL, number, person, kind, at, text, message.id, subject),)
    # Errors of the whole change explain a message that came without its content.
    problems = problems_of(item) or problems_of(value)
    return (said(event, number, person, message, problems, at),)


def _noted(message: InboundMessage) -> tuple[str, str | None, str | None] | None:
    """(kind, text, message that it is about) of what belongs to the history and not to a flow."""
    kind = message.type
    if kind == "reaction" and (reaction := message.reaction) is not None:
        return "reaction", reaction.emoji or None, reaction.message_id  # no emoji: taken back
    if kind == "revoke" and (revoke := message.revoke) is not None:
        return "deleted", None, revoke.original_message_id
    if kind == "request_welcome":
        return "opened", None, None
    if kind == "unsupported" and message.unsupported_type == "edit":
        return "edited", None, message.context.id if message.context is not None else None  # without the new text
    if message.interactive is not None and message.interactive.type == "call_permission_reply":
        return "call_permission", None, message.context.id if message.context is not None else None
    return None


def _system(number: str, person: Person, message: InboundMessage, system: System, at: datetime) -> Fact:
    """A new number or BSUID moves the identity; a new device only is told.

    The old BSUID stays with the contact as an address: the body names it in words only.
    """
    old = message.from_ or message.from_user_id or ""
    new = tuple(dict.fromkeys(address for address in (system.wa_id, system.user_id) if address and address != old))
    if new:
        return AddressMoved(CHANNEL, number, old, new, at, system.body)
    return CustomerNoted(CHANNEL, number, person, system.type or "system", at, system.body, message.id)


def _person(value: dict[str, Any], wa_id: str | None, user_id: str | None) -> Person:
    """The phone first: an answer by phone also reaches people whose BSUID belongs to another portfolio.

    Raises CannotRead if nobody is named: a person without an address could not be answered.
    """
    found = contact_for(value.get("contacts"), wa_id, user_id)
    contact = Contact(found or {})
    addresses: list[str] = []
    for address in (wa_id, contact.wa_id, user_id, contact.user_id):
        if address and address not in addresses:
            addresses.append(address)
    if not addresses:
        raise CannotRead("an update without a person")
    username = contact.username.removeprefix("@") if contact.username else None
    wa_id = wa_id or contact.wa_id
    is_number = wa_id is not None and wa_id.isascii() and wa_id.isdigit() and 8 <= len(wa_id) <= 15
    return Person(tuple(addresses), contact.name, username, None, f"+{wa_id}" if is_number else None)


def _status(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    status = MessageStatus(item)
    problem = status.problems[0] if status.problems else None
    at = moment(item.get("timestamp")) or event.received_at
    rank, key = RANKS.get(status.status, UNKNOWN_RANK), key_of(status.biz_opaque_callback_data)
    if problem is None:
        return (DeliveryReported(CHANNEL, status.id, status.status, rank, at, key),)
    code = str(problem.code) if problem.code is not None else None
    is_closed = problem.code == WINDOW_CLOSED
    return (DeliveryReported(CHANNEL, status.id, status.status, rank, at, key, code, problem.details, is_closed),)


def _echo(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    """A manager answered from the phone app."""
    message = InboundMessage(item)
    at = moment(item.get("timestamp")) or event.received_at
    person = _person(value, message.to, message.to_user_id)
    edit = message.edit
    content = edit.message if edit is not None and edit.message is not None else message
    return (ManagerWrote(CHANNEL, number, person, at, text_of(content), message.id, files_of(content)),)


def _preference(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    wish = Preference(item)
    at = moment(item.get("timestamp")) or event.received_at
    person = _person(value, wish.wa_id, wish.user_id)
    return (CustomerNoted(CHANNEL, number, person, "preference", at, f"{wish.category}: {wish.value}"),)


_MEANINGS: dict[str, Callable[[StoredEvent, str, dict[str, Any], dict[str, Any]], Sequence[Fact]]] = {
    "messages": _message,
    "statuses": _status,
    "message_echoes": _echo,
    "user_preferences": _preference,
}
