"""A dialog as it stood after any of its turns, told from the journal: what was known, decided, and came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select

from storage.clock import from_ms
from storage.outbox import short_key
from storage.tables import DeliveryState, deliveries, dialogs, events, messages, timers, turns

_SHOWN = {DeliveryState.PARKED: "waiting"}


def get_moment(conn: Connection, dialog_id: int, turn: int) -> dict[str, Any] | None:
    """The dialog after turn number `turn` (from 1); None if there is no such turn.

    `frames` are the running flows with their variables, the last one on top; `effects` are what the turn ordered, each
    with `outcome`: what has become of it until now.
    """
    rows = conn.execute(
        select(turns).where(turns.c.dialog_id == dialog_id, turns.c.turn <= turn).order_by(turns.c.turn, turns.c.id)
    ).fetchall()
    if not rows or rows[-1].turn != turn:
        return None
    row = rows[-1]
    trace = orjson.loads(row.trace)
    frames, contact = _replayed(rows)
    return {
        "dialog_id": dialog_id,
        "turn": turn,
        "at": from_ms(row.at).isoformat(),
        "event": {"id": row.event_id, "kind": row.event, **_event(conn, row.event_id)},
        "from_step": row.from_step,
        "to_step": row.to_step,
        "version": row.version,
        "decided": trace.get("decided", []),
        "frames": frames,
        "variables": {name: value for frame in frames for name, value in frame["variables"].items()},
        "contact": contact,
        "effects": _effects(conn, dialog_id, row),
        "last_turn": conn.execute(select(dialogs.c.turn).where(dialogs.c.id == dialog_id)).scalar(),
    }


def _replayed(rows: Iterable[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The frames with their variables, and what was stored of the person, after these turns."""
    frames: list[dict[str, Any]] = []
    contact: dict[str, Any] = {}
    for row in rows:
        trace = orjson.loads(row.trace)
        for level, flow, values in trace.get("changes", ()):
            if level >= len(frames) or frames[level]["flow"] != flow:
                del frames[level:]
                frames.append({"flow": flow, "variables": {}})
            known = frames[level]["variables"]
            known.update(values)
            for name in [name for name, value in known.items() if value is None]:
                del known[name]
        del frames[max(trace.get("frames", 1), 1) :]
        for effect in orjson.loads(row.effects):
            if effect.get("effect") == "SaveContact":
                contact |= effect.get("values", {})
    return frames, {name: value for name, value in contact.items() if value is not None}


def _event(conn: Connection, event_id: int | None) -> dict[str, Any]:
    if event_id is None:
        return {}
    row = conn.execute(
        select(events.c.source, events.c.kind, events.c.external_id).where(events.c.id == event_id)
    ).first()
    if row is None:
        return {}
    return {"source": row.source, "source_kind": row.kind, "external_id": row.external_id}


def _effects(conn: Connection, dialog_id: int, row: Any) -> list[dict[str, Any]]:
    sends = _sends(conn, dialog_id, row.turn)
    ordered = orjson.loads(row.effects)
    actions = _actions(conn, [short_key(e["key"]) for e in ordered if e.get("effect") == "RunAction"])
    pending = {t.name: t for t in conn.execute(select(timers).where(timers.c.dialog_id == dialog_id))}
    told = []
    for effect in ordered:
        kind = effect.get("effect")
        outcome: Any = None
        if kind == "SendMessage":
            outcome = sends.pop(0) if sends else None
        elif kind == "RunAction":
            outcome = actions.get(short_key(effect["key"]))
        elif kind == "SetTimer":
            timer = pending.get(effect.get("name", ""))
            outcome = {"state": "pending" if timer is not None and timer.turn == row.turn else "over"}
        told.append({**effect, "outcome": outcome})
    return told


def _sends(conn: Connection, dialog_id: int, turn: int) -> list[dict[str, Any]]:
    """Of each message of a turn; one that was cut into parts counts by its first."""
    query = (
        select(deliveries.c.state, deliveries.c.error, deliveries.c.attempts, messages.c.status, messages.c.text)
        .join(messages, messages.c.id == deliveries.c.message_id)
        .where(deliveries.c.dialog_id == dialog_id, deliveries.c.turn == turn)
        .order_by(deliveries.c.id)
    )
    return [
        {"state": _state(row.state), "status": row.status, "attempts": row.attempts, "error": row.error}
        for row in conn.execute(query)
        if row.text is not None
    ]


def _actions(conn: Connection, keys: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """By key: another dialog may have ordered the same work first."""
    query = select(deliveries).where(deliveries.c.key.in_(keys))
    return {
        row.key: {
            "state": _state(row.state),
            "attempts": row.attempts,
            "error": row.error,
            "code": row.code,
            "result": orjson.loads(row.result) if row.result else None,
        }
        for row in conn.execute(query)
    }


def _state(state: int) -> str:
    return _SHOWN.get(DeliveryState(state), DeliveryState(state).name.lower())
