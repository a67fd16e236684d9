"""Leases: which of several processes may do what must not be done twice at once, and which processes are alive.

A lease is a row with an end, told by the database's clock. It ends by itself when its holder dies, hangs, or cannot
reach the database. It is not a lock of a session: behind a pooler in transaction mode there are no sessions
(docs/decisions/0016).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import Connection, delete, text

from storage.database import Database, DatabaseAway
from storage.faults import FaultPoint
from storage.tables import leases

log = structlog.get_logger(__name__)

LASTS_MS = 4_000
RENEW_EVERY_S = 1.0
TRY_EVERY_S = 1.0
POSTGRES_NOW = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)"
PROCESS = "process:"  # the lease of a process is named after it: whoever has none is dead

_RENEWING = FaultPoint("presence.renewing", stalls=True, away=lambda: DatabaseAway("a fault of a rehearsal"))

_TAKE = """
    insert into leases (name, owner, expires_at) values (:name, :owner, {now} + :lasts)
    on conflict (name) do update set owner = excluded.owner, expires_at = excluded.expires_at
    where leases.owner = excluded.owner or leases.expires_at < {now}
    returning name
"""
_TAKE_POSTGRES = text(_TAKE.replace("{now}", POSTGRES_NOW))
_TAKE_SQLITE = text(_TAKE.replace("{now}", ":now"))


def take(conn: Connection, name: str, owner: str, *, lasts_ms: int = LASTS_MS) -> bool:
    """Take a lease that nobody holds, or hold it longer. False: somebody else holds it."""
    given = {"name": name, "owner": owner, "lasts": lasts_ms}
    if conn.dialect.name == "postgresql":
        return conn.execute(_TAKE_POSTGRES, given).first() is not None
    return conn.execute(_TAKE_SQLITE, {**given, "now": int(time.time() * 1000)}).first() is not None


def give_back(conn: Connection, name: str, owner: str) -> None:
    conn.execute(delete(leases).where(leases.c.name == name, leases.c.owner == owner))


class Lease:
    """Work that one process of many does; another one takes it over within LASTS_MS and TRY_EVERY_S."""

    def __init__(self, database: Database, name: str, owner: str) -> None:
        self._database = database
        self._name = name
        self._owner = owner

    async def hold_while(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then work; when the lease is lost, stop and wait for it again. Until cancelled."""
        while True:
            if await self._take():
                log.info("lease_taken", lease=self._name)
                try:
                    await self._work(work)
                finally:
                    await self._give_back()
                log.warning("lease_lost", lease=self._name)
            await asyncio.sleep(TRY_EVERY_S)

    async def _work(self, work: Callable[[], Awaitable[None]]) -> None:
        working = asyncio.ensure_future(work())
        keeping = asyncio.create_task(self._keep())
        try:
            done, _ = await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if working in done:
                working.result()
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.gather(working, keeping, return_exceptions=True)

    async def _keep(self) -> None:
        """Renew it; return when it is lost, or when it may soon be without our knowing."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        sure_until = asked_at + LASTS_MS / 1000
        while loop.time() + RENEW_EVERY_S < sure_until:
            await asyncio.sleep(RENEW_EVERY_S)
            asked_at = loop.time()
            try:
                async with asyncio.timeout(max(sure_until - asked_at, 0.0)):
                    is_ours = await self._database.write(lambda conn: take(conn, self._name, self._owner))
            except (DatabaseAway, TimeoutError):
                continue
            if not is_ours:
                return
            sure_until = asked_at + LASTS_MS / 1000

    async def _take(self) -> bool:
        try:
            return await self._database.write(lambda conn: take(conn, self._name, self._owner))
        except DatabaseAway as error:
            log.warning("lease_waits_for_database", lease=self._name, error=str(error))
            return False

    async def _give_back(self) -> None:
        try:
            await self._database.write(lambda conn: give_back(conn, self._name, self._owner))
        except DatabaseAway:
            log.info("lease_left_to_expire", lease=self._name)


class Presence:
    """Tells the other processes that this one is alive; they take over the sends of one that is not."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._name = PROCESS + owner

    async def begin(self) -> None:
        """To be called before the first row is taken. Raises DatabaseAway."""
        await self._database.write(lambda conn: take(conn, self._name, self._owner))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                _RENEWING.hit()
                await self.begin()
            except DatabaseAway as error:
                log.warning("presence_waits_for_database", error=str(error))

    async def end(self) -> None:
        """Nothing of ours is being sent any more."""
        try:
            await self._database.write(lambda conn: give_back(conn, self._name, self._owner))
        except DatabaseAway:
            log.info("presence_left_to_expire")
