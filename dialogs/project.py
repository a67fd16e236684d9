"""What all flows of a folder share: groups, queues, templates, own wording of the built-in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from dialogs import sentences
from dialogs.findings import Finding
from dialogs.flow_fields import Fields, Reader
from dialogs.hours import Hours, read_hours
from dialogs.reading import Document, ReadingError, read

MANAGERS = "managers"  # the group and the queue that are always there


@dataclass(frozen=True, slots=True)
class Group:
    """A Telegram group for `telegram.notify`."""

    name: str
    chat_id: int | None = None  # None: TELEGRAM_MANAGERS_CHAT_ID
    personal_data: bool = False  # customers' data may be written there


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a handoff goes."""

    name: str
    title: str
    group: str = MANAGERS
    hours: Hours | None = None  # None: always open


@dataclass(frozen=True, slots=True)
class ApprovedTemplate:
    name: str
    lang: str
    params: int


@dataclass(frozen=True, slots=True)
class Project:
    zone: ZoneInfo
    groups: Mapping[str, Group] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    templates: Mapping[str, ApprovedTemplate] | None = None  # None: templates are not checked
    texts: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None

    def sentence(self, name: str, lang: str) -> str:
        return sentences.sentence(name, lang, self.texts)


def default_project(timezone: str) -> Project:
    """The project of a folder without a project file."""
    return Project(
        ZoneInfo(timezone),
        groups={MANAGERS: Group(MANAGERS, personal_data=True)},
        queues={MANAGERS: Queue(MANAGERS, MANAGERS)},
    )


def compile_project(text: bytes | str | None, *, file: str, timezone: str) -> tuple[Project, list[Finding]]:
    """Read a stored project file; None is a folder without one. What is wrong in it is read as absent."""
    if text is None:
        return default_project(timezone), []
    try:
        document = read(text, file=file)
    except ReadingError as error:
        return default_project(timezone), list(error.findings)
    return read_project(document, timezone=timezone)


def read_project(document: Document, *, timezone: str) -> tuple[Project, list[Finding]]:
    reader = Reader(document)
    zone = ZoneInfo(timezone)
    top = reader.fields(document.data, (), ("project", "groups", "queues", "templates", "texts"))
    default = default_project(timezone)
    if top is None:
        return default, reader.findings
    if top.integer("project", must=True) != 1 and not reader.findings:
        reader.note("Y06", ("project",), x=str(document.data.get("project")))
    groups = dict(default.groups)
    for name, fields in top.named("groups", ("chat_id", "personal_data")):
        groups[name] = Group(name, _chat_id(fields), fields.flag("personal_data"))
    queues = dict(default.queues)
    for name, fields in top.named("queues", ("title", "group", "hours")):
        group = fields.text("group") or MANAGERS
        queues[name] = Queue(name, fields.text("title", must=True) or name, group, _hours(fields, zone))
        if group not in groups:
            reader.note("I06", fields.at("group"), x=group)
    templates: dict[str, ApprovedTemplate] | None = {} if top.has("templates") else None
    for name, fields in top.named("templates", ("lang", "params"), slug=False):
        params = fields.integer("params", minimum=0, maximum=50, must=True) or 0
        if templates is not None:
            templates[name] = ApprovedTemplate(name, fields.text("lang", must=True) or "ru", params)
    texts: dict[str, str] = {}
    for name, text, path in top.text_map("texts"):
        if name in sentences.NAMES:
            texts[name] = text
        else:
            reader.note("Y03", path, x=name)
    return Project(zone, groups, queues, templates, texts, document.file), reader.findings


def _chat_id(fields: Fields) -> int | None:
    value: Any = fields.data.get("chat_id")
    if value is None and not fields.has("chat_id"):
        return None
    if isinstance(value, str) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit():
        return int(value)
    return fields.integer("chat_id")


def _hours(fields: Fields, zone: ZoneInfo) -> Hours | None:
    if not fields.has("hours"):
        return None
    given = fields.data["hours"]
    hours = read_hours(given, zone) if isinstance(given, dict) and given else ""
    if isinstance(hours, str):
        fields.wrong("hours", hours)
        return None
    return hours
