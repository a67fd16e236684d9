"""Several processes on one PostgreSQL: behind a balancer, behind a pooler, in an upgrade, and when one is killed."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from bot.demo.run import StandInServers, service_environment, stand_in_servers
from storage import migrate
from storage.database import Database, connect
from storage.tables import DeliveryState
from tests.conftest import PostgresServer, free_port, migrated_database
from tests.crash.balancer import balanced
from tests.crash.pooler import pooled
from tests.crash.processes import Child
from tests.crash.talks import STATUS_CAN_TELL_S, Load, check, comes_to_rest, rows
from tests.stage import migrated
from tests.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

ROOT = Path(__file__).parents[2]
KILLS = 3
PREVIOUS_VERSION = "07603e3f7999846e26aeab52ec3798014c8bc864"  # the commit of the version before this one
SEVERAL = ["serve --no-work", "serve --no-work", "work", "work"]


@asynccontextmanager
async def several(
    database_url: str, folder: Path, commands: list[str] = SEVERAL, **stand_ins: float
) -> AsyncIterator[tuple[StandInServers, list[Child]]]:
    """Processes that are not started yet, and a balancer before those that take requests."""
    port = free_port()
    ports = [free_port() for command in commands if command.startswith("serve")]
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(
            stand_in_servers(f"http://127.0.0.1:{port}", **{"retry_base_s": 0.1, "slow_s": 0.15, **stand_ins})
        )
        await stack.enter_async_context(balanced(port, ports))
        children = []
        left = iter(ports)
        for command in commands:
            own = next(left) if command.startswith("serve") else None
            environment = service_environment(servers, database_url=database_url, port=own or 0)
            children.append(Child(command, folder, environment, own))
        try:
            yield servers, children
        finally:
            for child in children:
                if child.pid is not None:
                    await child.kill()


async def talk_and_check(
    servers: StandInServers, children: list[Child], database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """People talk while processes are killed; then everything must have been done once."""
    chance = random.Random(7)
    servers.whatsapp.trouble = "slow"
    load = Load(servers, ("whatsapp", "telegram"))
    load.start()
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.3, 1.0))
        victim = chance.choice(children)
        await victim.kill()
        await victim.start()
    await rest(load, servers, children, database, capsys)


async def rest(
    load: Load, servers: StandInServers, children: list[Child], database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    load.is_enough = True
    for child in children:
        await child.kill()
        child.environment["CLOCK_OFFSET_SECONDS"] = str(STATUS_CAN_TELL_S)
    for child in children:
        await child.start()
    await load.ended()
    await comes_to_rest(servers, children, database)
    with capsys.disabled():
        await check(load, database, print)


async def test_two_servers_and_two_workers(
    postgres_server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres_server.new_database()
    async with migrated_database(url) as database, several(url, tmp_path) as (servers, children):
        for child in children:
            await child.start()
        await talk_and_check(servers, children, database, capsys)


async def test_behind_a_pooler_in_transaction_mode(
    postgres_server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    direct = postgres_server.new_database()
    await migrated(direct)
    async with pooled(postgres_server, direct) as url, several(url, tmp_path) as (servers, children):
        database = connect(url)
        await database.open()
        for child in children:
            await child.start()
        await talk_and_check(servers, children, database, capsys)
        await database.close()


async def test_what_a_killed_worker_was_sending_is_settled_by_another_one(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    url = postgres_server.new_database()
    async with migrated_database(url) as database, several(url, tmp_path, slow_s=30.0) as (servers, children):
        for child in children:
            await child.start()
        servers.whatsapp.trouble = "slow"
        await servers.whatsapp.say("Анна", "/start")

        async def sending() -> list[object]:
            return await rows(database, "select owner from deliveries where state = 1 and system = 'whatsapp'")

        [row] = await until(sending, "nothing is being sent", within_s=60)
        pid = int(row.owner.split(":")[-2])  # type: ignore[attr-defined]
        [worker] = [child for child in children if child.pid == pid]
        await worker.kill()
        servers.whatsapp.trouble = "none"

        async def is_noticed() -> list[object]:
            return await rows(database, f"select 1 from deliveries where state <> {int(DeliveryState.SENDING)}"
                                        " and system = 'whatsapp' and attempts > 0")  # fmt: skip

        await until(is_noticed, "nobody noticed that the worker is dead")


async def test_an_upgrade_while_people_talk(
    postgres_server: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old_code = tmp_path / "old"
    unpack(PREVIOUS_VERSION, old_code)
    url = postgres_server.new_database()
    async with several(url, tmp_path) as (servers, children):
        for child in children:
            child.environment["PYTHONPATH"] = str(old_code)
        settings = children[0].environment
        ran = await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "migrate", cwd=tmp_path, env=settings)
        assert await ran.wait() == 0
        for child in children:
            await child.start()
        load = Load(servers, ("whatsapp", "telegram"))
        load.start()
        await until(lambda: heard(load) > 12, "nobody talks to the old version", within_s=120)
        database = connect(url)
        await database.open()
        before = await database.read(migrate.current)
        await database.write(migrate.upgrade)  # under the feet of the old version
        assert before != await database.read(migrate.current)
        seen = heard(load)
        await until(lambda: heard(load) > seen + 12, "the old version stopped on the new schema", within_s=120)
        for child in children:  # one after the other: for a while both are at work
            assert await child.stop() == 0
            child.environment["PYTHONPATH"] = str(ROOT)
            await child.start()
            seen = heard(load)
            await until(lambda seen=seen: heard(load) > seen + 3, "nobody is answered", within_s=120)  # type: ignore[misc]
        await rest(load, servers, children, database, capsys)
        await database.close()


def heard(load: Load) -> int:
    """So many questions were answered up to now."""
    return sum(person.answered for person in load.people)


def unpack(commit: str, folder: Path) -> None:
    """The packages of another version, out of the history of this one."""
    folder.mkdir()
    packed = subprocess.run(
        ["git", "archive", commit, "bot", "dialogs", "integrations", "storage"], cwd=ROOT, capture_output=True
    )
    if packed.returncode != 0:
        if os.environ.get("FIXIT_REQUIRE_HISTORY"):
            pytest.fail(f"the history is required here: {packed.stderr.decode()}")
        pytest.skip("no history to take the previous version from")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
