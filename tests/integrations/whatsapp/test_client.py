"""What the client makes of its connections: errors, the log of calls, settings that are refused, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from integrations.base import Later, Unknown
from integrations.whatsapp import make_whatsapp
from integrations.whatsapp.client import WhatsAppClient
from tests.integrations.whatsapp.given import Clock, order, settings, text
from tests.integrations.whatsapp.peers import OK, Meeting, Visit, ok, saying

NUMBER = "310000000000001"


@pytest.fixture
async def client_of(calls: list[tuple[Any, ...]]) -> AsyncIterator[Callable[..., WhatsAppClient]]:
    made: list[WhatsAppClient] = []
    async with aiohttp.ClientSession() as http:

        def make(url: str, **changes: Any) -> WhatsAppClient:
            client = WhatsAppClient(settings(api_url=url, **changes), http, lambda *call: calls.append(call))
            made.append(client)
            return client

        yield make
        for client in made:
            await client.close()


async def test_every_call_is_logged_with_what_is_known_of_it(
    meeting: Meeting, client_of: Callable[..., WhatsAppClient], calls: list[tuple[Any, ...]]
) -> None:
    peer, url = await meeting.peer(saying(OK))
    client = client_of(f"{url}/prefix/")
    assert await client.post_message(NUMBER, {"type": "text"}) == {}
    peer.talk = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{", then_closes=True)
    await client.close()
    client = client_of(f"{url}/prefix/")
    with pytest.raises(Unknown, match=r"^the answer of WhatsApp was lost: EOFError$"):
        await client.post_message(NUMBER, {"type": "text"})
    assert peer.server is not None
    peer.server.close()
    with pytest.raises(Later, match=r"^WhatsApp cannot be reached: ConnectionRefusedError$") as caught:
        await client.post_message(NUMBER, {"type": "text"})
    assert caught.value.scope == "system"
    where = ("whatsapp", "POST", f"{url}/prefix/v23.0/{NUMBER}/messages", b'{"type":"text"}')
    assert [call[:-1] for call in calls] == [(*where, 200, b"{}"), (*where, 200, None), (*where, None, None)]
    assert all(call[-1] >= 0 for call in calls)


async def test_a_cancelled_call_is_logged_too(
    meeting: Meeting, client_of: Callable[..., WhatsAppClient], calls: list[tuple[Any, ...]]
) -> None:
    asked = asyncio.Event()

    async def talk(visit: Visit) -> None:
        head, _ = await visit.request()
        assert head.startswith(f"POST /v23.0/{NUMBER}/messages HTTP/1.1\r\n")
        assert "\r\nAuthorization: Bearer EAAtoken\r\n" in head
        assert "\r\nContent-Type: application/json\r\n" in head
        asked.set()
        await visit.is_left()

    _, url = await meeting.peer(talk)
    call = asyncio.create_task(client_of(url).post_message(NUMBER, {}))
    await asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [(status, answer) for *_, status, answer, _ in calls] == [(None, None)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_token", "EAAsecret\r\nX-Injected: 1"),
        ("access_token", "EAAsecret\n"),
        ("access_token", "EAAsecretж"),
        ("access_token", "EAAsecret\x00"),
        ("phone_number_id", "310\r\nsecret: 1"),
        ("phone_number_id", "310 HTTP/1.1\r\n\r\nsecret"),
        ("api_version", "v23.0\nsecret"),
        ("api_url", "http://example.com\r\nsecret"),
        ("api_url", "http://пример.рф/secret"),
        ("api_url", "ftp://example.com/secret"),
        ("api_url", "example.com/secret"),
    ],
)
async def test_a_setting_that_cannot_stand_in_a_request_is_refused_at_once(
    name: str, value: str, client_of: Callable[..., WhatsAppClient]
) -> None:
    with pytest.raises(ValueError, match=r"request|URL") as caught:
        client_of(**{"url": "http://example.com", **({"url": value} if name == "api_url" else {name: value})})
    assert "secret" not in str(caught.value)


async def test_the_integration_closes_its_connections_when_it_stops(meeting: Meeting, clock: Clock) -> None:
    left = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.request()
        visit.writer.write(ok(b'{"messages":[{"id":"wamid.HERE"}]}'))
        await visit.is_left()
        left.set()

    _, url = await meeting.peer(talk)
    async with aiohttp.ClientSession() as http:
        whatsapp = make_whatsapp(settings(api_url=url), http=http, now=clock, log_call=lambda *_: None)
        await whatsapp.actions["send"].run(order("79161234501", text("да")))
        assert whatsapp.stop is not None
        await whatsapp.stop()
        await asyncio.wait_for(left.wait(), 5)
