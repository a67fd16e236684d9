"""Updates by long polling: the same inbox, another way in.

Telegram forgets an update when a later call names a higher offset, so the offset moves only after our own commit:
what `feed` did not take comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from integrations.base import IncomingEvent, Later, Never, Unknown
from integrations.telegram.client import TelegramClient
from integrations.telegram.updates import ALLOWED_UPDATES, dump, event_from_update, is_id

log = structlog.get_logger(__name__)

Feed = Callable[[Sequence[IncomingEvent]], Awaitable[None]]
"""Makes events durable; returns after the commit."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0


class Poller:
    """Asks for updates until it is cancelled."""

    def __init__(
        self,
        client: TelegramClient,
        feed: Feed,
        *,
        wait_s: int = 25,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._feed = feed
        self._wait_s = wait_s
        self._pause = pause
        self._offset: int | None = None
        self._failures = 0
        self._has_webhook = True  # until we know better: while one is set, polling is refused

    async def run(self) -> None:
        while True:
            try:
                await self.step()
            except (Later, Never, Unknown) as error:
                await self._failed("telegram_polling_failed", error, getattr(error, "retry_after_s", None))
            except Exception as error:  # noqa: BLE001 (the loop must outlive whatever `feed` raises)
                await self._failed("telegram_updates_not_stored", error, None)
            else:
                if self._failures:
                    log.info("telegram_polling_recovered", failures=self._failures)
                self._failures = 0

    async def step(self) -> None:
        """One call: fetch, store, and only then move on. Raises what the call or `feed` raises."""
        if self._has_webhook:
            await self._client.delete_webhook()
            self._has_webhook = False
        try:
            updates = await self._client.get_updates(offset=self._offset, allowed=ALLOWED_UPDATES, wait_s=self._wait_s)
        except Later as error:
            # a conflict: a webhook was set meanwhile, or another process polls with the same token
            self._has_webhook = "webhook" in str(error)
            raise
        if not updates:
            # everything before the offset is forgotten by now. Without one the next call takes whatever comes: after
            # a week of silence the numbers begin again at random, perhaps below the old offset (contract 1.3)
            self._offset = None
            return
        await self._feed([event_from_update(update, dump(update)) for update in updates])
        numbers = [number for update in updates if (number := _number(update)) is not None]
        if not numbers:
            raise Unknown("Telegram gave updates without update_id")
        self._offset = max(numbers) + 1

    async def _failed(self, event: str, error: Exception, wait_s: float | None) -> None:
        """Logged when it begins; a system that stays down is not logged again."""
        self._failures += 1
        if self._failures == 1:
            log.warning(event, error=type(error).__name__, reason=_reason(error))
        pause_s: float = min(FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        await self._pause(max(pause_s, wait_s or 0.0))


def _number(update: Any) -> int | None:
    number = update.get("update_id") if isinstance(update, dict) else None
    return number if is_id(number) else None


def _reason(error: Exception) -> str | None:
    """Our own sentences only: what another layer says may hold a customer's text."""
    return str(error) if isinstance(error, Later | Never | Unknown) else None
