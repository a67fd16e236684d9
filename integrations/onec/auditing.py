"""What a comparison with our ledger asks of 1C, and the event that tells what we missed.

The event is about a document that 1C does not have, one for each order: it carries what the whole order has come to.
When the real event comes later and says the same, nobody is told twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from integrations.base import IncomingEvent, Never
from integrations.onec import normalize
from integrations.onec.actions import OnecActions
from integrations.onec.client import OnecClient
from integrations.onec.errors import NotFound
from integrations.onec.settings import OnecSettings
from integrations.onec.standing import Standing
from integrations.onec.webhook import default_source, stored_body


class OnecAudit:
    """Raises Later and Never, as the client does."""

    def __init__(self, client: OnecClient, actions: OnecActions, settings: OnecSettings) -> None:
        self._client = client
        self._actions = actions
        self._settings = settings
        self._source: str | None = None

    async def standing(self, external_id: str) -> Standing | None:
        """How an order stands; None: 1C does not know it."""
        try:
            return await self._actions.standing(external_id)
        except NotFound:
            return None

    async def payment_event(
        self, external_id: str, standing: Standing, *, known: tuple[Any, ...], now: datetime
    ) -> IncomingEvent:
        """`known`: what we have been told last, so that the way back to an earlier state is another event."""
        source = await self._base()
        document = str(uuid5(NAMESPACE_URL, f"{source}/reconciled/{external_id}"))
        raw = {
            "v": 1,
            "kind": "payment_status",
            "occurred_at": now.isoformat(),
            "document": {"guid": document, "type": "reconciled"},
            "order": {"guid": standing.guid, "number": standing.order_number, "external_id": external_id},
            "invoice": {"number": standing.invoice_number, "url": standing.url},
            "amount": {"total": _roubles(standing.total), "paid": _roubles(standing.paid), "currency": "RUB"},
            "payment": {"state": standing.state},
        }
        told = (standing.state, standing.total, standing.paid)
        name = f"{source}:reconciled:{external_id}:{_word(known)}:{_word(told)}:{now:%Y-%m-%d}"
        return IncomingEvent("payment_status", name[:400], f"onec:{source}:{document}", stored_body(source, raw))

    async def _base(self) -> str:
        """The base that its own events name: they are judged against the same past."""
        if self._source is None:
            self._source = default_source(self._settings)
            try:
                told = normalize.text((await self._client.ping()).get("base_id"), 64)
            except Never:
                told = None  # only OData is published
            if told is not None and (not self._settings.base_ids or told in self._settings.base_ids):
                self._source = told
        return self._source


def _roubles(kopecks: int | None) -> str | None:
    if kopecks is None:
        return None
    sign, kopecks = ("-", -kopecks) if kopecks < 0 else ("", kopecks)
    return f"{sign}{kopecks // 100}.{kopecks % 100:02}"


def _word(values: tuple[Any, ...]) -> str:
    return ",".join("-" if value is None else str(value) for value in values)
