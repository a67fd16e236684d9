"""Customers write while the service is killed again and again. Afterwards everything was done, and done once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.demo.run import service_environment, stand_in_servers
from storage.database import Database, connect
from tests.conftest import free_port
from tests.crash.processes import Child
from tests.crash.talks import STATUS_CAN_TELL_S, Load, check, comes_to_rest
from tests.stage import migrated, sqlite_url

pytestmark = pytest.mark.crash

KILLS = 8
LIFE_S = (0.2, 1.1)  # how long a process lives after it is ready
ANSWERS_IN_S = 0.15  # WhatsApp, so that a kill often meets a send in flight


@asynccontextmanager
async def killed_again_and_again(
    database_url: str, folder: Path, commands: list[str], channels: tuple[str, ...], seed: int
) -> AsyncIterator[tuple[Load, Database]]:
    """Kill processes under load; yields when everything has come to rest, with the database open."""
    chance = random.Random(seed)
    port = free_port()
    async with stand_in_servers(f"http://127.0.0.1:{port}", retry_base_s=0.1, slow_s=ANSWERS_IN_S) as servers:
        environment = service_environment(servers, database_url=database_url, port=port)
        if "telegram" not in channels:
            environment = {name: value for name, value in environment.items() if not name.startswith("TELEGRAM")}
        if database_url.startswith("postgresql"):
            await migrated(database_url)
        children = [Child(command, folder, environment, port if command == "serve" else None) for command in commands]
        for child in children:
            await child.start()
        servers.whatsapp.trouble = "slow"
        load = Load(servers, channels)
        load.start()
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(*LIFE_S))
            victim = chance.choice(children)
            await victim.kill()
            await victim.start()
        load.is_enough = True
        # What waits for the status of a lost answer, or for a dead process, waits for less than this.
        for child in children:
            await child.kill()
            child.environment["CLOCK_OFFSET_SECONDS"] = str(STATUS_CAN_TELL_S)
        for child in children:
            await child.start()
        database = connect(database_url)
        try:
            await load.ended()
            if not database_url.startswith("sqlite"):
                await database.open()
            await comes_to_rest(servers, children, database)
            if database_url.startswith("sqlite"):
                await database.open()
            yield load, database
        finally:
            await database.close()


async def test_sqlite_survives_being_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with killed_again_and_again(sqlite_url(tmp_path), tmp_path, ["serve"], ("whatsapp", "telegram"), seed=1) as (
        load,
        database,
    ):
        with capsys.disabled():
            await check(load, database, print)
