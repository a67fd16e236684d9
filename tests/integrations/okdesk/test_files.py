"""Links of Okdesk's answers: fetched from its own site or the Internet, and not from what stands beside us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from integrations.base import Later, Never
from integrations.okdesk import OkdeskSettings, make_okdesk

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Site:
    """An Okdesk whose links lead where the test wants, and what was asked of it."""

    def __init__(self) -> None:
        self.link = ""
        self.location = ""
        self.asked: list[str] = []
        self.calls: list[tuple[Any, ...]] = []
        self.app = web.Application()
        self.app.router.add_get("/api/v1/issues/{issue}/attachments/{id}", self.attachment)
        self.app.router.add_get("/{path:.*}", self.file)

    async def attachment(self, request: web.Request) -> web.Response:
        return web.json_response({"id": 5, "attachment_file_name": "a.jpg", "attachment_url": self.link})

    async def file(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        assert "api_token" not in request.query
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": self.location})
        return web.Response(body=b"JPG")


@asynccontextmanager
async def okdesk_at(server: TestServer, site: Site) -> AsyncIterator[Any]:
    async def no_files(file: Any) -> bytes:
        raise Never("none")

    async with httpx.AsyncClient() as http:
        settings = OkdeskSettings(url=str(server.make_url("/")), api_token="t", author_id=5)
        yield make_okdesk(
            settings, http=http, now=lambda: NOW, log_call=lambda *call: site.calls.append(call), files=no_files
        )


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, TestServer, Any]]:
    site = Site()
    async with TestServer(site.app) as server, okdesk_at(server, site) as okdesk:
        yield site, server, okdesk


async def test_a_redirect_within_the_site_is_followed_but_not_for_ever(site: tuple[Site, TestServer, Any]) -> None:
    desk, server, okdesk = site
    desk.link, desk.location = str(server.make_url("/moved?X-Signature=key")), "/file"
    assert await okdesk.download("1/5", 100) == b"JPG"
    assert desk.asked == ["/moved", "/file"]
    assert "key" not in repr(desk.calls)
    desk.location = "/moved"
    with pytest.raises(Never, match="circle"):
        await okdesk.download("1/5", 100)


@pytest.mark.parametrize("leads", ["directly", "by a redirect"])
@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1:{port}/inside",
        "http://127.0.0.1:{port}/inside",
        "https://localhost:{port}/inside",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "nonsense:",
    ],
)
async def test_what_stands_beside_us_is_not_fetched(
    site: tuple[Site, TestServer, Any], target: str, leads: str
) -> None:
    desk, server, okdesk = site
    inside = Site()
    async with TestServer(inside.app) as other:
        address = target.format(port=other.port)
        desk.link = address if leads == "directly" else str(server.make_url("/moved"))
        desk.location = address
        with pytest.raises(Never) as refused:
            await okdesk.download("1/5", 100)
    assert refused.value.code == "forbidden"
    assert address not in str(refused.value)
    assert inside.asked == []


async def test_a_file_is_cut_off_at_the_limit(site: tuple[Site, TestServer, Any]) -> None:
    desk, server, okdesk = site
    desk.link = str(server.make_url("/file"))
    with pytest.raises(Never, match="larger"):
        await okdesk.download("1/5", 2)


async def test_a_site_that_is_away_is_for_later(site: tuple[Site, TestServer, Any]) -> None:
    desk, _server, okdesk = site
    desk.link = "https://does-not-exist.invalid/file"
    with pytest.raises(Later):
        await okdesk.download("1/5", 2)
