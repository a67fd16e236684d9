"""The record of every call that we make, for /api/v1/logs: without secrets, written with the next commit."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from bot.clock import Clock
from storage.clock import to_ms

MAX_BODY = 4000  # characters kept of a body
KNOWN_URLS = 256
_IN_URL = re.compile(r"(?i)(api_token|access_token|token|key)=[^&\s]+|/bot\d+:[A-Za-z0-9_-]+")


for_delivery: ContextVar[int | None] = ContextVar("for_delivery", default=None)
"""The row of the outbox that calls are made for just now: whose they are can be told by it."""


class Calls:
    """Keeps the newest calls in memory until somebody stores them; a flood drops the oldest."""

    def __init__(self, clock: Clock, secrets: Sequence[str]) -> None:
        self._clock = clock
        self._secrets = [secret for secret in secrets if secret]
        self._urls: dict[str, str] = {}
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=20_000)

    def log(
        self,
        system: str,
        method: str,
        url: str,
        request: bytes | None,
        status: int | None,
        response: bytes | None,
        duration_ms: float,
    ) -> None:
        self._waiting.append(
            (
                to_ms(self._clock.now()),
                system,
                method,
                self._url(url),
                self._body(request),
                status,
                self._body(response),
                round(duration_ms),
                for_delivery.get(),
            )
        )

    def take(self) -> list[tuple[Any, ...]]:
        """Rows of `api_calls`: at, system, method, url, request, status, response, duration_ms, delivery_id."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def mask(self, text: str) -> str:
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, "***")
        return text

    def _url(self, url: str) -> str:
        """Most calls go to a few addresses: those are masked once."""
        masked = self._urls.get(url)
        if masked is None:
            masked = self.mask(_IN_URL.sub(_masked, url))
            if len(self._urls) >= KNOWN_URLS:
                self._urls.clear()
            self._urls[url] = masked
        return masked

    def _body(self, body: bytes | None) -> str | None:
        if body is None:
            return None
        try:
            text = body[: MAX_BODY * 2].decode()
        except UnicodeDecodeError:
            text = body[: MAX_BODY * 2].decode("utf-8", "replace")
        return self.mask(text[:MAX_BODY].replace("\x00", ""))


def _masked(match: re.Match[str]) -> str:
    name = match.group(1)
    return f"{name}=***" if name else "/bot***"
