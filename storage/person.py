"""Finding a person: by phone, by contact, by the address in a channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, or_, select

from dialogs.phones import parse_phone
from storage.tables import contact_addresses, contacts


@dataclass(frozen=True, slots=True)
class Found:
    """One contact that fits what was asked for."""

    contact_id: int
    name: str | None
    phone: str | None
    addresses: tuple[tuple[str, str], ...]  # (channel, address)


@dataclass(slots=True)
class Search:
    """What was asked for, and who fits. `phone`: E.164, if it can be read as a phone."""

    given: str
    phone: str | None
    found: list[Found] = field(default_factory=list)


def find(conn: Connection, given: str) -> Search:
    """Everybody who fits: a phone as people write it, a contact's number, an address.

    `contact:17` and `telegram:5400000001` are exact: they mean one contact and no other.
    """
    given = given.strip()
    kind, _, rest = given.partition(":")
    if rest and kind.strip():
        return Search(given, None, _read(conn, _exactly(conn, kind.strip(), rest.strip())))
    phone = parse_phone(given)
    ids = _at(conn, [given, given.removeprefix("+")])
    if given.isdecimal() and len(given) <= 18:
        ids |= _ids(conn, select(contacts.c.id).where(contacts.c.id == int(given)))
    if phone is not None:
        # The phone that a dialog asked for may be another than the one that the person writes from.
        told = contacts.c.variables.contains(f'"{phone}"')
        ids |= _ids(conn, select(contacts.c.id).where(or_(contacts.c.phone == phone, told)))
        ids |= _at(conn, [phone, phone[1:]])
    return Search(given, phone, _read(conn, ids))


def _exactly(conn: Connection, kind: str, rest: str) -> set[int]:
    if kind == "contact":
        if not rest.isdecimal() or len(rest) > 18:
            return set()
        return _ids(conn, select(contacts.c.id).where(contacts.c.id == int(rest)))
    here = contact_addresses.c.channel == kind
    phone = parse_phone(rest)
    names = {rest, rest.removeprefix("+"), *([phone[1:]] if phone else [])}
    return _ids(conn, select(contact_addresses.c.contact_id).where(here, contact_addresses.c.address.in_(names)))


def _at(conn: Connection, names: Sequence[str]) -> set[int]:
    """By address, in any channel."""
    channels = [row[0] for row in conn.execute(select(contact_addresses.c.channel).distinct())]
    query = select(contact_addresses.c.contact_id)
    here = contact_addresses.c.channel.in_(channels)  # the key begins with the channel
    return _ids(conn, query.where(here, contact_addresses.c.address.in_(set(names))))


def _ids(conn: Connection, query: Any) -> set[int]:
    return {row[0] for row in conn.execute(query)}


def _read(conn: Connection, ids: Iterable[int]) -> list[Found]:
    people = []
    for id_ in sorted(ids):
        row = conn.execute(select(contacts.c.name, contacts.c.phone).where(contacts.c.id == id_)).first()
        if row is None:
            continue
        query = select(contact_addresses.c.channel, contact_addresses.c.address)
        where = query.where(contact_addresses.c.contact_id == id_).order_by(*query.selected_columns)
        people.append(Found(id_, row.name, row.phone, tuple((a.channel, a.address) for a in conn.execute(where))))
    return people
