"""Waiting for something to come true, the one way that every suite does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE_S = 10.0  # a condition that is not met by then is not met
LOOK_AGAIN_S = 0.01


async def until(condition: Callable[[], Any], what: str | Callable[[], str], *, within_s: float = PATIENCE_S) -> Any:
    """Poll until the condition (a function, async or not) gives something, and return that.

    Fails with `what`, or with what that says then, when patience is over.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if loop.time() > deadline:
            raise AssertionError(what if isinstance(what, str) else what())
        await asyncio.sleep(LOOK_AGAIN_S)
