"""How the stand-in hands out updates: pushed to a webhook or fetched by getUpdates (contract 1.2)."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from integrations.telegram.simulator_world import Refusal, Wire

MESSAGE_LIFE = timedelta(hours=24)
CALLBACK_LIFE = timedelta(seconds=150)
NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
LONGEST_RETRY = 60  # units of two seconds are not counted further
RETRY_AFTER_LIMIT_S = 3600
POST_TIMEOUT_S = 60


@dataclass(slots=True)
class Pending:
    update: Wire
    kind: str
    key: str
    expires_at: datetime

    @property
    def id(self) -> int:
        return int(self.update["update_id"])


class Updates:
    """One queue for each key with one update in flight, retries, expiry; or one list for polling.

    `retry_base_s` stands for Telegram's two seconds between the second and the third try.
    """

    def __init__(self, *, now: Callable[[], datetime], trouble: Callable[[], str], retry_base_s: float) -> None:
        self._now = now
        self._trouble = trouble
        self._retry_base_s = retry_base_s
        self._http: ClientSession | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pulse = asyncio.Event()
        self._poll_number = 0
        self._is_open = False
        self.next_update_id = 810_000_001
        self.webhook_url: str | None = None
        self.webhook_secret: str | None = None
        self.max_connections = 40
        self.allowed: Sequence[str] | None = None
        self.last_error: str | None = None
        self._pending: dict[int, Pending] = {}
        self._queues: dict[str, deque[Pending]] = {}
        self._again: list[Pending] = []  # polled once more in the trouble "duplicate"

    async def start(self) -> None:
        self._http = ClientSession(timeout=ClientTimeout(total=POST_TIMEOUT_S))
        self._is_open = True
        for key in self._queues:
            self._serve(key)

    async def close(self) -> None:
        self._is_open = False
        self.pulse()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()
        if self._http is not None:
            await self._http.close()

    def reset(self) -> None:
        """Forget the updates; the webhook and the list of types stay, as they do at Telegram."""
        self._pending.clear()
        self._queues.clear()
        self._again.clear()
        self.pulse()

    def pulse(self) -> None:
        """Wake everybody who waits for a change."""
        self._pulse.set()
        self._pulse = asyncio.Event()

    @property
    def pending(self) -> int:
        return len(self._pending)

    async def delivered(self, timeout_s: float = 5.0) -> None:
        """Wait until nothing is left to hand out. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self._pending:
                await self._pulse.wait()

    def is_wanted(self, kind: str) -> bool:
        return kind in self.allowed if self.allowed else kind not in NOT_BY_DEFAULT

    def add(self, kind: str, content: Wire, key: str) -> int | None:
        """Queue an update; None if its type was not asked for."""
        if not self.is_wanted(kind):
            return None
        life = CALLBACK_LIFE if kind == "callback_query" else MESSAGE_LIFE
        update = {"update_id": self.next_update_id, kind: content}
        self.next_update_id += 1
        pending = Pending(update, kind, key, self._now() + life)
        self._pending[pending.id] = pending
        self._queues.setdefault(key, deque()).append(pending)
        self._serve(key)
        self.pulse()
        return pending.id

    def set_webhook(self, url: str | None, secret: str | None) -> None:
        self.webhook_url, self.webhook_secret = url or None, secret or None
        self.pulse()
        if self.webhook_url:
            for key in self._queues:
                self._serve(key)

    async def poll(self, *, offset: int, limit: int, wait_s: float) -> list[Wire]:
        """getUpdates. Raises Refusal 409 while a webhook is set, and for the older of two calls at a time."""
        if self.webhook_url:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._poll_number += 1
        number = self._poll_number
        self.pulse()
        for pending in [each for each in self._pending.values() if each.id < offset]:
            if self._trouble() == "duplicate":
                self._again.append(pending)
            self._drop(pending)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            if number != self._poll_number:
                raise Refusal(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            self._drop_expired()
            batch = [*self._again, *self._pending.values()][:limit]
            if batch or not self._is_open or loop.time() >= deadline or self._trouble() == "down":
                self._again.clear()
                return [pending.update for pending in batch]
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._pulse.wait()

    def _drop(self, pending: Pending) -> None:
        self._pending.pop(pending.id, None)
        queue = self._queues.get(pending.key)
        if queue is not None and pending in queue:
            queue.remove(pending)
        self.pulse()

    def _drop_expired(self) -> None:
        now = self._now()
        for pending in [each for each in self._pending.values() if each.expires_at <= now]:
            self._drop(pending)

    def _serve(self, key: str) -> None:
        task = self._tasks.get(key)
        if self._is_open and self.webhook_url and (task is None or task.done()):
            self._tasks[key] = asyncio.create_task(self._push_all(key))

    async def _push_all(self, key: str) -> None:
        """One key: the next update waits until this one is taken or has expired."""
        failures = 0
        while self.webhook_url and (queue := self._queues.get(key)):
            pending = queue[0]
            if pending.expires_at <= self._now():
                self._drop(pending)
                failures = 0
                continue
            wait_units = await self._push(pending)
            if wait_units is None:
                if self._trouble() == "duplicate":
                    await self._push(pending)
                self._drop(pending)
                failures = 0
                continue
            # the first retry at once, then 2, 4, 8 … s; a Retry-After of the answer is obeyed
            units = wait_units or (0 if failures == 0 else min(2 ** (failures - 1), LONGEST_RETRY))
            failures += 1
            await asyncio.sleep(units * self._retry_base_s)

    async def _push(self, pending: Pending) -> float | None:
        """None: taken. Otherwise how many units of two seconds the other side asks to wait, 0 if it does not say."""
        if self._trouble() == "down" or self._http is None or not self.webhook_url:
            return 0.0
        headers = {"Content-Type": "application/json"}
        if self.webhook_secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.webhook_secret
        try:
            async with self._http.post(self.webhook_url, data=wire_bytes(pending.update), headers=headers) as response:
                if 200 <= response.status < 300:
                    return None
                self.last_error = f"Wrong response from the webhook: {response.status} {response.reason}"
                asked = response.headers.get("Retry-After", "")
                return min(int(asked), RETRY_AFTER_LIMIT_S) / 2 if asked.isdigit() else 0.0
        except (ClientError, OSError, TimeoutError):
            self.last_error = "Connection failed"
            return 0.0


def wire_bytes(value: Any) -> bytes:
    """Compact, other letters escaped, as the real server writes it; halves of surrogate pairs included."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")
