"""Row: webhooks answered while old personal data is removed, as a share of the same without.

Two services, each with a database of its own full of events that are years old: one keeps them, the other removes them.
They are measured in turn, and who is not measured stands still.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import asyncpg
from sqlalchemy import make_url

from benchmarks.filling import fill, plain_url
from benchmarks.load import LoadError, Measured, hammer
from benchmarks.postgres import NoPostgres, postgres_server
from benchmarks.processes import Child, candidate
from benchmarks.rows.intake import CONNECTIONS, handle_all, request
from benchmarks.service_settings import service_environment, sqlite_url
from benchmarks.table import Line, at_least, failed, median_ratio, say, skipped
from storage import migrate
from storage.database import connect

ROW = "retention"
GOAL = 0.8
READY_IN_S = 30.0
EVENTS, EVENTS_QUICK = 1_000_000, 100_000
KEEPS_DAYS, REMOVES_DAYS = "36500", "1"
# The history of benchmarks.filling ends before this, and the measured webhooks come after it.
CLOCK_S = 400 * 86_400


@dataclass(slots=True)
class _Side:
    child: Child
    url: str
    removes: bool
    rounds: list[Measured] = field(default_factory=list)


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    lines = []
    for name in ("SQLite", "PostgreSQL"):
        try:
            async with AsyncExitStack() as stack:
                sides = [await _side(stack, folder, name, number, quick=quick) for number in range(2)]
                lines.append(await _compare(name, *sides, quick=quick))
        except NoPostgres as error:
            lines.append(skipped(f"{ROW}: {name}", str(error)))
    return lines


async def _side(stack: AsyncExitStack, folder: Path, name: str, number: int, *, quick: bool) -> _Side:
    """Number 0 keeps everything, number 1 removes."""
    url = (
        sqlite_url(folder / f"retention{number}.db")
        if name == "SQLite"
        else stack.enter_context(postgres_server(folder))
    )
    database = connect(url)
    await database.open()
    await database.write(migrate.upgrade)
    events = EVENTS_QUICK if quick else EVENTS
    await fill(database, events=events, dialogs=events // 100)
    await database.close()
    settings: Mapping[str, str] = {
        **service_environment(url),
        "PII_RETENTION_DAYS": REMOVES_DAYS if number else KEEPS_DAYS,
        "CLOCK_OFFSET_SECONDS": str(CLOCK_S),
    }
    options = ["--no-work", "--retention"] if number else ["--no-work"]
    child = await stack.enter_async_context(candidate("service", *options, folder=folder, environment=settings))
    child.pause()
    return _Side(child, url, number > 0)


async def _compare(name: str, keeps: _Side, removes: _Side, *, quick: bool) -> Line:
    removed_before = await _removed(removes.url)
    seconds = 1.0 if quick else 2.0
    number = 3 if quick else 7
    for side in (keeps, removes):
        await _round(side, 0.5)
    begun = time.monotonic()
    for _ in range(number):
        for side in (keeps, removes):
            side.rounds.append(await _round(side, seconds))
            await handle_all(side.url)
    removed = await _removed(removes.url) - removed_before
    say(f"    {name}: {removed:,} rows removed in {time.monotonic() - begun:.0f} s of rounds")
    if removed == 0:
        return failed(f"{ROW}: {name}", "nothing was removed meanwhile")
    figures = (
        f"{median(r.per_s for r in removes.rounds):,.0f}/s while {removed / (number * seconds):,.0f} rows/s are "
        f"removed, {median(r.per_s for r in keeps.rounds):,.0f}/s without; "
        f"p99 {median(r.ms(0.99) for r in removes.rounds):.1f} ms, {median(r.ms(0.99) for r in keeps.rounds):.1f} ms"
    )
    ratio = median_ratio([r.per_s for r in removes.rounds], [r.per_s for r in keeps.rounds])
    return at_least(f"{ROW}: {name}", figures, ratio, GOAL)


async def _round(side: _Side, seconds: float) -> Measured:
    """Of the side that removes: once it does, for it stood still and has to find its place again."""
    before = await _place(side.url) if side.removes else 0
    side.child.resume()
    try:
        deadline = time.monotonic() + READY_IN_S
        while side.removes and await _place(side.url) == before:
            if time.monotonic() > deadline:
                raise LoadError("nothing is removed")
            await asyncio.sleep(0.05)
        return await hammer(side.child.port, request, connections=CONNECTIONS, seconds=seconds)
    finally:
        side.child.pause()


async def _removed(url: str) -> int:
    return await _number(url, "select count(*) from events where length(body) = 0")


async def _place(url: str) -> int:
    return await _number(url, "select coalesce(max(place), 0) from retention where name = 'events'")


async def _number(url: str, query: str) -> int:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database), timeout=30)) as connection:
            connection.execute("pragma query_only = on")
            return int(connection.execute(query).fetchone()[0])
    connection = await asyncpg.connect(plain_url(url))
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()
