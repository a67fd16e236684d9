"""What becomes of every column that can hold words: the single list that the retention and `person erase` go by.

A table is in ROWS, or each of its texts and bytes is in EMPTIED or in KEPT (tests/storage/test_personal.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, LargeBinary, String, Table

from storage import tables

ROWS: Mapping[str, str] = {
    "batches": "a request as sent: every event in it has a body of its own",
    "conflicts": "another body of an event",
    "contacts": "the person",
    "contact_addresses": "the person",
    "conversations": "the person's address, and where the managers talk of him",
    "dialogs": "variables; how many there were is told by step_stats and goals",
    "turns": "answers and texts; added to step_stats before",
    "messages": "words and files",
    "early_statuses": "ids of messages, which WhatsApp makes of the number",
    "timers": "of a dialog that goes",
    "links": "what a dialog was about",
    "api_calls": "requests and answers with all that is in them; searches have the phone in the address",
}

# The row stays for a promise; what a person said or is called in it gives way to this value.
EMPTIED: Mapping[str, Mapping[str, Any]] = {
    "events": {"key": "", "error": None, "headers": None, "body": b""},
    "deliveries": {
        "recipient": "",
        "params": "{}",
        "error": None,
        "external_id": None,
        "result": None,
        "waiters": None,
    },
    "issues": {"title": None},
}

KEPT: Mapping[str, Mapping[str, str]] = {
    "events": {
        "source": "part of the unique id",
        "external_id": "part of the unique id: a repeat must have no effect, for ever",
        "kind": "a word of the integration",
        "result": "a word of ours",
    },
    "deliveries": {
        "key": "a wish counts once, for ever",
        "system": "a name of ours",
        "action": "a name of ours",
        "owner": "one of our processes",
        "code": "a word of ours",
    },
    "issues": {"number": "Okdesk's number", "status": "a code", "status_name": "a title of a status"},
    "payments": {
        "subject": "the document's id: the books are not a matter of this list",
        "order_number": "as above",
        "invoice_number": "as above",
        "state": "a word of ours",
        "currency": "a code",
    },
    "subject_states": {
        "key": "ids of documents, comments and groups: tells news from repeats, for ever",
        "state": "revisions, sums and times of a document",
    },
    "schema_floor": {"revision": "of a migration"},
    "leases": {"name": "of a job of ours", "owner": "one of our processes"},
    "flows": {"name": "of a flow"},
    "flow_versions": {
        "flow": "of a flow",
        "text": "written by us",
        "project": "written by us",
        "translations": "written by us",
        "note": "written by us",
    },
    "step_stats": {"flow": "of a flow", "step": "of a flow"},
    "goals": {"flow": "of a flow", "goal": "of a flow"},
    "counters": {"name": "of a number"},
    "retention": {"name": "of a table", "passed_over": "numbers of rows"},
    "erasures": {
        "erased_by": "who erased, for the protocol",
        "person": "salted hashes",
        "salt": "of those hashes",
        "counts": "numbers by table",
    },
}

EVENT_IS_EMPTY = "length(body) = 0"  # no event comes without a body: this one was removed


def holds_words(column: Column[Any]) -> bool:
    """Whether a column can hold what a person wrote or is called."""
    return isinstance(column.type, String | LargeBinary)


def worded(table: Table) -> list[str]:
    return [column.name for column in table.columns if holds_words(column)]


def table(name: str) -> Table:
    return tables.metadata.tables[name]
