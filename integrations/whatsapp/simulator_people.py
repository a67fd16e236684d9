"""The people on the other side of the simulated WhatsApp, and what they do in their chats."""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integrations.whatsapp.simulator_deliveries import Deliveries

Line = dict[str, Any]


@dataclass(slots=True)
class Customer:
    """A person with the addresses that WhatsApp knows of."""

    name: str
    wa_id: str
    user_id: str
    hides_phone: bool = False  # username only: we see the BSUID and nothing else
    wrote_at: datetime | None = None  # opens the 24-hour window
    lines: list[Line] = field(default_factory=list)

    def sender(self) -> dict[str, str]:
        return {"from_user_id": self.user_id} | ({} if self.hides_phone else {"from": self.wa_id})

    def contact(self) -> dict[str, Any]:
        profile = {"name": self.name}
        if self.hides_phone:
            return {"profile": {**profile, "username": f"@user{self.wa_id[-4:]}"}, "user_id": self.user_id}
        return {"profile": profile, "wa_id": self.wa_id, "user_id": self.user_id}


@dataclass(frozen=True, slots=True)
class StoredMedia:
    data: bytes
    mime: str


def new_wamid() -> str:
    """Never the same again, also after a restart: the service remembers every id that it has seen."""
    return f"wamid.{base64.b64encode(secrets.token_bytes(30)).decode()}"


def picture() -> bytes:
    """A valid PNG of one grey pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x80")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class SimulatedPeople:
    """Chats of one business number. A person is a free name; the same name is the same person for ever."""

    changed: Callable[[], None] | None

    def __init__(self, *, deliveries: Deliveries, phone_number_id: str, now: Callable[[], datetime]) -> None:
        self.changed = None
        self.display_phone_number = "74950000111"
        self.phone_number_id = phone_number_id
        self.deliveries = deliveries
        self.media: dict[str, StoredMedia] = {}
        self._now = now
        self._customers: dict[str, Customer] = {}

    # ---------------------------------------------------------------------------------------- what people do

    async def say(self, person: str, text: str, *, reply_to: str | None = None) -> str:
        """Write a text; returns its wamid. Like all of these, returns when our webhook was tried once."""
        return await self._write(person, "text", {"body": text}, text=text, reply_to=reply_to)

    async def press(self, person: str, option_id: str) -> str:
        """Press the last button or list row with that id, or else with that title. Raises LookupError if none has."""
        line, option = self._option(person, option_id)
        kind = "button_reply" if line["shown_as"] == "button" else "list_reply"
        reply = {"type": kind, kind: dict(option)}
        return await self._write(person, "interactive", reply, text=option["title"], reply_to=line["id"])

    async def photo(self, person: str, caption: str | None = None) -> str:
        return await self.attach(person, "image", picture(), "image/png", caption=caption)

    async def attach(
        self, person: str, kind: str, data: bytes, mime: str, *, caption: str | None = None, name: str | None = None
    ) -> str:
        """Send a file: kind is image, video, audio, document or sticker."""
        media_id = self.store(data, mime)
        content: dict[str, Any] = {"id": media_id, "mime_type": mime}
        content["sha256"] = base64.b64encode(hashlib.sha256(data).digest()).decode()
        content |= {key: value for key, value in (("caption", caption), ("filename", name)) if value is not None}
        media = "photo" if kind == "image" else kind
        return await self._write(person, kind, content, text=caption or "", media=media)

    async def contact(self, person: str, phone: str | None = None) -> str:
        """Share a card: the own number if we asked for it (or no number is given), else anybody's."""
        customer = self.customer(person)
        is_asked = (
            next((line for line in reversed(customer.lines) if line["from"] == "bot"), {}).get("asks") == "contact"
        )
        number = phone or f"+{customer.wa_id}"
        card: dict[str, Any] = {"phones": [{"phone": number, "wa_id": number.removeprefix("+"), "type": "MOBILE"}]}
        if is_asked:
            card["origin"] = "contact_request"
        else:
            card |= {"origin": "other", "name": {"formatted_name": person, "first_name": person}}
        return await self._write(person, "contacts", [card], text=number, media="contact")

    async def location(self, person: str, latitude: float, longitude: float, address: str | None = None) -> str:
        place: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
        if address is not None:
            place |= {"name": address, "address": address}
        return await self._write(
            person, "location", place, text=address or f"{latitude}, {longitude}", media="location"
        )

    async def react(self, person: str, emoji: str, message_id: str | None = None) -> str:
        """React to a message, by default to our last one; an empty emoji takes the reaction back."""
        target = message_id or self._last(person, "bot")["id"]
        content = {"message_id": target} | ({"emoji": emoji} if emoji else {})
        return await self._write(person, "reaction", content, is_shown=False)

    async def edit(self, person: str, text: str, message_id: str | None = None) -> str:
        """Change the text of the person's own message, by default of the last one."""
        line = self._own(person, message_id)
        line["text"] = text
        content = {"original_message_id": line["id"], "message": {"type": "text", "text": {"body": text}}}
        return await self._write(person, "edit", content, is_shown=False)

    async def revoke(self, person: str, message_id: str | None = None) -> str:
        line = self._own(person, message_id)
        line["is_deleted"] = True
        return await self._write(person, "revoke", {"original_message_id": line["id"]}, is_shown=False)

    async def unsupported(self, person: str, kind: str = "poll_creation") -> str:
        """Send something that the API does not pass on."""
        errors = [{"code": 131051, "title": "Message type unknown", "message": "Message type unknown"}]
        return await self._write(person, "unsupported", {"type": kind}, text="", media=kind, errors=errors)

    async def change_number(self, person: str) -> str:
        """The person moves to another SIM card; returns the new wa_id."""
        customer = self.customer(person)
        old, new = customer.wa_id, _digits(f"{customer.wa_id} moved")
        system = {"type": "user_changed_number", "wa_id": new, "body": f"User {person} changed from {old} to {new}"}
        message = {"from": old, "id": new_wamid(), "timestamp": self._timestamp(), "type": "system", "system": system}
        customer.wa_id = new
        await self._tell("messages", {"messages": [message]}, customer)
        return new

    async def answer_from_phone(self, person: str, text: str) -> str:
        """A manager answers from the phone app of the business."""
        customer = self.customer(person)
        wamid = new_wamid()
        customer.lines.append({"id": wamid, "from": "manager", "text": text, "options": [], "status": "sent"})
        echo = {"from": self.display_phone_number, "to": customer.wa_id, "to_user_id": customer.user_id, "id": wamid}
        echo |= {"timestamp": self._timestamp(), "type": "text"}
        await self._tell("smb_message_echoes", {"message_echoes": [{**echo, "text": {"body": text}}]}, customer)
        return wamid

    # ------------------------------------------------------------------------------------------ what is known

    def customer(self, person: str) -> Customer:
        known = self._customers.get(person)
        if known is None:  # perhaps we wrote to the number before its owner had a name here
            known = next((c for c in self._customers.values() if c.wa_id == _digits(person)), None)
            if known is not None:
                del self._customers[known.name]
                known.name = person
                self._customers[person] = known
        if known is None:
            user_id = int.from_bytes(hashlib.sha256(f"bsuid {person}".encode()).digest()[:8], "big")
            known = self._customers[person] = Customer(person, _digits(person), f"RU.{user_id:019d}"[:22])
        return known

    def customer_at(self, *, wa_id: str | None = None, user_id: str | None = None) -> Customer | None:
        """Who has that address. A phone nobody uses here is a stranger's, and he gets the message."""
        for customer in self._customers.values():
            if customer.wa_id == wa_id or customer.user_id == user_id:
                return customer
        if wa_id is None:
            return None
        stranger = self.customer(f"+{wa_id}")
        stranger.wa_id = wa_id
        return stranger

    def transcript(self, person: str) -> list[Line]:
        """The chat, oldest first: from, text, options, status, id; `media` and `asks` where there is one."""
        customer = self._customers.get(person)
        return [dict(line) for line in customer.lines] if customer is not None else []

    def store(self, data: bytes, mime: str) -> str:
        media_id = str(secrets.randbelow(9 * 10**15) + 10**15)
        self.media[media_id] = StoredMedia(data, mime)
        return media_id

    def notify_changed(self) -> None:
        if self.changed is not None:
            self.changed()

    # -------------------------------------------------------------------------------------------------- wire

    async def _write(
        self,
        person: str,
        kind: str,
        content: Any,
        *,
        text: str = "",
        media: str | None = None,
        reply_to: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        is_shown: bool = True,
    ) -> str:
        customer = self.customer(person)
        wamid = new_wamid()
        message: dict[str, Any] = {**customer.sender(), "id": wamid, "timestamp": self._timestamp(), "type": kind}
        message[kind] = content
        if reply_to is not None:
            message["context"] = {"from": self.display_phone_number, "id": reply_to}
        if errors is not None:
            message["errors"] = errors
        customer.wrote_at = self._now()
        if is_shown:
            line: Line = {"id": wamid, "from": "customer", "text": text, "options": [], "status": "sent"}
            customer.lines.append(line | ({"media": media} if media is not None else {}))
        self.notify_changed()
        await self._tell("messages", {"contacts": [customer.contact()], "messages": [message]}, customer)
        return wamid

    async def _tell(self, field_name: str, value: dict[str, Any], customer: Customer) -> None:
        await self.deliveries.tell({"value": {**self._head(), **value}, "field": field_name}, customer.user_id)

    def _head(self) -> dict[str, Any]:
        metadata = {"display_phone_number": self.display_phone_number, "phone_number_id": self.phone_number_id}
        return {"messaging_product": "whatsapp", "metadata": metadata}

    def _timestamp(self) -> str:
        return str(int(self._now().timestamp()))

    def _option(self, person: str, option_id: str) -> tuple[Line, dict[str, str]]:
        for name in ("id", "title"):
            for line in reversed(self.customer(person).lines):
                for option in line["options"]:
                    if option[name] == option_id:
                        return line, option
        raise LookupError(f"{person} has no button {option_id}")

    def _last(self, person: str, side: str) -> Line:
        for line in reversed(self.customer(person).lines):
            if line["from"] == side:
                return line
        raise LookupError(f"no message of {side} in the chat of {person}")

    def _own(self, person: str, message_id: str | None) -> Line:
        if message_id is None:
            return self._last(person, "customer")
        for line in self.customer(person).lines:
            if line["id"] == message_id:
                return line
        raise LookupError(f"{person} did not write {message_id}")


def _digits(name: str) -> str:
    """An invented Russian mobile number, always the same for the same name."""
    return f"7900{int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big') % 10**7:07d}"
