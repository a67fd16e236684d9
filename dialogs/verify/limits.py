"""What the channels can show, as far as the verifier asks: the numbers of the integrations, which it may not import.

Lengths are in UTF-16 units, as Telegram counts; Meta says nowhere how it counts, and these are never too few.
"""

from __future__ import annotations

from collections.abc import Mapping

CHANNEL_LIMITS: Mapping[str, Mapping[str, int]] = {
    "whatsapp": {
        "text": 4096,
        "question": 1024,  # with options or with a button of the channel's own
        "options": 10,
        "button": 20,  # title of one of at most three options without `about`
        "row": 24,  # title of an option in a list
        "about": 72,
        "list_button": 20,
    },
    "telegram": {"text": 4096, "question": 4096, "options": 100, "button": 60, "row": 60},
}
"""A kind of text that a channel does not name has no limit there."""

MAX_BUTTONS = 3  # more options are a list in WhatsApp


def limit_of(channels: tuple[str, ...], kind: str) -> int | None:
    """The smallest limit of the channels."""
    limits = [limit for channel in channels if (limit := CHANNEL_LIMITS[channel].get(kind)) is not None]
    return min(limits, default=None)


def units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
