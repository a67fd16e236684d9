"""The tables of the code and those of the migrations are the same, on both databases."""

from __future__ import annotations

from storage import migrate
from storage.database import Database, connect


async def test_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    assert await database.read(migrate.differences) == []
    assert await database.read(migrate.current) == migrate.newest()


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await database.write(migrate.upgrade)
    assert await database.read(migrate.current) == migrate.newest()


async def test_an_empty_database_has_no_revision(database_url: str) -> None:
    database = connect(database_url)
    await database.open()
    assert await database.read(migrate.current) is None
    await database.close()
