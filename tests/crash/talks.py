"""Customers who talk while the service breaks, and what must be true afterwards, however it broke.

What may happen twice is only a send whose answer was in flight when something broke: nobody can know better. Each
such repeat must be explained by an attempt that the outbox has noted down.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
from sqlalchemy import text

from bot.demo.run import StandInServers
from storage.database import Database
from storage.tables import DeliveryState
from tests.crash.processes import Child
from tests.stage import fits
from tests.waiting import until

CUSTOMERS = 6  # at the same time
WRITES_S = (0.1, 0.8)  # how long a customer writes
EVERY_THIRD = 3  # sends the lead; the others think better of it (Okdesk is called five times a second only)
PATIENCE_S = 240.0  # one question may meet several faults, and each lost answer waits for its status
STATUS_CAN_TELL_S = 240  # what waits for a status or for a dead process has waited long enough by then
TALK = (
    ("/start", "Что нужно починить?"),
    ("3", "Опишите поломку"),
    ("{problem}", "Как к вам обращаться?"),
    ("Анна", "Номер телефона"),
    ("{phone}", "Куда приехать"),
    ("Казань, Баумана 10, кв 5", "Проверьте заявку"),
)
SENDS: tuple[tuple[str, str], ...] = (("1", ""),)
CANCELS = (("отмена", "Отменить заявку?"), ("1", ""))


@dataclass
class Person:
    number: int
    channel: str
    simulator: Any
    answered: int = 0  # so many questions were heard

    @property
    def name(self) -> str:
        return f"Клиент {self.number:03}"

    @property
    def problem(self) -> str:
        return f"Течёт шланг номер {self.number:03}"

    @property
    def is_lead(self) -> bool:
        return self.number % EVERY_THIRD == 0

    @property
    def talk(self) -> tuple[tuple[str, str], ...]:
        return TALK + (SENDS if self.is_lead else CANCELS)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return list(self.simulator.transcript(self.name))

    def said(self) -> list[str]:
        """What the bot said, oldest first."""
        return [line["text"] for line in self.lines if line["from"] == "bot"]

    async def talks(self, chance: random.Random) -> None:
        """From the greeting to the end, at the speed of a quick writer."""
        for words, question in self.talk:
            await asyncio.sleep(chance.uniform(*WRITES_S))
            await self.simulator.say(self.name, words.format(problem=self.problem, phone=f"+7912345{self.number:04}"))
            if question:
                await until(partial(self.heard, question), f"{self.name}: no answer", within_s=PATIENCE_S)
            self.answered += 1

    def heard(self, question: str) -> bool:
        return any(fits(told, question) for told in self.said())


@dataclass
class Load:
    """Customers who come one after another until it is enough."""

    servers: StandInServers
    channels: tuple[str, ...]
    people: list[Person] = field(default_factory=list)
    is_enough: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._lane(n)) for n in range(CUSTOMERS)]

    async def _lane(self, lane: int) -> None:
        channel = self.channels[lane % len(self.channels)]
        chance = random.Random(lane)
        while not self.is_enough:
            person = Person(len(self.people), channel, self.servers.all()[channel])
            self.people.append(person)
            await person.talks(chance)

    async def ended(self) -> None:
        """Wait until everybody who came has said everything."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*self._tasks)
        except TimeoutError:
            stuck = [(p.name, p.channel, p.answered, p.said()[-2:]) for p in self.people if p.answered < len(p.talk)]
            raise AssertionError(f"nobody answers: {stuck}") from None


async def comes_to_rest(servers: StandInServers, children: list[Child], database: Database) -> None:
    """Until nothing is left to do; then the processes end by SIGTERM, all with code 0."""
    port = next(child.port for child in children if child.port is not None)
    left: list[str] = []
    calm = 0
    async with aiohttp.ClientSession() as http:

        async def is_calm() -> bool:
            """Nothing was left at three looks one after another."""
            nonlocal left, calm
            await servers.okdesk.flush()
            await servers.onec.delivered()
            left = ["telegram updates"] if servers.telegram.pending_updates else []
            for path in ("webhooks/events?state=waiting", "deliveries?state=waiting", "deliveries?state=sending",
                         "deliveries?state=unknown"):  # fmt: skip
                async with http.get(f"http://127.0.0.1:{port}/api/v1/{path}") as answer:
                    left += [f"{path}: {item}" for item in (await answer.json())["items"][:3]]
            calm = calm + 1 if not left else 0
            return calm == 3

        await until(is_calm, lambda: "still to be done:\n" + "\n".join(left), within_s=PATIENCE_S)
    await servers.whatsapp.settle()
    assert [await child.stop() for child in children] == [0] * len(children)


async def rows(database: Database, sql: str) -> list[Any]:
    return await database.read(lambda conn: list(conn.execute(text(sql))))


async def check(load: Load, database: Database, print_: Any) -> None:
    people = load.people
    okdesk = load.servers.okdesk

    # Nothing is left, nothing was given up.
    assert await rows(database, "select id from events where state in (0, 4)") == []
    assert await rows(database, "select id, error from events where state = 3") == []
    assert await rows(database, "select id from deliveries where state < 3") == []

    # Every message that was taken is in the inbox once, was handled once, and is in the history once.
    written = Counter(
        (person.channel, person.number, line["id"])
        for person in people
        for line in person.lines
        if line["from"] == "customer"
    )
    assert set(written.values()) == {1}
    handled = await rows(database, "select id from events where kind = 'message'")
    kept = await rows(database, "select external_id from messages where direction = 'in'")
    in_history = Counter(row.external_id for row in kept)
    assert set(in_history.values()) == {1}
    assert len(in_history) == len(written)
    turns = await rows(database, "select dialog_id, turn, event_id from turns")
    assert len({(row.dialog_id, row.turn) for row in turns}) == len(turns)
    taken = Counter(row.event_id for row in turns if row.event_id in {event.id for event in handled})
    assert set(taken.values()) == {1}, "a message was handled twice"

    # One dialog for each talk, and one issue for each lead.
    issues = Counter(issue["title"] for issue in okdesk.issues())
    assert issues == Counter(f"Стиральная машина: {person.problem}" for person in people if person.is_lead)
    dialogs = Counter(row.step for row in await rows(database, "select step from dialogs"))
    assert dialogs == Counter("lead.watch" if person.is_lead else "lead.dropped" for person in people)

    # Answers came in their order, and a repeat is explained by an attempt whose answer nobody saw.
    sends = await rows(
        database,
        "select state, attempts, error from deliveries where message_id is not null",
    )
    repeats = given_up = 0
    for person in people:
        said = person.said()
        first = [
            next(n for n, told in enumerate(said) if fits(told, question)) for _, question in person.talk if question
        ]
        assert first == sorted(first), (person.name, said)
        repeats += len(said) - len(set(said))
    for send in sends:
        assert send.state in (DeliveryState.DONE, DeliveryState.DEAD)
        if send.state == DeliveryState.DEAD:
            assert "perhaps not done" in send.error
            given_up += 1
    spare = sum(send.attempts - 1 for send in sends)
    assert repeats <= spare

    # WhatsApp carries our key: what came twice under one key had as many attempts.
    keys = Counter(body["biz_opaque_callback_data"] for body in load.servers.whatsapp.received)
    noted = {row.key: row.attempts for row in await rows(database, "select key, attempts from deliveries")}
    for key, times in keys.items():
        assert times <= noted[_own_key(key, noted)], key
    delivered = {_own_key(key, noted) for key in keys}
    sent = await rows(database, "select key, state from deliveries where system = 'whatsapp' and action = 'send'")
    lost = [row.key for row in sent if row.state == DeliveryState.DONE and row.key not in delivered]
    assert lost == [], "noted as done, never received"
    arrived = [row.key for row in sent if row.state == DeliveryState.DEAD and row.key in delivered]
    assert arrived == [], "given up although a status told that it had arrived"

    told = sum(fits(line["text"], "Новая заявка") for line in load.servers.telegram.group_messages())
    assert told >= len(issues) or "telegram" not in load.channels
    print_(
        f"\n{len(people)} talks, {len(written)} messages handled once, {len(sends)} sends, {repeats} repeated of "
        f"{spare} whose answer was lost, {given_up} given up, {len(okdesk.issues())} issues, {told} alerts"
    )


def _own_key(opaque: str, noted: dict[str, int]) -> str:
    """The key inside what WhatsApp carries: an attempt may be marked behind it."""
    if opaque in noted:
        return opaque
    return max((key for key in noted if opaque.startswith(key)), key=len)
