"""`flows stats`: where people leave a flow."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bot.cli_database import NoSuchEvent, with_database
from bot.flow_funnel import funnel
from bot.settings import load_settings
from storage import stats
from storage.clock import to_ms
from storage.database import Database


def add_command(flows: Any) -> None:
    showing = flows.add_parser("stats", help="how many entered each step, went on, and were lost")
    showing.add_argument("flow")
    showing.add_argument("--version", type=int)
    showing.add_argument("--json", action="store_true")
    showing.set_defaults(run=lambda a: with_database(load_settings(), lambda db: _show(db, a)))


async def _show(database: Database, arguments: argparse.Namespace) -> int:
    now = to_ms(datetime.now(UTC))
    while await database.write(partial(stats.roll_up, now=now)):  # the service does the same from time to time
        pass
    found = await database.read(lambda conn: funnel(conn, arguments.flow, arguments.version))
    if found is None:
        version = f"no version {arguments.version} of " if arguments.version is not None else "no "
        raise NoSuchEvent(f"{version}flow {arguments.flow}")
    if arguments.json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return 0
    version = "all versions" if found["version"] is None else f"version {found['version']}"
    sys.stdout.write(f"{found['flow']}, {version}, turns up to {found['until'] or '-'}\n")
    sys.stdout.write(
        f"{'step':<24} {'entered':>8} {'went on':>8} {'lost':>6} {'inside':>6} {'seconds':>8}  what it is\n"
    )
    for step in found["steps"]:
        seconds = "-" if step["seconds"] is None else f"{step['seconds']:.0f}"
        sys.stdout.write(
            f"{step['step']:<24} {step['entered']:>8} {step['went_on']:>8} {step['dropped']:>6} {step['inside']:>6} "
            f"{seconds:>8}  {(step['title'] or '')[:50]}\n"
        )
    for goal in found["goals"]:
        sys.stdout.write(f"goal {goal['goal']}: {goal['reached']}\n")
    return 0
