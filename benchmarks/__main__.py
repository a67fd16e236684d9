"""`python -m benchmarks [--only ROW] [--quick]`: prints the table; exit code 1 if a goal is missed."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.load import LoadError
from benchmarks.processes import ROOT, NotRunning
from benchmarks.table import Line, failed, say, show

ROWS = ("intake", "retention", "turns", "engine", "flows", "memory", "start", "workers", "backlog")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look, not a measurement")
    given = parser.parse_args(arguments)
    begun = time.monotonic()
    print(f"{machine()}{'; --quick' if given.quick else ''}\n", flush=True)
    lines: list[Line] = []
    for row in given.only or ROWS:
        say(f"{row} ...")
        lines += run(_measure(row, quick=given.quick))
    show(lines)
    print(f"\n{time.monotonic() - begun:.0f} s")
    return 1 if any(line.passed is False for line in lines) else 0


async def _measure(row: str, *, quick: bool) -> list[Line]:
    with work_folder() as folder:
        try:
            lines: list[Line] = await import_module(f"benchmarks.rows.{row}").measure(folder, quick=quick)
        except (LoadError, NotRunning) as error:
            return [failed(row, str(error))]
        return lines


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder on a real disk, deleted afterwards. BENCH_DIR names another place than `var`."""
    place = Path(os.environ.get("BENCH_DIR", ROOT / "var"))
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=place))
    folder.chmod(0o755)  # PostgreSQL runs as another user below it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(main_: Coroutine[Any, Any, list[Line]]) -> list[Line]:
    """On uvloop where it is there, as the service."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main_)
    return uvloop.run(main_)


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cores} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
