"""Meta's wire format, as far as a turn needs it. Contract: section 4.

Tolerant on purpose: fields that we do not use are ignored, and a part that is not as documented counts as absent.
Only what a message cannot do without is required (its id); the sender is checked when the POST is split.

Read by hand, unlike the schemas of other systems: a message could have thirty fields and has six, and pydantic took
two thirds of the time of reading one. It is still asked about numbers and claims that are not written as documented.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from integrations.base import CannotRead
from integrations.whatsapp.wire import clean

T = TypeVar("T")
Given = dict[str, Any]  # an object of the JSON
Schema = Callable[[Given], T]  # a class below; raises CannotRead if the object lacks what is required
MEDIA = frozenset({"image", "video", "audio", "document", "sticker"})

_CLAIM = TypeAdapter(bool)
_INTEGER = TypeAdapter(int)
_PRICE = TypeAdapter(Decimal)
_LATITUDE: TypeAdapter[float] = TypeAdapter(Annotated[float, Field(ge=-90, le=90)])
_LONGITUDE: TypeAdapter[float] = TypeAdapter(Annotated[float, Field(ge=-180, le=180)])

# ---------------------------------------------------------------------- one field: None if it is absent or not as said


def _text(given: Given, name: str) -> str | None:
    """A text fit for storing. A number counts as its digits: ids may be written so."""
    value = given.get(name)
    if type(value) is str:
        return value.replace("\x00", "")  # as `clean` does
    return str(value) if value is not None and type(value) in (int, float) else None


def _required(given: Given, name: str) -> str:
    value = _text(given, name)
    if value is None:
        raise CannotRead(f"not as documented: {name}")
    return value


def _object(given: Given, name: str) -> Given | None:
    value = given.get(name)
    return value if type(value) is dict else None


def _part(given: Given, name: str, schema: Schema[T]) -> T | None:
    value = given.get(name)
    if type(value) is not dict:
        return None
    try:
        return schema(value)
    except CannotRead:
        return None


def _list(given: Given, name: str, schema: Schema[T]) -> list[T] | None:
    """A wrong item does not take its neighbours along."""
    value = given.get(name)
    return [schema(item) for item in value if type(item) is dict] if type(value) is list else None


def _claim(given: Given, name: str) -> bool | None:
    value = given.get(name)
    return value if type(value) is bool else _lenient(_CLAIM, value)


def _integer(given: Given, name: str) -> int | None:
    value = given.get(name)
    return value if type(value) is int else _lenient(_INTEGER, value)


def _lenient(kind: TypeAdapter[T], value: Any) -> T | None:
    if value is None:
        return None
    try:
        return kind.validate_python(value)
    except ValidationError:
        return None


# --------------------------------------------------------------------------------------------------- people, problems


class Contact:
    """`value.contacts[]`: who wrote. Any of it may be missing since April 2026."""

    __slots__ = ("name", "user_id", "username", "wa_id")

    def __init__(self, given: Given) -> None:
        profile = _object(given, "profile") or {}
        self.wa_id = _text(given, "wa_id")
        self.user_id = _text(given, "user_id")
        self.name = _text(profile, "name")
        self.username = _text(profile, "username")


class GraphProblem:
    """`errors[]` of messages, statuses and whole changes."""

    __slots__ = ("code", "details")

    def __init__(self, given: Given) -> None:
        details = (_object(given, "error_data") or {}).get("details")
        self.code = _integer(given, "code")
        self.details = clean(details) if type(details) is str else _text(given, "title") or _text(given, "message")


def problems_of(given: Given) -> list[GraphProblem]:
    """The errors of a message, a status or a whole change."""
    return (_list(given, "errors", GraphProblem) or []) if "errors" in given else []


# ----------------------------------------------------------------------------------------------- what a message holds


class Media:
    """`url` is left out: it lives five minutes, the id seven days."""

    __slots__ = ("caption", "filename", "id", "is_voice", "mime_type")

    def __init__(self, given: Given) -> None:
        self.id = _required(given, "id")
        if not self.id:
            raise CannotRead("media without an id")
        self.mime_type = _text(given, "mime_type")
        self.caption = _text(given, "caption")
        self.filename = _text(given, "filename")
        self.is_voice = _claim(given, "voice") is True


class Place:
    __slots__ = ("address", "latitude", "longitude", "name")

    def __init__(self, given: Given) -> None:
        latitude = _lenient(_LATITUDE, given.get("latitude"))
        longitude = _lenient(_LONGITUDE, given.get("longitude"))
        if latitude is None or longitude is None:
            raise CannotRead("a place that is nowhere")
        self.latitude = latitude
        self.longitude = longitude
        self.name = _text(given, "name")
        self.address = _text(given, "address")


class CardPhone:
    __slots__ = ("number", "wa_id")

    def __init__(self, given: Given) -> None:
        self.wa_id = _text(given, "wa_id")
        self.number = _text(given, "phone") or (f"+{self.wa_id}" if self.wa_id else None)


class SharedCard:
    """A card in `messages[].contacts`; `origin: contact_request` is the sender's own number, anything else is not."""

    __slots__ = ("is_own", "name", "phones")

    def __init__(self, given: Given) -> None:
        name = _object(given, "name") or {}
        self.name = _text(name, "formatted_name") or _text(name, "first_name")
        self.phones = _list(given, "phones", CardPhone) or []
        self.is_own = _text(given, "origin") == "contact_request"


class Reply:
    __slots__ = ("id", "title")

    def __init__(self, given: Given) -> None:
        self.id = _text(given, "id")
        self.title = _text(given, "title")


class Interactive:
    __slots__ = ("form", "reply", "type")

    def __init__(self, given: Given) -> None:
        self.type = _text(given, "type")
        self.reply = _part(given, "button_reply", Reply) or _part(given, "list_reply", Reply)
        self.form = _text(_object(given, "nfm_reply") or {}, "response_json")  # JSON inside a JSON string


class TemplateButton:
    __slots__ = ("payload", "text")

    def __init__(self, given: Given) -> None:
        self.payload = _text(given, "payload")
        self.text = _text(given, "text")


class OrderLine:
    __slots__ = ("currency", "item_price", "product_retailer_id", "quantity")

    def __init__(self, given: Given) -> None:
        self.product_retailer_id = _text(given, "product_retailer_id")
        self.quantity = _integer(given, "quantity")
        self.item_price = _lenient(_PRICE, given.get("item_price"))
        self.currency = _text(given, "currency")


class CatalogOrder:
    __slots__ = ("catalog_id", "product_items", "text")

    def __init__(self, given: Given) -> None:
        self.catalog_id = _text(given, "catalog_id")
        self.text = _text(given, "text")
        self.product_items = _list(given, "product_items", OrderLine)


class Content:
    """What a message holds: an object named as its type. The rarer kinds are read when they are asked for."""

    __slots__ = ("given", "interactive", "media", "type")

    def __init__(self, given: Given) -> None:
        self.given = given
        self.type = kind = _text(given, "type")
        self.media = _part(given, kind, Media) if kind in MEDIA else None
        self.interactive = _part(given, "interactive", Interactive) if "interactive" in given else None

    @property
    def text(self) -> str | None:
        held = _object(self.given, "text")
        return _text(held, "body") if held is not None else None

    @property
    def location(self) -> Place | None:
        return _part(self.given, "location", Place)

    @property
    def cards(self) -> list[SharedCard]:
        return _list(self.given, "contacts", SharedCard) or []

    @property
    def button(self) -> TemplateButton | None:
        return _part(self.given, "button", TemplateButton)

    @property
    def order(self) -> CatalogOrder | None:
        return _part(self.given, "order", CatalogOrder)


class Context:
    __slots__ = ("id", "is_forwarded", "referred_product")

    def __init__(self, given: Given) -> None:
        self.id = _text(given, "id")
        self.is_forwarded = bool(_claim(given, "forwarded") or _claim(given, "frequently_forwarded"))
        self.referred_product = _object(given, "referred_product")


class Edit:
    __slots__ = ("message", "original_message_id")

    def __init__(self, given: Given) -> None:
        self.original_message_id = _required(given, "original_message_id")
        self.message = _part(given, "message", Content)


class Reaction:
    __slots__ = ("emoji", "message_id")

    def __init__(self, given: Given) -> None:
        self.message_id = _required(given, "message_id")
        self.emoji = _text(given, "emoji")  # absent or empty: removed


class Revoke:
    __slots__ = ("original_message_id",)

    def __init__(self, given: Given) -> None:
        self.original_message_id = _required(given, "original_message_id")


class System:
    __slots__ = ("body", "type", "user_id", "wa_id")

    def __init__(self, given: Given) -> None:
        self.type = _text(given, "type")
        self.body = _text(given, "body")
        self.wa_id = _text(given, "wa_id") or _text(given, "new_wa_id")  # the second in a very old shape
        self.user_id = _text(given, "user_id")


class InboundMessage(Content):
    __slots__ = ("context", "from_", "from_user_id", "id")

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.id = _required(given, "id")
        self.from_ = _text(given, "from")
        self.from_user_id = _text(given, "from_user_id")
        self.context = _part(given, "context", Context) if "context" in given else None

    @property
    def to(self) -> str | None:
        """Of echoes."""
        return _text(self.given, "to")

    @property
    def to_user_id(self) -> str | None:
        return _text(self.given, "to_user_id")

    @property
    def referral(self) -> Given | None:
        return _object(self.given, "referral")

    @property
    def reaction(self) -> Reaction | None:
        return _part(self.given, "reaction", Reaction)

    @property
    def edit(self) -> Edit | None:
        return _part(self.given, "edit", Edit)

    @property
    def revoke(self) -> Revoke | None:
        return _part(self.given, "revoke", Revoke)

    @property
    def system(self) -> System | None:
        return _part(self.given, "system", System)

    @property
    def unsupported_type(self) -> str | None:
        return _text(_object(self.given, "unsupported") or {}, "type")


# ------------------------------------------------------------------------------------------------------ other updates


class MessageStatus:
    __slots__ = ("biz_opaque_callback_data", "id", "problems", "status")

    def __init__(self, given: Given) -> None:
        self.id = _required(given, "id")
        self.status = _required(given, "status")
        self.biz_opaque_callback_data = _text(given, "biz_opaque_callback_data")
        self.problems = problems_of(given)


class Preference:
    __slots__ = ("category", "user_id", "value", "wa_id")

    def __init__(self, given: Given) -> None:
        self.wa_id = _text(given, "wa_id")
        self.user_id = _text(given, "user_id")
        self.category = _text(given, "category")
        self.value = _text(given, "value")
