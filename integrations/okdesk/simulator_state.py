"""What the simulated Okdesk remembers, and how it shows that in answers and in webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

STATUSES: Final = {
    "opened": ("Открыта", "#3edad8"),
    "in_progress": ("В работе", "#2b6684"),
    "delayed": ("Отложена", "#bb7db2"),
    "completed": ("Решена", "#67a030"),
    "closed": ("Закрыта", "#787880"),
}
TRANSITIONS: Final = {
    "opened": ("in_progress", "delayed", "completed", "closed"),
    "in_progress": ("opened", "delayed", "completed", "closed"),
    "delayed": ("opened", "in_progress", "completed", "closed"),
    "completed": ("in_progress", "closed"),
    "closed": ("in_progress",),
}
TYPES: Final = {"service": (2, "Обслуживание"), "incident": (3, "Инцидент"), "inner": (9, "Внутренняя")}
PRIORITIES: Final = {"low": "Низкий", "normal": "Обычный", "high": "Высокий"}
RATES: Final = ("bad", "normal", "good")
DEFAULT_TYPE: Final = "inner"

Json = dict[str, Any]


@dataclass(slots=True)
class Person:
    """An employee or a contact."""

    id: int
    type: str
    first_name: str
    last_name: str
    patronymic: str | None = None
    phone: str = ""
    mobile_phone: str = ""
    email: str | None = None
    company_id: int | None = None
    active: bool = True
    telegram_username: str | None = None
    group: tuple[int, str] | None = None  # of an employee

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.last_name, self.first_name, self.patronymic) if part)

    def in_hook(self, *, with_type: bool = True) -> Json:
        shown = {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "patronymic": self.patronymic,
            "id": self.id,
        }
        return {**shown, "type": self.type} if with_type else shown

    def in_answer(self) -> Json:
        return {
            "id": self.id,
            "name": self.name,
            "last_name": self.last_name,
            "first_name": self.first_name,
            "patronymic": self.patronymic,
            "position": "",
            "email": self.email,
            "additional_emails": None,
            "phone": self.phone,
            "mobile_phone": self.mobile_phone,
            "comment": None,
            "login": None,
            "crm_1c_id": None,
            "telegram_username": self.telegram_username,
            "company_id": self.company_id,
            "active": self.active,
            "access_level": ["company_issues"],
            "maintenance_entity_ids": [],
            "authentication_code": f"SECRET-{self.id}",
            "observers": [],
            "parameters": [],
        }

    def as_employee(self) -> Json:
        group = [{"id": self.group[0], "name": self.group[1]}] if self.group else []
        return {
            "id": self.id,
            "last_name": self.last_name,
            "first_name": self.first_name,
            "patronymic": self.patronymic or "",
            "position": "",
            "active": self.active,
            "email": self.email,
            "login": self.email,
            "phone": self.phone,
            "telephony_number": "",
            "comment": "",
            "groups": group,
            "roles": [{"id": 2, "name": "Сотрудник"}],
        }


@dataclass(slots=True)
class StoredFile:
    id: int
    name: str
    content: bytes
    mime: str
    is_public: bool
    created_at: datetime
    description: str | None = None


@dataclass(slots=True)
class StoredComment:
    id: int
    content: str
    public: bool
    author: Person
    published_at: datetime
    files: list[StoredFile] = field(default_factory=list)


@dataclass(slots=True)
class StoredIssue:
    id: int
    title: str
    description: str
    created_at: datetime
    updated_at: datetime
    author: Person
    source: str
    type: str = DEFAULT_TYPE
    priority: str = "normal"
    status: str = "opened"
    old_status: str | None = None
    contact: Person | None = None
    assignee: Person | None = None
    deadline_at: datetime | None = None
    completed_at: datetime | None = None
    delayed_to: datetime | None = None
    address: str | None = None
    rate: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    comments: list[StoredComment] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)
    is_deleted: bool = False
    merged_into: int | None = None

    def all_files(self) -> list[StoredFile]:
        return [*self.files, *(file for comment in self.comments for file in comment.files)]


def coded(code: str | None, names: Mapping[str, Any]) -> Json | None:
    """{code, name} of a status or a priority."""
    if code is None:
        return None
    named = names[code]
    return {"code": code, "name": named if isinstance(named, str) else named[0]}


class State:
    """Everything in the account. `now` gives aware times; they are shown on the account's clock."""

    def __init__(
        self, *, now: Callable[[], datetime], timezone: str, attributes: Mapping[str, str], ids_from: int
    ) -> None:
        self.now = now
        self.zone = ZoneInfo(timezone)
        self.attributes = dict(attributes)  # custom attributes of issues: code -> name
        self.issues: dict[int, StoredIssue] = {}
        self.contacts: dict[int, Person] = {}
        self.companies: dict[int, str] = {}
        self.employees: dict[int, Person] = {}
        self._next = {
            "issue": ids_from, "contact": ids_from + 2_000, "comment": ids_from + 770_000, "file": ids_from + 35_367_000
        }  # fmt: skip

    def new_id(self, kind: str) -> int:
        made = self._next[kind]
        self._next[kind] = made + 1
        return made

    def time(self, moment: datetime | None) -> str | None:
        return moment.astimezone(self.zone).isoformat(timespec="milliseconds") if moment else None

    # -------------------------------------------------------------------------------------------------- answers

    def file(self, file: StoredFile) -> Json:
        return {
            "id": file.id,
            "is_public": file.is_public,
            "attachment_file_name": file.name,
            "description": file.description,
            "attachment_file_size": len(file.content),
            "created_at": self.time(file.created_at),
        }

    def comment(self, comment: StoredComment) -> Json:
        return {
            "id": comment.id,
            "content": comment.content,
            "public": comment.public,
            "published_at": self.time(comment.published_at),
            "attachments": [self.file(file) for file in comment.files],
            "author": {"id": comment.author.id, "name": comment.author.name, "type": comment.author.type},
        }

    def issue(self, issue: StoredIssue) -> Json:
        """GET /issues/{id}."""
        return {
            **self._common(issue),
            "description": issue.description,
            "source": issue.source,
            "spent_time_total": 0.0,
            "start_execution_until": None,
            "planned_execution_in_hours": None,
            "delayed_to": self.time(issue.delayed_to),
            "company_id": issue.contact.company_id if issue.contact else None,
            "group_id": issue.assignee.group[0] if issue.assignee and issue.assignee.group else None,
            "coexecutors": [],
            "service_object_id": None,
            "equipment_ids": [],
            "attachments": [self.file(file) for file in issue.all_files()],
            "status_times": {},
            "parameters": self.parameters(issue, "field_type"),
            "comments": {
                "count": len(issue.comments),
                "last_at": self.time(issue.comments[-1].published_at) if issue.comments else None,
            },
            "parent_id": None,
            "child_ids": [],
            "type": {
                "id": TYPES[issue.type][0],
                "code": issue.type,
                "name": TYPES[issue.type][1],
                "available_for_client": issue.type != "inner",
            },
            "old_status": coded(issue.old_status, STATUSES),
            "rate": {"id": RATES.index(issue.rate) + 1, "value": issue.rate} if issue.rate in RATES else None,
            "address": {"value": issue.address, "coordinates": None} if issue.address else None,
            "observers": [],
            "observer_groups": [],
            "assignee": {"id": issue.assignee.id, "name": issue.assignee.name} if issue.assignee else None,
            "author": {"id": issue.author.id, "name": issue.author.name},
        }

    def row(self, issue: StoredIssue, fields: str | None) -> Json:
        """A row of /issues/list: no description, no assignee, attributes only when asked for."""
        company_id = issue.contact.company_id if issue.contact else None
        row = {
            **self._common(issue),
            "delay_to": self.time(issue.delayed_to),
            "type": {"code": issue.type, "name": TYPES[issue.type][1]},
            "company": {"id": company_id, "name": self.companies.get(company_id, "")} if company_id else None,
            "service_object": None,
            "equipments": [],
        }
        if fields is None:
            return row
        row["parameters"] = self.parameters(issue, "field_type")
        return {name: value for name, value in row.items() if name in fields.split(",")}

    def _common(self, issue: StoredIssue) -> Json:
        return {
            "id": issue.id,
            "title": issue.title,
            "created_at": self.time(issue.created_at),
            "updated_at": self.time(issue.updated_at),
            "completed_at": self.time(issue.completed_at),
            "deadline_at": self.time(issue.deadline_at),
            "planned_reaction_at": None,
            "reacted_at": None,
            "status": coded(issue.status, STATUSES),
            "type": None,
            "priority": coded(issue.priority, PRIORITIES),
            "contact": {"id": issue.contact.id, "name": issue.contact.name} if issue.contact else None,
            "agreement": None,
        }

    def parameters(self, issue: StoredIssue, kind: str) -> list[Json]:
        return [
            {"code": code, "name": name, kind: "ftstring", "value": issue.parameters.get(code)}
            for code, name in self.attributes.items()
        ]

    # ------------------------------------------------------------------------------------------------- webhooks

    def assignee(self, person: Person | None) -> Json:
        group = {"name": person.group[1], "id": person.group[0]} if person and person.group else None
        return {"group": group, "employee": person.in_hook(with_type=False) if person else None}

    def hook_comment(self, comment: StoredComment) -> Json:
        return {"id": comment.id, "is_public": comment.public, "content": comment.content}

    def hook_issue(self, issue: StoredIssue) -> Json:
        """The `issue` block: state after the event, without any phone."""
        contact = issue.contact
        company_id = contact.company_id if contact else None
        return {
            "title": issue.title,
            "planned_execution_in_hours": None,
            "spent_time_total": 0,
            "id": issue.id,
            "parent_id": None,
            "child_ids": [],
            "description": issue.description,
            "type": {"code": issue.type, "name": TYPES[issue.type][1], "inner": issue.type == "inner"},
            "priority": coded(issue.priority, PRIORITIES),
            "status": coded(issue.status, STATUSES),
            "rate": issue.rate,
            "old_status": coded(issue.old_status, STATUSES),
            "client": {
                "company": {"name": self.companies.get(company_id, ""), "id": company_id} if company_id else None,
                "contact": contact.in_hook(with_type=False) if contact else None,
            },
            "agreement": None,
            "maintenance_entity": None,
            "equipments": [],
            "author": issue.author.in_hook(),
            "assignee": self.assignee(issue.assignee),
            "coexecutors": [],
            "observers": {"employees": [], "contacts": [], "groups": []},
            "created_at": self.time(issue.created_at),
            "deadline_at": self.time(issue.deadline_at),
            "planned_reaction_at": None,
            "start_execution_until": None,
            "completed_at": self.time(issue.completed_at),
            "reacted_at": None,
            "parameters": self.parameters(issue, "type"),
            "attachments": [self.file(file) for file in issue.files],
        }
