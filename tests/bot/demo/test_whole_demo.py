"""`make demo` itself: the real service in a process of its own, the stand-ins, the page, a kill in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.demo.run import running_demo
from tests.bot.demo.browser import ENTER, is_installed, open_browser
from tests.waiting import until

PATIENCE_S = 30.0

LEAD = (
    ("text", "/start", "Что нужно починить"),
    ("press", "Стиральная машина", "Опишите поломку"),
    ("text", "течёт вода", "Как к вам обращаться"),
    ("text", "Анна", "Номер телефона"),
    ("text", "8 912 345 67 89", "Куда приехать"),
    ("text", "Казань, Баумана 10", "Проверьте заявку"),
)


class Visitor:
    """What the page does, as a script: only the addresses under /demo/api."""

    def __init__(self, http: httpx.AsyncClient, channel: str, person: str) -> None:
        self._http = http
        self._who = {"channel": channel, "person": person}

    async def does(self, **what: Any) -> None:
        answer = await self._http.post("/demo/api/say", json={**self._who, **what})
        assert answer.status_code == 200, answer.text

    async def hears(self, part: str) -> None:
        await until(lambda: self.heard(part), f"never heard: {part}", within_s=PATIENCE_S)

    async def heard(self, part: str) -> bool:
        messages = (await self._http.get("/demo/api/transcript", params=self._who)).json()["messages"]
        return any(part in message["text"] for message in messages if message["from"] == "bot")

    async def makes_a_lead(self) -> None:
        for kind, what, answer in LEAD:
            await self.does(**{kind: what})
            await self.hears(answer)
        await self.does(press="Отправить")


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    async with running_demo(port=0, folder=tmp_path / "demo", fresh=True) as url:
        yield url


@pytest.fixture
async def http(demo: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=demo, timeout=PATIENCE_S) as client:
        yield client


async def test_a_lead_goes_all_the_way_in_both_channels(http: httpx.AsyncClient) -> None:
    async def issues() -> list[dict[str, Any]]:
        return list((await http.get("/demo/api/issues")).json()["issues"])

    for number, channel in enumerate(("whatsapp", "telegram"), start=1):
        anna = Visitor(http, channel, "Анна")
        await anna.makes_a_lead()
        await anna.hears("Номер заявки")
        assert len(await issues()) == number
        issue = max(await issues(), key=lambda one: one["id"])
        await anna.hears(f"Номер заявки {issue['id']}")

        async def managers_know(issue_id: int = issue["id"]) -> bool:
            said = (await http.get("/demo/api/managers")).json()["messages"]
            return any(f"Новая заявка {issue_id}" in message["text"] for message in said)

        await until(managers_know, "the managers do not know", within_s=PATIENCE_S)
        address = f"/demo/api/issues/{issue['id']}/status"
        assert (await http.post(address, json={"status": "in_progress"})).status_code == 200
        await anna.hears(f"Заявка {issue['id']}: В работе")
        paid = {"issue_id": issue["id"], "amount": 3500}
        assert (await http.post("/demo/api/payments", json=paid)).status_code == 200
        await anna.hears("Оплата 3\u00a0500\u00a0₽ получена полностью")
        assert (await http.post(address, json={"status": "completed"})).status_code == 200
        await anna.hears("Оцените работу мастера")
        await anna.does(press="5")
        await anna.hears("Спасибо! Рады помочь.")


async def test_a_killed_service_loses_nothing_and_doubles_nothing(http: httpx.AsyncClient) -> None:
    anna = Visitor(http, "whatsapp", "Анна")
    trouble = {"system": "okdesk", "what": "down"}
    assert (await http.post("/demo/api/trouble", json=trouble)).status_code == 200
    await anna.makes_a_lead()
    assert (await http.post("/demo/api/trouble", json={"what": "kill_worker"})).status_code == 200
    await anna.does(text="ну что там?")
    assert (await http.post("/demo/api/trouble", json={"what": "none"})).status_code == 200
    await anna.hears("Номер заявки")
    assert len((await http.get("/demo/api/issues")).json()["issues"]) == 1
    assert (await http.get("/health")).json()["status"] in ("ok", "degraded")


async def test_the_service_is_behind_the_same_address(http: httpx.AsyncClient) -> None:
    assert (await http.get("/docs")).status_code == 200
    assert (await http.get("/openapi.json")).json()["openapi"] == "3.1.0"
    assert (await http.get("/api/v1/webhooks/events")).json()["total"] == 0
    assert (await http.post("/webhooks/whatsapp", content=b"{}")).status_code == 401
    assert (await http.get("/")).headers["location"] == "/demo"
    assert (await http.post("/demo/api/reset")).status_code == 200


@pytest.mark.browser
@pytest.mark.skipif(not is_installed(), reason="needs Debian's chromium and chromedriver")
async def test_a_visitor_of_the_real_thing(demo: str, tmp_path: Path) -> None:
    async with open_browser(tmp_path / "profile") as browser:
        await browser.resize(1440, 1000)
        await browser.go(f"{demo}/demo?whatsapp=Anna&telegram=Boris&lang=ru")
        await browser.wait_for_text(".connection", "Сервис работает", within_s=PATIENCE_S)
        await browser.click_text("#whatsapp .suggestion", "/start")
        await browser.wait_for_text("#whatsapp .messages", "Что нужно починить", within_s=PATIENCE_S)
        await browser.click_text("#whatsapp .choice", "Выбрать")
        await browser.click_text("#whatsapp .sheet-row", "Стиральная машина")
        for text, answer in (
            ("течёт вода", "Как к вам обращаться"),
            ("Анна", "Номер телефона"),
            ("8 912 345 67 89", "Куда приехать"),
            ("Казань, Баумана 10", "Проверьте заявку"),
        ):
            await browser.write("#whatsapp textarea", text)
            await browser.press_key("#whatsapp textarea", ENTER)
            await browser.wait_for_text("#whatsapp .messages", answer, within_s=PATIENCE_S)
        await browser.click_text("#whatsapp .choice", "Отправить")
        await browser.wait_for_text("#whatsapp .messages", "Номер заявки 1001", within_s=PATIENCE_S)
        await browser.wait_for_text("[data-status=opened]", "№ 1001", within_s=PATIENCE_S)
        await browser.wait_for_text("#managers .messages", "Новая заявка 1001", within_s=PATIENCE_S)
        await browser.screenshot(tmp_path / "demo.png")
        assert (tmp_path / "demo.png").stat().st_size > 50_000
        assert await browser.complaints() == []
        await browser.go("about:blank")
