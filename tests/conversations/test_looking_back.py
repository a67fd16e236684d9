"""What the journal tells afterwards: every moment of a conversation, and the funnel of its flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.statistics import Statistics
from tests.bot.test_cli import fixit
from tests.conversations.people import Customer, World
from tests.conversations.test_lead import orders_repair
from tests.stage import Stage
from tests.waiting import until


async def moments(stage: Stage, dialog_id: int) -> list[dict[str, Any]]:
    last = (await stage.get(f"/api/v1/dialogs/{dialog_id}/turns/1"))["last_turn"]
    return [await stage.get(f"/api/v1/dialogs/{dialog_id}/turns/{turn}") for turn in range(1, last + 1)]


async def count_everything(stage: Stage) -> None:
    statistics = Statistics(stage.database, clock=stage.service.clock)
    while await statistics.add():
        pass


async def test_every_moment_of_a_conversation_can_be_looked_at(world: World, anna: Customer) -> None:
    issue = await orders_repair(world, anna)
    await world.stage.quiet()
    [dialog] = await world.stage.dialogs()
    told = await moments(world.stage, dialog["id"])

    assert [moment["turn"] for moment in told] == list(range(1, len(told) + 1))
    assert told[0]["from_step"] is None or told[0]["from_step"].endswith("._new")
    assert told[-1]["variables"] == dialog["variables"]
    known: dict[str, Any] = {}
    for moment in told:
        assert known.items() <= moment["variables"].items()  # nothing was forgotten in this talk
        known = moment["variables"]
    assert known["issue_id"] == issue["id"]
    assert any("option:washer" in decided for moment in told for decided in moment["decided"])

    effects = [effect for moment in told for effect in moment["effects"]]
    [created] = [e for e in effects if e["effect"] == "RunAction" and e["action"] == "okdesk.create_issue"]
    assert (created["outcome"]["state"], created["outcome"]["result"]["id"]) == ("done", issue["id"])
    said = [effect for effect in effects if effect["effect"] == "SendMessage"]
    assert all(effect["outcome"]["state"] == "done" for effect in said)
    timers = [effect["outcome"]["state"] for effect in effects if effect["effect"] == "SetTimer"]
    assert timers.count("pending") <= 2
    assert "over" in timers

    asked = next(moment for moment in told if moment["to_step"] == "lead.contact_phone" or "phone" in moment["to_step"])
    assert "address" not in asked["variables"]
    for path in (f"/api/v1/dialogs/{dialog['id']}/turns/999", "/api/v1/dialogs/1/turns/1"):
        assert (await world.stage.get(path, status=404))["error"]["code"] == "not_found"


async def test_a_moment_is_shown_on_a_terminal(world: World, anna: Customer, tmp_path: Path) -> None:
    await orders_repair(world, anna)
    await world.stage.quiet()
    [dialog] = await world.stage.dialogs()
    url = world.stage.environment["DATABASE_URL"]
    whole = fixit(tmp_path, "dialogs", "show", str(dialog["id"]), DATABASE_URL=url)
    assert whole.returncode == 0
    assert f"dialog {dialog['id']}: lead version 1" in whole.stdout
    assert 'says "Что нужно починить?' in whole.stdout or "Что нужно починить?" in whole.stdout
    moment = fixit(tmp_path, "dialogs", "show", str(dialog["id"]), "--at", "3", DATABASE_URL=url)
    assert "after turn 3 of" in moment.stdout
    assert "Течёт и шумит" in moment.stdout
    as_json = fixit(tmp_path, "dialogs", "show", str(dialog["id"]), "--at", "3", "--json", DATABASE_URL=url)
    assert json.loads(as_json.stdout)["turn"] == 3
    assert fixit(tmp_path, "dialogs", "show", str(dialog["id"]), "--at", "99", DATABASE_URL=url).returncode == 2
    assert "there is no dialog 999" in fixit(tmp_path, "dialogs", "show", "999", DATABASE_URL=url).stderr


async def test_a_funnel_counts_every_step_once(world: World, anna: Customer, tmp_path: Path) -> None:
    olga = world.person("Ольга")
    await olga.says("/start")
    await olga.hears("Что нужно починить?")
    await orders_repair(world, anna)
    await world.stage.passes(hours=26)  # Olga never answers
    await until(lambda: world.stage.dialogs(state="closed"), "Olga's dialog did not end")
    await count_everything(world.stage)
    await count_everything(world.stage)  # again: no turn counts twice

    told = await world.stage.get("/api/v1/flows/lead/stats")
    steps = {step["step"]: step for step in told["steps"]}
    first = next(step for step in told["steps"] if step["title"].startswith("ask"))
    assert (first["entered"], first["went_on"], first["dropped"], first["inside"]) == (2, 1, 1, 0)
    assert first["seconds"] > 3600  # on average: one at once, one after a day
    assert sum(step["dropped"] for step in told["steps"]) == 1
    assert all(step["entered"] == step["went_on"] + step["dropped"] + step["inside"] for step in steps.values())
    assert (await world.stage.get("/api/v1/flows/lead/stats", version=1))["steps"] == told["steps"]
    assert [goal["reached"] for goal in told["goals"]].count(1) >= 1
    assert told["until"] is not None

    shown = fixit(tmp_path, "flows", "stats", "lead", DATABASE_URL=world.stage.environment["DATABASE_URL"])
    assert shown.returncode == 0, shown.stderr
    assert f"{first['step']:<24} {2:>8} {1:>8} {1:>6}" in shown.stdout
    for path, status in (
        ("/api/v1/flows/nothing/stats", 404),
        ("/api/v1/flows/lead/stats?version=9", 404),
        ("/api/v1/flows/lead/stats?version=x", 422),
    ):
        await world.stage.get(path, status=status)
