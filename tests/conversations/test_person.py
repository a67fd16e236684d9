"""A person asks what is kept about him, and then asks to be forgotten."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.demo.run import ROOT
from tests.conversations.people import Customer, World
from tests.stage import Stage, staged
from tests.waiting import until

PHONE = "8 (917) 765-43-21"
WORDS = ("Бронислава", "Из барабана льётся", "9177654321", "Галактическая", "Вот эта лужа")


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    async with staged(database_url) as stage:
        yield stage


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


async def fixit(stage: Stage, *arguments: str, cwd: Path | None = None) -> Ended:
    """A command in a process of its own, beside the running service."""
    environment = {**stage.environment, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        cwd=cwd or ROOT / "tests",
        env={**environment, "CLOCK_OFFSET_SECONDS": str(stage.offset_s)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def talks_to_the_end(world: World, customer: Customer) -> dict[str, Any]:
    """A whole lead, to its rating."""
    await customer.says("/start")
    await customer.hears("Что нужно починить?")
    await customer.presses("Стиральная машина")
    await customer.hears("Опишите поломку")
    await customer.says("Из барабана льётся")
    await customer.hears("Как к вам обращаться?")
    await customer.says("Бронислава")
    await customer.hears("Номер телефона")
    await customer.says("8 917 765 43 21")
    await customer.hears("Куда приехать")
    await customer.sends_photo("Вот эта лужа на полу")
    await world.stage.quiet()
    await customer.says("Казань, Галактическая 77")
    await customer.hears("Проверьте заявку")
    await customer.presses("Отправить")
    issue = await world.okdesk.issue()
    await world.stage.quiet()
    await world.okdesk.moves(issue, "completed")
    await customer.hears("Оцените работу мастера")
    await customer.says("5")
    await customer.hears("Спасибо! Рады помочь")
    await world.stage.quiet()
    return issue


def bytes_of(stage: Stage) -> bytes:
    """Everything in the files of an SQLite database."""
    path = Path(stage.service.settings.database_url.get_secret_value().partition("///")[2])
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))


async def every_value(stage: Stage) -> str:
    from storage.tables import metadata

    told = []
    for table in metadata.sorted_tables:
        if table.name not in ("flow_versions", "flows"):
            rows = await stage.rows(f"select * from {table.name}")
            told += [
                value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                for row in rows
                for value in row
            ]
    return "\n".join(told)


async def nothing_is_left(stage: Stage, *words: str) -> None:
    values = await every_value(stage)
    assert [word for word in words if word in values] == []
    if stage.database.dialect == "sqlite":
        data = bytes_of(stage)
        assert [word for word in words if word.encode() in data] == []


@pytest.mark.parametrize("channel", ["whatsapp", "telegram"])
async def test_a_person_is_erased_beside_the_running_service(stage: Stage, channel: str) -> None:
    world = World(stage, channel)
    person = world.person("Бронислава")
    other = world.person("Геннадий")
    await other.says("Здравствуйте, это Геннадий")
    await talks_to_the_end(world, person)
    ids = await stage.rows("select minute, source, external_id from events order by id")
    keys = await stage.rows("select count(*) from deliveries")
    others = [d["id"] for d in await stage.dialogs() if d["status"] != "closed"]
    assert "Бронислава" in await every_value(stage)

    ended = await fixit(stage, "person", "erase", PHONE, "--yes")
    assert ended.code == 0, ended
    assert "Erased. Protocol 1" in ended.out
    await nothing_is_left(stage, *WORDS)
    assert await stage.rows("select minute, source, external_id from events order by id") == ids
    assert await stage.rows("select count(*) from deliveries") == keys
    protocol = (await stage.rows("select erased_by, person, counts, cleaned_at from erasures"))[0]
    assert json.loads(protocol[2])["contacts"] == 1
    assert protocol[3] is not None
    # nobody else lost anything
    assert [d["id"] for d in await stage.dialogs() if d["status"] != "closed"] == others
    assert "Геннадий" in await every_value(stage)

    again = await fixit(stage, "person", "erase", PHONE, "--yes")
    assert again.code == 2
    assert "nothing is known of" in again.err

    await person.says("Здравствуйте")
    await until(lambda: any(line["from"] == "bot" for line in person.transcript()[-1:]), "no answer")


async def test_the_events_of_an_erased_person_come_again_and_have_no_effect(stage: Stage) -> None:
    world = World(stage, "whatsapp")
    person = world.person("Бронислава")
    await person.says("Здравствуйте")
    await person.says("/cancel")
    await stage.quiet()
    bodies = await stage.rows(
        "select e.external_id, b.body, e.body from events e left join batches b on b.id = e.batch_id"
        " where e.source = 'whatsapp' and e.kind like '%message%' or e.kind = 'text'"
    )
    assert len(bodies) >= 2
    ended = await fixit(stage, "person", "erase", "contact:" + str(await contact_id(stage)), "--yes", "--force")
    assert ended.code == 0, ended
    events = (await stage.rows("select count(*) from events"))[0][0]
    for external_id, _, body in bodies:
        from storage import inbox
        from storage.inbox import NewEvent

        row = (await stage.rows("select minute, source from events where external_id = :id", id=external_id))[0]
        event = NewEvent(row[1], external_id, "x", "y", bytes(body), 1, row[0] * 60_000)
        [stored] = await stage.database.write(lambda conn, event=event: inbox.put(conn, [event]))
        assert (stored.is_new, stored.is_conflict) == (False, False)
    assert (await stage.rows("select count(*) from events"))[0][0] == events
    assert await stage.rows("select 1 from contacts") == []


async def contact_id(stage: Stage) -> int:
    return int((await stage.rows("select id from contacts"))[0][0])


async def test_what_is_open_is_not_erased_unless_told_so(stage: Stage) -> None:
    world = World(stage, "telegram")
    person = world.person("Бронислава")
    await person.says("Здравствуйте")
    await stage.quiet()
    id_ = await contact_id(stage)
    refused = await fixit(stage, "person", "erase", f"contact:{id_}", "--yes")
    assert (refused.code, "1 open dialogs" in refused.err) == (1, True)
    assert await stage.rows("select count(*) from contacts") == [(1,)]
    asked = await fixit(stage, "person", "erase", f"contact:{id_}", "--force")
    assert (asked.code, "--yes" in asked.err) == (2, True)

    await stage.unplug("telegram")
    forced = await fixit(stage, "person", "erase", f"contact:{id_}", "--yes", "--force")
    assert forced.code == 0, forced
    await stage.plug_in("telegram")
    for name in ("contacts", "contact_addresses", "conversations", "dialogs", "turns", "messages", "timers"):
        assert await stage.rows(f"select count(*) from {name}") == [(0,)], name
    assert await stage.rows("select count(*) from deliveries where state < 3") == [(0,)]
    await nothing_is_left(stage, "Бронислава")


async def test_a_stopped_service_and_a_kill_in_the_middle(stage: Stage) -> None:
    from storage import erasing
    from storage.database import connect
    from storage.person import find
    from storage.traces import traces_of

    world = World(stage, "whatsapp")
    person = world.person("Бронислава")
    await talks_to_the_end(world, person)
    await stage.passes(days=7)
    await until(lambda: stage.rows("select 1 from erasures union select 1 where not exists (select 1 from dialogs"
                                   " where status <> 'closed')"), "still open")  # fmt: skip
    await stage.quiet()
    await stage.stop()
    url = stage.service.settings.database_url.get_secret_value()
    database = connect(url, is_guest=True)
    await database.open()
    search = await database.read(lambda conn: find(conn, PHONE))
    traces = traces_of(search.found, phone=search.phone)
    await database.read(traces.tie)
    for _, scan in traces.scans():
        await database.read(lambda conn, scan=scan: scan(conn, 0))
    for number, part in enumerate(erasing.parts(traces, now=1)):
        if number == 3:
            break  # killed here
        await database.write(part)
    await database.close()

    ended = await fixit(stage, "person", "erase", PHONE, "--yes")
    assert ended.code == 0, ended
    await stage.start()
    await nothing_is_left(stage, *WORDS)


async def test_everything_about_a_person_on_paper(stage: Stage, tmp_path: Path) -> None:
    world = World(stage, "whatsapp")
    issue = await talks_to_the_end(world, world.person("Бронислава"))
    await world.person("Геннадий").says("Здравствуйте, это Геннадий")
    await stage.quiet()
    folder = tmp_path / "export"
    ended = await fixit(stage, "person", "export", "+7 917 765 43 21", "--out", str(folder))
    assert ended.code == 0, ended
    text = (folder / "person.json").read_text("utf-8")
    told = json.loads(text)
    assert told["contacts"][0]["variables"]["phone"] == "+79177654321"
    assert [d["variables"]["issue_id"] for d in told["dialogs"] if d["flow"] == "lead"] == [issue["id"]]
    assert "Галактическая 77" in text
    assert {"Из барабана льётся", "5"} <= {message["text"] for message in told["messages"]}
    assert [one["id"] for one in told["issues"]] == [issue["id"]]
    for name in ("addresses", "conversations", "turns", "events", "deliveries", "api_calls", "links"):
        assert told[name], name
    assert told["orders"] == []
    [file] = told["files"]
    assert (folder / file["saved_as"]).stat().st_size > 0
    assert "Геннадий" not in text
    assert (folder / "person.json").stat().st_mode & 0o77 == 0

    again = await fixit(stage, "person", "export", "+7 917 765 43 21", "--out", str(folder))
    assert (again.code, "not empty" in again.err) == (2, True)
    await stage.unplug("whatsapp")
    other = await fixit(stage, "person", "export", PHONE, "--out", str(tmp_path / "second"))
    assert other.code == 0
    [file] = json.loads((tmp_path / "second" / "person.json").read_text("utf-8"))["files"]
    assert file["not_fetched"]
    shown = await fixit(stage, "person", "export", PHONE)
    assert json.loads(shown.out)["files"][0]["not_fetched"]


async def test_somebody_who_is_not_one_person_is_refused(stage: Stage) -> None:
    for name in ("Бронислава", "Геннадий"):
        await World(stage, "whatsapp").person(name).says("Здравствуйте")
    await stage.quiet()
    await stage.database.write(
        lambda conn: conn.exec_driver_sql("update contacts set phone = '+79177654321', phone_is_proven = false")
    )
    for command in ("export", "erase"):
        several = await fixit(stage, "person", command, PHONE)
        assert (several.code, several.err.count("contact:")) == (2, 2), several
        for given in ("+7 999 000-00-00", "кто-то", "contact:x", "telegram:1", "", "1" * 300):
            refused = await fixit(stage, "person", command, given)
            assert (refused.code, refused.out) == (2, ""), (given, refused)


async def test_a_person_at_the_terminal_is_asked_first(tmp_path: Path) -> None:
    async with staged(f"sqlite+aiosqlite:///{tmp_path / 'fixit.db'}") as stage:
        await World(stage, "whatsapp").person("Бронислава").says("Здравствуйте")
        await stage.quiet()
        id_ = await contact_id(stage)
        for answer, code in (("нет", 1), ("да", 0)):
            ours, theirs = os.openpty()
            os.write(ours, f"{answer}\n".encode())
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                *("person", "erase", f"contact:{id_}", "--force"),
                env={**stage.environment, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "ru_RU.UTF-8"},
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            out, err = await process.communicate()
            os.close(ours)
            os.close(theirs)
            assert (process.returncode, "Стереть всё навсегда?" in out.decode()) == (code, True), err.decode()
            assert len(await stage.rows("select 1 from contacts")) == (1 if code else 0)
