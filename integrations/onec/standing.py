"""How an order stands, read by OData with the names of a profile (contract §6.6): the way without 1C programming."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.onec import normalize
from integrations.onec.client import OnecClient
from integrations.onec.errors import FieldError, NotFound, NotPublished, Rejected
from integrations.onec.odata import Rows, cast_literal, guid_literal, text_literal
from integrations.onec.reading import computed_state, payment_state
from integrations.onec.schemas import Amount, PaymentState
from integrations.onec.settings import OnecProfile, OnecSettings, PaymentRows

RECENT = 200  # documents looked through when the publication refuses our filter


@dataclass(frozen=True, slots=True)
class Standing:
    order_number: str | None
    invoice_number: str | None
    state: PaymentState | None
    total: int | None  # kopecks
    paid: int | None  # kopecks
    url: str | None = None
    guid: str | None = None  # of the order


async def standing_by_odata(
    client: OnecClient, profile: OnecProfile, external_id: str, settings: OnecSettings
) -> Standing:
    """Raises NotFound when no document has `external_id` in its comment, and whatever the client raises."""
    resource = profile.order or profile.invoice
    if resource is None:
        raise NotPublished("the 1C profile names neither an order nor an invoice")
    document = await _by_comment(client, profile, resource, external_id)
    guid = normalize.readable(normalize.guid, document.get("Ref_Key"))
    total = normalize.readable(normalize.money, document.get(profile.total))
    number = normalize.document_number(document.get("Number"))
    invoice = document if profile.order is None else await _invoice_of(client, profile, guid)
    invoice_number = normalize.document_number(invoice.get("Number")) if invoice else None
    invoice_guid = normalize.readable(normalize.guid, invoice.get("Ref_Key")) if invoice else None
    state, paid = await _told_state(client, profile, invoice_guid, settings), None
    if state is None or state == "partial":
        paid = 0
        for rows in profile.payments:
            target = guid if rows.link_to == "order" else invoice_guid
            paid += await _paid_by(client, rows, target) if target else 0
        state = state or computed_state(Amount(total, paid))
    else:
        paid = total if state in ("paid", "overpaid") else 0
    order_guid = guid if profile.order else None
    return Standing(number if profile.order else None, invoice_number, state, total, paid, guid=order_guid)


async def _by_comment(client: OnecClient, profile: OnecProfile, resource: str, external_id: str) -> Mapping[str, Any]:
    select = ("Ref_Key", "Number", "Date", profile.total, profile.comment)
    where = f"substringof({text_literal(external_id)},{profile.comment}) and DeletionMark eq false"
    try:
        found = await client.rows(resource, where=where, select=select, order_by="Date desc", top=20)
    except (NotFound, NotPublished):
        raise
    except Rejected as error:
        if error.code == "forbidden":
            raise
        # Some publications reject such filters (a comment of unlimited length cannot be compared, §6.3).
        found = await client.rows(resource, select=select, order_by="Date desc", top=RECENT)
    # substringof finds okdesk-77 for okdesk-7.
    whole = re.compile(rf"(?<![\w-]){re.escape(external_id)}(?![\w-])", re.IGNORECASE)
    for row in found.value:
        if whole.search(str(row.get(profile.comment) or "")):
            return row
    raise NotFound(f"1C has no document for {external_id}")


async def _invoice_of(client: OnecClient, profile: OnecProfile, order: str | None) -> Mapping[str, Any] | None:
    """The newest invoice of an order; None too when the base has none published: its number is a mere courtesy."""
    if profile.invoice is None or profile.invoice_order is None or profile.order is None or order is None:
        return None
    is_plain = profile.invoice_order.endswith("_Key")
    value = guid_literal(order) if is_plain else cast_literal(order, profile.order)
    where = f"{profile.invoice_order} eq {value} and DeletionMark eq false"
    try:
        found = await client.rows(
            profile.invoice, where=where, select=("Ref_Key", "Number", "Date"), order_by="Date desc", top=1
        )
    except (NotPublished, NotFound, Rejected):
        return None
    return found.value[0] if found.value else None


async def _told_state(
    client: OnecClient, profile: OnecProfile, invoice: str | None, settings: OnecSettings
) -> PaymentState | None:
    """The word in the register of statuses; None when there is no register, no record or an unknown word."""
    register = profile.status_register
    if register is None or invoice is None or profile.invoice is None:
        return None
    where = f"{register.document} eq {cast_literal(invoice, profile.invoice)}"
    try:
        found = await client.rows(register.name, where=where, top=1)
        word = found.value[0].get(register.status) if found.value else None
        return payment_state(word, Amount(), settings) if word else None
    except (NotPublished, NotFound, Rejected, FieldError):
        return None


async def _paid_by(client: OnecClient, rows: PaymentRows, target: str) -> int:
    """Kopecks that posted documents of one kind brought. A kind that is not published brings nothing."""
    value = cast_literal(target, rows.link_type) if rows.link_type else guid_literal(target)
    try:
        lines = await client.rows(
            f"{rows.document}_{rows.rows}", where=f"{rows.link} eq {value}", select=("Ref_Key", rows.amount)
        )
        guids = sorted(
            {guid for line in lines.value if (guid := normalize.readable(normalize.guid, line.get("Ref_Key")))}
        )
        posted = await _posted(client, rows.document, guids)
    except NotPublished:
        return 0
    return sum(
        normalize.readable(normalize.money, line.get(rows.amount)) or 0
        for line in lines.value
        if normalize.readable(normalize.guid, line.get("Ref_Key")) in posted
    )


async def _posted(client: OnecClient, document: str, guids: list[str]) -> set[str]:
    posted: set[str] = set()
    for start in range(0, len(guids), 20):  # an address of a web server is limited
        part = guids[start : start + 20]
        where = " or ".join(f"Ref_Key eq {guid_literal(guid)}" for guid in part)
        found: Rows = await client.rows(document, where=where, select=("Ref_Key", "Posted", "DeletionMark"))
        posted |= {
            guid
            for row in found.value
            if row.get("Posted") is True
            and row.get("DeletionMark") is not True
            and (guid := normalize.readable(normalize.guid, row.get("Ref_Key")))
        }
    return posted
