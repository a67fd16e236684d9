"""What the playground's addresses take: bodies and query strings, checked at the edge."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bot.demo.errors import BadInput, TooLarge

MAX_BODY_BYTES = 64 * 1024
MAX_NAME = 60  # characters
MAX_TEXT = 4096  # characters, as in both messengers
MAX_ROUBLES = 10_000_000

SYSTEMS = ("whatsapp", "telegram", "okdesk", "onec")
TROUBLES = ("none", "down", "slow", "lost_answer", "duplicate")
STATUSES = ("opened", "in_progress", "delayed", "completed", "closed")


def _clean(text: str) -> str:
    """No control characters and no half surrogates: neither could be sent on."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in text):
        raise ValueError("must not hold control characters or broken Unicode")
    return text


def _name(text: str) -> str:
    name = _clean(text).strip()
    if not name or len(name) > MAX_NAME or "\n" in name or "\t" in name:
        raise ValueError(f"must be one line of 1 to {MAX_NAME} characters")
    return name


def _words(text: str) -> str:
    if not _clean(text).strip() or len(text) > MAX_TEXT:
        raise ValueError(f"must hold 1 to {MAX_TEXT} characters and not only spaces")
    return text


def parse_roubles(value: object) -> int:
    """Roubles as a person or a script writes them, to kopecks: 1500, 1500.5, "1 500,50".

    Raises ValueError for what is not a number, is not positive, has parts of a kopeck or is above MAX_ROUBLES.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("must be an amount in roubles: a number or a string like '1 500,50'")
    written = "".join(str(value).split()).replace("₽", "").replace(",", ".")
    try:
        roubles = Decimal(written) if len(written) <= 20 else Decimal("nan")
    except InvalidOperation:
        roubles = Decimal("nan")
    if not roubles.is_finite():
        raise ValueError("must be an amount in roubles: a number or a string like '1 500,50'")
    if not 0 < roubles <= MAX_ROUBLES:
        raise ValueError(f"must be above 0 and at most {MAX_ROUBLES} roubles")
    kopecks = roubles * 100
    if kopecks != kopecks.to_integral_value():
        raise ValueError("must not have parts of a kopeck")
    return int(kopecks)


def _issue_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be an issue number")  # pydantic would take true for 1
    return value


Name = Annotated[str, AfterValidator(_name)]
Words = Annotated[str, AfterValidator(_words)]
Roubles = Annotated[int, BeforeValidator(parse_roubles)]
"""Comes in as roubles, is kopecks from there on."""
IssueId = Annotated[int, BeforeValidator(_issue_number), Field(ge=1, le=2**53)]
ChannelName = Literal["whatsapp", "telegram"]
Flag = Annotated[bool, Field(strict=True)]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Say(Body):
    """What a customer does: exactly one thing. `text` beside `photo` is its caption."""

    channel: ChannelName
    person: Name
    text: Words | None = None
    press: Words | None = None  # id or title of an option
    photo: Flag = False
    contact: Flag = False
    location: Flag = False

    @model_validator(mode="after")
    def _one_thing(self) -> Say:
        has_own_text = self.text is not None and not self.photo
        if sum((has_own_text, self.press is not None, self.photo, self.contact, self.location)) != 1:
            raise ValueError("send exactly one of text, press, photo, contact, location")
        return self


class ManagerActs(Body):
    """What a manager does in the group: writes, or presses a button of a message."""

    manager: Name = "Менеджер"
    text: Words | None = None
    thread_id: IssueId | None = None
    reply_to: IssueId | None = None
    message_id: IssueId | None = None
    press: Words | None = None  # data or title of a button

    @model_validator(mode="after")
    def _writes_or_presses(self) -> ManagerActs:
        if (self.text is None) == (self.press is None):
            raise ValueError("send either text or press")
        if self.press is not None and self.message_id is None:
            raise ValueError("press needs message_id")
        return self


class SetStatus(Body):
    status: Literal["opened", "in_progress", "delayed", "completed", "closed"]
    comment: Words | None = None


class AddComment(Body):
    text: Words
    public: Flag = True


class Payment(Body):
    """`paid`: money came in; with `total`, the sum of the whole bill. `invoice`: a bill for `amount` was issued."""

    issue_id: IssueId
    amount: Roubles
    total: Roubles | None = None
    what: Literal["paid", "invoice"] = "paid"


class Trouble(Body):
    system: Literal["whatsapp", "telegram", "okdesk", "onec", "worker"] | None = None
    what: Literal["none", "down", "slow", "lost_answer", "duplicate", "kill_worker"]

    @model_validator(mode="after")
    def _system_is_named(self) -> Trouble:
        if self.what not in ("kill_worker", "none") and self.system in (None, "worker"):
            raise ValueError(f"name the system that gets into trouble: {', '.join(SYSTEMS)}")
        return self


class Who(Body):
    channel: ChannelName
    person: Name


class Visitors(Body):
    """Whose chats a page shows."""

    whatsapp: Name | None = None
    telegram: Name | None = None


Model = TypeVar("Model", bound=Body)


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """Raises BadInput with a list of `{"field", "message"}`, or TooLarge."""
    # `client_max_size` of an application below another one counts for nothing, so the limit is ours to keep
    if (request.content_length or 0) > MAX_BODY_BYTES or len(raw := await request.read()) > MAX_BODY_BYTES:
        raise TooLarge("too_large", f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        data = json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput("bad_json", "The body must be a JSON object.") from error
    if not isinstance(data, dict):
        raise BadInput("bad_json", "The body must be a JSON object.")
    return _check(model, data)


def read_query(request: web.Request, model: type[Model]) -> Model:
    return _check(model, dict(request.query))


def _check(model: type[Model], data: dict[str, Any]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"].removeprefix("Value error, ")}
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = details[0]
        message = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
        raise BadInput("invalid", message, details) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
