"""The flows of the database as the engine wants them: compiled once for each version, live by a look at the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection

from dialogs.actions import Catalogue
from dialogs.findings import Finding
from dialogs.flow import Flow
from dialogs.flows_set import FlowMissing, Flows, compile_flow, load_folder
from dialogs.moving import without_place
from dialogs.program import Program
from dialogs.project import Project, compile_project
from storage import flows as stored_flows

log = structlog.get_logger(__name__)

BUILT_IN = Path(__file__).parent.parent / "dialogs" / "flows"


class FlowsBroken(Exception):
    """The folder holds errors: nothing was published."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{sum(f.severity == 'error' for f in findings)} errors in the flows")
        self.findings = findings


class StoredFlows(Flows):
    """Reads versions from the database when an open dialog first asks for them."""

    def __init__(self, project: Project, catalogue: Catalogue) -> None:
        super().__init__(project, catalogue)
        self.conn: Connection | None = None

    def program(self, name: str, version: int) -> Program:
        program = self._programs.get((name, version))
        if program is not None:
            return program
        self.load(name, version, live=False)
        return super().program(name, version)

    def load(self, name: str, version: int, *, live: bool) -> None:
        """Raises FlowMissing."""
        stored = None if self.conn is None else stored_flows.get(self.conn, name, version)
        if stored is None:
            raise FlowMissing(f"{name} version {version}")
        project, _ = compile_project(stored.project or None, file="project.yaml", timezone=str(self.project.zone))
        compiled = compile_flow(
            stored.text,
            file=f"{name}.yaml",
            version=version,
            project=project,
            catalogue=self.catalogue,
            translations=list(stored.translations.items()),
        )
        if compiled.flow is None:
            log.error("stored_flow_broken", flow=name, version=version, codes=[f.code for f in compiled.findings])
            raise FlowMissing(f"{name} version {version} does not compile any more")
        self.add(compiled.flow.without_source(), live=live, project=project)


class FlowStore:
    """One for each process. `at` sees what is live at that moment, so publishing needs no restart."""

    def __init__(self, catalogue: Catalogue, timezone: str) -> None:
        self._catalogue = catalogue
        self._timezone = timezone
        self._flows: StoredFlows | None = None
        self._live: dict[str, int] = {}

    def at(self, conn: Connection) -> StoredFlows:
        """The flows as they are live now. Reads and compiles only what is new."""
        live = stored_flows.live_versions(conn)
        if self._flows is None or live != self._live:
            project, _ = compile_project(
                stored_flows.newest_project(conn) or None, file="project.yaml", timezone=self._timezone
            )
            flows = self._flows or StoredFlows(project, self._catalogue)
            flows.project = project
            flows.conn = conn
            for name in self._live.keys() - live.keys():
                flows.retire(name)
            for name, version in live.items():
                if self._live.get(name) == version:
                    continue
                flows.load(name, version, live=True)
            self._flows, self._live = flows, live
        self._flows.conn = conn
        return self._flows


@dataclass(frozen=True, slots=True)
class Published:
    flow: str
    version: int
    is_new: bool


def read_folder(folder: str | Path) -> dict[str, bytes]:
    """The flow files of a folder; sub-folders are not read. Raises OSError."""
    found = sorted(p for p in Path(folder).iterdir() if p.is_file() and p.suffix in (".yaml", ".yml"))
    return {path.name: path.read_bytes() for path in found}


def publish(
    conn: Connection,
    files: Mapping[str, bytes],
    *,
    catalogue: Catalogue,
    timezone: str,
    now: int,
    note: str | None = None,
    keeps_rollback: bool = False,
) -> list[Published]:
    """Check a folder and make live what changed in it, in the caller's transaction. Raises FlowsBroken."""
    loaded = load_folder(files, catalogue, timezone=timezone)
    if loaded.has_errors:
        raise FlowsBroken(loaded.findings)
    project = _text(files, loaded.project.file)
    stored_flows.lock(conn)
    stranded = _without_place(conn, loaded.flows.all_live(), loaded.project, catalogue)
    if stranded:
        raise FlowsBroken(tuple(stranded))
    published = []
    for flow in loaded.flows.all_live():
        version, is_new = stored_flows.publish(
            conn,
            flow=flow.name,
            text=_text(files, flow.document.file),
            project=project,
            translations=_translations(files, flow),
            note=note,
            now=now,
            keeps_rollback=keeps_rollback,
        )
        published.append(Published(flow.name, version, is_new))
    return published


def _without_place(conn: Connection, flows: Iterable[Flow], project: Project, catalogue: Catalogue) -> list[Finding]:
    """R01: steps of older versions in which people stand, and for which a flow that moves them has no place."""
    stored = StoredFlows(project, catalogue)
    stored.conn = conn
    findings: list[Finding] = []
    for flow in flows:
        if not flow.moves:
            continue
        by_version: dict[int, dict[str, int]] = {}
        for (version, step), number in stored_flows.standing(conn, flow.name).items():
            by_version.setdefault(version, {})[step] = number
        older: list[tuple[Flow, Mapping[str, int]]] = []
        for version, steps in by_version.items():
            with suppress(FlowMissing):  # it cannot run either: its dialogs are with the managers
                older.append((stored.get(flow.name, version), steps))
        findings += without_place(flow, older)
    return findings


def _text(files: Mapping[str, bytes], name: str | None) -> str:
    return "" if name is None else files[name].decode("utf-8-sig")


def _translations(files: Mapping[str, bytes], flow: Flow) -> dict[str, str]:
    """By custom a translation is named <flow>.<lang>.yaml, but only its first key says what it is."""
    marks = (f"translates: {flow.name}", f'translates: "{flow.name}"', f"translates: '{flow.name}'")
    texts = {name: body.decode("utf-8-sig", "replace") for name, body in files.items()}
    return {
        name: text for name, text in sorted(texts.items()) if any(line.strip() in marks for line in text.splitlines())
    }
