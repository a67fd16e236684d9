"""`events …`: the inbox from a terminal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from bot.cli_database import with_database
from bot.settings import Settings
from storage import inbox, journal
from storage.database import Database

STATES = ("waiting", "done", "ignored", "dead")


class NoSuchEvent(Exception):
    """One sentence for the person at the terminal."""


def add_commands(commands: Any, settings: Callable[[], Settings]) -> None:
    events = commands.add_parser("events", help="the inbox").add_subparsers(
        dest="events", required=True, metavar="COMMAND"
    )
    listing = events.add_parser("list", help="the newest events")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--source")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=lambda a: with_database(settings(), lambda db: _list(db, a)))
    showing = events.add_parser("show", help="one event with its body")
    showing.add_argument("id", type=int)
    showing.set_defaults(run=lambda a: with_database(settings(), lambda db: _show(db, a.id)))
    replaying = events.add_parser("replay", help="handle ended events again")
    replaying.add_argument("id", type=int, nargs="*")
    replaying.add_argument("--dead", action="store_true", help="all dead ones")
    replaying.set_defaults(run=lambda a: with_database(settings(), lambda db: _replay(db, a)))


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


async def _replay(database: Database, arguments: argparse.Namespace) -> int:
    if bool(arguments.id) == arguments.dead:
        raise NoSuchEvent("events replay takes ids, or --dead for all dead events")

    def replay(conn: Connection) -> int:
        return inbox.replay(conn, inbox.dead_ids(conn) if arguments.dead else arguments.id)

    replayed = await database.write(replay)
    wanted = len(arguments.id)
    sys.stdout.write(f"{replayed} waiting to be handled\n")
    if replayed < wanted:
        sys.stderr.write(
            f"{wanted - replayed} do not exist or have not been handled yet, or lost their bodies with the years\n"
        )
        return 1
    return 0
