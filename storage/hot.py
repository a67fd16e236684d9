"""Statements of the hot path: written once as SQL, given to the driver with as little in between as possible.

Through SQLAlchemy's expression layer a batch of turns costs several times as much (docs/decisions/0010).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import Connection, Table, text

Row = Sequence[Any]

_NAMED = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """One statement for both databases. Parameters are `:name`; rows come back as plain tuples.

    `:name[]` stands for a list of values: `id in :ids[]`.
    """

    def __init__(self, sql: str, *, types: Mapping[str, str] | None = None) -> None:
        sqlite = postgres = sql
        self._lists = tuple(types or ())
        for name, type_ in (types or {}).items():
            listed = f"in (select value from json_each(:{name}))"  # noqa: S608
            sqlite = sqlite.replace(f"in :{name}[]", listed)
            postgres = postgres.replace(f"in :{name}[]", f"= any(cast(:{name} as {type_}[]))")
        self._sqlite = sqlite
        self._text = {"sqlite": text(sqlite), "postgresql": text(postgres)}
        # For many rows: the driver looks named parameters up one by one, a tuple it takes as it is.
        names = _NAMED.findall(sqlite)
        self._by_place = _NAMED.sub("?", sqlite)
        self._places: Callable[[Mapping[str, Any]], Any] = (
            itemgetter(*names) if len(names) > 1 else lambda row: tuple(row[name] for name in names)
        )

    def _raw(self, conn: Connection) -> Any:
        """The driver's own connection, where it can be called from here: SQLite's writer."""
        return conn.connection.driver_connection if conn.dialect.driver == "pysqlite" else None

    def _given(self, conn: Connection, parameters: dict[str, Any]) -> dict[str, Any]:
        for name in self._lists:
            values = list(parameters[name])
            parameters[name] = orjson.dumps(values).decode() if conn.dialect.name == "sqlite" else values
        return parameters

    def many(self, conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for every row."""
        if not rows:
            return
        raw = self._raw(conn)
        if raw is not None:
            raw.executemany(self._by_place, map(self._places, rows))
        else:
            conn.execute(self._text[conn.dialect.name], rows)

    def all(self, conn: Connection, **parameters: Any) -> list[Row]:
        given = self._given(conn, parameters)
        raw = self._raw(conn)
        if raw is not None:
            return raw.execute(self._sqlite, given).fetchall()  # type: ignore[no-any-return]
        return [tuple(row) for row in conn.execute(self._text[conn.dialect.name], given)]

    def first(self, conn: Connection, **parameters: Any) -> Row | None:
        rows = self.all(conn, **parameters)
        return rows[0] if rows else None

    def run(self, conn: Connection, **parameters: Any) -> int:
        """Run it once. Returns how many rows it touched."""
        given = self._given(conn, parameters)
        raw = self._raw(conn)
        if raw is not None:
            return int(raw.execute(self._sqlite, given).rowcount)
        return conn.execute(self._text[conn.dialect.name], given).rowcount


def insert_into(table: Table, *columns: str) -> Statement:
    """An insert of these columns; rows are mappings with exactly their names."""
    names = ", ".join(columns)
    return Statement(f"insert into {table.name} ({names}) values ({', '.join(f':{name}' for name in columns)})")  # noqa: S608


def update_of(table: Table, *columns: str, key: str = "id") -> Statement:
    """An update of these columns of the row whose `key` is given."""
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    return Statement(f"update {table.name} set {changes} where {key} = :{key}")  # noqa: S608
