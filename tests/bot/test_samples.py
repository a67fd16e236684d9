"""Every sample of every system, posted to the running service: the answer it must get and the events it must leave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.bot.service import EVERYTHING, Alone, alone, given_dialog
from tests.stage import sqlite_url

SAMPLES = Path(__file__).parents[1] / "samples"
WHATSAPP = json.loads((SAMPLES / "whatsapp" / "manifest.json").read_bytes())["cases"]
TELEGRAM = json.loads((SAMPLES / "telegram" / "manifest.json").read_bytes())["cases"]
OKDESK = sorted(path for path in (SAMPLES / "okdesk" / "webhooks").iterdir() if path.suffix in (".json", ".txt"))
ONEC = sorted((SAMPLES / "onec" / "webhook").glob("*.meta.json"))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Alone]:
    """Fails the test if anything went wrong inside, whatever the answers were."""
    with capture_logs() as logs:
        async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
            yield service
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def by_manifest(events: list[dict[str, Any]]) -> Counter[str]:
    """Counted in the words of WhatsApp's manifest."""
    words = {"message": "new_messages", "status": "statuses", "foreign": "foreign", "unreadable": "quarantine"}
    return Counter(words.get(event["kind"], "other_events") for event in events)


async def test_whatsapp_takes_in_what_the_manifest_says(service: Alone) -> None:
    wrong = []
    statuses = Counter[str]()
    for case in WHATSAPP:
        answer = await service.whatsapp((SAMPLES / "whatsapp" / case["file"]).read_bytes(), case["signature"])
        assert answer.status == 200, case["file"]
        counts = by_manifest(await service.new_events(source="whatsapp"))
        for name in ("new_messages", "other_events", "foreign", "quarantine"):
            if counts[name] != case.get(name, 0):
                wrong.append((case["file"], name, case.get(name, 0), counts[name]))
        statuses["told"] += case.get("statuses", 0)
        statuses["kept"] += counts["statuses"]
        assert counts["statuses"] <= case.get("statuses", 0)  # a status told twice is kept once
    assert not wrong
    assert 0 < statuses["kept"] <= statuses["told"]

    before = len(await service.events(source="whatsapp"))
    for case in WHATSAPP:
        raw = SAMPLES / "whatsapp" / "raw" / case["file"]
        if raw.exists():
            assert (await service.whatsapp(raw.read_bytes(), case["raw_signature"])).status == 200
    assert len(await service.events(source="whatsapp")) == before
    await service.handled()
    for event in await service.events(source="whatsapp"):
        assert event["state"] != "waiting"
        assert event["kind"] != "message" or event["state"] != "dead", event


async def test_telegram_keeps_every_update_once(service: Alone) -> None:
    for case in TELEGRAM:
        answer = await service.telegram((SAMPLES / "telegram" / case["file"]).read_bytes())
        assert (answer.status, answer.body) == (200, b"{}"), case["file"]
    events = await service.events(source="telegram")
    ids = [event["external_id"] for event in events]
    assert len(ids) == len(set(ids)) == len(TELEGRAM) - 1  # one is the repeat of the first
    unreadable = [event for event in events if event["kind"] == "unreadable"]
    assert [(event["state"], bool(event["error"])) for event in unreadable] == [("dead", True)] * 2
    for raw in sorted((SAMPLES / "telegram" / "raw").iterdir()):
        assert (await service.telegram(raw.read_bytes())).status == 200
    again = [event["external_id"] for event in await service.events(source="telegram")]
    assert [id_ for id_ in again if not id_.startswith("unreadable:")] == [
        id_ for id_ in ids if not id_.startswith("unreadable:")
    ]


@pytest.mark.parametrize("path", OKDESK, ids=lambda path: path.stem)
async def test_okdesk_is_answered_and_kept(service: Alone, path: Path) -> None:
    body = bytes_of(path)
    is_readable = not path.stem.startswith("bad") or path.stem == "bad_5_no_issue_id"
    for _ in range(2):
        answer = await service.okdesk(body)
        assert answer.status == (200 if is_readable else 400)
        if is_readable:
            assert answer.json == {"status": "accepted"}
    await service.handled()
    [event] = await service.events(source="okdesk")
    if path.stem.startswith("bad"):
        assert event["state"] == "dead"
        assert event["error"]
    elif path.stem.startswith("36"):
        assert event["state"] == "ignored"
    else:
        assert event["state"] in ("done", "ignored")
    kept = (await service.event(event["id"]))["body"]
    assert kept == (json.loads(body) if path.suffix == ".json" else body.decode())


def body_of(meta: Path) -> bytes:
    name = meta.name.removesuffix(".meta.json")
    [found] = [path for path in meta.parent.glob(f"{name}.*") if path != meta]
    return found.read_bytes()


@pytest.mark.parametrize("meta", ONEC, ids=lambda meta: meta.name.removesuffix(".meta.json"))
async def test_onec_is_answered_as_its_meta_says(service: Alone, meta: Path) -> None:
    told = json.loads(bytes_of(meta))
    expect = told["expect"]
    order = ["onec-ext:dlg-000184"]
    await given_dialog(service.service, subjects=order)
    if expect.get("result") == "unmatched":  # the sample's remark: its customer has two open orders
        await given_dialog(service.service, subjects=["onec-ext:dlg-000185"])
    if after := expect.get("after"):
        first = meta.with_name(after.replace(".json", ".meta.json"))
        assert (await service.onec(body_of(first), json.loads(bytes_of(first))["headers"])).status == 200

    answer = await service.onec(body_of(meta), told["headers"])

    assert answer.status == expect["http"], answer.body.decode()
    if "results" in expect:
        lines = [line["result"] + (f":{line['code']}" if "code" in line else "") for line in answer.json["results"]]
        assert lines == expect["results"]
    elif answer.status == 200:
        assert [line["result"] for line in answer.json["results"]] == [expect["result"]]
    elif "error" in expect:
        error = answer.json["error"]
        assert (error["code"], error["field"]) == (expect["error"], expect["field"])
    if not meta.name.startswith(("23", "26", "bad_3", "bad_4")):  # a ping, a stranger, nothing, another address' body
        assert await service.events(source="onec")
