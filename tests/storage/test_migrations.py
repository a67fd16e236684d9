"""The tables of the code and those of the migrations are the same, on both databases."""

from __future__ import annotations

from sqlalchemy import Connection, text

from storage import migrate
from storage.database import Database, connect


async def test_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    assert await database.read(migrate.differences) == []
    assert await database.read(migrate.current) == migrate.newest()


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await database.write(migrate.upgrade)
    assert await database.read(migrate.current) == migrate.newest()


async def become(database: Database, revision: str, floor: str) -> None:
    def change(conn: Connection) -> None:
        conn.execute(text("update alembic_version set version_num = :it"), {"it": revision})
        conn.execute(text("update schema_floor set revision = :it"), {"it": floor})

    await database.write(change)


async def test_a_newer_schema_fits_if_it_only_added(database: Database) -> None:
    ours = migrate.newest()
    assert await database.read(migrate.fits)
    await become(database, "9999", floor=ours)
    assert await database.read(migrate.fits)
    await database.write(migrate.upgrade)  # nothing to do, and no error
    assert await database.read(migrate.current) == "9999"
    await become(database, "9999", floor="9998")
    assert not await database.read(migrate.fits)
    await become(database, "0001", floor=ours)
    assert not await database.read(migrate.fits)


async def test_an_empty_database_does_not_fit(database_url: str) -> None:
    database = connect(database_url)
    await database.open()
    assert not await database.read(migrate.fits)
    await database.close()


async def test_an_empty_database_has_no_revision(database_url: str) -> None:
    database = connect(database_url)
    await database.open()
    assert await database.read(migrate.current) is None
    await database.close()
