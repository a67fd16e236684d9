"""A customer who needs a person: the topic, both directions, the way back to the bot, the end."""

from __future__ import annotations

from tests.conversations.people import Customer, World


async def asks_for_a_person(world: World, anna: Customer) -> int:
    """Returns the customer's topic."""
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.says("позовите менеджера")
    await anna.hears("Зову менеджера")
    return await world.managers.topic("Анна")


async def test_a_manager_answers_gives_back_and_later_closes(world: World, anna: Customer) -> None:
    topic = await asks_for_a_person(world, anna)
    card = await world.managers.hears("Клиент ждёт человека")
    assert [option["title"] for option in card["options"]] == ["Вернуть боту", "Закрыть"]
    await anna.says("Вы тут?")
    line = await world.managers.hears("Анна: Вы тут?")
    assert line["thread_id"] == topic
    await world.managers.says("// сложный клиент", topic=topic)
    await world.managers.says("Да, слушаю вас", topic=topic)
    await anna.hears("Да, слушаю вас")
    await world.managers.presses("Вернуть боту", topic=topic)
    await world.managers.hears("Разговор снова ведёт бот")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")

    await anna.says("живой человек")
    await anna.hears("Зову менеджера")
    assert await world.managers.topic("Анна") == topic
    await world.managers.hears("Клиент ждёт человека")
    await world.managers.presses("Закрыть", topic=topic)
    await world.managers.hears("Разговор закрыт")
    await anna.hears_nothing_more()
    assert anna.heard_times("сложный клиент") == 0
    cards = [line for line in world.managers.lines() if line["id"] == card["id"]]
    assert [line["options"] for line in cards] == [[]]  # what is done with cannot be pressed again
    assert world.managers.heard_times("Клиент ждёт человека") == 0
    [dialog] = await world.stage.dialogs()
    assert dialog["status"] == "closed"
    said = [m for m in dialog["messages"] if m["text"] == "Да, слушаю вас"]
    assert [(m["direction"], m["author"]) for m in said] == [("out", "Мария")]


async def test_commands_of_the_topic_do_what_the_buttons_do(world: World, anna: Customer) -> None:
    topic = await asks_for_a_person(world, anna)
    await world.managers.hears("Клиент ждёт человека")
    await world.managers.says("/bot", topic=topic)
    await anna.hears("Что нужно починить?")
    await anna.says("менеджер")
    await anna.hears("Зову менеджера")
    await world.managers.says("/close", topic=topic)
    await world.managers.hears("Разговор закрыт")
    await world.managers.says("/bot", topic=topic)
    await world.managers.hears("Этот разговор уже не у вас")


async def test_a_manager_may_write_to_a_customer_whom_the_bot_leads(world: World, anna: Customer) -> None:
    topic = await asks_for_a_person(world, anna)
    await world.managers.presses_when_there("Вернуть боту", topic=topic)
    await anna.hears("Что нужно починить?")
    await world.managers.says("Если что, я рядом", topic=topic)
    await anna.hears("Если что, я рядом")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")


async def test_nobody_comes_in_time(world: World, anna: Customer) -> None:
    await asks_for_a_person(world, anna)
    await world.managers.hears("Клиент ждёт человека")
    await world.stage.passes(minutes=31)
    await anna.hears("Все менеджеры заняты")
    await world.managers.hears("Никто не ответил вовремя")


async def test_outside_business_hours_the_customer_is_told_so(world: World, anna: Customer) -> None:
    await world.stage.passes(hours=10)
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.says("менеджер")
    await anna.hears("Сейчас нерабочее время")
    await world.managers.hears("написал в нерабочее время")


async def test_a_deleted_topic_is_made_again(world: World, anna: Customer) -> None:
    topic = await asks_for_a_person(world, anna)
    await world.managers.hears("Клиент ждёт человека")
    await world.stage.quiet()
    world.stage.telegram.delete_topic(topic)
    await anna.says("Вы тут?")
    line = await world.managers.hears("Анна: Вы тут?")
    assert line["thread_id"] not in (None, topic)


async def test_pictures_of_the_customer_reach_the_topic(world: World, anna: Customer) -> None:
    topic = await asks_for_a_person(world, anna)
    await world.managers.hears("Клиент ждёт человека")
    await anna.sends_photo("вот такая поломка")
    line = await world.managers.hears("вот такая поломка")
    assert line["thread_id"] == topic


async def test_pictures_of_a_manager_reach_the_customer(world: World, anna: Customer) -> None:
    topic = await asks_for_a_person(world, anna)
    await world.managers.hears("Клиент ждёт человека")
    await world.stage.telegram.manager_sends("Мария", "photo", thread_id=topic, caption="наш мастер")
    await anna.hears("наш мастер")


async def test_when_telegram_is_down_the_alert_waits(town: World) -> None:
    anna = town.whatsapp("Анна")
    town.stage.telegram.trouble = "down"
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.says("позовите менеджера")
    await anna.hears("Зову менеджера")
    assert town.managers.lines() == []
    town.stage.telegram.trouble = "none"
    await town.managers.hears("Клиент ждёт человека")
