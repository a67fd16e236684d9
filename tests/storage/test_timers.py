"""Timers: one that is due becomes one event, in order, whoever looks."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from sqlalchemy import text

from storage import timers
from storage.database import Database
from storage.ids import Ids
from storage.unit import UnitOfWork

NOW = 1_790_000_000_000


async def set_timers(database: Database, *wanted: tuple[int, str, int], turn: int = 1) -> None:
    def job(conn: Any) -> None:
        unit = UnitOfWork(conn, NOW, Ids())
        for dialog_id, name, due_at in wanted:
            unit.set_timer(dialog_id, name, due_at=due_at, turn=turn, event_key=f"contact:{dialog_id}")
        unit.flush()

    await database.write(job)


async def fire(database: Database, now: int) -> int:
    return await database.write(lambda conn: timers.fire_due(conn, now=now))


async def events(database: Database) -> list[Any]:
    query = text("select external_id, kind, key, body, position from events order by position, id")
    return await database.read(lambda conn: list(conn.execute(query)))


async def test_only_what_is_due_fires_and_only_once(database: Database) -> None:
    await set_timers(database, (1, "remind", NOW), (2, "close", NOW + 1))
    assert await database.read(timers.next_due) == NOW
    assert await fire(database, NOW) == 1
    assert await fire(database, NOW) == 0
    [event] = await events(database)
    assert (event.external_id, event.kind, event.key) == ("1.remind.1", "timer_due", "contact:1")
    assert orjson.loads(bytes(event.body)) == {"dialog_id": 1, "name": "remind", "turn": 1, "due_at": NOW}
    assert await database.read(timers.next_due) == NOW + 1


async def test_setting_a_timer_again_moves_it(database: Database) -> None:
    await set_timers(database, (1, "remind", NOW))
    await set_timers(database, (1, "remind", NOW + 5000), turn=2)
    assert await fire(database, NOW) == 0
    assert await fire(database, NOW + 5000) == 1
    assert [event.external_id for event in await events(database)] == ["1.remind.2"]


async def test_a_cancelled_timer_and_those_of_an_ended_dialog_are_gone(database: Database) -> None:
    await set_timers(database, (1, "remind", NOW), (1, "close", NOW), (2, "remind", NOW), (3, "remind", NOW))

    def job(conn: Any) -> None:
        unit = UnitOfWork(conn, NOW, Ids())
        unit.cancel_timer(1, "remind")
        unit.end_timers(2)
        unit.flush()

    await database.write(job)
    await fire(database, NOW)
    assert sorted(event.external_id for event in await events(database)) == ["1.close.1", "3.remind.1"]


async def test_late_timers_keep_the_order_of_their_times(database: Database) -> None:
    await set_timers(database, (1, "close", NOW - 1000), (1, "remind", NOW - 5000))
    await fire(database, NOW)
    assert [event.external_id for event in await events(database)] == ["1.remind.1", "1.close.1"]


async def test_several_that_look_at_once_fire_each_timer_once(database: Database) -> None:
    await set_timers(database, *((dialog_id, "remind", NOW) for dialog_id in range(50)))
    fired = await asyncio.gather(*(fire(database, NOW) for _ in range(5)))
    assert sum(fired) == len(await events(database)) == 50
