"""One process of many does it; a dead one is noticed; workers hear of events at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from storage import leases, migrate, tables
from storage.database import Database, connect
from storage.leases import Lease, Presence
from storage.wakeups import Wakeups, notify
from tests.conftest import PostgresServer
from tests.waiting import until


class Work:
    """What must not be done twice at once."""

    def __init__(self) -> None:
        self.at_it: list[str] = []

    def of(self, name: str) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            assert not self.at_it
            self.at_it.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.at_it.remove(name)

        return work


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LASTS_MS", 400)
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.1)
    monkeypatch.setattr(leases, "TRY_EVERY_S", 0.05)


async def held(database: Database) -> dict[str, str]:
    query = select(tables.leases)
    return await database.read(lambda conn: {row.name: row.owner for row in conn.execute(query)})


async def test_a_lease_is_one_owners_until_its_end(database: Database) -> None:
    async def take(owner: str, lasts_ms: int = 60_000) -> bool:
        return await database.write(lambda conn: leases.take(conn, "x", owner, lasts_ms=lasts_ms))

    assert [await take("a"), await take("b"), await take("a", -1)] == [True, False, True]
    assert [await take("b"), await take("a")] == [True, False]
    await database.write(lambda conn: leases.give_back(conn, "x", "a"))  # it is not a's any more
    assert await held(database) == {"x": "b"}
    await database.write(lambda conn: leases.give_back(conn, "x", "b"))
    assert await take("a")


@pytest.mark.usefixtures("quick")
async def test_only_one_works_and_another_takes_it_over_at_once(database: Database) -> None:
    work = Work()
    tasks = {name: asyncio.create_task(Lease(database, "poll", name).hold_while(work.of(name))) for name in ("a", "b")}
    await until(lambda: work.at_it, "nobody works")
    [first] = work.at_it
    tasks[first].cancel()
    second = "b" if first == "a" else "a"
    await until(lambda: work.at_it == [second], "nobody took it over")
    assert await held(database) == {"poll": second}
    tasks[second].cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert await held(database) == {}


@pytest.mark.usefixtures("quick")
async def test_who_cannot_reach_the_database_stops_before_another_one_begins(database: Database) -> None:
    work, of_a = Work(), connect(database.url)
    await of_a.open()
    first = asyncio.create_task(Lease(of_a, "poll", "a").hold_while(work.of("a")))
    await until(lambda: work.at_it == ["a"], "nobody works")
    second = asyncio.create_task(Lease(database, "poll", "b").hold_while(work.of("b")))
    await of_a.close()
    await until(lambda: work.at_it == ["b"], "nobody took it over")  # `Work` sees to it that a has stopped
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


@pytest.mark.usefixtures("quick")
async def test_an_error_of_the_work_is_told(database: Database) -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Lease(database, "poll", "a").hold_while(fails)


@pytest.mark.usefixtures("quick")
async def test_a_process_is_there_while_it_says_so(database: Database) -> None:
    presence = Presence(database, "host:1")
    await presence.begin()
    running = asyncio.create_task(presence.run())
    await asyncio.sleep(0)
    assert await held(database) == {"process:host:1": "host:1"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await presence.end()
    assert await held(database) == {}


@pytest.mark.postgres
async def test_a_listener_hears_of_a_commit_and_not_before(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    heard = asyncio.Event()
    listening = asyncio.create_task(Wakeups(url, on_event=heard.set).run())
    database = connect(url)
    await database.open()
    await database.write(migrate.upgrade)
    async with asyncio.timeout(10):
        await heard.wait()  # once, when it begins to listen
        heard.clear()
        await database.write(notify)
        await heard.wait()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await database.close()
