"""What SQLite's one writing connection does when the file is locked, and what the loop does meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from storage import migrate
from storage import sqlite as sqlite_module
from storage.database import Database, DatabaseAway, connect


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    return tmp_path / "one.db"


@pytest.fixture
async def one(file: Path) -> AsyncIterator[Database]:
    database = connect(f"sqlite+aiosqlite:///{file}")
    await database.open()
    await database.write(migrate.upgrade, is_long=True)
    yield database
    await database.close()


def add(name: str) -> Any:
    return lambda conn: conn.exec_driver_sql("insert into counters (name, value) values (?, 1)", (name,))


def names(conn: Any) -> list[str]:
    return [row[0] for row in conn.exec_driver_sql("select name from counters order by name")]


async def test_a_lock_of_another_process_is_waited_for_and_the_loop_goes_on(one: Database, file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    waiting = [asyncio.create_task(one.write(add(name))) for name in ("a", "b")]
    for _ in range(3):
        assert await one.read(names) == []  # nothing blocks the loop
    assert not any(task.done() for task in waiting)
    other.execute("rollback")
    other.close()
    await asyncio.gather(*waiting)
    assert await one.read(names) == ["a", "b"]


async def test_a_lock_that_stays_is_told_to_everybody_once_and_costs_nothing_afterwards(
    one: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "LOCKED_FOR_S", 0.2)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("begin immediate")
    ends = await asyncio.gather(*(one.write(add(str(n))) for n in range(50)), return_exceptions=True)
    assert all(type(end) is DatabaseAway for end in ends)
    assert len({id(end.__cause__) for end in ends}) == 1  # they waited together, not one after another
    other.execute("rollback")
    other.close()
    await one.write(add("after"))
    assert await one.read(names) == ["after"]


async def test_statements_run_on_the_loop_and_long_work_does_not(one: Database) -> None:
    assert await one.write(lambda conn: threading.current_thread()) is threading.main_thread()
    assert await one.write(lambda conn: threading.current_thread(), is_long=True) is not threading.main_thread()


async def test_long_work_has_a_transaction_of_its_own(one: Database) -> None:
    def fails(conn: Any) -> None:
        add("long")(conn)
        raise ValueError("in the middle")

    ends = await asyncio.gather(
        one.write(add("before")), one.write(fails, is_long=True), one.write(add("behind")), return_exceptions=True
    )
    assert isinstance(ends[1], ValueError)
    assert await one.read(names) == ["before", "behind"]


async def test_what_was_given_before_the_close_is_written_and_nothing_after_it(one: Database, file: Path) -> None:
    writing = asyncio.create_task(one.write(add("last")))
    await asyncio.sleep(0)
    await one.close()
    await writing
    with pytest.raises(DatabaseAway):
        await one.write(add("late"))
    with pytest.raises(DatabaseAway):
        await one.read(names)
    with sqlite3.connect(file) as other:
        assert other.execute("select name from counters").fetchall() == [("last",)]
    other.close()


async def test_a_full_disk_is_no_fault_of_the_work(one: Database) -> None:
    await one.write(add("first"))
    await one.write(lambda conn: conn.exec_driver_sql("pragma max_page_count = 1"))

    def fill(conn: Any) -> None:
        for n in range(2000):
            add(f"{n} {'x' * 2000}")(conn)

    with pytest.raises(DatabaseAway, match="full"):
        await one.write(fill)
    await one.write(lambda conn: conn.exec_driver_sql("pragma max_page_count = 1000000"))
    await one.write(add("second"))
    assert await one.read(names) == ["first", "second"]


async def test_deleted_words_are_overwritten_in_the_file_and_its_log(one: Database, file: Path) -> None:
    assert isinstance(one, sqlite_module.SqliteDatabase)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("pragma secure_delete = off")  # as an older version may have left it
    other.execute("insert into batches (source, body, received_at) values ('x', ?, 1)", (b"words of a person" * 500,))
    other.execute("delete from batches")
    other.close()
    await one.write(add("kept"))

    def holds() -> bool:
        return any(b"words of a person" in part.read_bytes() for part in file.parent.glob(f"{file.name}*"))

    assert holds()
    assert await one.overwrite_deleted(is_whole=True)
    assert not holds()
    assert await one.read(names) == ["kept"]
    await one.write(add("later"))  # and it goes on


async def test_nothing_is_overwritten_under_a_reader(one: Database, file: Path) -> None:
    assert isinstance(one, sqlite_module.SqliteDatabase)
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("begin")
    reader.execute("select count(*) from counters").fetchall()
    await one.write(add("a"))
    assert not await one.overwrite_deleted(is_whole=False)
    reader.close()
    assert await one.overwrite_deleted(is_whole=False)
