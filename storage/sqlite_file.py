"""SQLite's files as bytes: whether words that were deleted are still in them, and how they get out of them."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

_BLOCK = 16 * 1024 * 1024
_OVERLAP = 64 * 1024  # what is looked for is shorter


def holds(path: str, pattern: re.Pattern[str]) -> bool:
    """Whether the file or the log beside it holds what the pattern finds."""
    wanted = re.compile(pattern.pattern.encode().replace(b"\\u00a0", b"\xc2\xa0"))
    return any(
        _file_holds(file, wanted) for suffix in ("", "-wal", "-journal") if (file := Path(path + suffix)).exists()
    )


def _file_holds(file: Path, wanted: re.Pattern[bytes]) -> bool:
    with file.open("rb") as stream:
        before = b""
        while block := stream.read(_BLOCK):
            block = before + block
            if wanted.search(block):
                return True
            before = block[-_OVERLAP:]
    return False


def rewrite_alone(path: str, *, now: int) -> bool:
    """Write the file anew and remove the log, if no other process has the database open. False: one has.

    `now`, milliseconds: noted in the protocols of erased people.
    """
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.2)) as connection:
        connection.execute("pragma secure_delete = on")
        try:
            # SQLite itself knows whether somebody else is there: only alone can the log be given up.
            (mode,) = connection.execute("pragma journal_mode = delete").fetchone()
            if mode != "delete":
                return False
            connection.execute("vacuum")
            connection.execute("update erasures set cleaned_at = ? where cleaned_at is null", (now,))
        except sqlite3.OperationalError:
            return False
        finally:
            connection.execute("pragma journal_mode = wal")
    return True
