"""Our ledger against the stand-ins of Okdesk and 1C: each kind of difference, and what mends it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from bot.reconciling.differences import Difference
from bot.reconciling.nightly import NightlyReconciliation, next_night
from bot.reconciling.reconciliation import Reconciliation, Unreachable
from storage import outbox
from storage.clock import to_ms
from storage.outbox import NewDelivery
from storage.tables import DeliveryState
from tests.bot.service import EVERYTHING, alone
from tests.bot.test_cli import ROOT, fixit
from tests.conversations.people import Customer, World
from tests.conversations.test_lead import orders_repair
from tests.stage import Stage, sqlite_url, staged


@dataclass
class Ledger:
    """A customer with one issue, and what the comparison says of it."""

    world: World
    anna: Customer
    issue: dict[str, Any]

    @property
    def stage(self) -> Stage:
        return self.world.stage

    @property
    def id(self) -> int:
        return int(self.issue["id"])

    def reconciliation(self) -> Reconciliation:
        return self.stage.service.reconciliation()

    async def differences(self, system: str = "okdesk") -> list[Difference]:
        return await self.reconciliation().differences(system, self.stage.now() - timedelta(days=1))

    async def kinds(self, system: str = "okdesk") -> list[str]:
        return [difference.kind for difference in await self.differences(system)]

    async def mended(self, system: str = "okdesk") -> list[bool]:
        mended = await self.reconciliation().mend(await self.differences(system))
        await self.stage.quiet()
        return mended

    async def change(self, sql: str, **values: Any) -> None:
        await self.stage.database.write(lambda conn: conn.execute(text(sql), values))

    def loses_hooks(self) -> list[bytes]:
        """Webhooks that were not sent yet, taken out of the queue."""
        queue, lost = self.stage.okdesk.hooks._queue, []
        while not queue.empty():
            lost.append(queue.get_nowait())
            queue.task_done()
        return lost

    async def hooks_come(self, lost: list[bytes]) -> None:
        for body in lost:
            self.stage.okdesk.hooks._queue.put_nowait(body)
        await self.stage.quiet()

    async def gives_up(self, action: str) -> None:
        """As if the answer of this order had been lost and nobody had found out."""
        await self.change(
            "update deliveries set state = 5, code = 'unknown', error = :error, external_id = null, result = null"
            " where action = :action",
            action=action,
            error=outbox.PERHAPS_DONE,
        )

    async def delivery(self, action: str) -> Any:
        [row] = await self.stage.rows("select * from deliveries where action = :action", action=action)
        return row


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with staged(sqlite_url(tmp_path)) as stage:
        yield await opened(stage)


@pytest.fixture
async def any_ledger(database_url: str) -> AsyncIterator[Ledger]:
    async with staged(database_url) as stage:
        yield await opened(stage)


async def opened(stage: Stage) -> Ledger:
    world = World(stage, "whatsapp")
    anna = world.whatsapp("Анна")
    made = Ledger(world, anna, await orders_repair(world, anna))
    await stage.quiet()
    return made


def nightly(ledger: Ledger) -> NightlyReconciliation:
    service = ledger.stage.service
    return NightlyReconciliation(
        service.database,
        service.reconciliation(),
        clock=service.clock,
        zone=service.settings.zone,
        on_events=service._wake_worker,
    )


async def command(ledger: Ledger, *arguments: str) -> tuple[int, str, str]:
    """`reconcile` beside the running service."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    moved = {"CLOCK_OFFSET_SECONDS": str(ledger.stage.offset_s), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    environment = {**kept, **ledger.stage.environment, **moved}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "reconcile", *arguments, cwd="/", env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_where_both_agree_there_is_nothing_to_do(any_ledger: Ledger) -> None:
    ledger = any_ledger
    await ledger.world.okdesk.moves(ledger.issue, "in_progress")
    await ledger.world.onec.pays(ledger.issue, 350000)
    await ledger.stage.quiet()
    assert ledger.reconciliation().systems() == ["okdesk", "onec"]
    for system in ("okdesk", "onec"):
        assert await ledger.differences(system) == []
        assert await ledger.mended(system) == []
    before = await ledger.stage.rows("select count(*) from events")
    await nightly(ledger).compare()
    assert await ledger.stage.rows("select count(*) from events") == before


async def test_a_change_of_status_that_we_missed_is_told_once(any_ledger: Ledger) -> None:
    ledger = any_ledger
    await ledger.world.okdesk.moves(ledger.issue, "in_progress")
    lost = ledger.loses_hooks()
    [difference] = await ledger.differences()
    assert (difference.kind, difference.what, difference.there) == ("status", f"issue {ledger.id}", "in_progress")
    assert await ledger.reconciliation().mend([difference, difference]) == [True, False]
    await ledger.anna.hears(f"Заявка {ledger.id}: В работе")
    await ledger.stage.quiet()
    assert await ledger.differences() == []
    await ledger.hooks_come(lost)
    assert ledger.anna.heard_times("В работе") == 1


async def test_a_change_of_status_that_waits_to_be_told_is_no_difference(ledger: Ledger) -> None:
    await ledger.anna.says("/start")  # while this question is open the news are held
    await ledger.anna.hears("Что нужно починить?")
    await ledger.world.okdesk.moves(ledger.issue, "in_progress")
    await ledger.stage.quiet()
    assert await ledger.stage.rows("select 1 from events where state = 4")
    assert await ledger.differences() == []


async def test_an_issue_that_was_deleted_there_is_told_once(ledger: Ledger) -> None:
    await ledger.stage.okdesk.delete(ledger.id)
    lost = ledger.loses_hooks()
    assert await ledger.kinds() == ["missing"]
    assert await ledger.mended() == [True]
    assert await ledger.kinds() == []
    [event] = await ledger.stage.rows("select * from events where kind = 'ticket_deleted'")
    await ledger.hooks_come(lost)
    assert await ledger.stage.rows("select * from events where kind = 'ticket_deleted'") == [event]


async def test_an_issue_that_is_there_twice_is_for_a_person(ledger: Ledger) -> None:
    state = ledger.stage.okdesk.state
    twin = replace(state.issues[ledger.id], id=state.new_id("issue"))
    state.issues[twin.id] = twin
    [difference] = await ledger.differences()
    assert (difference.kind, difference.there, difference.mend) == ("twice", f"{ledger.id}, {twin.id}", None)
    assert await ledger.mended() == [False]


async def test_an_issue_whose_answer_was_lost_is_adopted(any_ledger: Ledger) -> None:
    ledger = any_ledger
    await ledger.gives_up("okdesk.create_issue")
    await ledger.change("delete from issues")
    await ledger.change("delete from links where subject = :issue", issue=f"issue:{ledger.id}")
    assert await ledger.kinds() == ["unknown"]
    assert await ledger.mended() == [True]
    row = await ledger.delivery("okdesk.create_issue")
    assert (row.state, row.external_id) == (DeliveryState.DONE, str(ledger.id))
    assert await ledger.stage.rows("select 1 from links where subject = :issue", issue=f"issue:{ledger.id}")
    [event] = await ledger.stage.rows("select state from events where external_id like 'okdesk.create_issue/%~2'")
    assert event.state == 1
    assert await ledger.kinds() == []
    assert await ledger.mended() == []
    assert len(ledger.world.okdesk.issues) == 1


async def test_an_order_that_was_not_carried_out_is_carried_out_once(ledger: Ledger) -> None:
    await ledger.gives_up("okdesk.create_issue")
    del ledger.stage.okdesk.state.issues[ledger.id]
    differences = await ledger.differences()
    assert [difference.kind for difference in differences] == ["undone"]
    assert await ledger.reconciliation().mend([*differences, *differences]) == [True, False]
    await ledger.stage.quiet()
    assert len(ledger.world.okdesk.issues) == 1
    assert (await ledger.delivery("okdesk.create_issue")).state == DeliveryState.DONE
    assert await ledger.kinds() == []


async def test_an_issue_with_our_mark_that_we_know_nothing_of_is_for_a_person(ledger: Ledger) -> None:
    await ledger.change("delete from deliveries where action = 'okdesk.create_issue'")
    [difference] = await ledger.differences()
    assert (difference.kind, difference.what, difference.mend) == ("stranger", f"issue {ledger.id}", None)


async def test_comments_that_we_ordered_are_looked_for(ledger: Ledger) -> None:
    now = to_ms(ledger.stage.now())
    params = {"issue_id": ledger.id, "text": "Клиент просит позвонить", "public": "false"}
    wish = NewDelivery("note/1", "okdesk", "okdesk.add_comment", "note", params, now)
    await ledger.stage.database.write(lambda conn: outbox.add(conn, [wish]))
    ledger.stage.service.sender.wake()  # type: ignore[union-attr]
    await ledger.stage.quiet()
    row = await ledger.delivery("okdesk.add_comment")
    assert row.state == DeliveryState.DONE, row.error
    assert await ledger.kinds() == []

    await ledger.gives_up("okdesk.add_comment")
    assert await ledger.kinds() == ["unknown"]
    assert await ledger.mended() == [True]
    row = await ledger.delivery("okdesk.add_comment")
    assert row.state == DeliveryState.DONE
    assert await ledger.kinds() == []

    stored = ledger.stage.okdesk.state.issues[ledger.id]
    stored.comments = [comment for comment in stored.comments if str(comment.id) != row.external_id]
    [difference] = await ledger.differences()
    assert (difference.kind, difference.there, difference.mend) == ("comment", row.external_id, None)
    assert await ledger.mended() == [False]
    assert stored.comments == []  # somebody deleted it: that is no order of ours

    await ledger.gives_up("okdesk.add_comment")
    assert await ledger.kinds() == ["undone"]
    assert await ledger.mended() == [True]
    assert [comment.content for comment in stored.comments] == ["Клиент просит позвонить"]
    assert await ledger.kinds() == []


async def test_a_system_that_goes_away_in_the_middle_mends_nothing(ledger: Ledger) -> None:
    await ledger.stage.okdesk.delete(ledger.id)
    ledger.loses_hooks()
    for _ in range(10):
        ledger.stage.okdesk.plan(503, method="GET", path=f"/issues/{ledger.id}")
    before = await ledger.stage.rows("select count(*), max(id) from events")
    with pytest.raises(Unreachable, match="okdesk"):
        await ledger.differences()
    await nightly(ledger).compare()  # says so in the log, and goes on with the next system
    assert await ledger.stage.rows("select count(*), max(id) from events") == before


async def test_a_payment_that_we_missed_is_told_once(any_ledger: Ledger) -> None:
    ledger = any_ledger
    assert await ledger.kinds("onec") == []
    await ledger.world.onec.pays(ledger.issue, 350000)
    sender = ledger.stage.onec.sender
    lost = list(sender.queue)
    assert lost
    sender.queue.clear()
    [difference] = await ledger.differences("onec")
    assert (difference.kind, difference.here, difference.there) == ("payment", "- -/-", "paid 3500.00/3500.00")
    assert await ledger.reconciliation().mend([difference, difference]) == [True, False]
    await ledger.anna.hears("Оплата 3 500 ₽ получена полностью")
    await ledger.stage.quiet()
    assert await ledger.kinds("onec") == []
    sender.put(*lost)
    await ledger.stage.quiet()
    assert ledger.anna.heard_times("получена полностью") == 1
    assert await ledger.kinds("onec") == []
    ledger.stage.onec.reset()
    [difference] = await ledger.differences("onec")
    assert (difference.kind, difference.mend) == ("missing", None)


async def test_managers_hear_of_differences_once_a_night(ledger: Ledger) -> None:
    await ledger.world.okdesk.moves(ledger.issue, "in_progress")
    ledger.loses_hooks()
    night = nightly(ledger)
    await night.compare()
    await night.compare()
    await ledger.world.managers.hears("сверка, расхождений: 1", f"issue {ledger.id}: у нас opened, там in_progress")
    await ledger.stage.quiet()
    assert ledger.world.managers.heard_times("сверка, расхождений") == 1
    assert ledger.anna.heard_times("В работе") == 0  # the night mends nothing


async def test_a_night_that_fails_takes_nothing_along(ledger: Ledger) -> None:
    await ledger.change("update deliveries set params = 'no json' where action = 'okdesk.create_issue'")
    with capture_logs() as logs:
        await nightly(ledger).night()
    assert "reconciliation_failed" in [entry["event"] for entry in logs]


async def test_a_service_with_neither_system_has_no_nightly_work(tmp_path: Path) -> None:
    async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:  # Okdesk and 1C only call us there
        assert service.service.reconciliation().systems() == []
        assert all(task.get_name() != "reconciliation" for task in service.service._polls)


async def test_a_service_with_okdesk_has_it(ledger: Ledger) -> None:
    assert any(task.get_name() == "reconciliation" for task in ledger.stage.service._polls)


@pytest.mark.parametrize(
    ("now", "night"),
    [
        ("2026-12-01T00:00:00+00:00", "2026-12-01T00:30:00+00:00"),  # 03:00 in Moscow
        ("2026-12-01T00:30:00+00:00", "2026-12-02T00:30:00+00:00"),
        ("2026-12-01T20:59:00+00:00", "2026-12-02T00:30:00+00:00"),  # still the day before
        ("2026-12-01T21:30:00+00:00", "2026-12-02T00:30:00+00:00"),
    ],
)
def test_the_next_night(now: str, night: str) -> None:
    found = next_night(datetime.fromisoformat(now), ZoneInfo("Europe/Moscow"))
    assert found.astimezone(UTC) == datetime.fromisoformat(night)


async def test_the_command_beside_a_running_service(any_ledger: Ledger) -> None:
    ledger = any_ledger
    assert await command(ledger) == (0, "no differences\n", "")
    await ledger.world.okdesk.moves(ledger.issue, "in_progress")
    ledger.loses_hooks()
    line = f"okdesk: issue {ledger.id}: opened here, in_progress there"
    assert await command(ledger, "--system", "onec") == (0, "no differences\n", "")
    assert await command(ledger) == (1, f"{line}\n1 differences (okdesk status: 1)\n", "")
    code, out, err = await command(ledger, "--repair", "--lang", "ru")
    assert (code, err) == (1, "")
    assert out.endswith("[исправлено]\nрасхождений: 1 (okdesk status: 1)\n")
    await ledger.anna.hears(f"Заявка {ledger.id}: В работе")
    await ledger.stage.quiet()
    assert await command(ledger, "--repair") == (0, "no differences\n", "")
    ledger.stage.onec.trouble = "down"
    code, out, err = await command(ledger)
    assert (code, out) == (2, "")
    assert err.startswith("onec: ")
    assert len(err.splitlines()) == 1


def test_wrong_use_of_reconcile_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    for arguments, sentence in (
        (["--since", "soon"], "--since takes a time"),
        (["--system", "ozon"], "invalid choice"),
        ([], "neither Okdesk nor 1C is configured"),
        (["--system", "okdesk"], "okdesk is not configured"),
    ):
        done = fixit(tmp_path, "reconcile", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
