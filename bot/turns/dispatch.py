"""From a stored event to the code that knows what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.turns import (
    customer_message,
    customer_noted,
    delivery_reported,
    fact_of_business,
    group_said,
    internal,
    notices,
)
from bot.turns.base import Held, Postponed, Rejected, Service, Turn
from integrations.base import (
    AddressMoved,
    BusinessFact,
    CannotRead,
    CustomerNoted,
    CustomerSaid,
    DeliveryReported,
    GroupMoved,
    GroupSaid,
    ManagerWrote,
    Nothing,
    Notice,
    StoredEvent,
)
from storage.clock import from_ms
from storage.inbox import Claimed
from storage.tables import EventState

_HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    CustomerSaid: customer_message.handle,
    CustomerNoted: customer_noted.handle,
    ManagerWrote: customer_noted.manager_wrote,
    AddressMoved: customer_noted.address_moved,
    DeliveryReported: delivery_reported.handle,
    BusinessFact: fact_of_business.handle,
    fact_of_business.Planned: fact_of_business.handle_planned,
    GroupSaid: group_said.handle,
    GroupMoved: group_said.moved,
    Notice: notices.handle,
    internal.TimerDue: internal.timer_due,
    internal.EffectEnded: internal.effect_ended,
    internal.Undelivered: internal.undelivered,
}


def read_facts(service: Service, event: Claimed) -> Sequence[Any]:
    """What the event says. Raises CannotRead."""
    stored = StoredEvent(event.id, event.source, event.kind, event.external_id, event.body, from_ms(event.received_at))
    if event.source in internal.SOURCES:
        return internal.read(stored)
    integration = service.integrations.get(event.source)
    if integration is None:
        raise CannotRead(f"{event.source} is not configured any more")
    if integration.plan is not None:
        return [fact_of_business.Planned(integration.plan(stored))]
    if integration.read is None:
        raise CannotRead(f"{event.source} sends nothing that could be read")
    return integration.read(stored)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a turn ended. `until` and `key`: of an event that is held or put off."""

    state: EventState
    error: str | None = None
    until: datetime | None = None
    key: str | None = None


def take_turn(turn: Turn, facts: Sequence[Any] | CannotRead) -> Verdict:
    """The turn of one event, in memory and in the unit's transaction. What is no trouble of the event is raised."""
    try:
        if isinstance(facts, CannotRead):
            raise Rejected(str(facts))
        for fact in facts:
            handle_fact(turn, fact)
    except Rejected as rejected:
        return Verdict(EventState.DEAD, str(rejected))
    except Held as held:
        return Verdict(EventState.HELD, str(held), held.until, held.key)
    except Postponed as postponed:
        return Verdict(EventState.WAITING, str(postponed), postponed.until)
    if turn.ignored is not None and turn.dialog_id is None:
        return Verdict(EventState.IGNORED, turn.ignored)
    return Verdict(EventState.DONE, turn.ignored)


def our_trouble(error: Exception) -> str:
    """An error of ours in a turn, as the inbox keeps it."""
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"


def handle_fact(turn: Turn, fact: Any) -> None:
    if isinstance(fact, Nothing):
        turn.ignored = fact.reason
        return
    handler = _HANDLERS.get(type(fact))
    if handler is None:
        raise Rejected(f"nobody handles {type(fact).__name__}")
    handler(turn, fact)


def wanted_addresses(read: Iterable[tuple[Claimed, Any]]) -> list[tuple[str, str]]:
    """Whom the events are about, so that a batch is read at once."""
    found: list[tuple[str, str]] = []
    for _, facts in read:
        if isinstance(facts, CannotRead):
            continue
        for fact in facts:
            if isinstance(fact, CustomerSaid):
                found += [(fact.channel, address) for address in fact.person.addresses]
    return found


def wanted_contacts(read: Iterable[tuple[Claimed, Any]]) -> list[int]:
    return [
        fact.contact_id
        for _, facts in read
        if not isinstance(facts, CannotRead)
        for fact in facts
        if isinstance(fact, internal.EffectEnded) and fact.contact_id is not None
    ]
