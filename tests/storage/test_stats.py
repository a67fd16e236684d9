"""The sums of a funnel and the moments of a dialog, from turns as the engine leaves them, on both databases."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from storage import moments, stats
from storage.database import Database
from storage.ids import Ids
from storage.unit import UnitOfWork

NOW = 1_790_000_000_000
MINUTE = 60_000
LATER = NOW + 3 * stats.LAG_MS


async def write_turns(database: Database, *rows: dict[str, Any]) -> None:
    def write(conn: Any) -> None:
        unit = UnitOfWork(conn, NOW, Ids())
        for number, row in enumerate(rows, 1):
            trace = {
                "decided": row.get("decided", []),
                "changes": row.get("changes", []),
                "frames": row.get("frames", 1),
            }
            unit.add_turn(
                dialog_id=row.get("dialog", 1),
                turn=row.get("turn", number),
                event_id=number,
                event=row.get("event", "message"),
                at=row["at"],
                from_step=row.get("from"),
                to_step=row["to"],
                version=row.get("version", 1),
                trace=orjson.dumps(trace).decode(),
                effects=orjson.dumps(row.get("effects", [])).decode(),
            )
        unit.flush()

    await database.write(write)


async def count(database: Database, *, now: int = LATER) -> dict[str, tuple[int, int, int, float | None]]:
    while await database.write(lambda conn: stats.roll_up(conn, now=now)):
        pass
    rows = await database.read(lambda conn: stats.of_flow(conn, "lead"))
    return {row["step"]: (row["entered"], row["went_on"], row["dropped"], row["seconds"]) for row in rows}


async def test_each_turn_is_counted_once_with_the_time_between(database: Database) -> None:
    await write_turns(
        database,
        {"at": NOW, "to": "lead.name", "decided": ["via:lead.hello"], "from": None},
        {"at": NOW + MINUTE, "from": "lead.name", "to": "lead.name", "decided": ["wrong:1"]},
        {"at": NOW + 2 * MINUTE, "from": "lead.name", "to": "lead.phone",
         "effects": [{"effect": "CountGoal", "goal": "g", "step": "lead.name"}]},
        {"at": NOW + 9 * MINUTE, "from": "lead.phone", "to": "lead.gone", "decided": ["timer:step", "silence"],
         "event": "timer"},
        {"at": NOW + 10 * MINUTE, "from": "lead.gone", "to": "lead.over", "event": "effect",
         "effects": [{"effect": "EndDialog", "tag": "silent"}]},
    )  # fmt: skip
    expected = {
        "hello": (1, 1, 0, 0.0),
        "name": (1, 1, 0, 120.0),
        "phone": (1, 0, 1, 420.0),  # lost here, and not again where the flow tidied up
        "gone": (1, 1, 0, 60.0),
        "over": (1, 0, 0, None),
        "goal:g": (1, 0, 0, None),
    }
    later = LATER + 10 * MINUTE
    assert await count(database, now=later) == expected
    assert await count(database, now=later) == expected
    assert await database.read(stats.counted_until) is not None


async def test_people_who_end_a_dialog_are_lost_at_the_question_they_ended_it_in(database: Database) -> None:
    await write_turns(
        database,
        {"at": NOW, "to": "lead.sure"},
        {"at": NOW + MINUTE, "from": "lead.sure", "to": "lead.over", "event": "press",
         "effects": [{"effect": "EndDialog", "tag": "cancelled"}]},
    )  # fmt: skip
    assert (await count(database, now=LATER + MINUTE))["sure"] == (1, 0, 1, 60.0)


async def test_long_journals_are_counted_in_pieces(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "BATCH", 3)
    await write_turns(database, *({"dialog": n, "turn": 1, "at": NOW + n, "to": "lead.name"} for n in range(1, 11)))
    assert (await count(database))["name"] == (10, 0, 0, None)


async def test_versions_are_counted_apart(database: Database) -> None:
    await write_turns(
        database,
        {"dialog": 1, "turn": 1, "at": NOW, "to": "lead.name", "version": 1},
        {"dialog": 2, "turn": 1, "at": NOW, "to": "lead.name", "version": 2},
        {"dialog": 1, "turn": 2, "at": NOW + 1, "from": "lead.name", "to": "lead.over", "version": 1},
    )
    await count(database)
    one = await database.read(lambda conn: stats.of_flow(conn, "lead", 1))
    two = await database.read(lambda conn: stats.of_flow(conn, "lead", 2))
    assert [(row["step"], row["entered"], row["inside"]) for row in one] == [("name", 1, 0), ("over", 1, 1)]
    assert [(row["step"], row["entered"], row["inside"]) for row in two] == [("name", 1, 1)]


async def test_a_moment_adds_up_frames_that_come_and_go(database: Database) -> None:
    await write_turns(
        database,
        {"at": NOW, "to": "lead.name", "changes": [[0, "lead", {"service": "washer"}]]},
        {"at": NOW, "from": "lead.name", "to": "contact.phone", "frames": 2, "changes": [[1, "contact", {"tries": 1}]],
         "effects": [{"effect": "SaveContact", "values": {"phone": "+79990001122"}}]},
        {"at": NOW, "from": "contact.phone", "to": "lead.place",
         "changes": [[0, "lead", {"service": None, "ok": True}]]},
    )  # fmt: skip

    async def at(turn: int) -> Any:
        return await database.read(lambda conn: moments.get_moment(conn, 1, turn))

    assert (await at(1))["frames"] == [{"flow": "lead", "variables": {"service": "washer"}}]
    second = await at(2)
    assert second["variables"] == {"service": "washer", "tries": 1}
    assert second["contact"] == {"phone": "+79990001122"}
    assert (await at(3))["frames"] == [{"flow": "lead", "variables": {"ok": True}}]
    assert await at(4) is None


async def test_what_is_passed_on_the_way_into_another_flow_belongs_to_its_own(database: Database) -> None:
    await write_turns(
        database,
        {"at": NOW, "to": "lead.name", "version": 3},
        {"at": NOW + MINUTE, "from": "lead.name", "to": "watch.wait", "version": 7, "frames": 2,
         "decided": ["via:lead.created"], "effects": [{"effect": "CountGoal", "goal": "made", "step": "lead.created"}]},
    )  # fmt: skip
    told = await count(database)
    assert (told["created"], told["goal:made"], told["name"][:2]) == ((1, 1, 0, 0.0), (1, 0, 0, None), (1, 1))
    assert await database.read(lambda conn: len(stats.of_flow(conn, "lead", 3))) == 3
