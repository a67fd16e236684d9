"""What several suites share: a database of either kind, and PostgreSQL when its server binaries are there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from storage import migrate
from storage.database import Database, connect


def _pg_bin() -> Path | None:
    named = os.environ.get("FIXIT_PG_BIN")
    found = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in found if (path / "initdb").exists()), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A real server with a data folder of its own, on loopback."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self.binaries = binaries
        self.port = free_port()
        self._options = ""
        self._as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []

    def _run(self, *command: str) -> None:
        subprocess.run([*self._as_user, *command], check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        data = self.folder / "data"
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        as_fixit = ["-U", "fixit", "-A", "trust", "-E", "UTF8", "--locale=C"]
        self._run(str(self.binaries / "initdb"), "-D", str(data), *as_fixit)
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
        }
        options = f"-p {self.port} " + " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._options = options
        self._control("-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def restart(self) -> None:
        """As after a crash: sessions end at once, what was committed is read from the log."""
        self._control("-w", "-m", "immediate", "-l", str(self.folder / "log"), "-o", self._options, "restart")

    def _control(self, *arguments: str) -> None:
        self._run(str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), *arguments)

    def new_database(self) -> str:
        """The DATABASE_URL of an empty database."""
        name = f"t{os.urandom(6).hex()}"
        psql = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "fixit"]
        self._run(str(self.binaries / "createdb"), *psql, name)
        return f"postgresql+asyncpg://fixit@127.0.0.1:{self.port}/{name}"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of its own until the block ends; the test is skipped where PostgreSQL is neither there nor required."""
    binaries = _pg_bin()
    if binaries is None:
        if os.environ.get("FIXIT_REQUIRE_POSTGRES"):
            pytest.fail("PostgreSQL is required here, and its server binaries were not found")
        pytest.skip("no PostgreSQL server binaries; set FIXIT_PG_BIN to their folder")
    folder = Path(tempfile.mkdtemp(prefix="fixit-pg-"))
    server = PostgresServer(folder, binaries)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'test.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    """An open PostgreSQL database with the newest schema."""
    async with migrated_database(postgres_server.new_database()) as database:
        yield database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with the newest schema."""
    async with migrated_database(database_url) as opened:
        yield opened


@asynccontextmanager
async def migrated_database(url: str) -> AsyncIterator[Database]:
    opened = connect(url)
    await opened.open()
    await opened.write(migrate.upgrade)
    yield opened
    await opened.close()
