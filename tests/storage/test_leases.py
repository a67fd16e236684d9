"""One process of many polls; workers hear of events at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.database import connect
from storage.leases import Lease
from storage.wakeups import Wakeups, notify

pytestmark = pytest.mark.postgres


async def test_only_one_holds_a_lease_and_another_takes_it_over(
    postgres_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.leases.TRY_EVERY_S", 0.05)
    url: str = postgres_server.new_database()  # type: ignore[attr-defined]
    working: list[str] = []
    changed = asyncio.Event()

    def work(name: str):  # type: ignore[no-untyped-def]
        async def run() -> None:
            working.append(name)
            changed.set()
            try:
                await asyncio.Event().wait()
            finally:
                working.remove(name)

        return run

    tasks = {name: asyncio.create_task(Lease(url, "poll").hold_while(work(name))) for name in ("a", "b")}
    async with asyncio.timeout(10):
        await changed.wait()
        first = working[0]
        assert working == [first]
        changed.clear()
        tasks[first].cancel()
        await changed.wait()
        second = "b" if first == "a" else "a"
        assert working == [second]
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_a_listener_hears_of_a_commit_and_not_before(postgres_server: object, tmp_path: Path) -> None:
    url: str = postgres_server.new_database()  # type: ignore[attr-defined]
    heard = asyncio.Event()
    listening = asyncio.create_task(Wakeups(url, on_event=heard.set).run())
    database = connect(url)
    await database.open()
    async with asyncio.timeout(10):
        await heard.wait()  # once, when it begins to listen
        heard.clear()
        await database.write(notify)
        await heard.wait()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await database.close()
