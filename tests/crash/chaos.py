"""Everything goes wrong at once: faults in the code, killed and suspended processes, other sides and a database away.

Which fault comes when is drawn by lot from the registry of `storage.faults`, so a new fault point takes part without
anybody remembering it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import asyncpg
from sqlalchemy import make_url

import bot.services  # noqa: F401 - every fault point that there is registers itself
from bot.demo.run import StandInServers
from storage.faults import POINTS
from tests.conftest import PostgresServer
from tests.crash.processes import Child

BETWEEN_S = (0.05, 0.5)  # two troubles from outside
TROUBLE_S = (0.1, 0.6)  # how long another side is in trouble
SUSPENDED_S = 5.0  # longer than a lease lasts
LATEST_HIT = 60
FAULTS_OF_A_LIFE = 5
ONLY_SQLITE, ONLY_POSTGRES = ("sqlite.",), ("postgres.", "wakeups.", "presence.")


def possible_faults(database_url: str, *, serves: bool, works: bool) -> list[tuple[str, str]]:
    """Every (point, kind) that a process may meet, fatal ones included."""
    foreign = ONLY_POSTGRES if database_url.startswith("sqlite") else ONLY_SQLITE
    return [
        (name, kind)
        for name, point in sorted(POINTS.items())
        for kind in point.kinds
        if not name.startswith(foreign)
        and (serves or not name.startswith("intake."))
        and (works or not name.startswith(("worker.", "sender.", "timers.", "presence.", "wakeups.")))
    ]


@dataclass
class Chaos:
    """Breaks things until it was enough."""

    servers: StandInServers
    children: list[Child]
    database_url: str
    chance: random.Random
    postgres: PostgresServer | None = None
    kills: int = 0
    outside: Counter[str] = field(default_factory=Counter)

    async def run(self, *, kills: int, faults: int) -> None:
        """Until so many processes died and so many other things went wrong."""
        watching = [asyncio.create_task(self._keep_alive(child)) for child in self.children]
        troubles = self._troubles()
        weights = [weight for weight, _ in troubles.values()]
        try:
            while self.kills < kills or self.faults().total() < faults:
                await asyncio.sleep(self.chance.uniform(*BETWEEN_S))
                for task in watching:
                    if task.done():
                        task.result()
                [(name, (_, trouble))] = self.chance.choices(list(troubles.items()), weights)
                self.outside[name] += 1
                await trouble()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def faults(self) -> Counter[str]:
        """What went wrong without ending a process, by its name."""
        injected = Counter(name for name in self.injected().elements() if not name.endswith("=kill"))
        return injected + Counter({name: n for name, n in self.outside.items() if name != "kill"})

    def injected(self) -> Counter[str]:
        """Faults that the processes say they met: POINT=KIND."""
        met: Counter[str] = Counter()
        for log in {child.log for child in self.children}:
            for line in log.read_text(errors="replace").splitlines():
                if '"fault_injected"' in line:
                    with suppress(json.JSONDecodeError):  # a line that a dying process wrote half
                        entry = json.loads(line)
                        met[f"{entry['point']}={entry['kind']}"] += 1
        return met

    # ------------------------------------------------------------------------------------------------- in the code

    async def _keep_alive(self, child: Child) -> None:
        """Each life of a process has its own lot of faults."""
        while True:
            child.environment["FAULTS"] = self._lot(child)
            await child.spawn()
            await child.ended()
            self.kills += 1

    def _lot(self, child: Child) -> str:
        possible = possible_faults(self.database_url, serves=child.command == "serve", works=True)
        fatal = [fault for fault in possible if fault[1] == "kill"]
        chosen = [
            self.chance.choice(fatal),
            *self.chance.choices([f for f in possible if f not in fatal], k=FAULTS_OF_A_LIFE),
        ]
        return ",".join(f"{name}={kind}@{int(LATEST_HIT ** self.chance.random())}" for name, kind in chosen)

    # ------------------------------------------------------------------------------------------------ from outside

    def _troubles(self) -> dict[str, tuple[int, Callable[[], Awaitable[None]]]]:
        """Each with its weight in the lot."""
        troubles: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {"kill": (1, self._kill)}
        for system in ("whatsapp", "telegram", "okdesk"):
            for what in ("down", "slow", "lost_answer", "duplicate"):
                troubles[f"{system} {what}"] = (4, partial(self._trouble, system, what))
        if len(self.children) > 1:
            troubles["suspend"] = (2, self._suspend)
        if self.postgres is not None:
            troubles["connections ended"] = (4, self._end_connections)
            troubles["server restarted"] = (1, partial(asyncio.to_thread, self.postgres.restart))
        return troubles

    async def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def _suspend(self) -> None:
        """As a virtual machine that stands still: its leases end, and it does not know."""
        pid = self._signal(signal.SIGSTOP)
        if pid is not None:
            asyncio.get_running_loop().call_later(SUSPENDED_S, _go_on, pid)

    def _signal(self, number: signal.Signals) -> int | None:
        pid = self.chance.choice(self.children).pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid

    async def _trouble(self, system: str, what: str) -> None:
        simulator = self.servers.all()[system]
        before, simulator.trouble = simulator.trouble, what
        await asyncio.sleep(self.chance.uniform(*TROUBLE_S))
        simulator.trouble = before

    async def _end_connections(self) -> None:
        """What a failover or an operator does: every session of the database is ended in the middle of its work."""
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(
                make_url(self.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
            )
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            await connection.close()


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
