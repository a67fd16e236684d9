"""`flows draw`: a flow as a picture, of a file, of the files of a folder, or of a flow that is live."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bot import flow_store
from bot.catalogue import catalogue
from bot.cli_database import with_database
from bot.cli_flows import Unreadable
from bot.settings import load_settings
from dialogs.draw.graph import build_graph
from dialogs.draw.mermaid import draw_mermaid
from dialogs.draw.svg import draw_svg
from dialogs.findings import Finding, format_finding
from dialogs.flow import Flow
from dialogs.flow_fields import SLUG
from dialogs.flow_read import read_flow
from dialogs.flow_translate import read_translation
from dialogs.reading import Document, ReadingError, read
from storage import flows as stored_flows
from storage.database import Database
from storage.standing import Standing, at_steps, standing

ENDINGS = {"svg": ".svg", "mermaid": ".mmd"}
_MERMAID = (".mmd", ".mermaid")


@dataclass(frozen=True, slots=True)
class _Source:
    """One file as text: of a folder or of the database."""

    name: str
    text: bytes | str


def add_command(flows: Any, lang: str) -> None:
    draw = flows.add_parser("draw", help="a flow as a picture")
    draw.add_argument("path", metavar="PATH", help="a flow file, a folder of them, or the name of a live flow")
    draw.add_argument("--format", choices=tuple(ENDINGS), help="default: by the ending of --output, else svg")
    draw.add_argument("--output", metavar="FILE", help="a file, or a folder for all flows; default: standard output")
    draw.add_argument("--flow", metavar="NAME", help="which flow of a folder")
    draw.add_argument("--lang", choices=("ru", "en"), default=lang)
    draw.add_argument("--live", action="store_true", help="with the number of open dialogs on every step")
    draw.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    path = Path(arguments.path)
    if path.exists() or not SLUG.fullmatch(arguments.path):
        sources = _read(path)
        rows = _standing() if arguments.live else []
    else:
        sources, rows = _live_flow(arguments.path)
    only = {path.name} if path.is_file() else None
    chosen = _choose(_flows(sources, only, arguments.flow, arguments.lang), arguments.path, arguments.flow)
    form = arguments.format or ("mermaid" if (arguments.output or "").endswith(_MERMAID) else "svg")
    pictures = {
        flow.name: _draw(flow, form, arguments.lang, at_steps(rows, flow.name) if arguments.live else {})
        for flow in chosen
    }
    _write(pictures, form, arguments.output)
    return 0


def _read(path: Path) -> list[_Source]:
    """All files of the folder: a flow is drawn in its other language if a translation lies beside it."""
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise Unreadable(f"no such file or folder: {path}")
    try:
        files = flow_store.read_folder(folder)
        if path.is_file():
            files.setdefault(path.name, path.read_bytes())
    except OSError as error:
        raise Unreadable(f"cannot read {folder}: {error.strerror}") from error
    return [_Source(name, text) for name, text in files.items()]


def _flows(sources: Sequence[_Source], only: set[str] | None, wanted: str | None, lang: str) -> list[Flow]:
    """The flows of the files, those with mistakes too if they can be read at all.

    `only`: the files to look at, the others may hold translations. Where one flow is `wanted`, the rest may be broken.
    """
    zone = ZoneInfo(load_settings().timezone)
    documents, broken = _documents(sources, only, lang)
    flows = []
    for document in documents:
        if "project" in document.data or "translates" in document.data:
            continue
        if only is not None and document.file not in only:
            continue
        flow, findings = read_flow(document, version=1, catalogue=catalogue(), zone=zone)
        if flow is None:
            broken.append(_unreadable(findings, lang))
            continue
        for translation in documents:
            if translation.data.get("translates") == flow.name:
                read_translation(translation, flow)
        flows.append(flow)
    if broken and wanted not in {flow.name for flow in flows}:
        raise broken[0]
    return flows


def _documents(sources: Sequence[_Source], only: set[str] | None, lang: str) -> tuple[list[Document], list[Unreadable]]:
    documents: list[Document] = []
    broken: list[Unreadable] = []
    for source in sources:
        try:
            documents.append(read(source.text, file=source.name))
        except ReadingError as error:
            if only is None or source.name in only:
                broken.append(_unreadable(error.findings, lang))
    return documents, broken


def _unreadable(findings: Sequence[Finding], lang: str) -> Unreadable:
    return Unreadable(format_finding(findings[0], lang) if findings else "this file holds no flow")


def _choose(flows: Sequence[Flow], path: str, name: str | None) -> list[Flow]:
    chosen = [flow for flow in flows if name in (None, flow.name)]
    if not chosen:
        raise Unreadable(f"no flow {name} in {path}" if name else f"there is no flow in {path}")
    return chosen


def _draw(flow: Flow, form: str, lang: str, live: Mapping[str, int]) -> str:
    graph = build_graph(flow, lang=lang)
    return draw_mermaid(graph, live=live) if form == "mermaid" else draw_svg(graph, live=live)


def _write(pictures: Mapping[str, str], form: str, output: str | None) -> None:
    target = Path(output) if output else None
    if target is not None and _is_folder(target, output or "", has_several=len(pictures) > 1):
        files = {target / f"{name}{ENDINGS[form]}": picture for name, picture in pictures.items()}
    elif len(pictures) > 1:
        names = ", ".join(sorted(pictures))
        raise Unreadable(f"there are several flows: choose one with --flow, or give a folder to --output: {names}")
    elif target is None:
        sys.stdout.write("".join(pictures.values()))
        return
    else:
        files = dict.fromkeys([target], "".join(pictures.values()))
    try:
        for file, picture in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise Unreadable(f"cannot write {output}: {error.strerror}") from error


def _is_folder(target: Path, written: str, *, has_several: bool) -> bool:
    """A folder that is there, or one to be made: `pictures/`, or a name without an ending where several flows go."""
    return target.is_dir() or written.endswith("/") or (has_several and not target.exists() and not target.suffix)


def _standing() -> list[Standing]:
    rows: list[Standing] = []

    async def run(database: Database) -> int:
        rows.extend(await database.read(standing))
        return 0

    if with_database(load_settings(), run):
        raise SystemExit(1)  # the reason is already told
    return rows


def _live_flow(name: str) -> tuple[list[_Source], list[Standing]]:
    """The text of a live flow with its translations, and where the open dialogs stand."""
    sources: list[_Source] = []
    rows: list[Standing] = []

    def look(conn: Connection) -> None:
        version = stored_flows.live_versions(conn).get(name)
        stored = None if version is None else stored_flows.get(conn, name, version)
        if stored is not None:
            sources.append(_Source(f"{name}.yaml", stored.text))
            sources.extend([_Source(file, text) for file, text in stored.translations.items()])
            rows.extend(standing(conn))

    async def run(database: Database) -> int:
        await database.read(look)
        return 0

    if with_database(load_settings(), run):
        raise SystemExit(1)
    if not sources:
        raise Unreadable(f"no such file or folder, and no live flow: {name}")
    return sources, rows
