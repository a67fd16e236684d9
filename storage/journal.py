"""What operators read: events, dialogs, deliveries, calls. Every list is newest first and paged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, func, or_, select

from storage.clock import from_ms
from storage.tables import (
    DeliveryState,
    EventState,
    api_calls,
    batches,
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

EVENT_WORDS = {
    EventState.WAITING: "waiting",
    EventState.HELD: "waiting",
    EventState.DONE: "done",
    EventState.IGNORED: "ignored",
    EventState.DEAD: "dead",
}
DELIVERY_WORDS = {
    DeliveryState.WAITING: "waiting",
    DeliveryState.PARKED: "waiting",
    DeliveryState.SENDING: "sending",
    DeliveryState.UNKNOWN: "unknown",
    DeliveryState.DONE: "done",
    DeliveryState.DEAD: "dead",
    DeliveryState.CANCELLED: "cancelled",
}
DIALOG_STATUSES = ("active", "handed_off", "closed")


def _iso(ms: int | None) -> str | None:
    return None if ms is None else from_ms(ms).isoformat().replace("+00:00", "Z")


def _states(word: str, words: dict[Any, str]) -> list[int]:
    return [int(state) for state, name in words.items() if name == word]


def _page(
    conn: Connection, query: Select[Any], *, order: Sequence[Any], skip: int, limit: int
) -> tuple[int, list[Any]]:
    total = conn.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()
    return total, list(conn.execute(query.order_by(*order).offset(skip).limit(limit)))


def list_events(
    conn: Connection, *, source: str | None = None, state: str | None = None, skip: int = 0, limit: int = 50
) -> dict[str, Any]:
    columns = [c for c in events.c if c.name not in ("body", "headers")]
    query = select(*columns)
    if source:
        query = query.where(events.c.source == source)
    if state:
        query = query.where(events.c.state.in_(_states(state, EVENT_WORDS)))
    total, rows = _page(conn, query, order=[events.c.id.desc()], skip=skip, limit=limit)
    return {"total": total, "items": [_event(row) for row in rows]}


def _event(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "source": row.source,
        "kind": row.kind,
        "external_id": row.external_id,
        "state": EVENT_WORDS[EventState(row.state)],
        "received_at": _iso(row.received_at),
        "processed_at": _iso(row.processed_at),
        "attempts": row.attempts,
        "error": row.error,
        "dialog_id": row.dialog_id,
        "order_id": row.order_id,
    }


def get_event(conn: Connection, event_id: int) -> dict[str, Any] | None:
    row = conn.execute(select(events).where(events.c.id == event_id)).first()
    if row is None:
        return None
    batch = None
    if row.batch_id is not None:
        batch = conn.execute(select(batches.c.body).where(batches.c.id == row.batch_id)).scalar()
    return {
        **_event(row),
        "body": _shown(row.body),
        "request_body": None if batch is None else _shown(batch),
        "headers": orjson.loads(row.headers) if row.headers else {},
    }


def _shown(body: bytes) -> Any:
    """JSON as JSON; anything else as text; what is no text as hexadecimal digits."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"hex": body.hex()}


def list_dialogs(
    conn: Connection,
    *,
    channel: str | None = None,
    address: str | None = None,
    state: str | None = None,
    skip: int = 0,
    limit: int = 50,
) -> dict[str, Any]:
    query = select(dialogs, conversations.c.address).select_from(
        dialogs.outerjoin(conversations, dialogs.c.conversation_id == conversations.c.id)
    )
    if channel:
        query = query.where(dialogs.c.channel == channel)
    if address:
        query = query.where(conversations.c.address == address.removeprefix("+"))
    if state:
        query = query.where(dialogs.c.status == state)
    total, rows = _page(conn, query, order=[dialogs.c.updated_at.desc(), dialogs.c.id.desc()], skip=skip, limit=limit)
    return {"total": total, "items": [_dialog(row) for row in rows]}


def _dialog(row: Any) -> dict[str, Any]:
    frames = orjson.loads(row.state)["frames"]
    variables: dict[str, Any] = {}
    for frame in frames:
        variables |= frame.get("vars", {})
    return {
        "id": row.id,
        "channel": row.channel,
        "address": row.address,
        "flow": row.flow,
        "version": row.version,
        "step": row.step,
        "status": row.status,
        "variables": variables,
        "updated_at": _iso(row.updated_at),
    }


def get_dialog(conn: Connection, dialog_id: int) -> dict[str, Any] | None:
    query = (
        select(dialogs, conversations.c.address)
        .select_from(dialogs.outerjoin(conversations, dialogs.c.conversation_id == conversations.c.id))
        .where(dialogs.c.id == dialog_id)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    subjects = [r.subject for r in conn.execute(select(links.c.subject).where(links.c.dialog_id == dialog_id))]
    issue_ids = [int(s.removeprefix("issue:")) for s in subjects if s.startswith("issue:") and s[6:].isdigit()]
    found = conn.execute(select(issues).where(issues.c.id.in_(issue_ids)).order_by(issues.c.id)).fetchall()
    known = {issue.id for issue in found}
    return {
        **_dialog(row),
        "tag": row.tag,
        "messages": _messages(conn, dialog_id),
        "turns": _turns(conn, dialog_id),
        "issues": [{"id": i.id, "number": i.number, "status": i.status} for i in found]
        + [{"id": id_, "number": str(id_), "status": None} for id_ in issue_ids if id_ not in known],
        "payments": _payments(conn, dialog_id, subjects),
        "orders": [],
    }


def _messages(conn: Connection, dialog_id: int) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(messages).where(messages.c.dialog_id == dialog_id).order_by(messages.c.at, messages.c.id)
    )
    return [
        {
            "id": row.id,
            "direction": row.direction,
            "kind": row.kind,
            "text": row.text,
            "status": row.status,
            "external_id": row.external_id,
            "at": _iso(row.at),
            "author": row.author,
            "error": row.error,
        }
        for row in rows
    ]


def _turns(conn: Connection, dialog_id: int) -> list[dict[str, Any]]:
    rows = conn.execute(select(turns).where(turns.c.dialog_id == dialog_id).order_by(turns.c.turn, turns.c.id))
    return [
        {
            "turn": row.turn,
            "at": _iso(row.at),
            "event": row.event,
            "event_id": row.event_id,
            "from_step": row.from_step,
            "to_step": row.to_step,
            "effects": orjson.loads(row.effects),
            "trace": orjson.loads(row.trace),
        }
        for row in rows
    ]


def _payments(conn: Connection, dialog_id: int, subjects: Sequence[str]) -> list[dict[str, Any]]:
    rows = conn.execute(
        select(payments)
        .where(or_(payments.c.dialog_id == dialog_id, and_(payments.c.subject.in_(subjects))))
        .order_by(payments.c.id)
    )
    return [
        {
            "order_number": row.order_number,
            "invoice_number": row.invoice_number,
            "state": row.state,
            "total": row.total,
            "paid": row.paid,
            "due": row.due,
            "currency": row.currency,
            "updated_at": _iso(row.updated_at),
        }
        for row in rows
    ]


def list_deliveries(conn: Connection, *, state: str | None = None, skip: int = 0, limit: int = 50) -> dict[str, Any]:
    query = select(deliveries)
    if state:
        query = query.where(deliveries.c.state.in_(_states(state, DELIVERY_WORDS)))
    total, rows = _page(conn, query, order=[deliveries.c.id.desc()], skip=skip, limit=limit)
    return {
        "total": total,
        "items": [
            {
                "id": row.id,
                "system": row.system,
                "action": row.action,
                "recipient": row.recipient,
                "key": row.key,
                "state": DELIVERY_WORDS[DeliveryState(row.state)],
                "attempts": row.attempts,
                "next_try_at": _iso(row.next_try_at) if row.state in (0, 2) else None,
                "error": row.error,
                "external_id": row.external_id,
            }
            for row in rows
        ],
    }


def list_calls(conn: Connection, *, skip: int = 0, limit: int = 50) -> dict[str, Any]:
    total, rows = _page(conn, select(api_calls), order=[api_calls.c.id.desc()], skip=skip, limit=limit)
    return {
        "total": total,
        "items": [
            {
                "id": row.id,
                "at": _iso(row.at),
                "system": row.system,
                "method": row.method,
                "url": row.url,
                "request": _json_or_text(row.request),
                "status": row.status,
                "response": _json_or_text(row.response),
                "duration_ms": row.duration_ms,
            }
            for row in rows
        ],
    }


def _json_or_text(text: str | None) -> Any:
    if not text:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
