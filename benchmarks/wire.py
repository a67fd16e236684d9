"""Just enough HTTP/1.1 for both ends of a load generator: a general library would use more processor than it measures.

Everything here runs in the process that makes the load, never in one that is measured.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Framed(asyncio.Protocol, ABC):
    """Cuts the stream into messages that have a head and a body of Content-Length bytes."""

    def __init__(self) -> None:
        self._buffer = b""
        self.transport: Any = None  # uvloop's is no asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(buffer, 0, end)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(buffer) < stop:
                return
            self.received(buffer[:end], buffer[end + 4 : stop])
            self._buffer = buffer = buffer[stop:]

    @abstractmethod
    def received(self, head: bytes, body: bytes) -> None:
        """One whole message."""


class Caller(_Framed):
    """One keep-alive connection; `on_answer(status)` is called for every answer."""

    def __init__(self, on_answer: Callable[[int], None], on_lost: Callable[[], None]) -> None:
        super().__init__()
        self._on_answer = on_answer
        self._on_lost = on_lost

    def received(self, head: bytes, body: bytes) -> None:
        self._on_answer(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()

    def send(self, request: bytes) -> None:
        self.transport.write(request)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Answerer(_Framed):
    """One accepted connection: every request is answered at once with what `answer(head, body)` returns."""

    def __init__(self, answer: Callable[[bytes, bytes], bytes]) -> None:
        super().__init__()
        self._answer = answer

    def received(self, head: bytes, body: bytes) -> None:
        answer = self._answer(head, body)
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )


async def connect(port: int, on_answer: Callable[[int], None], on_lost: Callable[[], None]) -> Caller:
    _, caller = await asyncio.get_running_loop().create_connection(
        lambda: Caller(on_answer, on_lost), "127.0.0.1", port
    )
    return caller
