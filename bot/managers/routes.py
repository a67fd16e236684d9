"""Which Telegram chat, and which topic in it, a notice for managers goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.unit import Conversation

NO = {"false", "no", "0", "нет", ""}


@dataclass(slots=True)
class Groups:
    """The managers' groups. `chats`: groups of the project file that name their own chat."""

    managers_chat_id: int | None
    chats: dict[str, int] = field(default_factory=dict)
    has_telegram: bool = False
    heard: set[int] = field(default_factory=set)  # chats whose messages the channel reads; shared with it

    def all(self) -> set[int]:
        """Every managers' chat that is configured."""
        return {*self.chats.values(), *([] if self.managers_chat_id is None else [self.managers_chat_id])}

    def chat_of(self, group: str) -> int | None:
        if not self.has_telegram:
            return None
        return self.chats.get(group, self.managers_chat_id)

    def moved(self, old: int, new: int) -> None:
        """A group became a supergroup."""
        if self.managers_chat_id == old:
            self.managers_chat_id = new
        self.chats = {name: new if chat == old else chat for name, chat in self.chats.items()}
        self.heard.add(new)

    def target(
        self, group: str, conversation: Conversation | None, params: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]] | None:
        """Recipient and params of a flow's `telegram.notify`; None = no chat is configured.

        The notice goes to the customer's topic if there is one. A notice alone opens no topic: topics are for
        customers who need a person.
        """
        chat_id = self.chat_of(group)
        if chat_id is None:
            return None
        thread_id = None
        wanted = str(params.get("topic", "true")).lower() not in NO
        if wanted and conversation is not None and conversation.thread_id and conversation.group_chat_id == chat_id:
            thread_id = conversation.thread_id
        recipient = str(chat_id) if thread_id is None else f"{chat_id}:{thread_id}"
        return recipient, {**params, "chat_id": chat_id, "thread_id": thread_id}
