"""Who is who: a new number, two channels of one person, messages that no flow takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.tables import EventState
from tests.conversations.people import World
from tests.conversations.test_lead import asks_for_repair, orders_repair
from tests.stage import TELEGRAM_WEBHOOK, sqlite_url, staged

ONLY_ON_COMMAND = """
format: 1
flow: hours
title: "Часы работы"
channels: [whatsapp, telegram]
start:
  - {command: hours}
steps:
  - id: tell
    say: "Работаем с 9 до 20."
  - id: over
    end: ok
tests:
  - name: "Говорит часы"
    chat:
      - {in: "/hours", out: ["с 9 до 20"], ends: ok}
"""


async def test_a_new_number_keeps_the_talk(town: World) -> None:
    anna = town.whatsapp("Анна")
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    old = town.stage.whatsapp.customer("Анна").wa_id
    new = await town.stage.whatsapp.change_number("Анна")
    await town.managers.hears("Клиент сменил номер", f"{old} → {new}")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    [dialog] = await town.stage.dialogs()
    assert dialog["address"] == new
    assert await town.stage.dialogs(address=f"+{new}") == [dialog]


async def test_what_we_say_after_a_new_number_goes_there(town: World) -> None:
    anna = town.whatsapp("Анна")
    issue = await orders_repair(town, anna)
    new = await town.stage.whatsapp.change_number("Анна")
    await town.managers.hears("Клиент сменил номер")
    await town.okdesk.moves(issue, "in_progress")
    await anna.hears("В работе")
    assert town.stage.whatsapp.received[-1].get("to") == f"+{new}" or "recipient" in town.stage.whatsapp.received[-1]


async def test_somebody_who_shows_no_number_is_answered_all_the_same(town: World) -> None:
    town.stage.whatsapp.customer("Анна").hides_phone = True
    anna = town.whatsapp("Анна")
    await asks_for_repair(anna)


async def test_a_reaction_and_a_deletion_are_kept_and_answered_by_nobody(town: World) -> None:
    anna = town.whatsapp("Анна")
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await town.stage.whatsapp.react("Анна", "👍")
    await town.stage.whatsapp.revoke("Анна")
    await anna.hears_nothing_more()
    [dialog] = await town.stage.dialogs()
    assert {"reaction", "deleted"} <= {message["kind"] for message in dialog["messages"]}


async def test_the_business_answers_from_its_phone_and_the_bot_falls_silent(town: World) -> None:
    anna = town.whatsapp("Анна")
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await town.stage.whatsapp.answer_from_phone("Анна", "Это Пётр, перезвоню через минуту")
    await anna.hears("Это Пётр")
    await town.stage.quiet()
    [dialog] = await town.stage.dialogs()
    assert dialog["status"] == "handed_off"
    await anna.says("Жду")
    await anna.hears_nothing_more()
    echo = [m for m in dialog["messages"] if m["kind"] == "echo"]
    assert [(m["direction"], m["text"]) for m in echo] == [("out", "Это Пётр, перезвоню через минуту")]


async def test_one_person_in_two_channels_has_two_talks(town: World) -> None:
    here, there = town.whatsapp("Анна"), town.telegram("Анна")
    await here.says("/start")
    await there.says("/start")
    await here.hears("Что нужно починить?")
    await there.hears("Что нужно починить?")
    await here.presses("Холодильник")
    await here.hears("Опишите поломку")
    await there.hears_nothing_more()


async def test_a_blocked_bot_stops_writing_and_goes_on_when_it_is_unblocked(town: World) -> None:
    anna = town.telegram("Анна")
    issue = await orders_repair(town, anna)
    await town.stage.telegram.block("Анна")
    await town.stage.quiet()
    await town.okdesk.moves(issue, "in_progress")
    await town.managers.hears("Сообщение клиенту не доставлено")
    await town.stage.telegram.unblock("Анна")
    await anna.says("Где мастер?")
    await anna.hears("Чем помочь?")


async def test_a_message_that_no_flow_takes_is_shown_to_the_managers_once_an_hour(tmp_path: Path, channel: str) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "hours.yaml").write_text(ONLY_ON_COMMAND, encoding="utf-8")
    async with staged(sqlite_url(tmp_path), {"FLOWS_DIR": str(flows)}) as stage:
        world = World(stage, channel)
        anna = world.person("Анна")
        await anna.says("Вы там?")
        await world.managers.hears("Сообщение, которое никто не взял", "Вы там?")
        await anna.hears("Спасибо, передал сообщение менеджеру")
        await anna.says("Ау!")
        await stage.quiet()
        assert world.managers.heard_times("никто не взял") == 1
        await stage.passes(minutes=61)
        await anna.says("Ещё раз")
        await world.managers.hears("Ещё раз")
        await anna.says("/hours")
        await anna.hears("Работаем с 9 до 20")
        events = await stage.rows(
            "select state from events where source = :source and kind = 'message'", source=channel
        )
        assert [row.state for row in events] == [EventState.DONE] * 4


async def test_telegram_by_webhook_is_the_same_talk(tmp_path: Path) -> None:
    async with staged(sqlite_url(tmp_path), TELEGRAM_WEBHOOK) as stage:
        world = World(stage, "telegram")
        anna = world.person("Анна")
        assert stage.telegram.webhook_url == f"{stage.url}/webhooks/telegram"
        await orders_repair(world, anna)


@pytest.mark.parametrize("first", ["polling", "webhook"])
async def test_the_way_of_receiving_can_be_changed_between_two_messages(tmp_path: Path, first: str) -> None:
    modes = {"polling": {"TELEGRAM_MODE": "polling"}, "webhook": TELEGRAM_WEBHOOK}
    second = next(name for name in modes if name != first)
    async with staged(sqlite_url(tmp_path), modes[first]) as stage:
        anna = World(stage, "telegram").person("Анна")
        await anna.says("/start")
        await anna.hears("Что нужно починить?")
        await stage.stop()
        await anna.says("4")
        await stage.start(**modes[second])
        await anna.hears("Опишите поломку")
