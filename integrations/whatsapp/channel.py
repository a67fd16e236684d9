"""WhatsApp as a channel that customers write in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dialogs.effects import SendMessage
from dialogs.events import File
from integrations.whatsapp.actions import FetchFile, Sending
from integrations.whatsapp.media import MediaStore
from integrations.whatsapp.pace import Pace
from integrations.whatsapp.render import merge, render

WINDOW_S = 24 * 3600 - 5 * 60  # Meta's window is 24 h from the customer's own timestamp; ours closes 5 minutes early


class WhatsAppChannel:
    name: str = "whatsapp"
    window_s: int | None = WINDOW_S

    def __init__(self, account: str, media: MediaStore, sending: Sending) -> None:
        self.account = account
        self.pace = Pace()  # asked by the sender before it claims a row
        self._media = media
        self._sending = sending

    def render(self, message: SendMessage) -> Sequence[Mapping[str, Any]]:
        return render(message)

    def merge(self, messages: Sequence[SendMessage]) -> Sequence[SendMessage]:
        return merge(messages)

    async def download(self, file: File, limit_bytes: int) -> bytes:
        """Fetch a customer's file by its media id, which lives seven days. Raises Later or Never."""
        return await self._media.download(file.id, limit_bytes)

    def take_files_from(self, fetch: FetchFile) -> None:
        """Where the bytes of managers' files come from: the `download` of the channel that managers write in."""
        self._sending.fetch_file = fetch
