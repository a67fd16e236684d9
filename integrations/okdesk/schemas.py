"""The wire format of Okdesk: what we read of webhooks and of answers.

Sources disagree (Okdesk's contract, section 14.5): ids and numbers come as numbers or as digits in a string, lists
come as one object or null, blocks come empty. Therefore only what an event cannot do without is required; a part
that cannot be read is absent, and whatever decides over visibility is denied unless it is plainly true.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from integrations.okdesk.html import clean

_LARGEST_ID: Final = 2**63 - 1


def as_id(value: Any) -> int | None:
    """An id written as a number or as digits in a string; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_ID:
        return value
    return None


def _required_id(value: Any) -> int:
    found = as_id(value)
    if found is None:
        raise ValueError("no id")
    return found


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _as_list(value: Any) -> list[Any]:
    """One transcription of the reference shows an object where others show an array."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def _moment(value: Any) -> str | None:
    """An ISO time, as Okdesk wrote it: its offset tells the day on the account's clock."""
    if not isinstance(value, str):
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value


Id = Annotated[int, BeforeValidator(_required_id)]
MaybeId = Annotated[int | None, BeforeValidator(as_id)]
Text = Annotated[str | None, BeforeValidator(_text)]
Moment = Annotated[str | None, BeforeValidator(_moment)]
PlainlyTrue = Annotated[bool, BeforeValidator(lambda value: value is True or value == "true")]


class Wire(BaseModel):
    """Unknown fields appear over time and are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


Model = TypeVar("Model", bound=Wire)


def read_one(model: type[Model], answer: Any) -> Model | None:
    """The object in an answer; None when there is none or it has no id."""
    try:
        return model.model_validate(answer)
    except ValidationError:
        return None


def read_many(model: type[Model], answer: Any, *, under: str | None = None) -> list[Model]:
    """Every form of "several": an array, one bare object, an object that wraps the array, nothing at all."""
    if isinstance(answer, dict) and under and isinstance(answer.get(under), list):
        answer = answer[under]
    found = (read_one(model, item) for item in _as_list(answer))
    return [item for item in found if item is not None]


class Coded(Wire):
    """A status, type or priority."""

    code: Text = None
    name: Text = None


class Named(Wire):
    id: MaybeId = None
    name: Text = None


class PersonName(Wire):
    """Somebody in a webhook. `type` is "employee" or "contact", where it matters."""

    id: MaybeId = None
    first_name: Text = None
    last_name: Text = None
    patronymic: Text = None
    type: Text = None

    @property
    def full_name(self) -> str | None:
        """As REST answers write it: surname first."""
        return " ".join(part for part in (self.last_name, self.first_name, self.patronymic) if part) or None


class Attachment(Wire):
    """`is_public` in both formats; without it a file is not public."""

    id: Id
    name: Text = Field(None, validation_alias="attachment_file_name")
    size: MaybeId = Field(None, validation_alias="attachment_file_size")
    is_public: PlainlyTrue = False
    url: Text = Field(None, validation_alias="attachment_url")  # signed, lives about 30 s: never stored or logged


MaybeCoded = Annotated[Coded | None, WrapValidator(_or_none)]
MaybeNamed = Annotated[Named | None, WrapValidator(_or_none)]
MaybePerson = Annotated[PersonName | None, WrapValidator(_or_none)]
Attachments = Annotated[tuple[Attachment, ...], BeforeValidator(lambda value: read_many(Attachment, value))]


class Parameter(Wire):
    """A custom attribute; its kind is `type` in webhooks and `field_type` in answers."""

    code: Text = None
    value: Any = None


Parameters = Annotated[tuple[Parameter, ...], BeforeValidator(lambda value: read_many(Parameter, value))]


# ---------------------------------------------------------------------------------------------------- webhooks


class HookComment(Wire):
    id: MaybeId = None
    is_public: PlainlyTrue = False  # missing means private: never let it leave
    content: Text = None


class Assignee(Wire):
    group: MaybeNamed = None
    employee: MaybePerson = None


class Deadline(Wire):
    new_value: Moment = None


class Client(Wire):
    contact: MaybePerson = None


class HookIssue(Wire):
    """State after the event. Anything but the id may be missing (`ticket_deleted`)."""

    id: Id
    title: Text = None
    status: MaybeCoded = None
    old_status: MaybeCoded = None
    rate: Text = None
    client: Annotated[Client | None, WrapValidator(_or_none)] = None
    contact: MaybePerson = None  # one receiver reads it here in place of client.contact
    assignee: Annotated[Assignee | None, WrapValidator(_or_none)] = None
    deadline_at: Moment = None
    parameters: Parameters = ()

    @property
    def contact_id(self) -> int | None:
        """The contact in either place; None when the issue has no contact."""
        for contact in (self.client.contact if self.client else None, self.contact):
            if contact is not None and contact.id is not None:
                return contact.id
        return None


class HookEvent(Wire):
    event_type: str
    author: MaybePerson = None  # absent in new_ticket by mail, null when the system acted
    source: Text = None
    old_status: MaybeCoded = None
    new_status: MaybeCoded = None
    comment: Annotated[HookComment | None, WrapValidator(_or_none)] = None
    attachments: Attachments = ()
    new_assignee: Annotated[Assignee | None, WrapValidator(_or_none)] = None
    deadline_at: Annotated[Deadline | None, WrapValidator(_or_none)] = None
    rate: Text = None


class IssueHook(Wire):
    """A webhook about an issue. The envelopes of other entities are not read further than their event type."""

    event: HookEvent
    issue: HookIssue


# ----------------------------------------------------------------------------------------------------- answers


class CommentAuthor(Wire):
    id: MaybeId = None
    name: Text = None
    type: Text = None


class Comment(Wire):
    id: Id
    content: Text = None
    public: PlainlyTrue = False
    published_at: Moment = Field(None, validation_alias=AliasChoices("published_at", "created_at"))
    author: Annotated[CommentAuthor | None, WrapValidator(_or_none)] = None
    attachments: Attachments = ()


def _rate(value: Any) -> str | None:
    return _text(value.get("value")) if isinstance(value, dict) else _text(value)


class Issue(Wire):
    """An issue of GET /issues/{id} or a row of /issues/list, where `assignee` and `parameters` may be absent."""

    id: Id
    title: Text = None
    status: MaybeCoded = None
    type: MaybeCoded = None
    contact: MaybeNamed = None
    assignee: MaybeNamed = None
    deadline_at: Moment = None
    created_at: Moment = None
    updated_at: Moment = None
    rate: Annotated[str | None, BeforeValidator(_rate)] = None
    parameters: Parameters | None = None

    @property
    def status_code(self) -> str | None:
        return self.status.code if self.status else None

    def parameter(self, code: str) -> str | None:
        """Value of a custom attribute as text; None when it is empty or not in this answer."""
        for parameter in self.parameters or ():
            if parameter.code == code and parameter.value not in (None, ""):
                return str(parameter.value)
        return None


class Contact(Wire):
    """A contact. `authentication_code`, which opens the portal, is deliberately not read."""

    id: Id
    name: Text = None
    phone: Text = None
    mobile_phone: Text = None
    active: Annotated[bool, BeforeValidator(lambda value: value is not False and value != "false")] = True
    company_id: MaybeId = None
    company: MaybeNamed = None


class Employee(Wire):
    id: Id
    first_name: Text = None
    last_name: Text = None
    active: Annotated[bool, BeforeValidator(lambda value: value is not False and value != "false")] = True
