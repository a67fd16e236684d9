"""Every command of docs/backup.md is run, against SQLite and real PostgreSQL servers."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

from bot.demo.run import ROOT
from storage import inbox, outbox
from storage.database import connect
from storage.inbox import NewEvent
from storage.outbox import NewDelivery
from tests.conftest import PostgresServer, free_port
from tests.stage import migrated, sqlite_url
from tests.waiting import until

GUIDES = ("docs/backup.md", "docs/backup.ru.md")
NOW = 1_790_000_000_000


def blocks(guide: str, language: str = "sh") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / guide).read_text("utf-8"), re.S | re.M)


def block(begins: str) -> str:
    """The one block of the guide that holds these words."""
    [found] = [one for one in blocks(GUIDES[0]) if begins in one]
    return found


def run(commands: str, folder: Path, *, user: list[str] | None = None, **environment: str) -> str:
    """As a person would: one after another, stopping at the first that fails."""
    ended = subprocess.run(
        [*(user or []), "sh", "-euc", commands.replace("python ", f"{shlex.quote(sys.executable)} ")],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def put(url: str, name: str) -> None:
    """An event, and an order that waits."""
    database = connect(url)
    await database.open()

    def write(conn: Any) -> None:
        inbox.put(conn, [NewEvent("test", name, "m", "k", b"{}", NOW)])
        outbox.add(conn, [NewDelivery(name, "wire", "send", "anna", {}, NOW)])

    await database.write(write)
    await database.close()


async def rows(url: str, sql: str) -> list[Any]:
    database = connect(url)
    await database.open()
    try:
        return await database.read(lambda conn: [tuple(row) for row in conn.execute(text(sql))])
    finally:
        await database.close()


EVENTS = "select external_id from events order by id"
UNSETTLED = "select key from deliveries where state = 2 and owner = 'restored' order by id"


def test_both_languages_have_the_same_commands() -> None:
    assert blocks(GUIDES[0]) == blocks(GUIDES[1])
    assert blocks(GUIDES[0], "ini") == blocks(GUIDES[1], "ini")
    assert len(blocks(GUIDES[0])) == 6


async def test_sqlite(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    url = sqlite_url(tmp_path / "var")
    await migrated(url)
    await put(url, "before")
    assert "copy.db" in run(block("bot backup copy.db"), tmp_path, DATABASE_URL=url)
    await put(url, "after")
    run(block("cp copy.db"), tmp_path)
    assert await rows(url, EVENTS) == [("before",)]
    assert await rows(url, "select count(*) from counters where name = 'copied_at'") == [(1,)]


@pytest.mark.postgres
async def test_a_dump(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    await migrated(url)
    await put(url, "before")
    path = f"{postgres_server.binaries}:{os.environ['PATH']}"
    assert "copy.dump" in run(block("bot backup copy.dump"), tmp_path, DATABASE_URL=url, PATH=path)
    assert (tmp_path / "copy.dump").stat().st_mode & 0o77 == 0
    await put(url, "after")
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    run(block("pg_restore"), tmp_path, DATABASE_URL=url, PATH=path, ADDRESS=plain)
    assert await rows(url, EVENTS) == [("before",)]
    assert await rows(url, UNSETTLED) == [("before",)]
    await put(url, "new")  # with a number that was surely not given since the copy
    assert (await rows(url, "select max(id) from events"))[0][0] > 10_000_000


@pytest.mark.postgres
def test_a_dump_of_a_server_that_is_away_leaves_nothing_behind(tmp_path: Path, postgres_server: PostgresServer) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "backup", "copy.dump"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "PATH": str(postgres_server.binaries),
            "DATABASE_URL": "postgresql+asyncpg://u:secret-word@127.0.0.1:9/x",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, "no copy was made" in ended.stderr) == (1, True)
    assert "secret-word" not in ended.stderr + ended.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """Below /tmp: the server's user must be able to enter it."""
    folder = Path(tempfile.mkdtemp(prefix="fixit-pitr-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgres
async def test_any_point_in_time(server_folder: Path, postgres_server: PostgresServer) -> None:
    as_user = postgres_server._as_user
    archive = server_folder / "archive"
    archive.mkdir()
    if as_user:
        for folder in (server_folder, archive):
            shutil.chown(folder, "nobody", "nogroup")
    port = free_port()
    environment = {"PATH": f"{postgres_server.binaries}:{os.environ['PATH']}"}

    def as_server(commands: str) -> str:
        return run(commands.replace("/archive", str(archive)), server_folder, user=as_user, **environment)

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={server_folder}"
    as_server("initdb -D data -U fixit -A trust -E UTF8 --locale=C")
    [settings] = blocks(GUIDES[0], "ini")
    with (server_folder / "data" / "postgresql.conf").open("a") as stream:
        stream.write(settings.replace("/archive", str(archive)))
    start = f"pg_ctl -w -l log -o '{options}'"
    as_server(f"{start} -D data start >out 2>&1")
    place = "data"
    try:
        as_server(f"createdb -h 127.0.0.1 -p {port} -U fixit fixit")
        url = f"postgresql+asyncpg://fixit@127.0.0.1:{port}/fixit"
        await migrated(url)
        await put(url, "before the base backup")
        server = f"postgresql://fixit@127.0.0.1:{port}/postgres"
        run(block("pg_basebackup"), server_folder, user=as_user, SERVER=server, **environment)
        await put(url, "before the moment")
        [(moment,)] = await rows(url, "select cast(clock_timestamp() as text)")
        await put(url, "after the moment")
        [(segment,)] = await rows(url, "select pg_walfile_name(pg_switch_wal())")

        async def is_archived() -> bool:  # not "is there": it may be half copied
            return await rows(url, f"select last_archived_wal >= '{segment}' from pg_stat_archiver") == [(True,)]

        await until(is_archived, "the log was not archived")
        as_server("pg_ctl -D data -m immediate stop")

        shown = block("recovery.signal")
        as_server(re.sub(r"(recovery_target_time = ')[^']*", rf"\g<1>{moment}", shown))
        place = "base"
        as_server(f"{start} -D base start >out 2>&1")

        async def takes_writes() -> bool:
            return await rows(url, "select pg_is_in_recovery()") == [(False,)]

        await until(takes_writes, "it does not come out of recovery")
        assert await rows(url, EVENTS) == [("before the base backup",), ("before the moment",)]
        out = await asyncio.to_thread(run, "python -m bot restored", server_folder, DATABASE_URL=url)
        assert "2 sends are settled" in out
        assert await rows(url, UNSETTLED) == [("before the base backup",), ("before the moment",)]
    finally:
        as_server(f"pg_ctl -D {place} -m immediate stop")
