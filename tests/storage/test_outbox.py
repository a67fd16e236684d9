"""The outbox: every wish once, in order for each recipient, and an honest end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from storage import leases, outbox
from storage.database import Database
from storage.outbox import Ended, NewDelivery, Taken
from storage.tables import DeliveryState

NOW = 1_790_000_000_000
ROOM = {"wire": 100}


def wish(key: str, recipient: str = "anna", **more: Any) -> NewDelivery:
    return NewDelivery(key, more.pop("system", "wire"), "send", recipient, {"key": key}, NOW, **more)


async def add(database: Database, *wishes: NewDelivery) -> None:
    await database.write(lambda conn: outbox.add(conn, wishes))


async def take(
    database: Database,
    *,
    room: dict[str, int] | None = None,
    now: int = NOW,
    owner: str = "me",
    delay: Callable[[Any, int], int] = lambda row, now: 0,
) -> list[Taken]:
    return await database.write(
        lambda conn: outbox.take(conn, now=now, owner=owner, room=ROOM if room is None else room, delay_ms=delay)
    )


async def end(database: Database, taken: Taken, state: DeliveryState, **more: Any) -> None:
    next_try = more.pop("next_try_at", NOW)
    await database.write(lambda conn: outbox.end(conn, [Ended(taken, state, next_try, **more)], now=NOW))


def keys(taken: list[Taken]) -> list[str]:
    return sorted(row.key for row in taken)


async def states(database: Database) -> dict[str, int]:
    return await database.read(
        lambda conn: {row.key: row.state for row in conn.execute(text("select key, state from deliveries"))}
    )


async def test_a_key_is_wanted_once(database: Database) -> None:
    await add(database, wish("a"))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await add(database, wish("b"), wish("a"))
    assert set(await states(database)) == {"a"}


async def test_each_recipient_has_a_lane_of_its_own(database: Database) -> None:
    await add(database, wish("a1"), wish("a2"), wish("b1", "boris"), wish("c1", system="other"))
    first = await take(database)
    assert keys(first) == ["a1", "b1"]
    assert await take(database) == []
    a1 = next(row for row in first if row.key == "a1")
    assert (a1.attempt, a1.params) == (1, {"key": "a1"})
    await end(database, a1, DeliveryState.DONE, external_id="x", result={"n": 1})
    assert keys(await take(database)) == ["a2"]


@pytest.mark.parametrize("state", [DeliveryState.UNKNOWN, DeliveryState.WAITING, DeliveryState.SENDING])
async def test_an_end_that_is_not_known_holds_the_lane(database: Database, state: DeliveryState) -> None:
    await add(database, wish("a1"), wish("a2"))
    [row] = await take(database)
    if state is not DeliveryState.SENDING:
        await end(database, row, state, next_try_at=NOW + 1000)
    assert await take(database) == []
    assert keys(await take(database, now=NOW + 1000)) == (["a1"] if state is DeliveryState.WAITING else [])


@pytest.mark.parametrize(
    "state", [DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.PARKED, DeliveryState.CANCELLED]
)
async def test_an_end_that_is_known_opens_the_lane(database: Database, state: DeliveryState) -> None:
    await add(database, wish("a1"), wish("a2"))
    [row] = await take(database)
    await end(database, row, state)
    assert keys(await take(database)) == ["a2"]


async def test_a_row_that_must_wait_longer_lets_the_others_go(database: Database) -> None:
    await add(database, wish("a1"), wish("b1", "boris"))
    assert keys(await take(database, delay=lambda row, now: 500 if row.recipient == "anna" else 0)) == ["b1"]
    assert await take(database, now=NOW + 499) == []
    assert keys(await take(database, now=NOW + 500)) == ["a1"]


async def test_only_systems_with_room_are_asked_and_never_for_more(database: Database) -> None:
    await add(database, *(wish(f"k{n}", f"r{n}") for n in range(10)), wish("o1", system="other"))
    assert len(await take(database, room={"wire": 3})) == 3
    assert keys(await take(database, room={"wire": 0, "other": 1})) == ["o1"]
    assert await take(database, room={}) == []


async def test_an_attempt_that_was_none_is_given_back(database: Database) -> None:
    await add(database, wish("a1"))
    [row] = await take(database)
    await end(database, row, DeliveryState.WAITING, error="away", refund=1)
    [again] = await take(database)
    assert again.attempt == 1
    await end(database, again, DeliveryState.WAITING, error="busy", params={"use_template": True})
    [third] = await take(database)
    assert (third.attempt, third.params) == (2, {"use_template": True})


async def test_parked_messages_go_when_their_customer_writes(database: Database) -> None:
    parked = DeliveryState.PARKED
    await add(
        database,
        wish("a1", conversation_id=1, state=parked),
        wish("a2", conversation_id=1, state=parked),
        wish("b1", "boris", conversation_id=2, state=parked),
    )
    assert await take(database) == []
    await database.write(lambda conn: outbox.unpark(conn, [1], now=NOW))
    [row] = await take(database)
    assert row.key == "a1"
    await end(database, row, DeliveryState.DONE)
    assert keys(await take(database)) == ["a2"]
    assert (await states(database))["b1"] == parked


async def test_rows_of_the_only_process_are_of_unknown_end_when_it_died(database: Database) -> None:
    await add(database, wish("a1"), wish("b1", "boris"))
    await take(database, room={"wire": 1})
    assert await database.write(lambda conn: outbox.abandon(conn, now=NOW + 1)) == 1
    assert await states(database) == {"a1": DeliveryState.UNKNOWN, "b1": DeliveryState.WAITING}
    due = await database.write(lambda conn: outbox.unknown_due(conn, now=NOW + 1))
    assert [(row.key, row.attempt) for row in due] == [("a1", 1)]


async def test_the_newest_go_between_the_oldest_when_there_is_not_room_for_all(database: Database) -> None:
    await add(database, *(wish(f"w{n:02}", f"r{n}") for n in range(40)), wish("behind", "r0"))
    assert keys(await take(database, room={"wire": 8})) == ["w00", "w01", "w02", "w03", "w04", "w05", "w38", "w39"]
    assert len(await take(database, room={"wire": 100})) == 32


@pytest.mark.postgres
async def test_rows_of_a_process_without_a_lease_are_of_unknown_end(postgres: Database) -> None:
    database = postgres
    await add(database, wish("a1"), wish("b1", "boris"), wish("c1", "vera"))
    for owner in ("dead", "hung", "alive"):
        lasts_ms = {"hung": -1, "alive": 60_000}.get(owner)
        if lasts_ms is not None:
            await database.write(partial(leases.take, name=f"process:{owner}", owner=owner, lasts_ms=lasts_ms))
        await take(database, room={"wire": 1}, owner=owner)
    assert await database.write(lambda conn: outbox.abandon_of_the_dead(conn, now=NOW + 1)) == 2
    assert await database.write(lambda conn: outbox.abandon_of_the_dead(conn, now=NOW + 1)) == 0
    unknown, sending = DeliveryState.UNKNOWN, DeliveryState.SENDING
    assert await states(database) == {"a1": unknown, "b1": unknown, "c1": sending}


async def test_what_somebody_is_said_to_be_sending_can_be_given_up(database: Database) -> None:
    await add(database, wish("a1"), wish("b1", "boris"))
    [first] = await take(database, room={"wire": 1})
    await take(database, now=NOW + 5)
    assert await database.read(lambda conn: outbox.taken_by(conn, "me", before=NOW + 1)) == {first.id}
    assert await database.read(lambda conn: outbox.taken_by(conn, "you", before=NOW + 9)) == set()
    await database.write(lambda conn: outbox.abandon_some(conn, [first.id], now=NOW + 9))
    assert await states(database) == {"a1": DeliveryState.UNKNOWN, "b1": DeliveryState.SENDING}


async def test_who_waits_is_kept_and_found(database: Database) -> None:
    await add(database, wish("a1", waiters=({"dialog_id": 1},)), wish("b1", "boris"))
    rows = {row.key: row for row in await take(database)}
    await database.write(lambda conn: outbox.set_waiters(conn, rows["a1"].id, [{"dialog_id": 1}, {"dialog_id": 2}]))
    found = await database.write(lambda conn: outbox.waiters_of(conn, [row.id for row in rows.values()]))
    assert found == {rows["a1"].id: [{"dialog_id": 1}, {"dialog_id": 2}]}
    known = await database.write(lambda conn: outbox.by_keys(conn, ["a1", "nothing"]))
    assert set(known) == {"a1"}


async def test_what_is_open_for_too_long_is_stuck(database: Database) -> None:
    await add(database, wish("a1"), wish("b1", "boris", state=DeliveryState.PARKED), wish("c1", "vera"))
    [row] = [row for row in await take(database) if row.key == "c1"]
    await end(database, row, DeliveryState.DONE)
    assert await database.read(lambda conn: outbox.stuck(conn, before=NOW + 1)) == 1
    assert await database.read(lambda conn: outbox.stuck(conn, before=NOW)) == 0


async def test_two_takers_at_once_never_take_one_row(database: Database) -> None:
    await add(database, *(wish(f"{lane}.{n}", f"r{lane}") for lane in range(20) for n in range(3)))
    taken: list[Taken] = []

    async def work() -> None:
        empty = 0
        while empty < 3:
            rows = await take(database, room={"wire": 4})
            taken.extend(rows)
            for row in rows:
                await end(database, row, DeliveryState.DONE)
            empty = 0 if rows else empty + 1

    await asyncio.gather(*(work() for _ in range(4)))
    names = [row.key for row in taken]
    assert len(names) == len(set(names)) == 60
    for lane in range(20):
        assert [name for name in names if name.startswith(f"{lane}.")] == [f"{lane}.{n}" for n in range(3)]


async def test_a_row_that_was_cancelled_while_it_was_sent_stays_so(database: Database) -> None:
    """Its person may have been erased: nothing that the answer brought may come in."""
    await add(database, wish("a"))
    [taken] = await take(database)
    await database.write(lambda conn: conn.execute(text("update deliveries set state = 6, params = '{}'")))
    await end(database, taken, DeliveryState.DONE, external_id="x", result={"name": "Anna"}, params={"text": "hello"})
    query = text("select state, external_id, result, params from deliveries")
    assert await database.read(lambda conn: tuple(conn.execute(query).one())) == (6, None, None, "{}")


async def test_a_row_of_a_doubtful_turn_is_settled_before_it_is_sent(database: Database) -> None:
    await add(database, wish("a", state=DeliveryState.UNKNOWN), wish("b", "boris"))
    assert keys(await take(database)) == ["b"]
    [found] = await database.write(lambda conn: outbox.unknown_due(conn, now=NOW))
    assert (found.key, found.is_doubtful) == ("a", True)


async def test_an_end_that_is_written_twice_counts_once(database: Database) -> None:
    await add(database, wish("a1"))
    [row] = await take(database)
    for _ in range(2):  # its first commit was not answered
        await end(database, row, DeliveryState.WAITING, refund=1)
    [again] = await take(database)
    assert again.attempt == 1
