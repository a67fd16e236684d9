"""Rows "backlog": 100,000 events wait after an outage. How long until they are handled, what somebody who writes now
notices of it, and how much memory it takes.

The service starts on a full inbox; people who were not there before write all the while.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy import text

from benchmarks.filling import put_messages
from benchmarks.load import LoadError, Talks
from benchmarks.messages import whatsapp_request
from benchmarks.messengers import Messengers
from benchmarks.postgres import NoPostgres, postgres_server
from benchmarks.processes import Child, candidate
from benchmarks.service_settings import service_environment, sqlite_url
from benchmarks.table import Line, at_most, say, skipped
from storage import migrate
from storage.database import Database, connect

ROW = "backlog"
EVENTS, EVENTS_QUICK = 100_000, 10_000
MESSAGES = 5  # of each person
NEWCOMERS = 16
PER_S = 4.0
MOST_MIB = 200.0


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    lines = await _measure("SQLite", sqlite_url(folder / "backlog.db"), folder, quick=quick)
    try:
        with postgres_server(folder) as url:
            lines += await _measure("PostgreSQL", url, folder, quick=quick)
    except NoPostgres as error:
        lines.append(skipped(f"{ROW}: PostgreSQL", str(error)))
    return lines


async def _measure(name: str, url: str, folder: Path, *, quick: bool) -> list[Line]:
    number = EVENTS_QUICK if quick else EVENTS
    database = connect(url)
    await database.open()
    await database.write(migrate.upgrade)
    say(f"  {name}: {number:,} events")
    await put_messages(database, number // MESSAGES, MESSAGES)
    if url.startswith("sqlite"):
        await database.close()
    messengers = Messengers()
    async with AsyncExitStack() as stack:
        await messengers.start()
        stack.push_async_callback(messengers.stop)
        begun = time.perf_counter()
        environment = service_environment(url, messengers.url)
        child = await stack.enter_async_context(candidate("service", folder=folder, environment=environment))
        talks = Talks(child.port, messengers, whatsapp_request, number=NEWCOMERS)
        await talks.open()
        stack.callback(talks.close)
        if url.startswith("sqlite"):
            database = connect(url, is_guest=True)
            await database.open()
        stack.push_async_callback(database.close)
        most_mib, delays = 0.0, list[float]()
        while await _waiting(database):
            measured = await talks.run_steady(PER_S, 2.0)
            delays += measured.delays_s
            most_mib = max(most_mib, child.resident_mib() or 0.0)
        seconds = time.perf_counter() - begun
        unsent = await _drained(database, child, messengers)
    if not delays:
        raise LoadError("the backlog was gone before anybody wrote")
    delays.sort()
    return [
        Line(f"{ROW}: {name}, {number:,} handled", f"after {seconds:.0f} s with the start of the process; "
             f"all answers out after {seconds + unsent:.0f} s"),
        Line(f"{ROW}: {name}, answer to a new message", f"p50 {delays[len(delays) // 2] * 1000:.0f} ms, "
             f"worst {delays[-1] * 1000:.0f} ms of {len(delays)}"),
        at_most(f"{ROW}: {name}, memory", "", most_mib, MOST_MIB, unit=" MiB"),
    ]  # fmt: skip


async def _waiting(database: Database) -> bool:
    query = text("select exists (select 1 from events where state = 0 and id > 0)")
    return bool(await database.read(lambda conn: conn.execute(query).scalar()))


async def _drained(database: Database, child: Child, messengers: Messengers) -> float:
    """Seconds until no message waits to be sent."""
    begun = time.perf_counter()
    query = text("select exists (select 1 from deliveries where state < 3)")
    while await database.read(lambda conn: conn.execute(query).scalar()):
        if child.process.returncode is not None:
            raise LoadError("the service ended")
        await asyncio.sleep(0.2)
    return time.perf_counter() - begun
