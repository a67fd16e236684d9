"""Joining the parts of the Telegram integration. Imports aiogram, which takes a second and a hundred megabytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from integrations.base import CallLog, IncomingEvent, Integration, Later, Never, Unknown
from integrations.telegram.actions import TelegramActions
from integrations.telegram.channel import TelegramChannel
from integrations.telegram.client import TelegramClient
from integrations.telegram.group_messages import FetchFile
from integrations.telegram.pace import PER_SECOND, Pace
from integrations.telegram.polling import Feed, Poller
from integrations.telegram.reading import TelegramReader
from integrations.telegram.registration import WebhookRegistration
from integrations.telegram.settings import TelegramSettings
from integrations.telegram.updates import load
from integrations.telegram.webhook import TelegramWebhook


def assemble(
    settings: TelegramSettings,
    *,
    now: Callable[[], datetime],
    log_call: CallLog,
    feed: Feed,
    fetch_file: FetchFile | None = None,
) -> Integration:
    """See `make_telegram`."""
    if settings.mode == "webhook":
        if not (settings.webhook_secret and settings.base_url):
            raise ValueError("Telegram in webhook mode needs BASE_URL and TELEGRAM_WEBHOOK_SECRET")
        if not re.fullmatch("[A-Za-z0-9_-]{1,256}", settings.webhook_secret):  # Telegram takes no other (contract 1.1)
            raise ValueError("TELEGRAM_WEBHOOK_SECRET is 1 to 256 of the characters A-Z, a-z, 0-9, _ and -")
    client = TelegramClient(token=settings.bot_token, api_url=settings.api_url, log_call=log_call)
    pace = Pace()
    groups = set() if settings.managers_chat_id is None else {settings.managers_chat_id}
    channel = TelegramChannel(client, pace, groups)
    registration = None
    if settings.mode == "webhook":
        registration = WebhookRegistration(
            client, base_url=settings.base_url or "", secret=settings.webhook_secret or ""
        )

    async def acknowledge(event: IncomingEvent) -> None:
        """Stop the clock on a pressed button at once: it never waits behind the work that the press begins."""
        if event.kind != "callback_query":
            return
        query = load(event.body).get("callback_query", {})
        if isinstance(query, dict) and isinstance(query.get("id"), str):
            with suppress(Later, Never, Unknown):
                await client.answer_callback(query["id"])

    async def check() -> str:
        me = await client.get_me()
        return f"@{me.get('username') or client.bot_id} at {urlsplit(settings.api_url).hostname}"

    async def stop() -> None:
        if registration is not None:
            await registration.stop()
        await client.close()

    return Integration(
        name="telegram",
        # with polling the address is open too, if there is a secret: updates may still be on their way
        webhooks=[TelegramWebhook(settings.webhook_secret)] if settings.webhook_secret else [],
        read=TelegramReader(account=channel.account, groups=groups).read,
        actions=TelegramActions(client, pace, now=now, fetch_file=fetch_file).table(),
        channel=channel,
        per_second=float(PER_SECOND),
        check=check,
        start=registration.start if registration is not None else None,
        poll=Poller(client, feed).run if settings.mode == "polling" else None,
        stop=stop,
        acknowledge=acknowledge,
        pace_delay=pace.delay,
        pace_sent=pace.sent,
    )
