"""What only PostgreSQL does: transactions that stand in each other's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import migrate
from storage.database import Database, connect
from tests.conftest import PostgresServer


@pytest.fixture
async def one(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    database = connect(postgres_server.new_database())
    await database.open()
    await database.write(migrate.upgrade, is_long=True)
    yield database
    await database.close()


def adding(first: str, second: str) -> Any:
    def work(conn: Any) -> None:
        for name in (first, second):
            conn.exec_driver_sql(f"update counters set value = value + 1 where name = '{name}'")
            conn.exec_driver_sql("select pg_sleep(0.2)")

    return work


@pytest.mark.postgres
async def test_a_deadlock_is_nobodys_error_and_both_are_done(one: Database) -> None:
    await one.write(lambda conn: conn.exec_driver_sql("insert into counters values ('a', 0), ('b', 0)"))
    await asyncio.gather(one.write(adding("a", "b")), one.write(adding("b", "a")))
    rows = await one.read(lambda conn: conn.exec_driver_sql("select name, value from counters order by name").all())
    assert [tuple(row) for row in rows] == [("a", 2), ("b", 2)]


@pytest.mark.postgres
async def test_an_error_of_the_work_itself_is_told_at_once(one: Database) -> None:
    done = []

    def fails(conn: Any) -> None:
        done.append(1)
        conn.exec_driver_sql("insert into counters values ('a', 0), ('a', 0)")

    with pytest.raises(Exception, match="duplicate key"):
        await one.write(fails)
    assert done == [1]
