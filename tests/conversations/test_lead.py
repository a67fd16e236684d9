"""A lead from the greeting to the rating, the same words on both channels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.turns import customer_message
from tests.conversations.people import Customer, World

SERVICES = ["Телефон или планшет", "Ноутбук, компьютер", "Стиральная машина", "Холодильник", "Другая техника"]


async def asks_for_repair(anna: Customer) -> None:
    """Up to the question whether everything is right."""
    await anna.says("/start")
    await anna.hears("Здравствуйте", "Что нужно починить?", buttons=SERVICES)
    await anna.presses("Стиральная машина")
    await anna.hears("Опишите поломку")
    await anna.says("Течёт и шумит")
    await anna.hears("Как к вам обращаться?")
    await anna.says("Анна")
    await anna.hears("Номер телефона")
    await anna.says("8 912 345 67 89")
    await anna.hears("Куда приехать")
    await anna.says("Казань, Баумана 10, кв 5")
    await anna.hears("Проверьте заявку", "Стиральная машина", "+7 912 345-67-89", "Баумана 10")


async def orders_repair(world: World, anna: Customer) -> dict[str, Any]:
    await asks_for_repair(anna)
    await anna.presses("Отправить")
    issue = await world.okdesk.issue()
    await anna.hears(f"Номер заявки {issue['id']}")
    await world.managers.hears(f"Новая заявка {issue['id']}")
    return issue


async def test_a_lead_from_greeting_to_rating(world: World, anna: Customer) -> None:
    issue = await orders_repair(world, anna)
    assert issue["title"] == "Стиральная машина: Течёт и шумит"
    assert issue["phone"] == "+79123456789"

    await world.okdesk.moves(issue, "in_progress")
    await anna.hears(f"Заявка {issue['id']}: В работе")
    await world.okdesk.comments(issue, "Буду в шесть")
    await anna.hears("Буду в шесть")
    await world.okdesk.comments(issue, "Клиент ругается", public=False)
    await world.onec.pays(issue, 350000)
    await anna.hears("Оплата 3 500 ₽ получена полностью")
    await world.okdesk.moves(issue, "completed")
    await anna.hears(f"Заявка {issue['id']} выполнена", "Оцените работу мастера")
    await anna.says("5")
    await anna.hears("Спасибо! Рады помочь")
    await anna.hears_nothing_more()

    assert anna.heard_times("Номер заявки") == 1
    assert anna.heard_times("Клиент ругается") == 0
    assert len(world.okdesk.issues) == 1
    assert (await world.okdesk.card(issue))["rate"] == "good"
    [dialog] = await world.stage.dialogs()
    assert (dialog["flow"], dialog["status"], dialog["channel"]) == ("lead", "closed", world.channel)
    assert dialog["issues"] == [{"id": issue["id"], "number": str(issue["id"]), "status": "completed"}]
    assert [(p["state"], p["paid"]) for p in dialog["payments"]] == [("paid", 350000)]
    assert all(message["status"] != "failed" for message in dialog["messages"])


async def test_everything_can_be_answered_across_restarts(world: World, anna: Customer) -> None:
    await anna.says("/start")
    for answer, question in (
        ("3", "Опишите поломку"),
        ("Течёт и шумит", "Как к вам обращаться?"),
        ("Анна", "Номер телефона"),
        ("8 912 345 67 89", "Куда приехать"),
        ("Казань, Баумана 10, кв 5", "Проверьте заявку"),
    ):
        await world.stage.restart()
        await anna.says(answer)
        await anna.hears(question)
    await anna.presses("Отправить")
    await world.stage.restart()
    issue = await world.okdesk.issue()
    await anna.hears(f"Номер заявки {issue['id']}")
    await anna.hears_nothing_more()
    assert anna.heard_times("Опишите поломку") == anna.heard_times("Проверьте заявку") == 1


async def test_a_lead_can_be_cancelled_before_and_after_it_was_sent(world: World, anna: Customer) -> None:
    await asks_for_repair(anna)
    await anna.says("отмена")
    await anna.hears("Отменить заявку?", buttons=["Да, отменить", "Нет, продолжить"])
    await anna.presses("Нет, продолжить")
    await anna.hears("Проверьте заявку")
    await anna.presses("Отправить")
    issue = await world.okdesk.issue()
    await anna.hears("Номер заявки")
    await anna.says("отмена")
    await anna.hears("Отменить заявку?")
    await anna.presses("Да, отменить")
    await anna.hears("Хорошо, отменил")
    await anna.hears_nothing_more()
    card = await world.okdesk.card(issue)
    assert card["status"] == "closed"
    assert [c["text"] for c in card["comments"]] == ["Отменено клиентом в чате"]
    [dialog] = await world.stage.dialogs()
    assert dialog["status"] == "closed"


async def test_back_edit_and_an_old_button(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.says("назад")
    await anna.hears("Это первый вопрос", "Что нужно починить?")
    await anna.presses("Ноутбук, компьютер")
    await anna.hears("Опишите поломку")
    await anna.presses("Холодильник")  # the list is still there to press
    await anna.hears("прошлого вопроса", "Опишите поломку")
    await anna.says("назад")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    await anna.says("не морозит")
    await anna.hears("Как к вам обращаться?")
    await anna.says("Пётр")
    await anna.hears("Номер телефона")
    await anna.shares_contact()
    await anna.hears("Куда приехать")
    await anna.presses("Привезу сам")
    await anna.hears("Проверьте заявку", "Холодильник", "не морозит")
    await anna.presses("Исправить")
    await anna.hears("Что исправить?")
    await anna.presses("Описание")
    await anna.hears("Опишите поломку")
    await anna.says("не морозит верхняя камера")
    await anna.hears("Проверьте заявку", "верхняя камера")
    await anna.presses("Отправить")
    issue = await world.okdesk.issue()
    assert issue["title"] == "Холодильник: не морозит верхняя камера"
    await anna.hears("Номер заявки")


async def test_an_edited_answer_replaces_the_old_one(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    await anna.says("не морозт")
    await anna.hears("Как к вам обращаться?")
    await anna.edits("не морозит совсем")
    await world.stage.quiet()
    [dialog] = await world.stage.dialogs()
    assert dialog["variables"]["problem"] in ("не морозт", "не морозит совсем")
    assert [m["kind"] for m in dialog["messages"] if m["direction"] == "in"].count("edit") == 1


async def test_photos_instead_of_an_address_are_one_answer(
    world: World, anna: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customer_message, "ALBUM_WAIT", timedelta(seconds=0.4))
    await anna.says("починить")
    await anna.hears("Что нужно починить?")
    await anna.says("2")
    await anna.hears("Опишите поломку")
    await anna.says("шум")
    await anna.hears("Добавьте пару слов")
    await anna.says("шумит кулер")
    await anna.hears("Как к вам обращаться?")
    await anna.says("пётр")
    await anna.hears("Номер телефона")
    await anna.says("+7 999 000-11-22")
    await anna.hears("Куда приехать")
    await anna.sends_photos(2)
    await anna.hears("Проверьте заявку", "Пётр, +7 999 000-11-22")
    await anna.hears_nothing_more()
    assert anna.heard_times("Проверьте заявку") == 1
    await anna.presses("Отправить")
    issue = await world.okdesk.issue()
    await anna.hears("Номер заявки")
    assert len((await world.okdesk.card(issue))["files"]) == 2


async def test_a_question_about_the_price_does_not_lose_the_place(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    await anna.says("а сколько стоит?")
    await anna.hears("Диагностика бесплатна", "Опишите поломку")
    await anna.says("не морозит")
    await anna.hears("Как к вам обращаться?")


async def test_who_falls_silent_is_reminded_and_then_told_to_the_managers(world: World, anna: Customer) -> None:
    await anna.says("/start")
    await anna.hears("Что нужно починить?")
    await anna.presses("Холодильник")
    await anna.hears("Опишите поломку")
    await world.stage.passes(minutes=16)
    await anna.hears("Заявка почти готова")
    await world.stage.passes(hours=23)
    await world.managers.hears("Клиент не закончил заявку")
    await world.stage.quiet()
    [dialog] = await world.stage.dialogs()
    assert dialog["status"] == "closed"


async def test_two_people_at_once_do_not_mix(world: World) -> None:
    people = [world.person(name) for name in ("Анна", "Борис", "Вера")]
    for person in people:
        await person.says("/start")
    for number, person in enumerate(people):
        await person.hears("Что нужно починить?")
        await person.says(str(number + 1))
        await person.hears("Опишите поломку")
        await person.says(f"поломка номер {number}")
    for person in people:
        await person.hears("Как к вам обращаться?")
        await person.hears_nothing_more()
    dialogs = await world.stage.dialogs()
    assert sorted(d["variables"]["problem"] for d in dialogs) == [f"поломка номер {n}" for n in range(3)]
