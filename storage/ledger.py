"""What our own books say of another system's things: orders that we gave, and what we were told last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, func, select, text, update

from storage import inbox, outbox
from storage.outbox import is_end_unknown
from storage.tables import DeliveryState, deliveries, events, issues, links, payments
from storage.unit import finished_event

PAGE = 2000  # rows of the outbox looked at in one statement


@dataclass(frozen=True, slots=True)
class OurOrder:
    """A row of the outbox, as a comparison needs it."""

    id: int
    key: str
    action: str
    state: DeliveryState
    external_id: str | None
    params: Mapping[str, Any]
    created_at: int  # milliseconds
    attempts: int
    is_end_unknown: bool


@dataclass(frozen=True, slots=True)
class KnownPayment:
    state: str | None
    total: int | None  # kopecks
    paid: int | None


def orders_before(
    conn: Connection, *, actions: Sequence[str], before: int, since: int, limit: int = PAGE
) -> tuple[list[OurOrder], int]:
    """Orders of these actions in the part of the outbox before that id, and the id that the next part is before.

    0: everything since then was looked at. The newest part first: nothing but the ids is in the order of time.
    """
    d = deliveries.c
    part = select(deliveries).where(d.id < before).order_by(d.id.desc()).limit(limit).subquery()
    edge, newest = conn.execute(select(func.min(part.c.id), func.max(part.c.created_at))).one()
    if edge is None or newest < since:
        return [], 0
    p = part.c
    columns = (p.id, p.key, p.action, p.state, p.error, p.code, p.external_id, p.params, p.created_at, p.attempts)
    rows = conn.execute(select(*columns).where(p.action.in_(actions), p.created_at >= since).order_by(p.id))
    return [
        OurOrder(
            id_, key, action, DeliveryState(state), external_id, orjson.loads(params), created_at, attempts,
            state == DeliveryState.DEAD and is_end_unknown(code, error),
        )
        for id_, key, action, state, error, code, external_id, params, created_at, attempts in rows
    ], edge  # fmt: skip


def known_keys(conn: Connection, keys: Collection[str]) -> set[str]:
    query = select(deliveries.c.key).where(deliveries.c.key.in_(keys))
    return {row.key for row in conn.execute(query)}


def known_statuses(conn: Connection, issue_ids: Collection[int]) -> dict[int, str | None]:
    query = select(issues.c.id, issues.c.status).where(issues.c.id.in_(issue_ids))
    return {row.id: row.status for row in conn.execute(query)}


def has_event(conn: Connection, source: str, external_id: str) -> bool:
    """Whether an event that carries no time of its own has come."""
    query = select(events.c.id).where(
        events.c.minute == 0, events.c.source == source, events.c.external_id == external_id
    )
    return conn.execute(query).first() is not None


def is_on_its_way(conn: Connection, source: str, prefix: str) -> bool:
    """Whether an event whose id begins so is here and not handled yet."""
    names = (events.c.source == source, events.c.external_id.startswith(prefix, autoescape=True))
    for state in ("state = 0 and id > 0", "state = 4"):  # as the partial indexes say it
        if conn.execute(select(events.c.id).where(text(state), *names).limit(1)).first() is not None:
            return True
    return False


def payment_of(conn: Connection, external_id: str, *, guid: str | None, issue_id: int | None) -> KnownPayment | None:
    """What we know of the payment of an order, by any of its names; else by the only dialog that it can belong to."""
    names = [f"onec-ext:{external_id}"] + ([f"onec-order:{guid}"] if guid else [])
    columns = select(payments.c.state, payments.c.total, payments.c.paid)
    row = conn.execute(
        columns.where(payments.c.subject.in_(names)).order_by(payments.c.updated_at.desc()).limit(1)
    ).first()
    if row is None:
        subjects = [*names, *([] if issue_id is None else [f"issue:{issue_id}"])]
        linked = select(links.c.dialog_id).where(links.c.subject.in_(subjects))
        rows = conn.execute(columns.where(payments.c.dialog_id.in_(linked)).limit(2)).fetchall()
        row = rows[0] if len(rows) == 1 else None
    return None if row is None else KnownPayment(row.state, row.total, row.paid)


def payments_since(conn: Connection, since: int) -> list[str]:
    """External ids of orders whose payment we were told of since then."""
    rows = conn.execute(
        select(payments.c.subject).where(payments.c.updated_at >= since, payments.c.subject.like("onec-ext:%"))
    )
    return [row.subject.removeprefix("onec-ext:") for row in rows]


def adopt(conn: Connection, delivery_id: int, *, external_id: str | None, result: Mapping[str, Any], now: int) -> bool:
    """A dead order was done after all: note its end, and tell the dialogs that wait for it. False: it is not dead."""
    query = select(deliveries.c.key, deliveries.c.action, deliveries.c.params).where(
        deliveries.c.id == delivery_id, text("state = 5")
    )
    if conn.dialect.name == "postgresql":
        query = query.with_for_update()
    row = conn.execute(query).first()
    if row is None:
        return False
    params = orjson.loads(row.params)
    life = int(params.get("life", 1)) + 1
    conn.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(
            state=int(DeliveryState.DONE),
            finished_at=now,
            code=None,
            error="the answer was lost; a reconciliation found it done",
            external_id=external_id,
            result=orjson.dumps(result, default=str).decode(),
            params=orjson.dumps({**params, "life": life}).decode(),
        )
    )
    waiters = outbox.waiters_of(conn, [delivery_id]).get(delivery_id, [])
    inbox.put(
        conn,
        [
            finished_event(
                waiter, key=row.key, action=row.action, ok=True, result=result, code=None, message=None, now=now,
                life=life,
            )
            for waiter in waiters
        ],
    )  # fmt: skip
    return True
