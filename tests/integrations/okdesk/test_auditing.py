"""What a comparison learns of an account, with and without an attribute for our mark."""

from __future__ import annotations

from contextlib import nullcontext

import orjson
import pytest

from integrations.base import BusinessFact, Later, Never, StoredEvent
from integrations.okdesk import auditing
from integrations.okdesk.auditing import OkdeskAudit, deleted_event, status_event
from integrations.okdesk.reading import okdesk_reader
from tests.integrations.okdesk.conftest import NOW, Desk

KEY = "okdesk.create_issue/17"


def audit(desk: Desk) -> OkdeskAudit:
    assert desk.okdesk.audit is not None
    return desk.okdesk.audit


async def made(desk: Desk, key: str = KEY) -> int:
    done = await desk.run("create_issue", key=key, title="Течёт", contact_phone="+79123456789")
    return int(done.result["id"])


async def test_only_what_changed_since_then_is_asked_for(desk: Desk) -> None:
    first = await made(desk)
    desk.clock.passes(hours=2)
    second = await made(desk, f"{KEY}8")
    since = desk.clock()
    assert [seen.id for seen in await audit(desk).changed_since(since)] == [second]
    assert "updated_since=02-03-2026 17:00:00" in desk.sim.calls[-1][1]  # on the account's clock
    desk.clock.passes(minutes=1)
    await desk.sim.set_status(first, "in_progress")
    [seen, _] = sorted(await audit(desk).changed_since(since), key=lambda seen: seen.id)
    assert (seen.id, seen.status, seen.status_name, seen.reference) == (first, "in_progress", "В работе", KEY)
    assert audit(desk).is_ours(seen)


async def test_more_issues_than_can_be_compared_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "MOST_PAGES", 1)
    for number in range(auditing.PAGE):
        with pytest.raises(Never, match="shorter") if number == auditing.PAGE - 1 else nullcontext():
            await made(desk, f"{KEY}.{number}")
            await audit(desk).changed_since(NOW)


async def test_our_mark_is_compared_as_a_whole(desk: Desk) -> None:
    longer = await made(desk, f"{KEY}8")
    assert await audit(desk).with_key(KEY) == []
    assert [seen.id for seen in await audit(desk).with_key(f"{KEY}8")] == [longer]


async def test_an_account_without_the_attribute_finds_nothing_by_it(desk: Desk) -> None:
    desk.sim.state.attributes.clear()
    issue_id = await made(desk)
    assert await audit(desk).with_key(KEY) == []
    assert await audit(desk.with_settings(dialog_ref_code=None)).with_key(KEY) == []
    seen = await audit(desk).issue(issue_id)
    assert seen is not None
    assert (seen.reference, audit(desk).is_ours(seen)) == (None, False)


async def test_a_deleted_issue_is_none_and_a_merged_one_is_the_survivor(desk: Desk) -> None:
    gone, merged, survivor = await made(desk, "a"), await made(desk, "b"), await made(desk, "c")
    await desk.sim.delete(gone)
    await desk.sim.merge(merged, survivor)
    assert await audit(desk).issue(gone) is None
    assert await audit(desk).comment_ids(gone) == frozenset()
    seen = await audit(desk).issue(merged)
    assert seen is not None
    assert seen.id == survivor
    assert await audit(desk).comment_ids(merged) == frozenset(c["id"] for c in desk.comments(survivor))


async def test_a_system_that_is_away_is_no_deleted_issue(desk: Desk) -> None:
    issue_id = await made(desk)
    desk.sim.trouble = "down"
    for asked in (audit(desk).issue(issue_id), audit(desk).comment_ids(issue_id), audit(desk).changed_since(NOW)):
        with pytest.raises(Later):
            await asked


async def test_what_we_missed_is_read_like_a_webhook(desk: Desk) -> None:
    issue_id = await made(desk)
    await desk.sim.set_status(issue_id, "completed")
    seen = await audit(desk).issue(issue_id)
    assert seen is not None
    read = okdesk_reader(desk.settings)
    facts = []
    for event in (status_event(seen, known="opened"), status_event(seen, known=None), deleted_event(issue_id)):
        assert event.key == f"okdesk:issue:{issue_id}"
        assert orjson.loads(event.body)["event"]["reconciled"] is True
        facts += read(StoredEvent(1, "okdesk", event.kind, event.external_id, event.body, NOW))
    told, untold, deleted = facts
    assert isinstance(told, BusinessFact)
    assert isinstance(untold, BusinessFact)
    assert isinstance(deleted, BusinessFact)
    assert told.event.fields["final"] is True
    assert (told.event.fields["status"], told.event.fields["old_status"]) == ("completed", "opened")
    assert (untold.event.fields["old_status"], untold.event.fields["comment"]) == (None, None)
    assert (deleted.event.kind, deleted.event.fields["issue_id"]) == ("okdesk.issue_deleted", issue_id)
