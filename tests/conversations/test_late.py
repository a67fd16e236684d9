"""After an outage: what waited too long is kept, and answered by one apology with the present question."""

from __future__ import annotations

from tests.conversations.people import Customer, World

APOLOGY = "Извините, что не ответили сразу"


async def outage(world: World, anna: Customer, *texts: str, hours: float) -> None:
    """The service is away; the texts are written at its beginning."""
    stage = world.stage
    await stage.quiet()
    await stage.stop()
    for text in texts:
        await anna.says(text)
    stage.offset_s += int(hours * 3600)
    await stage.start()


async def test_one_apology_and_the_present_question_answer_the_whole_backlog(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    await outage(world, anna, "не морозит", "алло?", "вы тут?", hours=3)
    await anna.hears(APOLOGY, "Опишите поломку")
    await world.stage.quiet()
    assert (anna.heard_times(APOLOGY), anna.heard_times("Опишите поломку")) == (1, 2)
    [dialog] = await world.stage.dialogs()
    assert dialog["step"] == "lead.problem"
    kept = [message["text"] for message in dialog["messages"] if message["direction"] == "in"]
    assert {"не морозит", "алло?", "вы тут?"} <= set(kept)

    await anna.says("не морозит")
    await anna.hears("Как к вам обращаться?")


async def test_a_first_message_that_came_too_late_begins_the_talk_after_the_apology(
    world: World, anna: Customer
) -> None:
    await outage(world, anna, "/start", "есть кто?", hours=2)
    await anna.hears(APOLOGY, "Что нужно починить?")
    await anna.hears_nothing_more()
    assert (anna.heard_times(APOLOGY), anna.heard_times("Что нужно починить?")) == (1, 1)


async def test_a_short_outage_needs_no_apology(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await outage(world, anna, "4", hours=0.5)
    await anna.hears("Опишите поломку")
    await anna.hears_nothing_more()
    assert anna.heard_times(APOLOGY) == 0


async def test_what_a_manager_is_to_read_reaches_the_manager_however_late(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.says("позовите менеджера")
    topic = await world.managers.topic("Анна")
    await world.managers.says("Слушаю вас", topic=topic)
    await anna.hears("Слушаю вас")
    await outage(world, anna, "Где же вы?", hours=3)
    await world.managers.hears("Где же вы?")
    assert anna.heard_times(APOLOGY) == 0


async def test_two_outages_are_two_apologies(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await outage(world, anna, "холодильник", hours=2)
    await anna.hears(APOLOGY, "Что нужно починить?")
    await outage(world, anna, "холодильник", hours=2)
    await anna.hears(APOLOGY, "Что нужно починить?")
    await world.stage.quiet()
    assert anna.heard_times(APOLOGY) == 2
