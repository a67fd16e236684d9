"""The worker in the running service: poison, attempts, order within a key, held events, albums, restarts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from bot import worker as worker_module
from bot.turns import customer_message
from storage import inbox, timers
from storage.clock import to_ms
from storage.inbox import NewEvent
from storage.tables import EventState
from tests.bot.service import EVERYTHING, Alone, alone, given_dialog, telegram_update
from tests.conftest import PostgresServer
from tests.conversations.people import World
from tests.conversations.test_lead import orders_repair
from tests.stage import migrated, sqlite_url, staged
from tests.waiting import until


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tracebacks are wanted here, and nobody reads them."""
    with capture_logs():
        yield


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Alone]:
    if database_url.startswith("postgresql"):
        await migrated(database_url)
    async with alone(database_url, **EVERYTHING) as service:
        yield service


async def put(service: Alone, *new: NewEvent) -> list[int]:
    stored = await service.database.write(lambda conn: inbox.put(conn, new))
    service.service.worker.wake()  # type: ignore[union-attr]
    return [row.id for row in stored]


def poison(service: Alone, name: str, key: str = "poison") -> NewEvent:
    """An event of ours that cannot be handled: the dialog in it is no number."""
    body = {"dialog_id": {"no": "number"}, "contact_id": None, "step": "s", "action": "a", "ok": True, "result": {},
            "code": None, "message": None, "key": "k"}  # fmt: skip
    now = to_ms(service.service.clock.now())
    return NewEvent("outbox", name, "effect_finished", key, orjson.dumps(body), now)


async def states(service: Alone, *ids: int) -> list[Any]:
    found = {row.id: row for row in await service.rows("select * from events")}
    return [found[id_] for id_ in ids]


async def test_a_poisoned_event_stops_nobody_else_and_is_dead_after_its_attempts(
    service: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "BACKOFF_S", (0.02,))
    monkeypatch.setattr(worker_module, "POLL_S", 0.02)
    [bad] = await put(service, poison(service, "p1"))
    for number in range(20):
        assert (await service.telegram(telegram_update(number, "/start", person=100 + number))).status == 200

    async def is_dead() -> bool:
        return bool((await states(service, bad))[0].state == EventState.DEAD)

    await until(is_dead, "the poisoned event lives on")
    [row] = await states(service, bad)
    assert row.error
    assert row.attempts == worker_module.MAX_ATTEMPTS - 1  # the last one was its end
    await service.handled()
    good = await service.rows("select state from events where source = 'telegram'")
    assert [event.state for event in good] == [EventState.DONE] * 20
    assert (await service.rows("select count(*) from dialogs"))[0][0] == 20


async def test_what_stands_behind_a_poisoned_event_of_its_key_is_handled_afterwards(
    service: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "BACKOFF_S", (0.01,))
    monkeypatch.setattr(worker_module, "POLL_S", 0.02)
    now = to_ms(service.service.clock.now())
    later = NewEvent("outbox", "fine", "effect_finished", "poison", poison(service, "x").body.replace(
        b'{"no":"number"}', b"424242"), now + 1)  # fmt: skip
    bad, fine = await put(service, poison(service, "p1"), later)

    async def is_over() -> bool:
        return all(row.state != EventState.WAITING for row in await states(service, bad, fine))

    await until(is_over, "events of the key were left")
    first, second = await states(service, bad, fine)
    assert (first.state, second.state) == (EventState.DEAD, EventState.IGNORED)
    assert first.processed_at <= second.processed_at


async def test_a_replayed_event_is_handled_once_more_from_the_start(service: Alone) -> None:
    await service.telegram(b'{"update_id": 5, "message": 7}')
    await service.handled()
    [event] = await service.events()
    before = event["processed_at"]
    assert await service.database.write(lambda conn: inbox.replay(conn, [event["id"]])) == 1
    service.service.worker.wake()  # type: ignore[union-attr]
    await service.handled()
    [again] = await service.events()
    assert again["processed_at"] >= before
    assert again["state"] == event["state"]


async def test_replaying_a_message_that_was_handled_asks_nobody_twice(service: Alone) -> None:
    """The replay is a turn of its own: a start command at its own first question only repeats the question."""
    await service.telegram(telegram_update(1, "/start"))
    await service.handled()
    [event] = await service.events(source="telegram")
    await service.database.write(lambda conn: inbox.replay(conn, [event["id"]]))
    service.service.worker.wake()  # type: ignore[union-attr]
    await service.handled()
    assert (await service.rows("select count(*) from dialogs"))[0][0] == 1
    [(keys, distinct)] = await service.rows("select count(*), count(distinct key) from deliveries")
    assert keys == distinct


async def test_messages_of_one_person_are_answered_in_their_order_and_each_in_a_turn_of_its_own(service: Alone) -> None:
    for number, said in enumerate(("/start", "3", "течёт и шумит", "Анна", "8 912 345 67 89")):
        await service.telegram(telegram_update(number, said))
    await service.handled()
    [dialog] = await service.rows("select * from dialogs")
    assert (dialog.step, dialog.turn) == ("lead.place", 5)
    turns = await service.rows("select turn, event_id from turns order by id")
    assert [turn.turn for turn in turns] == [1, 2, 3, 4, 5]
    assert [turn.event_id for turn in turns] == sorted(turn.event_id for turn in turns)


async def test_after_an_outage_silence_is_counted_from_the_answer_and_not_from_the_message(service: Alone) -> None:
    now = service.service.clock.now()
    written = int((now - timedelta(hours=5)).timestamp())
    late = orjson.loads(telegram_update(1, "/start"))
    late["message"]["date"] = written
    await service.telegram(orjson.dumps(late))
    await service.handled()
    timers = await service.rows("select due_at from timers")
    assert timers
    assert all(timer.due_at > to_ms(now) for timer in timers)
    assert await service.rows("select 1 from events where source = 'timer'") == []
    [conversation] = await service.rows("select last_in_at from conversations")
    assert conversation.last_in_at == written * 1000


async def test_an_album_is_one_message_however_it_arrives(service: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr(customer_message, "ALBUM_WAIT", timedelta(seconds=0.3))
    for number, said in enumerate(("/start", "3", "течёт и шумит", "Анна", "8 912 345 67 89")):
        await service.telegram(telegram_update(number, said))
    await service.handled()

    def picture(update_id: int) -> bytes:
        whole = json.loads(telegram_update(update_id, ""))
        del whole["message"]["text"]
        photo = {"file_id": f"P{update_id}", "file_unique_id": f"U{update_id}", "width": 9, "height": 9, "file_size": 9}
        whole["message"] |= {"media_group_id": "g1", "photo": [photo]}
        return json.dumps(whole).encode()

    for number in (10, 11, 12):
        await service.telegram(picture(number))
        await asyncio.sleep(0)

    async def is_confirming() -> bool:
        return bool((await service.rows("select step from dialogs"))[0].step == "lead.confirm")

    await until(is_confirming, "the album was not taken")
    await service.handled()
    [dialog] = await service.rows("select state, turn from dialogs")
    assert dialog.turn == 6
    assert [file["id"] for file in json.loads(dialog.state)["frames"][0]["vars"]["photo"]] == ["P10", "P11", "P12"]
    results = await service.rows("select result from events where source = 'telegram' order by id desc limit 3")
    assert sorted(row.result or "" for row in results) == ["", "album", "album"]


async def test_an_action_wanted_twice_under_one_key_is_one_row_and_both_hear_its_end(service: Alone) -> None:
    from storage.ids import Ids
    from storage.outbox import NewDelivery
    from storage.unit import UnitOfWork

    now = to_ms(service.service.clock.now())

    def waiter(dialog_id: int) -> dict[str, Any]:
        return {"dialog_id": dialog_id, "contact_id": None, "turn": 1, "step": "s", "event_key": f"dialog:{dialog_id}",
                "wanted": "w"}  # fmt: skip

    def wish(*dialog_ids: int) -> Any:
        def work(conn: Any) -> None:
            unit = UnitOfWork(conn, now, Ids())
            for id_ in dialog_ids:
                unit.wish(NewDelivery("once/7", "nowhere", "do", "r", {}, now, waiters=(waiter(id_),)))
            unit.flush()

        return work

    await service.database.write(wish(1, 2))
    await service.database.write(wish(3))
    [row] = await service.rows("select id, waiters from deliveries")
    assert [w["dialog_id"] for w in json.loads(row.waiters)] == [1, 2, 3]
    await service.database.write(
        lambda conn: conn.execute(text("update deliveries set state = 4, result = '{\"n\": 1}', finished_at = 1"))
    )
    await service.database.write(wish(4))  # it is over: whoever wants it now hears the end at once
    service.service.worker.wake()  # type: ignore[union-attr]
    events = await service.rows("select body from events where kind = 'effect_finished'")
    [told] = [json.loads(bytes(event.body)) for event in events]
    assert (told["dialog_id"], told["ok"], told["result"]) == (4, True, {"n": 1})
    assert (await service.rows("select count(*) from deliveries"))[0][0] == 1


async def test_a_timer_that_is_due_becomes_one_event_and_an_old_one_changes_nothing(service: Alone) -> None:
    dialog_id = await given_dialog(service.service, subjects=[])
    now = to_ms(service.service.clock.now())
    insert = text("insert into timers (dialog_id, name, turn, due_at, event_key) values (:d, :n, :t, :due, 'k')")

    def make(conn: Any) -> None:
        conn.execute(insert, {"d": dialog_id, "n": "close", "t": 3, "due": now - 1})
        conn.execute(insert, {"d": dialog_id, "n": "remind", "t": 3, "due": now + 3_600_000})

    await service.database.write(make)

    async def fired() -> bool:
        return bool(await service.rows("select 1 from events where source = 'timer'"))

    await until(fired, "the timer did not fire")
    await service.handled()
    [event] = await service.rows("select external_id, state from events where source = 'timer'")
    assert event.external_id == f"{dialog_id}.close.3"
    assert [row.name for row in await service.rows("select name from timers")] == ["remind"]
    assert await service.database.write(lambda conn: timers.fire_due(conn, now=now)) == 0
    assert (await service.rows("select step from dialogs"))[0].step == "lead.watch"  # turn 3 was long ago


async def test_news_wait_while_a_question_of_another_dialog_is_open(tmp_path: Path) -> None:
    """The rating of one lead must not tear the customer out of the next one."""
    async with staged(sqlite_url(tmp_path)) as stage:
        world = World(stage, "whatsapp")
        anna = world.person("Анна")
        issue = await orders_repair(world, anna)
        await anna.says("/start")
        await anna.hears("Что нужно починить?")
        await world.okdesk.moves(issue, "in_progress")

        async def is_held() -> bool:
            return bool(await stage.rows("select 1 from events where state = 4"))

        await until(is_held, "the news did not wait")
        await anna.hears_nothing_more()
        health = await stage.get("/health")
        assert health["oldest_waiting_s"] == 0.0  # it waits on purpose
        shown = await stage.get("/api/v1/webhooks/events", state="waiting")
        assert [item["kind"] for item in shown["items"]] == ["new_ticket_status"]
        await anna.says("отмена")
        await anna.hears("Отменить заявку?")
        await anna.presses("Да, отменить")
        await anna.hears("Хорошо, отменил", f"Заявка {issue['id']}: В работе")
        await anna.hears_nothing_more()


async def test_news_that_waited_for_half_an_hour_are_told_in_the_middle(tmp_path: Path) -> None:
    async with staged(sqlite_url(tmp_path)) as stage:
        world = World(stage, "whatsapp")
        anna = world.person("Анна")
        issue = await orders_repair(world, anna)
        await anna.says("/start")
        await anna.hears("Что нужно починить?")
        await world.okdesk.moves(issue, "in_progress")
        await stage.quiet()
        await stage.passes(minutes=31)
        await anna.hears(f"Заявка {issue['id']}: В работе")


@pytest.mark.postgres
async def test_several_processes_handle_every_message_once(postgres_server: PostgresServer) -> None:
    from bot.services import FixitService

    url = postgres_server.new_database()
    await migrated(url)
    async with alone(url, **EVERYTHING) as service:
        others = [FixitService(service.service.settings, serves=False) for _ in range(2)]
        for other in others:
            await other.start()
        try:
            posts = [
                service.telegram(telegram_update(100 * person + number, said, person=1000 + person))
                for number, said in enumerate(("/start", "3", "течёт и шумит", "Анна", "8 912 345 67 89"))
                for person in range(15)
            ]
            for answer in await asyncio.gather(*posts):
                assert answer.status == 200
            await service.handled()
        finally:
            for other in others:
                await other.stop()
        dialogs = await service.rows("select step, turn from dialogs")
        assert [(row.step, row.turn) for row in dialogs] == [("lead.place", 5)] * 15
        [(turns, events)] = await service.rows("select count(*), count(distinct event_id) from turns")
        assert turns == events == 75
