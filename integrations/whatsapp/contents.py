"""The contents of one message: what the customer said. Contract: section 4.3."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

from dialogs.events import ButtonPressed, Card, File, FileKind, Location, MessageReceived
from integrations.base import CustomerSaid, Person, StoredEvent
from integrations.whatsapp.schemas import (
    CatalogOrder,
    Content,
    GraphProblem,
    InboundMessage,
    Interactive,
    Media,
    SharedCard,
)

CHANNEL = "whatsapp"
LONGEST_NAME = 255  # characters of a file name


def said(
    event: StoredEvent,
    number: str,
    person: Person,
    message: InboundMessage,
    problems: list[GraphProblem],
    at: datetime,
) -> CustomerSaid:
    """A message or a press. A kind that we cannot read is `unsupported`: the customer must not wait in silence."""
    press = _press(message.interactive) if message.type == "interactive" else None
    meant: MessageReceived | ButtonPressed
    if press is not None:
        payload, title = press
        meant = ButtonPressed(str(event.id), at, payload, title, message.id)
    elif message.type == "edit" and message.edit is not None:
        content = message.edit.message or Content()
        meant = _received(str(event.id), at, content, message.id, edits=message.edit.original_message_id)
    else:
        meant = _received(str(event.id), at, message, message.id)
    own = _own_card(message)
    if own is not None:  # the button that asks for the number proves whose number it is
        wa_id = next((phone.wa_id for phone in own.phones or () if phone.wa_id), None)
        if wa_id and wa_id.isascii() and wa_id.isdigit():
            addresses = tuple(dict.fromkeys((*person.addresses, wa_id)))
            person = Person(addresses, person.name, person.username, person.language, person.phone or f"+{wa_id}")
    return CustomerSaid(
        CHANNEL,
        number,
        person,
        meant,
        reply_to=message.context.id if message.context is not None else None,
        album=_album(number, person, meant),
        extra=_extra(message, problems),
    )


def _album(number: str, person: Person, meant: MessageReceived | ButtonPressed) -> str | None:
    """WhatsApp sends the pictures of an album one by one and does not say that they belong together."""
    if isinstance(meant, ButtonPressed) or meant.text or meant.edits or not meant.files:
        return None
    if meant.files[0].kind not in ("photo", "video", "file"):
        return None
    return f"{number}:{person.addresses[0]}"


def _press(interactive: Interactive | None) -> tuple[str, str | None] | None:
    """Routed by the id, never by the title."""
    reply = (interactive.button_reply or interactive.list_reply) if interactive is not None else None
    return (reply.id, reply.title) if reply is not None and reply.id else None


def _received(event_id: str, at: datetime, content: Content, wamid: str, edits: str | None = None) -> MessageReceived:
    text, files, location, card = text_of(content), files_of(content), None, None
    if content.type == "location" and content.location is not None:
        place = content.location
        location = Location(place.latitude, place.longitude, place.name, place.address)
    elif content.type == "contacts":
        card = _card(content.contacts)
    is_readable = text is not None or bool(files) or location is not None or card is not None
    return MessageReceived(
        event_id,
        at,
        text=text,
        files=files,
        location=location,
        card=card,
        unsupported=not is_readable or content.type in ("sticker", "order"),
        message_id=wamid,
        edits=edits,
    )


def text_of(content: Content) -> str | None:
    """The words of a message: its text, its caption, the label of a template's button, the lines of an order."""
    match content.type:
        case "text":
            return content.text.body if content.text is not None else None
        case "image" | "video" | "document" | "audio":
            media = _media(content)
            return media.caption if media is not None else None
        case "button":
            button = content.button
            return (button.text or button.payload) if button is not None else None
        case "interactive":  # a reply without an id is no press of ours: its title is what the person meant
            interactive = content.interactive
            reply = (interactive.button_reply or interactive.list_reply) if interactive is not None else None
            return reply.title if reply is not None else None
        case "order":
            return _order_text(content.order) if content.order is not None else None
        case _:
            return None


def files_of(content: Content) -> tuple[File, ...]:
    media = _media(content)
    if media is None:
        return ()
    kinds: dict[str | None, FileKind] = {
        "image": "photo",
        "video": "video",
        "audio": "voice" if media.voice else "audio",
        "document": "file",
        "sticker": "sticker",
    }
    name = _shown_name(media.filename) if media.filename else None
    return (File(media.id, kinds[content.type], name, media.mime_type),)


def _media(content: Content) -> Media | None:
    by_type = {
        "image": content.image,
        "video": content.video,
        "audio": content.audio,
        "document": content.document,
        "sticker": content.sticker,
    }
    return by_type.get(content.type or "")


def _shown_name(name: str) -> str | None:
    """Without control and direction marks, which make `exe` look like `pdf`. For showing only, never a path."""
    return "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf"))[:LONGEST_NAME].strip() or None


def _own_card(message: InboundMessage) -> SharedCard | None:
    if message.type != "contacts":
        return None
    return next((card for card in message.contacts or () if card.origin == "contact_request"), None)


def _card(cards: list[SharedCard] | None) -> Card | None:
    """The sender's own card if there is one, else the first with a phone; the others are in `extra`."""
    chosen = sorted(cards or (), key=lambda card: (card.origin != "contact_request", not _phones(card)))
    if not chosen:
        return None
    return Card(_phones(chosen[0]), _card_name(chosen[0]), is_own=chosen[0].origin == "contact_request")


def _phones(card: SharedCard) -> tuple[str, ...]:
    return tuple(phone.number for phone in card.phones or () if phone.number)


def _card_name(card: SharedCard) -> str | None:
    return (card.name.formatted_name or card.name.first_name) if card.name is not None else None


def _order_text(order: CatalogOrder) -> str | None:
    """A cart of the catalogue in words. Prices are decimals as sent; no sum is made of them."""
    lines = [order.text] if order.text else []
    for line in order.product_items or ():
        amount = f" × {line.quantity}" if line.quantity is not None else ""
        price = f" — {line.item_price} {line.currency or ''}".rstrip() if line.item_price is not None else ""
        lines.append(f"{line.product_retailer_id or '?'}{amount}{price}")
    return "\n".join(lines) or None


def _extra(message: InboundMessage, problems: list[GraphProblem]) -> dict[str, Any]:
    """What the journal keeps beside the message: where a lead came from, why there is no content."""
    context = message.context
    facts: dict[str, Any] = {
        "referral": message.referral,
        "forwarded": (context.forwarded or context.frequently_forwarded) if context is not None else None,
        "referred_product": context.referred_product if context is not None else None,
        "errors": [{"code": problem.code, "details": problem.details} for problem in problems],
        "payload": message.button.payload if message.type == "button" and message.button is not None else None,
        "order": message.order.model_dump(mode="json", exclude_none=True) if message.order is not None else None,
        "cards": [{"name": _card_name(card), "phones": list(_phones(card))} for card in (message.contacts or ())[1:]],
        "form": message.interactive.nfm_reply.response_json
        if message.interactive is not None and message.interactive.nfm_reply is not None
        else None,
        "type": message.type if message.type != "text" else None,
    }
    return {name: value for name, value in facts.items() if value}
