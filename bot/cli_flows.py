"""`flows …`: checking, testing and publishing flow files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bot import cli_flows_diff, cli_flows_stats, flow_store
from bot.catalogue import catalogue
from bot.cli_database import with_database
from bot.flow_store import FlowsBroken
from bot.settings import load_settings
from dialogs.findings import Finding, format_finding
from dialogs.flows_set import Loaded, load_folder
from dialogs.golden import GoldenResult, report, run_tests
from dialogs.golden_coverage import untested
from storage import flows as stored_flows
from storage.clock import to_ms
from storage.database import Database

REPLAYED = 1000  # conversations


class Unreadable(Exception):
    """A path that cannot be read, in one sentence."""


def add_commands(commands: Any, lang: str) -> None:
    from bot import cli_flows_draw  # which raises this module's Unreadable

    flows = commands.add_parser("flows", help="dialog flows").add_subparsers(
        dest="flows", required=True, metavar="COMMAND"
    )
    check = flows.add_parser("check", help="verify flow files")
    check.add_argument("path", nargs="+")
    check.add_argument("--lang", choices=("ru", "en"), default=lang)
    check.set_defaults(run=lambda a: _check(a.path, a.lang))
    cli_flows_draw.add_command(flows, lang)
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
    replaying = flows.add_parser("replay", help="play real conversations to a draft; nothing is written or sent")
    replaying.add_argument("path", metavar="FLOW.yaml")
    replaying.add_argument("--since", default="7d", help="how far back: 12h, 7d, 30d (default: 7d)")
    replaying.add_argument("--limit", type=int, default=REPLAYED, help=f"at most so many, the last ones ({REPLAYED})")
    replaying.add_argument("--lang", choices=("ru", "en"), default=lang)
    replaying.set_defaults(run=_replay)
    rollback = flows.add_parser("rollback", help="make an older version live again")
    rollback.add_argument("flow")
    rollback.add_argument("--to", type=int, required=True, metavar="N")
    rollback.set_defaults(run=lambda a: _with_database(lambda conn: _rollback(conn, a.flow, a.to), writes=True))


def _replay(arguments: argparse.Namespace) -> int:
    from bot.cli_flows_replay import replay  # the whole service comes with it: not for those who only check

    return replay(arguments)


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


def _load(folder: Path) -> Loaded:
    try:
        return load_folder(flow_store.read_folder(folder), catalogue(), timezone=_timezone())
    except OSError as error:
        raise Unreadable(f"cannot read {folder}: {error.strerror}") from error


def _timezone() -> str:
    return load_settings().timezone


def _mine(findings: Iterable[Finding], loaded: Loaded, names: set[str] | None) -> list[Finding]:
    """Findings of the files asked for, and of the translations of their flows."""
    if names is None:
        return list(findings)
    wanted = names | {file for file, owner in loaded.translations.items() if owner in names}
    return [found for found in findings if found.file in wanted]


def _check(paths: list[str], lang: str) -> int:
    findings: list[Finding] = []
    for folder, names in _folders(paths).items():
        loaded = _load(folder)
        found_here = _mine((*loaded.findings, *untested(loaded.flows)), loaded, names)
        findings += [_placed(found, folder) for found in found_here]
    for found in sorted(findings, key=lambda found: (found.file, found.line, found.code)):
        sys.stdout.write(format_finding(found, lang) + "\n")
    if any(found.code == "Y01" for found in findings):
        return 2
    return 1 if any(found.severity == "error" for found in findings) else 0


def _placed(found: Finding, folder: Path) -> Finding:
    return replace(found, file=str(folder / found.file))


def _test(paths: list[str], lang: str) -> int:
    """A file with errors is not played; each of its errors counts as a failure."""
    results: list[GoldenResult] = []
    errors = 0
    for folder, names in _folders(paths).items():
        loaded = _load(folder)
        for found in _mine(loaded.findings, loaded, names):
            if found.severity == "error":
                errors += 1
                sys.stdout.write(format_finding(_placed(found, folder), lang) + "\n")
        for flow in loaded.flows.all_live():
            if names is None or flow.document.file in names:
                results += [replace(result, file=str(folder / result.file)) for result in run_tests(loaded.flows, flow)]
    for line in report(results, lang=lang, errors=errors):
        sys.stdout.write(line + "\n")
    return 1 if errors or any(not result.ok for result in results) else 0


def _publish(arguments: argparse.Namespace, lang: str) -> int:
    """Of a file its whole folder: the flows of a folder call one another. First the check, then the tests."""
    code = 0
    for folder in _folders(arguments.path):
        loaded = _load(folder)
        if loaded.has_errors:
            for found in loaded.findings:
                sys.stderr.write(format_finding(_placed(found, folder), lang) + "\n")
            sys.stderr.write("nothing was published\n")
            return 1
        failures = [
            result for flow in loaded.flows.all_live() for result in run_tests(loaded.flows, flow) if not result.ok
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
