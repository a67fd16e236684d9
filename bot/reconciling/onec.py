"""Payments as we were told of them, against how the orders stand in 1C."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from bot.reconciling.differences import Difference, Feed, shown_payment
from bot.reconciling.okdesk import CREATE, orders_since
from integrations.onec.auditing import OnecAudit
from integrations.onec.names import issue_id
from integrations.onec.standing import Standing
from storage import ledger
from storage.clock import to_ms
from storage.database import Database
from storage.ledger import KnownPayment
from storage.tables import DeliveryState

SYSTEM = "onec"
CREATE_ORDER = "onec.create_order"


class OnecComparison:
    """One comparison; a new one for each."""

    def __init__(self, database: Database, audit: OnecAudit, *, now: datetime) -> None:
        self._database = database
        self._audit = audit
        self._now = now

    async def differences(self, since: datetime) -> list[Difference]:
        """Raises Later, Never when 1C does not answer to the end, and DatabaseAway."""
        found = []
        for external_id in await self._external_ids(since):
            standing = await self._audit.standing(external_id)
            known = await self._database.read(
                partial(
                    ledger.payment_of,
                    external_id=external_id,
                    guid=None if standing is None else standing.guid,
                    issue_id=issue_id(external_id),
                )
            )
            difference = await self._compare(external_id, known, standing)
            if difference is not None:
                found.append(difference)
        return found

    async def _external_ids(self, since: datetime) -> list[str]:
        """Orders that our issues may have there, those that we made there, and those we were told of."""
        found: dict[str, None] = {}
        async for order in orders_since(self._database, [CREATE, CREATE_ORDER], since):
            if order.state is DeliveryState.DONE and order.action == CREATE and order.external_id:
                found[f"okdesk-{order.external_id}"] = None
            elif order.state is DeliveryState.DONE and order.params.get("external_id"):
                found[str(order.params["external_id"])] = None
        told = await self._database.read(partial(ledger.payments_since, since=to_ms(since)))
        return list(found | dict.fromkeys(told))

    async def _compare(
        self, external_id: str, known: KnownPayment | None, standing: Standing | None
    ) -> Difference | None:
        what = f"order {external_id}"
        if standing is None:
            return None if known is None else Difference(SYSTEM, "missing", what)
        if known is None:
            if standing.state in (None, "unpaid") and not standing.paid:
                return None  # nothing has happened that we could have been told of
        elif _says_the_same(known, standing):
            return None
        told = (None, None, None) if known is None else (known.state, known.total, known.paid)
        event = await self._audit.payment_event(external_id, standing, known=told, now=self._now)
        here = shown_payment(*told)
        there = shown_payment(standing.state, standing.total, standing.paid)
        return Difference(SYSTEM, "payment", what, here, there, Feed(SYSTEM, event))


def _says_the_same(known: KnownPayment, standing: Standing) -> bool:
    if known.state != standing.state:
        return False
    if known.state == "refunded":
        return True  # of a refund we keep the sum that went back, 1C tells what is left
    return (known.paid or 0) == (standing.paid or 0) and (
        standing.total is None or known.total is None or known.total == standing.total
    )
