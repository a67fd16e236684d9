"""The catalogue as the integrations write it, and the order actions that FLOWS.md section 9 foresees."""

from __future__ import annotations

from dialogs.actions import ActionSpec, Catalogue, Parameter
from integrations.okdesk import SPECS as OKDESK
from integrations.onec.actions import CREATE_INVOICE, CREATE_ORDER, GET_PAYMENT
from integrations.telegram import NOTIFY

_MUST = Parameter(required=True)
_TEXT = Parameter()

_ORDERS = (
    ActionSpec(
        "order.find",
        writes=False,
        parameters={"phone": _MUST, "limit": Parameter("number", default="5")},
        result={"items": "list", "count": "number"},
    ),
    ActionSpec(
        "order.get",
        writes=False,
        parameters={"order_id": _MUST},
        result={
            "id": "text",
            "number": "text",
            "source": "text",
            "status": "text",
            "status_name": "text",
            "final": "flag",
            "total": "money",
        },
        subject=("order", "order_id"),
    ),
    ActionSpec(
        "order.cancel",
        writes=True,
        parameters={"order_id": _MUST, "reason": _TEXT},
        result={"status": "text"},
        subject=("order", "order_id"),
    ),
)

CATALOGUE: Catalogue = {
    spec.name: spec for spec in (*OKDESK.values(), GET_PAYMENT, CREATE_ORDER, CREATE_INVOICE, NOTIFY, *_ORDERS)
}
