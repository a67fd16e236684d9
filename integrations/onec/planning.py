"""An event of 1C means what it means only against what was said before of the same document (contract section 3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from integrations.base import Decided, Plan, Planner, StoredEvent
from integrations.onec.documents import DocumentState, OrderState, judge
from integrations.onec.facts import facts_of, plan
from integrations.onec.settings import OnecSettings


def make_planner(settings: OnecSettings) -> Planner:
    def read(stored: StoredEvent) -> Plan:
        """Raises CannotRead."""
        made = plan(stored, settings)

        def decide(states: Mapping[str, Any], now: datetime) -> Decided:
            order = OrderState.from_json(states.get(made.order_key)) if made.order_key else None
            judgement = judge(
                DocumentState.from_json(states.get(made.state_key)),
                made.event,
                now,
                order=order,
                old_after_days=settings.old_after_days,
            )
            changed = {made.state_key: judgement.new_state.as_json()}
            if made.order_key is not None and judgement.order is not None:
                changed[made.order_key] = judgement.order.as_json()
            return Decided(
                changed,
                facts_of(made, judgement),
                judgement.result,
                subjects=made.subjects,
                weak_subjects=made.weak_subjects,
            )

        keys = (made.state_key,) if made.order_key is None else (made.state_key, made.order_key)
        return Plan(keys, decide)

    return read
