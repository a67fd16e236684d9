"""By which names an event's document, order and customer are known (contract §3.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from integrations.onec.normalize import folded_number
from integrations.onec.schemas import Document, Moment, OnecEvent

_OKDESK = re.compile(r"okdesk-([0-9]{1,15})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Names:
    """The surest first. `weak`: INN and phone, which say who but not which order."""

    sure: tuple[str, ...]
    weak: tuple[str, ...]
    learns: tuple[str, ...]  # names of this order: to be linked to the dialog that was found


def document_name(document: Document) -> str:
    """The document within its base: its GUID, else number and date."""
    if document.guid:
        return document.guid
    number = folded_number(document.number or "")
    return f"{number}@{document.date.day.isoformat()}" if document.date else number


def issue_id(external_id: str | None) -> int | None:
    """An order that was created for an Okdesk issue has the external id okdesk-N."""
    match = _OKDESK.fullmatch(external_id or "")
    return int(match[1]) if match else None


def names(event: OnecEvent) -> Names:
    order, invoice, document, customer = event.order, event.invoice, event.document, event.counterparty
    ours = [f"onec-ext:{order.external_id}"] if order.external_id else []
    if (issue := issue_id(order.external_id)) is not None:
        ours.append(f"issue:{issue}")
    guids = [
        f"onec-{what}:{guid}"
        for what, guid in (("order", order.guid), ("invoice", invoice.guid), ("doc", document.guid))
        if guid
    ]
    numbers: list[str] = []
    if document.guid is None:
        numbers += _numbered("docnum", document.number, document.date)
    numbers += _numbered("ordernum", order.number, order.date or document.date)
    numbers += _numbered("invnum", invoice.number, invoice.date or document.date)
    guesses: list[str] = []
    if event.number_is_loose:  # §3.4: tried as the number of the document, then of the invoice, then of the order
        guesses += _numbered("invnum", document.number, document.date)
        guesses += _numbered("ordernum", document.number, document.date)
    party = [f"onec-party:{customer.guid}"] if customer.guid else []
    weak = [f"inn:{customer.inn}"] if customer.inn else []
    weak += [f"phone:{customer.phone}"] if customer.phone else []
    learns = (*ours, *guids, *numbers)
    return Names(tuple(dict.fromkeys((*learns, *guesses, *party))), tuple(weak), tuple(dict.fromkeys(learns)))


def order_name(event: OnecEvent) -> str:
    """The order within its base, for adding up its payments; the document itself when no order is told."""
    order, invoice = event.order, event.invoice
    if order.guid:
        return f"order:{order.guid}"
    if order.external_id:
        return f"ext:{order.external_id}"
    if numbered := _numbered("ordernum", order.number, order.date or event.document.date):
        return numbered[0]
    if invoice.guid:
        return f"invoice:{invoice.guid}"
    return f"document:{document_name(event.document)}"


def _numbered(what: str, number: str | None, date: Moment | None) -> list[str]:
    """A number is unique only inside a year (§2): without one it names nothing."""
    return [f"onec-{what}:{folded_number(number)}/{date.day.year}"] if number and date else []
