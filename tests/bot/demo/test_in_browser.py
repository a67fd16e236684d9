"""The page in a real browser: what a visitor sees and does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from tests.bot.demo.browser import ENTER, ESCAPE, Browser, is_installed, open_browser
from tests.bot.demo.conftest import mounted
from tests.bot.demo.memory import World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not is_installed(), reason="needs Debian's chromium and chromedriver"),
]

SERVICES = tuple((f"7.1.service.{one}", one) for one in ("Телефон", "Ноутбук", "Стиральная машина", "Холодильник"))


@pytest.fixture
async def browser(world: World, tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser on the page, as Анна in WhatsApp and Пётр in Telegram; the page must not complain about anything."""
    async with TestServer(mounted(world)) as server, open_browser(tmp_path / "profile") as browser:
        await browser.resize(1440, 1000)
        await browser.go(str(server.make_url("/demo").with_query(whatsapp="Анна", telegram="Пётр", lang="ru")))
        await browser.wait_for_text(".connection", "Сервис работает")
        yield browser
        assert await browser.complaints() == []
        await browser.go("about:blank")  # ends the stream before the server goes


async def test_a_visitor_plays_through_the_page(browser: Browser, world: World) -> None:
    # an empty chat says what to do first
    await browser.click_text("#whatsapp .suggestion", "/start")
    await browser.wait_for_text("#whatsapp .row.own", "/start")
    await browser.wait_for_text("#whatsapp .presence", "печатает")

    # a long choice is a list in WhatsApp
    world.whatsapp.hears("Анна", "Что нужно починить?", *SERVICES)
    await browser.wait_for_text("#whatsapp .presence", "бот на связи")
    await browser.click_text("#whatsapp .choice", "Выбрать")
    await browser.press_key("#whatsapp .sheet-row", ESCAPE)
    assert await browser.run("return document.querySelector('.sheet')") is None
    await browser.click_text("#whatsapp .choice", "Выбрать")
    await browser.click_text("#whatsapp .sheet-row", "Стиральная машина")
    await browser.wait_for_text("#whatsapp .row.own:last-of-type", "7.1.service")
    assert world.whatsapp.done[-1] == ("press", "Анна", "7.1.service.Стиральная машина")

    # and a row of buttons in Telegram
    await browser.write("#telegram textarea", "добрый день")
    await browser.press_key("#telegram textarea", ENTER)
    world.telegram.hears("Пётр", "Отправить?", ("7.1.confirm.yes", "Да"), ("7.1.confirm.no", "Нет"))
    await browser.click_text("#telegram .choice", "Да")
    await browser.click("#telegram .attach")
    await browser.click_text("#telegram [role=menuitem]", "Геопозиция")
    await browser.find("#telegram .map")
    assert [what[0] for what in world.telegram.done] == ["say", "press", "location"]

    # what a customer writes is text, never markup
    await browser.write("#telegram textarea", "<img src=x onerror=alert(1)>")
    await browser.press_key("#telegram textarea", ENTER)
    await browser.wait_for_text("#telegram .messages", "<img src=x")

    # managers
    world.telegram.alerts("Пётр просит человека", ("take.1", "Взять"), thread_id=11, topic="Пётр")
    await browser.click_text(".topic", "Пётр")
    await browser.click_text("#managers .choice", "Взять")
    await browser.write("#managers textarea", "Чем помочь?")
    await browser.press_key("#managers textarea", ENTER)
    await browser.wait_for_text("#managers .messages", "Чем помочь?")
    assert [what[0] for what in world.telegram.done[-2:]] == ["manager_presses", "manager_says"]
    assert world.telegram.done[-1][3] == 11

    # the board, the bill
    world.okdesk.opens(1077, "Стиральная машина: течёт")
    await browser.wait_for_text("[data-status=opened]", "№ 1077")
    await browser.click(".issue footer .quiet")
    await browser.write(".comment input", "Буду в шесть")
    await browser.press_key(".comment input", ENTER)
    await browser.wait_for_text(".issue", "Буду в шесть")
    await browser.run(
        "const s = document.querySelector('.issue select'); s.value = 'completed'; s.dispatchEvent(new Event('change'))"
    )
    await browser.wait_for_text("[data-status=completed]", "№ 1077")
    await browser.click_text(".bill button", "Выставить счёт")
    await browser.wait_for_text(".story", "Сломайте что-нибудь")
    assert world.onec.done == [("invoice", 1077, 350000)]

    # trouble, and how it is told
    await browser.click("#trouble input[value=down]")
    await browser.wait_for_text("#trouble .happening", "Okdesk недоступен")
    assert world.okdesk.trouble == "down"
    await browser.click("#trouble .danger")
    await browser.wait_for_text("#trouble .happening", "Процесс убит")
    assert world.controls.kills == 1
    world.controls.state = {"worker_alive": False, "restarts": 0, "waiting": {"okdesk": 2}}
    await browser.wait_for_text(".connection", "Сервис перезапускается")
    await browser.wait_for_text("#trouble .queue", "Okdesk — 2 отправки")
    world.controls.state = {"worker_alive": True, "restarts": 1, "waiting": {}}
    await browser.wait_for_text("#trouble .happening", "ничего не потерял")

    # English, and everything forgotten
    await browser.click(".languages [lang=en]")
    await browser.wait_for_text("h1", "Write as a customer")
    await browser.click_text(".tool", "Start over")
    await browser.wait_for_text("#toasts", "All clean")
    assert world.controls.resets == 1


async def test_a_failed_message_says_so_and_can_be_sent_again(browser: Browser, world: World) -> None:
    world.whatsapp.fails = ConnectionError("broken")
    await browser.write("#whatsapp textarea", "алло")
    await browser.press_key("#whatsapp textarea", ENTER)
    await browser.wait_for_text("#toasts", "Двойник внешней системы не справился")
    world.whatsapp.fails = None
    await browser.click_text("#whatsapp .retry", "Отправить ещё раз")
    await browser.wait_for_text("#whatsapp .shown", "алло")
    assert world.whatsapp.done == [("say", "Анна", "алло")]
    await browser.complaints()  # the browser notes the refused call; that is no fault of the page


async def test_on_a_phone_the_panels_lie_side_by_side(browser: Browser, world: World) -> None:
    await browser.resize(390, 844)
    assert await browser.run("return document.documentElement.scrollWidth") == 390
    world.okdesk.opens(1077, "x")
    await browser.find(".tabs [data-panel=okdesk].has-news")
    await browser.click(".tabs [data-panel=okdesk]")
    await browser.find(".tabs [data-panel=okdesk][aria-current]")
    await browser.wait_until("Math.round(document.getElementById('okdesk').getBoundingClientRect().left) === 0")
    assert await browser.run("return document.querySelector('.tabs .has-news[data-panel=okdesk]')") is None


async def test_everything_that_can_be_pressed_has_a_name(browser: Browser, world: World) -> None:
    world.okdesk.opens(1077, "x")
    world.telegram.alerts("Заявка", ("take", "Взять"))
    await browser.find(".issue")
    nameless = """
        return [...document.querySelectorAll('button, a, input, select, textarea')]
          .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.closest('label')))
          .map((one) => one.outerHTML)
    """
    assert await browser.run(nameless) == []
