"""A database for one command of the terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from bot.settings import Settings
from storage.database import Database, DatabaseAway, connect


class NoSuchEvent(Exception):
    """One sentence for the person at the terminal."""


def with_database(settings: Settings, work: Callable[[Database], Awaitable[int]]) -> int:
    """Open it, check its schema, work, close it. Returns the exit code; troubles are told in one sentence."""

    from storage import migrate  # alembic takes a while to load, and most commands of a flow author need no database

    async def run() -> int:
        database = connect(settings.database_url.get_secret_value(), is_guest=True)
        await database.open()
        try:
            if database.dialect == "sqlite":
                await database.write(migrate.upgrade, is_long=True)
            if not await database.read(migrate.fits):
                sys.stderr.write("the database has another schema: run `python -m bot migrate` first\n")
                return 1
            return await work(database)
        except DatabaseAway as error:
            sys.stderr.write(f"the database is away: {error}\n")
            return 1
        finally:
            await database.close()

    return asyncio.run(run())
