"""A copy is made under load, work goes on, then the older copy is put back: nothing is done a second time blindly."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from storage import restored
from tests.conversations.people import Customer, World
from tests.conversations.test_lead import asks_for_repair
from tests.conversations.test_person import fixit
from tests.stage import Stage, sqlite_url, staged
from tests.waiting import until


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(sqlite_url(tmp_path)) as stage:
        yield stage


def file_of(stage: Stage) -> Path:
    return Path(stage.service.settings.database_url.get_secret_value().partition("///")[2])


async def put_back(stage: Stage, copy: Path) -> None:
    await stage.stop()
    file = file_of(stage)
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    shutil.copy(copy, file)
    await stage.start()


async def test_a_copy_under_load_holds_every_event_that_was_answered_before(stage: Stage, tmp_path: Path) -> None:
    answered: list[str] = []
    is_over = False

    async def writes(number: int) -> None:
        talk = 0
        while not is_over:
            talk += 1
            name = f"form-{number}-{talk}"
            body = {"form": "callback", "phone": "+7 916 000-00-00", "text": "x" * 500, "id": name}
            async with stage.http.post(
                f"{stage.url}/api/v1/forms", json=body, headers={"Authorization": "Bearer test-api-token"}
            ) as answer:
                assert answer.status == 202
            answered.append(name)

    writers = [asyncio.create_task(writes(number)) for number in range(8)]
    await until(lambda: len(answered) > 100, "no load")
    before = list(answered)
    copy = tmp_path / "copy.db"
    ended = await fixit(stage, "backup", str(copy))
    assert ended.code == 0, ended
    after = len(answered)
    is_over = True
    await asyncio.gather(*writers)
    assert after > len(before)  # the service went on meanwhile

    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        held = {row[0] for row in connection.execute("select external_id from events where source = 'site'")}
    assert set(before) <= held
    assert copy.stat().st_mode & 0o77 == 0
    refused = await fixit(stage, "backup", str(copy))
    assert (refused.code, "exists" in refused.err) == (2, True)
    refused = await fixit(stage, "backup", str(tmp_path / "nowhere" / "copy.db"))
    assert refused.code == 2
    assert [file.name for file in tmp_path.glob("*.partial")] == []


@pytest.mark.parametrize("channel", ["whatsapp", "telegram"])
async def test_an_older_copy_opens_no_second_issue_and_says_nothing_twice(
    stage: Stage, tmp_path: Path, channel: str
) -> None:
    world = World(stage, channel)
    anna = world.person("Анна")
    await asks_for_repair(anna)
    await stage.quiet()
    await stage.unplug("okdesk")  # the order waits: this is what the copy catches
    await anna.presses("Отправить")
    await until(lambda: stage.rows("select 1 from deliveries where system = 'okdesk' and state < 3"), "no order")
    copy = tmp_path / "copy.db"
    assert (await fixit(stage, "backup", str(copy))).code == 0
    with closing(sqlite3.connect(copy)) as connection:
        last = connection.execute("select (select max(id) from events), (select value from counters)").fetchone()
    await stage.plug_in("okdesk")
    issue = await world.okdesk.issue()
    await anna.hears(f"Номер заявки {issue['id']}")
    await stage.quiet()
    said = [line["text"] for line in anna.transcript() if line["from"] == "bot"]

    await put_back(stage, copy)
    await until(
        lambda: stage.rows("select 1 from deliveries where action = 'okdesk.create_issue' and state = 4"), "not settled"
    )
    await stage.quiet()
    assert [one["id"] for one in world.okdesk.issues] == [issue["id"]]
    again = [line["text"] for line in anna.transcript() if line["from"] == "bot"]
    if channel == "whatsapp":
        assert again == said
    else:  # Telegram offers no way to ask: at most what is asked is asked again
        assert len(again) - len(said) <= 1
    [(stored,)] = await stage.rows("select value from counters where name = 'doubtful_up_to'")
    assert stored >= last[0]
    assert await stage.rows("select 1 from counters where name = 'copied_at'") == []

    # numbers that were given since the copy are not given again
    await world.person("Борис").says("Здравствуйте")
    await until(lambda: stage.rows("select 1 from contacts where id > :n", n=restored.LEAP), "no new contact")
    assert (await stage.rows("select max(id) from events"))[0][0] > restored.LEAP


async def test_the_command_does_the_same_for_any_database(tmp_path: Path, database_url: str) -> None:
    async with staged(database_url) as stage:
        world = World(stage, "whatsapp")
        anna = world.person("Анна")
        await stage.unplug("whatsapp")
        await anna.says("Здравствуйте")
        await until(lambda: stage.rows("select 1 from deliveries where state < 3"), "nothing to send")
        await stage.stop()
        ended = await fixit(stage, "restored")
        assert (ended.code, "settled before anything is sent" in ended.out) == (0, True), ended
        await stage.start()
        assert await stage.rows("select distinct state, owner from deliveries where system = 'whatsapp'") == [
            (2, "restored")
        ]
        await stage.plug_in("whatsapp")


async def test_a_busy_day_goes_on_from_the_copy_of_its_middle(stage: Stage, tmp_path: Path) -> None:
    """Many people at many steps while the copy is made: what the copy caught half done is not done twice."""
    world = World(stage, "whatsapp")
    people = [world.whatsapp(f"Клиент {number}") for number in range(6)]
    ordered = asyncio.Event()

    async def orders(number: int, person: Customer) -> None:
        await asks_for_repair(person)
        if number >= 3:
            await ordered.wait()  # so that some are in the middle, and some are sending just now
        await person.presses("Отправить")
        ordered.set()
        await person.hears("Номер заявки")

    talks = [asyncio.create_task(orders(number, person)) for number, person in enumerate(people)]
    await asyncio.wait_for(ordered.wait(), 60)
    copy = tmp_path / "copy.db"
    assert (await fixit(stage, "backup", str(copy))).code == 0
    await asyncio.gather(*talks)
    await stage.quiet()
    issues = sorted(issue["id"] for issue in world.okdesk.issues)
    assert len(issues) == len(people)
    said = {person.name: [line["text"] for line in person.transcript() if line["from"] == "bot"] for person in people}

    await put_back(stage, copy)
    await stage.passes(seconds=61, unquiet=True)  # what was being sent waits for its status first
    await stage.quiet()
    assert sorted(issue["id"] for issue in world.okdesk.issues) == issues
    for person in people:
        again = [line["text"] for line in person.transcript() if line["from"] == "bot"][len(said[person.name]) :]
        assert all("?" in text for text in again), again  # a question may be asked again: it does no harm
        assert len(again) <= 1
