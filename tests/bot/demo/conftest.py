from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.demo import make_demo
from tests.bot.demo.memory import World

Client = TestClient[web.Request, web.Application]


def mounted(world: World) -> web.Application:
    """The playground where the service puts it."""
    app = web.Application()
    app.add_subapp("/demo", make_demo(world.stand_ins, world.controls, pause_s=0.01, heartbeat_s=0.05, watch_s=0.01))
    return app


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(mounted(world))) as client:
        yield client
