"""Times in tables are whole milliseconds since 1970 UTC (docs/decisions/0002): the same number in both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """An aware time as milliseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """The aware UTC time of a table's milliseconds."""
    return _EPOCH + timedelta(milliseconds=ms)
