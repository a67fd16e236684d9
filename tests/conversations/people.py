"""The people of the scripts: customers, managers, the dispatcher at Okdesk, the bookkeeper at 1C.

`hears` waits for a message and moves on behind it: what a person hears, they hear in that order. Nothing sleeps for a
fixed time; everything waits for a condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.stage import Stage, fits
from tests.waiting import until

Line = dict[str, Any]


@dataclass
class Customer:
    """A person who writes to the bot in one messenger."""

    stage: Stage
    channel: str
    name: str
    heard: int = 0  # so many lines of the transcript are behind us

    @property
    def phone(self) -> Any:
        return self.stage.whatsapp if self.channel == "whatsapp" else self.stage.telegram

    def transcript(self) -> list[Line]:
        return list(self.phone.transcript(self.name))

    async def says(self, text: str) -> None:
        await self.phone.say(self.name, text)

    async def sends_photo(self, caption: str | None = None) -> None:
        await self.phone.photo(self.name, caption)

    async def sends_photos(self, number: int) -> None:
        """As each messenger does it: one album, or one message after another."""
        if self.channel == "telegram":
            await self.phone.album(self.name, number)
        else:
            for _ in range(number):
                await self.phone.photo(self.name)

    async def shares_contact(self) -> None:
        await self.phone.contact(self.name)

    async def shares_location(self) -> None:
        await self.phone.location(self.name, 55.7907, 49.1145)

    async def edits(self, text: str) -> None:
        await self.phone.edit(self.name, text)

    def button(self, title: str) -> str:
        """The id of the newest button with that title. Fails if there is none."""
        for line in reversed(self.transcript()):
            for option in line["options"]:
                if option["title"] == title:
                    return str(option["id"])
        raise AssertionError(f"{self.name} sees no button {title!r}; {self.told()}")

    async def presses(self, title: str) -> None:
        await self.phone.press(self.name, self.button(title))

    async def hears(self, *words: str, buttons: Sequence[str] | None = None) -> Line:
        """Wait for messages with these words, one after another; the last may be asked for its buttons."""
        found: Line = {}
        for one in words:
            found = await until(partial(self._next, one), f"{self.name} did not hear {one!r}; {self.told()}")
        if buttons is not None:
            assert [option["title"] for option in found["options"]] == list(buttons)
        return found

    def _next(self, words: str) -> Line | None:
        lines = self.transcript()
        for number in range(self.heard, len(lines)):
            if lines[number]["from"] != "customer" and fits(lines[number]["text"], words):
                # One message may hold several sentences: it stays the one at hand until the next is heard.
                self.heard = number
                return lines[number]
        return None

    async def hears_nothing_more(self) -> None:
        """After everything is done there is no message behind the last one heard."""
        await self.stage.quiet()
        later = [line for line in self.transcript()[self.heard + 1 :] if line["from"] != "customer"]
        assert not later, f"{self.name} heard more: {later}"

    def heard_times(self, words: str) -> int:
        return sum(fits(line["text"], words) for line in self.transcript() if line["from"] != "customer")

    def told(self) -> str:
        lines = [f"{line['from']}: {line['text']!r}" for line in self.transcript()[-12:]]
        return "the chat ends with\n  " + "\n  ".join(lines)

    async def dialogs(self) -> list[dict[str, Any]]:
        found = await self.stage.dialogs(channel=self.channel)
        texts = {line["text"] for line in self.transcript() if line["from"] == "customer"}
        return [d for d in found if any(m["direction"] == "in" and m["text"] in texts for m in d["messages"])]


@dataclass
class Managers:
    """The people in the Telegram group."""

    stage: Stage
    heard: int = 0
    name: str = "Мария"

    def lines(self) -> list[Line]:
        return list(self.stage.telegram.group_messages())

    async def hears(self, *words: str) -> Line:
        found: Line = {}
        for one in words:
            found = await until(partial(self._next, one), f"the managers did not hear {one!r}: {self.lines()}")
        return found

    def _next(self, words: str) -> Line | None:
        lines = self.lines()
        for number in range(self.heard, len(lines)):
            if lines[number]["from"] == "bot" and fits(lines[number]["text"], words):
                self.heard = number
                return lines[number]
        return None

    def heard_times(self, words: str) -> int:
        return sum(fits(line["text"], words) for line in self.lines() if line["from"] == "bot")

    async def topic(self, name: str) -> int:
        """The thread of the customer's topic, once there is one."""

        def find() -> int | None:
            return next((t["thread_id"] for t in self.stage.telegram.topics() if name in t["name"]), None)

        return int(await until(find, f"there is no topic of {name}: {self.stage.telegram.topics()}"))

    async def says(self, text: str, *, topic: int) -> None:
        await self.stage.telegram.manager_says(self.name, text, thread_id=topic)

    async def presses(self, title: str, *, topic: int) -> None:
        for line in reversed(self.lines()):
            for option in line["options"]:
                if option["title"] == title and line["thread_id"] == topic:
                    await self.stage.telegram.manager_presses(self.name, line["id"], option["id"])
                    return
        raise AssertionError(f"the managers see no button {title!r}: {self.lines()}")

    async def presses_when_there(self, title: str, *, topic: int) -> None:
        def is_there() -> bool:
            lines = [line for line in self.lines() if line["thread_id"] == topic]
            return any(option["title"] == title for line in lines for option in line["options"])

        await until(is_there, f"the managers see no button {title!r}: {self.lines()}")
        await self.presses(title, topic=topic)


@dataclass
class Dispatcher:
    """The person at the Okdesk board."""

    stage: Stage

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(reversed(self.stage.okdesk.issues()))

    async def issue(self) -> dict[str, Any]:
        """The only issue, once it is there."""
        found = await until(lambda: self.issues, "no issue was created")
        assert len(found) == 1, found
        return dict(found[0])

    async def card(self, issue: dict[str, Any]) -> dict[str, Any]:
        return next(one for one in self.issues if one["id"] == issue["id"])

    async def moves(self, issue: dict[str, Any], status: str, comment: str | None = None) -> None:
        await self.stage.okdesk.set_status(issue["id"], status, comment=comment)

    async def comments(self, issue: dict[str, Any], text: str, *, public: bool = True) -> None:
        await self.stage.okdesk.comment(issue["id"], text, public=public)


@dataclass
class Bookkeeper:
    """The person at 1C. Money in kopecks."""

    stage: Stage

    async def pays(self, issue: dict[str, Any], amount: int, *, total: int | None = None) -> None:
        await self.stage.onec.pay(issue["id"], amount, total_kopecks=total)

    async def invoices(self, issue: dict[str, Any], amount: int) -> None:
        await self.stage.onec.invoice(issue["id"], amount)


@dataclass
class World:
    """Everybody at once."""

    stage: Stage
    channel: str
    managers: Managers = field(init=False)
    okdesk: Dispatcher = field(init=False)
    onec: Bookkeeper = field(init=False)

    def __post_init__(self) -> None:
        self.managers = Managers(self.stage)
        self.okdesk = Dispatcher(self.stage)
        self.onec = Bookkeeper(self.stage)

    def person(self, name: str, channel: str | None = None) -> Customer:
        return Customer(self.stage, channel or self.channel, name)

    def whatsapp(self, name: str) -> Customer:
        return self.person(name, "whatsapp")

    def telegram(self, name: str) -> Customer:
        return self.person(name, "telegram")
