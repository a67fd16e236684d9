"""Which orders Telegram carries out.

| action            | recipient     | params (`?`: may be absent)                         | result               |
|-------------------|---------------|-----------------------------------------------------|----------------------|
| `send`            | CHAT          | `method` `fields` `is_question`, as `render` makes  | `message_id`         |
| `answer_callback` | CHAT          | `ack` `text?` `alert?`                              |                      |
| `send_group`      | CHAT[:TOPIC]  | `text` `thread_id?` `buttons?` `files?` `reply_to?` | `message_id`         |
| `edit_group`      | CHAT[:TOPIC]  | `message_id` `text?` `buttons?` `thread_id?`        | `message_id` `is_new`|
| `create_topic`    | CHAT          | `name` `icon_color?`                                | `thread_id`          |
| `close_topic`     | CHAT[:TOPIC]  | `thread_id?`                                        |                      |
| `reopen_topic`    | CHAT[:TOPIC]  | `thread_id?`                                        |                      |
| `typing`          | CHAT          |                                                     |                      |
| `telegram.notify` | any           | of `send_group`, and `chat_id`: `address_notice`    | `message_id`         |

`buttons`: rows of `{"text", "data"}` or `{"text", "url"}`. `files`: `{"id", "kind", "name"?, …}`; one of another
channel names it in `"channel"` and is fetched and uploaded. `Done.external_id` is CHAT:MESSAGE_ID of the message with
the buttons, the last one; `parts` are those before it.

Telegram has no key against repeats and no way to look up what was sent (contract 3.3), so every action is
`repeatable`: after a lost answer it is carried out again, which may show a message twice and never loses one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from integrations.base import Action, Done, Later, Order
from integrations.telegram.catalogue import NOTIFY
from integrations.telegram.client import Sent, TelegramClient
from integrations.telegram.errors import Refused
from integrations.telegram.group_messages import FetchFile, GroupSender
from integrations.telegram.pace import Pace
from integrations.telegram.render import LIMITS, inline_rows
from integrations.telegram.utf16 import shorten

log = structlog.get_logger(__name__)

ICON_COLORS = frozenset({7322096, 16766590, 13338331, 9367192, 16749490, 16478047})  # all that Telegram takes
CALLBACK_LIFE = timedelta(seconds=150)  # an answer after that is refused (contract 1.2)
TYPING_LIFE = timedelta(seconds=5)
UNPACED_ACTIONS: Final = frozenset({"answer_callback", "typing"})
"""Orders that are no messages: `Pace` need not be asked for them."""


def address_notice(params: Mapping[str, Any], *, chat_id: int, thread_id: int | None) -> dict[str, Any]:
    """The params of a flow's `telegram.notify`, with its `group` and `topic` resolved to where it goes."""
    return {**params, "chat_id": chat_id, "thread_id": thread_id}


class TelegramActions:
    def __init__(
        self,
        client: TelegramClient,
        pace: Pace,
        *,
        now: Callable[[], datetime],
        fetch_file: FetchFile | None = None,
    ) -> None:
        self._client = client
        self._pace = pace
        self._now = now
        self._groups = GroupSender(client, fetch_file)

    def table(self) -> dict[str, Action]:
        runs = {
            "send": self._send,
            "answer_callback": self._answer_callback,
            "send_group": self._send_group,
            "edit_group": self._edit_group,
            "create_topic": self._create_topic,
            "close_topic": self._close_topic,
            "reopen_topic": self._reopen_topic,
            "typing": self._typing,
            NOTIFY.name: self._notify,
        }

        def paced(run: Callable[[Order], Any]) -> Callable[[Order], Any]:
            async def run_paced(order: Order) -> Done:
                try:
                    done: Done = await run(order)
                except Later as error:
                    self._slow_down(order, error)
                    raise
                return done

            return run_paced

        return {
            name: Action(name, paced(run), repeatable=True, spec=NOTIFY if name == NOTIFY.name else None)
            for name, run in runs.items()
        }

    def _slow_down(self, order: Order, error: Later) -> None:
        """A flood is of the chat, not of the topic that the order names; the pace knows the difference."""
        if error.retry_after_s is not None and error.scope != "row":
            chat = order.params.get("chat_id", order.recipient)
            self._pace.pause(
                None if error.scope == "system" else str(chat),
                self._now() + timedelta(seconds=error.retry_after_s),
            )

    async def _send(self, order: Order) -> Done:
        chat_id, thread_id = address_of(order)
        method, fields = order.params.get("method"), order.params.get("fields")
        if not isinstance(method, str) or not isinstance(fields, Mapping):
            raise Refused("the order names no method and no fields", reason="other")
        try:
            sent = await self._client.send(method, fields, chat_id=chat_id, thread_id=thread_id)
        except Refused as error:
            plain = plain_fields(error, fields)
            if plain is None:
                raise
            # a mistake of ours, or a link that Telegram cannot fetch: the customer gets the words all the same
            log.error("telegram_refused_our_message", reason=error.reason, method=method, key=order.key)
            sent = await self._client.send("sendMessage", plain, chat_id=chat_id, thread_id=thread_id)
        return sent_once(sent)

    async def _answer_callback(self, order: Order) -> Done:
        """Best effort: it only stops the clock on the button."""
        if self._now() - order.created_at > CALLBACK_LIFE:
            return Done()
        text = order.params.get("text")
        try:
            await self._client.answer_callback(
                str(order.params.get("ack", "")),
                text=shorten(str(text), LIMITS["callback_answer"]) if text else None,
                show_alert=bool(order.params.get("alert")),
            )
        except Refused as error:
            if error.stops_system:
                raise
            log.info("telegram_callback_not_answered", reason=error.reason)
        return Done()

    async def _send_group(self, order: Order) -> Done:
        chat_id, thread_id = address_of(order)
        return await self._groups.send(order, chat_id=chat_id, thread_id=thread_id)

    async def _notify(self, order: Order) -> Done:
        chat_id, thread_id = address_of(order)
        return await self._groups.send(order, chat_id=chat_id, thread_id=thread_id)

    async def _edit_group(self, order: Order) -> Done:
        chat_id, thread_id = address_of(order)
        message_id, text = number(order, "message_id"), order.params.get("text")
        markup = inline_rows(order.params.get("buttons") or ())
        try:
            if not text:
                await self._client.edit_buttons(chat_id=chat_id, message_id=message_id, reply_markup=markup)
            else:
                await self._edit_text(chat_id, message_id, str(text), markup)
        except Refused as error:
            if error.reason == "message_gone" and text:  # deleted, or too old to be edited: say it anew (contract 3.4)
                done = await self._groups.send(order, chat_id=chat_id, thread_id=thread_id)
                return Done({**done.result, "is_new": True}, done.external_id, done.parts)
            if error.reason != "not_modified":
                raise
        return Done({"message_id": message_id, "is_new": False}, external_id=f"{chat_id}:{message_id}")

    async def _edit_text(self, chat_id: int | str, message_id: int, text: str, markup: Any) -> None:
        short = shorten(text, LIMITS["text"])
        try:
            await self._client.edit_text(chat_id=chat_id, message_id=message_id, text=short, reply_markup=markup)
        except Refused as error:
            if error.reason != "no_text_in_it":
                raise
            caption = shorten(text, LIMITS["caption"])
            await self._client.edit_caption(
                chat_id=chat_id, message_id=message_id, caption=caption, reply_markup=markup
            )

    async def _create_topic(self, order: Order) -> Done:
        chat_id, _ = address_of(order)
        name = shorten(" ".join(str(order.params.get("name", "")).split()), LIMITS["topic_name"]) or "…"
        color = order.params.get("icon_color")
        thread_id = await self._client.create_topic(
            chat_id=chat_id, name=name, icon_color=color if color in ICON_COLORS else None
        )
        return Done({"thread_id": thread_id}, external_id=f"{chat_id}:{thread_id}")

    async def _close_topic(self, order: Order) -> Done:
        return await self._turn_topic(order, self._client.close_topic)

    async def _reopen_topic(self, order: Order) -> Done:
        return await self._turn_topic(order, self._client.reopen_topic)

    async def _turn_topic(self, order: Order, call: Callable[..., Any]) -> Done:
        chat_id, thread_id = address_of(order)
        try:
            await call(chat_id=chat_id, thread_id=thread_id or number(order, "thread_id"))
        except Refused as error:
            if error.reason != "topic_as_wanted":
                raise
        return Done()

    async def _typing(self, order: Order) -> Done:
        """Worth nothing later: never tried again."""
        if self._now() - order.created_at <= TYPING_LIFE:
            chat_id, thread_id = address_of(order)
            try:
                await self._client.show_typing(chat_id=chat_id, thread_id=thread_id)
            except Refused as error:
                if error.stops_system:
                    raise
        return Done()


def plain_fields(error: Refused, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is left to say in plain words when a message was refused for its form; None if nothing can be mended."""
    words = str(fields.get("text") or fields.get("caption") or "")
    if error.reason == "our_markup" and words:
        return {"text": shorten(words, LIMITS["text"])}
    if error.reason == "media_refused":
        links = [value for value in fields.values() if isinstance(value, str) and value.startswith("http")]
        text = "\n\n".join(part for part in (words, *links) if part)
        markup = {"reply_markup": fields["reply_markup"]} if "reply_markup" in fields else {}
        return {"text": shorten(text, LIMITS["text"]), **markup} if links else None
    return None


def address_of(order: Order) -> tuple[int | str, int | None]:
    """Chat and topic of an order: its params first, then its recipient. Raises Never."""
    recipient, _, thread = order.recipient.partition(":")
    chat: Any = order.params.get("chat_id", recipient)
    thread_id: Any = order.params.get("thread_id", thread or None)
    if isinstance(chat, str) and chat.startswith("@") and len(chat) > 1:
        chat_id: int | str = chat
    else:
        chat_id = _integer(chat, "chat")
    return chat_id, None if thread_id is None else _integer(thread_id, "topic")


def number(order: Order, name: str) -> int:
    return _integer(order.params.get(name), name)


def _integer(value: Any, name: str) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise Refused(f"the order names no {name}", reason="other") from None


def sent_once(sent: Sent) -> Done:
    return Done({"message_id": sent.message_id}, external_id=sent.id)
