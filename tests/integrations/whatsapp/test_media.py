"""Fetching customers' files: addresses that die, sizes, checksums, and hosts that are not Meta's."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from aiohttp import web

from dialogs.events import File
from integrations.base import CustomerSaid, Later, Never
from integrations.whatsapp.simulator_people import picture
from tests.integrations.whatsapp.given import ApiServer, Service

MIB = 2**20


async def photo(service: Service) -> File:
    await service.simulator.photo("Анна")
    (said,) = service.told(CustomerSaid)
    return said.said.files[0]  # type: ignore[no-any-return]


async def test_a_photo_arrives_whole(service: Service, calls: list[tuple[Any, ...]]) -> None:
    file = await photo(service)
    assert service.whatsapp.channel is not None
    assert await service.whatsapp.channel.download(file, MIB) == picture()
    assert not any("hash=" in call[2] for call in calls)  # the address is a key to the file


async def test_a_file_over_the_limit_is_not_fetched(service: Service, calls: list[tuple[Any, ...]]) -> None:
    file = await photo(service)
    assert service.whatsapp.channel is not None
    with pytest.raises(Never, match="larger than 10 bytes"):
        await service.whatsapp.channel.download(file, 10)
    assert len(calls) == 1


@pytest.mark.parametrize("trouble", ["foreign_redirect", "foreign_url"])
async def test_the_token_goes_to_no_foreign_host(trouble: Any, service: Service) -> None:
    file = await photo(service)
    service.simulator.media_trouble = trouble
    assert service.whatsapp.channel is not None
    with pytest.raises(Never, match="not WhatsApp's"):
        await service.whatsapp.channel.download(file, MIB)


async def test_a_wrong_checksum_is_tried_again_later(service: Service) -> None:
    file = await photo(service)
    service.simulator.media_trouble = "wrong_sha256"
    assert service.whatsapp.channel is not None
    with pytest.raises(Later, match="checksum"):
        await service.whatsapp.channel.download(file, MIB)


@pytest.mark.parametrize("media_id", ["unknown1", "1/../../secret", "", "ж", "1?x=2"])
async def test_a_file_that_does_not_exist_is_given_up(media_id: str, service: Service) -> None:
    assert service.whatsapp.channel is not None
    with pytest.raises(Never):
        await service.whatsapp.channel.download(File(media_id, "photo"), MIB)


class Graph:
    """A lookup and a download as the test wants them."""

    def __init__(self, data: bytes = b"data", **node: Any) -> None:
        self.data = data
        self.node = node
        self.lookups = 0
        self.statuses: list[int] = []  # of the next downloads
        self.app = web.Application()
        self.app.router.add_get("/v23.0/{media_id}", self.lookup)
        self.app.router.add_get("/file", self.file)

    async def lookup(self, request: web.Request) -> web.Response:
        self.lookups += 1
        assert "phone_number_id" not in request.query  # two numbers are configured: which of them is not known
        return web.json_response({"url": str(request.url.origin() / "file"), **self.node})

    async def file(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        headers = {"Location": "/file"} if status == 302 else {}
        return web.Response(status=status, body=self.data if status == 200 else b"", headers=headers)


async def download(graph: Graph, against: ApiServer, limit_bytes: int = MIB) -> bytes:
    channel = (await against(graph.app)).channel
    assert channel is not None
    return await channel.download(File("4100000000000001", "photo"), limit_bytes)


async def test_a_dead_address_is_looked_up_again(against: ApiServer) -> None:
    graph = Graph()
    graph.statuses = [404]
    assert await download(graph, against) == b"data"
    assert graph.lookups == 2


async def test_an_address_that_stays_dead_is_for_later(against: ApiServer) -> None:
    graph = Graph()
    graph.statuses = [404, 401]
    with pytest.raises(Later):
        await download(graph, against)


async def test_a_redirect_within_the_host_is_followed_but_not_for_ever(against: ApiServer) -> None:
    graph = Graph()
    graph.statuses = [302]
    assert await download(graph, against) == b"data"
    graph = Graph()
    graph.statuses = [302] * 10
    with pytest.raises(Never, match="redirects"):
        await download(graph, against)


@pytest.mark.parametrize("status", [500, 429])
async def test_other_statuses_are_for_later(status: int, against: ApiServer) -> None:
    graph = Graph()
    graph.statuses = [status]
    with pytest.raises(Later):
        await download(graph, against)


async def test_a_file_that_is_larger_than_it_said_is_cut_off(against: ApiServer) -> None:
    with pytest.raises(Never, match="larger"):
        await download(Graph(b"x" * 100_000, file_size="5"), against, 50_000)


@pytest.mark.parametrize("size", ["4", 4, None, "four", -4])
async def test_the_size_may_be_text_or_number(size: Any, against: ApiServer) -> None:
    assert await download(Graph(file_size=size), against) == b"data"


@pytest.mark.parametrize(
    "checksum",
    [
        hashlib.sha256(b"data").hexdigest(),
        hashlib.sha256(b"data").hexdigest().upper(),
        base64.b64encode(hashlib.sha256(b"data").digest()).decode(),
        None,
    ],
)
async def test_the_checksum_may_be_hex_or_base64(checksum: str | None, against: ApiServer) -> None:
    assert await download(Graph(sha256=checksum), against) == b"data"


@pytest.mark.parametrize(
    "url",
    [None, 5],
)
async def test_a_lookup_without_an_address_is_for_later(url: Any, against: ApiServer) -> None:
    with pytest.raises(Later):
        await download(Graph(url=url), against)


@pytest.mark.parametrize(
    "url",
    [
        "http://lookaside.fbsbx.com/x",
        "https://lookaside.fbsbx.com.example.com/x",
        "https://evilfbsbx.com/x",
        "https://lookaside.fbsbx.com@example.com/x",
        "file:///etc/passwd",
        "//example.com/x",
        "",
        "http://[::1",
    ],
)
async def test_addresses_that_only_look_like_metas_are_refused(url: str, against: ApiServer) -> None:
    with pytest.raises(Never):
        await download(Graph(url=url), against)
