"""What every answer says to a browser, whoever asked for it, and that nothing names the versions behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.bot.service import EVERYTHING, Alone, alone
from tests.stage import BEARER, sqlite_url


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
        yield service


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/health/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/api/v1/webhooks/events", 200),
        ("GET", "/api/v1/logs?limit=1", 200),
        ("GET", "/api/v1/dialogs/1", 404),
        ("GET", "/api/v1/dialogs?limit=no", 422),
        ("POST", "/api/v1/forms", 400),
        ("DELETE", "/api/v1/logs", 405),
        ("GET", "/nothing/of/ours", 404),
    ],
)
async def test_what_people_read_is_kept_by_no_cache_and_shown_in_no_frame(
    service: Alone, method: str, path: str, status: int
) -> None:
    answer = await service.request(method, path, b"{" if method == "POST" else None, BEARER)
    assert answer.status == status
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Server"] == "fixit"


@pytest.mark.parametrize("path", ["/api/v1/logs", "/api/v1/webhooks/events"])
async def test_a_refusal_is_kept_by_no_cache(service: Alone, path: str) -> None:
    answer = await service.get(path, {})
    assert answer.status == 401
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="fixit"'


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/static/swagger-ui.css"])
async def test_the_documentation_runs_its_own_scripts_in_no_frame(service: Alone, path: str) -> None:
    answer = await service.get(path, {})
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_answers_of_webhooks_are_taken_for_nothing_but_what_they_are(service: Alone) -> None:
    verification = "/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=test-verify-token&hub.challenge=<b>1"
    answers = [
        await service.get(verification, {}),
        await service.telegram(b'{"update_id":1}'),
        await service.request("POST", "/webhooks/okdesk", b"{}"),
        await service.onec(b"{}"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 401, 422]
    for answer in answers:
        assert answer.headers.getall("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers["Server"] == "fixit"


async def test_what_is_no_http_learns_no_versions_either(service: Alone) -> None:
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nbroken line\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(("HTTP/1.0 400", "HTTP/1.1 400"))
    assert "Server: fixit\r\n" in answer
    assert "aiohttp" not in answer
    assert "Python" not in answer
