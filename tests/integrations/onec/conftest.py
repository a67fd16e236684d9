from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from integrations.base import Request
from integrations.onec import PROFILES, OnecSettings
from integrations.onec.client import OnecClient
from integrations.onec.simulator import SimulatedOnec
from tests.integrations.onec.given import NOW, TOKEN, Headers, Inbox, inbox

Served = Callable[[web.Application], AbstractAsyncContextManager[str]]
LogLine = tuple[Any, ...]


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """The address of an app on loopback."""
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


@pytest.fixture
def serve() -> Served:
    return served


@dataclass
class Office:
    """A simulated 1C, our client of it, and our webhook with an inbox behind it."""

    onec: SimulatedOnec
    client: OnecClient
    settings: OnecSettings
    url: str
    box: Inbox
    calls: list[LogLine] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # statuses that our webhook gives before it works again


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    box = inbox()
    answers: list[int] = []

    async def webhook(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if answers:
            status = answers.pop(0)
            if status == 0:  # the event is kept and the answer is lost
                box.receive(_request(request, body))
                assert request.transport is not None
                request.transport.abort()
            return web.Response(status=status or 500, headers={"Retry-After": "0"} if status == 503 else {})
        status, _, answer = box.receive(_request(request, body))
        return web.Response(body=answer.body, status=status, content_type=answer.content_type)

    ours = web.Application(client_max_size=10 * 2**20)
    ours.router.add_route("*", "/webhooks/onec", webhook)
    async with served(ours) as our_url:
        onec = SimulatedOnec(
            webhook_url=f"{our_url}/webhooks/onec",
            webhook_token=TOKEN,
            user="Сайт",
            password="пароль",
            base_id="unf-main",
            now=lambda: NOW,
            retry_base_s=0.001,
            slow_s=0.05,
        )
        async with served(onec.app) as url, httpx.AsyncClient() as http:
            await onec.start()
            settings = OnecSettings(
                webhook_token=TOKEN, url=url, user="Сайт", password="пароль", profile=PROFILES["unf"]
            )
            calls: list[LogLine] = []
            client = OnecClient(settings, http, now=lambda: NOW, log_call=lambda *line: calls.append(line))
            yield Office(onec, client, settings, url, box, calls, answers)
            await onec.close()


def _request(request: web.Request, body: bytes) -> Request:
    return Request(request.method, request.path, {}, Headers(request.headers), body, request.remote, NOW)
