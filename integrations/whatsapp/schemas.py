"""Meta's wire format, as far as a turn needs it. Contract: section 4.

Tolerant on purpose: fields that we do not use are ignored, and a part that is not as documented counts as absent.
Only what a message cannot do without is required (its id); the sender is checked when the POST is split.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler
from pydantic.functional_validators import WrapValidator

from integrations.whatsapp.wire import clean

T = TypeVar("T")


def _or_absent(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _known(items: list[Any]) -> list[Any]:
    return [item for item in items if item is not None]


Text = Annotated[str, AfterValidator(clean)]
Maybe = Annotated[T | None, WrapValidator(_or_absent)]  # absent, or present and wrong: the same to us
Listed = Annotated[
    list[Annotated[T, WrapValidator(_or_absent)]], AfterValidator(_known)
]  # a wrong item does not take its neighbours along


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class Profile(Wire):
    name: Maybe[Text] = None
    username: Maybe[Text] = None


class Contact(Wire):
    """`value.contacts[]`: who wrote. Any of it may be missing since April 2026."""

    wa_id: Maybe[Text] = None
    user_id: Maybe[Text] = None
    profile: Maybe[Profile] = None


class GraphProblem(Wire):
    """`errors[]` of messages, statuses and whole changes."""

    code: Maybe[int] = None
    title: Maybe[Text] = None
    message: Maybe[Text] = None
    error_data: Maybe[dict[str, Any]] = None

    @property
    def details(self) -> str | None:
        details = (self.error_data or {}).get("details")
        return clean(details) if isinstance(details, str) else self.title or self.message


class TextBody(Wire):
    body: Text


class Media(Wire):
    """`url` is left out: it lives five minutes, the id seven days."""

    id: Text = Field(min_length=1)
    mime_type: Maybe[Text] = None
    caption: Maybe[Text] = None
    filename: Maybe[Text] = None
    voice: Maybe[bool] = None


class Place(Wire):
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: Maybe[Text] = None
    address: Maybe[Text] = None


class CardName(Wire):
    formatted_name: Maybe[Text] = None
    first_name: Maybe[Text] = None


class CardPhone(Wire):
    phone: Maybe[Text] = None
    wa_id: Maybe[Text] = None

    @property
    def number(self) -> str | None:
        return self.phone or (f"+{self.wa_id}" if self.wa_id else None)


class SharedCard(Wire):
    """A card in `messages[].contacts`; `origin: contact_request` is the sender's own number, anything else is not."""

    name: Maybe[CardName] = None
    phones: Maybe[Listed[CardPhone]] = None
    origin: Maybe[Text] = None


class Reply(Wire):
    id: Maybe[Text] = None
    title: Maybe[Text] = None


class FormReply(Wire):
    name: Maybe[Text] = None
    response_json: Maybe[Text] = None  # JSON inside a JSON string


class Interactive(Wire):
    type: Maybe[Text] = None
    button_reply: Maybe[Reply] = None
    list_reply: Maybe[Reply] = None
    nfm_reply: Maybe[FormReply] = None


class TemplateButton(Wire):
    payload: Maybe[Text] = None
    text: Maybe[Text] = None


class Reaction(Wire):
    message_id: Text
    emoji: Maybe[Text] = None  # absent or empty: removed


class OrderLine(Wire):
    product_retailer_id: Maybe[Text] = None
    quantity: Maybe[int] = None
    item_price: Maybe[Decimal] = None
    currency: Maybe[Text] = None


class CatalogOrder(Wire):
    catalog_id: Maybe[Text] = None
    text: Maybe[Text] = None
    product_items: Maybe[Listed[OrderLine]] = None


class Revoke(Wire):
    original_message_id: Text


class System(Wire):
    type: Maybe[Text] = None
    body: Maybe[Text] = None
    wa_id: Maybe[Text] = None
    new_wa_id: Maybe[Text] = None  # very old shape
    user_id: Maybe[Text] = None


class Unsupported(Wire):
    type: Maybe[Text] = None


class Content(Wire):
    """What a message holds: an object named as its type."""

    type: Maybe[Text] = None
    text: Maybe[TextBody] = None
    image: Maybe[Media] = None
    video: Maybe[Media] = None
    audio: Maybe[Media] = None
    document: Maybe[Media] = None
    sticker: Maybe[Media] = None
    location: Maybe[Place] = None
    contacts: Maybe[Listed[SharedCard]] = None
    interactive: Maybe[Interactive] = None
    button: Maybe[TemplateButton] = None
    order: Maybe[CatalogOrder] = None
    unsupported: Maybe[Unsupported] = None


class Edit(Wire):
    original_message_id: Text
    message: Maybe[Content] = None


class Context(Wire):
    id: Maybe[Text] = None
    forwarded: Maybe[bool] = None
    frequently_forwarded: Maybe[bool] = None
    referred_product: Maybe[dict[str, Any]] = None


class InboundMessage(Content):
    id: Text
    from_: Maybe[Text] = Field(default=None, alias="from")
    from_user_id: Maybe[Text] = None
    to: Maybe[Text] = None  # of echoes
    to_user_id: Maybe[Text] = None
    timestamp: Any = None
    context: Maybe[Context] = None
    referral: Maybe[dict[str, Any]] = None
    errors: Maybe[Listed[GraphProblem]] = None
    reaction: Maybe[Reaction] = None
    edit: Maybe[Edit] = None
    revoke: Maybe[Revoke] = None
    system: Maybe[System] = None


class MessageStatus(Wire):
    id: Text
    status: Text
    timestamp: Any = None
    biz_opaque_callback_data: Maybe[Text] = None
    errors: Maybe[Listed[GraphProblem]] = None


class Preference(Wire):
    wa_id: Maybe[Text] = None
    user_id: Maybe[Text] = None
    category: Maybe[Text] = None
    value: Maybe[Text] = None
    detail: Maybe[Text] = None
    timestamp: Any = None
