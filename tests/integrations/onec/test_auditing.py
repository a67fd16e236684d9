"""How an order stands in 1C, and the event that tells it when the real one was missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from integrations.base import BusinessFact, Decided, Nothing, StoredEvent
from integrations.onec.actions import OnecActions
from integrations.onec.auditing import OnecAudit
from integrations.onec.errors import Unavailable
from integrations.onec.planning import make_planner
from integrations.onec.webhook import stored_body
from tests.integrations.onec.conftest import Office
from tests.integrations.onec.given import NOW

NOTHING: tuple[Any, ...] = (None, None, None)


def audit(office: Office) -> OnecAudit:
    return OnecAudit(office.client, OnecActions(office.client, office.settings), office.settings)


def decide(office: Office, body: bytes, states: dict[str, Any]) -> Decided:
    """The turn's judgement, with what is remembered from then on."""
    plan = make_planner(office.settings)(StoredEvent(1, "onec", "payment_status", "x", body, NOW))
    decided = plan.decide({key: states[key] for key in plan.state_keys if key in states}, NOW)
    states |= decided.states
    return decided


@pytest.mark.parametrize("publishes_service", [True, False])
async def test_an_order_is_told_by_whatever_is_published(office: Office, publishes_service: bool) -> None:
    office.onec.publishes_service = publishes_service
    await office.onec.pay(17, 100_00, 350_00)
    standing = await audit(office).standing("okdesk-17")
    assert standing is not None
    assert (standing.state, standing.total, standing.paid) == ("partial", 350_00, 100_00)
    assert standing.guid == office.onec.orders["okdesk-17"].guid


async def test_an_order_that_1c_does_not_know_is_none(office: Office) -> None:
    assert await audit(office).standing("okdesk-404") is None
    office.onec.trouble = "down"
    with pytest.raises(Unavailable):
        await audit(office).standing("okdesk-404")


async def test_the_real_event_says_nothing_new_afterwards(office: Office) -> None:
    real = await office.onec.pay(17, 350_00)
    standing = await audit(office).standing("okdesk-17")
    assert standing is not None
    event = await audit(office).payment_event("okdesk-17", standing, known=NOTHING, now=NOW)
    states: dict[str, Any] = {}
    told = decide(office, event.body, states)
    [fact] = told.facts
    assert isinstance(fact, BusinessFact)
    fields = fact.event.fields
    assert (fields["issue_id"], fields["state"], fields["total"], fields["paid"]) == (17, "paid", 350_00, 350_00)
    assert "onec-ext:okdesk-17" in told.subjects
    [fact] = decide(office, stored_body("unf-main", real), states).facts
    assert isinstance(fact, Nothing)


async def test_the_way_back_is_another_event_and_a_repeat_is_the_same(office: Office) -> None:
    await office.onec.pay(17, 350_00)
    standing = await audit(office).standing("okdesk-17")
    assert standing is not None
    first = await audit(office).payment_event("okdesk-17", standing, known=NOTHING, now=NOW)
    again = await audit(office).payment_event("okdesk-17", standing, known=NOTHING, now=NOW + timedelta(hours=1))
    assert first.external_id == again.external_id
    other = replace(standing, state="unpaid", paid=0)
    back = await audit(office).payment_event("okdesk-17", other, known=("paid", 350_00, 350_00), now=NOW)
    assert back.external_id != first.external_id
    assert back.key == first.key
