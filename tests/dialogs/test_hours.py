"""Opening hours and quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dialogs.hours import Hours, QuietHours, minute_of_day, read_hours

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")


def _hours(zone: ZoneInfo = MOSCOW, **days: str) -> Hours:
    hours = read_hours({name.replace("_", "-"): text for name, text in days.items()}, zone)
    assert isinstance(hours, Hours)
    return hours


def _moscow(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=MOSCOW)


def test_hours_are_open_from_the_first_minute_and_closed_at_the_last() -> None:
    hours = _hours(mon_fri="09:00-20:00", sat="10:00-24:00")
    assert hours.is_open(_moscow(2, 9))
    assert not hours.is_open(_moscow(2, 20))
    assert hours.is_open(_moscow(7, 23, 59))
    assert not hours.is_open(_moscow(8, 12))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"monday": "09:00-20:00"}, "monday"),
        ({"mon": "9:00-20:00"}, "mon"),
        ({"mon": "20:00-09:00"}, "mon"),
        ({"mon": "09:00-25:00"}, "mon"),
        ({"mon": 5}, "mon"),
        ({"fri-mon": "09:00-20:00"}, "fri-mon"),
        ({"mon-fri": "09:00-20:00", "tue": "10:00-11:00"}, "tue"),
    ],
)
def test_wrong_hours_are_named(given: dict[str, str], wrong: str) -> None:
    assert read_hours(given, MOSCOW) == wrong


def test_time_runs_in_open_hours_only() -> None:
    hours = _hours(mon_fri="09:00-20:00")
    assert hours.after(_moscow(2, 12), timedelta(minutes=30)) == _moscow(2, 12, 30)
    assert hours.after(_moscow(2, 23), timedelta(minutes=30)) == _moscow(3, 9, 30)
    assert hours.after(_moscow(6, 19, 50), timedelta(minutes=30)) == _moscow(9, 9, 20)
    assert hours.after(_moscow(2, 19, 30), timedelta(minutes=30)) == _moscow(2, 20)
    assert hours.after(_moscow(2, 12), timedelta(days=1)) == _moscow(4, 14)


def test_the_clock_change_is_not_open_time() -> None:
    hours = _hours(BERLIN, sun="00:00-24:00")
    saturday = datetime(2026, 3, 28, 12, tzinfo=BERLIN)  # the next day has 23 hours
    assert hours.after(saturday, timedelta(hours=23)) == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_quiet_hours_move_to_their_end() -> None:
    quiet = QuietHours(21 * 60, 9 * 60, MOSCOW)
    assert quiet.moved(_moscow(2, 20, 59)) == _moscow(2, 20, 59)
    assert quiet.moved(_moscow(2, 21)) == _moscow(3, 9)
    assert quiet.moved(_moscow(3, 8, 59)) == _moscow(3, 9)
    assert quiet.moved(_moscow(3, 9)) == _moscow(3, 9)
    noon = QuietHours(12 * 60, 13 * 60, MOSCOW)
    assert noon.moved(_moscow(2, 12, 30)) == _moscow(2, 13)


@pytest.mark.parametrize(
    ("text", "minute"), [("00:00", 0), ("24:00", 1440), ("24:01", None), ("7:00", None), ("12:60", None)]
)
def test_minutes_of_the_day(text: str, minute: int | None) -> None:
    assert minute_of_day(text) == minute
