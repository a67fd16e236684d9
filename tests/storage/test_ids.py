"""Ids in blocks: none is given twice, whatever becomes of the transaction that took the block."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from storage.database import Database, connect
from storage.ids import BLOCK, Ids


def take(ids: Ids, number: int) -> Any:
    return lambda conn: [ids.next(conn) for _ in range(number)]


async def test_ids_are_unique_over_blocks_and_processes(database: Database) -> None:
    given: list[int] = []
    for ids in (Ids(), Ids(), Ids()):
        for _ in range(3):
            given += await database.write(take(ids, BLOCK // 2 + 1))
    assert len(set(given)) == len(given)


async def test_a_block_of_a_transaction_that_failed_is_not_used(database: Database) -> None:
    ids = Ids()

    def fails(conn: Any) -> None:
        ids.next(conn)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own, three lines up
        await database.write(fails)
    given = await database.write(take(ids, 5))
    given += await database.write(take(Ids(), 20))
    given += await database.write(take(ids, BLOCK))
    assert len(set(given)) == len(given)


async def test_a_neighbour_that_fails_in_the_same_commit_costs_no_uniqueness(tmp_path: Any) -> None:
    """SQLite puts what is waiting into one transaction; when a piece fails, every piece is done again alone."""
    from storage import migrate

    database = connect(f"sqlite+aiosqlite:///{tmp_path / 'ids.db'}")
    await database.open()
    await database.write(migrate.upgrade)
    ids, given = Ids(), list[int]()

    def fails(conn: Any) -> None:
        raise ValueError

    together = await asyncio.gather(database.write(take(ids, 5)), database.write(fails), return_exceptions=True)
    assert isinstance(together[1], ValueError)
    assert isinstance(together[0], list)
    given += together[0]
    given += await database.write(take(Ids(), 20))
    given += await database.write(take(ids, 2 * BLOCK))
    with suppress(ValueError):
        await database.write(fails)
    await database.close()
    assert len(set(given)) == len(given)
