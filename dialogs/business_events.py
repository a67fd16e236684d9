"""The business events that flows know, and the fields of each (FLOWS.md section 8).

Types: "text", "number" (integer), "flag", "money" (integer kopecks), "list" (of maps), "map" (the result of an
action, whose fields are those of the action).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COMMON_FIELDS: Mapping[str, str] = MappingProxyType({"id": "text", "kind": "text", "at": "text", "phone": "text"})
"""Every event has these: our id, the name in EVENTS, ISO time, E.164 or null."""

MESSAGE_FIELDS: Mapping[str, str] = MappingProxyType({"id": "text", "text": "text", "payload": "text"})
"""What `event` has where a message is the occasion; `payload` is what follows `/start `."""

_ISSUE = {"issue_id": "number", "number": "text"}
_ONEC_ORDER = {"issue_id": "number", "external_id": "text", "order_number": "text"}
_ORDER = {
    "order_id": "text",
    "source": "text",
    "number": "text",
    "status": "text",
    "status_name": "text",
    "old_status": "text",
    "final": "flag",
    "total": "money",
    "customer_name": "text",
    "comment": "text",
}

_FIELDS: dict[str, dict[str, str]] = {
    "okdesk.issue_created": {
        **_ISSUE,
        "title": "text",
        "status": "text",
        "status_name": "text",
        "source": "text",
    },
    "okdesk.status_changed": {
        **_ISSUE,
        "status": "text",
        "status_name": "text",
        "old_status": "text",
        "final": "flag",
        "comment": "text",
    },
    "okdesk.comment_added": {
        **_ISSUE,
        "comment_id": "number",
        "text": "text",
        "files": "list",
        "author": "text",
    },
    "okdesk.assignee_changed": {**_ISSUE, "assignee": "text"},
    "okdesk.deadline_changed": {**_ISSUE, "deadline_at": "text"},
    "okdesk.rated": {**_ISSUE, "rate": "text"},
    "okdesk.issue_deleted": {"issue_id": "number"},
    "onec.payment_changed": {
        **_ONEC_ORDER,
        "invoice_number": "text",
        "state": "text",
        "total": "money",
        "paid": "money",
        "due": "money",
    },
    "onec.invoice_issued": {
        **_ONEC_ORDER,
        "invoice_number": "text",
        "total": "money",
        "due_date": "text",
        "url": "text",
        "files": "list",
    },
    "onec.order_status_changed": {**_ONEC_ORDER, "status": "text", "status_name": "text", "final": "flag"},
    "onec.order_shipped": {**_ONEC_ORDER, "date": "text", "carrier": "text", "track": "text"},
    "order.created": _ORDER,
    "order.status_changed": _ORDER,
    "order.problem": _ORDER,
    "site.form_sent": {"form": "text", "name": "text", "email": "text", "text": "text", "page": "text"},
    "effect.done": {"step": "text", "action": "text", "result": "map"},
    "effect.failed": {"step": "text", "action": "text", "code": "text", "message": "text"},
}

EVENTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {kind: MappingProxyType({**COMMON_FIELDS, **fields}) for kind, fields in _FIELDS.items()}
)
"""Kind of event → field → type; the common fields are in every one."""
