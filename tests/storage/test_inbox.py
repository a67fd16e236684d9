"""The inbox: every event once, in order within its key, taken by one worker at a time."""

from __future__ import annotations

import asyncio

import pytest

from storage import inbox
from storage.database import Database
from storage.inbox import Claim, NewEvent, Settled
from storage.tables import EventState

NOW = 1_790_000_000_000


def event(name: str, key: str = "k", *, body: bytes = b"{}", at: int | None = None) -> NewEvent:
    return NewEvent("test", name, "message", key, body, NOW, at)


async def take(database: Database, claim: Claim | None = None, *, now: int = NOW) -> list[str]:
    claimed = await database.write(lambda conn: (claim or Claim()).take(conn, now=now))
    return [c.external_id for c in claimed]


async def test_an_event_counts_once(database: Database) -> None:
    first = await database.write(lambda conn: inbox.put(conn, [event("a"), event("b")]))
    again = await database.write(lambda conn: inbox.put(conn, [event("b"), event("c")]))
    assert [s.is_new for s in first] == [True, True]
    assert [s.is_new for s in again] == [False, True]
    assert again[0].id == first[1].id
    assert not again[0].is_conflict


async def test_a_repeat_inside_one_request_counts_once(database: Database) -> None:
    stored = await database.write(lambda conn: inbox.put(conn, [event("a"), event("a")]))
    assert [s.is_new for s in stored] == [True, False]
    assert stored[0].id == stored[1].id


async def test_another_body_under_the_same_id_is_a_conflict_and_is_kept(database: Database) -> None:
    await database.write(lambda conn: inbox.put(conn, [event("a", body=b"1")]))
    stored = await database.write(lambda conn: inbox.put(conn, [event("a", body=b"2")]))
    assert stored[0].is_conflict
    kept = await database.read(lambda conn: conn.exec_driver_sql("select body from conflicts").fetchall())
    assert [bytes(row[0]) for row in kept] == [b"2"]


async def test_the_order_within_a_key_is_that_of_the_events_own_time(database: Database) -> None:
    late = event("late", at=NOW + 5000)
    early = event("early", at=NOW - 5000)
    await database.write(lambda conn: inbox.put(conn, [late, event("arrived"), early]))
    assert await take(database) == ["early", "arrived", "late"]


async def test_a_postponed_event_holds_back_its_key_and_no_other(database: Database) -> None:
    stored = await database.write(lambda conn: inbox.put(conn, [event("a1", "a"), event("a2", "a"), event("b1", "b")]))
    await database.write(lambda conn: inbox.postpone(conn, stored[0].id, until=NOW + 1000, error="later"))
    assert await take(database) == ["b1"]
    assert sorted(await take(database, now=NOW + 1000)) == ["a1", "a2", "b1"]


async def test_a_held_event_lets_its_key_go_on_until_it_is_released(database: Database) -> None:
    stored = await database.write(lambda conn: inbox.put(conn, [event("a1"), event("a2")]))
    await database.write(lambda conn: inbox.hold(conn, stored[0].id, until=NOW + 1000))
    assert await take(database) == ["a2"]
    assert await database.write(lambda conn: inbox.release(conn, ["k"])) == 1
    assert await take(database) == ["a1", "a2"]


async def test_a_held_event_is_released_when_its_time_is_over(database: Database) -> None:
    stored = await database.write(lambda conn: inbox.put(conn, [event("a1")]))
    await database.write(lambda conn: inbox.hold(conn, stored[0].id, until=NOW + 1000))
    assert await database.write(lambda conn: inbox.release_due(conn, now=NOW)) == 0
    assert await database.write(lambda conn: inbox.release_due(conn, now=NOW + 1000)) == 1
    assert await take(database) == ["a1"]


async def test_a_settled_event_is_not_taken_again_until_it_is_replayed(database: Database) -> None:
    stored = await database.write(lambda conn: inbox.put(conn, [event("a")]))
    ended = Settled(stored[0].id, EventState.DEAD, error="no")
    await database.write(lambda conn: inbox.settle(conn, [ended], now=NOW))
    assert await take(database) == []
    assert await database.read(inbox.dead_ids) == [stored[0].id]
    assert await database.write(lambda conn: inbox.replay(conn, [stored[0].id])) == 1
    assert await take(database) == ["a"]


async def test_many_waiting_events_of_one_key_come_in_portions(database: Database) -> None:
    await database.write(lambda conn: inbox.put(conn, [event(f"{n:03}") for n in range(40)]))
    assert len(await take(database, Claim(per_key=16))) == 16


@pytest.mark.postgres
async def test_who_writes_now_is_not_behind_everybody_who_wrote_during_an_outage(database: Database) -> None:
    backlog = [event(f"{key}.{n}", f"k{key}") for n in range(3) for key in range(100)]
    await database.write(lambda conn: inbox.put(conn, backlog))
    await database.write(lambda conn: inbox.put(conn, [event("98.3", "k98"), event("now.1", "new")]))
    taken = await take(database, Claim(keys=8, per_key=2))
    assert {f"{key}.{n}" for key in range(6) for n in range(2)} < set(taken)
    assert "now.1" in taken
    assert {"98.0", "98.1"} <= set(taken)  # heard of last, and handled in its order all the same
    assert len(taken) == len(set(taken))


async def test_two_workers_never_hold_the_same_key(postgres_server: object) -> None:
    from storage import migrate
    from storage.database import connect

    url = postgres_server.new_database()  # type: ignore[attr-defined]
    database = connect(url)
    await database.open()
    await database.write(migrate.upgrade)
    await database.write(
        lambda conn: inbox.put(conn, [event(f"{key}{n}", f"k{key}") for key in range(20) for n in range(10)])
    )
    handled: list[str] = []

    async def work() -> None:
        claim = Claim(keys=3, per_key=2)

        def cycle(conn: object) -> list[str]:
            taken = claim.take(conn, now=NOW)  # type: ignore[arg-type]
            inbox.settle(conn, [Settled(t.id, EventState.DONE) for t in taken], now=NOW)  # type: ignore[arg-type]
            return [t.external_id for t in taken]

        empty = 0
        while empty < 3:
            done = await database.write(cycle)
            handled.extend(done)
            empty = 0 if done else empty + 1

    await asyncio.gather(*(work() for _ in range(6)))
    assert len(handled) == len(set(handled)) == 200
    await database.close()
