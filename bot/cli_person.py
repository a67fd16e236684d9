"""`person …`: everything about a person on paper, or gone."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bot.cli_database import NoSuchEvent, with_database
from bot.cli_person_words import YES, words
from bot.clock import Clock
from bot.settings import Settings
from storage.clock import to_ms
from storage.database import Database
from storage.person import Search, find
from storage.traces import Traces, traces_of

Words = Callable[..., str]


def add_commands(commands: Any, settings: Callable[[], Settings], lang: str) -> None:
    say = partial(_say, lang=lang)
    person = commands.add_parser("person", help="what is kept about a person").add_subparsers(
        dest="person", required=True, metavar="COMMAND"
    )
    exporting = person.add_parser("export", help="everything about a person, as JSON and files")
    exporting.add_argument("person", metavar="PHONE|ID")
    exporting.add_argument("--out", type=Path, metavar="FOLDER", help="write it there, with the files of the messages")
    exporting.set_defaults(run=lambda a: _export(settings(), a, say))
    erasing = person.add_parser("erase", help="erase everything about a person, for ever")
    erasing.add_argument("person", metavar="PHONE|ID")
    erasing.add_argument("--yes", action="store_true", help="do not ask")
    erasing.add_argument("--force", action="store_true", help="end open dialogs and sends first")
    erasing.set_defaults(run=lambda a: _erase(settings(), a, say))


def _say(name: str, /, *, lang: str, **values: object) -> str:
    return words(name, lang, **values)


# ------------------------------------------------------------------------------------------------------------ export


def _export(settings: Settings, arguments: argparse.Namespace, say: Words) -> int:
    folder: Path | None = arguments.out
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NoSuchEvent(say("folder", folder=folder))

    async def work(database: Database) -> int:
        from bot.person_files import fetch_files  # the whole service and its clients: not for other commands
        from storage.export import everything

        search = await _search(database, arguments.person, say)
        traces = await look(database, search, say)
        told = await database.read(lambda conn: everything(conn, traces))
        _make(folder)
        files = await fetch_files(settings, told, folder)
        whole = {
            "asked_for": search.given,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **told,
            "files": files,
        }
        text = json.dumps(whole, ensure_ascii=False, indent=2, default=str)
        if folder is None:
            sys.stdout.write(text + "\n")
            return 0
        file = _write(folder, text)
        rows = sum(len(part) for part in told.values())
        saved = sum("saved_as" in one for one in files)
        sys.stdout.write(say("exported", file=file, rows=rows, saved=saved, files=len(files)) + "\n")
        return 0

    return with_database(settings, work)


def _make(folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(folder: Path, text: str) -> Path:
    file = folder / "person.json"
    file.touch(mode=0o600)
    file.write_text(text + "\n", "utf-8")
    return file


# ------------------------------------------------------------------------------------------------------------- erase


def _erase(settings: Settings, arguments: argparse.Namespace, say: Words) -> int:
    # With the sender and its clients: not for other commands of the terminal.
    from bot.person_erase import BeingSent, KeepsWriting, StillOpen, erase, overwrite

    found: list[Traces] = []

    async def work(database: Database) -> int:
        search = await _search(database, arguments.person, say)
        traces = await look(database, search, say)
        if not _confirmed(traces, search, say, is_sure=arguments.yes):
            return 1
        clock = Clock(settings.clock_offset_seconds)
        try:
            protocol = await erase(
                database,
                traces,
                again=lambda: look(database, search, say),
                given=search.given,
                by=_user(),
                force=arguments.force,
                clock=clock,
            )
        except StillOpen as error:
            counts = {"dialogs": error.dialogs, "deliveries": error.deliveries, "events": error.events}
            sys.stderr.write(say("is_open", **counts) + "\n")
            return 1
        except (BeingSent, KeepsWriting) as error:
            sys.stderr.write(say("sending" if isinstance(error, BeingSent) else "writes") + "\n")
            return 1
        found.append(protocol.traces)
        sys.stdout.write(say("erased", number=protocol.id, at=protocol.at, by=protocol.by) + "\n")
        _print_counts(protocol.counts)
        return 0

    code = with_database(settings, work)
    if not found or not settings.database_url.get_secret_value().startswith("sqlite"):
        return code
    # Behind the close of our own connections: alone with the file, it can be written anew at once.
    now = to_ms(Clock(settings.clock_offset_seconds).now())
    is_clean = asyncio.run(overwrite(settings.database_url.get_secret_value(), found[0], now=now))
    sys.stdout.write(say("clean" if is_clean else "rest") + "\n")
    return code


def _confirmed(traces: Traces, search: Search, say: Words, *, is_sure: bool) -> bool:
    sys.stdout.write(say("will_erase") + "\n")
    _print_counts({"contacts": len(traces.contact_ids), **{name: len(ids) for name, ids in traces.ids.items()}})
    identifiers = sorted({*traces.phones, *(f"{channel}:{address}" for channel, address in traces.addresses)})
    sys.stdout.write(say("will_take", identifiers=", ".join(identifiers) or search.given) + "\n")
    if is_sure:
        return True
    if not sys.stdin.isatty():
        raise NoSuchEvent(say("needs_yes"))
    if input(say("ask")).strip().lower() in YES:
        return True
    sys.stdout.write(say("left") + "\n")
    return False


def _print_counts(counts: dict[str, int]) -> None:
    for name, number in counts.items():
        if number:
            sys.stdout.write(f"  {name:<20} {number:>8}\n")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "?"


# ------------------------------------------------------------------------------------------------------------- both


async def _search(database: Database, given: str, say: Words) -> Search:
    """Raises NoSuchEvent with a sentence: nobody, or several."""
    if not given.strip() or len(given) > 200:
        raise NoSuchEvent(say("unreadable"))
    search = await database.read(lambda conn: find(conn, given))
    if len(search.found) > 1:
        lines = [say("several", given=given)]
        for one in search.found:
            places = ", ".join(f"{channel}:{address}" for channel, address in one.addresses)
            lines.append(f"  contact:{one.contact_id}  {one.name or '-'}  {one.phone or '-'}  {places}")
        raise NoSuchEvent("\n".join(lines))
    if not search.found and search.phone is None:
        raise NoSuchEvent(say("nobody", given=given))
    return search


async def look(database: Database, search: Search, say: Words) -> Traces:
    """Every row about the person. Raises NoSuchEvent if there is none."""
    traces = traces_of(search.found, phone=search.phone)

    def tie(conn: Connection) -> None:
        traces.ids.clear()  # a transaction may be done again
        traces.tie(conn)

    await database.read(tie)
    for table, scan in traces.scans():
        if sys.stderr.isatty():
            sys.stderr.write(say("looking", table=table) + "\n")
        after: int | None = 0
        while after is not None:
            after = await database.read(partial(_scan, scan, after))
    if not traces.contact_ids and not any(traces.ids.values()):
        raise NoSuchEvent(say("nobody", given=search.given))
    return traces


def _scan(scan: Callable[[Connection, int], int | None], after: int, conn: Connection) -> int | None:
    return scan(conn, after)
