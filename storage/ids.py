"""Ids that are needed before their row is inserted: taken from the database in blocks."""

from __future__ import annotations

from sqlalchemy import Connection, RootTransaction, bindparam, insert, select, update

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
        self._taken_in: RootTransaction | None = None  # took the block; whether it was committed is not known yet

    def next(self, conn: Connection) -> int:
        if self._taken_in is not None and conn.get_transaction() is not self._taken_in:
            self._verify(conn)
        if self._next == self._end:
            end = conn.execute(_TAKE, {"counter": self._name}).scalar()
            if end is None:
                conn.execute(insert(counters).values(name=self._name, value=BLOCK + 1))
                end = BLOCK + 1
            self._next, self._end = end - BLOCK, end
            self._taken_in = conn.get_transaction()
        self._next += 1
        return self._next - 1

    def _verify(self, conn: Connection) -> None:
        """Once for each block: a transaction may fail after our work in it, with a neighbour's."""
        stored = conn.execute(select(counters.c.value).where(counters.c.name == self._name)).scalar()
        if stored is None or stored < self._end:
            self.forget()
        self._taken_in = None

    def forget(self) -> None:
        """Drop the block: the transaction that took it was rolled back."""
        self._next = self._end = 0
        self._taken_in = None
