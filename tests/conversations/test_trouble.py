"""The promises of the design, each with the thing broken: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.tables import DeliveryState
from tests.conftest import PostgresServer
from tests.conversations.people import Customer, World
from tests.conversations.test_lead import orders_repair
from tests.stage import sqlite_url, staged
from tests.waiting import until


async def test_doubled_deliveries_of_everybody_have_no_effect(world: World, anna: Customer) -> None:
    for simulator in world.stage.servers.all().values():
        simulator.trouble = "duplicate"
    issue = await orders_repair(world, anna)
    await world.okdesk.moves(issue, "in_progress")
    await anna.hears("В работе")
    await world.okdesk.comments(issue, "Буду в шесть")
    await anna.hears("Буду в шесть")
    await world.onec.pays(issue, 350000)
    await anna.hears("получена полностью")
    await anna.hears_nothing_more()
    heard = Counter(line["text"] for line in anna.transcript() if line["from"] == "bot")
    assert {text: times for text, times in heard.items() if times > 1} == {}
    assert len(world.okdesk.issues) == 1
    assert world.managers.heard_times("Новая заявка") == 1


async def test_lost_answers_of_okdesk_make_no_second_issue(town: World) -> None:
    anna = town.whatsapp("Анна")
    town.stage.okdesk.trouble = "lost_answer"
    await orders_repair(town, anna)
    town.stage.okdesk.trouble = "none"
    await anna.hears_nothing_more()
    assert len(town.okdesk.issues) == 1
    assert anna.heard_times("Номер заявки") == 1


async def test_lost_answers_of_whatsapp_are_settled_by_the_statuses(town: World) -> None:
    anna = town.whatsapp("Анна")
    town.stage.whatsapp.trouble = "lost_answer"
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    town.stage.whatsapp.trouble = "none"
    await anna.hears_nothing_more()
    assert anna.heard_times("Что нужно починить?") == anna.heard_times("Опишите поломку") == 1
    done = await town.stage.get("/api/v1/deliveries", state="done")
    assert all(item["external_id"] for item in done["items"] if item["system"] == "whatsapp")


async def test_lost_answers_of_telegram_repeat_the_question_and_say_so(town: World) -> None:
    anna = town.telegram("Анна")
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    town.stage.telegram.trouble = "lost_answer"
    await anna.says("4")
    await anna.hears("Опишите поломку")
    town.stage.telegram.trouble = "none"
    await town.stage.quiet()
    [send] = await town.stage.rows("select state, attempts from deliveries where action = 'send' and attempts > 1")
    assert send.state == DeliveryState.DONE
    assert anna.heard_times("Опишите поломку") == send.attempts


async def test_a_channel_that_is_away_gets_everything_afterwards_in_order(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await world.stage.quiet()
    if world.channel == "telegram":  # it cannot bring us messages either, so two of them wait there
        await world.stage.stop()
        await anna.says("4")
        await anna.says("не морозит")
        await world.stage.start()
    await world.stage.unplug(world.channel)
    if world.channel == "whatsapp":
        await anna.says("4")
        await anna.says("не морозит")
        assert world.stage.service.sender is not None
        system = world.stage.service.sender.systems["whatsapp"]
        await until(lambda: system.is_down, "nobody noticed")
        health = await world.stage.get("/health")
        assert (health["status"], health["systems"]["whatsapp"]) == ("degraded", "down")
    await world.stage.plug_in(world.channel)
    await anna.hears("Опишите поломку", "Как к вам обращаться?")
    await anna.hears_nothing_more()
    assert (await world.stage.get("/health"))["systems"][world.channel] == "up"
    [(attempts,)] = await world.stage.rows("select max(attempts) from deliveries where action = 'send'")
    assert attempts <= 2  # a system that is away burns no attempts


async def test_okdesk_down_costs_nobody_the_lead(town: World) -> None:
    anna = town.whatsapp("Анна")
    from tests.conversations.test_lead import asks_for_repair

    await asks_for_repair(anna)
    town.stage.okdesk.trouble = "down"
    await anna.presses("Отправить")
    await until(lambda: town.stage.okdesk.calls, "okdesk was not called")
    await town.stage.passes(seconds=11, unquiet=True)
    await anna.hears("Заявку принял. Номер пришлю")
    town.stage.okdesk.trouble = "none"
    issue = await town.okdesk.issue()
    await anna.hears(f"Номер заявки {issue['id']}")
    await anna.hears_nothing_more()
    assert len(town.okdesk.issues) == 1


async def test_webhooks_that_come_in_the_wrong_order_do_not_tell_old_news(world: World, anna: Customer) -> None:
    issue = await orders_repair(world, anna)
    await world.stage.quiet()
    world.stage.okdesk.hooks.is_swapped = True
    await world.okdesk.moves(issue, "in_progress")
    await world.okdesk.moves(issue, "completed")
    await anna.hears("выполнена")
    await world.stage.quiet()
    assert anna.heard_times("выполнена") == 1


async def test_shuffled_and_regrouped_batches_of_whatsapp_are_handled_in_the_order_of_writing(town: World) -> None:
    anna = town.whatsapp("Анна")
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await town.stage.whatsapp.deliveries.repeat(3)
    town.stage.whatsapp.deliveries.hold()
    await anna.presses("Холодильник")
    await anna.says("не морозит")
    await town.stage.whatsapp.deliveries.release()
    await anna.hears("Опишите поломку", "Как к вам обращаться?")
    await town.stage.whatsapp.deliveries.repeat(6)
    await anna.hears_nothing_more()


async def test_old_documents_posted_again_at_the_end_of_the_month_tell_nobody(town: World) -> None:
    anna = town.whatsapp("Анна")
    await orders_repair(town, anna)
    await town.stage.onec.repost_old(40)
    await anna.hears_nothing_more()
    done = await town.stage.get("/api/v1/webhooks/events", source="onec")
    assert done["total"] == 40
    assert {item["state"] for item in done["items"]} <= {"done", "ignored"}


@pytest.mark.postgres
@pytest.mark.parametrize("channel", ["whatsapp", "telegram"])
async def test_postgresql_carries_a_lead_and_a_handoff(postgres_server: PostgresServer, channel: str) -> None:
    async with staged(postgres_server.new_database()) as stage:
        world = World(stage, channel)
        anna = world.person("Анна")
        issue = await orders_repair(world, anna)
        await world.okdesk.moves(issue, "in_progress")
        await anna.hears("В работе")
        await world.onec.pays(issue, 350000)
        await anna.hears("получена полностью")
        await stage.passes(hours=25)
        await world.okdesk.moves(issue, "completed")
        await anna.hears("[issue_done]" if channel == "whatsapp" else "выполнена")
        await anna.says("1")
        await anna.hears("Передаю старшему мастеру", "Зову менеджера")
        topic = await world.managers.topic("Анна")
        await world.managers.says("Извините нас", topic=topic)
        await anna.hears("Извините нас")
        await world.managers.presses_when_there("Закрыть", topic=topic)
        await world.managers.hears("Разговор закрыт")
        await anna.hears_nothing_more()
        [dialog] = await stage.dialogs()
        assert dialog["status"] == "closed"


async def test_a_database_that_is_locked_for_a_while_loses_nothing(tmp_path: Path) -> None:
    import sqlite3

    async with staged(sqlite_url(tmp_path)) as stage:
        anna = World(stage, "whatsapp").person("Анна")
        other = sqlite3.connect(tmp_path / "fixit.db", isolation_level=None)
        other.execute("begin immediate")
        try:
            writing = asyncio.create_task(anna.says("/start"))
            database: Any = stage.service.database
            await until(lambda: database._working is not None, "nobody writes")
            assert anna.heard_times("Что нужно починить?") == 0
        finally:
            other.execute("rollback")
            other.close()
        await writing
        await anna.hears("Что нужно починить?")
