"""The simulated Okdesk's webhooks to us: queued, sent with Basic authorization, tried again."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
import orjson
import structlog

log = structlog.get_logger(__name__)

_TRIES: Final = 12
_LONGEST_PAUSE_S: Final = 5.0


class HookSender:
    """Sends webhooks one after another. Okdesk's own retry policy is not documented; this one ends at a 2xx."""

    def __init__(self, url: str | None, user: str | None, password: str | None, retry_base_s: float) -> None:
        self._url = url
        self._login = httpx.BasicAuth(user, password) if user and password else None
        self._retry_base_s = retry_base_s
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._held: bytes | None = None
        self._task: asyncio.Task[None] | None = None
        self.ids_as_strings = False  # the reference shows strings, captures show numbers
        self.is_swapped = False  # every two events go out in the wrong order
        self.is_doubled = False
        self.refused = 0  # given up

    def put(self, hook: dict[str, Any]) -> None:
        if self._url is None:
            return
        body = orjson.dumps(_as_strings(hook) if self.ids_as_strings else hook)
        if self.is_swapped and self._held is None:
            self._held = body
            return
        for waiting in (body, self._held):
            if waiting is not None:
                for _ in range(1 + self.is_doubled):
                    self._queue.put_nowait(waiting)
        self._held = None

    async def flush(self) -> None:
        """Until everything was delivered or given up."""
        if self._held is not None:
            self._queue.put_nowait(self._held)
            self._held = None
        if self._task is not None:
            await self._queue.join()

    def forget(self) -> None:
        self._held = None
        while not self._queue.empty():
            self._queue.get_nowait()
            self._queue.task_done()

    def start(self) -> None:
        if self._task is None and self._url is not None:
            self._task = asyncio.create_task(self._run(self._url))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self, url: str) -> None:
        async with httpx.AsyncClient(timeout=10, auth=self._login) as http:
            while True:
                body = await self._queue.get()
                try:
                    if not await self._deliver(http, url, body):
                        self.refused += 1
                        log.warning("simulated_okdesk_gave_up_webhook")
                finally:
                    self._queue.task_done()

    async def _deliver(self, http: httpx.AsyncClient, url: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(min(self._retry_base_s * 2 ** (attempt - 1), _LONGEST_PAUSE_S))
            try:
                response = await http.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                continue
            if response.is_success:
                return True
        return False


def _as_strings(value: Any) -> Any:
    """Numbers as the reference shows them: "153", "1.5"."""
    if isinstance(value, dict):
        return {name: _as_strings(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_strings(inner) for inner in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
