"""The actions of FLOWS.md section 9, as the integrations declare them."""

from __future__ import annotations

from dialogs.actions import ActionSpec, Catalogue, Parameter, ValueType

_MUST = Parameter(required=True)
_TEXT = Parameter()
_FILES = Parameter("files")
_ISSUE = Parameter("number", required=True)
_CARD: dict[str, ValueType] = {
    "id": "number",
    "number": "text",
    "title": "text",
    "status": "text",
    "status_name": "text",
    "final": "flag",
    "assignee": "text",
    "deadline_at": "text",
    "created_at": "text",
}

_SPECS = (
    ActionSpec(
        "okdesk.create_issue",
        writes=True,
        parameters={
            "title": _MUST,
            "contact_phone": _MUST,
            "contact_name": _TEXT,
            "description": _TEXT,
            "address": _TEXT,
            "files": _FILES,
            "type": _TEXT,
            "priority": _TEXT,
            "parameters": _TEXT,
        },
        result={"id": "number", "number": "text", "status": "text", "status_name": "text"},
        subject=("issue", "id"),
    ),
    ActionSpec(
        "okdesk.add_comment",
        writes=True,
        parameters={
            "issue_id": _ISSUE,
            "text": _MUST,
            "files": _FILES,
            "public": Parameter("flag", default="true"),
        },
        result={"id": "number"},
        subject=("issue", "issue_id"),
    ),
    ActionSpec(
        "okdesk.change_status",
        writes=True,
        parameters={"issue_id": _ISSUE, "status": _MUST, "comment": _TEXT, "delay_to": _TEXT},
        result={"status": "text", "status_name": "text"},
        subject=("issue", "issue_id"),
    ),
    ActionSpec(
        "okdesk.rate_issue",
        writes=True,
        parameters={"issue_id": _ISSUE, "rating": Parameter("number", required=True), "comment": _TEXT},
        result={"rate": "text"},
        subject=("issue", "issue_id"),
    ),
    ActionSpec(
        "okdesk.get_issue",
        writes=False,
        parameters={"issue_id": _ISSUE},
        result=_CARD,
        subject=("issue", "issue_id"),
    ),
    ActionSpec(
        "okdesk.find_issues",
        writes=False,
        parameters={
            "phone": _MUST,
            "open": Parameter("flag", default="true"),
            "limit": Parameter("number", default="5"),
        },
        result={"items": "list", "count": "number"},
    ),
    ActionSpec(
        "okdesk.find_contact",
        writes=False,
        parameters={"phone": _MUST},
        result={"id": "number", "name": "text", "company": "text"},
    ),
    ActionSpec(
        "onec.get_payment",
        writes=False,
        parameters={"external_id": _TEXT, "issue_id": Parameter("number")},
        result={
            "order_number": "text",
            "invoice_number": "text",
            "state": "text",
            "total": "money",
            "paid": "money",
            "due": "money",
            "url": "text",
        },
        one_of=("external_id", "issue_id"),
        subject=("issue", "issue_id"),
    ),
    ActionSpec(
        "onec.create_order",
        writes=True,
        parameters={
            "external_id": _MUST,
            "phone": _MUST,
            "name": _TEXT,
            "comment": _TEXT,
            "items": Parameter("list"),
        },
        result={"guid": "text", "number": "text", "created": "flag"},
        subject=("onec-order", "guid"),
    ),
    ActionSpec(
        "onec.create_invoice",
        writes=True,
        parameters={"external_id": _MUST},
        result={"number": "text", "total": "money", "url": "text", "files": "files"},
    ),
    ActionSpec(
        "telegram.notify",
        writes=True,
        parameters={
            "text": _MUST,
            "group": Parameter(default="managers"),
            "files": _FILES,
            "topic": Parameter("flag"),
        },
        result={"message_id": "number"},
    ),
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

CATALOGUE: Catalogue = {spec.name: spec for spec in _SPECS}
