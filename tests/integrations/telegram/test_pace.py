"""The pace: at most what Telegram is said to take, and bursts where it takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.telegram.pace import Pace

NOW = datetime(2026, 9, 22, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_chat_takes_a_short_burst_and_then_one_a_second() -> None:
    pace = Pace()
    for _ in range(3):
        assert pace.delay("1", NOW) == 0
        pace.sent("1", NOW)
    assert pace.delay("1", NOW) == 1
    assert pace.delay("2", NOW) == 0
    assert pace.delay("1", at(1)) == 0
    pace.sent("1", at(1))
    assert pace.delay("1", at(1)) == 1
    assert pace.delay("1", at(60)) == 0


def test_a_group_takes_twenty_a_minute_over_all_its_topics() -> None:
    pace = Pace()
    for second in range(20):
        assert pace.delay(f"-100:{second}", at(second)) == 0
        pace.sent(f"-100:{second}", at(second))
    assert pace.delay("-100:999", at(20)) == 40
    assert pace.delay("-100", at(60)) == 0
    assert pace.delay("-200", at(20)) == 0


def test_the_bot_sends_thirty_a_second() -> None:
    pace = Pace()
    for chat in range(30):
        assert pace.delay(str(chat), NOW) == 0
        pace.sent(str(chat), NOW)
    assert pace.delay("31", NOW) == 1
    assert pace.delay("31", at(1)) == 0


def test_a_pause_is_of_the_chat_or_of_all_and_never_shortened() -> None:
    pace = Pace()
    pace.pause("-100:5", at(14))
    pace.pause("-100", at(3))
    assert pace.delay("-100:6", NOW) == 14
    assert pace.delay("1", NOW) == 0
    pace.pause(None, at(40))
    assert pace.delay("1", NOW) == 40
    assert pace.delay("1", at(40)) == 0


def test_chats_that_are_free_are_forgotten() -> None:
    pace = Pace()
    for number in range(10_001):
        pace.sent(str(number), at(number))
    assert len(pace._free_at) < 10


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(gaps=st.lists(st.floats(0, 5), max_size=60), chats=st.lists(st.sampled_from(["1", "2", "-9:1", "-9:2"])))
def test_who_obeys_the_delays_never_exceeds_the_limits(gaps: list[float], chats: list[str]) -> None:
    pace, now = Pace(), NOW
    sent: list[tuple[str, datetime]] = []
    for gap, chat in zip(gaps, chats, strict=False):
        now += timedelta(seconds=gap)
        wait_s = pace.delay(chat, now)
        assert wait_s >= 0
        now += timedelta(seconds=wait_s)
        assert pace.delay(chat, now) == 0
        pace.sent(chat, now)
        sent.append((chat, now))
    for _, end in sent:
        group = [time for chat, time in sent if chat.startswith("-9") and end - timedelta(minutes=1) < time <= end]
        assert len(group) <= 20
