"""A stand-in for a 1C base: it sends events to us (contract §3) and serves OData and `/hs/dialogs` (§6, §7)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from integrations.onec.simulated_books import (
    PDF,
    BookedDocument,
    BookedOrder,
    Books,
    amount_section,
    document_section,
    invoice_section,
    odata_tables,
    order_document,
    order_section,
    roubles,
)
from integrations.onec.simulated_odata import XML, ODataError, parse_address, parse_options, project, select_rows
from integrations.onec.simulated_sender import Packing, Sender

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_NO_LICENCE = "Не обнаружено свободной клиентской лицензии!"


class SimulatedOnec:
    """One base with its web server, at `app`; `start` begins the sending of events.

    `trouble`: none; down (503); slow (answers after `slow_s`); lost_answer (works, then drops the connection);
    duplicate (sends every batch twice).
    """

    def __init__(
        self,
        *,
        webhook_url: str | None,
        webhook_token: str,
        user: str,
        password: str,
        base_id: str,
        now: Callable[[], datetime],
        retry_base_s: float = 0.05,
        slow_s: float = 2.0,
        licences: int = 1,
        publishes_service: bool = True,
    ) -> None:
        self.trouble = "none"
        self.changed: Callable[[], None] | None = None
        self.slow_s = slow_s
        self.publishes_service = publishes_service  # False: only OData is there
        self.refuses_to_post: str | None = None  # the sentence of the configuration's own check (OData code -1)
        self._login = f"{user}:{password}".encode()
        self._base_id = base_id
        self._now = now
        self._licences = licences
        self._calls = 0
        self._books = Books(base_id, now)
        self._history: list[dict[str, Any]] = []  # for /changes
        self.sender = Sender(webhook_url, webhook_token, retry_base_s, lambda: self.trouble == "duplicate", self._tell)
        self.app = web.Application(middlewares=[self._web_server])
        service = "/hs/dialogs/v1"
        self.app.add_routes(
            [
                web.get(f"{service}/ping", self._ping),
                web.post(f"{service}/orders", self._create_order),
                web.get(f"{service}/orders/{{external_id}}", self._get_order),
                web.post(f"{service}/invoices", self._create_invoice),
                web.get(f"{service}/changes", self._changes),
                web.route("*", "/odata/standard.odata/{rest:.*}", self._odata),
            ]
        )

    async def start(self) -> None:
        await self.sender.start()

    async def close(self) -> None:
        await self.sender.close()

    def reset(self) -> None:
        """Forget all data."""
        self._books = Books(self._base_id, self._now)
        self._history.clear()
        self.sender.queue.clear()
        self.sender.stuck.clear()
        self._tell()

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()

    # --------------------------------------------------------------------------------- what the bookkeeper does

    @property
    def orders(self) -> dict[str, BookedOrder]:
        return self._books.orders

    def payments(self) -> list[dict[str, Any]]:
        """Every order and how it stands; money in kopecks."""
        return [
            {
                "order": order.external_id,
                "issue": _issue(order.external_id),
                "number": order.number,
                "total": order.total,
                "paid": order.paid,
                "state": order.state,
            }
            for order in self._books.orders.values()
        ]

    async def pay(self, issue_id: int, amount_kopecks: int, total_kopecks: int | None = None) -> dict[str, Any]:
        """Money came for the order okdesk-ISSUE. Returns the event that 1C sends of it."""
        order = self._order(issue_id)
        order.total = total_kopecks or order.total or amount_kopecks
        payment = self._books.document("ПоступлениеНаСчет", amount_kopecks)
        order.payments.append(payment)
        return self._send(self._books.payment_event(order, payment))

    async def unpost(self, issue_id: int) -> dict[str, Any]:
        """The last payment of the order is taken back."""
        order = self._order(issue_id)
        payment = order.payments[-1]
        payment.posted, payment.version = False, self._books.version()
        return self._send(self._books.payment_event(order, payment))

    async def invoice(self, issue_id: int, amount_kopecks: int) -> dict[str, Any]:
        order = self._order(issue_id)
        invoice = self._write_invoice(order, amount_kopecks)
        content = base64.b64encode(PDF).decode("ascii")
        file = {"name": f"Счет {invoice.number}.pdf", "content_type": "application/pdf", "base64": content}
        event = self._books.event(
            "invoice_issued",
            document_section(invoice),
            order,
            invoice={**invoice_section(invoice), "file": file},
            amount=amount_section(order),
        )
        return self._send(event)

    async def refund(self, issue_id: int, amount_kopecks: int) -> dict[str, Any]:
        order = self._order(issue_id)
        refund = self._books.document("РасходСоСчета", amount_kopecks)
        order.refunds.append(refund)
        amount = {"total": roubles(order.total), "paid": roubles(amount_kopecks), "currency": "RUB"}
        return self._send(self._books.event("refund", document_section(refund), order, amount=amount))

    async def set_status(self, issue_id: int, name: str, *, final: bool = False) -> dict[str, Any]:
        order = self._order(issue_id)
        previous, order.status, order.version = order.status, name, self._books.version()
        status = {"code": None, "name": name, "previous": previous, "final": final}
        return self._send(self._books.event("order_status", order_document(order), order, status=status))

    async def ship(self, issue_id: int, carrier: str, track: str) -> dict[str, Any]:
        order = self._order(issue_id)
        waybill = self._books.document("РасходнаяНакладная", order.total)
        shipment = {"state": "shipped", "date": waybill.date[:10], "carrier": carrier, "track": track}
        return self._send(self._books.event("shipment", document_section(waybill), order, shipment=shipment))

    async def repost_old(self, count: int, *, days_old: int = 60) -> None:
        """Month-end: a group of old documents is posted again, and every one of them is told."""
        order = self._books.order("old-order")
        events = []
        for _ in range(count):
            payment = self._books.document("ПоступлениеНаСчет", 100, days_old=days_old)
            events.append(self._books.payment_event(order, payment))
        self.sender.put(*events)

    async def send(self, *events: dict[str, Any], packing: Packing | None = None) -> tuple[int, dict[str, Any]]:
        """Send events past the queue: in another order, another packing, from another base, once more."""
        status, answer, _ = await self.sender.send(events, packing)
        return status, answer

    async def delivered(self) -> None:
        """Wait until all events are told."""
        await self.sender.delivered()

    def _order(self, issue_id: int) -> BookedOrder:
        return self._books.order(f"okdesk-{issue_id}")

    def _write_invoice(self, order: BookedOrder, amount_kopecks: int) -> BookedDocument:
        order.total = amount_kopecks
        invoice = self._books.document("СчетНаОплату", amount_kopecks)
        order.invoices.append(invoice)
        return invoice

    def _send(self, event: dict[str, Any]) -> dict[str, Any]:
        self._history.append(event)
        self.sender.put(event)
        self._tell()
        return event

    # ------------------------------------------------------------------------------------------- the web server

    @web.middleware
    async def _web_server(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.trouble == "down":
            return _page(503, "Service Unavailable")
        self._calls += 1
        try:
            if self._calls > self._licences:
                return _plain(500, _NO_LICENCE)
            await asyncio.sleep(self.slow_s if self.trouble == "slow" else 0)
            if not self._knows(request):
                headers = {"WWW-Authenticate": 'Basic realm="1c"'}
                return web.Response(status=401, text=_HTML.format("401"), content_type="text/html", headers=headers)
            if not self.publishes_service and "/hs/" in request.path:
                return _page(404, "Not Found")
            response = await handler(request)
        except web.HTTPNotFound:
            return _page(404, "Not Found")
        except ODataError as error:
            return web.json_response(error.as_json(), status=error.status)
        finally:
            self._calls -= 1
        if self.trouble == "lost_answer" and request.transport is not None:
            request.transport.abort()
        return response

    def _knows(self, request: web.Request) -> bool:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        try:
            return scheme == "Basic" and hmac.compare_digest(base64.b64decode(credentials), self._login)
        except (binascii.Error, ValueError):
            return False

    # ---------------------------------------------------------------------------------------- /hs/dialogs/v1, §7

    async def _ping(self, request: web.Request) -> web.Response:
        return _with_bom({"ok": True, "config": "УНФ 3.0", "base_id": self._base_id})

    async def _create_order(self, request: web.Request) -> web.Response:
        content = await _content(request)
        external_id = content.get("external_id")
        if not isinstance(external_id, str) or not external_id:
            return _exception(57, "Значение не является значением объектного типа (external_id)")
        is_new = external_id not in self._books.orders
        order = self._books.order(external_id)
        if is_new:
            customer = content.get("counterparty") or {}
            order.name, order.phone = customer.get("name"), customer.get("phone")
            order.comment, order.items = str(content.get("comment") or ""), list(content.get("items") or ())
            order.total = round(
                100 * sum(float(item.get("price", 0)) * float(item.get("quantity", 1)) for item in order.items)
            )
            self._tell()
        created = {"guid": order.guid, "number": f"{order.number} ", "date": order.date, "created": is_new}
        return _with_bom(created)

    async def _get_order(self, request: web.Request) -> web.Response:
        order = self._books.orders.get(request.match_info["external_id"])
        if order is None:
            return _with_bom({"error": {"code": "not_found", "message": "Заказ не найден"}}, status=404)
        invoice = invoice_section(order.invoices[-1]) if order.invoices else None
        return _with_bom(
            {
                "order": order_section(order),
                "invoice": invoice,
                "amount": amount_section(order),
                "payment": {"state": order.state},
                "status": {"name": order.status},
            }
        )

    async def _create_invoice(self, request: web.Request) -> web.Response:
        order = self._books.orders.get(str((await _content(request)).get("order_external_id")))
        if order is None:
            return _exception(91, "Поле объекта не обнаружено (Заказ)")
        invoice = self._write_invoice(order, order.total)
        self._tell()
        return _with_bom(
            {
                "number": invoice.number,
                "sum": roubles(invoice.amount),
                "url": invoice_section(invoice)["url"],
                "pdf_base64": base64.b64encode(PDF).decode("ascii"),
            }
        )

    async def _changes(self, request: web.Request) -> web.Response:
        since, limit = int(request.query.get("since", "0")), int(request.query.get("limit", "200"))
        events = [event for event in self._history if event["seq"] > since][:limit]
        return _with_bom({"events": events, "next": events[-1]["seq"] if events else since})

    # ----------------------------------------------------------------------------------------------- OData, §6

    async def _odata(self, request: web.Request) -> web.Response:
        address, options = parse_address(request.match_info["rest"]), parse_options(request.rel_url.raw_query_string)
        tables = odata_tables(self._books.orders)
        if address.resource not in tables:
            raise ODataError(404, "8", f'Тип сущности "{address.resource}" не найден')
        rows = tables[address.resource]
        if address.operation == "$count":
            return _plain(200, str(len(rows)))
        if options.get("$format") != "json":
            return web.Response(text=XML, content_type="application/atom+xml")
        if request.method == "POST" and address.guid is None:
            return self._odata_create(address.resource, await _content(request))
        if address.guid is None:
            return web.json_response(select_rows(rows, options))
        found = [row for row in rows if row["Ref_Key"] == address.guid]
        if not found:
            raise ODataError(404, "9", "Экземпляр сущности не найден")
        if request.method == "POST" and address.operation == "Post" and self.refuses_to_post:
            raise ODataError(500, "-1", self.refuses_to_post)
        if request.method == "DELETE":
            raise ODataError(500, "-1", "Удалять нельзя")
        return web.json_response(project(found[0], options.get("$select")))

    def _odata_create(self, resource: str, fields: dict[str, Any]) -> web.Response:
        if resource != "Document_ЗаказПокупателя":
            raise ODataError(501, "-1", "Операция не поддерживается")
        order = self._books.order(str(fields.get("Комментарий") or f"odata-{len(self.orders)}"))
        created = {
            "Ref_Key": order.guid,
            "DataVersion": order.version,
            "Number": order.number,
            "Date": order.date,
            "Posted": False,
            "DeletionMark": False,
        }
        return web.json_response(created, status=201)


def _issue(external_id: str) -> int | None:
    prefix, _, number = external_id.partition("-")
    return int(number) if prefix == "okdesk" and number.isdecimal() else None


async def _content(request: web.Request) -> dict[str, Any]:
    try:
        content = json.loads((await request.read()).decode("utf-8-sig"))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _with_bom(content: Any, *, status: int = 200) -> web.Response:
    """ИспользованиеByteOrderMark.Использовать is met in production code (§2)."""
    body = b"\xef\xbb\xbf" + json.dumps(content, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


def _exception(line: int, text: str) -> web.Response:
    return _plain(500, f"{{HTTPСервис.Диалоги.Модуль({line})}}: {text}")


def _plain(status: int, text: str) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/plain")


def _page(status: int, title: str) -> web.Response:
    return web.Response(text=_HTML.format(f"{status} {title}"), status=status, content_type="text/html")
