"""The 24 hours after a customer's last message: templates, messages that wait, managers who are told."""

from __future__ import annotations

from tests.conversations.people import World
from tests.conversations.test_lead import orders_repair


async def test_outside_the_window_whatsapp_gets_the_template_and_telegram_the_words(world: World) -> None:
    anna = world.person("Анна")
    issue = await orders_repair(world, anna)
    await world.stage.passes(hours=25)
    await world.okdesk.moves(issue, "in_progress")
    if world.channel == "whatsapp":
        line = await anna.hears(f"[issue_status] {issue['id']} В работе")
        assert line["template"] == "issue_status"
    else:
        await anna.hears(f"Заявка {issue['id']}: В работе")
    await anna.hears_nothing_more()
    dialog = (await world.stage.dialogs())[0]
    ordered = [e for turn in dialog["turns"] for e in turn["effects"] if e.get("window") == "closed"]
    assert [e["sent_as"] for e in ordered] == (["template"] if world.channel == "whatsapp" else [])


async def test_what_has_no_template_waits_until_the_customer_writes(town: World) -> None:
    anna = town.whatsapp("Анна")
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.says("менеджер")
    await anna.hears("Зову менеджера")
    topic = await town.managers.topic("Анна")
    await town.managers.says("Минуту", topic=topic)
    await anna.hears("Минуту")
    await town.stage.passes(hours=25)

    await town.managers.says("Мастер свободен в пятницу", topic=topic)
    await town.managers.hears("24 часа с последнего сообщения клиента прошли", "Мастер свободен в пятницу")
    await anna.hears_nothing_more()
    assert anna.heard_times("Мастер свободен") == 0
    waiting = await town.stage.get("/api/v1/deliveries", state="waiting")
    assert [(item["system"], item["action"]) for item in waiting["items"]] == [("whatsapp", "send")]

    await anna.says("Ну что там?")
    await anna.hears("Мастер свободен в пятницу")
    await town.managers.hears("Анна: Ну что там?")
    await anna.hears_nothing_more()
    assert anna.heard_times("Мастер свободен") == 1


async def test_a_window_that_closes_while_the_message_is_on_its_way_leads_to_the_template(town: World) -> None:
    anna = town.whatsapp("Анна")
    issue = await orders_repair(town, anna)
    await town.stage.passes(hours=23, minutes=50)  # the templates go along now
    town.stage.whatsapp.fail_next.append(131047)  # taken, and refused afterwards
    await town.okdesk.moves(issue, "in_progress")
    await anna.hears(f"[issue_status] {issue['id']} В работе")
    await anna.hears_nothing_more()


async def test_a_message_that_waited_for_a_day_is_kept_and_not_answered_as_if_it_were_new(town: World) -> None:
    anna = town.whatsapp("Анна")
    await town.stage.stop()
    await anna.says("/start")
    town.stage.offset_s += 25 * 3600
    await town.stage.start()
    await town.stage.quiet()
    [dialog] = await town.stage.dialogs()
    assert [m["text"] for m in dialog["messages"] if m["direction"] == "in"] == ["/start"]
    assert anna.heard_times("Что нужно починить?") == 0
