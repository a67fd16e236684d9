"""`events …`: the inbox from a terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from bot.cli_database import NoSuchEvent, with_database
from bot.settings import Settings
from storage import journal
from storage.database import Database

STATES = ("waiting", "done", "ignored", "dead")


def add_commands(commands: Any, settings: Callable[[], Settings], lang: str) -> None:
    events = commands.add_parser("events", help="the inbox").add_subparsers(
        dest="events", required=True, metavar="COMMAND"
    )
    listing = events.add_parser("list", help="the newest events")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--source")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=lambda a: with_database(settings(), lambda db: _list(db, a)))
    showing = events.add_parser("show", help="one event with its body")
    showing.add_argument("id", type=_row_id)
    showing.set_defaults(run=lambda a: with_database(settings(), lambda db: _show(db, a.id)))
    dead = events.add_parser("dead", help="dead events and deliveries, grouped by their trouble")
    dead.add_argument("--lang", choices=("ru", "en"), default=lang)
    dead.set_defaults(run=lambda a: with_database(settings(), lambda db: _dead(db, a)))
    replaying = events.add_parser("replay", help="give ended events, or a group of dead letters, another chance")
    replaying.add_argument("id", type=_row_id, nargs="*")
    replaying.add_argument("--dead", action="store_true", help="all dead events")
    replaying.add_argument("--group", help="one group of `events dead`")
    replaying.add_argument("--dry-run", action="store_true", help="only say what it would do")
    replaying.add_argument("--force", action="store_true", help="deliveries too that perhaps were done")
    replaying.add_argument("--lang", choices=("ru", "en"), default=lang)
    replaying.set_defaults(run=lambda a: _replay(settings(), a))


def _row_id(written: str) -> int:
    if not (written.isascii() and written.isdigit()) or len(written) > 19 or int(written) > 2**63 - 1:
        raise argparse.ArgumentTypeError(f"not the number of an event: {written[:40]!r}")
    return int(written)


async def _list(database: Database, arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.limit <= 10_000:
        raise NoSuchEvent("--limit must be a number from 1 to 10000")
    found = await database.read(
        lambda conn: journal.list_events(conn, source=arguments.source, state=arguments.state, limit=arguments.limit)
    )
    for item in found["items"]:
        error = f"  {item['error']}" if item["error"] else ""
        sys.stdout.write(
            f"{item['id']:>8}  {item['received_at']}  {item['state']:<8} {item['source']:<10} {item['kind']:<20} "
            f"{item['external_id'][:60]}{error}\n"
        )
    shown = len(found["items"])
    if found["total"] > shown:
        sys.stdout.write(f"({shown} of {found['total']}; --limit shows more)\n")
    return 0


async def _show(database: Database, event_id: int) -> int:
    found = await database.read(lambda conn: journal.get_event(conn, event_id))
    if found is None:
        raise NoSuchEvent(f"there is no event {event_id}")
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2, default=str) + "\n")
    return 0


async def _dead(database: Database, arguments: argparse.Namespace) -> int:
    from bot import cli_dead  # loads the whole service, which takes a while

    return await cli_dead.show_groups(database, arguments)


def _replay(settings: Settings, arguments: argparse.Namespace) -> int:
    from bot import cli_dead

    ways = [bool(arguments.id), arguments.dead, arguments.group is not None]
    if ways.count(True) != 1:
        raise NoSuchEvent("events replay takes ids, or --dead for all dead events, or --group GROUP")
    if arguments.force and arguments.group is None:
        raise NoSuchEvent("--force goes with --group GROUP: only deliveries need it")
    return with_database(settings, lambda database: cli_dead.replay(database, settings, arguments))
