"""Everything that is kept about a person, as JSON-able data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Table, select

from storage.clock import from_ms
from storage.journal import DELIVERY_WORDS, EVENT_WORDS
from storage.tables import (
    DeliveryState,
    EventState,
    api_calls,
    conflicts,
    contact_addresses,
    contacts,
    conversations,
    deliveries,
    dialogs,
    events,
    issues,
    links,
    messages,
    payments,
    turns,
)
from storage.traces import Traces, chunks

_JSON = frozenset({"variables", "state", "trace", "effects", "files", "params", "result", "waiters", "headers"})


def everything(conn: Connection, traces: Traces) -> dict[str, Any]:
    """By table, oldest first. Bodies that held events of several people are left out: each event has its own."""
    told = {
        "contacts": _rows(conn, contacts, contacts.c.id, traces.contact_ids),
        "addresses": _rows(conn, contact_addresses, contact_addresses.c.contact_id, traces.contact_ids),
        "conversations": _rows(conn, conversations, conversations.c.id, traces.of("conversations")),
        "dialogs": _rows(conn, dialogs, dialogs.c.id, traces.of("dialogs")),
        "messages": _rows(conn, messages, messages.c.conversation_id, traces.of("conversations")),
        "turns": _rows(conn, turns, turns.c.dialog_id, traces.of("dialogs")),
        "links": _rows(conn, links, links.c.dialog_id, traces.of("dialogs")),
        "issues": _rows(conn, issues, issues.c.id, traces.of("issues")),
        "payments": _rows(conn, payments, payments.c.dialog_id, traces.of("dialogs")),
        "orders": [],
        "events": _rows(conn, events, events.c.id, traces.of("events")),
        "other_bodies_of_events": _rows(conn, conflicts, conflicts.c.id, traces.of("conflicts")),
        "deliveries": _rows(conn, deliveries, deliveries.c.id, traces.of("deliveries")),
        "api_calls": _rows(conn, api_calls, api_calls.c.id, traces.of("api_calls")),
    }
    for dialog in told["dialogs"]:
        frames = (dialog["state"] or {}).get("frames", [])
        dialog["variables"] = {name: value for frame in frames for name, value in frame.get("vars", {}).items()}
    for event in told["events"]:
        event["state"] = EVENT_WORDS[EventState(event["state"])]
    for delivery in told["deliveries"]:
        delivery["state"] = DELIVERY_WORDS[DeliveryState(delivery["state"])]
    return told


def _rows(conn: Connection, table: Table, column: Column[Any], values: Iterable[Any]) -> list[dict[str, Any]]:
    found = []
    for some in chunks(sorted(values)):
        found += [_told(table, row) for row in conn.execute(select(table).where(column.in_(some)))]
    order = next((name for name in ("at", "created_at", "received_at", "id") if name in table.c), None)
    return sorted(found, key=lambda row: (str(row.get(order or "")), row.get("id") or 0))


def _told(table: Table, row: Any) -> dict[str, Any]:
    return {name: _value(table.name, name, value) for name, value in row._mapping.items()}


def _value(table: str, name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bytes | memoryview):
        return _json_or_text(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, int) and not isinstance(value, bool) and (name == "at" or name.endswith("_at")):
        return from_ms(value).isoformat()
    if isinstance(value, str) and (name in _JSON or (table == "api_calls" and name in ("request", "response"))):
        return _json_or_text(value)
    return value


def _json_or_text(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
