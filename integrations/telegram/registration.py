"""Telling Telegram our address, in webhook mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from integrations.base import Later, Never, Unknown
from integrations.telegram.client import TelegramClient
from integrations.telegram.updates import ALLOWED_UPDATES
from integrations.telegram.webhook import PATH

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 40
LONGEST_PAUSE_S = 60.0


class WebhookRegistration:
    """Sets the webhook at every start: an omitted list of update types would leave the last one in force.

    The same parameters again change nothing at Telegram. If Telegram cannot be reached the service starts all the
    same, and the registration is tried until it succeeds.
    """

    def __init__(
        self,
        client: TelegramClient,
        *,
        base_url: str,
        secret: str,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._url = base_url.rstrip("/") + PATH
        self._secret = secret
        self._pause = pause
        self._retries: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises Never if Telegram refuses the address or the token."""
        if not await self._try():
            self._retries = asyncio.create_task(self._try_until_done())

    async def stop(self) -> None:
        if self._retries is not None:
            self._retries.cancel()
            with suppress(asyncio.CancelledError):
                await self._retries

    async def _try(self) -> bool:
        try:
            await self._client.set_webhook(
                url=self._url, secret=self._secret, allowed=ALLOWED_UPDATES, max_connections=MAX_CONNECTIONS
            )
        except (Later, Unknown) as error:
            log.warning("telegram_webhook_not_set", error=type(error).__name__, reason=str(error))
            return False
        log.info("telegram_webhook_set", url=self._url)
        return True

    async def _try_until_done(self) -> None:
        pause_s = 2.0  # one setWebhook a second is all that Telegram takes
        while True:
            await self._pause(pause_s)
            try:
                if await self._try():
                    return
            except Never as error:
                log.error("telegram_webhook_refused_by_telegram", reason=str(error))
                return
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
