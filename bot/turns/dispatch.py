"""From a stored event to the code that knows what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
from bot.turns.base import Rejected, Service, Turn
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
