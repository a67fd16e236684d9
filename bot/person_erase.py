"""Erasing a person while the service may be running beside."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, delete, func, make_url, select

from bot.clock import Clock
from bot.erased import EVERY_S, VACUUM_UP_TO_BYTES
from storage import erasing, sqlite_file
from storage.clock import from_ms, to_ms
from storage.database import Database
from storage.leases import PROCESS
from storage.tables import api_calls, erasures, leases
from storage.traces import Traces, chunks

SENDS_END_WITHIN_S = 20.0
SENDING_IS_OLD_AFTER_MS = 60_000  # nobody sends for so long: its process died
BETWEEN_S = 0.01  # two transactions: the service has its turn
TRIES = 3
OVERWRITTEN_WITHIN_S = 30.0


class StillOpen(Exception):
    """Dialogs, sends or events of the person are not over."""

    def __init__(self, traces: Traces) -> None:
        super().__init__("something is open")
        self.dialogs = len(traces.open_dialogs)
        self.deliveries = len(traces.open_deliveries)
        self.events = len(traces.open_events)


class BeingSent(Exception):
    """A send to the person is under way and does not end."""


class KeepsWriting(Exception):
    """Whenever we were nearly done, something new of the person was there."""


@dataclass(frozen=True, slots=True)
class Protocol:
    id: int
    at: str
    by: str
    counts: dict[str, int]  # table → rows deleted or emptied
    traces: Traces


async def erase(
    database: Database,
    traces: Traces,
    *,
    again: Callable[[], Awaitable[Traces]],
    given: str,
    by: str,
    force: bool,
    clock: Clock,
) -> Protocol:
    """Erase all that was found; `again` looks anew. Raises StillOpen, BeingSent or KeepsWriting."""
    counts: Counter[str] = Counter()
    last_call = await database.read(_last_call)
    named = erasing.named(traces, given)
    for _ in range(TRIES):
        if traces.open_dialogs or traces.open_deliveries or traces.open_events:
            if not force:
                raise StillOpen(traces)
            await _close(database, traces, clock)
        now = to_ms(clock.now())
        for part in erasing.parts(traces, now=now):
            counts += await database.write(part)
            await asyncio.sleep(BETWEEN_S)
        finish = partial(_finish, traces=traces, by=by, named=named, counts=counts, now=now)
        try:
            number, done = await database.write(finish)
        except erasing.WroteMeanwhile:
            traces = await again()
            continue
        await _late_calls(database, traces, last_call)
        return Protocol(number, from_ms(now).isoformat(timespec="seconds"), by, done, traces)
    raise KeepsWriting


def _finish(
    conn: Connection, *, traces: Traces, by: str, named: erasing.Named, counts: Counter[str], now: int
) -> tuple[int, dict[str, int]]:
    done = Counter(counts)  # a transaction may be done again
    erasing.last_part(conn, traces, by=by, named=named, counts=done, now=now)
    return int(conn.execute(select(func.max(erasures.c.id))).scalar_one()), dict(+done)


async def _close(database: Database, traces: Traces, clock: Clock) -> None:
    """What is just being sent may end first: what its answer brings is erased with the rest."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SENDS_END_WITHIN_S
    while True:
        since = to_ms(clock.now()) - SENDING_IS_OLD_AFTER_MS
        if not await database.read(partial(erasing.being_sent, traces=traces, since=since)):
            break
        if loop.time() >= deadline:
            raise BeingSent
        await asyncio.sleep(0.2)
    await database.write(partial(erasing.close, traces=traces, now=to_ms(clock.now())))


async def _late_calls(database: Database, traces: Traces, after: int) -> None:
    """Calls that running processes wrote down while we erased: each does so within EVERY_S."""
    if database.dialect == "postgresql":
        if not await database.read(_has_processes):
            return
        await asyncio.sleep(2 * EVERY_S)
    calls = traces.of("api_calls")
    calls.clear()
    scan = dict(traces.scans())["api_calls"]
    place: int | None = after
    while place is not None:
        place = await database.read(partial(_scan_from, scan, place))
    for some in chunks(sorted(calls)):
        await database.write(partial(_delete_calls, some))


def _scan_from(scan: Callable[[Connection, int], int | None], after: int, conn: Connection) -> int | None:
    return scan(conn, after)


def _last_call(conn: Connection) -> int:
    return int(conn.execute(select(func.coalesce(func.max(api_calls.c.id), 0))).scalar_one())


def _has_processes(conn: Connection) -> bool:
    return conn.execute(select(leases.c.name).where(leases.c.name.like(f"{PROCESS}%"))).first() is not None


def _delete_calls(ids: list[int], conn: Connection) -> None:
    conn.execute(delete(api_calls).where(api_calls.c.id.in_(ids)))


async def overwrite(url: str, traces: Traces, *, now: int) -> bool:
    """Leave nothing of the person in SQLite's files. False: the service does the rest when it starts the next time.

    Alone with the file we write it anew; a service that runs does it for us, for it alone empties the log.
    """
    path = make_url(url).database or ""
    if sqlite_file.rewrite_alone(path, now=now):
        return True
    is_large = Path(path).stat().st_size > VACUUM_UP_TO_BYTES  # noqa: ASYNC240 - nothing else runs here
    for _ in range(TRIES):
        if is_large:
            await asyncio.sleep(2 * EVERY_S)
        else:
            await _until_overwritten(path)
        if not _drop_calls(path, traces):
            break
    return not is_large and (traces.who is None or not sqlite_file.holds(path, traces.who))


async def _until_overwritten(path: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + OVERWRITTEN_WITHIN_S
    while loop.time() < deadline:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.execute("pragma query_only = on")
            if connection.execute("select 1 from erasures where cleaned_at is null").fetchone() is None:
                return
        await asyncio.sleep(0.1)


def _drop_calls(path: str, traces: Traces) -> bool:
    """Calls that the service had in memory and wrote down before it overwrote the file."""
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.execute("pragma secure_delete = on")
        connection.execute("pragma wal_autocheckpoint = 0")
        query = "select id, delivery_id, url, request, response from api_calls order by id desc limit 5000"
        mine = [(row[0],) for row in connection.execute(query).fetchall() if traces.is_call(*row[1:])]
        if not mine:
            return False
        connection.execute("begin immediate")
        connection.executemany("delete from api_calls where id = ?", mine)
        connection.execute("update erasures set cleaned_at = null where id = (select max(id) from erasures)")
        connection.execute("commit")
    return True
