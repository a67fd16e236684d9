"""Dates and times as people write them in Russian (FLOWS.md section 4)."""

from __future__ import annotations

import re
from datetime import date, timedelta

_MONTH_NAMES = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), start=1)}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("понедельник", "вторник", "среда среду", "четверг", "пятница пятницу", "суббота субботу", "воскресенье")
    )
    for name in names.split()
}
_DAYS_AHEAD = {"сегодня": 0, "завтра": 1, "послезавтра": 2}

_PREPOSITION = re.compile(r"(?:во?|на)\s+", re.IGNORECASE)
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_NUMBERS = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})(?:\.([0-9]{4}|[0-9]{2}))?")
_NAMED_MONTH = re.compile(r"([0-9]{1,2})\s+([а-я]+)(?:\s+([0-9]{4})(?:\s*(?:г|года)\.?)?)?")
_TIME = re.compile(r"(?:в\s+)?([0-9]{1,2})(?:[:.\- ]([0-9]{2}))?", re.IGNORECASE)


def parse_date(text: str, today: date | None) -> str | None:
    """ISO date; without a year the nearest that is not past. Without `today` only dates with a year are read."""
    if len(text) > 60:
        return None
    written = text.casefold().replace("ё", "е")
    if preposition := _PREPOSITION.match(written):
        written = written[preposition.end() :]
    if found := _ISO.fullmatch(written):
        return _iso(int(found[1]), int(found[2]), int(found[3]))
    if found := _NUMBERS.fullmatch(written):
        return _day(int(found[1]), int(found[2]), found[3], today)
    if found := _NAMED_MONTH.fullmatch(written):
        month = _MONTHS.get(found[2])
        return None if month is None else _day(int(found[1]), month, found[3], today)
    if today is None:
        return None
    ahead = _DAYS_AHEAD.get(written)
    if ahead is None:
        weekday = _WEEKDAYS.get(written)
        if weekday is None:
            return None
        ahead = (weekday - today.weekday() - 1) % 7 + 1  # never today itself
    try:
        return (today + timedelta(days=ahead)).isoformat()
    except OverflowError:  # the last days of the year 9999
        return None


def parse_time(text: str) -> str | None:
    """`HH:MM`."""
    if len(text) > 20 or (found := _TIME.fullmatch(text)) is None:
        return None
    hours, minutes = int(found[1]), int(found[2] or 0)
    return f"{hours:02}:{minutes:02}" if hours <= 23 and minutes <= 59 else None


def _day(day: int, month: int, year: str | None, today: date | None) -> str | None:
    if year is not None:
        return _iso(int(year) + (2000 if len(year) == 2 else 0), month, day)
    if today is None:
        return None
    for ahead in range(9):  # 29 February may be eight years away
        found = _iso(today.year + ahead, month, day)
        if found is not None and found >= today.isoformat():
            return found
    return None


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
