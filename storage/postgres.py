"""PostgreSQL: a pool of connections, every piece of work a transaction of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.away import DatabaseAway, plain
from storage.faults import FaultPoint

log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]

_BEFORE_COMMIT = FaultPoint("postgres.before_commit", gone=lambda: ConnectionResetError("before the commit"))
_AFTER_COMMIT = FaultPoint("postgres.after_commit", lost=lambda: ConnectionResetError("the commit was not answered"))

POOLER = "pooler"  # in the address, "?pooler=transaction": pgbouncer or the like stands between, without sessions
AGAIN = 5  # how often work is done that stood in another transaction's way
_IN_THE_WAY = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: PostgreSQL undid it, not us


class PostgresDatabase:
    """A pool of asyncpg connections; every `write` is one transaction.

    A transaction that PostgreSQL chose to end a deadlock is done again: work may run twice by its contract.
    """

    dialect = "postgresql"

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = url
        self.has_sessions = POOLER not in make_url(url).query
        self._pool_size = pool_size
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        more: dict[str, Any] = {}
        if self.has_sessions:
            url = make_url(self.url)
        else:
            # The next transaction may run on another connection of the server: no statement may be kept on one.
            url = make_url(self.url).difference_update_query([POOLER])
            more = {"statement_cache_size": 0, "prepared_statement_name_func": lambda: ""}
        self._engine = create_async_engine(
            url,
            pool_size=self._pool_size,
            max_overflow=4,
            pool_pre_ping=False,
            hide_parameters=True,  # they are people's words and phones
            pool_recycle=1800,
            connect_args={
                "timeout": 10,
                "command_timeout": 60,
                "server_settings": {"application_name": "fixit"},
                **more,
            },
        )

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def write(self, work: Work[T], *, is_long: bool = False) -> T:
        for attempt in range(1, AGAIN + 1):
            try:
                return await self._transaction(work)
            except DBAPIError as error:
                if attempt == AGAIN or getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                    raise
                log.info("transaction_again", attempt=attempt, reason=plain(error))
                await asyncio.sleep(random.uniform(0.005, 0.05) * attempt)  # noqa: S311
        raise AssertionError("unreachable")

    async def _transaction(self, work: Work[T]) -> T:
        if self._engine is None:
            raise DatabaseAway("the database is closed")
        try:
            async with self._engine.begin() as conn:
                result = await conn.run_sync(work)
                _BEFORE_COMMIT.hit()
            _AFTER_COMMIT.hit()
            return result
        except (TimeoutError, OperationalError, InterfaceError, OSError) as error:
            raise DatabaseAway(plain(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseAway(plain(error)) from error
            raise

    async def read(self, work: Work[T]) -> T:
        return await self.write(work)
