"""Graph API and Bot API as the bots see them: every message is taken at once, and its arrival told to the load."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable

from benchmarks.processes import free_port
from benchmarks.wire import Answerer

_TO = re.compile(rb'"(?:to|recipient)": ?"(?:\+|RU\.)?(\d+)"')
_BODY = re.compile(rb'"body": ?"(\d)\.')
_CHAT = re.compile(rb"chat_id=(\d+)")
_TEXT = re.compile(rb"text=(\d)\.")
_ME = b'{"ok":true,"result":{"id":7000000001,"is_bot":true,"first_name":"Bot","username":"bench_bot"}}'
_IDS = itertools.count(1)


class Messengers:
    """`on_message(who, number)`: the question with this number reached this person."""

    def __init__(self) -> None:
        self.on_message: Callable[[int, int], None] = lambda who, number: None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Answerer(self._answer), "127.0.0.1", self.port, backlog=512)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head[: head.index(b"\r\n")].split(b" ")[1]
        return self._graph(body) if path.endswith(b"/messages") else self._bot(path, body)

    def _graph(self, body: bytes) -> bytes:
        to, number = _TO.search(body), _BODY.search(body)
        if to is None or number is None:  # a read mark
            return b'{"success":true}'
        self.on_message(int(to[1]), int(number[1]))
        return (
            b'{"messaging_product":"whatsapp","contacts":[{"input":"+%b","wa_id":"%b"}],'
            b'"messages":[{"id":"wamid.ANSWER%016d"}]}' % (to[1], to[1], next(_IDS))
        )

    def _bot(self, path: bytes, body: bytes) -> bytes:
        chat, number = _CHAT.search(body), _TEXT.search(body)
        if not path.endswith(b"/sendMessage") or chat is None or number is None:
            return _ME if path.endswith(b"/getMe") else b'{"ok":true,"result":true}'
        self.on_message(int(chat[1]), int(number[1]))
        return (
            b'{"ok":true,"result":{"message_id":%d,"date":1790000000,"chat":{"id":%b,"type":"private",'
            b'"first_name":"Bench"},"from":{"id":7000000001,"is_bot":true,"first_name":"Bot"},"text":"%b."}}'
            % (next(_IDS), chat[1], number[1])
        )
