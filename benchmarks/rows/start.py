"""Row 6: from the spawn of `serve` to /health/ready saying 200, on a database that has lived for a while."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from sqlalchemy import Connection

from benchmarks.messages import BOT_TOKEN
from benchmarks.messengers import Messengers
from benchmarks.processes import Child, NotRunning, free_port, plain_environment
from benchmarks.service_settings import service_environment, sqlite_url
from benchmarks.table import Line, at_most
from bot import flow_store
from bot.catalogue import catalogue
from storage import migrate
from storage.database import connect

ROW = "start"
VERSIONS = 100
MOST_S = 2.0
GIVE_UP_S = 30.0
_TIMEZONE = "Europe/Moscow"


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    url = sqlite_url(folder / "start.db")
    database = connect(url)
    await database.open()
    await database.write(migrate.upgrade)
    await database.write(_publish_versions)
    await database.close()
    messengers = Messengers()
    await messengers.start()
    whatsapp = service_environment(url, messengers.url)
    del whatsapp["FLOWS_DIR"]  # the flows that ship
    telegram = {
        "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
        "TELEGRAM_API_URL": messengers.url,
        "TELEGRAM_MODE": "webhook",
        "TELEGRAM_WEBHOOK_SECRET": "benchmark-secret",
        "TELEGRAM_MANAGERS_CHAT_ID": "-1002400000001",
        "BASE_URL": "https://bot.example.org",
    }
    lines = []
    try:
        for name, environment in (("WhatsApp", whatsapp), ("WhatsApp and Telegram", {**whatsapp, **telegram})):
            await _ready_s(folder, environment)  # writes the bytecode files
            times = [await _ready_s(folder, environment) for _ in range(2 if quick else 5)]
            figures = f"{VERSIONS} flow versions; " + ", ".join(f"{seconds:.2f}" for seconds in times)
            lines.append(at_most(f"{ROW}: {name}", figures, median(times), MOST_S, unit=" s"))
    finally:
        await messengers.stop()
    return lines


def _publish_versions(conn: Connection) -> None:
    """The flows that ship, and so many older versions of the largest of them."""
    files = flow_store.read_folder(flow_store.BUILT_IN)
    edited = dict(files)
    largest = max((name for name in files if name != "project.yaml"), key=lambda name: len(files[name]))
    published = 0
    number = 0
    while published < VERSIONS:
        number += 1
        edited[largest] = files[largest] + f"\n# edit {number}\n".encode()
        is_last = published >= VERSIONS - 1
        done = flow_store.publish(
            conn, files if is_last else edited, catalogue=catalogue(), timezone=_TIMEZONE, now=number
        )
        published += sum(flow.is_new for flow in done)


async def _ready_s(folder: Path, environment: Mapping[str, str]) -> float:
    """Raises NotRunning."""
    port = free_port()
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve", "--host", "127.0.0.1", "--port", str(port),
        cwd=folder, env={**plain_environment(), **environment},
    )  # fmt: skip
    child = Child(process, port)
    try:
        while (elapsed := time.perf_counter() - begun) < GIVE_UP_S:
            if process.returncode is not None:
                raise NotRunning(f"serve ended with code {process.returncode}")
            if await _is_ready(port):
                return time.perf_counter() - begun
            await asyncio.sleep(0.005)
        raise NotRunning(f"serve was not ready after {elapsed:.0f} s")
    finally:
        await child.stop()


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()
