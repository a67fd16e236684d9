"""The stream of version numbers that keeps the page up to date."""

from __future__ import annotations

import asyncio
import json

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from bot.demo.changes import Changes
from tests.bot.demo.conftest import Client, mounted
from tests.bot.demo.memory import World


async def next_version(stream: ClientResponse) -> int:
    """The next event's version; heartbeats and the retry time are skipped."""
    async with asyncio.timeout(5):
        async for line in stream.content:
            if line.startswith(b"data: "):
                return int(json.loads(line.removeprefix(b"data: "))["version"])
    raise AssertionError("the stream ended")


async def test_the_stream_tells_the_version_at_once_and_after_each_change(client: Client, world: World) -> None:
    async with client.get("/demo/api/stream") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["Cache-Control"] == "no-store"
        first = await next_version(stream)
        await world.whatsapp.say("Анна", "раз")
        second = await next_version(stream)
        world.okdesk.opens(1077, "x")
        assert first < second < await next_version(stream)


async def test_a_burst_of_changes_is_one_event(client: Client, world: World) -> None:
    async with client.get("/demo/api/stream") as stream:
        first = await next_version(stream)
        for number in range(50):
            world.telegram.alerts(str(number))
        assert await next_version(stream) == first + 50


async def test_trouble_and_the_state_of_the_service_are_changes_too(client: Client, world: World) -> None:
    async with client.get("/demo/api/stream") as stream:
        await next_version(stream)
        async with client.post("/demo/api/trouble", json={"system": "okdesk", "what": "down"}):
            before = await next_version(stream)
        world.controls.state = {"worker_alive": False}
        assert await next_version(stream) > before


async def test_a_silent_stream_gives_signs_of_life(client: Client) -> None:
    async with client.get("/demo/api/stream") as stream:
        await next_version(stream)
        async with asyncio.timeout(5):
            async for line in stream.content:
                if line.startswith(b":"):
                    return
    raise AssertionError("no sign of life")


async def test_the_service_stops_although_a_page_is_open(world: World) -> None:
    client: Client = TestClient(TestServer(mounted(world)))
    await client.start_server()
    stream = await client.get("/demo/api/stream")
    await next_version(stream)
    async with asyncio.timeout(5):
        await client.server.close()
        assert await stream.content.read() is not None
    await client.close()


async def test_a_closed_page_is_forgotten() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.after(changes.version, timeout_s=60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    changes.bump()
    assert changes._waiters == set()
