"""Statements of the hot path: written once as SQL, given to the driver with as little in between as possible.

Through SQLAlchemy's expression layer a batch of turns costs several times as much (docs/decisions/0010).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Integer, LargeBinary, SmallInteger, String, Table, text
from sqlalchemy.types import TypeEngine

Row = Sequence[Any]

_NAMED = re.compile(r"(?<!:):([a-z_]+)(\[\])?")


class Statement:
    """One statement for both databases. Parameters are `:name`, given by name or, as a tuple, in their order.

    `:name[]` stands for a list of values: `id in :ids[]`; `types` says of what PostgreSQL type. Rows come back as plain
    tuples.
    """

    def __init__(self, sql: str, *, types: Mapping[str, str] | None = None) -> None:
        self._sql = sql
        self._lists = tuple(types or ())
        postgres = sql
        for name, type_ in (types or {}).items():
            postgres = postgres.replace(f"in :{name}[]", f"= any(cast(:{name} as {type_}[]))")
        self._text = text(postgres)
        self.names = tuple(match[1] for match in _NAMED.finditer(sql))
        self._sqlite = "" if self._lists else _NAMED.sub("?", sql)
        self._sized: dict[tuple[int, ...], str] = {}

    def many(self, conn: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Run it for every row, each a tuple in the order of `names`."""
        if not rows:
            return
        raw = driver_of(conn)
        if raw is not None:
            raw.executemany(self._sqlite, rows)
        else:
            names = self.names
            conn.execute(self._text, [dict(zip(names, row, strict=True)) for row in rows])

    def all(self, conn: Connection, **parameters: Any) -> list[Row]:
        raw = driver_of(conn)
        if raw is not None:
            return raw.execute(*self._for_sqlite(parameters)).fetchall()  # type: ignore[no-any-return]
        return [tuple(row) for row in conn.execute(self._text, self._for_postgres(parameters))]

    def first(self, conn: Connection, **parameters: Any) -> Row | None:
        rows = self.all(conn, **parameters)
        return rows[0] if rows else None

    def run(self, conn: Connection, **parameters: Any) -> int:
        """Run it once. Returns how many rows it touched."""
        raw = driver_of(conn)
        if raw is not None:
            return int(raw.execute(*self._for_sqlite(parameters)).rowcount)
        return conn.execute(self._text, self._for_postgres(parameters)).rowcount

    def _for_postgres(self, parameters: dict[str, Any]) -> dict[str, Any]:
        for name in self._lists:
            parameters[name] = list(parameters[name])
        return parameters

    def _for_sqlite(self, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """A list is as many places as it has values, rounded up, so that few statements are ever prepared."""
        if not self._lists:
            return self._sqlite, [parameters[name] for name in self.names]
        given: list[Any] = []
        sizes = []
        for name in self.names:
            value = parameters[name]
            if name in self._lists:
                given += value
                sizes.append(size := _rounded(len(value)))
                given += [None] * (size - len(value))  # null is in no list
            else:
                given.append(value)
        key = tuple(sizes)
        sql = self._sized.get(key)
        if sql is None:
            sql = self._sized[key] = self._written(key)
        return sql, given

    def _written(self, sizes: Sequence[int]) -> str:
        left = iter(sizes)
        return _NAMED.sub(lambda found: f"({', '.join('?' * next(left))})" if found[2] else "?", self._sql)


class Insert:
    """Rows added to a table; each is a tuple of values for `columns`."""

    def __init__(self, table: Table, *columns: str) -> None:
        names = ", ".join(columns)
        self._sqlite = f"insert into {table.name} ({names}) values ({', '.join('?' * len(columns))})"  # noqa: S608
        arrays = ", ".join(f"cast(:{name} as {_array_of(table.c[name].type)})" for name in columns)
        many = (
            f"insert into {table.name} ({names}) select {names} from unnest({arrays})"  # noqa: S608
            f" with ordinality as added({names}, place) order by place"
        )
        self._columns = columns
        self._many = text(many)
        self._ids = text(f"{many} returning id")

    def many(self, conn: Connection, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        raw = driver_of(conn)
        if raw is not None:
            raw.executemany(self._sqlite, rows)
        else:
            conn.execute(self._many, self._arrays(rows))

    def ids(self, conn: Connection, rows: Sequence[Sequence[Any]]) -> list[int]:
        """The same for a table that numbers its rows: their numbers, in the order of `rows`."""
        if not rows:
            return []
        raw = driver_of(conn)
        if raw is not None:
            execute, sql = raw.execute, self._sqlite
            return [execute(sql, row).lastrowid for row in rows]
        # Rows are numbered in the order they come in, but nothing promises that they are told in it.
        return sorted(row[0] for row in conn.execute(self._ids, self._arrays(rows)))

    def _arrays(self, rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
        return dict(zip(self._columns, map(list, zip(*rows, strict=True)), strict=True))


def _array_of(type_: TypeEngine[Any]) -> str:
    for kind, name in _ARRAYS.items():
        if isinstance(type_, kind):
            return name
    raise TypeError(f"no array type for {type_!r}")


_ARRAYS: Mapping[type, str] = {
    BigInteger: "bigint[]",
    SmallInteger: "smallint[]",
    Boolean: "boolean[]",
    Integer: "integer[]",
    String: "text[]",  # not varchar(n)[]: a cast to that would cut silently
    LargeBinary: "bytea[]",
}


def driver_of(conn: Connection) -> Any:
    """The driver's own connection, where it can be called from here: SQLite's one that writes."""
    return conn.connection.driver_connection if conn.dialect.driver == "pysqlite" else None


def _rounded(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()


def update_of(table: Table, *columns: str, key: str = "id") -> Statement:
    """An update of these columns; rows are tuples in this order, and then the value of `key`."""
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    return Statement(f"update {table.name} set {changes} where {key} = :{key}")  # noqa: S608
