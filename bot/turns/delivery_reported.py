"""What became of a message of ours, as its channel tells it."""

from __future__ import annotations

import orjson
from sqlalchemy import select, update

from bot.managers import handoff
from bot.managers.words import word
from bot.turns.base import Turn
from integrations.base import DeliveryReported
from storage.clock import to_ms
from storage.tables import DeliveryState, deliveries, messages
from storage.unit import DELIVERED_RANK


def handle(turn: Turn, fact: DeliveryReported) -> None:
    unit = turn.unit
    if fact.key is not None:
        _adopt(turn, fact)
    known = unit.report_message(
        channel=fact.channel,
        external_id=fact.message_id,
        status=fact.status,
        rank=fact.rank,
        at=to_ms(fact.at),
        error=fact.error,
    )
    if fact.rank >= DELIVERED_RANK or fact.status == "failed":
        _open_gate(turn, fact)
    if not known:
        turn.ignored = "a message that we do not know (yet); kept"
    elif fact.status == "failed":
        _failed(turn, fact)


def _adopt(turn: Turn, fact: DeliveryReported) -> None:
    """The status carries our key: the send whose answer was lost did happen."""
    conn = turn.unit.conn
    row = conn.execute(
        select(
            deliveries.c.id,
            deliveries.c.state,
            deliveries.c.code,
            deliveries.c.message_id,
            deliveries.c.external_id,
        ).where(deliveries.c.key == fact.key)
    ).first()
    if row is None or row.external_id is not None:
        return
    was_given_up = row.state == DeliveryState.DEAD and row.code == "unknown"  # too early, as it turns out
    if was_given_up or row.state in (DeliveryState.UNKNOWN, DeliveryState.WAITING):
        conn.execute(
            update(deliveries)
            .where(deliveries.c.id == row.id)
            .values(
                state=int(DeliveryState.DONE),
                external_id=fact.message_id,
                finished_at=turn.unit.now,
                error="the answer was lost; a status of the channel settled it",
            )
        )
    elif row.state != DeliveryState.SENDING:
        return
    if row.message_id is not None:
        conn.execute(update(messages).where(messages.c.id == row.message_id).values(external_id=fact.message_id))


def _open_gate(turn: Turn, fact: DeliveryReported) -> None:
    """The next part of the same answer need not wait any longer."""
    recipient = turn.unit.conn.execute(
        select(deliveries.c.recipient)
        .join(messages, messages.c.id == deliveries.c.message_id)
        .where(messages.c.external_id == fact.message_id)
    ).scalar()
    if recipient is not None:
        delivered = turn.service.delivered
        turn.after.append(lambda: delivered(fact.channel, recipient))


def _failed(turn: Turn, fact: DeliveryReported) -> None:
    """Refused after it had been accepted: a closed window means template or parking, the rest is told."""
    conn = turn.unit.conn
    row = conn.execute(
        select(deliveries.c.id, deliveries.c.params, deliveries.c.conversation_id, messages.c.id.label("message_id"))
        .join(messages, messages.c.id == deliveries.c.message_id)
        .where(messages.c.external_id == fact.message_id, messages.c.status == "failed")
    ).first()
    if row is None or row.conversation_id is None:
        return
    if fact.window_closed:
        params = orjson.loads(row.params)
        has_template = bool(params.get("template")) and not params.get("use_template")
        state = DeliveryState.WAITING if has_template else DeliveryState.PARKED
        if has_template:
            params["use_template"] = True
        conn.execute(
            update(deliveries)
            .where(deliveries.c.id == row.id)
            .values(
                state=int(state),
                params=orjson.dumps(params).decode(),
                next_try_at=turn.unit.now,
                external_id=None,
                finished_at=None,
                error="the 24-hour window was closed",
            )
        )
        conn.execute(
            update(messages)
            .where(messages.c.id == row.message_id)
            .values(status="queued" if has_template else "parked", external_id=None, rank=0)
        )
        if has_template:
            return
    conversation = turn.unit.conversation(row.conversation_id)
    contact = turn.unit.contact(conversation.contact_id)
    handoff.alert(
        turn,
        word(
            "undelivered",
            handoff.LANG,
            reason=fact.error or fact.code or "",
            who=handoff.topic_title(contact, conversation),
        ),
    )
