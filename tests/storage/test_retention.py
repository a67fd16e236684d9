"""What is older than the retention goes and what is open stays, on both databases."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import insert, text

from storage import inbox, retention, tables
from storage.database import Database
from storage.inbox import NewEvent, Settled, Stored
from storage.retention import Round
from storage.tables import DeliveryState, EventState

DAY = 86_400_000
NOW = 1_790_000_000_000
BEFORE = NOW - 365 * DAY
OLD, YOUNG = BEFORE - DAY, BEFORE + DAY


async def walk(database: Database, *, before: int = BEFORE, limit: int = 50) -> Counter[str]:
    removed: Counter[str] = Counter()
    for step in Round(before, limit).steps():
        while True:
            done = await database.write(step)
            removed += done.removed
            if not done.has_more:
                break
    return +removed


async def rows(database: Database, sql: str, **values: Any) -> list[Any]:
    return await database.read(lambda conn: [tuple(row) for row in conn.execute(text(sql), values)])


async def add(database: Database, name: str, *added: dict[str, Any]) -> None:
    await database.write(lambda conn: conn.execute(insert(tables.metadata.tables[name]), list(added)))


def event(name: str, *, at: int = OLD, state: EventState = EventState.WAITING, body: bytes = b'{"n": 1}') -> NewEvent:
    return NewEvent("whatsapp", name, "message", "whatsapp:79161234567", body, at, at, state, headers='{"a": "b"}')


async def put(database: Database, *events: NewEvent) -> list[Stored]:
    return await database.write(lambda conn: inbox.put(conn, events))


async def settle(database: Database, *stored: Stored) -> None:
    done = [Settled(one.id, EventState.DONE) for one in stored]
    await database.write(lambda conn: inbox.settle(conn, done, now=OLD + 5))


def person(number: int, *, at: int) -> dict[str, list[dict[str, Any]]]:
    """Somebody with one closed dialog; every id is made of `number`."""
    address = f"7916000{number:04}"
    talk = {
        "id": number,
        "contact_id": number,
        "channel": "whatsapp",
        "account": "1",
        "address": address,
        "event_key": f"contact:{number}",
        "last_at": at,
    }
    return {
        "contacts": [{"id": number, "name": "Анна", "phone": f"+{address}", "variables": "{}", "created_at": at}],
        "contact_addresses": [
            {"channel": "whatsapp", "address": address, "contact_id": number, "created_at": at},
        ],
        "conversations": [talk],
        "dialogs": [dialog(number, at=at)],
        "turns": [turn(number, at=at)],
        "messages": [message(number * 10, dialog_id=number, at=at), message(number * 10 + 1, dialog_id=None, at=at)],
        "links": [{"subject": f"issue:{number}", "dialog_id": number, "created_at": at}],
        "deliveries": [delivery(f"d{number}.1.0", at=at, dialog_id=number, conversation_id=number)],
    }


def dialog(number: int, *, at: int, status: str = "closed") -> dict[str, Any]:
    return {
        "id": number,
        "conversation_id": number,
        "contact_id": number,
        "channel": "whatsapp",
        "flow": "lead",
        "version": 1,
        "step": "lead.end",
        "status": status,
        "turn": 1,
        "state": '{"frames": [{"flow": "lead", "vars": {"name": "Анна"}}]}',
        "created_at": at,
        "updated_at": at,
    }


def turn(number: int, *, at: int) -> dict[str, Any]:
    trace = {"decided": [], "changes": [[0, "lead", {"name": "Анна"}]]}
    return {
        "dialog_id": number,
        "turn": 1,
        "event": "message",
        "at": at,
        "to_step": "lead.end",
        "trace": str(trace).replace("'", '"'),
        "effects": "[]",
    }


def message(id_: int, *, dialog_id: int | None, at: int) -> dict[str, Any]:
    return {
        "id": id_,
        "conversation_id": id_ // 10,
        "dialog_id": dialog_id,
        "direction": "in",
        "kind": "text",
        "text": "Не включается",
        "status": "received",
        "at": at,
    }


def delivery(key: str, *, at: int, state: DeliveryState = DeliveryState.DONE, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "system": "whatsapp",
        "action": "send",
        "recipient": "79161234567",
        "params": '{"text": "Здравствуйте"}',
        "state": int(state),
        "next_try_at": at,
        "created_at": at,
        "external_id": "wamid.1",
        "result": '{"id": 1}',
        **more,
    }


async def add_people(database: Database, *people: dict[str, list[dict[str, Any]]], are_counted: bool = True) -> None:
    for one in people:
        for name, of_table in one.items():
            for row in of_table:
                await add(database, name, row)
    if are_counted:
        await add(database, "counters", {"name": "stats_turn", "value": 10_000})


async def test_an_old_event_loses_its_words_and_stays_known_for_ever(database: Database) -> None:
    young, old = event("young", at=YOUNG), event("old")
    stored = await put(database, old, young)
    await settle(database, *stored)
    assert await walk(database) == {"events": 1}
    found = await rows(database, "select external_id, key, headers, length(body), state from events order by id")
    assert found[0] == ("old", "", None, 0, 1)
    assert found[1][3] > 0
    for body in (old.body, b'{"n": "something else"}'):
        [again] = await put(database, event("old", body=body))
        assert again == Stored(stored[0].id, is_new=False)  # neither new nor a conflict
    assert await rows(database, "select count(*) from conflicts") == [(0,)]
    assert await walk(database) == {}


async def test_an_event_without_its_body_is_not_replayed(database: Database) -> None:
    stored = await put(database, event("dead", state=EventState.DEAD), event("alive", at=YOUNG, state=EventState.DEAD))
    await walk(database)
    assert await database.write(lambda conn: inbox.replay(conn, [one.id for one in stored])) == 1


async def test_an_event_that_waits_is_left_until_it_is_handled(database: Database) -> None:
    waiting, held, done = await put(database, event("waiting"), event("held", state=EventState.HELD), event("done"))
    await settle(database, done)
    assert await walk(database) == {"events": 1}
    await settle(database, waiting)
    assert await walk(database) == {"events": 1}  # although the walk was past it already
    left = await rows(database, "select id from events where length(body) > 0")
    assert left == [(held.id,)]


async def test_a_delivery_keeps_its_key_alone(database: Database) -> None:
    await add(
        database,
        "deliveries",
        delivery("lead:1", at=OLD),
        *(delivery(state.name, at=OLD, state=state) for state in tables.OPEN_DELIVERY),
        delivery("parked", at=OLD, state=DeliveryState.PARKED),
        delivery("young", at=YOUNG),
    )
    assert await walk(database) == {"deliveries": 2}
    found = {row[0]: row[1:] for row in await rows(database, "select key, recipient, params, state from deliveries")}
    assert found["lead:1"] == ("", "{}", int(DeliveryState.DONE))
    assert found["parked"] == ("", "{}", int(DeliveryState.CANCELLED))  # nobody wrote for a year: it waits no more
    assert all(found[key][0] for key in ("young", "WAITING", "SENDING", "UNKNOWN"))
    await database.write(lambda conn: conn.execute(text("update deliveries set state = 4 where key = 'SENDING'")))
    assert await walk(database) == {"deliveries": 1}


async def test_a_closed_dialog_goes_with_everything_of_it_and_its_person(database: Database) -> None:
    await add_people(database, person(1, at=OLD), person(2, at=YOUNG))
    removed = await walk(database)
    assert removed == {
        "dialogs": 1, "turns": 1, "messages": 2, "links": 1, "deliveries": 1,
        "contacts": 1, "contact_addresses": 1, "conversations": 1,
    }  # fmt: skip
    for name in ("contacts", "contact_addresses", "conversations", "dialogs", "turns", "links"):
        assert await rows(database, f"select count(*) from {name}") == [(1,)], name
    assert await walk(database) == {}


async def test_an_open_dialog_and_its_person_are_not_touched(database: Database) -> None:
    one = person(1, at=OLD)
    one["dialogs"][0]["status"] = "active"
    await add_people(database, one)
    assert await walk(database) == {"messages": 1}  # a word outside of the dialog
    assert await rows(database, "select count(*) from messages") == [(1,)]
    await database.write(lambda conn: conn.execute(text("update dialogs set status = 'closed'")))
    assert (await walk(database))["deliveries"] == 1


async def test_a_person_who_wrote_lately_stays_although_the_old_dialog_goes(database: Database) -> None:
    one = person(1, at=OLD)
    one["conversations"][0]["last_at"] = YOUNG
    one["messages"].append(message(12, dialog_id=None, at=YOUNG))
    await add_people(database, one)
    removed = await walk(database)
    assert (removed["dialogs"], removed["messages"], removed["contacts"]) == (1, 2, 0)


async def test_a_dialog_whose_send_is_not_over_stays(database: Database) -> None:
    one = person(1, at=OLD)
    one["deliveries"][0]["state"] = int(DeliveryState.UNKNOWN)
    await add_people(database, one)
    removed = await walk(database)
    assert (removed["dialogs"], removed["contacts"]) == (0, 0)


async def test_turns_that_are_not_in_the_sums_yet_stay(database: Database) -> None:
    await add_people(database, person(1, at=OLD), are_counted=False)
    assert (await walk(database))["turns"] == 0
    await add(database, "counters", {"name": "stats_turn", "value": 10})
    assert (await walk(database))["turns"] == 1


async def test_logs_and_small_tables(database: Database) -> None:
    call = {"system": "okdesk", "method": "GET", "url": "/?phone=7916", "duration_ms": 1}
    for at in (OLD, YOUNG):
        await add(database, "api_calls", {"at": at, **call})
        await add(database, "batches", {"source": "whatsapp", "body": b"x", "received_at": at})
        await add(database, "conflicts", {"event_id": 1, "body": b"x", "received_at": at})
        early = {"external_id": f"w{at}", "channel": "whatsapp", "status": "read", "rank": 4, "at": at}
        await add(database, "early_statuses", early)
        await add(database, "issues", {"id": at, "number": "1", "title": "Анна", "updated_at": at})
    assert await walk(database) == dict.fromkeys(("api_calls", "batches", "conflicts", "early_statuses", "issues"), 1)
    assert await rows(database, "select count(*), count(title) from issues") == [(2, 1)]


async def test_many_rows_go_in_small_steps(database: Database) -> None:
    stored = await put(database, *(event(str(n), state=EventState.DONE) for n in range(230)))
    sizes = []
    events = Round(BEFORE, 50).events
    while True:
        done = await database.write(events)
        sizes.append(done.removed["events"])
        if not done.has_more:
            break
    assert sizes == [50, 50, 50, 50, 30]
    assert len(stored) == 230


async def test_too_many_open_ones_stop_the_walk_and_nothing_is_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_PASSED_OVER", 3)
    stored = await put(database, *(event(str(n)) for n in range(5)), event("done", state=EventState.DONE))
    assert await walk(database) == {}
    await settle(database, *stored[:5])
    assert (await walk(database))["events"] + (await walk(database))["events"] == 6
