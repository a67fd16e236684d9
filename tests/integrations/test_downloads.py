"""Links that others chose lead to the public Internet or nowhere, whatever their names resolve to."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from integrations.downloads import Forbidden, fetch, is_public, join

TIMEOUT = aiohttp.ClientTimeout(total=5)
ELSEWHERE = URL("https://api.example.com")


class Inside:
    """What stands in our network and must not be reached: it counts the connections that were made to it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.app = web.Application()
        self.app.router.add_get("/{path:.*}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": request.query["to"]})
        return web.Response(body=b"secrets of the inside")


@pytest.fixture
async def inside() -> AsyncIterator[tuple[Inside, TestServer]]:
    inside = Inside()
    async with TestServer(inside.app) as server:
        yield inside, server


async def got(url: str, own: URL = ELSEWHERE) -> bytes:
    async with fetch(join(url), own=own, timeout=TIMEOUT) as response:
        return await response.read()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
        "2002:7f00:1::", "2002:a00:1::1", "localhost", "",
    ],
)  # fmt: skip
def test_an_address_of_the_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "157.240.1.1", "2a00:1450::1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
async def test_this_machine_is_not_reached_by_any_of_its_names(inside: tuple[Inside, TestServer], host: str) -> None:
    box, server = inside
    with pytest.raises((Forbidden, aiohttp.ClientError)):
        await got(f"https://{host}:{server.port}/")
    assert box.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.255.255.1", "169.254.169.254", "[fd00:ec2::254]"])
async def test_no_packet_is_sent_to_an_address_that_is_not_public(host: str) -> None:
    """A connection that was tried would end in another error, or in none before its time is over."""
    with pytest.raises(Forbidden, match="public"):
        await got(f"https://{host}/latest/meta-data")


async def test_a_name_is_judged_by_what_it_leads_to_when_the_connection_is_made(
    monkeypatch: pytest.MonkeyPatch, inside: tuple[Inside, TestServer]
) -> None:
    """A name of an attacker's zone: public when somebody looks, ours when the connection is made."""
    box, server = inside
    looked_up: list[Any] = []

    def rebinding(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(Forbidden, match="public"):
        await got(f"https://files.example.net:{server.port}/")
    assert looked_up == ["files.example.net"]
    assert box.asked == []


@pytest.mark.parametrize("url", ["http://files.example.com/x", "http://127.0.0.1/x", "http://10.0.0.1/x"])
async def test_without_tls_nothing_is_fetched_but_from_the_api_that_is_configured(url: str) -> None:
    with pytest.raises(Forbidden, match="https"):
        await got(url)


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://h/x", "//h/x", "data:,x", "gopher://h", "http://[::1", "https://", "x"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        join(url)


async def test_the_api_that_is_configured_may_be_on_this_machine(inside: tuple[Inside, TestServer]) -> None:
    box, server = inside
    assert await got(f"http://127.0.0.1:{server.port}/file", own=URL(f"http://127.0.0.1:{server.port}/v1")) == (
        b"secrets of the inside"
    )
    assert box.asked == ["/file"]


async def test_another_port_of_that_machine_is_not_the_api(inside: tuple[Inside, TestServer]) -> None:
    box, server = inside
    with pytest.raises(Forbidden):
        await got(f"http://127.0.0.1:{server.port}/file", own=URL("http://127.0.0.1:1/v1"))
    with pytest.raises(Forbidden):
        await got(f"https://127.0.0.1:{server.port}/file", own=URL(f"http://127.0.0.1:{server.port}/v1"))
    assert box.asked == []


async def test_a_redirect_is_given_back_and_judged_anew(inside: tuple[Inside, TestServer]) -> None:
    box, server = inside
    own = URL(f"http://127.0.0.1:{server.port}")
    target = "https://127.0.0.1/secret"
    async with fetch(own.joinpath("away").with_query(to=target), own=own, timeout=TIMEOUT) as response:
        assert response.status == 302
        moved = join(response.headers["Location"], response.url)
    with pytest.raises(Forbidden, match="public"):
        await got(str(moved), own=own)
    assert box.asked == ["/away"]
