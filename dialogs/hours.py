"""Opening hours of a queue, and hours in which nobody is disturbed. Local clock time of one zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_MINUTES = 24 * 60
_SPAN = re.compile(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})")
_LONGEST_CLOSED_DAYS = 8  # a queue that is open at all is open once a week


def minute_of_day(text: str) -> int | None:
    """`09:30` as minutes after midnight; `24:00` is the end of the day. None if it is no time."""
    if not re.fullmatch(r"[0-9]{2}:[0-9]{2}", text):
        return None
    minute = int(text[:2]) * 60 + int(text[3:])
    return minute if int(text[3:]) < 60 and minute <= _MINUTES else None


@dataclass(frozen=True, slots=True)
class Hours:
    """For each day, Monday first, from and to in minutes after midnight; None = closed that day."""

    days: tuple[tuple[int, int] | None, ...]
    zone: ZoneInfo

    def is_open(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        span = self.days[local.weekday()]
        return span is not None and span[0] <= local.hour * 60 + local.minute < span[1]

    def after(self, at: datetime, duration: timedelta) -> datetime:
        """The moment when `duration` of open time has passed since `at`."""
        left = duration
        day = at.astimezone(self.zone).date()
        closed_days = 0
        while closed_days < _LONGEST_CLOSED_DAYS:
            span = self.days[day.weekday()]
            if span is None:
                closed_days += 1
            else:
                closed_days = 0
                opens = max(_moment(day, span[0], self.zone), at)
                open_time = _moment(day, span[1], self.zone) - opens
                if open_time >= left:
                    return opens + left
                if open_time > timedelta(0):
                    left -= open_time
            day += _DAY
        return at + duration  # never open: as if it always were, so that the wait ends


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours in which reminders wait, in minutes after midnight; they may go over midnight."""

    start: int
    end: int
    zone: ZoneInfo

    def moved(self, at: datetime) -> datetime:
        """`at`, or the end of the quiet hours it falls into."""
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            is_quiet = self.start <= minute < self.end
        else:
            is_quiet = minute >= self.start or minute < self.end
        if not is_quiet:
            return at
        day = local.date() if minute < self.end else local.date() + _DAY
        return _moment(day, self.end, self.zone)


def read_hours(given: Mapping[str, str], zone: ZoneInfo) -> Hours | str:
    """`{mon-fri: "09:00-20:00", sat: …}` as Hours, or the name of the first day that is wrong."""
    days: list[tuple[int, int] | None] = [None] * 7
    for name, text in given.items():
        first, _, last = name.partition("-")
        span = _SPAN.fullmatch(text) if isinstance(text, str) else None
        if first not in DAYS or (last or first) not in DAYS or span is None:
            return name
        start, end = minute_of_day(span[1]), minute_of_day(span[2])
        chosen = range(DAYS.index(first), DAYS.index(last or first) + 1)
        if start is None or end is None or start >= end or not chosen:
            return name
        for day in chosen:
            if days[day] is not None:
                return name
            days[day] = (start, end)
    return Hours(tuple(days), zone)


def _moment(day: date, minute: int, zone: ZoneInfo) -> datetime:
    if minute == _MINUTES:
        day, minute = day + _DAY, 0
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)
