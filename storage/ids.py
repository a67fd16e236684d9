"""Ids that are needed before their row is inserted: taken from the database in blocks."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, update

from storage.tables import counters

BLOCK = 1000

_TAKE = (
    update(counters)
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value + BLOCK)
    .returning(counters.c.value)
)


class Ids:
    """Numbers unique over all processes. A rolled-back transaction may waste some; none is given twice.

    Not ordered over processes: what must be ordered is numbered by the database itself.
    """

    def __init__(self, name: str = "ids") -> None:
        self._name = name
        self._next = 0
        self._end = 0

    def next(self, conn: Connection) -> int:
        if self._next == self._end:
            end = conn.execute(_TAKE, {"counter": self._name}).scalar()
            if end is None:
                conn.execute(insert(counters).values(name=self._name, value=BLOCK + 1))
                end = BLOCK + 1
            self._next, self._end = end - BLOCK, end
        self._next += 1
        return self._next - 1

    def forget(self) -> None:
        """Drop the block: the transaction that took it was rolled back."""
        self._next = self._end = 0
