"""A lease that one process of many holds: for work that must not be done twice at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import structlog
from sqlalchemy import make_url

log = structlog.get_logger(__name__)

TRY_EVERY_S = 5.0
NAMESPACE = 20260101


class Lease:
    """A session-level advisory lock of PostgreSQL on a connection of its own.

    It ends with the connection, so with the process that holds it, whatever kills it.
    """

    def __init__(self, url: str, name: str) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._name = name

    async def hold_while(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then work; when the lease is lost, stop and wait for it again. Until cancelled."""
        while True:
            try:
                await self._once(work)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("lease_lost", lease=self._name, error=type(error).__name__)
            await asyncio.sleep(TRY_EVERY_S)

    async def _once(self, work: Callable[[], Awaitable[None]]) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            mine = await connection.fetchval("select pg_try_advisory_lock($1, hashtext($2))", NAMESPACE, self._name)
            if not mine:
                return
            log.info("lease_taken", lease=self._name)
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            working = asyncio.ensure_future(work())
            losing = asyncio.create_task(lost.wait())
            try:
                done, _ = await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
                if working in done:
                    working.result()
            finally:
                for task in (working, losing):
                    task.cancel()
                await asyncio.gather(working, losing, return_exceptions=True)
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=2)
