"""The one door to the database. All differences between SQLite and PostgreSQL end behind it and in the claim queries.

Work is a plain function of a `Connection`; it runs inside a transaction that the database opens and commits. So the
repositories exist once: in SQLite they run on the event loop, in PostgreSQL under `run_sync` on asyncpg.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, make_url

from storage.away import DatabaseAway
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database(Protocol):
    """`write` commits what the function did, or nothing of it; `read` sees a committed state.

    Both raise DatabaseAway. Work that takes more than some milliseconds says `is_long`, or it would hold up others.
    """

    dialect: str
    url: str
    has_sessions: bool  # whether what is said to a connection is remembered after a transaction (LISTEN)

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def write(self, work: Work[T], *, is_long: bool = False) -> T: ...
    async def read(self, work: Work[T]) -> T: ...


def connect(url: str, *, is_guest: bool = False) -> Database:
    """The database of a DATABASE_URL. Raises ValueError with a sentence for an address we cannot use.

    `is_guest`: a command that may run beside the service; it leaves SQLite's checkpoints to the service.
    """
    name = make_url(url).get_backend_name()
    if name == "sqlite":
        return SqliteDatabase(url, checkpoints=not is_guest)
    if name == "postgresql":
        return PostgresDatabase(url)
    raise ValueError(f"DATABASE_URL: {name} is not supported; use sqlite+aiosqlite:///… or postgresql+asyncpg://…")


__all__ = ["Database", "DatabaseAway", "PostgresDatabase", "SqliteDatabase", "Work", "connect"]
