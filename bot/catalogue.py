"""The actions that flows may order. Apart from the service, so that checking a flow need not load it."""

from __future__ import annotations

from collections.abc import Sequence

from dialogs.actions import ActionSpec, Catalogue
from integrations.okdesk import SPECS as OKDESK_ACTIONS
from integrations.onec.actions import CREATE_INVOICE, CREATE_ORDER, GET_PAYMENT
from integrations.telegram.catalogue import NOTIFY


def catalogue() -> Catalogue:
    """Every action that a flow may order, whether its system is configured here or not."""
    specs: Sequence[ActionSpec] = [*OKDESK_ACTIONS.values(), GET_PAYMENT, CREATE_ORDER, CREATE_INVOICE, NOTIFY]
    return {spec.name: spec for spec in specs}
