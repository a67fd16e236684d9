"""Versions of flows over living talks: publishing, moving, looking at the difference, a broken folder at start."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.services import FixitService
from tests.bot.test_cli import fixit
from tests.conftest import PostgresServer
from tests.conversations.people import World
from tests.stage import Stage, migrated, settings_from, sqlite_url, staged
from tests.waiting import until

FIRST = """\
format: 1
flow: shop
title: "Shop"
lang: en
channels: [whatsapp]
start: [{any_message: true}]
vars: {name: {type: text}, size: {type: text}}
defaults:
  retry: {max: 3, then: over}
  silence: {close: {after: 23h, next: over}}
steps:
  - {id: ask_name, ask: "Your name?", expect: text, into: name}
  - {id: ask_size, ask: "Which size, {name}?", expect: text, into: size}
  - {id: over, end: ok}
"""
SECOND = FIRST.replace("ask_size", "ask_fit").replace("Which size", "Which fit")
MOVING = SECOND + "publish: {running: move}\n"
PLACED = SECOND + "publish: {running: move, moved: {ask_size: ask_fit}}\n"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    return folder


async def standing_at_size(stage: Stage) -> None:
    anna = World(stage, "whatsapp").person("Anna")
    await anna.says("hello")
    await anna.hears("Your name?")
    await anna.says("Anna")
    await anna.hears("Which size, Anna?")


async def test_a_version_that_would_strand_people_is_not_published(tmp_path: Path) -> None:
    folder = write(tmp_path / "flows", FIRST)
    async with staged(sqlite_url(tmp_path), {"FLOWS_DIR": str(folder)}) as stage:
        await standing_at_size(stage)
        url = stage.environment["DATABASE_URL"]

        refused = fixit(tmp_path, "flows", "publish", str(write(folder, MOVING)), DATABASE_URL=url)
        assert refused.returncode == 1
        assert "R01 error: 1 dialogs wait in «ask_size», say where to move them" in refused.stderr
        assert f"{folder / 'shop.yaml'}:15: R01" in refused.stderr
        assert fixit(tmp_path, "flows", "list", DATABASE_URL=url).stdout.split()[:3] == ["shop", "version", "1"]

        published = fixit(tmp_path, "flows", "publish", str(write(folder, PLACED)), DATABASE_URL=url)
        assert published.stdout == "shop version 2 (new)\n", published.stderr
        anna = World(stage, "whatsapp").person("Anna")
        await anna.hears("Your name?", "Which size, Anna?")
        await anna.says("blue")  # to a question that is gone: the new one is asked
        await anna.hears("Which fit, Anna?")
        await anna.says("slim")
        await until(lambda: stage.dialogs(state="closed"), "the dialog did not end")
        [dialog] = await stage.dialogs()
        assert (dialog["version"], dialog["variables"]["size"]) == (2, "slim")


async def test_a_difference_is_shown_by_steps_and_lines(tmp_path: Path) -> None:
    folder = write(tmp_path / "flows", FIRST)
    url = sqlite_url(tmp_path)
    assert fixit(tmp_path, "flows", "publish", str(folder), DATABASE_URL=url).returncode == 0
    write(folder, SECOND.replace("Your name?", "Who are you?"))
    assert fixit(tmp_path, "flows", "publish", str(folder), "--note", "fits", DATABASE_URL=url).returncode == 0
    shown = fixit(tmp_path, "flows", "diff", "shop", DATABASE_URL=url)
    assert shown.returncode == 1
    assert shown.stdout.startswith("- steps that are gone: ask_size\n+ new steps: ask_fit\n~ changed steps: ask_name\n")
    assert '-  - {id: ask_name, ask: "Your name?", expect: text, into: name}' in shown.stdout
    assert '+  - {id: ask_name, ask: "Who are you?", expect: text, into: name}' in shown.stdout
    assert fixit(tmp_path, "flows", "diff", "shop", "--from", "2", "--to", "2", DATABASE_URL=url).returncode == 0
    missing = fixit(tmp_path, "flows", "diff", "shop", "--from", "7", DATABASE_URL=url)
    assert (missing.returncode, missing.stderr) == (2, "no version 7 of flow shop\n")
    assert fixit(tmp_path, "flows", "diff", "nothing", DATABASE_URL=url).returncode == 2


async def test_a_broken_folder_does_not_stop_talks_that_go_on(tmp_path: Path) -> None:
    folder = write(tmp_path / "flows", FIRST)
    async with staged(sqlite_url(tmp_path), {"FLOWS_DIR": str(folder)}) as stage:
        await standing_at_size(stage)
        write(folder, FIRST.replace("into: size", "into: sise"))
        await stage.restart()
        anna = World(stage, "whatsapp").person("Anna")
        await anna.says("small")
        await until(lambda: stage.dialogs(state="closed"), "the dialog did not end")
        url = stage.environment["DATABASE_URL"]
        assert fixit(tmp_path, "flows", "list", DATABASE_URL=url).stdout.split()[:3] == ["shop", "version", "1"]


@pytest.mark.postgres
async def test_a_publishing_reaches_workers_of_other_processes_without_a_restart(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    folder = write(tmp_path / "flows", FIRST)
    url = postgres_server.new_database()
    await migrated(url)
    async with staged(url, {"FLOWS_DIR": str(folder)}) as stage:
        offset = {"CLOCK_OFFSET_SECONDS": str(stage.offset_s)}
        other = FixitService(settings_from(stage.environment, **offset), serves=False)
        await other.start()
        assert other.sender is not None
        for system in other.sender.systems.values():
            system.pace_delay = None
        try:
            world = World(stage, "whatsapp")
            before = [world.person(f"Before {n}") for n in range(6)]
            for person in before:
                await person.says("hello")
            for person in before:
                await person.hears("Your name?")
            write(folder, SECOND)
            published = fixit(tmp_path, "flows", "publish", str(folder), DATABASE_URL=url)
            assert published.stdout == "shop version 2 (new)\n", published.stderr
            after = [world.person(f"After {n}") for n in range(6)]
            for person in (*before, *after):
                await person.says("hello" if person in after else "Anna")
            for person in before:
                await person.hears("Which size, Anna?")  # they finish on their version
            for person in after:
                await person.hears("Your name?")
                await person.says("Olga")
            for person in after:
                await person.hears("Which fit, Olga?")
        finally:
            await other.stop()
        versions = sorted(dialog["version"] for dialog in await stage.dialogs())
        assert versions == [1] * 6 + [2] * 6
