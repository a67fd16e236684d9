"""The service's clock: the only place that asks for the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The time, moved by CLOCK_OFFSET_SECONDS for rehearsals."""

    def __init__(self, offset_s: int = 0) -> None:
        self._offset = timedelta(seconds=offset_s)

    def now(self) -> datetime:
        now = datetime.now(UTC)
        return now + self._offset if self._offset else now
