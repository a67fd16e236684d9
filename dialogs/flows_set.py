"""The flows that are live, and the older versions that open dialogs still run on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from dialogs.actions import Catalogue
from dialogs.dialog import Dialog
from dialogs.findings import Finding, finding
from dialogs.flow import Flow, Start, Step
from dialogs.flow_read import read_flow
from dialogs.flow_translate import read_translation
from dialogs.program import Program
from dialogs.project import Project, default_project, read_project
from dialogs.reading import Document, ReadingError, read
from dialogs.verify import check_translation, verify, verify_all, verify_stored
from dialogs.verify.calling import callings

Entry = tuple[Flow, Start]


class FlowMissing(LookupError):
    """There is no such flow, or not this version of it."""


class Flows:
    """Compiled flows by name and version.

    Not thread-safe while flows are added; `advance` only reads.
    """

    def __init__(self, project: Project, catalogue: Catalogue) -> None:
        self.project = project
        self.catalogue = catalogue
        self._programs: dict[tuple[str, int], Program] = {}
        self._live: dict[str, int] = {}
        self._moving: dict[str, Flow] = {}
        self.starts = Starts(())

    def add(self, flow: Flow, *, live: bool, project: Project | None = None) -> None:
        """Keep a version; `project` is the one it was published with, if not the present one."""
        self._programs[flow.name, flow.version] = Program(flow, project or self.project)
        if live:
            self._live[flow.name] = flow.version
            self._index()

    def retire(self, name: str) -> None:
        """Nothing begins this flow any more; its open dialogs go on."""
        if self._live.pop(name, None) is not None:
            self._index()

    def has(self, name: str, version: int) -> bool:
        return (name, version) in self._programs

    @property
    def is_moving(self) -> bool:
        """Some live version takes over the open dialogs of older ones."""
        return bool(self._moving)

    def missing(self, dialogs: Iterable[Dialog]) -> set[tuple[str, int]]:
        """The versions that `dialogs` stand in and that were not added yet: load and add them before a turn."""
        wanted = {(frame.flow, frame.version) for dialog in dialogs for frame in dialog.frames}
        return wanted - self._programs.keys()

    def get(self, name: str, version: int) -> Flow:
        """Raises FlowMissing."""
        return self.program(name, version).flow

    def program(self, name: str, version: int) -> Program:
        """Raises FlowMissing."""
        program = self._programs.get((name, version))
        if program is None:
            raise FlowMissing(f"{name} version {version}")
        return program

    def live(self, name: str) -> Flow:
        """The version that new dialogs and calls take. Raises FlowMissing."""
        return self.live_program(name).flow

    def live_program(self, name: str) -> Program:
        """Raises FlowMissing."""
        version = self._live.get(name)
        if version is None:
            raise FlowMissing(name)
        return self._programs[name, version]

    def moves_to(self, name: str, version: int) -> Flow | None:
        """The live version, if the dialogs of this older one are to move to it."""
        newest = self._moving.get(name)
        return newest if newest is not None and newest.version > version else None

    def all_live(self) -> tuple[Flow, ...]:
        """By name."""
        return tuple(self._programs[name, version].flow for name, version in sorted(self._live.items()))

    def copied(self, steps_of: Callable[[Flow], Mapping[str, Step]]) -> Flows:
        """The same flows, whose steps are looked up in what `steps_of` makes of each."""
        flows = copy(self)
        flows._programs = {}
        for key, program in self._programs.items():
            flows._programs[key] = copy(program)
            flows._programs[key].steps = steps_of(program.flow)
        return flows

    def _index(self) -> None:
        live = self.all_live()
        self.starts = Starts(live)
        self._moving = {flow.name: flow for flow in live if flow.moves}


class Starts:
    """What begins which flow, of the live ones."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        self.commands: dict[str, list[Entry]] = {}
        self.texts: dict[str, list[Entry]] = {}
        self.events: dict[str, list[Entry]] = {}
        self.first_message: list[Entry] = []
        self.any_message: list[Entry] = []
        for flow in flows:
            for entry in flow.start:
                self._add(flow, entry)

    def _add(self, flow: Flow, entry: Start) -> None:
        if entry.command is not None:
            self.commands.setdefault(entry.command, []).append((flow, entry))
        elif entry.event is not None:
            self.events.setdefault(entry.event, []).append((flow, entry))
        elif entry.kind == "text":
            for text in entry.texts:
                self.texts.setdefault(text, []).append((flow, entry))
        elif entry.kind == "first_message":
            self.first_message.append((flow, entry))
        else:
            self.any_message.append((flow, entry))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A folder of flow files. `flows` holds those without errors, and everything they call."""

    flows: Flows
    project: Project
    findings: tuple[Finding, ...]  # by file and line
    translations: Mapping[str, str] = field(default_factory=dict)  # translation file → file of its flow

    @property
    def has_errors(self) -> bool:
        return any(found.severity == "error" for found in self.findings)


@dataclass(frozen=True, slots=True)
class Compiled:
    flow: Flow | None  # None if there is an error
    findings: tuple[Finding, ...]


def compile_flow(
    text: bytes | str,
    *,
    file: str,
    version: int,
    project: Project,
    catalogue: Catalogue,
    translations: Sequence[tuple[str, bytes | str]] = (),
    others: Mapping[str, Flow] | None = None,
) -> Compiled:
    """Compile one flow from its stored text; `translations` are (file, text).

    `others`: the other flows of its folder, by name; a translation that breaks a limit of a channel is only found with
    them. Without them it is a stored version, which was checked when it was published: only what the engine cannot run
    without is checked again.
    """
    try:
        flow, findings = read_flow(read(text, file=file), version=version, catalogue=catalogue, zone=project.zone)
        documents = [read(words, file=name) for name, words in translations]
    except ReadingError as error:
        return Compiled(None, error.findings)
    if flow is None:
        return Compiled(None, tuple(findings))
    for document in documents:
        findings += read_translation(document, flow) if others is None else _translated(document, flow)
    if others is None:
        findings += verify_stored(flow, project=project, catalogue=catalogue)
    else:
        findings += verify(flow, others={**others, flow.name: flow}, project=project, catalogue=catalogue)
    return Compiled(None if _has_error(findings) else flow, _sorted(findings))


def load_folder(files: Mapping[str, bytes], catalogue: Catalogue, *, timezone: str, version: int = 1) -> Loaded:
    """Read the files of a folder, whatever is in them.

    Every flow gets the number `version`. A flow with an error, or that calls one, is left out of `flows`.
    """
    findings: list[Finding] = []
    documents, unreadable = _documents(files, findings)
    project = _project(documents, timezone, findings)
    flows: dict[str, Flow] = {}
    for document in documents:
        if "flow" not in document.data:
            continue
        flow, found = read_flow(document, version=version, catalogue=catalogue, zone=project.zone)
        findings += found
        if flow is None:
            unreadable.add(str(document.data["flow"]))
        elif flow.name in flows:
            line = document.lines.of(("flow",))
            first = flows[flow.name].document.file
            findings.append(finding("F01", file=document.file, line=line, x=flow.name, y=first))
        else:
            flows[flow.name] = flow
    translations = _translations(documents, flows, unreadable, findings)
    findings += verify_all(flows, project=project, catalogue=catalogue, unreadable=unreadable)
    broken = {found.file for found in findings if found.severity == "error"}
    result = Flows(project, catalogue)
    for flow in flows.values():
        if _can_run(flow, flows, broken):
            result.add(flow, live=True)
    return Loaded(result, project, _sorted(_structure_first(findings)), translations)


def _documents(files: Mapping[str, bytes], findings: list[Finding]) -> tuple[list[Document], set[str]]:
    """Also the names of the flows that cannot be read: by custom, a file is named after its flow."""
    documents, unreadable = [], set()
    for name in sorted(files):
        try:
            documents.append(read(files[name], file=name))
        except ReadingError as error:
            findings += error.findings
            unreadable.add(name.partition(".")[0])
    # A file without any of the three keys is taken for a flow, and says that `flow` is missing.
    for document in documents:
        if not {"flow", "project", "translates"}.intersection(document.data):
            findings.append(finding("Y04", file=document.file, line=1, x="flow"))
    return documents, unreadable


def _translations(
    documents: Sequence[Document], flows: Mapping[str, Flow], unreadable: Collection[str], findings: list[Finding]
) -> dict[str, str]:
    """Read the translation files; file → file of its flow."""
    files = {str(document.data["flow"]): document.file for document in documents if "flow" in document.data}
    files |= {flow.name: flow.document.file for flow in flows.values()}
    owners: dict[str, str] = {}
    read_before: dict[tuple[str, str], str] = {}
    for document in documents:
        if "translates" not in document.data or "flow" in document.data:
            continue
        name, lang = str(document.data["translates"]), str(document.data.get("lang"))
        if name in files:
            owners[document.file] = files[name]
        first = read_before.setdefault((name, lang), document.file)
        if first != document.file:
            line = document.lines.of(("translates",))
            findings.append(finding("F01", file=document.file, line=line, x=f"{name} ({lang})", y=first))
        elif name in flows or name not in unreadable:  # of a flow that cannot be read there is nothing to translate
            findings += _translated(document, flows.get(name))
    return owners


def _translated(document: Document, flow: Flow | None) -> list[Finding]:
    findings = read_translation(document, flow)
    if flow is None or any(found.code.startswith("Y") for found in findings):
        return findings
    return [*findings, *check_translation(document, flow)]


def _structure_first(findings: Sequence[Finding]) -> Sequence[Finding]:
    """After Y codes in a file its other checks are left out."""
    files = {found.file for found in findings if found.code.startswith("Y")}
    return [found for found in findings if found.code.startswith("Y") or found.file not in files]


def _project(documents: Sequence[Document], timezone: str, findings: list[Finding]) -> Project:
    project: Project | None = None
    for document in documents:
        if "project" not in document.data or "flow" in document.data:
            continue
        if project is not None:
            line = document.lines.of(("project",))
            findings.append(finding("F01", file=document.file, line=line, x="project", y=project.file or ""))
            continue
        project, found = read_project(document, timezone=timezone)
        findings += found
    return project or default_project(timezone)


def _can_run(flow: Flow, flows: Mapping[str, Flow], broken: Collection[str]) -> bool:
    """Whether the files of a flow and of all that it calls are right."""
    seen: set[str] = set()
    open_flows = [flow.name]
    while open_flows:
        name = open_flows.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in flows or flows[name].document.file in broken:
            return False
        open_flows += [calling.flow for calling in callings(flows[name])]
    return True


def _has_error(findings: Iterable[Finding]) -> bool:
    return any(found.severity == "error" for found in findings)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda found: (found.file, found.line, found.code)))
