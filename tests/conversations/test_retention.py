"""A year later: what people said is gone, what was promised still holds, and the service goes on meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from bot.retention import Retention
from tests.conversations.people import World
from tests.conversations.test_lead import orders_repair
from tests.stage import Stage, staged
from tests.waiting import until


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with staged(database_url) as stage:
        yield stage


async def remove_old(stage: Stage) -> dict[str, int]:
    retention = Retention(stage.database, days=365, clock=stage.service.clock)
    return dict(await retention.remove())


async def every_row(stage: Stage, *tables: str) -> str:
    return str([[tuple(row) for row in await stage.rows(f"select * from {name}")] for name in tables])


async def test_after_a_year_a_finished_talk_is_gone_and_a_repeat_has_no_effect(stage: Stage) -> None:
    world = World(stage, "whatsapp")
    liza = world.person("Лиза")
    issue = await orders_repair(world, liza)
    await world.okdesk.moves(issue, "closed")
    await stage.quiet()
    await stage.passes(days=7)  # nobody rates, and the talk ends

    async def is_over() -> bool:
        return not await stage.rows("select 1 from dialogs where status <> 'closed'")

    await until(is_over, "the dialog does not end")
    await stage.quiet()
    keys = await stage.rows("select key from deliveries order by id")
    ids = await stage.rows("select minute, source, external_id from events order by id")

    await stage.passes(days=400)

    async def is_gone() -> bool:
        await remove_old(stage)
        return (await stage.rows("select count(*) from contacts"))[0][0] == 0

    # the statistics loop adds the last turns to the sums first
    await until(is_gone, "the person is still there")
    assert await stage.rows("select count(*) from dialogs where status = 'closed'") == [(0,)]
    assert (await stage.rows("select sum(entered) from step_stats where step = 'service'"))[0][0] == 1
    assert (await stage.rows("select key from deliveries order by id"))[: len(keys)] == keys
    assert (await stage.rows("select minute, source, external_id from events order by id"))[: len(ids)] == ids
    left = await every_row(stage, "events", "deliveries", "contacts", "messages", "turns", "dialogs", "api_calls")
    for word in ("Течёт и шумит", "9123456789", "Баумана"):
        assert word not in left

    await liza.says("Здравствуйте")  # somebody new, who is answered
    await until(partial(stage.rows, "select 1 from contacts"), "no new contact")
    assert await remove_old(stage) == {}


async def test_while_old_data_goes_new_talks_are_held(stage: Stage) -> None:
    world = World(stage, "telegram")
    old = world.person("Старый")
    await old.says("Здравствуйте")
    await stage.passes(days=400)
    new = world.person("Новая")
    removing: Any = remove_old(stage)
    await new.says("Сломался ноутбук")
    await removing
    await until(lambda: any(line["from"] == "bot" for line in new.transcript()), "no answer")
    assert [d for d in await stage.dialogs() if d["status"] == "active"]
