"""Things of a customer that are kept in the history and reach no flow."""

from __future__ import annotations

from bot.managers import handoff
from bot.managers.words import word
from bot.turns.base import Turn
from bot.turns.people import find_contact, know
from integrations.base import AddressMoved, CustomerNoted, ManagerWrote, Person
from storage.clock import to_ms


def handle(turn: Turn, fact: CustomerNoted) -> None:
    contact, conversation = know(turn, fact.channel, fact.account, fact.person)
    turn.unit.add_message(
        conversation_id=conversation.id,
        dialog_id=_open_dialog(turn, contact.id, fact.channel),
        direction="in",
        kind=fact.kind,
        text=fact.text,
        status="received",
        at=to_ms(fact.at),
        external_id=fact.message_id,
    )
    if fact.kind == "blocked":
        conversation.unreachable = "the customer blocked the bot"
        conversation.is_changed = True
    elif fact.kind == "unblocked":
        conversation.unreachable = None
        conversation.is_changed = True
    turn.ignored = f"{fact.kind}: kept in the history"


def manager_wrote(turn: Turn, fact: ManagerWrote) -> None:
    """The business answered from the phone app."""
    contact, conversation = know(turn, fact.channel, fact.account, fact.person)
    turn.unit.add_message(
        conversation_id=conversation.id,
        dialog_id=_open_dialog(turn, contact.id, fact.channel),
        direction="out",
        kind="echo",
        text=fact.text,
        status="sent",
        at=to_ms(fact.at),
        external_id=fact.message_id,
        author="phone",
    )
    from bot.turns.converse import silence

    silence(turn, contact, conversation)


def address_moved(turn: Turn, fact: AddressMoved) -> None:
    """A new number: the identity moves, dialogs and history stay. Two known people are not merged."""
    unit = turn.unit
    contact = find_contact(turn, fact.channel, Person((fact.old,)))
    if contact is None:
        turn.ignored = "the old address is not known here"
        return
    taken = False
    for address in fact.new:
        other = unit.contact_at(fact.channel, address)
        if other is None:
            unit.add_address(contact, fact.channel, address)
        elif other.id != contact.id:
            taken = True
    if not taken:
        for conversation in unit.conversations_of(contact.id):
            if conversation.channel == fact.channel and conversation.address == fact.old and fact.new:
                conversation.address = fact.new[0]
                conversation.is_changed = True
    conversations = [c for c in unit.conversations_of(contact.id) if c.channel == fact.channel]
    if conversations:
        text = word(
            "moved",
            handoff.LANG,
            who=handoff.topic_title(contact, conversations[0]),
            old=fact.old,
            new=", ".join(fact.new),
        )
        handoff.alert(turn, text)


def _open_dialog(turn: Turn, contact_id: int, channel: str) -> int | None:
    open_ = turn.unit.open_dialogs(contact_id, channel=channel)
    return open_[0].id if open_ else None
