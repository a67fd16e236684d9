"""How the simulated WhatsApp calls us: signed POSTs, repeated with growing pauses until they get a 200."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import aiohttp

Writing = Literal["escaped", "plain"]
Change = dict[str, Any]

_LONGEST_PAUSE = 64  # times `retry_base_s`
_REMEMBERED = 2000  # updates that can be delivered again
_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


class Deliveries:
    """Updates on their way to the webhook.

    Updates of one lane are posted one after another; lanes do not wait for each other. Meta promises no order at
    all: `lane=None` posts at once.
    """

    def __init__(self, *, webhook_url: str, app_secret: str, waba_id: str, retry_base_s: float) -> None:
        self.webhook_url = webhook_url
        self.writing: Writing = "escaped"
        self.copies: Callable[[], int] = lambda: 1
        self.refused = 0  # attempts that did not get a 200
        self._app_secret = app_secret.encode()
        self._waba_id = waba_id
        self._retry_base_s = retry_base_s
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._told: deque[Change] = deque(maxlen=_REMEMBERED)
        self._held: list[Change] | None = None

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def close(self) -> None:
        self.forget()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()
            self._http = None

    def forget(self) -> None:
        """Give up everything that is on its way."""
        for task in self._tasks:
            task.cancel()
        self._lanes.clear()
        self._told.clear()
        self._held = None

    async def settle(self) -> None:
        """Wait until everything told so far has got its 200."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def tell(self, change: Change, lane: str | None = None) -> None:
        """Post one update; returns after the first attempt, whatever came of it."""
        self._told.append(change)
        if self._held is not None:
            self._held.append(change)
            return
        await self.post(self.envelope([change]), lane)

    def hold(self) -> None:
        """Keep updates back, as Meta does in an outage, until `release`."""
        self._held = self._held if self._held is not None else []

    async def release(self) -> None:
        """Post what was kept back in one batch."""
        held, self._held = self._held, None
        if held:
            await self.post(self.envelope(_grouped(held)))

    async def repeat(self, count: int) -> None:
        """Deliver the last updates once more, in one envelope: another grouping than the first time."""
        await self.post(self.envelope(_grouped(list(self._told)[-count:])))

    def envelope(self, changes: Sequence[Change]) -> bytes:
        """The body as Meta writes it: compact; unless the writing is plain, `/` and all beyond ASCII are escaped."""
        document = {
            "object": "whatsapp_business_account",
            "entry": [{"id": self._waba_id, "changes": list(changes)}],
        }
        text = json.dumps(document, ensure_ascii=self.writing == "escaped", separators=(",", ":"))
        return (text.replace("/", "\\/") if self.writing == "escaped" else text).encode()

    def sign(self, body: bytes) -> str:
        """The header X-Hub-Signature-256 of a body."""
        return f"sha256={hmac.digest(self._app_secret, body, 'sha256').hex()}"

    async def post(self, body: bytes, lane: str | None = None) -> None:
        """Deliver those bytes, repeating until they get a 200.

        Returns after the first attempt, or when it is clear that an earlier update of the lane has to be repeated
        first: whoever speaks never waits for a service that is down.
        """
        firsts = []
        for _ in range(self.copies()):
            tried = asyncio.Event()
            previous = self._lanes.get(lane) if lane is not None else None
            task = asyncio.create_task(self._deliver(body, previous, tried))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if lane is not None:
                self._lanes[lane] = task, tried
                task.add_done_callback(partial(self._leave, lane))
            firsts.append(tried)
        for tried in firsts:
            await tried.wait()

    async def get(self, query: dict[str, str]) -> tuple[int, str]:
        """(status, text) of a GET on the webhook address."""
        assert self._http is not None, "start() comes first"
        async with self._http.get(self.webhook_url, params=query) as response:
            return response.status, await response.text()

    def _leave(self, lane: str, task: asyncio.Task[None]) -> None:
        if lane in self._lanes and self._lanes[lane][0] is task:
            del self._lanes[lane]

    async def _deliver(
        self, body: bytes, previous: tuple[asyncio.Task[None], asyncio.Event] | None, tried: asyncio.Event
    ) -> None:
        try:
            if previous is not None:
                task, was_tried = previous
                await was_tried.wait()
                if not task.done():
                    tried.set()
                    await asyncio.wait({task})
            pause = 1
            while not await self._is_taken(body):
                tried.set()
                self.refused += 1
                await asyncio.sleep(pause * self._retry_base_s)
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            tried.set()

    async def _is_taken(self, body: bytes) -> bool:
        assert self._http is not None, "start() comes first"
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": self.sign(body)}
        try:
            async with self._http.post(self.webhook_url, data=body, headers=headers) as response:
                await response.read()
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def _grouped(changes: Sequence[Change]) -> list[Change]:
    """Neighbouring updates of one field and number in one change."""
    grouped: list[Change] = []
    for change in changes:
        value, last = change["value"], grouped[-1] if grouped else None
        if (
            last is None
            or last["field"] != change["field"]
            or "metadata" not in value
            or last["value"].get("metadata") != value["metadata"]
        ):
            copied = {name: list(part) if isinstance(part, list) else part for name, part in value.items()}
            grouped.append({**change, "value": copied})
            continue
        for name, items in value.items():
            if isinstance(items, list):
                known = last["value"].setdefault(name, [])
                known += [item for item in items if name != "contacts" or item not in known]
    return grouped
