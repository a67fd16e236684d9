"""Where a measured service spends its processor time: one profile for the event loop, one for SQLite's writer thread.

The clock is the thread's own processor time, so waiting for the disk, the network or the interpreter lock costs
nothing here. Small functions that are called often look dearer than they are.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import time
from pathlib import Path

from storage.database import SqliteDatabase

LINES = 45


class ThreadProfiles:
    """Begins at once, in the thread that makes it; to be made before the database is opened."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._profiles = {"event loop": cProfile.Profile(time.thread_time)}
        run = SqliteDatabase._run

        def profiled(database: SqliteDatabase) -> None:
            profile = self._profiles["writer thread"] = cProfile.Profile(time.thread_time)
            profile.runcall(run, database)

        SqliteDatabase._run = profiled  # type: ignore[method-assign, assignment]

    def start(self) -> None:
        self._profiles["event loop"].enable()

    def write(self) -> None:
        """Call it when the database is closed: the writer thread must have ended."""
        self._profiles["event loop"].disable()
        out = io.StringIO()
        for name, profile in self._profiles.items():
            out.write(f"==== {name}\n")
            stats = pstats.Stats(profile, stream=out)
            stats.strip_dirs().sort_stats("tottime").print_stats(LINES)
            stats.sort_stats("cumulative").print_stats(LINES * 2)
        self._file.write_text(out.getvalue())
