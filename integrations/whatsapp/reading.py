"""What a stored event of WhatsApp means. Contract: section 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

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
    Wire,
)
from integrations.whatsapp.splitting import OBJECT, ROUTED_FIELDS
from integrations.whatsapp.wire import changes_of, contact_for, moment, number_of, parse

CHANNEL = "whatsapp"
RANKS = {"sent": 2, "delivered": 3, "read": 4, "played": 5, "failed": 0}
UNKNOWN_RANK = -1  # below everything: a status that we do not know changes nothing

W = TypeVar("W", bound=Wire)


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
                    item = _first(value.get(array))
                    if item is not None:
                        if number not in numbers:
                            return (Nothing("the update is for a number that is not configured here"),)
                        return meaning(event, number, value, item)
                problem = _first(value.get("errors"))
                if problem is not None and number in numbers:
                    return (account_notice(_parsed(GraphProblem, problem)),)
            if number is None and field in ROUTED_FIELDS:
                raise CannotRead("the update does not say which number it is for")
            if isinstance(field, str):
                return (field_notice(field, value),)
        raise CannotRead("there is no update that we know in the body")

    return read


def _first(items: Any) -> dict[str, Any] | None:
    """The stored body of an event holds one item; broken neighbours are events of their own."""
    return next((item for item in items if isinstance(item, dict)), None) if isinstance(items, list) else None


def _parsed(schema: type[W], item: dict[str, Any]) -> W:
    try:
        return schema.model_validate(item)
    except ValidationError as error:
        wrong = ", ".join(".".join(str(part) for part in problem["loc"]) for problem in error.errors())
        raise CannotRead(f"not as documented: {wrong}") from error


def _message(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    message = _parsed(InboundMessage, item)
    if message.from_ is None and message.from_user_id is None:
        raise CannotRead("a message without a sender")
    at = moment(message.timestamp) or event.received_at
    person = _person(value, message.from_, message.from_user_id)
    if message.type == "system" and message.system is not None:
        return (_system(number, person, message, message.system, at),)
    about = _noted(message)
    if about is not None:
        kind, text, subject = about
        return (CustomerNoted(CHANNEL, number, person, kind, at, text, message.id, subject),)
    errors = value.get("errors")  # of the whole change: they explain a message that came without its content
    around = (
        [_parsed(GraphProblem, error) for error in errors if isinstance(error, dict)]
        if isinstance(errors, list)
        else []
    )
    problems = message.errors or around
    return (said(event, number, person, message, problems, at),)


def _noted(message: InboundMessage) -> tuple[str, str | None, str | None] | None:
    """(kind, text, message that it is about) of what belongs to the history and not to a flow."""
    if message.type == "reaction" and message.reaction is not None:
        return "reaction", message.reaction.emoji or None, message.reaction.message_id  # no emoji: taken back
    if message.type == "revoke" and message.revoke is not None:
        return "deleted", None, message.revoke.original_message_id
    if message.type == "request_welcome":
        return "opened", None, None
    if message.type == "unsupported" and message.unsupported is not None and message.unsupported.type == "edit":
        return "edited", None, message.context.id if message.context is not None else None  # without the new text
    if message.interactive is not None and message.interactive.type == "call_permission_reply":
        return "call_permission", None, message.context.id if message.context is not None else None
    return None


def _system(number: str, person: Person, message: InboundMessage, system: System, at: datetime) -> Fact:
    """A new number or BSUID moves the identity; a new device only is told.

    The old BSUID stays with the contact as an address: the body names it in words only.
    """
    old = message.from_ or message.from_user_id or ""
    new = tuple(
        dict.fromkeys(
            address for address in (system.wa_id or system.new_wa_id, system.user_id) if address and address != old
        )
    )
    if new:
        return AddressMoved(CHANNEL, number, old, new, at, system.body)
    return CustomerNoted(CHANNEL, number, person, system.type or "system", at, system.body, message.id)


def _person(value: dict[str, Any], wa_id: str | None, user_id: str | None) -> Person:
    """The phone first: an answer by phone also reaches people whose BSUID belongs to another portfolio."""
    found = contact_for(value.get("contacts"), wa_id, user_id)
    contact = _parsed(Contact, found) if found is not None else Contact()
    wa_id = wa_id or contact.wa_id
    addresses = tuple(dict.fromkeys(a for a in (wa_id, contact.wa_id, user_id, contact.user_id) if a))
    profile = contact.profile
    return Person(
        addresses,
        name=profile.name if profile is not None else None,
        username=profile.username.removeprefix("@") if profile is not None and profile.username else None,
        phone=f"+{wa_id}" if wa_id and wa_id.isascii() and wa_id.isdigit() and 8 <= len(wa_id) <= 15 else None,
    )


def _status(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    status = _parsed(MessageStatus, item)
    problem = status.errors[0] if status.errors else None
    return (
        DeliveryReported(
            CHANNEL,
            status.id,
            status.status,
            RANKS.get(status.status, UNKNOWN_RANK),
            moment(status.timestamp) or event.received_at,
            key=key_of(status.biz_opaque_callback_data),
            code=str(problem.code) if problem is not None and problem.code is not None else None,
            error=problem.details if problem is not None else None,
            window_closed=problem is not None and problem.code == WINDOW_CLOSED,
        ),
    )


def _echo(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    """A manager answered from the phone app."""
    message = _parsed(InboundMessage, item)
    at = moment(message.timestamp) or event.received_at
    person = _person(value, message.to, message.to_user_id)
    content = message.edit.message if message.edit is not None and message.edit.message is not None else message
    return (ManagerWrote(CHANNEL, number, person, at, text_of(content), message.id, files_of(content)),)


def _preference(event: StoredEvent, number: str, value: dict[str, Any], item: dict[str, Any]) -> Sequence[Fact]:
    wish = _parsed(Preference, item)
    at = moment(wish.timestamp) or event.received_at
    person = _person(value, wish.wa_id, wish.user_id)
    return (CustomerNoted(CHANNEL, number, person, "preference", at, f"{wish.category}: {wish.value}"),)


_MEANINGS: dict[str, Callable[[StoredEvent, str, dict[str, Any], dict[str, Any]], Sequence[Fact]]] = {
    "messages": _message,
    "statuses": _status,
    "message_echoes": _echo,
    "user_preferences": _preference,
}
