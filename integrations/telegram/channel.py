"""Telegram as a messenger that customers write in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dialogs.effects import SendMessage
from dialogs.events import File
from integrations.telegram.client import GET_FILE_LIMIT_BYTES, TelegramClient
from integrations.telegram.errors import Refused
from integrations.telegram.files import bare_id
from integrations.telegram.pace import Pace
from integrations.telegram.render import render


class TelegramChannel:
    """`groups`: the managers' groups whose messages are read; add one that is configured elsewhere or has moved.

    `pace`: the sender asks it before an order goes out and tells it when one went; 429s are told to it here.
    """

    name = "telegram"
    window_s: int | None = None  # a bot may write to everybody who did not block it

    def __init__(self, client: TelegramClient, pace: Pace, groups: set[int]) -> None:
        self._client = client
        self.account = str(client.bot_id)
        self.pace = pace
        self.groups = groups

    def render(self, message: SendMessage) -> Sequence[Mapping[str, Any]]:
        return render(message)

    def merge(self, messages: Sequence[SendMessage]) -> Sequence[SendMessage]:
        """Telegram shows several short messages well: nothing is joined."""
        return messages

    async def download(self, file: File, limit_bytes: int) -> bytes:
        if file.size is not None and file.size > min(limit_bytes, GET_FILE_LIMIT_BYTES):
            raise Refused("the file is too big", reason="too_big")
        return await self._client.download(bare_id(file.id), limit_bytes)
