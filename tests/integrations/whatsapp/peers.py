"""Servers that speak HTTP by the byte, and the connections of ours to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from integrations.whatsapp.connections import Connections, Reply, head_of_post


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


OK = ok(b"{}")


@dataclass
class Visit:
    """One connection, as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> tuple[str, bytes]:
        """(head, body) of the next request. Raises EOFError when there is none."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in head.lower().split("\r\n") if line.startswith("content-length:"))
        return head, await self.reader.readexactly(int(length.split(":")[1]))

    async def is_left(self) -> bool:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            assert await self.reader.read() == b""
        return True


Talk = Callable[[Visit], Awaitable[None]]


@dataclass
class Peer:
    """A server that says what `talk` says, once for each connection, and then closes it."""

    talk: Talk
    tls: ssl.SSLContext | None = None
    visits: list[Visit] = field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    server: asyncio.Server | None = None
    failed: list[BaseException] = field(default_factory=list)

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._visit, "127.0.0.1", 0, ssl=self.tls)
        port = self.server.sockets[0].getsockname()[1]
        return f"https://localhost:{port}" if self.tls else f"http://127.0.0.1:{port}"

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        visit = Visit(reader, writer)
        self.visits.append(visit)
        try:
            await self.talk(visit)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass  # cancelled: by `stop`; asyncio would log it as an error of the callback
        except AssertionError as error:
            self.failed.append(error)
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()
            self.tasks.discard(task)

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        for visit in self.visits:
            visit.writer.transport.abort()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert not self.failed


class Meeting:
    """Peers and the connections to them, closed at the end of the test."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.peers: list[Peer] = []
        self.pools: list[Connections] = []

    async def peer(self, talk: Talk) -> tuple[Peer, str]:
        peer = Peer(talk, self.tls)
        self.peers.append(peer)
        return peer, await peer.start()

    def pool(self, url: str, **limits: Any) -> Callable[[bytes], Awaitable[Reply]]:
        """`post` to `url`."""
        pool = Connections(url, **limits)
        self.pools.append(pool)
        head = head_of_post(f"{url}/v1/messages", {"Authorization": "Bearer secret"})
        return lambda body: pool.post(head, body)

    async def stop(self) -> None:
        for pool in self.pools:
            await pool.close()
        for peer in self.peers:
            await peer.stop()


def saying(answer: bytes, *, piece: int = 0, then_closes: bool = False) -> Talk:
    """Every request gets `answer`, in pieces of so many bytes."""

    async def talk(visit: Visit) -> None:
        while True:
            await visit.request()
            for start in range(0, len(answer), piece or len(answer)):
                visit.writer.write(answer[start : start + (piece or len(answer))])
                await visit.writer.drain()
                await asyncio.sleep(0)
            if then_closes:
                return

    return talk
