from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conversations.people import Customer, World
from tests.stage import Stage, sqlite_url, staged


@pytest.fixture(params=["whatsapp", "telegram"])
def channel(request: pytest.FixtureRequest) -> str:
    """Every script is played on both channels, word for word."""
    return str(request.param)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(sqlite_url(tmp_path)) as stage:
        yield stage


@pytest.fixture
def world(stage: Stage, channel: str) -> World:
    return World(stage, channel)


@pytest.fixture
def town(stage: Stage) -> World:
    """The same world, for scripts that name the messenger themselves."""
    return World(stage, "whatsapp")


@pytest.fixture
def anna(world: World) -> Customer:
    return world.person("Анна")
