"""Row 1: signed webhooks answered after a commit that survives a power loss, as a share of a bare server's rate."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import asyncpg
from sqlalchemy import make_url

from benchmarks.filling import plain_url
from benchmarks.load import FIRST_PERSON, Measured, hammer
from benchmarks.messages import whatsapp_request
from benchmarks.postgres import NoPostgres, postgres_server
from benchmarks.processes import Child, candidate
from benchmarks.service_settings import service_environment, sqlite_url
from benchmarks.slow_fsync import DELAY_MS, NoSlowDisk, slow_fsync
from benchmarks.table import Line, at_least, median_ratio, say, skipped
from storage import migrate
from storage.database import connect

CONNECTIONS = 64
BODY_BYTES = 2048
PEOPLE = 1000
GOAL, GOAL_SLOW = 0.45, 0.25
ROW = "intake"


@dataclass(slots=True)
class _Variant:
    name: str
    goal: float
    child: Child
    url: str
    rounds: list[Measured] = field(default_factory=list)
    bare_rounds: list[Measured] = field(default_factory=list)


def request() -> bytes:
    return whatsapp_request(FIRST_PERSON + random.randrange(PEOPLE), "Good afternoon", pad_to=BODY_BYTES)


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    """Each service is measured right after the bare server, several times in turn."""
    lines: list[Line] = []
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(candidate("bare", folder=folder))
        variants = await _variants(stack, folder, lines)
        seconds = 1.0 if quick else 2.0
        for child in (bare, *(variant.child for variant in variants)):
            await hammer(child.port, request, connections=CONNECTIONS, seconds=0.5)
        for _ in range(3 if quick else 5):
            for variant in variants:
                for child, rounds in ((bare, variant.bare_rounds), (variant.child, variant.rounds)):
                    rounds.append(await hammer(child.port, request, connections=CONNECTIONS, seconds=seconds))
                await handle_all(variant.url)
        for variant in variants:
            bare_rounds, rounds = variant.bare_rounds, variant.rounds
            figures = (
                f"{median(r.per_s for r in rounds):,.0f}/s of {median(r.per_s for r in bare_rounds):,.0f}/s bare "
                f"(load {median(r.load_cpu for r in bare_rounds):.0%} CPU); "
                f"p50 {median(r.ms(0.5) for r in rounds):.1f} ms, p99 {median(r.ms(0.99) for r in rounds):.1f} ms"
            )
            ratio = median_ratio([r.per_s for r in rounds], [r.per_s for r in bare_rounds])
            lines.append(at_least(f"{ROW}: {variant.name}", figures, ratio, variant.goal))
    return lines


async def _variants(stack: AsyncExitStack, folder: Path, lines: list[Line]) -> list[_Variant]:
    """The services to measure; what this machine cannot run becomes a line instead."""
    disks: list[tuple[str, float, Mapping[str, str]]] = [("", GOAL, {})]
    slow_name = f", fsync +{DELAY_MS} ms"
    try:
        disks.append((slow_name, GOAL_SLOW, slow_fsync(folder)))
    except NoSlowDisk as error:
        lines.append(skipped(f"{ROW}:{slow_name}", str(error)))
    variants: list[_Variant] = []
    for suffix, goal, preload in disks:
        url = sqlite_url(folder / f"intake{len(variants)}.db")
        variants.append(_Variant(f"SQLite{suffix}", goal, await _service(stack, folder, url, preload), url))
        try:
            server = stack.enter_context(postgres_server(folder, environment=preload))
        except NoPostgres as error:
            lines.append(skipped(f"{ROW}: PostgreSQL{suffix}", str(error)))
            continue
        await _migrate(server)
        variants.append(_Variant(f"PostgreSQL{suffix}", goal, await _service(stack, folder, server, {}), server))
    return variants


async def _service(stack: AsyncExitStack, folder: Path, url: str, preload: Mapping[str, str]) -> Child:
    environment = {**service_environment(url), **preload}
    say(f"  starting the service on {url.partition(':')[0]}{' with a slow disk' if preload else ''}")
    return await stack.enter_async_context(candidate("service", "--no-work", folder=folder, environment=environment))


async def handle_all(url: str) -> None:
    """Between two rounds: mark what came in as handled, as workers would have done meanwhile."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database), timeout=30)) as connection, connection:
            connection.execute("pragma wal_autocheckpoint = 0")  # only the service checkpoints
            connection.execute("update events set state = 1 where state = 0")
    else:
        connection = await asyncpg.connect(plain_url(url))
        await connection.execute("update events set state = 1 where state = 0")
        await connection.execute("vacuum events")
        await connection.close()


async def _migrate(url: str) -> None:
    database = connect(url)
    await database.open()
    await database.write(migrate.upgrade)
    await database.close()
