"""Every fault that leaves the process alive, one at a time: a lead goes its way all the same, and only once.

The faults come from the registry: a new point is tested here as soon as it is there. One that a lead does not pass by
fails the test, and asks for a longer story.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import faults
from storage.faults import POINTS, FaultPoint, arm
from tests.conftest import PostgresServer
from tests.conversations.people import Customer, World
from tests.conversations.test_lead import orders_repair
from tests.crash.chaos import possible_faults
from tests.stage import migrated, sqlite_url, staged
from tests.waiting import until

pytestmark = pytest.mark.crash

SQLITE, POSTGRES = "sqlite+aiosqlite:///x", "postgresql+asyncpg://x"


def mild(database_url: str) -> list[tuple[str, str]]:
    return [fault for fault in possible_faults(database_url, serves=True, works=True) if fault[1] != "kill"]


@pytest.fixture(autouse=True)
def forgets() -> Iterator[None]:
    yield
    for point in POINTS.values():
        point.disarm()


async def lead_with_reminder(database_url: str, fault: str) -> None:
    async with staged(database_url) as stage:
        world = World(stage, "whatsapp")
        anna: Customer = world.person("Анна")
        arm(f"{fault}@1")
        point = POINTS[fault.partition("=")[0]]
        if point.name == "sender.settling":  # something must be lost before it can be settled
            stage.okdesk.trouble = "lost_answer"
        await orders_repair(world, anna)
        stage.okdesk.trouble = "none"
        vera = world.person("Вера")
        await vera.says("/start")
        await vera.hears("Что нужно починить?")
        await vera.presses("Холодильник")
        await vera.hears("Опишите поломку")
        await stage.passes(minutes=16)
        await vera.hears("Заявка почти готова")
        await until(lambda: not point.is_armed, f"nobody came by {point.name}")
        await stage.quiet()
        assert Counter(issue["title"] for issue in stage.okdesk.issues()) == {"Стиральная машина: Течёт и шумит": 1}
        assert anna.heard_times("Номер заявки") == 1
        assert await stage.rows("select id, error from events where state = 3") == []
        assert await stage.rows("select id, error from deliveries where state = 5") == []


@pytest.mark.parametrize("fault", ["=".join(fault) for fault in mild(SQLITE)])
async def test_a_lead_survives_any_fault_with_sqlite(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "STALL_S", 0.01)
    await lead_with_reminder(sqlite_url(tmp_path), fault)


@pytest.mark.postgres
@pytest.mark.parametrize("fault", ["=".join(fault) for fault in mild(POSTGRES) if fault not in mild(SQLITE)])
async def test_a_lead_survives_the_faults_of_postgresql(
    fault: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "STALL_S", 0.01)
    url = postgres_server.new_database()
    await migrated(url)
    await lead_with_reminder(url, fault)


def test_a_fault_happens_once_and_when_it_was_ordered() -> None:
    point = FaultPoint("test.once", wrong=ZeroDivisionError)
    try:
        arm("test.once=wrong@2, ")
        point.hit()
        with pytest.raises(ZeroDivisionError):
            point.hit()
        assert not point.is_armed
        point.hit()
    finally:
        del POINTS["test.once"]


@pytest.mark.parametrize(
    ("orders", "sentence"),
    [
        ("sender.called", "is not of the form"),
        ("sender.called=lost@0", "is not of the form"),
        ("sender.called=lost@3;x", "is not of the form"),
        ("nowhere=kill@1", "there is no point nowhere; there are intake.stored, "),
        ("sender.called=full@1", "at sender.called there can be kill, lost, not full"),
    ],
)
def test_an_order_that_cannot_be_is_told(orders: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="FAULTS: ") as caught:
        arm(orders)
    assert sentence in str(caught.value)
