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
    SharedCard,
)

CHANNEL = "whatsapp"
_FILE_KINDS: dict[str | None, FileKind] = {
    "image": "photo",
    "video": "video",
    "audio": "audio",
    "document": "file",
    "sticker": "sticker",
}
_WITH_A_TEXT = frozenset({"referral", "context", "contacts", "order", "interactive"})  # mostly it has none of them
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
    kind = message.type
    press = _press(message.interactive) if kind == "interactive" else None
    meant: MessageReceived | ButtonPressed
    if press is not None:
        payload, title = press
        meant = ButtonPressed(str(event.id), at, payload, title, message.id)
    elif kind == "edit" and (edit := message.edit) is not None:
        content = edit.message or Content({})
        meant = _received(str(event.id), at, content, message.id, edits=edit.original_message_id)
    else:
        meant = _received(str(event.id), at, message, message.id)
    if kind == "contacts":
        person = _proven(person, message)
    reply_to = message.context.id if message.context is not None else None
    album = _album(number, person, meant) if message.media is not None else None
    return CustomerSaid(CHANNEL, number, person, meant, reply_to, None, album, _extra(message, problems))


def _proven(person: Person, message: InboundMessage) -> Person:
    """The button that asks for the number proves whose number it is."""
    own = next((card for card in message.cards if card.is_own), None)
    wa_id = next((phone.wa_id for phone in own.phones if phone.wa_id), None) if own is not None else None
    if not wa_id or not (wa_id.isascii() and wa_id.isdigit()):
        return person
    addresses = tuple(dict.fromkeys((*person.addresses, wa_id)))
    return Person(addresses, person.name, person.username, person.language, person.phone or f"+{wa_id}")


def _album(number: str, person: Person, meant: MessageReceived | ButtonPressed) -> str | None:
    """WhatsApp sends the pictures of an album one by one and does not say that they belong together."""
    if isinstance(meant, ButtonPressed) or meant.text or meant.edits or not meant.files:
        return None
    if meant.files[0].kind not in ("photo", "video", "file"):
        return None
    return f"{number}:{person.addresses[0]}"


def _press(interactive: Interactive | None) -> tuple[str, str | None] | None:
    """Routed by the id, never by the title."""
    reply = interactive.reply if interactive is not None else None
    return (reply.id, reply.title) if reply is not None and reply.id else None


def _received(event_id: str, at: datetime, content: Content, wamid: str, edits: str | None = None) -> MessageReceived:
    kind, text = content.type, text_of(content)
    files = files_of(content) if content.media is not None else ()
    location, card = None, None
    if kind == "location" and (place := content.location) is not None:
        location = Location(place.latitude, place.longitude, place.name, place.address)
    elif kind == "contacts":
        card = _card(content.cards)
    is_readable = text is not None or bool(files) or location is not None or card is not None
    is_unsupported = not is_readable or kind in ("sticker", "order")
    return MessageReceived(event_id, at, text, files, location, card, is_unsupported, wamid, edits)


def text_of(content: Content) -> str | None:
    """The words of a message: its text, its caption, the label of a template's button, the lines of an order."""
    match content.type:
        case "text":
            return content.text
        case "image" | "video" | "document" | "audio":
            return content.media.caption if content.media is not None else None
        case "button":
            button = content.button
            return (button.text or button.payload) if button is not None else None
        case "interactive":  # a reply without an id is no press of ours: its title is what the person meant
            reply = content.interactive.reply if content.interactive is not None else None
            return reply.title if reply is not None else None
        case "order":
            order = content.order
            return _order_text(order) if order is not None else None
        case _:
            return None


def files_of(content: Content) -> tuple[File, ...]:
    media = content.media
    if media is None:
        return ()
    kind: FileKind = "voice" if content.type == "audio" and media.is_voice else _FILE_KINDS[content.type]
    name = _shown_name(media.filename) if media.filename else None
    return (File(media.id, kind, name, media.mime_type),)


def _shown_name(name: str) -> str | None:
    """Without control and direction marks, which make `exe` look like `pdf`. For showing only, never a path."""
    return "".join(c for c in name if unicodedata.category(c) not in ("Cc", "Cf"))[:LONGEST_NAME].strip() or None


def _card(cards: list[SharedCard]) -> Card | None:
    """The sender's own card if there is one, else the first with a phone; the others are in `extra`."""
    chosen = sorted(cards, key=lambda card: (not card.is_own, not _phones(card)))
    if not chosen:
        return None
    return Card(_phones(chosen[0]), chosen[0].name, is_own=chosen[0].is_own)


def _phones(card: SharedCard) -> tuple[str, ...]:
    return tuple(phone.number for phone in card.phones if phone.number)


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
    if message.type == "text" and not problems and _WITH_A_TEXT.isdisjoint(message.given):
        return {}
    facts: dict[str, Any] = {}
    if referral := message.referral:
        facts["referral"] = referral
    if (context := message.context) is not None:
        if context.is_forwarded:
            facts["forwarded"] = True
        if context.referred_product:
            facts["referred_product"] = context.referred_product
    if problems:
        facts["errors"] = [{"code": problem.code, "details": problem.details} for problem in problems]
    if message.type == "button" and (button := message.button) is not None and button.payload:
        facts["payload"] = button.payload
    if (order := message.order) is not None and (shown := _order_facts(order)):
        facts["order"] = shown
    if others := message.cards[1:]:
        facts["cards"] = [{"name": card.name, "phones": list(_phones(card))} for card in others]
    if message.interactive is not None and message.interactive.form:
        facts["form"] = message.interactive.form
    if message.type and message.type != "text":
        facts["type"] = message.type
    return facts


def _order_facts(order: CatalogOrder) -> dict[str, Any]:
    """The order as JSON; prices are strings, so that no digit is lost."""
    lines = None
    if order.product_items is not None:
        lines = [
            _known(
                product_retailer_id=line.product_retailer_id,
                quantity=line.quantity,
                item_price=str(line.item_price) if line.item_price is not None else None,
                currency=line.currency,
            )
            for line in order.product_items
        ]
    return _known(catalog_id=order.catalog_id, text=order.text, product_items=lines)


def _known(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
