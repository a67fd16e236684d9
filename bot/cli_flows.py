"""`flows …`: checking, testing and publishing flow files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bot import cli_flows_diff, cli_flows_stats, flow_store
from bot.cli_database import with_database
from bot.flow_store import FlowsBroken
from bot.services import catalogue
from bot.settings import load_settings
from dialogs.findings import Finding, format_finding
from dialogs.flows_set import load_folder
from dialogs.golden import run_tests
from storage import flows as stored_flows
from storage.clock import to_ms
from storage.database import Database


class Unreadable(Exception):
    """A path that cannot be read, in one sentence."""


def add_commands(commands: Any, lang: str) -> None:
    flows = commands.add_parser("flows", help="dialog flows").add_subparsers(
        dest="flows", required=True, metavar="COMMAND"
    )
    check = flows.add_parser("check", help="verify flow files")
    check.add_argument("path", nargs="+")
    check.add_argument("--lang", choices=("ru", "en"), default=lang)
    check.set_defaults(run=lambda a: _check(a.path, a.lang))
    test = flows.add_parser("test", help="run the golden dialogs of flow files")
    test.add_argument("path", nargs="+")
    test.set_defaults(run=lambda a: _test(a.path, lang))
    publish = flows.add_parser("publish", help="make changed flows live")
    publish.add_argument("path", nargs="+")
    publish.add_argument("--note")
    publish.set_defaults(run=lambda a: _publish(a, lang))
    flows.add_parser("list", help="live flows").set_defaults(run=lambda _: _with_database(_list))
    show = flows.add_parser("show", help="the text of a version")
    show.add_argument("flow")
    show.add_argument("--version", type=int)
    show.set_defaults(run=lambda a: _with_database(lambda conn: _show(conn, a.flow, a.version)))
    cli_flows_diff.add_command(flows)
    cli_flows_stats.add_command(flows)
    rollback = flows.add_parser("rollback", help="make an older version live again")
    rollback.add_argument("flow")
    rollback.add_argument("--to", type=int, required=True, metavar="N")
    rollback.set_defaults(run=lambda a: _with_database(lambda conn: _rollback(conn, a.flow, a.to), writes=True))


def _folders(paths: list[str]) -> dict[Path, set[str] | None]:
    """Folder → the files of it that were asked for; None = all. Raises Unreadable."""
    found: dict[Path, set[str] | None] = {}
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found[path] = None
        elif path.is_file():
            names = found.setdefault(path.parent, set())
            if names is not None:
                names.add(path.name)
        else:
            raise Unreadable(f"no such file or folder: {name}")
    return found


def _load(folder: Path) -> Any:
    try:
        return load_folder(flow_store.read_folder(folder), catalogue(), timezone=_timezone())
    except OSError as error:
        raise Unreadable(f"cannot read {folder}: {error.strerror}") from error


def _timezone() -> str:
    return load_settings().timezone


def _mine(findings: tuple[Finding, ...], loaded: Any, names: set[str] | None) -> list[Finding]:
    """Findings of the files asked for, and of the translations of their flows."""
    if names is None:
        return list(findings)
    wanted = set(names)
    return [found for found in findings if found.file in wanted]


def _check(paths: list[str], lang: str) -> int:
    code = 0
    for folder, names in _folders(paths).items():
        loaded = _load(folder)
        for found in _mine(loaded.findings, loaded, names):
            sys.stdout.write(format_finding(_placed(found, folder), lang) + "\n")
            if found.code == "Y01":
                code = 2
            elif found.severity == "error":
                code = max(code, 1)
    return code


def _placed(found: Finding, folder: Path) -> Finding:
    from dataclasses import replace

    return replace(found, file=str(folder / found.file))


def _test(paths: list[str], lang: str) -> int:
    passed = failed = 0
    for folder, names in _folders(paths).items():
        loaded = _load(folder)
        errors = [found for found in _mine(loaded.findings, loaded, names) if found.severity == "error"]
        for found in errors:
            sys.stdout.write(format_finding(_placed(found, folder), lang) + "\n")
        failed += len(errors)
        for flow in loaded.flows.all_live():
            if names is not None and flow.document.file not in names:
                continue
            for result in run_tests(loaded.flows, flow):
                if result.ok:
                    passed += 1
                    sys.stdout.write(f"ok {result.flow}: {result.name}\n")
                else:
                    failed += 1
                    sys.stdout.write(
                        f"FAIL {result.flow}: {result.name}\n"
                        f"  {folder / flow.document.file}:{result.line}\n"
                        f"  expected: {result.expected}\n  got: {result.got}\n"
                    )
                    for line in result.transcript:
                        sys.stdout.write(f"    {line}\n")
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


def _publish(arguments: argparse.Namespace, lang: str) -> int:
    folders = _folders(arguments.path)
    code = 0
    for folder, names in folders.items():
        loaded = _load(folder)
        failures = [
            result
            for flow in loaded.flows.all_live()
            if names is None or flow.document.file in names
            for result in run_tests(loaded.flows, flow)
            if not result.ok
        ]
        if failures:
            for result in failures:
                sys.stderr.write(f"FAIL {result.flow}: {result.name}\n")
            sys.stderr.write("nothing was published: golden dialogs fail; `flows test` shows how\n")
            return 1
        code = max(code, _with_database(_publishing(folder, arguments.note, lang), writes=True))
    return code


def _publishing(folder: Path, note: str | None, lang: str) -> Callable[[Connection], int]:
    def publish(conn: Connection) -> int:
        settings = load_settings()
        try:
            done = flow_store.publish(
                conn,
                flow_store.read_folder(folder),
                catalogue=catalogue(),
                timezone=settings.timezone,
                now=to_ms(datetime.now(UTC)),
                note=note,
            )
        except FlowsBroken as error:
            for found in error.findings:
                sys.stderr.write(format_finding(_placed(found, folder), lang) + "\n")
            sys.stderr.write("nothing was published\n")
            return 1
        for flow in done:
            sys.stdout.write(f"{flow.flow} version {flow.version}{' (new)' if flow.is_new else ' (unchanged)'}\n")
        return 0

    return publish


def _list(conn: Connection) -> int:
    for name, version in sorted(stored_flows.live_versions(conn).items()):
        stored = stored_flows.get(conn, name, version)
        sys.stdout.write(
            f"{name:<24} version {version:<4} {stored.note if stored and stored.note else ''}".rstrip() + "\n"
        )
    return 0


def _show(conn: Connection, flow: str, version: int | None) -> int:
    version = version or stored_flows.live_versions(conn).get(flow)
    stored = None if version is None else stored_flows.get(conn, flow, version)
    if stored is None:
        raise Unreadable(f"no flow {flow}" if version is None else f"no version {version} of flow {flow}")
    sys.stdout.write(stored.text)
    return 0


def _rollback(conn: Connection, flow: str, version: int) -> int:
    if stored_flows.get(conn, flow, version) is None:
        raise Unreadable(f"no version {version} of flow {flow}")
    stored_flows.make_live(conn, flow, version)
    sys.stdout.write(f"{flow} version {version} is live\n")
    return 0


def _with_database(work: Callable[[Connection], int], *, writes: bool = False) -> int:
    async def run(database: Database) -> int:
        return await (database.write(work, is_long=True) if writes else database.read(work))

    return with_database(load_settings(), run)
