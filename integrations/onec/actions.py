"""What flows can ask of 1C (FLOWS.md section 9)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import structlog

from dialogs.actions import ActionSpec, Parameter
from integrations.base import Action, Done, Order, Unknown
from integrations.onec import normalize
from integrations.onec.client import OnecClient
from integrations.onec.errors import ConfigurationError, NotFound, NotPublished, Rejected
from integrations.onec.facts import payment_fields
from integrations.onec.settings import OnecSettings
from integrations.onec.standing import Standing, standing_by_odata

log = structlog.get_logger(__name__)

MAX_FILE_BYTES = 5 * 1024 * 1024

GET_PAYMENT = ActionSpec(
    name="onec.get_payment",
    writes=False,
    parameters={"external_id": Parameter(), "issue_id": Parameter("number")},
    result={
        "order_number": "text",
        "invoice_number": "text",
        "state": "text",
        "total": "money",
        "paid": "money",
        "due": "money",
        "url": "text",
    },
    one_of=("external_id", "issue_id"),
    subject=("onec-ext", "external_id"),
)

CREATE_ORDER = ActionSpec(
    name="onec.create_order",
    writes=True,
    parameters={
        "external_id": Parameter(required=True),
        "phone": Parameter(required=True),
        "name": Parameter(),
        "comment": Parameter(),
        "items": Parameter("list"),
    },
    result={"guid": "text", "number": "text", "created": "flag"},
    subject=("onec-ext", "external_id"),
)

CREATE_INVOICE = ActionSpec(
    name="onec.create_invoice",
    writes=True,
    parameters={"external_id": Parameter(required=True)},
    result={"number": "text", "total": "money", "url": "text", "files": "files"},
    subject=("onec-ext", "external_id"),
)


class OnecActions:
    """Carries out orders of the outbox. Raises Later, Never or Unknown, as `integrations.base.Action` asks."""

    def __init__(self, client: OnecClient, settings: OnecSettings) -> None:
        self._client = client
        self._settings = settings

    def catalogue(self) -> dict[str, Action]:
        return {
            action.name: action
            for action in (
                Action(GET_PAYMENT.name, self.get_payment, repeatable=True, spec=GET_PAYMENT),
                Action(CREATE_ORDER.name, self.create_order, settle=self.settle_order, spec=CREATE_ORDER),
                Action(CREATE_INVOICE.name, self.create_invoice, settle=self.settle_invoice, spec=CREATE_INVOICE),
            )
        }

    async def get_payment(self, order: Order) -> Done:
        standing = await self.standing(_external_id(order.params))
        return Done(
            {
                "order_number": standing.order_number,
                "invoice_number": standing.invoice_number,
                **payment_fields(standing.state, standing.total, standing.paid),
                "url": standing.url,
            }
        )

    async def standing(self, external_id: str) -> Standing:
        """From the HTTP service; from OData by the profile where no such service is published. Raises NotFound."""
        try:
            return await self._standing_by_service(external_id)
        except NotPublished:
            profile = self._settings.profile
            if profile is None:
                raise
            return await standing_by_odata(self._client, profile, external_id, self._settings)

    async def _standing_by_service(self, external_id: str) -> Standing:
        found = await self._client.order(external_id)
        state, total, paid = found.payment.state, found.amount.total, found.amount.paid
        if paid is None:
            paid = total if state in ("paid", "overpaid") else 0
        order, invoice = found.order, found.invoice
        return Standing(order.number, invoice.number, state or "unpaid", total, paid, invoice.url, order.guid)

    async def create_order(self, order: Order) -> Done:
        params = order.params
        external_id = _external_id(params)
        content = {
            "external_id": external_id,
            "counterparty": {
                "name": normalize.text(params.get("name")),
                "phone": normalize.text(params.get("phone"), 50),
            },
            "items": [_item(item) for item in params.get("items") or ()],
            "comment": normalize.text(params.get("comment"), 5000) or "",
        }
        try:
            answer = await self._client.create_order(content)
        except ConfigurationError:
            # An exception of 1C's code may have come after the order was written.
            if (done := await self._order_if_there(external_id)) is not None:
                return done
            raise
        guid, number = (
            normalize.readable(normalize.guid, answer.get("guid")),
            normalize.document_number(answer.get("number")),
        )
        if guid is None and number is None:
            raise Unknown("1C's answer names no order")
        return _created(guid, number, created=_flag(answer.get("created")))

    async def settle_order(self, order: Order) -> Done | None:
        return await self._order_if_there(_external_id(order.params))

    async def _order_if_there(self, external_id: str) -> Done | None:
        try:
            found = await self._client.order(external_id)
        except NotFound:
            return None
        return _created(found.order.guid, found.order.number, created=True)

    async def create_invoice(self, order: Order) -> Done:
        external_id = _external_id(order.params)
        answer = await self._client.create_invoice(external_id)
        number = normalize.document_number(answer.get("number"))
        if number is None:
            raise Unknown("1C's answer names no invoice")
        total = normalize.readable(normalize.money, answer.get("sum", answer.get("total")))
        files = _pdf(answer.get("pdf_base64"), number, external_id)
        url = normalize.web_address(answer.get("url"))
        return Done({"number": number, "total": total, "url": url, "files": files}, external_id=number)

    async def settle_invoice(self, order: Order) -> Done | None:
        """The order tells of its invoice, without the file. Raises Unknown when it does not speak of invoices."""
        try:
            found = await self._client.order(_external_id(order.params))
        except NotFound:
            return None
        invoice = found.invoice
        if invoice.number is not None:
            result: dict[str, Any] = {
                "number": invoice.number,
                "total": found.amount.total,
                "url": invoice.url,
                "files": [],
            }
            return Done(result, external_id=invoice.number)
        if not found.has_invoice:
            raise Unknown("1C's order does not tell of invoices")
        return None


def _external_id(params: Mapping[str, Any]) -> str:
    """Raises Rejected when neither or nothing readable is given."""
    external_id = normalize.text(params.get("external_id"), 100)
    issue_id = normalize.text(params.get("issue_id"), 20)
    if external_id is None and issue_id is not None:
        external_id = f"okdesk-{issue_id}"
    if external_id is None:
        raise Rejected("external_id or issue_id must be given", code="invalid")
    return external_id


def _item(item: Any) -> dict[str, Any]:
    """One row. Money comes in kopecks and goes in roubles with kopecks after the point."""
    if not isinstance(item, Mapping):
        return {"name": normalize.text(item) or "", "quantity": 1}
    row = {name: item[name] for name in ("name", "article", "quantity", "comment") if item.get(name) is not None}
    for name in ("price", "sum"):
        if isinstance(item.get(name), int) and not isinstance(item[name], bool):
            row[name] = Decimal(item[name]) / 100
    return {"quantity": 1, **row}


def _created(guid: str | None, number: str | None, *, created: bool) -> Done:
    return Done({"guid": guid, "number": number, "created": created}, external_id=guid or number)


def _pdf(content: Any, number: str, external_id: str) -> list[dict[str, Any]]:
    """The invoice as a file of a flow, its bytes in `base64`: nothing keeps files that 1C makes for one answer."""
    if not isinstance(content, str):
        return []
    try:
        data = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        log.warning("onec_invoice_file_unreadable")
        return []
    if not data or len(data) > MAX_FILE_BYTES:
        return []
    return [
        {
            "id": f"onec-invoice:{external_id}:{hashlib.sha256(data).hexdigest()[:16]}",
            "kind": "file",
            "name": f"Счет {number}.pdf",
            "mime": "application/pdf",
            "size": len(data),
            "base64": base64.b64encode(data).decode("ascii"),
        }
    ]


def _flag(value: Any) -> bool:
    return normalize.readable(normalize.flag, value) is not False  # not told: it is there now, and we asked for it
