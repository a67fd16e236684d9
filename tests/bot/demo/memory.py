"""Stand-ins that live in memory only: they keep what the page did to them, and no service answers.

The page knows the simulators by small protocols; these classes meet them, so that the page is tested alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bot.demo import ServiceStatus, StandIns

NOON = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class MemorySystem:
    def __init__(self) -> None:
        self.trouble = "none"
        self.changed: Callable[[], None] | None = None
        self.done: list[tuple[Any, ...]] = []  # what the page did, in order
        self.fails: Exception | None = None

    def note(self, *what: Any) -> None:
        if self.fails is not None:
            raise self.fails
        self.done.append(what)
        if self.changed is not None:
            self.changed()


class MemoryChannel(MemorySystem):
    def __init__(self) -> None:
        super().__init__()
        self.chats: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def hears(self, person: str, text: str, *options: tuple[str, str]) -> None:
        self._add(person, "bot", text, options=[{"id": one, "title": title} for one, title in options])

    async def say(self, person: str, text: str) -> None:
        self.note("say", person, text)
        self._add(person, "customer", text)

    async def press(self, person: str, option_id: str) -> None:
        self.note("press", person, option_id)
        self._add(person, "customer", option_id)

    async def photo(self, person: str, caption: str | None = None) -> None:
        self.note("photo", person, caption)
        self._add(person, "customer", caption or "", kind="photo")

    async def contact(self, person: str) -> None:
        self.note("contact", person)
        self._add(person, "customer", "+79990000000", kind="contact")

    async def location(self, person: str, latitude: float, longitude: float) -> None:
        self.note("location", person, latitude, longitude)
        self._add(person, "customer", "", kind="location")

    def transcript(self, person: str) -> list[dict[str, Any]]:
        return list(self.chats.get(person, ()))

    def _add(self, person: str, sender: str, text: str, **more: Any) -> None:
        chat = self.chats[person]
        chat.append({"id": str(len(chat) + 1), "from": sender, "text": text, "at": NOON, "options": [], **more})
        if self.changed is not None:
            self.changed()


class MemoryTelegram(MemoryChannel):
    def __init__(self) -> None:
        super().__init__()
        self.group: list[dict[str, Any]] = []

    def alerts(self, text: str, *options: tuple[str, str], thread_id: int | None = None, topic: str = "") -> None:
        self._post("bot", text, thread_id, topic, options)

    def group_messages(self) -> list[dict[str, Any]]:
        return list(self.group)

    async def manager_says(
        self, manager: str, text: str, thread_id: int | None = None, reply_to: int | None = None
    ) -> None:
        self.note("manager_says", manager, text, thread_id, reply_to)
        self._post(manager, text, thread_id, "", ())

    async def manager_presses(self, manager: str, message_id: int, data: str) -> None:
        self.note("manager_presses", manager, message_id, data)

    def _post(
        self, sender: str, text: str, thread_id: int | None, topic: str, options: tuple[tuple[str, str], ...]
    ) -> None:
        self.group.append(
            {
                "id": len(self.group) + 1,
                "thread_id": thread_id,
                "topic": topic or None,
                "from": sender,
                "text": text,
                "at": NOON,
                "options": [{"id": one, "title": title} for one, title in options],
            }
        )
        if self.changed is not None:
            self.changed()


class MemoryDesk(MemorySystem):
    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int, dict[str, Any]] = {}

    def opens(self, issue_id: int, title: str) -> None:
        self.kept[issue_id] = {"id": issue_id, "title": title, "status": "opened", "comments": [], "created_at": NOON}
        if self.changed is not None:
            self.changed()

    def issues(self) -> list[dict[str, Any]]:
        return list(self.kept.values())

    async def set_status(self, issue_id: int, code: str, comment: str | None = None, public: bool = True) -> None:
        self.note("set_status", issue_id, code, comment)
        self.kept[issue_id]["status"] = code

    async def comment(self, issue_id: int, text: str, public: bool = True) -> None:
        self.note("comment", issue_id, text, public)
        self.kept[issue_id]["comments"].append({"text": text, "public": public})


class MemoryAccounting(MemorySystem):
    def payments(self) -> list[dict[str, Any]]:
        return [{"issue_id": what[1], "paid": what[2]} for what in self.done if what[0] == "pay"]

    async def pay(self, issue_id: int, amount_kopecks: int, total_kopecks: int | None = None) -> None:
        self.note("pay", issue_id, amount_kopecks, total_kopecks)

    async def invoice(self, issue_id: int, amount_kopecks: int) -> None:
        self.note("invoice", issue_id, amount_kopecks)


class MemoryControls:
    def __init__(self) -> None:
        self.kills = 0
        self.resets = 0
        self.state: ServiceStatus = {"worker_alive": True, "restarts": 0, "oldest_waiting_s": 0.0, "waiting": {}}

    async def kill_worker(self) -> None:
        self.kills += 1

    async def reset(self) -> None:
        self.resets += 1

    def status(self) -> ServiceStatus:
        return self.state.copy()


class World:
    """One playground's outside world."""

    def __init__(self) -> None:
        self.whatsapp = MemoryChannel()
        self.telegram = MemoryTelegram()
        self.okdesk = MemoryDesk()
        self.onec = MemoryAccounting()
        self.controls = MemoryControls()

    @property
    def stand_ins(self) -> StandIns:
        return StandIns(whatsapp=self.whatsapp, telegram=self.telegram, okdesk=self.okdesk, onec=self.onec)
