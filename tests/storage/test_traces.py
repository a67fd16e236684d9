"""Whose a row is, and what erasing leaves of it, on both databases."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, insert, text

from storage import erasing, inbox, tables
from storage.database import Database
from storage.inbox import NewEvent
from storage.person import find
from storage.traces import Traces, traces_of
from storage.words import pattern, texts_pattern
from tests.storage.test_retention import NOW, add, add_people, delivery, person, rows

PHONE = "+79160000001"


@pytest.mark.parametrize(
    "written",
    [
        "+79160000001",
        "79160000001",
        "8 916 000 00 01",
        "8 (916) 000-00-01",
        "9160000001",
        '"phone":"+7-916-000-00-01"',
        "phone=%2B79160000001&x",
        '"recipient_id":"79160000001"',
    ],
)
def test_a_phone_is_found_however_it_is_written(written: str) -> None:
    found = pattern(phones=[PHONE], addresses=[])
    assert found is not None
    assert found.search(written)


@pytest.mark.parametrize("written", ["791600000012", "179160000001", "+79160000002", "916000000", "7916000000100001"])
def test_another_number_is_not_taken_for_it(written: str) -> None:
    found = pattern(phones=[PHONE], addresses=["5400000001", "17"])
    assert found is not None
    assert not found.search(written)
    assert not found.search("-1005400000001 and 17")
    assert found.search('{"id":5400000001}')


def test_words_are_found_inside_json_and_addresses() -> None:
    found = texts_pattern(names=["Анна", None], texts=["Не включается", "да", None])
    assert found is not None
    for written in ("Анна", r"\u0410\u043d\u043d\u0430", r"\u0410\u043D\u043D\u0430", "%D0%90%D0%BD%D0%BD%D0%B0"):
        assert found.search(written), written
    assert not found.search("да")
    assert texts_pattern(names=[None], texts=["да"]) is None
    assert pattern(phones=[], addresses=["17"]) is None


async def look(database: Database, given: str) -> Traces:
    search = await database.read(lambda conn: find(conn, given))
    traces = traces_of(search.found, phone=search.phone)
    await database.read(traces.tie)
    for _, scan in traces.scans():
        after: int | None = 0
        while after is not None:
            after = await database.read(lambda conn, scan=scan, after=after: scan(conn, after))
    return traces


async def erase(database: Database, given: str) -> Counter[str]:
    traces = await look(database, given)
    counts: Counter[str] = Counter()
    for part in erasing.parts(traces, now=NOW):
        counts += await database.write(part)
    named = erasing.named(traces, given)

    def finish(conn: Connection) -> None:
        erasing.last_part(conn, traces, by="anna", named=named, counts=counts, now=NOW)

    await database.write(finish)
    return +counts


async def put(database: Database, *events: NewEvent) -> None:
    await database.write(lambda conn: inbox.put(conn, events))
    await database.write(lambda conn: conn.execute(text("update events set state = 1")))


async def test_people_are_found_by_everything_that_names_them(database: Database) -> None:
    await add_people(database, person(1, at=NOW), person(2, at=NOW))
    told = orjson.dumps({"phone": "+79990000000"}).decode()
    await database.write(
        lambda conn: conn.execute(text("update contacts set variables = :v where id = 2"), {"v": told})
    )

    async def ids(given: str) -> list[int]:
        search = await database.read(lambda conn: find(conn, given))
        return [one.contact_id for one in search.found]

    for given in (PHONE, "8 916 000-00-01", "1", "contact:1", "whatsapp:79160000001", "whatsapp:+7 916 000 00 01"):
        assert await ids(given) == [1], given
    assert await ids("8 999 000-00-00") == [2]
    for given in ("contact:99", "contact:anna", "telegram:79160000001", "7", "contact:" + "9" * 40):
        assert await ids(given) == [], given


async def test_keys_with_a_phone_are_replaced_and_others_lose_nothing(database: Database) -> None:
    await add_people(database, person(1, at=NOW), person(2, at=NOW))
    await add(
        database,
        "deliveries",
        delivery(f"lead:{PHONE}", at=NOW),  # a once_per of a flow
        delivery("alert", at=NOW, params=f'{{"text": "{PHONE}"}}'),
        delivery("d2.9.0", at=NOW, dialog_id=2, conversation_id=2, params=f'{{"text": "{PHONE}"}}'),
    )
    await put(
        database,
        NewEvent("outbox", f"lead:{PHONE}@1", "effect_finished", "contact:1", b'{"ok": true}', NOW),
        NewEvent("site", "form-1", "form_sent", f"form:{PHONE}", b'{"phone": "8 916 000 00 01"}', NOW),
        NewEvent("site", "form-2", "form_sent", "form:+79160000002", b'{"phone": "+79160000002"}', NOW),
    )
    await add(database, "conflicts", {"event_id": 2, "body": b"{}", "received_at": NOW})
    await add(database, "batches", {"source": "whatsapp", "body": b'{"from": "79160000001"}', "received_at": NOW})
    call = {"at": NOW, "system": "okdesk", "method": "GET", "duration_ms": 1}
    await add(database, "api_calls", {**call, "url": "/contacts?phone=79160000001"}, {**call, "url": "/other"})

    removed = await erase(database, PHONE)
    assert removed["contacts"] == removed["conflicts"] == removed["batches"] == removed["api_calls"] == 1
    assert (await rows(database, "select length(body) from events order by id"))[2][0] > 0
    assert [row[0] for row in await rows(database, "select length(body) from events order by id")][:2] == [0, 0]
    left = str([await rows(database, f"select * from {name}") for name in ("events", "api_calls", "contacts")])
    assert "9160000001" not in left
    keys = [row[0] for row in await rows(database, "select key from deliveries order by id")]
    assert [key for key in keys if key.startswith("erased:")] == keys[2:3]
    others = await rows(database, "select params, recipient from deliveries where dialog_id = 2 order by id")
    assert all(params != "{}" and recipient for params, recipient in others)  # what others said of him is theirs
    assert await rows(database, "select id from contacts") == [(2,)]
    [(person_, counts)] = await rows(database, "select person, counts from erasures")
    assert PHONE not in person_
    assert orjson.loads(counts)["contacts"] == 1


async def test_news_in_the_last_moment_end_it_and_nothing_of_it_is_done(database: Database) -> None:
    await add_people(database, person(1, at=NOW))
    traces = await look(database, PHONE)
    late: dict[str, Any] = {**person(1, at=NOW)["messages"][0], "id": 77}
    await database.write(lambda conn: conn.execute(insert(tables.messages), [late]))
    named = erasing.named(traces, PHONE)

    def finish(conn: Connection) -> None:
        erasing.last_part(conn, traces, by="anna", named=named, counts=Counter(), now=NOW)

    with pytest.raises(erasing.WroteMeanwhile):
        await database.write(finish)
    assert await rows(database, "select count(*) from contacts") == [(1,)]
