"""All comparisons of one run, and mending what may be mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from bot.clock import Clock
from bot.reconciling.differences import Adopt, Difference, Feed, Mend
from bot.reconciling.okdesk import OkdeskComparison
from bot.reconciling.onec import OnecComparison
from integrations.base import Integration, Later, Never, Unknown
from integrations.okdesk import OkdeskIntegration
from integrations.onec import OnecIntegration
from storage import dead_letters, inbox, ledger, wakeups
from storage.clock import to_ms
from storage.database import Database
from storage.inbox import NewEvent

log = structlog.get_logger(__name__)

SYSTEMS = ("okdesk", "onec")


class Unreachable(Exception):
    """A system did not answer to the end: nothing can be said of it, and nothing of it is mended."""

    def __init__(self, system: str, reason: str) -> None:
        super().__init__(f"{system}: {reason}")
        self.system = system


class Reconciliation:
    def __init__(
        self,
        database: Database,
        integrations: Mapping[str, Integration],
        *,
        clock: Clock,
        on_events: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._integrations = integrations
        self._clock = clock
        self._on_events = on_events

    def systems(self) -> list[str]:
        """Those that are configured as far as we may ask them."""
        return [name for name in SYSTEMS if getattr(self._integrations.get(name), "audit", None) is not None]

    async def differences(self, system: str, since: datetime) -> list[Difference]:
        """Raises Unreachable, DatabaseAway."""
        integration = self._integrations[system]
        try:
            if isinstance(integration, OkdeskIntegration) and integration.audit is not None:
                return await OkdeskComparison(self._database, integration.audit, integration.actions).differences(since)
            assert isinstance(integration, OnecIntegration)
            assert integration.audit is not None
            comparison = OnecComparison(self._database, integration.audit, now=self._clock.now())
            return await comparison.differences(since)
        except (Later, Never, Unknown) as error:
            raise Unreachable(system, str(error)) from error

    async def mend(self, differences: Sequence[Difference]) -> list[bool]:
        """For each, whether it was mended now. Each is a transaction of its own; twice is as good as once."""
        mended = []
        for difference in differences:
            done = difference.mend is not None and await self._database.write(
                partial(_mend, mend=difference.mend, now=to_ms(self._clock.now()))
            )
            if done:
                log.info("difference_mended", system=difference.system, kind=difference.kind, what=difference.what)
            mended.append(done)
        if any(mended):
            self._on_events()
        return mended


def _mend(conn: Connection, mend: Mend, now: int) -> bool:
    if isinstance(mend, Adopt):
        done = mend.done
        was_mended = ledger.adopt(conn, mend.delivery_id, external_id=done.external_id, result=done.result, now=now)
    elif isinstance(mend, Feed):
        event = mend.event
        new = NewEvent(mend.source, event.external_id, event.kind, event.key, event.body, now)
        was_mended = inbox.put(conn, [new], same=lambda source, first, second: True)[0].is_new
    else:
        was_mended = dead_letters.revive(conn, [mend.delivery_id], now=now, ends_unknown=True) > 0
    if was_mended:
        wakeups.notify(conn)
    return was_mended
