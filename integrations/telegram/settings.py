"""What the folder must be told before it can speak to Telegram."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    bot_token: str = field(repr=False)
    api_url: str = "https://api.telegram.org"
    mode: Literal["polling", "webhook"] = "polling"
    webhook_secret: str | None = field(default=None, repr=False)
    base_url: str | None = None  # our public address
    managers_chat_id: int | None = None
