"""The command line where it touches data and other systems: the inbox, `doctor`, the end in the middle of a send."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import aiohttp
import pytest

from bot.cli import main
from bot.demo.run import ROOT, service_environment
from storage import inbox, migrate
from storage.database import connect
from storage.inbox import NewEvent
from storage.tables import EventState
from tests.bot.service import ONEC, ONEC_TOKEN
from tests.conftest import free_port
from tests.stage import Stage, sqlite_url, staged
from tests.waiting import until

NOW = 1_790_000_000_000


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    folder: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        usual = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "DATABASE_URL": self.url}
        return {**usual, **more}

    def here(self, *arguments: str) -> Ended:
        """The same in this process, for commands that start nothing: a process of its own costs half a second."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environment(), clear=True),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main(arguments)
        return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    def run(self, *arguments: str, **more: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.folder,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in ended.stderr
        return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, sqlite_url(tmp_path))


async def stored(url: str) -> list[int]:
    database = connect(url)
    await database.open()
    try:
        await database.write(migrate.upgrade)
        new = [
            NewEvent("okdesk", "one", "new_ticket", "k", '{"a": "Анна"}'.encode(), NOW, state=EventState.DONE),
            NewEvent("telegram", "two", "unreadable", "k", b"\xff\xfe", NOW, state=EventState.DEAD, error="not JSON"),
            NewEvent("okdesk", "three", "new_ticket", "k", b"{}", NOW),
        ]
        return [row.id for row in await database.write(lambda conn: inbox.put(conn, new))]
    finally:
        await database.close()


def test_events_are_listed_shown_and_replayed(shell: Shell) -> None:
    done, dead, waiting = asyncio.run(stored(shell.url))

    listed = shell.here("events", "list")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == [str(waiting), str(dead), str(done)]
    assert "not JSON" in listed.out
    assert len(shell.here("events", "list", "--source", "okdesk", "--state", "done").out.splitlines()) == 1
    assert "1 of 3" in shell.here("events", "list", "--limit", "1").out

    shown = shell.here("events", "show", str(done))
    assert shown.code == 0
    assert json.loads(shown.out)["body"] == {"a": "Анна"}
    assert json.loads(shell.here("events", "show", str(dead)).out)["body"] == {"hex": "fffe"}
    missing = shell.here("events", "show", "4242")
    assert (missing.code, missing.err.strip()) == (2, "there is no event 4242")

    assert shell.here("events", "replay", "--dead").out.strip() == "1 waiting to be handled"
    assert shell.here("events", "replay", str(done)).code == 0
    nothing = shell.here("events", "replay", str(waiting), "4242")
    assert nothing.code == 1
    assert "2 do not exist, have not been handled yet" in nothing.err


def test_an_installation_that_never_ran_has_no_events(shell: Shell) -> None:
    assert shell.here("events", "list") == Ended(0, "", "")


@pytest.mark.postgres
def test_a_database_that_is_away_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    shell = Shell(tmp_path, f"postgresql+asyncpg://fixit:s3cret-pw@127.0.0.1:{free_port()}/none")
    for command in ("serve", "migrate", "doctor"):
        ended = shell.run(command)
        assert ended.code == 1
        assert "s3cret-pw" not in ended.err + ended.out


async def test_doctor_tells_what_works_and_what_does_not(tmp_path: Path) -> None:
    async with staged(sqlite_url(tmp_path), starts=False) as stage:
        shell = Shell(tmp_path, sqlite_url(tmp_path))
        environment = {name: value for name, value in stage.environment.items() if name.isupper()}
        stage.whatsapp.token_is_dead = True
        await stage.unplug("okdesk")
        ended = await asyncio.to_thread(shell.run, "doctor", **environment)
        assert ended.code == 1
        states = {line.split()[0]: line.split()[1] for line in ended.out.splitlines()}
        assert [states[name] for name in ("WhatsApp", "Okdesk", "Telegram", "1C")] == ["failed", "failed", "ok", "ok"]
        assert "demo_service_bot" in ended.out
        for name, value in environment.items():
            if name.endswith(("TOKEN", "SECRET", "PASSWORD")):
                assert value not in ended.out + ended.err


@contextlib.asynccontextmanager
async def process(stage: Stage, folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = service_environment(stage.servers, database_url=sqlite_url(folder), port=stage.port)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *arguments, cwd=folder, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def is_up(stage: Stage) -> bool:
    try:
        async with stage.http.get(f"{stage.url}/health") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_sigterm_finishes_what_is_in_flight_and_ends_with_0(tmp_path: Path) -> None:
    async with staged(sqlite_url(tmp_path), starts=False) as stage:
        async with process(stage, tmp_path, "serve") as child:
            await until(lambda: is_up(stage), "it does not start")
            stage.offset_s = 0
            stage.whatsapp.slow_s = 1.0
            stage.whatsapp.trouble = "slow"
            await stage.whatsapp.say("Анна", "/start")
            await until(lambda: _sending(tmp_path), "nothing was being sent")
            child.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(child.wait(), 30) == 0
        assert len([line for line in stage.whatsapp.transcript("Анна") if line["from"] == "bot"]) == 1
        states = await _rows(tmp_path, "select state, external_id from deliveries where system = 'whatsapp'")
        assert [(state, bool(external_id)) for state, external_id in states] == [(4, True)]


async def _rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    import sqlite3

    connection = sqlite3.connect(f"file:{folder / 'fixit.db'}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def _sending(folder: Path) -> bool:
    return bool(await _rows(folder, "select 1 from deliveries where state = 1"))


async def test_a_port_that_is_taken_is_one_sentence_and_code_1(shell: Shell) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = await asyncio.to_thread(shell.run, "serve", "--host", "127.0.0.1", "--port", str(port), **ONEC)
    assert ended.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.err
    assert ONEC_TOKEN not in ended.err


def test_flows_with_errors_stop_the_start_and_are_named(shell: Shell) -> None:
    flows = shell.folder / "flows"
    flows.mkdir()
    (flows / "broken.yaml").write_text("format: 1\nflow: broken\nsteps: []\n", "utf-8")
    ended = shell.run("serve", FLOWS_DIR=str(flows))
    assert ended.code == 1
    assert "broken.yaml" in ended.err
