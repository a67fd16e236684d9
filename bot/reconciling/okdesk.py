"""Issues and comments that we ordered, against those that are in Okdesk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bot.reconciling.differences import Adopt, Difference, Feed, SendAgain
from integrations.base import Action, Done, Never, Order
from integrations.okdesk.auditing import OkdeskAudit, SeenIssue, deleted_event, deleted_key, status_event
from storage import ledger
from storage.clock import from_ms, to_ms
from storage.database import Database
from storage.ledger import OurOrder
from storage.tables import DeliveryState

SYSTEM = "okdesk"
CREATE, COMMENT = "okdesk.create_issue", "okdesk.add_comment"
CLOCKS_APART = timedelta(minutes=10)  # Okdesk's clock against ours
AT_ONCE = 500  # ids of one question to our database


class Untold(Exception):
    """Okdesk refuses to tell what became of an order: nobody knows more than before."""


class OkdeskComparison:
    """One comparison; a new one for each."""

    def __init__(self, database: Database, audit: OkdeskAudit, actions: Mapping[str, Action]) -> None:
        self._database = database
        self._audit = audit
        self._actions = actions
        self._seen: dict[int, SeenIssue] = {}
        self._by_reference: dict[str, list[SeenIssue]] = {}
        self._ours: set[str] = set()  # references of orders of ours
        self._created: dict[int, OurOrder] = {}  # issues that our outbox says were made
        self._comments: dict[int, frozenset[int]] = {}

    async def differences(self, since: datetime) -> list[Difference]:
        """Raises Later, Never, Unknown when Okdesk does not answer to the end, and DatabaseAway."""
        for seen in await self._audit.changed_since(since - CLOCKS_APART):
            self._note(seen)
        found: list[Difference] = []
        async for order in orders_since(self._database, [CREATE, COMMENT], since):
            found += await (self._creation(order) if order.action == CREATE else self._comment(order))
        found += await self._strangers()
        found += await self._statuses()
        return found

    def _note(self, seen: SeenIssue) -> None:
        if seen.id not in self._seen and seen.reference is not None:
            self._by_reference.setdefault(seen.reference, []).append(seen)
        self._seen.setdefault(seen.id, seen)

    # ------------------------------------------------------------------------------------------------ creations

    async def _creation(self, order: OurOrder) -> list[Difference]:
        reference = self._audit.reference(order.key)
        self._ours.add(reference)
        if order.state not in (DeliveryState.DONE, DeliveryState.DEAD):
            return []  # it is under way, and whoever sends it looks by himself
        what = order.key
        hits = self._by_reference.get(reference, [])
        if not hits:
            for seen in await self._audit.with_key(order.key):
                self._note(seen)
            hits = self._by_reference.get(reference, [])
        found = []
        if len(hits) > 1:
            numbers = ", ".join(str(hit.id) for hit in sorted(hits, key=lambda hit: hit.id))
            found.append(Difference(SYSTEM, "twice", what, there=numbers))
        if order.state is DeliveryState.DONE:
            return found + await self._made(order)
        if hits or order.is_end_unknown:
            return found + await self._given_up(order, what, hits)
        return found

    async def _made(self, order: OurOrder) -> list[Difference]:
        """An issue whose number we know."""
        if order.external_id is None or not order.external_id.isdigit():
            return []
        issue_id = int(order.external_id)
        self._created[issue_id] = order
        if issue_id in self._seen:
            return []
        seen = await self._audit.issue(issue_id)
        if seen is not None:
            self._note(seen)  # merged issues come under the number of the one that is left
            return []
        if await self._database.read(lambda conn: ledger.has_event(conn, SYSTEM, deleted_key(issue_id))):
            return []  # Okdesk told us that it was deleted
        mend = Feed(SYSTEM, deleted_event(issue_id))
        return [Difference(SYSTEM, "missing", f"issue {issue_id}", mend=mend)]

    async def _given_up(self, order: OurOrder, what: str, hits: Sequence[SeenIssue]) -> list[Difference]:
        try:
            done = await self._settled(order)
        except Untold:
            if not hits:
                return []
            done = None
        if done is None and hits:
            done = _as_done(min(hits, key=lambda hit: hit.id))  # incomplete, a file may be lacking: still it is there
        return [_ended_unknown(order, what, done)]

    async def _settled(self, order: OurOrder) -> Done | None:
        """What the action itself finds out about a lost answer. Raises Untold when it cannot."""
        action = self._actions[order.action]
        if action.settle is None:
            raise Untold
        created_at = from_ms(order.created_at)
        try:
            return await action.settle(Order(order.key, order.action, "", order.params, order.attempts + 1, created_at))
        except Never as error:
            if error.stops_system:
                raise
            raise Untold from error

    # ------------------------------------------------------------------------------------------------- comments

    async def _comment(self, order: OurOrder) -> list[Difference]:
        issue_id = order.params.get("issue_id")
        what = order.key
        if order.state is DeliveryState.DONE and order.external_id and str(issue_id).isdigit():
            ids = await self._comments_of(int(str(issue_id)))
            if order.external_id.isdigit() and int(order.external_id) not in ids:
                return [Difference(SYSTEM, "comment", f"issue {issue_id}", there=order.external_id)]
        elif order.is_end_unknown:
            try:
                return [_ended_unknown(order, what, await self._settled(order))]
            except Untold:  # its issue is gone, for one
                return []
        return []

    async def _comments_of(self, issue_id: int) -> frozenset[int]:
        if issue_id not in self._comments:
            self._comments[issue_id] = await self._audit.comment_ids(issue_id)
        return self._comments[issue_id]

    # ---------------------------------------------------------------------------------------- strangers, statuses

    async def _strangers(self) -> list[Difference]:
        """Issues with a mark of ours that no order of ours has; older orders than we compared are known too."""
        open_ = {
            seen.reference: seen
            for seen in self._seen.values()
            if seen.reference is not None and seen.reference not in self._ours and self._audit.is_ours(seen)
        }
        found = []
        for some in _parts(sorted(open_)):
            known = await self._database.read(partial(ledger.known_keys, keys=some))
            # A long key is a fingerprint in Okdesk, which leads to no row of ours.
            found += [
                Difference(SYSTEM, "stranger", f"issue {open_[name].id}")
                for name in some
                if name not in known and "~" not in name
            ]
        return found

    async def _statuses(self) -> list[Difference]:
        found = []
        for some in _parts(sorted(self._seen)):
            known = await self._database.read(partial(ledger.known_statuses, issue_ids=some))
            for issue_id in some:
                seen = self._seen[issue_id]
                is_ours = issue_id in known or issue_id in self._created
                ours = known.get(issue_id)
                if is_ours and seen.status is not None and seen.status != ours and not await self._is_coming(issue_id):
                    mend = Feed(SYSTEM, status_event(seen, known=ours))
                    found.append(Difference(SYSTEM, "status", f"issue {issue_id}", ours or "-", seen.status, mend))
        return found

    async def _is_coming(self, issue_id: int) -> bool:
        """Its webhook is here and waits, perhaps for the question of another dialog to be left."""
        prefix = f"new_ticket_status:{issue_id}:"
        return await self._database.read(partial(ledger.is_on_its_way, source=SYSTEM, prefix=prefix))


def _ended_unknown(order: OurOrder, what: str, done: Done | None) -> Difference:
    """An order whose end was not known, now that it is."""
    if done is None:
        return Difference(SYSTEM, "undone", what, mend=SendAgain(order.id))
    return Difference(SYSTEM, "unknown", what, there=done.external_id or "", mend=Adopt(order.id, done))


def _as_done(seen: SeenIssue) -> Done:
    fields: dict[str, Any] = {
        "id": seen.id, "number": str(seen.id), "status": seen.status, "status_name": seen.status_name,
    }  # fmt: skip
    return Done(fields, external_id=str(seen.id))


async def orders_since(database: Database, actions: Sequence[str], since: datetime) -> AsyncIterator[OurOrder]:
    """Orders of these actions since then, part by part."""
    before = 2**62
    while before:
        part = partial(ledger.orders_before, actions=actions, before=before, since=to_ms(since))
        orders, before = await database.read(part)
        for order in orders:
            yield order


def _parts(items: Sequence[Any]) -> list[list[Any]]:
    return [list(items[start : start + AT_ONCE]) for start in range(0, len(items), AT_ONCE)]
