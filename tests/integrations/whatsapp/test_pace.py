"""How fast we send of our own accord."""

from __future__ import annotations

import pytest

from integrations.whatsapp.pace import SWEEP_AT, Pace


def test_a_person_may_get_a_burst_and_then_one_message_in_six_seconds() -> None:
    pace, now = Pace(), 1000.0
    for _ in range(20):
        assert pace.delay("anna", now) == 0
        pace.sent("anna", now)
    assert pace.delay("anna", now) == pytest.approx(6)
    assert pace.delay("anna", now + 5.5) == pytest.approx(0.5)
    assert pace.delay("anna", now + 6) == pytest.approx(0)
    assert pace.delay("boris", now + 1) == 0
    assert pace.delay("anna", now + 120) == 0


def test_the_number_sends_eighty_a_second_to_all_people_together() -> None:
    pace, now = Pace(), 0.0
    sent = 0
    while now < 10:
        delay = pace.delay(f"person {sent}", now)
        if delay > 0:
            now += delay
            continue
        pace.sent(f"person {sent}", now)
        sent += 1
    assert 800 <= sent <= 821


def test_what_comes_in_takes_of_the_rate() -> None:
    pace = Pace()
    for _ in range(100):
        pace.received(5.0)
    assert pace.delay("anna", 5.0) == pytest.approx(100 / 80 - 19 / 80)


def test_a_pause_holds_for_one_person_or_for_all() -> None:
    pace = Pace()
    pace.pause(64, 0.0, "anna")
    pace.pause(4, 1.0, "anna")
    assert (pace.paused(10, "anna"), pace.paused(10, "boris"), pace.paused(65, "anna")) == (True, False, False)
    assert pace.delay("anna", 10) == pytest.approx(54)
    pace.pause(60, 10)
    assert pace.delay("boris", 20) == pytest.approx(50)
    assert (pace.paused(20), pace.paused(71, "anna")) == (True, False)


def test_people_who_owe_nothing_are_forgotten() -> None:
    pace = Pace()
    for n in range(SWEEP_AT + 1):
        pace.sent(str(n), n * 10.0)
    assert len(pace._free_at) < 10
