"""Telegram: a messenger for customers, and the managers' groups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from integrations.base import CallLog, Integration
from integrations.telegram.catalogue import NOTIFY
from integrations.telegram.settings import TelegramSettings

if TYPE_CHECKING:
    from integrations.telegram.group_messages import FetchFile
    from integrations.telegram.polling import Feed

__all__ = ["NOTIFY", "TelegramSettings", "make_telegram"]


def make_telegram(
    settings: TelegramSettings,
    *,
    now: Callable[[], datetime],
    log_call: CallLog,
    feed: Feed,
    fetch_file: FetchFile | None = None,
) -> Integration:
    """Everything that the service knows of Telegram. Opens no connection; call `stop` at the end.

    `feed` makes the events of polling durable and returns after the commit. `fetch_file` gives the bytes of another
    channel's file, which the managers' group is to see. Raises ValueError with a sentence for settings that cannot be.
    """
    # Not at the top: aiogram is loaded only where Telegram is configured, and then without what we do not use of it.
    from integrations.telegram import lean_aiogram

    lean_aiogram.load()
    from integrations.telegram.assembly import assemble

    return assemble(settings, now=now, log_call=log_call, feed=feed, fetch_file=fetch_file)
