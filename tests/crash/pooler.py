"""pgbouncer in transaction mode before a PostgreSQL server, on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.conftest import PostgresServer, free_port
from tests.waiting import until

SERVER_CONNECTIONS = 3  # fewer than one process of ours opens: any transaction may get another one


@asynccontextmanager
async def pooled(server: PostgresServer, database_url: str) -> AsyncIterator[str]:
    """The DATABASE_URL of the same database behind the pooler."""
    binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        if os.environ.get("FIXIT_REQUIRE_POSTGRES"):
            pytest.fail("pgbouncer is required here, and was not found")
        pytest.skip("no pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="fixit-pgbouncer-"))
    port, name = free_port(), make_url(database_url).database
    (folder / "users").write_text('"fixit" ""\n')
    (folder / "config.ini").write_text(
        f"""
[databases]
{name} = host=127.0.0.1 port={server.port} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 500
logfile = {folder / "log"}
"""
    )
    if os.getuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    as_user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = await asyncio.create_subprocess_exec(binary, "-q", *as_user, str(folder / "config.ini"))

    async def is_open() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(is_open, "pgbouncer does not start")
        yield f"postgresql+asyncpg://fixit@127.0.0.1:{port}/{name}?pooler=transaction"
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)
