"""Every night our ledger is compared with the other side; managers hear of differences, nothing is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import orjson
import structlog
from sqlalchemy import Connection

from bot.clock import Clock
from bot.reconciling.differences import Difference, sums
from bot.reconciling.reconciliation import Reconciliation, Unreachable
from storage import inbox, wakeups
from storage.clock import to_ms
from storage.database import Database, DatabaseAway
from storage.inbox import NewEvent

log = structlog.get_logger(__name__)

AT = time(3, 30)
LOOKS_BACK = timedelta(days=1, hours=1)  # the nights overlap: what changed while one of them ran is in the next
MOST_LINES = 20  # of a notice
LANG = "ru"  # of the managers' group
LONGEST_SLEEP_S = 60.0  # the computer may sleep, and clocks are set


class NightlyReconciliation:
    def __init__(
        self,
        database: Database,
        reconciliation: Reconciliation,
        *,
        clock: Clock,
        zone: ZoneInfo,
        on_events: Callable[[], None],
    ) -> None:
        self._database = database
        self._reconciliation = reconciliation
        self._clock = clock
        self._zone = zone
        self._on_events = on_events

    async def run(self) -> None:
        """Until cancelled."""
        due = next_night(self._clock.now(), self._zone)
        while True:
            left = (due - self._clock.now()).total_seconds()
            if left > 0:
                await asyncio.sleep(min(left, LONGEST_SLEEP_S))
                continue
            await self.night()
            due = next_night(self._clock.now(), self._zone)

    async def night(self) -> None:
        """Compare; whatever goes wrong is in the log, and the service goes on."""
        try:
            await self.compare()
        except DatabaseAway as error:
            log.warning("reconciliation_not_made", error=str(error))
        except Exception:
            log.exception("reconciliation_failed")

    async def compare(self) -> None:
        """Compare now. Raises DatabaseAway."""
        now = self._clock.now()
        found: list[Difference] = []
        for system in self._reconciliation.systems():
            try:
                found += await self._reconciliation.differences(system, now - LOOKS_BACK)
            except Unreachable as error:
                log.warning("reconciliation_not_made", system=system, error=str(error))
        log.info("reconciled", systems=self._reconciliation.systems(), differences=len(found))
        if not found:
            return
        for difference in found:
            log.warning("difference", system=difference.system, kind=difference.kind, what=difference.what)
        notice = NewEvent(
            source="reconciliation",
            external_id=f"{now.astimezone(self._zone):%Y-%m-%d}",  # one a night, whichever process made it
            kind="differences",
            key="reconciliation",
            body=orjson.dumps({"text": _told(found)}),
            received_at=to_ms(now),
        )
        await self._database.write(partial(_put, notice=notice))
        self._on_events()


def _put(conn: Connection, notice: NewEvent) -> None:
    inbox.put(conn, [notice], same=lambda source, first, second: True)
    wakeups.notify(conn)


def _told(found: list[Difference]) -> str:
    lines = [f"сверка, {sums(found, LANG)}", *(difference.told(LANG) for difference in found[:MOST_LINES])]
    if len(found) > MOST_LINES:
        lines.append("…")
    lines.append("Подробности: fixit reconcile; исправить: fixit reconcile --repair")
    return "\n".join(lines)


def next_night(now: datetime, zone: ZoneInfo) -> datetime:
    """The next 03:30 of the service's zone. A night in which the clock jumps over it has it an hour later."""
    local = now.astimezone(zone)
    day = local.date() if local.timetz().replace(tzinfo=None) < AT else local.date() + timedelta(days=1)
    return datetime.combine(day, AT, zone)
