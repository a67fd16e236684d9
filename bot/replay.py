"""`flows replay`: the real conversations of a flow, played to a draft of it. Reads only.

Conversations come in pages, each read in a transaction of its own, so that neither memory nor a snapshot of the
database grows with their number. Flows that the draft calls are those of its folder, else those that are live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot import flow_store
from bot.flow_store import StoredFlows
from bot.replay_events import Recordings
from dialogs.actions import Catalogue
from dialogs.findings import Finding
from dialogs.flow import Flow
from dialogs.flows_set import FlowMissing, Flows, load_folder
from dialogs.program import Program
from dialogs.project import Project, compile_project
from dialogs.reading import ReadingError, read
from dialogs.replay_recording import Class, Difference, NotPlayable, Recording, Verdict
from dialogs.replaying import replay
from integrations.base import Integration
from storage import flows as stored_flows
from storage import recordings
from storage.clock import to_ms
from storage.database import Database
from storage.recordings import DialogOfFlow

log = structlog.get_logger(__name__)

PAGE = 50
EXAMPLES = 20  # of each class
ALIKE = 3  # of these with the same words at the same step


class DraftBroken(Exception):
    """The draft, or a flow that it calls, has errors."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("the draft has errors")
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Draft:
    flow: Flow
    flows: Flows


@dataclass(slots=True)
class Report:
    """Grows with the number of examples, not of conversations."""

    flow: str
    since: datetime
    counts: Counter[Class] = field(default_factory=Counter)
    examples: dict[Class, list[Verdict]] = field(default_factory=dict)
    versions: Counter[int] = field(default_factory=Counter)  # that the conversations were led with
    as_live: Counter[Class] = field(default_factory=Counter)  # of these the live version does the same as the draft
    reasons: Counter[tuple[Class, str, str]] = field(default_factory=Counter)  # class, why, and at which step

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def is_stuck(self) -> bool:
        """The draft is, where the live version is not."""
        return self.counts["stuck"] > self.as_live["stuck"]

    def add(self, verdict: Verdict, *, as_live: bool = False) -> None:
        self.counts[verdict.kind] += 1
        self.as_live[verdict.kind] += as_live
        self.versions[verdict.version] += 1
        found = verdict.difference
        if found is None:
            return
        self.reasons[found.kind, found.reason, "" if found.kind == "unplayable" else found.step] += 1
        shown = self.examples.setdefault(verdict.kind, [])
        if len(shown) < EXAMPLES:
            words = (found.reason, found.step, found.words)
            alike = [one for one in (other.difference for other in shown) if one is not None]
            if sum((one.reason, one.step, one.words) == words for one in alike) < ALIKE:
                shown.append(verdict)


def load_draft(conn: Connection, path: Path, *, catalogue: Catalogue, timezone: str) -> Draft:
    """The flow of a file among the flows of its folder, and the live ones for those that it has not.

    Raises DraftBroken, OSError.
    """
    files = flow_store.read_folder(path.parent)
    name, known, has_project = None, set(), False
    for file, text in files.items():
        try:
            data = read(text, file=file).data
        except ReadingError:
            continue
        has_project = has_project or "project" in data
        if "flow" in data:
            known.add(str(data["flow"]))
            name = str(data["flow"]) if file == path.name else name
    for live, version in stored_flows.live_versions(conn).items():
        stored = None if live in known else stored_flows.get(conn, live, version)
        if stored is not None:
            files[f"{live} (live).yaml"] = stored.text.encode()
            files |= {f"{live} (live) {file}": words.encode() for file, words in stored.translations.items()}
    project = stored_flows.newest_project(conn)
    if not has_project and project:
        files["project (live).yaml"] = project.encode()
    loaded = load_folder(files, catalogue, timezone=timezone)
    try:
        return Draft(loaded.flows.live(name or ""), loaded.flows)
    except FlowMissing:
        errors = [found for found in loaded.findings if found.severity == "error"]
        own = [found for found in errors if found.file == path.name]
        raise DraftBroken(tuple(own or errors)) from None


class FlowsOfThen:
    """The flows as they were live at any moment, told from when each version was published.

    That a version was made live again by a rollback is not recorded; from the last publishing on it is what is live.
    """

    def __init__(self, conn: Connection, *, catalogue: Catalogue, timezone: str) -> None:
        self._catalogue = catalogue
        self._timezone = timezone
        self._published = recordings.publications(conn)
        self._now = stored_flows.live_versions(conn)
        self._programs: dict[tuple[str, int], Program] = {}
        self._eras: dict[int, StoredFlows] = {}

    def at(self, conn: Connection) -> Callable[[datetime], Flows]:
        for flows in self._eras.values():
            flows.conn = conn
        return lambda moment: self._era(conn, to_ms(moment))

    def _era(self, conn: Connection, at: int) -> Flows:
        begun = max((when for when, _, _ in self._published if when <= at), default=0)
        if begun not in self._eras:
            project, _ = compile_project(
                recordings.project_at(conn, begun) or None, file="project.yaml", timezone=self._timezone
            )
            flows = _Era(project, self._catalogue, self._programs)
            flows.conn = conn
            live: Mapping[str, int] = {name: version for when, name, version in self._published if when <= begun}
            is_last = all(when <= begun for when, _, _ in self._published)
            for name, version in (self._now if is_last else live).items():
                with suppress(FlowMissing):  # a conversation that needs it cannot be played, others can
                    flows.load(name, version, live=True)
            self._eras[begun] = flows
        return self._eras[begun]


class _Era(StoredFlows):
    """Shares the compiled versions with the other eras."""

    def __init__(self, project: Project, catalogue: Catalogue, programs: dict[tuple[str, int], Program]) -> None:
        super().__init__(project, catalogue)
        self._programs = programs


async def replay_flow(
    database: Database,
    draft: Draft,
    integrations: Mapping[str, Integration],
    *,
    catalogue: Catalogue,
    timezone: str,
    since: datetime,
    now: datetime,
    limit: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Play at most `limit` conversations since then, the last active ones, to the draft."""
    report = Report(draft.flow.name, since)
    then = await database.read(lambda conn: FlowsOfThen(conn, catalogue=catalogue, timezone=timezone))
    made = Recordings(integrations, flow=draft.flow.name, until=now)
    before: tuple[int, int] | None = None

    def by_live(recording: Recording, flows: Callable[[datetime], Flows]) -> Verdict | None:
        """What others have changed since a conversation was led is not the draft's doing."""
        live = flows(now)
        try:
            return replay(recording, flows, live, live.live(recording.flow))
        except FlowMissing:  # taken out of use, or not published yet
            return None

    def compare(recording: Recording, flows: Callable[[datetime], Flows]) -> tuple[Verdict, bool]:
        verdict = replay(recording, flows, draft.flows, draft.flow)
        return verdict, verdict.difference is not None and verdict == by_live(recording, flows)

    def play(conn: Connection) -> tuple[int, int] | None:
        page = recordings.read_page(
            conn, draft.flow.name, since=to_ms(since), before=before, limit=min(PAGE, limit - report.total)
        )
        flows = then.at(conn)
        for dialog in page.dialogs:
            try:
                verdict, as_live = compare(made.make(conn, page, dialog), flows)
            except NotPlayable as error:
                verdict, as_live = _unplayable(dialog, error), False
            except SQLAlchemyError:
                raise
            except Exception as error:
                log.critical("conversation_not_played", dialog_id=dialog.id, exc_info=True)
                verdict, as_live = _unplayable(dialog, NotPlayable("our_error", type(error).__name__)), False
            report.add(verdict, as_live=as_live)
        return page.after()

    while report.total < limit:
        before = await database.read(play)
        if before is None:
            break
        progress(report.total)
    return report


def _unplayable(dialog: DialogOfFlow, error: NotPlayable) -> Verdict:
    difference = Difference(kind="unplayable", reason=error.reason, step=error.detail, event="")
    return Verdict(dialog_id=dialog.id, version=dialog.version, kind="unplayable", difference=difference)
