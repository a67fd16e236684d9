"""Rows "workers": turns a second on PostgreSQL with one, two and four worker processes, each event once and in order.

The turns are taken from an inbox that was filled before; messages stay in the outbox (their system is down), so that
what is compared is the work on the database. Then one of two workers is killed in the middle of a send: how long until
the other one has taken that send over.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, text

from benchmarks.filling import put_messages
from benchmarks.postgres import NoPostgres, postgres_server
from benchmarks.processes import ROOT, free_port, plain_environment
from benchmarks.service_settings import service_environment
from benchmarks.table import Line, at_least, at_most, median_ratio, say, skipped
from storage import migrate
from storage.database import Database, connect

ROW = "workers"
PEOPLE, MESSAGES = 2_000, 4
PEOPLE_QUICK = 400
ROUNDS, ROUNDS_QUICK = 3, 1
GOAL_TWO, MOST_TAKE_OVER_S = 1.7, 5.0
_TICKS = os.sysconf("SC_CLK_TCK")
_RATE = text(
    """
    select (percentile_disc(0.9) within group (order by processed_at)
            - percentile_disc(0.1) within group (order by processed_at)) as ms, count(*) as handled
    from events where id > :after and state = 1
    """
)
_WRONG = text(
    """
    select count(*) from (
        select event_id, lag(event_id) over (partition by dialog_id order by turn) as before from turns
    ) t where event_id <= before
    """
)


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    try:
        with postgres_server(folder) as url:
            database = connect(url)
            await database.open()
            try:
                await database.write(migrate.upgrade)
                return [*await _rates(database, quick=quick), await _take_over(database)]
            finally:
                await database.close()
    except NoPostgres as error:
        return [skipped(ROW, str(error))]


async def _rates(database: Database, *, quick: bool) -> list[Line]:
    rates: dict[int, list[float]] = {1: [], 2: [], 4: []}
    shares: list[float] = []
    people = PEOPLE_QUICK if quick else PEOPLE
    for _ in range(ROUNDS_QUICK if quick else ROUNDS):
        for number, measured in rates.items():
            say(f"  {number} worker{'s' if number > 1 else ''}")
            after = await database.read(lambda conn: conn.execute(text("select max(id) from events")).scalar() or 0)
            await put_messages(database, people, MESSAGES)
            cpu, begun = _postgres_cpu_s(), time.perf_counter()
            async with _workers(database.url, number):
                await _until_handled(database)
            shares.append((_postgres_cpu_s() - cpu) / (time.perf_counter() - begun) / (os.cpu_count() or 1))
            row = await database.read(lambda conn, after=after: conn.execute(_RATE, {"after": after}).one())
            measured.append(0.8 * row.handled / max(row.ms / 1000, 0.001))
    wrong = await database.read(lambda conn: conn.execute(_WRONG).scalar())
    if wrong:
        raise RuntimeError(f"{wrong} turns are out of order, or of an event that had its turn")
    one = median(rates[1])
    lines = [Line(f"{ROW}: one", f"{one:,.0f} turns/s; PostgreSQL takes {median(shares):.0%} of the cores")]
    for number, goal in ((2, GOAL_TWO), (4, None)):
        ratio = median_ratio(rates[number], rates[1])
        figures = f"{median(rates[number]):,.0f} turns/s on {os.cpu_count()} cores"
        if goal is None:
            lines.append(Line(f"{ROW}: {number}", figures, f"{ratio:.2f}"))
        else:
            lines.append(at_least(f"{ROW}: {number}", figures, ratio, goal))
    return lines


async def _take_over(database: Database) -> Line:
    """Kill the worker that is sending; the other one is to find its row."""
    say("  killing a worker")
    port = free_port()
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)  # takes, never answers
    try:
        async with _workers(database.url, 2, graph_url=f"http://127.0.0.1:{port}") as workers:
            await put_messages(database, 1, 1)
            owner = await _sending(database)
            [victim] = [worker for worker in workers if worker.pid == int(owner.split(":")[-2])]
            begun = time.perf_counter()
            victim.kill()
            while await _owner(database, owner):  # noqa: ASYNC110 - another process is waited for
                await asyncio.sleep(0.05)
            seconds = time.perf_counter() - begun
    finally:
        silent.close()
    return at_most(f"{ROW}: take-over after kill -9", "until the send of the dead one is taken up", seconds,
                   MOST_TAKE_OVER_S, unit=" s")  # fmt: skip


@asynccontextmanager
async def _workers(
    url: str, number: int, *, graph_url: str = "http://127.0.0.1:9"
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    environment = {**plain_environment(), **service_environment(url, graph_url), "PYTHONPATH": str(ROOT)}
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "work", env=environment, cwd=ROOT)
        for _ in range(number)
    ]
    try:
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.wait() for process in started))


async def _until_handled(database: Database) -> None:
    left = text("select exists (select 1 from events where state = 0)")
    while await database.read(lambda conn: conn.execute(left).scalar()):  # noqa: ASYNC110 - other processes work
        await asyncio.sleep(0.2)


async def _sending(database: Database) -> str:
    query = text("select owner from deliveries where state = 1 and action = 'send' order by id desc limit 1")
    while True:
        owner = await database.read(lambda conn: conn.execute(query).scalar())
        if owner is not None:
            return str(owner)
        await asyncio.sleep(0.05)


async def _owner(database: Database, owner: str) -> bool:
    query = text("select exists (select 1 from deliveries where state = 1 and owner = :owner)")

    def look(conn: Connection) -> bool:
        return bool(conn.execute(query, {"owner": owner}).scalar())

    return await database.read(look)


def _postgres_cpu_s() -> float:
    """Processor seconds of every server process of this machine that is named so."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "postgres":
            fields = rest.split()
            total += int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
    return total / _TICKS
