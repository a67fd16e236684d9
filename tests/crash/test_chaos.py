"""Processes, systems and the database break all the time while customers talk; nothing is lost, doubled or disordered.

Short here; FIXIT_CHAOS=200 (`make chaos`) makes it 200 kills and 200 other faults on each database.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.demo.run import service_environment, stand_in_servers
from storage.database import Database, connect
from tests.conftest import PostgresServer, free_port, running_postgres
from tests.crash.chaos import Chaos, possible_faults
from tests.crash.processes import Child
from tests.crash.talks import STATUS_CAN_TELL_S, Load, check, comes_to_rest
from tests.stage import migrated, sqlite_url

pytestmark = pytest.mark.crash

ENOUGH = int(os.environ.get("FIXIT_CHAOS", "8"))
SEED = int(os.environ.get("FIXIT_CHAOS_SEED", "0")) or random.randrange(1, 1_000_000)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that may be restarted without hurting other tests."""
    with running_postgres() as server:
        yield server


@asynccontextmanager
async def in_chaos(
    database_url: str, folder: Path, commands: list[str], channels: tuple[str, ...], postgres: PostgresServer | None
) -> AsyncIterator[tuple[Load, Database, Chaos]]:
    port = free_port()
    async with stand_in_servers(f"http://127.0.0.1:{port}", retry_base_s=0.1, slow_s=0.15) as servers:
        environment = service_environment(servers, database_url=database_url, port=port)
        environment |= {"PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json"}
        if "telegram" not in channels:
            environment = {name: value for name, value in environment.items() if not name.startswith("TELEGRAM")}
        if postgres is not None:
            await migrated(database_url)
        children = [
            Child(command, folder, dict(environment), port if command == "serve" else None) for command in commands
        ]
        load = Load(servers, channels)
        load.start()
        chaos = Chaos(servers, children, database_url, random.Random(SEED), postgres)
        await chaos.run(kills=ENOUGH, faults=ENOUGH)
        load.is_enough = True
        for child in children:
            if child.pid is not None:
                await child.kill()
            child.environment |= {"CLOCK_OFFSET_SECONDS": str(STATUS_CAN_TELL_S), "FAULTS": ""}
        for child in children:
            await child.start()
        database = connect(database_url)
        try:
            await load.ended()
            if postgres is not None:
                await database.open()
            await comes_to_rest(servers, children, database)
            if postgres is None:
                await database.open()
            yield load, database, chaos
        except AssertionError as error:
            kept = Path(tempfile.mkdtemp(prefix="fixit-chaos-"))
            shutil.copytree(folder, kept, dirs_exist_ok=True)
            raise AssertionError(f"{error}; FIXIT_CHAOS_SEED={SEED}; what the processes left is in {kept}") from error
        finally:
            await database.close()


def report(chaos: Chaos, never_met: list[str]) -> list[str]:
    faults, fatal = chaos.faults(), chaos.injected() - chaos.faults()
    return [
        f"seed {SEED}: {chaos.kills} processes died, {faults.total()} other faults of {len(faults)} kinds",
        "other faults: " + ", ".join(f"{name} {n}" for name, n in sorted(faults.items())),
        "fatal faults: " + ", ".join(f"{name} {n}" for name, n in sorted(fatal.items())),
        "never met: " + ", ".join(never_met),
    ]


async def survives(load: Load, database: Database, chaos: Chaos, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    await check(load, database, told.append)
    injected = chaos.injected()
    possible = {"=".join(fault) for fault in possible_faults(chaos.database_url, serves=True, works=True)}
    with capsys.disabled():
        print(*told, *report(chaos, sorted(possible - set(injected))), sep="\n")  # noqa: T201 - figures to look at
    assert set(injected) <= possible
    assert chaos.kills >= ENOUGH
    assert chaos.faults().total() >= ENOUGH


async def test_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with in_chaos(sqlite_url(tmp_path), tmp_path, ["serve"], ("whatsapp", "telegram"), None) as (load, db, chaos):
        await survives(load, db, chaos, capsys)


@pytest.mark.postgres
async def test_postgresql_with_two_more_workers(
    own_postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = own_postgres.new_database()
    commands = ["serve", "work", "work"]
    async with in_chaos(url, tmp_path, commands, ("whatsapp", "telegram"), own_postgres) as (load, db, chaos):
        await survives(load, db, chaos, capsys)
