"""The error of a database that cannot take anything just now."""

from __future__ import annotations


class DatabaseAway(Exception):
    """The database cannot be reached or is locked or full: nothing was stored; try later."""


def plain(error: BaseException) -> str:
    """The driver's own sentence, without the statement and its parameters (they are people's data)."""
    origin = getattr(error, "orig", None)
    return str(origin or error).splitlines()[0][:300]
