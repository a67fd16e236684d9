"""The sender against a system that answers as it is told: every end of a send, on both databases."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from bot import sender as sender_module
from bot.calls import Calls
from bot.clock import Clock
from bot.metrics import Metrics
from bot.sender import Sender, System
from integrations.base import Action, Done, Later, Never, Order, Unknown
from storage import leases, outbox
from storage.clock import to_ms
from storage.database import Database, DatabaseAway
from storage.ids import Ids
from storage.outbox import NewDelivery
from storage.tables import DeliveryState
from storage.unit import UnitOfWork
from tests.waiting import until

Answer = Exception | Done


@dataclass
class Wire:
    """The other side: gives the answers that a test laid out, then Done for ever."""

    answers: deque[Answer] = field(default_factory=deque)
    settled: deque[Answer | None] = field(default_factory=deque)
    came: list[str] = field(default_factory=list)  # keys in the order of their arrival
    in_flight: int = 0
    most_in_flight: int = 0
    gate: asyncio.Event | None = None  # while it is closed, nothing is answered

    async def run(self, order: Order) -> Done:
        self.came.append(order.key)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            answer = (
                self.answers.popleft() if self.answers else Done({"n": len(self.came)}, external_id=f"x-{order.key}")
            )
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.in_flight -= 1

    async def settle(self, order: Order) -> Done | None:
        answer = self.settled.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Post:
    """A sender that runs, and what stands in the outbox."""

    database: Database
    sender: Sender
    wire: Wire
    clock: Clock
    metrics: Metrics
    calls: Calls
    owner: dict[str, int] = field(default_factory=dict)

    async def order(self, *keys: str, recipient: str = "anna", action: str = "send", **more: Any) -> None:
        now = to_ms(self.clock.now())
        new = [NewDelivery(key, "wire", action, recipient, more.pop("params", {}), now, **more) for key in keys]
        await self.database.write(lambda conn: outbox.add(conn, new))
        self.sender.wake()

    async def row(self, key: str) -> Any:
        query = text("select * from deliveries where key = :key")
        return await self.database.read(lambda conn: conn.execute(query, {"key": key}).one())

    async def becomes(self, key: str, state: DeliveryState) -> Any:
        async def is_so() -> Any:
            row = await self.row(key)
            return row if row.state == state else None

        return await until(is_so, f"{key} did not become {state.name}: {await self.row(key)}")

    async def events(self) -> list[Any]:
        query = text("select kind, external_id, key, body from events order by id")
        return await self.database.read(lambda conn: list(conn.execute(query)))

    async def talk(self) -> tuple[int, int]:
        """A conversation and a message in it that is to be sent."""

        def make(conn: Any) -> tuple[int, int]:
            unit = UnitOfWork(conn, to_ms(self.clock.now()), Ids())
            contact = unit.add_contact(name="Анна", username=None, lang="ru", phone=None)
            talk = unit.add_conversation(contact, channel="wire", account="us", address="anna", key="contact:1")
            message_id = unit.add_message(
                conversation_id=talk.id, dialog_id=None, direction="out", kind="text", text="да", status="queued",
                at=unit.now,
            )  # fmt: skip
            unit.flush()
            return talk.id, message_id

        return await self.database.write(make)

    async def message(self, message_id: int) -> Any:
        query = text("select * from messages where id = :id")
        return await self.database.read(lambda conn: conn.execute(query, {"id": message_id}).one())


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "POLL_S", 0.02)
    monkeypatch.setattr(sender_module, "SETTLE_EVERY_S", 0.02)


@asynccontextmanager
async def posting(database: Database, wire: Wire, **system: Any) -> AsyncIterator[Post]:
    actions = {
        "send": Action("send", wire.run),
        "ask": Action("ask", wire.run, settle=wire.settle, settle_after_s=0.01),
        "mark": Action("mark", wire.run, repeatable=True, settle_after_s=0.01),
    }
    clock, metrics = Clock(), Metrics()
    calls = Calls(clock, ())
    sender = Sender(
        database,
        {"wire": System("wire", actions, system.pop("in_flight_max", 4), **system)},
        clock=clock,
        metrics=metrics,
        calls=calls,
        owner="test",
        on_events=lambda: None,
    )
    await database.write(lambda conn: leases.take(conn, "process:test", "test", lasts_ms=600_000))
    running = asyncio.create_task(sender.run())
    try:
        yield Post(database, sender, wire, clock, metrics, calls)
    finally:
        if wire.gate is not None:
            wire.gate.set()
        await sender.stop(grace_s=2.0)
        await running


@pytest.fixture
async def post(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    monkeypatch.setattr(sender_module, "BACKOFF_S", (0.02,))
    async with posting(database, Wire()) as post:
        yield post


async def test_what_was_done_is_noted_with_its_id_and_result(post: Post) -> None:
    talk, message = await post.talk()
    await post.order("k1", message_id=message, conversation_id=talk)
    row = await post.becomes("k1", DeliveryState.DONE)
    assert (row.attempts, row.external_id, row.error) == (1, "x-k1", None)
    assert orjson.loads(row.result) == {"n": 1}
    sent = await post.message(message)
    assert (sent.status, sent.rank, sent.external_id) == ("accepted", 1, "x-k1")


async def test_orders_of_one_recipient_go_one_after_another_and_others_do_not_wait(post: Post) -> None:
    post.wire.gate = asyncio.Event()
    await post.order("a1", "a2", "a3", recipient="anna")
    await post.order("b1", recipient="boris")
    await until(lambda: len(post.wire.came) == 2, "two lanes did not begin")
    assert sorted(post.wire.came) == ["a1", "b1"]
    post.wire.gate.set()
    await post.becomes("a3", DeliveryState.DONE)
    assert [key for key in post.wire.came if key[0] == "a"] == ["a1", "a2", "a3"]


async def test_no_more_are_in_flight_than_the_system_takes(database: Database) -> None:
    async with posting(database, Wire(), in_flight_max=3) as post:
        for number in range(12):
            await post.order(f"k{number}", recipient=f"r{number}")
        for number in range(12):
            await post.becomes(f"k{number}", DeliveryState.DONE)
        assert 1 < post.wire.most_in_flight <= 3


async def test_later_is_tried_again_and_holds_up_its_lane_only(post: Post) -> None:
    post.wire.answers.append(Later("busy", retry_after_s=0.05))
    await post.order("a1", "a2")
    row = await post.becomes("a1", DeliveryState.DONE)
    await post.becomes("a2", DeliveryState.DONE)
    assert row.attempts == 2
    assert post.wire.came == ["a1", "a1", "a2"]


async def test_a_row_that_is_put_off_for_ever_is_dead_in_the_end(post: Post) -> None:
    post.wire.answers.extend(Later("busy") for _ in range(20))
    await post.order("a1")
    row = await post.becomes("a1", DeliveryState.DEAD)
    assert row.attempts == sender_module.MAX_ATTEMPTS
    assert (row.code, "given up after 8 attempts" in row.error) == ("unavailable", True)


async def test_a_system_that_is_down_is_noticed_once_and_costs_no_attempt(post: Post) -> None:
    system = post.sender.systems["wire"]
    for _ in range(4):
        post.wire.answers.append(Later("away", scope="system", retry_after_s=0.05))
    for number in range(6):
        await post.order(f"k{number}", recipient=f"r{number}")
    await until(lambda: system.is_down, "nobody noticed")
    for number in range(6):
        row = await post.becomes(f"k{number}", DeliveryState.DONE)
        assert row.attempts == 1
    assert not system.is_down
    assert (system.failures, system.down_reason) == (0, None)


async def test_never_is_dead_with_its_code_and_tells_who_waits(post: Post) -> None:
    post.wire.answers.append(Never("no such issue", code="not_found"))
    waiter = {"dialog_id": 7, "contact_id": 1, "turn": 3, "step": "create", "event_key": "contact:1", "wanted": "w"}
    await post.order("k1", waiters=(waiter,))
    row = await post.becomes("k1", DeliveryState.DEAD)
    assert (row.code, row.error) == ("not_found", "no such issue")
    [event] = await post.events()
    body = orjson.loads(bytes(event.body))
    assert (event.kind, event.key, body["ok"], body["code"]) == ("effect_finished", "contact:1", False, "not_found")


async def test_an_action_that_is_not_known_and_an_error_of_ours_are_dead_and_stop_nobody(post: Post) -> None:
    post.wire.answers.append(ZeroDivisionError())
    await post.order("k1", action="fly")
    await post.order("k2", recipient="boris")
    assert "has no action fly" in (await post.becomes("k1", DeliveryState.DEAD)).error
    assert (await post.becomes("k2", DeliveryState.DEAD)).error == "an error of ours; see the log"
    await post.order("k3", recipient="vera")  # only now: rows of two people may be taken in any order
    await post.becomes("k3", DeliveryState.DONE)


async def test_token_trouble_keeps_the_queue(post: Post) -> None:
    post.wire.answers.extend(Never("the token is dead", stops_system=True) for _ in range(9))
    await post.order("k1", "k2")
    await until(lambda: post.sender.systems["wire"].is_down, "nobody noticed")
    row = await post.becomes("k1", DeliveryState.WAITING)
    assert row.attempts == 0
    assert set(post.wire.came) == {"k1"}
    assert len(post.wire.came) <= 2  # a look at the outbox that had begun before may take the row once more


async def test_a_closed_window_leads_to_the_template_if_there_is_one(post: Post) -> None:
    talk, message = await post.talk()
    post.wire.answers.append(Never("the window is closed", window_closed=True))
    await post.order("k1", message_id=message, conversation_id=talk, params={"template": {"name": "t"}})
    row = await post.becomes("k1", DeliveryState.DONE)
    assert orjson.loads(row.params)["use_template"] is True
    assert row.attempts == 2


async def test_a_closed_window_without_a_template_parks_the_message_and_tells(post: Post) -> None:
    talk, message = await post.talk()
    post.wire.answers.append(Never("the window is closed", window_closed=True))
    await post.order("k1", "k2", message_id=message, conversation_id=talk)
    await post.becomes("k1", DeliveryState.PARKED)
    await post.becomes("k2", DeliveryState.DONE)  # what is parked holds up nobody
    [event] = [event for event in await post.events() if event.kind == "undelivered"]
    assert orjson.loads(bytes(event.body))["parked"] is True
    assert (await post.message(message)).status in ("parked", "accepted")
    await post.database.write(lambda conn: outbox.unpark(conn, [talk], now=to_ms(post.clock.now())))
    post.sender.wake()
    await post.becomes("k1", DeliveryState.DONE)


async def test_somebody_who_cannot_be_reached_is_marked_so(post: Post) -> None:
    talk, message = await post.talk()
    post.wire.answers.append(Never("blocked by the user", code="forbidden", unreachable=True))
    await post.order("k1", message_id=message, conversation_id=talk)
    await post.becomes("k1", DeliveryState.DEAD)
    query = text("select unreachable from conversations")
    assert await post.database.read(lambda conn: conn.execute(query).scalar()) == "blocked by the user"
    assert [event.kind for event in await post.events()] == ["undelivered"]


async def test_a_lost_answer_is_asked_after_and_found_done(post: Post) -> None:
    post.wire.answers.append(Unknown("no answer"))
    post.wire.settled.append(Done({"id": 5}, external_id="x5"))
    await post.order("k1", "k2", action="ask")
    row = await post.becomes("k1", DeliveryState.DONE)
    assert (row.attempts, row.external_id, orjson.loads(row.result)) == (1, "x5", {"id": 5})
    await post.becomes("k2", DeliveryState.DONE)
    assert post.wire.came == ["k1", "k2"]


async def test_a_lost_answer_that_had_not_been_done_is_done_again(post: Post) -> None:
    post.wire.answers.append(Unknown("no answer"))
    post.wire.settled.extend([Later("cannot ask now", retry_after_s=0.01), None])
    await post.order("k1", action="ask")
    row = await post.becomes("k1", DeliveryState.DONE)
    assert (row.attempts, post.wire.came) == (2, ["k1", "k1"])


async def test_an_error_of_ours_while_asking_ends_the_row(post: Post) -> None:
    post.wire.answers.append(Unknown("no answer"))
    post.wire.settled.append(ZeroDivisionError())
    await post.order("k1", "k2", action="ask")
    row = await post.becomes("k1", DeliveryState.DEAD)
    assert (row.code, row.error) == ("unavailable", "an error of ours; see the log")
    await post.becomes("k2", DeliveryState.DONE)


async def test_a_lost_answer_stays_unknown_while_the_database_is_away(post: Post) -> None:
    post.wire.answers.append(Unknown("no answer"))
    post.wire.settled.append(DatabaseAway("locked"))
    with capture_logs() as logs:
        await post.order("k1", action="ask")
        await until(lambda: "sender_waits_for_database" in [line["event"] for line in logs], "nobody asked")
    assert (await post.row("k1")).state == DeliveryState.UNKNOWN


async def test_a_lost_answer_of_something_harmless_is_simply_sent_again(post: Post) -> None:
    post.wire.answers.append(Unknown("no answer"))
    await post.order("k1", action="mark")
    assert (await post.becomes("k1", DeliveryState.DONE)).attempts == 2


async def test_a_lost_answer_that_nobody_can_settle_is_given_up_or_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "WAIT_FOR_STATUS_S", 0.01)
    monkeypatch.setattr(sender_module, "WAIT_AFTER_CRASH_MS", 0)
    async with posting(database, Wire()) as post:
        talk, message = await post.talk()
        post.wire.answers.append(Unknown("no answer"))
        await post.order("words", message_id=message, conversation_id=talk)
        row = await post.becomes("words", DeliveryState.DEAD)
        assert (row.code, "perhaps not done" in row.error) == ("unknown", True)
        assert (await post.message(message)).status == "failed"
        post.wire.answers.append(Unknown("no answer"))
        await post.order("question", message_id=message, conversation_id=talk, params={"is_question": True})
        assert (await post.becomes("question", DeliveryState.DONE)).attempts == 2


async def test_a_status_that_came_while_the_answer_was_lost_settles_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "WAIT_FOR_STATUS_S", 0.05)
    monkeypatch.setattr(sender_module, "WAIT_AFTER_CRASH_MS", 0)
    async with posting(database, Wire()) as post:
        talk, message = await post.talk()
        await database.write(
            lambda conn: conn.execute(
                text("update messages set external_id = 'wamid.1', rank = 3, status = 'delivered'")
            )
        )
        post.wire.answers.append(Unknown("no answer"))
        await post.order("k1", message_id=message, conversation_id=talk)
        row = await post.becomes("k1", DeliveryState.DONE)
        assert (row.external_id, post.wire.came) == ("wamid.1", ["k1"])
        assert (await post.message(message)).status == "delivered"  # never downwards


async def test_the_pace_of_a_system_is_kept(database: Database) -> None:
    sent: list[float] = []
    loop = asyncio.get_running_loop()

    def delay(recipient: str, now: Any) -> float:
        return max(0.0, (sent[-1] + 0.05) - loop.time()) if sent else 0.0

    async with posting(
        database, Wire(), pace_delay=delay, pace_sent=lambda recipient, now: sent.append(loop.time())
    ) as post:
        for number in range(5):
            await post.order(f"k{number}", recipient=f"r{number}")
        for number in range(5):
            await post.becomes(f"k{number}", DeliveryState.DONE)
    gaps = [after - before for before, after in pairwise(sent)]
    assert len(sent) == 5
    assert min(gaps) >= 0.045


async def test_parts_of_one_answer_wait_for_the_delivery_of_the_part_before(database: Database) -> None:
    async with posting(database, Wire(), keeps_order=False) as post:
        await post.order("p1", "p2", dialog_id=7, turn=3)
        await post.becomes("p1", DeliveryState.DONE)
        assert (await post.row("p2")).state == DeliveryState.WAITING
        post.sender.opened("wire", "anna")
        await post.database.write(
            lambda conn: conn.execute(text("update deliveries set next_try_at = 0 where key = 'p2'"))
        )
        post.sender.wake()
        await post.becomes("p2", DeliveryState.DONE)


async def test_stopping_in_the_middle_writes_down_that_the_end_is_not_known(database: Database) -> None:
    wire = Wire(gate=asyncio.Event())
    async with posting(database, wire) as post:
        await post.order("k1", action="ask")
        await until(lambda: wire.came, "nothing was sent")
        await post.sender.stop(grace_s=0.01)
        row = await post.row("k1")
        assert row.state == DeliveryState.UNKNOWN
        assert "stopped before the answer came" in row.error


async def test_stopping_waits_for_answers_that_come(database: Database) -> None:
    wire = Wire(gate=asyncio.Event())
    async with posting(database, wire) as post:
        await post.order("k1", "k2")
        await until(lambda: wire.came, "nothing was sent")
        stopping = asyncio.create_task(post.sender.stop(grace_s=5.0))
        assert wire.gate is not None
        wire.gate.set()
        await stopping
        assert (await post.row("k1")).state == DeliveryState.DONE
        assert (await post.row("k2")).state == DeliveryState.WAITING  # nothing new was begun


async def test_rows_that_were_taken_in_the_moment_of_the_stop_are_put_back(database: Database) -> None:
    async with posting(database, Wire()) as post:
        await post.sender.stop()
        await post.order("k1")
        now = to_ms(post.clock.now()) + 1
        taken = await database.write(
            lambda conn: outbox.take(conn, now=now, owner="test", room={"wire": 1}, delay_ms=lambda row, now: 0)
        )
        post.sender.launch(taken)
        await post.sender.stop()
        row = await post.row("k1")
        assert (row.state, row.attempts, post.wire.came) == (DeliveryState.WAITING, 0, [])


async def test_a_row_taken_by_a_commit_that_was_told_as_failed_is_settled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "FORGOTTEN_AFTER_MS", 50)
    wire = Wire(gate=asyncio.Event(), settled=deque([None]))
    async with posting(database, wire) as post:
        await post.order("busy", recipient="r1")
        await until(lambda: wire.in_flight == 1, "it was not sent")

        new = NewDelivery("k1", "wire", "ask", "r2", {}, to_ms(post.clock.now()))
        await database.write(lambda conn: outbox.add(conn, [new], starter=post.sender))  # and nobody launches it
        await until(lambda: wire.in_flight == 2, "it was left lying")
        assert wire.gate is not None
        wire.gate.set()
        row = await post.becomes("k1", DeliveryState.DONE)
        assert (row.attempts, (await post.becomes("busy", DeliveryState.DONE)).attempts) == (2, 1)


async def test_an_end_that_cannot_be_written_takes_no_other_along(database: Database) -> None:
    wire = Wire(gate=asyncio.Event())
    wire.answers.extend([Done({"n": "\ud800"}), Done({"n": 1}, external_id="x")])  # half a letter is in no JSON
    with capture_logs() as logs:
        async with posting(database, wire) as post:
            await post.order("k1", recipient="r1")
            await post.order("k2", recipient="r2")
            await until(lambda: wire.in_flight == 2, "both were not sent")
            assert wire.gate is not None
            wire.gate.set()
            await post.becomes("k2", DeliveryState.DONE)
            assert (await post.row("k1")).state == DeliveryState.SENDING  # it counts as lost after a while
            await post.order("k3", recipient="r3")
            await post.becomes("k3", DeliveryState.DONE)
    assert "ends_not_written" in {line["event"] for line in logs}


async def test_calls_are_kept_although_the_end_beside_them_cannot_be_written(database: Database) -> None:
    wire = Wire(answers=deque([Done({"n": "\ud800"})]))
    with capture_logs() as logs:
        async with posting(database, wire) as post:
            post.calls.log("wire", "POST", "http://wire/send", b"{}", 200, b"{}", 1.0)
            await post.order("k1")
            await until(lambda: "ends_not_written" in [line["event"] for line in logs], "it could be written")
    query = text("select url from api_calls")
    rows = await database.read(lambda conn: list(conn.execute(query)))
    assert [row.url for row in rows] == ["http://wire/send"]


async def test_two_senders_never_send_the_same_row(database: Database) -> None:
    wire = Wire()
    async with posting(database, wire) as one, posting(database, wire) as two:
        for number in range(40):
            await one.order(f"k{number}", recipient=f"r{number % 7}")
            two.sender.wake()
        for number in range(40):
            await one.becomes(f"k{number}", DeliveryState.DONE)
    assert sorted(wire.came) == sorted(f"k{number}" for number in range(40))
    for lane in range(7):
        mine = [int(key[1:]) for key in wire.came if int(key[1:]) % 7 == lane]
        assert mine == sorted(mine)


async def test_the_outcomes_are_counted(post: Post) -> None:
    post.wire.answers.extend([Later("busy", retry_after_s=0.01), Never("no")])
    await post.order("k1")
    await post.becomes("k1", DeliveryState.DEAD)
    await post.order("k2")
    await post.becomes("k2", DeliveryState.DONE)
    counted: Callable[[str], float | None] = lambda outcome: post.metrics.registry.get_sample_value(  # noqa: E731
        "fixit_sends_total", {"system": "wire", "outcome": outcome}
    )
    assert (counted("later"), counted("never"), counted("done")) == (1.0, 1.0, 1.0)
