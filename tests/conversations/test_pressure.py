"""A database that is full, locked or away, and a system that is down for a day: nothing is lost, and it comes back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot import intake
from storage import sqlite
from tests.conftest import PostgresServer, running_postgres
from tests.conversations.people import World
from tests.conversations.test_lead import asks_for_repair
from tests.stage import Stage, migrated, sqlite_url, staged
from tests.waiting import until


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


async def answers(stage: Stage) -> set[tuple[int, str | None]]:
    """What a webhook is told now: status and Retry-After."""
    login = aiohttp.encode_basic_auth(
        stage.environment["OKDESK_WEBHOOK_USER"], stage.environment["OKDESK_WEBHOOK_PASSWORD"]
    )

    async def one(number: int) -> tuple[int, str | None]:
        body = {"event": {"event_type": "new_comment"}, "issue": {"id": number}}
        async with stage.http.post(
            f"{stage.url}/webhooks/okdesk", json=body, headers={"Authorization": login}
        ) as answer:
            return answer.status, answer.headers.get("Retry-After")

    return set(await asyncio.gather(*(one(number) for number in range(20))))


async def test_a_full_disk_is_told_as_503_and_is_over_when_there_is_room_again(tmp_path: Path) -> None:
    async with staged(sqlite_url(tmp_path)) as stage:
        anna = World(stage, "whatsapp").person("Анна")
        await anna.says("/start")
        await anna.hears("Что нужно починить?")
        await stage.quiet()
        writer: Any = stage.database._raw  # type: ignore[attr-defined]
        writer.execute("pragma max_page_count = 1")  # no smaller than the file is: not one page more
        while {status for status, _ in await answers(stage)} != {503}:
            pass  # the pages that are free are used up first
        assert await answers(stage) == {(503, "3")}
        await anna.says("4")
        writer.execute("pragma max_page_count = 1000000")
        await anna.hears("Опишите поломку")
        assert {status for status, _ in await answers(stage)} == {200}


async def test_a_database_that_stays_locked_is_told_as_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOCKED_FOR_S", 0.2)
    async with staged(sqlite_url(tmp_path)) as stage:
        anna = World(stage, "whatsapp").person("Анна")
        other = sqlite3.connect(tmp_path / "fixit.db", isolation_level=None)
        other.execute("begin immediate")
        assert await answers(stage) == {(503, "3")}
        await anna.says("/start")
        other.execute("rollback")
        other.close()
        await anna.hears("Что нужно починить?")


async def test_what_waits_for_a_slow_database_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_PENDING_EVENTS", 5)
    async with staged(sqlite_url(tmp_path)) as stage:
        other = sqlite3.connect(tmp_path / "fixit.db", isolation_level=None)
        other.execute("begin immediate")
        asking = asyncio.create_task(answers(stage))
        await until(lambda: stage.service.intake._count > 5, "nothing waits")
        assert await answers(stage) == {(503, "5")}  # at once, while the first ones wait
        assert stage.service.intake._count <= 20
        other.execute("rollback")
        other.close()
        assert {status for status, _ in await asking} <= {200, 503}
        assert {status for status, _ in await answers(stage)} >= {200}


@pytest.mark.postgres
async def test_a_server_that_goes_away_is_told_as_503_and_everything_goes_on_afterwards(
    own_postgres: PostgresServer,
) -> None:
    url = own_postgres.new_database()
    await migrated(url)
    async with staged(url) as stage:
        world = World(stage, "whatsapp")
        anna = world.person("Анна")
        await asks_for_repair(anna)
        await stage.quiet()
        await asyncio.to_thread(own_postgres.stop)
        assert {status for status, _ in await answers(stage)} == {503}
        await anna.presses("Отправить")
        await asyncio.to_thread(own_postgres.restart)
        issue = await world.okdesk.issue()
        await anna.hears(f"Номер заявки {issue['id']}")


async def test_okdesk_down_for_a_day_holds_up_nobody_and_gets_everything_afterwards(tmp_path: Path) -> None:
    async with staged(sqlite_url(tmp_path)) as stage:
        world = World(stage, "telegram")
        people = [world.person(name) for name in ("Анна", "Борис", "Вера")]
        await stage.unplug("okdesk")
        for person in people:
            await asks_for_repair(person)
            await person.presses("Отправить")

        async def ordered() -> list[Any]:
            found = await stage.rows("select attempts from deliveries where system = 'okdesk'")
            return found if len(found) == len(people) else []

        await until(ordered, "not every lead was ordered")
        await stage.passes(hours=24, unquiet=True)
        late = world.person("Глеб")  # others go on meanwhile
        await asks_for_repair(late)
        assert all(row.attempts <= 1 for row in await ordered()), "a system that is down costs no attempts"
        await stage.plug_in("okdesk")
        await late.presses("Отправить")
        await until(lambda: len(world.okdesk.issues) == 4, "not every lead came", within_s=60)
        await stage.quiet()
        assert len(world.okdesk.issues) == 4
