"""One forum topic for each customer who needs a person; a plain group gets threads by reply instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from integrations.base import Action, Done, Later, Never, Order
from storage.database import Database
from storage.tables import conversations

log = structlog.get_logger(__name__)

NO_TOPIC = 0  # the group is no forum


class Topics:
    """The action `to_topic`: finds or makes the customer's topic, then sends there.

    Order.params: those of `send_group`, `conversation_id`, `chat_id`, `title` (name of a new topic), and `is_card`
    for the message that carries the buttons.
    """

    def __init__(self, database: Database, actions: Mapping[str, Action]) -> None:
        self._database = database
        self._actions = actions

    def action(self) -> Action:
        return Action("to_topic", self.run, repeatable=True)

    async def run(self, order: Order) -> Done:
        conversation_id = int(order.params["conversation_id"])
        chat_id = int(order.params["chat_id"])
        place = await self._database.read(lambda conn: _place(conn, conversation_id))
        thread_id = place[1] if place is not None and place[0] == chat_id else None
        if thread_id is None:
            thread_id = await self._make(order, conversation_id, chat_id)
        params: dict[str, Any] = {
            name: order.params[name] for name in ("text", "buttons", "files") if name in order.params
        }
        params |= {"chat_id": chat_id}
        if thread_id != NO_TOPIC:
            params["thread_id"] = thread_id
        elif place is not None and place[2] and not order.params.get("is_card"):
            params["reply_to"] = place[2]
        try:
            done = await self._actions["send_group"].run(
                Order(order.key, "send_group", str(chat_id), params, order.attempt, order.created_at)
            )
        except Never as error:
            if error.code == "topic_gone":
                await self._database.write(lambda conn: _save(conn, conversation_id, chat_id, None))
                raise Later("the customer's topic was deleted; a new one is made", retry_after_s=1.0) from error
            if error.code == "topic_closed" and thread_id != NO_TOPIC:
                await self._reopen(order, chat_id, thread_id)
                raise Later("the customer's topic was closed; it is open again", retry_after_s=1.0) from error
            raise
        if order.params.get("is_card"):
            card = int(done.result["message_id"])
            await self._database.write(lambda conn: _save_card(conn, conversation_id, card))
        return done

    async def _reopen(self, order: Order, chat_id: int, thread_id: int) -> None:
        params = {"chat_id": chat_id, "thread_id": thread_id}
        key = f"{order.key}/reopen"
        await self._actions["reopen_topic"].run(
            Order(key, "reopen_topic", str(chat_id), params, order.attempt, order.created_at)
        )

    async def _make(self, order: Order, conversation_id: int, chat_id: int) -> int:
        try:
            made = await self._actions["create_topic"].run(
                Order(
                    f"{order.key}/topic",
                    "create_topic",
                    str(chat_id),
                    {"name": order.params.get("title") or "…"},
                    order.attempt,
                    order.created_at,
                )
            )
            thread_id = int(made.result["thread_id"])
        except Never as error:
            if error.stops_system or error.unreachable or error.code != "not_a_forum":
                raise
            log.warning("group_has_no_topics", reason=str(error))
            thread_id = NO_TOPIC
        await self._database.write(lambda conn: _save(conn, conversation_id, chat_id, thread_id))
        return thread_id


def _place(conn: Connection, conversation_id: int) -> tuple[int | None, int | None, int | None] | None:
    row = conn.execute(
        select(conversations.c.group_chat_id, conversations.c.thread_id, conversations.c.card_message_id).where(
            conversations.c.id == conversation_id
        )
    ).first()
    return None if row is None else (row[0], row[1], row[2])


def _save(conn: Connection, conversation_id: int, chat_id: int, thread_id: int | None) -> None:
    conn.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(group_chat_id=chat_id, thread_id=thread_id, card_message_id=None)
    )


def _save_card(conn: Connection, conversation_id: int, message_id: int) -> None:
    conn.execute(update(conversations).where(conversations.c.id == conversation_id).values(card_message_id=message_id))
