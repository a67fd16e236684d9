"""The version number of everything the page shows, and the stream that tells when it grows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from aiohttp import web


class Changes:
    """Counts changes and wakes those who wait for one. Belongs to one event loop."""

    def __init__(self) -> None:
        self.version = 1
        self.is_closed = False
        self._waiters: set[asyncio.Event] = set()

    def bump(self) -> None:
        self.version += 1
        self._wake()

    def close(self) -> None:
        """End every stream, so that the server can stop at once."""
        self.is_closed = True
        self._wake()

    async def after(self, version: int, timeout_s: float) -> bool:
        """Wait until the version is another than `version`. False if `timeout_s` passed first."""
        if self.version != version or self.is_closed:
            return True
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter.wait(), timeout_s)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    def _wake(self) -> None:
        for waiter in self._waiters:
            waiter.set()


async def stream_versions(
    request: web.Request, changes: Changes, *, pause_s: float, heartbeat_s: float
) -> web.StreamResponse:
    """Server-sent events: `{"version": n}` at once and after every change, at most one each `pause_s`."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    try:
        await response.write(b"retry: 1000\n\n")
        seen = 0
        while not changes.is_closed:
            if changes.version != seen:
                seen = changes.version
                data = json.dumps({"version": seen})
                await response.write(f"id: {seen}\ndata: {data}\n\n".encode())
                await asyncio.sleep(pause_s)  # a burst of changes becomes one event
            elif not await changes.after(seen, heartbeat_s):
                await response.write(b": still here\n\n")
        await response.write_eof()
    except ConnectionResetError:
        pass  # the visitor closed the page
    return response


def watching(
    status: Callable[[], object], changes: Changes, *, every_s: float
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Look at the service's state from time to time: unlike the stand-ins it does not tell of changes itself."""

    async def watch() -> None:
        last = status()
        while True:
            await asyncio.sleep(every_s)
            now = status()
            if now != last:
                last = now
                changes.bump()

    async def run(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(watch())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return run
