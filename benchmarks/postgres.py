"""A PostgreSQL server of the benchmark's own, on loopback, thrown away afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import free_port


class NoPostgres(Exception):
    """The server binaries are not on this machine."""


def binaries() -> Path:
    """Raises NoPostgres."""
    named = os.environ.get("FIXIT_PG_BIN")
    places = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists():
            return place
    raise NoPostgres("no PostgreSQL server binaries; FIXIT_PG_BIN names their folder")


@contextmanager
def postgres_server(parent: Path, *, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """A running server with an empty database; yields its DATABASE_URL. Raises NoPostgres.

    `environment` is added to the server's own. The server refuses to run as root, so root starts it as nobody.
    """
    place = binaries()
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
    as_user: list[str] = []
    if os.getuid() == 0:
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        shutil.chown(folder, "nobody", "nogroup")
    port = free_port()
    data = str(folder / "data")

    def run(name: str, *arguments: str) -> None:
        subprocess.run(
            [*as_user, str(place / name), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, **(environment or {})},
        )

    settings = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "max_connections": "50",
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    try:
        run("initdb", "-D", data, "-U", "fixit", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "fixit", "bench")
            yield f"postgresql+asyncpg://fixit@127.0.0.1:{port}/bench"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
