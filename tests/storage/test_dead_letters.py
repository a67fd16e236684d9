"""Dead letters: the same trouble is one group, pages of any number, and what may be sent again."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from storage import dead_letters, inbox, outbox
from storage.database import Database
from storage.dead_letters import Group, trouble
from storage.inbox import NewEvent
from storage.outbox import Ended, NewDelivery
from storage.tables import DeliveryState, EventState

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("there is no issue 1077", "there is no issue 9"),
        ("KeyError: 'phone'", "KeyError: 'name'"),
        ("no flow «lead» version 3", "no flow «support» version 12"),
        ('expected "a b", got "c"', 'expected "", got "d e"'),
        ("lost okdesk.create_issue/17/lead.done/1", "lost okdesk.create_issue/18/lead.done/2"),
        ("no order 5d1d7c1e-07a0-11ef-9a4c-00155d012a03", "no order 0c7f7c1e-07a0-11ef-9a4c-00155d012a04"),
        ("unknown wamid.HBgLNzk5OTEyMzQ1Njc=", "unknown wamid.HBgLNzk5OTEyMzQ1Njg="),
        ("late since 2026-12-01T10:00:00+00:00", "late since 2026-12-02T11:30:00+00:00"),
        ("no answer of http://127.0.0.1:9/x", "no answer of https://a.okdesk.ru/api/v1/issues"),
        ("unreachable: a@b.example", "unreachable: ivan.petrov+1@mail.example.ru"),
        ("sum 15 300,50 and\n  -5", "sum 1 2,3 and 7"),
    ],
)
def test_what_differs_from_case_to_case_is_no_other_trouble(one: str, other: str) -> None:
    assert trouble(one) == trouble(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1C's answer names no order", "1C's answer names no invoice"),
        ("the flow could not handle it: division by zero", "the flow could not handle it: no such step"),
        ("okdesk is not configured any more", "telegram is not configured any more"),
        ("KeyError: 'a'", "TypeError: 'a'"),
        ("", "x"),
    ],
)
def test_other_words_are_another_trouble(one: str, other: str) -> None:
    assert trouble(one) != trouble(other)


def test_a_reason_of_any_length_and_any_content_is_grouped_at_once() -> None:
    for reason in ("'" * 50_000, "«" * 50_000, "1" * 50_000, "a.1-" * 20_000, "\ud800 \x00", "://" * 20_000):
        assert len(trouble(reason)) <= dead_letters.LONGEST_REASON


def dead_event(number: int, error: str, *, source: str = "okdesk", at: int = NOW) -> NewEvent:
    return NewEvent(source, f"e{number}", "new_ticket", f"k{number}", b"{}", at, state=EventState.DEAD, error=error)


async def groups(database: Database) -> dict[str, Group]:
    found: dict[str, Group] = {}
    for what in dead_letters.KINDS:
        until = await database.read(partial(dead_letters.newest_id, what=what))
        after = 0
        while letters := await database.read(
            partial(dead_letters.page, what=what, after=after, until=until, limit=700)
        ):
            dead_letters.add_to(found, letters)
            after = letters[-1].id
    return found


async def test_thousands_of_dead_events_are_few_groups(database: Database) -> None:
    new = [dead_event(n, f"there is no issue {n}", at=NOW + n) for n in range(3000)]
    new += [dead_event(n, f"there is no issue {n}", source="onec") for n in range(5)]
    new += [NewEvent("okdesk", f"w{n}", "new_ticket", "k", b"{}", NOW) for n in range(5)]
    await database.write(lambda conn: inbox.put(conn, new))
    found = sorted((await groups(database)).values(), key=lambda group: group.count)
    assert [(g.what, g.source, g.kind, g.reason, g.count) for g in found] == [
        ("event", "onec", "new_ticket", "there is no issue …", 5),
        ("event", "okdesk", "new_ticket", "there is no issue …", 3000),
    ]
    assert (found[1].oldest, found[1].newest) == (NOW, NOW + 2999)
    newest = await database.read(
        lambda conn: conn.execute(text("select max(id) from events where source = 'okdesk' and state = 3")).scalar()
    )
    assert found[1].example_id == newest
    assert len({group.id for group in found}) == 2
    assert all(group.id.isalnum() and len(group.id) == 10 for group in found)


async def test_no_dead_letters_are_no_groups(database: Database) -> None:
    assert await groups(database) == {}


async def dead_delivery(database: Database, key: str, error: str, code: str = "invalid", **more: Any) -> int:
    """Sent, and given up."""

    def make(conn: Any) -> int:
        outbox.add(conn, [NewDelivery(key, "wire", "send", key, {"n": 1}, NOW, **more)])
        taken = outbox.take(conn, now=NOW, owner="me", room={"wire": 100}, delay_ms=lambda row, now: 0)
        outbox.end(conn, [Ended(row, DeliveryState.DEAD, NOW, error, code) for row in taken], now=NOW + 5)
        return taken[0].id

    return await database.write(make)


async def rows(database: Database) -> dict[int, Any]:
    return await database.read(
        lambda conn: {row.id: row for row in conn.execute(text("select * from deliveries order by id"))}
    )


@pytest.mark.parametrize(
    ("error", "code", "is_unknown"),
    [
        ("refused", "invalid", False),
        ("given up after 8 attempts: busy", "unavailable", False),
        (outbox.PERHAPS_DONE, "unknown", True),
        (f"{outbox.NOT_SETTLED}: no right", "forbidden", True),
        (outbox.OUR_ERROR, "unavailable", True),
    ],
)
async def test_only_what_was_surely_not_done_is_sent_again_without_force(
    database: Database, error: str, code: str, is_unknown: bool
) -> None:
    id_ = await dead_delivery(database, "a", error, code)
    [group] = (await groups(database)).values()
    assert (group.what, group.count, group.ends_unknown) == ("delivery", 1, int(is_unknown))
    assert await database.write(lambda conn: dead_letters.revive(conn, [id_], now=NOW + 9)) == int(not is_unknown)
    if is_unknown:
        assert (await rows(database))[id_].state == DeliveryState.DEAD
        revive = partial(dead_letters.revive, ids=[id_], now=NOW + 9, ends_unknown=True)
        assert await database.write(revive) == 1
        assert await database.write(revive) == 0
    row = (await rows(database))[id_]
    assert (row.state, row.next_try_at, row.error, row.code) == (DeliveryState.WAITING, NOW + 9, None, None)
    # A second try makes Okdesk's actions look first whether it was done.
    assert row.attempts == int(is_unknown)
    assert orjson.loads(row.params) == {"n": 1, "life": 2}
    assert await groups(database) == {}


async def test_a_delivery_that_is_not_dead_is_left_alone(database: Database) -> None:
    await database.write(lambda conn: outbox.add(conn, [NewDelivery("a", "wire", "send", "a", {}, NOW)]))
    [id_] = await rows(database)
    assert await database.write(lambda conn: dead_letters.revive(conn, [id_, 424242], now=NOW, ends_unknown=True)) == 0
    assert (await rows(database))[id_].next_try_at == NOW
