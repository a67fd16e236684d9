"""A pool of keep-alive HTTP/1.1 connections to one origin, for the call that is made for every message.

Why not the aiohttp session: decision 0014. No redirects, no proxies, no second try: whoever calls decides.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import aiohappyeyeballs
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from yarl import URL

MAX_BODY_BYTES = 2**20
_MAX_ANSWER_BYTES = 2 * MAX_BODY_BYTES  # with its head, the answers 1xx before it, and the marks of its chunks
_NEXT_ADDRESS_S = 0.25  # how long one address of the host is tried alone: one of IPv6 may lead nowhere


class ConnectionsError(Exception):
    """No answer. The text is the name of the reason and no more: it is shown and logged."""


class NotSent(ConnectionsError):
    """Nothing of the request left us: no name, no connection, no TLS, or none free in time."""


class AnswerLost(ConnectionsError):
    """The request was handed to the network and may have been carried out."""

    def __init__(self, reason: str, status: int | None) -> None:
        super().__init__(reason)
        self.status = status  # if the answer broke off after its head


class Reply(NamedTuple):
    """The answer to a request, whatever its status."""

    status: int
    body: bytes
    retry_after: str  # the header as sent; "" without one


def head_of_post(url: str, headers: Mapping[str, str]) -> bytes:
    """The head of every POST to `url`, but for the number of bytes in the body.

    Raises ValueError on what could add a line to the head. It does not say the value, which may be a secret.
    """
    for name, value in {"URL": url, **headers}.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} of a request must be printable ASCII")
    parsed = URL(url)
    lines = [f"POST {parsed.raw_path_qs} HTTP/1.1", f"Host: {parsed.host_port_subcomponent}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Accept: */*", "Accept-Encoding: identity", "Content-Length: "]).encode("ascii")


class Connections:
    """At most `limit` connections to the origin of `url`. A limit of None seconds is no limit."""

    def __init__(
        self,
        url: str,
        *,
        limit: int = 128,
        wait_s: float | None = 10.0,  # for a free connection, opening it included
        connect_s: float | None = 5.0,  # for the name, TCP and TLS
        answer_s: float | None = 20.0,  # from the request to the last byte of its answer
        idle_s: float = 30.0,
    ) -> None:
        """Raises ValueError if `url` is no address for HTTP."""
        origin = URL(url)
        if origin.scheme not in ("http", "https") or not origin.raw_host:
            raise ValueError("URL of an API must begin with http:// or https:// and a host")
        self._host, self._port = origin.raw_host, origin.port
        self._tls: ssl.SSLContext | None = None
        if origin.scheme == "https":
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        self._wait_s, self._connect_s, self._idle_s = wait_s, connect_s, idle_s
        self._answer_s = math.inf if answer_s is None else answer_s
        self._places = asyncio.Semaphore(limit)  # one for each call: there are no more connections than calls at once
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []  # the last one used is the first to be used again
        self._lookup: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None  # one for all: at the earliest deadline, or before it
        self._timer_at = math.inf
        self._is_closed = False

    async def post(self, head: bytes, body: bytes) -> Reply:
        """Send a request of `head` (see `head_of_post`) and `body`. Raises NotSent or AnswerLost.

        Cancelled, it closes the connection: an answer that comes later is nobody's.
        """
        connection = await self._take()
        try:
            answer = connection.send(b"%b%d\r\n\r\n%b" % (head, len(body), body))
            self._watch(connection, self._answer_s)
            try:
                return await answer
            except asyncio.CancelledError:
                if answer.cancelled():  # otherwise it came, and the connection may serve somebody else by now
                    connection.abort()
                raise
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close every connection. Who waits for an answer gets AnswerLost, who comes later NotSent."""
        self._is_closed = True
        self._set_timer(math.inf)
        opened = list(self._open)
        for connection in opened:
            connection.abort()
        await asyncio.gather(*(connection.lost for connection in opened))

    async def _take(self) -> _Connection:
        """Take a place, and a connection that is idle or new. Raises NotSent."""
        try:
            if self._idle and self._idle[-1].is_usable and not self._places.locked():
                return await self._take_next()  # at once: a timer would cost as much as half of the call
            async with asyncio.timeout(self._wait_s):
                return await self._take_next()
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: uvloop; ValueError: an impossible name
            raise NotSent(type(error).__name__) from error

    async def _take_next(self) -> _Connection:
        await self._places.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_usable:
                    return connection
            return await self._connect()
        except BaseException:
            self._places.release()
            raise

    async def _connect(self) -> _Connection:
        if self._is_closed:
            raise ConnectionAbortedError
        connection = _Connection(self)
        name = self._host if self._tls else None
        try:
            async with asyncio.timeout(self._connect_s):
                addresses = await self._look_up()
                sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S)
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, sock=sock, ssl=self._tls, server_hostname=name
                )
            if self._is_closed or not connection.is_usable:
                raise ConnectionAbortedError
        except BaseException:
            connection.abort()
            raise
        self._open.add(connection)  # not before: of one that is cancelled uvloop reports no end
        return connection

    async def _look_up(self) -> Any:
        """The host's addresses. Who asks at the same time shares an answer: each look-up blocks a thread."""
        if self._lookup is None or self._lookup.done():
            loop = asyncio.get_running_loop()
            self._lookup = loop.create_task(loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))
        return await asyncio.shield(self._lookup)

    def answered(self, connection: _Connection) -> None:
        """`connection` may be used again."""
        self._idle.append(connection)
        self._watch(connection, self._idle_s)

    def lost(self, connection: _Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _watch(self, connection: _Connection, span_s: float) -> None:
        """Close `connection` unless something happens to it within `span_s`."""
        connection.deadline = asyncio.get_running_loop().time() + span_s
        if connection.deadline < self._timer_at:
            self._set_timer(connection.deadline)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = None if at == math.inf else asyncio.get_running_loop().call_at(at, self._expire)

    def _expire(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            if connection.deadline <= now:
                connection.fail(TimeoutError())
        self._set_timer(min((connection.deadline for connection in self._open), default=math.inf))


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._parser = HttpResponseParser(self)
        self.transport: asyncio.Transport | None = None  # None until it is open
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.deadline = math.inf  # of the answer, or of being idle; the loop's time
        self._answer: asyncio.Future[Reply] | None = None
        self._answer_bytes = 0
        self._expect_answer()

    def _expect_answer(self) -> None:
        self._status: int | None = None
        self._retry_after = ""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._has_length = False  # an answer without one ends with the connection
        self._is_complete = False
        self._is_reusable = False

    @property
    def is_usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def send(self, request: bytes) -> asyncio.Future[Reply]:
        """Write `request`. The future gets the answer, or AnswerLost."""
        assert self.transport is not None
        self._expect_answer()
        self._answer_bytes = 0
        self._answer = answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return answer

    def fail(self, error: Exception) -> None:
        """Close, and tell whoever waits that the answer is lost."""
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            lost = AnswerLost(type(error).__name__, self._status)
            lost.__cause__ = error
            answer.set_exception(lost)
        self.abort()

    def abort(self) -> None:
        """Close at once, in TLS too: with a goodbye it would take as long as the other side likes."""
        self.deadline = math.inf
        if self.transport is not None:
            self.transport.abort()

    def _finish(self) -> None:
        answer, self._answer = self._answer, None
        assert answer is not None
        answer.set_result(Reply(self._status or 0, b"".join(self._body), self._retry_after))
        if self._is_reusable:
            self._pool.answered(self)
        else:
            self.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():  # nobody asked, or whoever asked is gone
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self._is_complete:
                self.fail(error)
                return
            self._is_reusable = False  # a good answer with something behind it
        self._answer_bytes += len(data)
        if self._body_bytes > MAX_BODY_BYTES or self._answer_bytes > _MAX_ANSWER_BYTES:
            self.fail(OverflowError())
        elif self._is_complete:
            self._finish()

    def eof_received(self) -> None:
        is_waited_for = self._answer is not None and not self._answer.done()
        if is_waited_for and self._status is not None and not self._has_length:
            self._finish()
        else:
            self.fail(EOFError())

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(exc or ConnectionAbortedError())
        self._pool.lost(self)
        self.lost.set_result(None)

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise HttpParserError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"retry-after":
            self._retry_after = value.decode("latin-1").strip()
        elif name in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # the answer itself is still to come
            self._expect_answer()
            return
        self._is_complete = True
        self._is_reusable = self._parser.should_keep_alive()
