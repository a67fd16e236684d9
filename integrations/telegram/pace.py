"""How fast we may send (contract 3.6). The true numbers are not published; `retry_after` always has the last word."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

PER_SECOND = 30
GROUP_PER_MINUTE = 20
CHAT_INTERVAL = timedelta(seconds=1)
CHAT_BURST = 3
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
KEPT_CHATS = 10_000


class Pace:
    """Three buckets: the bot, the chat, the group. Pure: the time comes in with every call.

    `recipient` is that of an order, `CHAT` or `CHAT:THREAD`; all topics of a group share the group's limits.
    Ask `delay` before an order goes out, say `sent` when it goes, failed or not.
    """

    def __init__(
        self,
        *,
        per_second: int = PER_SECOND,
        group_per_minute: int = GROUP_PER_MINUTE,
        chat_interval: timedelta = CHAT_INTERVAL,
        chat_burst: int = CHAT_BURST,
    ) -> None:
        self._all: deque[datetime] = deque(maxlen=per_second)
        self._group_per_minute = group_per_minute
        self._groups: dict[str, deque[datetime]] = {}
        self._chat_interval = chat_interval
        self._allowance = chat_interval * (chat_burst - 1)
        self._free_at: dict[str, datetime] = {}  # when a chat would be free if nothing were sent in bursts
        self._paused_until: dict[str | None, datetime] = {}

    def delay(self, recipient: str, now: datetime) -> float:
        """Seconds to wait before the next message to `recipient`; 0.0 = send."""
        chat = chat_of(recipient)
        at = now
        for paused in (None, chat):
            if paused in self._paused_until:
                at = max(at, self._paused_until[paused])
        if len(self._all) == self._all.maxlen:
            at = max(at, self._all[0] + SECOND)
        if chat in self._free_at:
            at = max(at, self._free_at[chat] - self._allowance)
        group = self._groups.get(chat)
        if group is not None and len(group) == group.maxlen:
            at = max(at, group[0] + MINUTE)
        return (at - now).total_seconds()

    def sent(self, recipient: str, now: datetime) -> None:
        """A message to `recipient` goes out now."""
        chat = chat_of(recipient)
        self._all.append(now)
        self._free_at[chat] = max(self._free_at.get(chat, now), now) + self._chat_interval
        if is_group(chat):
            self._groups.setdefault(chat, deque(maxlen=self._group_per_minute)).append(now)
        if len(self._free_at) > KEPT_CHATS:
            self._forget(now)

    def pause(self, recipient: str | None, until: datetime) -> None:
        """Nothing goes to `recipient` (None: to anybody) before `until`. A pause is never shortened."""
        chat = None if recipient is None else chat_of(recipient)
        self._paused_until[chat] = max(self._paused_until.get(chat, until), until)

    def _forget(self, now: datetime) -> None:
        """Drop the chats that are free anyway."""
        self._free_at = {chat: at for chat, at in self._free_at.items() if at > now}
        self._groups = {chat: sent for chat, sent in self._groups.items() if sent[-1] + MINUTE > now}
        self._paused_until = {chat: until for chat, until in self._paused_until.items() if until > now}


def chat_of(recipient: str) -> str:
    return recipient.partition(":")[0]


def is_group(chat: str) -> bool:
    """Groups have negative ids, people positive ones; a name (@channel) counts as a group."""
    return chat.startswith(("-", "@"))
