"""Dead letters in the running service: listed by their trouble, rehearsed without a trace, given another chance."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, select, text
from structlog.testing import capture_logs

from bot.dead_letters import AT_ONCE, DeadLetters
from storage import inbox, outbox
from storage.clock import to_ms
from storage.inbox import NewEvent
from storage.outbox import Ended, NewDelivery
from storage.tables import DeliveryState, EventState, metadata
from tests.bot.service import EVERYTHING, Alone, Answered, alone, given_dialog, telegram_update
from tests.bot.test_cli import ROOT
from tests.stage import BEARER, migrated
from tests.waiting import until


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Alone]:
    if database_url.startswith("postgresql"):
        await migrated(database_url)
    async with alone(database_url, **EVERYTHING) as service:
        yield service


async def stop_work(service: Alone) -> None:
    """The addresses stay, the loops behind them end."""
    inner = service.service
    inner.intake.rider = None
    for loop in (inner.timers, inner.worker, inner.sender):
        assert loop is not None
        await loop.stop()
    await asyncio.gather(*inner._loops)


def dead(number: int, body: bytes, error: str, *, kind: str = "message", source: str = "telegram") -> NewEvent:
    now = int(time.time() * 1000)
    key = f"telegram:{number}"
    return NewEvent(source, f"dead{number}", kind, key, body, now + number, state=EventState.DEAD, error=error)


def greeting(number: int) -> NewEvent:
    return dead(number, telegram_update(number, "/start", person=1000 + number), f"KeyError: '{number}'")


async def put(service: Alone, *new: NewEvent) -> list[int]:
    return [row.id for row in await service.database.write(lambda conn: inbox.put(conn, new))]


async def given_up(service: Alone, key: str, error: str, code: str) -> int:
    """A delivery that was sent and given up."""
    now = to_ms(service.service.clock.now())

    def make(conn: Connection) -> int:
        outbox.add(conn, [NewDelivery(key, "wire", "send", key, {"n": 1}, now)])
        [row] = outbox.take(conn, now=now, owner="me", room={"wire": 1}, delay_ms=lambda row, now: 0)
        outbox.end(conn, [Ended(row, DeliveryState.DEAD, now, error, code)], now=now)
        return row.id

    return await service.database.write(make)


async def groups(service: Alone) -> list[dict[str, Any]]:
    answer = await service.get("/api/v1/dead-letters")
    assert answer.status == 200
    assert answer.json["total"] == len(answer.json["items"])
    return answer.json["items"]  # type: ignore[no-any-return]


async def replay(service: Alone, group: str, **wish: bool) -> Answered:
    body = orjson.dumps(wish) if wish else None
    return await service.request("POST", f"/api/v1/dead-letters/{group}/replay", body, BEARER)


async def everything(service: Alone) -> dict[str, list[Any]]:
    """Every row of every table, and what SQLite would number next."""

    def look(conn: Connection) -> dict[str, list[Any]]:
        found = {
            table.name: sorted(map(repr, conn.execute(select(table))))
            for table in metadata.sorted_tables
            if table.name != "leases"
        }
        if conn.dialect.name == "sqlite":
            found["numbers"] = [tuple(row) for row in conn.execute(text("select * from sqlite_sequence order by 1"))]
        return found

    return await service.database.read(look)


async def fixit(service: Alone, *arguments: str) -> tuple[int, str, str]:
    """A command beside the running service."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {**EVERYTHING, "DATABASE_URL": service.database.url, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *arguments, cwd="/", env={**kept, **settings},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


# ------------------------------------------------------------------------------------------------------------ listing


async def test_dead_letters_are_listed_by_their_trouble_the_newest_first(service: Alone) -> None:
    assert await groups(service) == []
    ids = await put(service, greeting(1), greeting(2), dead(3, b"{}", "no chat 17", kind="callback"))
    sent = await given_up(service, "k1", outbox.PERHAPS_DONE, "unknown")
    found = await groups(service)
    told = [(g["what"], g["source"], g["kind"], g["reason"], g["count"], g["example_id"]) for g in found]
    assert sorted(told) == [
        ("delivery", "wire", "send", outbox.PERHAPS_DONE, 1, sent),
        ("event", "telegram", "callback", "no chat …", 1, ids[2]),
        ("event", "telegram", "message", "KeyError: «…»", 2, ids[1]),
    ]
    assert [g["newest"] for g in found] == sorted((g["newest"] for g in found), reverse=True)
    assert {g["group"]: g["ends_unknown"] for g in found if g["ends_unknown"]} == {
        next(g["group"] for g in found if g["what"] == "delivery"): 1
    }
    page = (await service.get("/api/v1/dead-letters?skip=1&limit=1")).json
    assert (page["total"], page["items"]) == (3, [found[1]])
    assert (await service.get("/api/v1/dead-letters?limit=0")).status == 422
    assert (await service.get("/api/v1/dead-letters", {})).status == 401
    answer = await service.request("POST", f"/api/v1/dead-letters/{found[0]['group']}/replay")
    assert answer.status == 401


# ------------------------------------------------------------------------------------------------------------- replay


async def test_a_group_is_handled_again_while_the_worker_runs(service: Alone) -> None:
    await put(service, *map(greeting, range(30)), dead(99, b"{}", "of another kind", kind="other"))
    group = next(g for g in await groups(service) if g["kind"] == "message")
    answer = await replay(service, group["group"])
    assert (answer.status, answer.json) == (
        202,
        {"group": group["group"], "what": "event", "replayed": 30, "kept": 0},
    )
    await service.handled()
    assert (await service.rows("select count(*) from dialogs"))[0][0] == 30
    assert [g["kind"] for g in await groups(service)] == ["other"]
    again = await replay(service, group["group"])
    assert (again.status, again.json["error"]["code"]) == (404, "not_found")
    assert (await service.rows("select count(*) from dialogs"))[0][0] == 30


async def test_an_event_that_dies_again_is_not_met_twice_by_one_replay(service: Alone) -> None:
    await put(service, *(dead(n, b"not json", "broken") for n in range(10)))
    [group] = await groups(service)
    assert (await replay(service, group["group"])).json["replayed"] == 10
    await service.handled()
    [again] = await groups(service)
    assert (again["count"], again["group"] == group["group"]) == (10, False)  # for what is the trouble now


async def test_what_a_dead_event_has_told_the_managers_does_not_stand_in_the_way_of_its_replay(service: Alone) -> None:
    """Each turn alerts them under a key of its own."""
    dialog_id = await given_dialog(service.service, subjects=[])
    await stop_work(service)
    [talk] = await service.rows("select id from conversations")
    body = orjson.dumps({"conversation_id": talk.id, "dialog_id": dialog_id, "reason": "blocked"})
    [id_] = await put(service, dead(1, body, "x", kind="undelivered", source="outbox"))
    worker = service.service.worker
    assert worker is not None
    for number in (1, 2):
        await service.database.write(lambda conn: inbox.replay(conn, [id_]))
        assert await worker.cycle()
        [row] = await service.rows("select state, error from events where id = :id", id=id_)
        assert row.state in (EventState.DONE, EventState.IGNORED), row.error
        [(alerts,)] = await service.rows("select count(*) from deliveries where action = 'send_group'")
        assert alerts == number


async def test_a_large_group_is_replayed_in_many_transactions(service: Alone) -> None:
    await stop_work(service)
    await put(service, *map(greeting, range(3 * AT_ONCE + 1)))
    [group] = await groups(service)
    assert (await replay(service, group["group"])).json["replayed"] == 3 * AT_ONCE + 1
    assert (await service.rows("select count(*) from events where state = 0"))[0][0] == 3 * AT_ONCE + 1
    if service.database.dialect == "postgresql":
        [(transactions,)] = await service.rows("select count(distinct xmin::text) from events where state = 0")
        assert transactions == 4


async def test_what_somebody_else_has_replayed_meanwhile_is_not_done_twice(service: Alone) -> None:
    [id_] = await put(service, greeting(1))
    letters = DeadLetters(service.database, clock=service.service.clock)
    [found] = [page async for page in letters.dead_events()]
    assert (await letters.replay(found)).replayed == 1
    service.service.worker.wake()  # type: ignore[union-attr]
    await service.handled()
    [before] = await service.rows("select processed_at from events where id = :id", id=id_)
    assert (await letters.replay(found)).replayed == 0
    assert await service.rows("select processed_at from events where id = :id", id=id_) == [before]


# --------------------------------------------------------------------------------------------------------- deliveries


async def test_a_delivery_that_perhaps_was_done_is_sent_again_only_with_force(service: Alone) -> None:
    await stop_work(service)
    sure, unsure = (
        await given_up(service, "k1", "refused 1", "invalid"),
        await given_up(service, "k2", outbox.PERHAPS_DONE, "unknown"),
    )
    by_id = {g["example_id"]: g["group"] for g in await groups(service)}
    dry = (await replay(service, by_id[unsure], dry_run=True)).json
    assert (dry["total"], dry["kept"], dry["items"][0]["would_be"]) == (1, 1, "dead")
    assert "force" in dry["items"][0]["sentence"]
    dry = (await replay(service, by_id[unsure], dry_run=True, force=True)).json
    assert (dry["kept"], dry["items"][0]["would_be"], dry["items"][0]["sentence"]) == (0, "waiting", None)

    assert (await replay(service, by_id[sure])).json["replayed"] == 1
    assert (await replay(service, by_id[unsure])).json == {
        "group": by_id[unsure], "what": "delivery", "replayed": 0, "kept": 1,
    }  # fmt: skip
    states = {row.id: row.state for row in await service.rows("select id, state from deliveries")}
    assert states == {sure: DeliveryState.WAITING, unsure: DeliveryState.DEAD}
    assert (await replay(service, by_id[unsure], force=True)).json["replayed"] == 1
    assert await groups(service) == []


async def test_the_second_end_of_an_action_is_told_to_its_dialog_as_news(service: Alone) -> None:
    from bot.sender import _finished

    await stop_work(service)
    now = to_ms(service.service.clock.now())
    waiter = {"dialog_id": 424242, "contact_id": None, "turn": 1, "step": "s", "event_key": "dialog:424242",
              "wanted": "w"}  # fmt: skip

    def end(conn: Connection, state: DeliveryState) -> None:
        [row] = outbox.take(conn, now=now, owner="me", room={"wire": 1}, delay_ms=lambda row, now: 0)
        ended = Ended(row, state, now, None if state is DeliveryState.DONE else "refused", result={"id": 5})
        outbox.end(conn, [ended], now=now)
        inbox.put(conn, _finished(conn, [ended], now))

    await service.database.write(
        lambda conn: outbox.add(conn, [NewDelivery("once/7", "wire", "do", "r", {}, now, waiters=(waiter,))])
    )
    await service.database.write(partial(end, state=DeliveryState.DEAD))
    [group] = await groups(service)
    assert (await replay(service, group["group"])).json["replayed"] == 1
    await service.database.write(lambda conn: conn.execute(text("update deliveries set next_try_at = 0")))
    await service.database.write(partial(end, state=DeliveryState.DONE))
    told = [
        (row.external_id, json.loads(bytes(row.body))["ok"])
        for row in await service.rows("select external_id, body from events order by id")
    ]
    assert told == [("once/7@424242", False), ("once/7@424242~2", True)]
    assert await service.rows("select 1 from conflicts") == []


# ------------------------------------------------------------------------------------------------------------ dry run


async def test_a_dry_run_tells_the_turn_and_leaves_no_trace(service: Alone) -> None:
    dialog_id = await given_dialog(service.service, subjects=["issue:1077"])
    assert (await service.okdesk(STATUS_CHANGED)).status == 200  # what it remembers must not be touched either
    await service.handled()
    await stop_work(service)
    finished = orjson.dumps({"issue": {"id": 1077, "status": {"code": "completed", "name": "Решена"}}, "event": {
        "event_type": "new_ticket_status", "old_status": {"code": "opened"},
        "new_status": {"code": "completed", "name": "Решена"}}})  # fmt: skip
    ids = await put(
        service,
        greeting(1),
        dead(2, finished, "x", kind="new_ticket_status", source="okdesk"),
        dead(3, b"not json", "x", source="okdesk", kind="new_ticket"),
        dead(4, b'{"event": {"event_type": "change_company"}}', "x", source="okdesk", kind="change_company"),
        dead(5, b'{"dialog_id": {"no": "number"}, "contact_id": null, "step": "s", "action": "a", "ok": true,'
             b' "result": {}, "code": null, "message": null, "key": "k"}', "x", source="outbox",
             kind="effect_finished"),
    )  # fmt: skip
    worker = service.service.worker
    assert worker is not None
    known = dict(worker._service.dialogs._known)
    next_id = (worker._ids._next, worker._ids._end)
    before = await everything(service)
    told = []
    for id_ in ids:
        answer = await service.request("POST", f"/api/v1/webhooks/events/{id_}/replay", b'{"dry_run": true}', BEARER)
        assert answer.status == 200, answer.body
        told.append(answer.json)
    assert await everything(service) == before
    assert worker._service.dialogs._known == known
    assert (worker._ids._next, worker._ids._end) == next_id

    start, status, unreadable, company, poison = told
    assert [one["event_id"] for one in told] == ids
    assert (start["would_be"], start["dialog_id"]) == ("done", None)
    assert start["turns"] == [{"dialog_id": None, "from_step": None, "to_step": "lead.service"}]
    assert {message["to"] for message in start["messages"]} == {"customer"}
    assert "Что нужно починить?" in start["messages"][-1]["text"]
    assert start["timers"]
    assert (status["would_be"], status["dialog_id"]) == ("done", dialog_id)
    assert status["turns"][0]["from_step"] == "lead.watch"
    assert any("1077" in (message["text"] or "") for message in status["messages"])
    assert (unreadable["would_be"], "lacks something" in unreadable["sentence"]) == ("dead", True)
    assert (company["would_be"], company["sentence"]) == ("ignored", "directory changed")
    assert (poison["would_be"], poison["turns"]) == ("dead", [])
    assert poison["sentence"]


STATUS_CHANGED = orjson.dumps({"issue": {"id": 1077, "status": {"code": "opened"}}, "event": {
    "event_type": "new_ticket_status", "old_status": {"code": "new"},
    "new_status": {"code": "opened", "name": "Открыта"}}})  # fmt: skip


async def test_a_dry_run_of_a_talk_plays_its_messages_one_after_another(service: Alone) -> None:
    await stop_work(service)
    words = ("/start", "3", "течёт и шумит")
    now = int(time.time() * 1000)
    new = [
        NewEvent(
            "telegram",
            f"t{n}",
            "message",
            "telegram:77",
            telegram_update(n, one),
            now + n,
            state=EventState.DEAD,
            error="x",
        )
        for n, one in enumerate(words)
    ]
    await put(service, *new)
    [group] = await groups(service)
    dry = (await replay(service, group["group"], dry_run=True)).json
    assert [item["turns"][0]["to_step"] for item in dry["items"]] == [
        "lead.service",
        "lead.problem",
        "contact.ask_name",
    ]
    assert await service.rows("select 1 from dialogs") == []


async def test_a_dry_run_beside_a_working_service_disturbs_nobody(service: Alone) -> None:
    await put(service, *map(greeting, range(40)))
    [group] = await groups(service)

    async def customers() -> None:
        for number in range(40):
            assert (
                await service.telegram(telegram_update(5000 + number, "/start", person=5000 + number))
            ).status == 200

    answers = await asyncio.gather(customers(), *(replay(service, group["group"], dry_run=True) for _ in range(3)))
    for answer in answers[1:]:
        assert isinstance(answer, Answered)
        assert answer.status == 200, answer.body
        assert [item["would_be"] for item in answer.json["items"]] == ["done"] * 40
    await service.handled()
    assert (await service.rows("select count(*) from dialogs"))[0][0] == 40
    assert (await groups(service))[0]["count"] == 40


async def test_a_dry_run_of_what_waits_is_refused_like_its_replay(service: Alone) -> None:
    await stop_work(service)
    [id_] = await put(service, NewEvent("telegram", "w", "message", "k", telegram_update(1, "/start"), 1))
    path = f"/api/v1/webhooks/events/{id_}/replay"
    for body in (None, b"{}", b'{"dry_run": true}', b'{"dry_run": false}'):
        answer = await service.request("POST", path, body, BEARER)
        assert (answer.status, answer.json["error"]["code"]) == (409, "still_waiting")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"dry_run": "yes"}', 422),
        (b'{"dry_run": 1}', 422),
        (b'{"dryrun": true}', 422),
        (b'{"force": null}', 422),
        (b" " * 70_000, 413),
    ],
)
async def test_a_wrong_wish_replays_nothing(service: Alone, body: bytes, status: int) -> None:
    await put(service, greeting(1))
    [group] = await groups(service)
    answer = await service.request("POST", f"/api/v1/dead-letters/{group['group']}/replay", body, BEARER)
    assert answer.status == status, answer.body
    assert (await groups(service))[0]["count"] == 1


@pytest.mark.parametrize("name", ["0123456789", "x", "%D0%B9", "a%2Fb", "%00", "x" * 2000])
async def test_an_unknown_group_is_404(service: Alone, name: str) -> None:
    assert (await replay(service, name)).status == 404


# ------------------------------------------------------------------------------------------------------- command line


async def test_the_commands_beside_a_running_service(service: Alone) -> None:
    assert await fixit(service, "events", "dead", "--lang", "en") == (0, "nothing is dead\n", "")
    assert await fixit(service, "events", "replay", "--dead") == (0, "0 waiting to be handled\n", "")
    await put(service, *map(greeting, range(3)))
    await given_up(service, "k2", outbox.PERHAPS_DONE, "unknown")
    code, out, err = await fixit(service, "events", "dead", "--lang", "ru")
    assert (code, err) == (0, "")
    assert "KeyError: «…»" in out
    assert "только с --force" in out
    by_what = {g["what"]: g["group"] for g in await groups(service)}
    assert all(group in out for group in by_what.values())

    code, out, err = await fixit(service, "events", "replay", "--group", by_what["event"], "--dry-run", "--lang", "en")
    assert (code, err) == (0, "")
    assert out.count("would be: done") == 3
    assert out.count("a new dialog: (begin) -> lead.service") == 3
    assert out.endswith("3 in all: done 3. Nothing was done.\n")
    assert await service.rows("select 1 from dialogs") == []

    code, out, err = await fixit(service, "events", "replay", "--group", by_what["event"])
    assert (code, out, err) == (0, "3 waiting to be handled\n", "")
    await until(partial(_has_dialogs, service, 3), "they were not handled")
    await service.handled()
    code, out, err = await fixit(service, "events", "replay", "--group", by_what["event"])
    assert (code, out) == (2, "")
    assert err == f"there is no group {by_what['event']} (any more)\n"

    code, out, err = await fixit(service, "events", "replay", "--group", by_what["delivery"])
    assert (code, out) == (1, "0 waiting to be sent\n")
    assert "--force" in err
    code, out, err = await fixit(service, "events", "replay", "--group", by_what["delivery"], "--dry-run", "--lang=en")
    assert (code, "would be kept" in out) == (0, True)
    code, out, err = await fixit(service, "events", "replay", "--group", by_what["delivery"], "--force")
    assert (code, out, err) == (0, "1 waiting to be sent\n", "")


async def _has_dialogs(service: Alone, number: int) -> bool:
    return bool((await service.rows("select count(*) from dialogs"))[0][0] == number)


async def test_wrong_use_of_replay_is_one_sentence(service: Alone) -> None:
    await stop_work(service)
    [waiting] = await put(service, NewEvent("telegram", "w", "message", "k", telegram_update(1, "/start"), 1))
    for arguments in (["--dead", "--group", "x"], ["1", "--dead"], ["1", "--group", "x"], ["--dry-run"],
                      ["--dead", "--force"], ["--group", "nothing\x1b[2J"]):  # fmt: skip
        code, out, err = await fixit(service, "events", "replay", *arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1), err
        assert "\x1b" not in err
    for flags in ([], ["--dry-run"]):
        code, out, err = await fixit(service, "events", "replay", str(waiting), "424242", *flags)
        assert code == 1
        assert "not been handled yet" in out + err


async def test_an_event_without_a_body_is_not_said_to_be_done_by_a_replay(service: Alone) -> None:
    new = NewEvent("okdesk", "empty", "unreadable", "k", b"", 1, state=EventState.DEAD, error="x")
    [stored] = await service.database.write(lambda conn: inbox.put(conn, [new]))
    [told] = await service.service.rehearsal().play([stored.id])
    assert (told.state, told.sentence) == (None, "it has no body: nothing was sent, or the years removed it")
