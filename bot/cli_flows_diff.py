"""`flows diff`: what a version changed."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from bot.cli_database import NoSuchEvent, with_database
from bot.settings import load_settings
from dialogs.reading import ReadingError, read
from storage import flows as stored_flows
from storage.flows import StoredFlow


def add_command(flows: Any) -> None:
    diff = flows.add_parser("diff", help="what changed between two versions")
    diff.add_argument("flow")
    diff.add_argument("--from", type=int, dest="old", metavar="N", help="default: the version before")
    diff.add_argument("--to", type=int, dest="new", metavar="M", help="default: the live version")
    diff.set_defaults(run=lambda a: with_database(load_settings(), lambda db: db.read(lambda conn: _diff(conn, a))))


def _diff(conn: Connection, arguments: argparse.Namespace) -> int:
    """Exit code 0 if the versions are the same, 1 if not, as `diff` does."""
    new = arguments.new or stored_flows.live_versions(conn).get(arguments.flow)
    if new is None:
        raise NoSuchEvent(f"no flow {arguments.flow}")
    old = arguments.old or new - 1
    before, after = _version(conn, arguments.flow, old), _version(conn, arguments.flow, new)
    steps = _steps(before.text), _steps(after.text)
    for sign, title, names in (
        ("-", "steps that are gone", [name for name in steps[0] if name not in steps[1]]),
        ("+", "new steps", [name for name in steps[1] if name not in steps[0]]),
        ("~", "changed steps", [name for name in steps[1] if name in steps[0] and steps[0][name] != steps[1][name]]),
    ):
        if names:
            sys.stdout.write(f"{sign} {title}: {', '.join(names)}\n")
    changed = False
    for name, (first, second) in _files(before, after).items():
        for line in difflib.unified_diff(
            first.splitlines(), second.splitlines(), f"{name} version {old}", f"{name} version {new}", lineterm=""
        ):
            changed = True
            sys.stdout.write(line + "\n")
    return int(changed)


def _version(conn: Connection, flow: str, version: int) -> StoredFlow:
    stored = stored_flows.get(conn, flow, version)
    if stored is None:
        raise NoSuchEvent(f"no version {version} of flow {flow}")
    return stored


def _files(before: StoredFlow, after: StoredFlow) -> Mapping[str, tuple[str, str]]:
    names = sorted({*before.translations, *after.translations})
    return {
        f"{before.flow}.yaml": (before.text, after.text),
        **{name: (before.translations.get(name, ""), after.translations.get(name, "")) for name in names},
        "project.yaml": (before.project, after.project),
    }


def _steps(text: str) -> dict[str, Any]:
    try:
        steps = read(text, file="flow.yaml").data.get("steps")
    except ReadingError:
        return {}
    return {step["id"]: step for step in steps if isinstance(step, dict) and "id" in step} if steps else {}
