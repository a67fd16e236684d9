"""`python -m benchmarks.scale [--rows N]`: does an event cost the same with ten million others in the table?

For each database: what one event costs (insert, claim, look-up of its person and dialog, mark as done) with N events
and N / 10 dialogs, beside the same with 10,000 and 1,000; then with an old snapshot held open, which keeps the
database from cleaning up. Needs about 0.7 GB for each million rows.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import asyncpg
from sqlalchemy import Connection, make_url

from benchmarks.__main__ import machine, run, work_folder
from benchmarks.filling import BODY, CHANNEL, FIRST_ADDRESS, OldSnapshot, fill, plain_url
from benchmarks.postgres import NoPostgres, postgres_server
from benchmarks.service_settings import sqlite_url
from benchmarks.table import Line, at_most, median_ratio, say, show, skipped
from storage import inbox, migrate
from storage.database import Database, connect
from storage.ids import Ids
from storage.inbox import Claim, NewEvent, Settled
from storage.tables import EventState
from storage.unit import UnitOfWork

ROWS = 10_000_000
SMALL_EVENTS, SMALL_DIALOGS = 10_000, 1_000
GOALS = {"sqlite": 1.5, "postgresql": 1.4}
GOAL_SNAPSHOT = 3.0
BATCH = 64
BATCHES, ROUNDS = 20, 9
CHURN_BATCHES = 500  # handled while the snapshot is open, before it is measured
BYTES_A_ROW = 800
_NUMBERS = itertools.count(1)


class Table:
    """One filled database and the cost of an event in it."""

    def __init__(self, database: Database, dialogs: int) -> None:
        self._database = database
        self._dialogs = dialogs
        self._claim = Claim()
        self._ids = Ids()

    async def us_an_event(self, batches: int = BATCHES) -> float:
        """Median over batches."""
        return median([await self._batch() for _ in range(batches)]) / BATCH * 1e6

    async def _batch(self) -> float:
        people = random.sample(range(1, self._dialogs + 1), BATCH)
        now = int(time.time() * 1000)
        new = [
            NewEvent(CHANNEL, f"wamid.{os.urandom(12).hex()}{next(_NUMBERS)}", "message", f"{CHANNEL}:{person}", BODY,
                     now, now)
            for person in people
        ]  # fmt: skip
        begun = time.perf_counter()
        await self._database.write(lambda conn: inbox.put(conn, new))
        handled = await self._database.write(lambda conn: self._turns(conn, now))
        seconds = time.perf_counter() - begun
        if handled != BATCH:
            raise RuntimeError(f"{handled} of {BATCH} events were claimed with their dialogs")
        return seconds

    def _turns(self, conn: Connection, now: int) -> int:
        claimed = self._claim.take(conn, now=now)
        addresses = {event.id: str(FIRST_ADDRESS + int(event.key.rpartition(":")[2])) for event in claimed}
        unit = UnitOfWork(conn, now, self._ids)
        unit.load([(CHANNEL, address) for address in addresses.values()])
        settled = []
        for event in claimed:
            contact = unit.contact_at(CHANNEL, addresses[event.id])
            dialogs = [] if contact is None else unit.open_dialogs(contact.id)
            settled += [Settled(event.id, EventState.DONE, dialog.id) for dialog in dialogs]
        inbox.settle(conn, settled, now=now)
        return len(settled)


async def measure(folder: Path, dialect: str, rows: int) -> list[Line]:
    row = f"scale: {'SQLite' if dialect == 'sqlite' else 'PostgreSQL'}"
    dialogs = max(rows // 10, BATCH)
    async with AsyncExitStack() as stack:
        try:
            urls = await _urls(stack, folder, dialect)
        except NoPostgres as error:
            return [skipped(row, str(error))]
        say(f"  {row}")
        databases = [await _filled(stack, urls[0], SMALL_EVENTS, SMALL_DIALOGS)]
        databases.append(await _filled(stack, urls[1], rows, dialogs))
        small, large = Table(databases[0], SMALL_DIALOGS), Table(databases[1], dialogs)
        lines = [await _compare(row, small, large, f"{rows:,} events", GOALS[dialect])]
        say("    with an old snapshot")
        async with OldSnapshot(databases[1]):
            await large.us_an_event(min(CHURN_BATCHES, max(rows // BATCH // 10, BATCHES)))
            lines.append(await _compare(row, small, large, f"{rows:,} events, old snapshot open", GOAL_SNAPSHOT))
    return lines


async def _urls(stack: AsyncExitStack, folder: Path, dialect: str) -> tuple[str, str]:
    """Two empty databases. Raises NoPostgres."""
    if dialect == "sqlite":
        return sqlite_url(folder / "small.db"), sqlite_url(folder / "large.db")
    server = stack.enter_context(postgres_server(folder))
    await _run_sql(server, "create database large")
    return server, make_url(server).set(database="large").render_as_string(hide_password=False)


async def _run_sql(url: str, sql: str) -> None:
    connection = await asyncpg.connect(plain_url(url))
    await connection.execute(sql)
    await connection.close()


async def _filled(stack: AsyncExitStack, url: str, events: int, dialogs: int) -> Database:
    database = connect(url)
    await database.open()
    stack.push_async_callback(database.close)
    await database.write(migrate.upgrade)
    await fill(database, events=events, dialogs=dialogs)
    return database


async def _compare(row: str, small: Table, large: Table, name: str, goal: float) -> Line:
    of_small, of_large = [], []
    for _ in range(ROUNDS):
        of_small.append(await small.us_an_event())
        of_large.append(await large.us_an_event())
    figures = f"{median(of_large):.0f} us an event, {median(of_small):.0f} us with {SMALL_EVENTS:,}"
    return at_most(f"{row}, {name}", figures, median_ratio(of_large, of_small), goal)


async def _measure_all(folder: Path, rows: int, only: Sequence[str]) -> list[Line]:
    lines = []
    for dialect in only:
        part = folder / dialect
        part.mkdir()
        part.chmod(0o755)
        lines += await measure(part, dialect, rows)
        shutil.rmtree(part, ignore_errors=True)  # the next one needs the room
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"events of the large table, {ROWS:,}")
    parser.add_argument("--only", action="append", choices=tuple(GOALS))
    given = parser.parse_args(arguments)
    if given.rows < SMALL_EVENTS:
        parser.error(f"--rows: at least {SMALL_EVENTS}")
    print(f"{machine()}\n", flush=True)
    with work_folder() as folder:
        free = shutil.disk_usage(folder).free
        if free < given.rows * BYTES_A_ROW:
            parser.error(f"{folder} has {free / 2**30:.1f} GiB free; this needs {given.rows * BYTES_A_ROW / 2**30:.1f}")
        lines = run(_measure_all(folder, given.rows, given.only or tuple(GOALS)))
    show(lines)
    return 1 if any(line.passed is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
