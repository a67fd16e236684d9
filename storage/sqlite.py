"""SQLite: one connection writes, whatever is waiting goes into one transaction, and nothing waits for a thread.

Statements run on the event loop: a few microseconds each, in memory. On a thread of its own every one of them would
have to win the interpreter lock from the loop, which cost more than the statements (docs/decisions/0013). What waits
for the disk or for another process runs on a thread: the commit with its fsync, and work that says it takes long.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.away import DatabaseAway, plain
from storage.faults import FaultPoint

T = TypeVar("T")
Work = Callable[[Connection], T]

LOCKED_FOR_S = 10.0  # how long we wait for another process that writes (a command of the command line)
LOOK_AGAIN_S = 0.005


def _full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


_BEFORE_COMMIT = FaultPoint("sqlite.before_commit", full=_full)
_AFTER_COMMIT = FaultPoint("sqlite.after_commit")


class _Job(Generic[T]):
    __slots__ = ("error", "future", "is_long", "is_outside", "result", "work")

    def __init__(self, work: Work[T], future: asyncio.Future[T], is_long: bool, is_outside: bool = False) -> None:
        self.work = work
        self.future = future
        self.is_long = is_long
        self.is_outside = is_outside  # between two transactions
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteDatabase:
    """All work that is waiting goes into one transaction and one fsync.

    If a piece of it fails, every piece is done again in a transaction of its own. There is one connection that writes
    and checkpoints: SQLite 3.7.0-3.51.2 can lose a WAL reset when two do it.
    """

    dialect = "sqlite"
    has_sessions = True

    def __init__(self, url: str, *, checkpoints: bool = True) -> None:
        """`checkpoints`: False for a command beside a running service, which does it."""
        self.url = url
        self._checkpoints = checkpoints
        self._path = make_url(url).database or ""
        if not self._path or self._path == ":memory:":
            raise ValueError("DATABASE_URL: SQLite needs a file, for example sqlite+aiosqlite:///var/fixit.db")
        self._engine: Engine | None = None
        self._reader: AsyncEngine | None = None
        self._thread: _Thread | None = None
        self._conn: Connection | None = None
        self._raw: sqlite3.Connection | None = None
        self._jobs: deque[_Job[Any]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.get_running_loop()
        self._engine = sqlite_engine(self._path)
        self._reader = create_async_engine(
            f"sqlite+aiosqlite:///{self._path}", pool_size=4, max_overflow=0, hide_parameters=True
        )
        event.listen(self._reader.sync_engine, "connect", _prepare_reader)
        self._thread = _Thread(self._loop)

    async def close(self) -> None:
        thread, self._thread = self._thread, None  # nothing new is taken
        while self._working is not None:
            await asyncio.wait([self._working])
        if thread is not None:
            await thread.run(self._disconnect)
            thread.stop()
        if self._reader is not None:
            await self._reader.dispose()
            self._reader = None

    async def write(self, work: Work[T], *, is_long: bool = False) -> T:
        return await self._add(work, is_long=is_long)

    async def overwrite_deleted(self, *, is_whole: bool) -> bool:
        """Leave no copy of what was deleted in the log beside the file; `is_whole`: nor in the corners of its pages.

        Others wait meanwhile. False: somebody is still reading; try again.
        """
        return await self._add(partial(_overwrite_deleted, is_whole=is_whole), is_outside=True)

    async def _add(self, work: Work[T], *, is_long: bool = False, is_outside: bool = False) -> T:
        if self._thread is None or self._loop is None:
            raise DatabaseAway("the database is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append(_Job(work, future, is_long or is_outside, is_outside))
        if self._working is None:  # it begins after this round of the loop: with what others bring until then
            self._working = self._loop.create_task(self._work(self._thread), name="sqlite")
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
                raise DatabaseAway(plain(error)) from error
            raise

    async def _work(self, thread: _Thread) -> None:
        try:
            while self._jobs:
                jobs = self._taken()
                try:
                    await self._together(thread, jobs)
                except BaseException as error:  # the loop is being torn down
                    for job in jobs:
                        job.error = job.error or error
                    raise
                finally:
                    _deliver(jobs)
        finally:
            self._working = None

    def _taken(self) -> list[_Job[Any]]:
        """Everything that waits, up to a long piece, which goes alone."""
        jobs: list[_Job[Any]] = []
        while self._jobs and not (jobs and self._jobs[0].is_long):
            jobs.append(self._jobs.popleft())
            if jobs[-1].is_long:
                break
        return jobs

    async def _together(self, thread: _Thread, jobs: Sequence[_Job[Any]]) -> None:
        try:
            await self._transaction(thread, jobs)
        except Exception as error:  # noqa: BLE001 - each job gets its own verdict below
            if len(jobs) == 1 or _is_away(error):
                for job in jobs:
                    job.error = error
                return
            for job in jobs:
                await self._together(thread, [job])

    async def _transaction(self, thread: _Thread, jobs: Sequence[_Job[Any]]) -> None:
        if self._conn is None or self._raw is None:
            await thread.run(self._connect)
        conn, raw = self._conn, self._raw
        assert conn is not None
        assert raw is not None
        if jobs[0].is_outside:
            await thread.run(partial(_do, conn, jobs))
            return
        await _begin(raw)
        seen = conn.begin()  # SQLAlchemy's own idea of the transaction: begun and committed at the driver by us
        try:
            if jobs[0].is_long:
                await thread.run(partial(_do, conn, jobs))
            else:
                _do(conn, jobs)
            _BEFORE_COMMIT.hit()
            await thread.run(raw.commit)
            seen.close()
        except BaseException:
            try:
                await thread.run(seen.close)
            except DBAPIError:
                await thread.run(self._disconnect)
            raise
        _AFTER_COMMIT.hit()

    def _connect(self) -> None:
        if self._engine is None:
            self._engine = sqlite_engine(self._path)
        self._conn = self._engine.connect()
        self._raw = self._conn.connection.driver_connection
        assert self._raw is not None
        if not self._checkpoints:
            self._raw.execute("pragma wal_autocheckpoint = 0")

    def _disconnect(self) -> None:
        conn, self._conn, self._raw = self._conn, None, None
        if conn is not None:
            with suppress(DBAPIError):
                conn.close()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _do(conn: Connection, jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        job.result = job.work(conn)


def _overwrite_deleted(conn: Connection, *, is_whole: bool) -> bool:
    raw: Any = conn.connection.driver_connection
    if is_whole:
        raw.execute("vacuum")
    (is_busy, _, _) = raw.execute("pragma wal_checkpoint(truncate)").fetchone()
    return not is_busy


async def _begin(raw: sqlite3.Connection) -> None:
    """Raises OperationalError if another process keeps the database locked."""
    deadline: float | None = None
    while True:
        try:
            raw.execute("begin immediate")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            loop = asyncio.get_running_loop()
            deadline = deadline or loop.time() + LOCKED_FOR_S
            if loop.time() >= deadline:
                raise
            await asyncio.sleep(LOOK_AGAIN_S)


class _Thread:
    """Runs what would block the loop, one thing after another."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="sqlite-commit", daemon=True).start()

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, future))
        return future

    def stop(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            work, future = item
            result: Any = None
            error: BaseException | None = None
            try:
                result = work()
            except BaseException as caught:  # noqa: BLE001 - told to the one who waits for it
                error = caught
            with suppress(RuntimeError):  # the loop is gone: nobody waits any more
                self._loop.call_soon_threadsafe(_tell, future, result, error)


def _tell(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _deliver(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        error = job.error
        if error is not None and _is_away(error):
            error = DatabaseAway(plain(error))
            error.__cause__ = job.error
        _tell(job.future, job.result, error)


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


def sqlite_engine(path: str) -> Engine:
    """A synchronous engine for the connection that writes. Who uses it begins and commits at the driver."""
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": 0, "check_same_thread": False, "cached_statements": 512},
        hide_parameters=True,  # they are people's words and phones
    )
    event.listen(engine, "connect", _prepare_writer)
    return engine


def _prepare_writer(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    connection.execute("pragma busy_timeout = 10000")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")  # an answered event survives a power loss
    connection.execute("pragma wal_autocheckpoint = 8000")
    connection.execute("pragma cache_size = -16000")
    connection.execute("pragma temp_store = memory")
    connection.execute("pragma secure_delete = on")  # what is deleted is overwritten: a person can be erased
    connection.execute("pragma busy_timeout = 0")  # from here on a lock is waited for without blocking the loop


def _prepare_reader(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("pragma query_only = on")
    cursor.execute("pragma wal_autocheckpoint = 0")
    cursor.execute("pragma busy_timeout = 5000")
    cursor.close()
