"""Where a measured service spends its processor time: a profile of the event loop's thread.

The clock is the thread's own processor time, so waiting for the disk, the network or the interpreter lock costs
nothing here. Small functions that are called often look dearer than they are.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import time
from pathlib import Path

LINES = 45


class LoopProfile:
    """A profile of the thread that calls `start`."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._profile = cProfile.Profile(time.thread_time)

    def start(self) -> None:
        self._profile.enable()

    def write(self) -> None:
        self._profile.disable()
        out = io.StringIO()
        stats = pstats.Stats(self._profile, stream=out)
        stats.strip_dirs().sort_stats("tottime").print_stats(LINES)
        stats.sort_stats("cumulative").print_stats(LINES * 2)
        self._file.write_text(out.getvalue())
