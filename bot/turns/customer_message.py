"""A message or a button press of a customer."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from bot.managers import handoff
from bot.managers.words import word
from bot.turns import converse
from bot.turns.base import Postponed, Turn
from bot.turns.people import heard, know
from dialogs.events import ButtonPressed, MessageReceived, renamed
from integrations.base import CannotRead, CustomerSaid, Order, StoredEvent
from storage.clock import from_ms, to_ms
from storage.inbox import Settled
from storage.tables import EventState
from storage.unit import Contact, Conversation

ALBUM_WAIT = timedelta(seconds=1.5)
ALBUM_PARTS = 12
LATE = timedelta(minutes=1)
TIMESTAMP_MS = 1000  # the messengers tell whole seconds
ALERT_EVERY_MS = 3_600_000


def handle(turn: Turn, fact: CustomerSaid) -> None:
    fact = _album(turn, fact)
    said = renamed(fact.said, turn.event_id)
    contact, conversation = know(turn, fact.channel, fact.account, fact.person)
    at = to_ms(said.at)
    if not (isinstance(said, MessageReceived) and said.edits):
        heard(turn, conversation, at)
    _prove_phone(contact, said)
    message_id = turn.unit.add_message(
        conversation_id=conversation.id,
        dialog_id=None,
        direction="in",
        kind=_kind(said),
        text=_text(said),
        status="received",
        at=at,
        files=[asdict(file) for file in said.files] if isinstance(said, MessageReceived) and said.files else None,
        external_id=said.message_id,
    )
    heard_by = _hear(turn, contact, conversation, said)
    turn.dialog_id = heard_by.dialog_id or _open_dialog(turn, contact, conversation)
    turn.unit.put_message_into(message_id, turn.dialog_id)
    if heard_by.nobody:
        _tell_nobody_took_it(turn, contact, conversation, said)
    _mark_read(turn, fact)


def _hear(
    turn: Turn, contact: Contact, conversation: Conversation, said: MessageReceived | ButtonPressed
) -> converse.Heard:
    """What waited too long for us is no answer to anything any more; the customer is told so once (old news)."""
    told = conversation.apologized_at
    is_told = told is not None and to_ms(said.at) + TIMESTAMP_MS < told
    if converse.is_with_people(turn, contact, conversation) or not (is_told or turn.now - said.at > turn.service.late):
        return converse.hear(turn, contact, conversation, _as_heard(turn, said))
    if is_told:
        turn.ignored = "it waited too long for us: recorded, and the customer was told once"
        return converse.Heard(None, nobody=False)
    conversation.apologized_at = turn.unit.now
    conversation.is_changed = True
    return converse.apologize(turn, contact, conversation, _as_heard(turn, said))


def _as_heard(turn: Turn, said: MessageReceived | ButtonPressed) -> MessageReceived | ButtonPressed:
    """A message that waited for us: the silence after the answer is counted from now, not from when it was written.

    Otherwise the reminders of hours would follow the question at once. The 24-hour window keeps the message's own
    time: `heard` has stored it.
    """
    return replace(said, at=turn.now) if turn.now - said.at > LATE else said


def _open_dialog(turn: Turn, contact: Contact, conversation: Conversation) -> int | None:
    rows = turn.unit.open_dialogs(contact.id, channel=conversation.channel)
    return rows[0].id if rows else None


def _prove_phone(contact: Contact, said: MessageReceived | ButtonPressed) -> None:
    """One's own contact card proves the number."""
    card = said.card if isinstance(said, MessageReceived) else None
    if card is None or not card.is_own or not card.phones:
        return
    from dialogs.phones import phone_from_card

    phone = phone_from_card(card.phones[0])
    if phone is not None and contact.phone != phone:
        contact.phone, contact.phone_is_proven, contact.is_changed = phone, True, True


def _kind(said: MessageReceived | ButtonPressed) -> str:
    if isinstance(said, ButtonPressed):
        return "press"
    if said.edits:
        return "edit"
    if said.files:
        return said.files[0].kind
    if said.location:
        return "location"
    if said.card:
        return "contact"
    return "unsupported" if said.unsupported else "text"


def _text(said: MessageReceived | ButtonPressed) -> str | None:
    if isinstance(said, ButtonPressed):
        return said.title or said.payload
    if said.text is None and said.location:
        return said.location.address or said.location.name or f"{said.location.latitude}, {said.location.longitude}"
    if said.text is None and said.card:
        return ", ".join(said.card.phones)
    return said.text


def _tell_nobody_took_it(
    turn: Turn, contact: Contact, conversation: Conversation, said: MessageReceived | ButtonPressed
) -> None:
    """The managers see it; at most one alert an hour for each person."""
    last = conversation.alerted_at
    if last is not None and turn.unit.now - last < ALERT_EVERY_MS:
        return
    conversation.alerted_at = turn.unit.now
    conversation.is_changed = True
    who = handoff.topic_title(contact, conversation)
    handoff.alert(turn, word("no_flow", handoff.LANG, who=who, text=(_text(said) or _kind(said))[:500]))


def _mark_read(turn: Turn, fact: CustomerSaid) -> None:
    """Blue ticks, and typing while somebody else works on the answer. Best effort, never in the way."""
    integration = turn.service.integrations[fact.channel]
    action = integration.actions.get("mark_read")
    message_id = fact.said.message_id
    if action is None or message_id is None:
        return
    waits = bool(turn.data.get("waits_for_action"))
    order = Order(
        f"read/{message_id}",
        "mark_read",
        fact.person.addresses[0],
        {"message_id": message_id, "account": fact.account, "typing": waits},
        1,
        turn.now,
    )

    async def mark() -> None:
        await action.run(order)

    if waits:
        turn.after_commit(mark)  # typing, while somebody else works on the answer
    else:
        later = turn.service.mark
        turn.after.append(lambda: later(f"{fact.channel}:{order.recipient}", mark))


# ------------------------------------------------------------------------------------------------------------- albums


def _album(turn: Turn, fact: CustomerSaid) -> CustomerSaid:
    """Pictures sent together are one message (FLOWS.md section 7). Raises Postponed while more may come."""
    if not _is_part(fact):
        return fact
    parts = [fact]
    last_received = turn.event.received_at
    others: list[int] = []
    for row in turn.unit.waiting_of_key(turn.event.key, limit=ALBUM_PARTS):
        if row.id == turn.event.id:
            continue
        part = _read(turn, row)
        if part is None or not _is_part(part) or part.album != fact.album:
            break
        parts.append(part)
        others.append(row.id)
        last_received = max(last_received, row.received_at)
    ready_at = from_ms(last_received) + ALBUM_WAIT
    if turn.now < ready_at and len(parts) < ALBUM_PARTS - 1:
        raise Postponed(ready_at, "an album: more pictures may come")
    if len(parts) == 1:
        return fact
    turn.data["with_events"] = others
    turn.unit.settled += [Settled(id_, EventState.DONE, result="album") for id_ in others]
    turn.unit.taken_along.update(others)
    said = [part.said for part in parts if isinstance(part.said, MessageReceived)]
    whole = replace(
        said[0],
        text=next((s.text for s in said if s.text), None),
        files=tuple(file for s in said for file in s.files),
    )
    return replace(fact, said=whole)


def _is_part(fact: CustomerSaid) -> bool:
    said = fact.said
    if not isinstance(said, MessageReceived) or not said.files or said.edits:
        return False
    if any(file.kind not in ("photo", "video", "file") for file in said.files):
        return False
    return fact.album is not None or not said.text


def _read(turn: Turn, row: Any) -> CustomerSaid | None:
    integration = turn.service.integrations.get(row.source)
    if integration is None or integration.read is None or row.source != turn.event.source:
        return None
    stored = StoredEvent(row.id, row.source, row.kind, row.external_id, bytes(row.body), from_ms(row.received_at))
    try:
        facts = integration.read(stored)
    except CannotRead:
        return None
    return facts[0] if len(facts) == 1 and isinstance(facts[0], CustomerSaid) else None
