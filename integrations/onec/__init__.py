"""1C:Enterprise: payments, invoices, orders and shipments in, orders and invoices out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from integrations.base import CallLog, Fact, Integration, StoredEvent
from integrations.onec import normalize
from integrations.onec.actions import OnecActions
from integrations.onec.auditing import OnecAudit
from integrations.onec.client import OnecClient
from integrations.onec.documents import DocumentState, Judgement, OrderState, judge
from integrations.onec.errors import NotPublished
from integrations.onec.facts import OnecPlan, facts_of, invoice_bytes, plan, read
from integrations.onec.planning import make_planner
from integrations.onec.settings import PROFILES, OnecProfile, OnecSettings, PaymentRows, StatusRegister
from integrations.onec.webhook import OnecWebhook

__all__ = [
    "PROFILES",
    "DocumentState",
    "Judgement",
    "OnecIntegration",
    "OnecPlan",
    "OnecProfile",
    "OnecSettings",
    "OrderState",
    "PaymentRows",
    "StatusRegister",
    "facts_of",
    "invoice_bytes",
    "judge",
    "make_onec",
    "plan",
    "read",
]


@dataclass(slots=True)
class OnecIntegration(Integration):
    """What the service can ask of 1C besides orders."""

    audit: OnecAudit | None = None


def make_onec(
    settings: OnecSettings,
    *,
    http: httpx.AsyncClient | None,
    now: Callable[[], datetime],
    log_call: CallLog,
) -> OnecIntegration:
    """The webhook if there is a token, the actions if there is an address and `http` (opened and closed by the caller).

    Raises ValueError for a setting that cannot be right: a network, a time zone.
    """

    if normalize.zone(settings.timezone, UTC) is UTC and settings.timezone != "UTC":
        raise ValueError(f"unknown time zone of 1C: {settings.timezone}")

    def read_with_settings(stored: StoredEvent) -> Sequence[Fact]:
        return read(stored, settings)

    integration = OnecIntegration(name="onec", read=read_with_settings, plan=make_planner(settings), in_flight=1)
    if settings.webhook_token:
        integration.webhooks = (OnecWebhook(settings),)
    if settings.url and http is not None:
        client = OnecClient(settings, http, now=now, log_call=log_call)
        actions = OnecActions(client, settings)
        integration.actions = actions.catalogue()
        integration.audit = OnecAudit(client, actions, settings)

        async def check() -> str:
            return await _check(client, settings)

        integration.check = check
    return integration


async def _check(client: OnecClient, settings: OnecSettings) -> str:
    """A sentence for `doctor`. Raises what the client raises when neither way works."""
    try:
        answer = await client.ping()
    except NotPublished:
        profile = settings.profile
        resource = (profile.order or profile.invoice) if profile is not None else None
        if resource is None:
            raise
        return f"OData answers, {await client.count(resource)} documents in {resource}; /hs/dialogs is not published"
    return f"the HTTP service answers: {answer.get('config') or 'unknown configuration'}"
