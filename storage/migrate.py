"""Bringing a database to the newest schema, and knowing whether it is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from storage.tables import metadata, schema_floor

_HERE = Path(__file__).parent / "migrations"


def _config(conn: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    if conn is not None:
        config.attributes["connection"] = conn
    return config


def newest() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current(conn: Connection) -> str | None:
    """The revision that the database is at; None = empty."""
    return MigrationContext.configure(conn).get_current_revision()


def fits(conn: Connection) -> bool:
    """Whether this code can work with the schema that is there.

    A newer schema fits if the migrations since then only added to it: they say so in `schema_floor`, the oldest
    revision whose code still works. So a new version can be started, and an old one restarted, side by side.
    """
    there, ours = current(conn), newest()
    if there is None or there <= ours:
        return there == ours
    floor = conn.execute(select(schema_floor.c.revision)).scalar()
    return floor is not None and floor <= ours


def upgrade(conn: Connection) -> None:
    """Run every migration that is missing; nothing if the schema is newer than this code. The caller commits."""
    there = current(conn)
    if there is not None and there > newest():
        return
    command.upgrade(_config(conn), "head")


def differences(conn: Connection) -> Sequence[Any]:
    """What the tables of the code and of the database do not have in common."""
    context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": False})
    return [d for d in compare_metadata(context, metadata) if not _is_expected(d)]


def _is_expected(difference: Any) -> bool:
    """Alembic's own table is not one of ours."""
    first = difference[0] if isinstance(difference, tuple) else None
    return first == "remove_table" and difference[1].name == "alembic_version"
