"""A copy of an SQLite database while others write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from storage.restored import COPIED


class CopyFailed(Exception):
    """One sentence; no copy was left behind."""


def copy_sqlite(source: Path, target: Path, *, now: int) -> None:
    """Copy it as it stands at one moment, check the copy, and mark it as one. `now`: milliseconds.

    One step over all pages: it reads one snapshot, and writers go on. In several steps, the way the function is mostly
    called, every commit in between would make it begin again, and under load it would never end.
    """
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as original,
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            original.backup(copy)
            copy.execute("pragma journal_mode = delete")  # one file, whole in itself
            [(verdict,)] = copy.execute("pragma integrity_check(1)").fetchall()
            if verdict != "ok":
                raise CopyFailed(f"the copy is damaged: {verdict}")
            copy.execute(
                "insert into counters (name, value) values (?, ?)"
                " on conflict (name) do update set value = excluded.value",
                (COPIED, now),
            )
        _sync(partial)
        os.replace(partial, target)
        _sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise CopyFailed(str(error)) from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
