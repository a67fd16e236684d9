"""The one door to the database. All differences between SQLite and PostgreSQL end here and in the claim queries.

Work is a plain function of a `Connection`; it runs inside a transaction that the database opens and commits. So the
repositories exist once: in SQLite they run on the writer thread, in PostgreSQL under `run_sync` on asyncpg.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

log = structlog.get_logger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]


class DatabaseAway(Exception):
    """The database cannot be reached or is locked or full: nothing was stored; try later."""


class Database(Protocol):
    """`write` commits what the function did, or nothing of it; `read` sees a committed state."""

    dialect: str
    url: str

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def write(self, work: Work[T]) -> T: ...
    async def read(self, work: Work[T]) -> T: ...


class _Job(Generic[T]):
    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Work[T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteDatabase:
    """One writer thread holds the only connection that writes and checkpoints.

    SQLite 3.7.0-3.51.2 can lose a WAL reset when two connections do it. All work that is waiting goes into one
    transaction and one fsync; if a piece of it fails, every piece is done again in a transaction of its own.
    """

    dialect = "sqlite"

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        self._path = parsed.database or ""
        if not self._path or self._path == ":memory:":
            raise ValueError("DATABASE_URL: SQLite needs a file, for example sqlite+aiosqlite:///var/fixit.db")
        self._engine: Engine | None = None
        self._reader: AsyncEngine | None = None
        self._thread: threading.Thread | None = None
        self._jobs: deque[_Job[Any]] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.get_running_loop()
        self._engine = sqlite_engine(self._path)
        self._reader = create_async_engine(
            f"sqlite+aiosqlite:///{self._path}", pool_size=4, max_overflow=0, hide_parameters=True
        )
        event.listen(self._reader.sync_engine, "connect", _prepare_reader)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        with self._ready:
            self._closing = True
            self._ready.notify()
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
            self._thread = None
        if self._reader is not None:
            await self._reader.dispose()
            self._reader = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    async def write(self, work: Work[T]) -> T:
        assert self._loop is not None
        future: asyncio.Future[T] = self._loop.create_future()
        with self._ready:
            if self._closing or self._thread is None:
                raise DatabaseAway("the database is closed")
            self._jobs.append(_Job(work, future))
            self._ready.notify()
        # Shielded by nature: the job runs even if the caller is cancelled; the result is dropped then.
        return await future

    async def read(self, work: Work[T]) -> T:
        if self._reader is None:
            raise DatabaseAway("the database is closed")
        try:
            async with self._reader.connect() as conn:
                return await conn.run_sync(work)
        except (OperationalError, InterfaceError) as error:
            if _is_away(error):
                raise DatabaseAway(_plain(error)) from error
            raise

    def _run(self) -> None:
        assert self._engine is not None
        conn: Connection | None = None
        while True:
            with self._ready:
                while not self._jobs and not self._closing:
                    self._ready.wait()
                if not self._jobs:
                    break
                jobs = list(self._jobs)
                self._jobs.clear()
            try:
                if conn is None:
                    conn = self._engine.connect()
                self._together(conn, jobs)
            except Exception as error:  # noqa: BLE001 - the outermost loop of this thread: told to every caller
                for job in jobs:
                    job.error = error
                if conn is not None:
                    with suppress(DBAPIError):
                        conn.invalidate()
                    conn = None
            assert self._loop is not None
            with suppress(RuntimeError):  # the loop is gone: nobody waits any more
                self._loop.call_soon_threadsafe(_deliver, jobs)
        if conn is not None:
            conn.close()

    def _together(self, conn: Connection, jobs: list[_Job[Any]]) -> None:
        try:
            with conn.begin():
                for job in jobs:
                    job.result = job.work(conn)
        except Exception as error:  # noqa: BLE001 - each job gets its own verdict below
            if len(jobs) == 1:
                jobs[0].error = error
                return
            for job in jobs:
                self._together(conn, [job])


def _deliver(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        elif _is_away(job.error):
            away = DatabaseAway(_plain(job.error))
            away.__cause__ = job.error
            job.future.set_exception(away)
        else:
            job.future.set_exception(job.error)


_AWAY_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


def _is_away(error: BaseException) -> bool:
    """Whether it is the file's or the disk's trouble, not that of the work: SQLite has one class for both."""
    origin = getattr(error, "orig", error)
    code = getattr(origin, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _AWAY_CODES


def _plain(error: BaseException) -> str:
    """The driver's own sentence, without the statement and its parameters (they are people's data)."""
    origin = getattr(error, "orig", None)
    return str(origin or error).splitlines()[0][:300]


def sqlite_engine(path: str) -> Engine:
    """A synchronous engine for the connection that writes."""
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": 10, "check_same_thread": False},
        hide_parameters=True,  # they are people's words and phones
    )
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_writer(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")  # an answered event survives a power loss
    connection.execute("pragma wal_autocheckpoint = 4000")
    connection.execute("pragma cache_size = -16000")
    connection.execute("pragma temp_store = memory")


def _begin_immediate(conn: Connection) -> None:
    raw: Any = conn.connection.driver_connection
    raw.execute("begin immediate")  # what SQLAlchemy does around a statement costs more than this one itself


def _prepare_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("pragma query_only = on")
    cursor.execute("pragma wal_autocheckpoint = 0")
    cursor.execute("pragma busy_timeout = 5000")
    cursor.close()


class PostgresDatabase:
    """A pool of asyncpg connections; every `write` is one transaction."""

    dialect = "postgresql"

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self.url = url
        self._pool_size = pool_size
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        self._engine = create_async_engine(
            self.url,
            pool_size=self._pool_size,
            max_overflow=4,
            pool_pre_ping=False,
            hide_parameters=True,  # they are people's words and phones
            pool_recycle=1800,
            connect_args={"timeout": 10, "command_timeout": 60, "server_settings": {"application_name": "fixit"}},
        )

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def write(self, work: Work[T]) -> T:
        if self._engine is None:
            raise DatabaseAway("the database is closed")
        try:
            async with self._engine.begin() as conn:
                return await conn.run_sync(work)
        except (TimeoutError, OperationalError, InterfaceError, OSError) as error:
            raise DatabaseAway(_plain(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseAway(_plain(error)) from error
            raise

    async def read(self, work: Work[T]) -> T:
        return await self.write(work)


def connect(url: str) -> Database:
    """The database of a DATABASE_URL. Raises ValueError with a sentence for an address we cannot use."""
    name = make_url(url).get_backend_name()
    if name == "sqlite":
        return SqliteDatabase(url)
    if name == "postgresql":
        return PostgresDatabase(url)
    raise ValueError(f"DATABASE_URL: {name} is not supported; use sqlite+aiosqlite:///… or postgresql+asyncpg://…")
