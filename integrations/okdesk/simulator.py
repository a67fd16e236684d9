"""A stand-in for an Okdesk account: its REST API, its webhooks to us, and the buttons of the demo's board."""

from __future__ import annotations

import asyncio
import hmac
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from aiohttp import web

from integrations.okdesk.html import to_html, to_text
from integrations.okdesk.simulator_api import Api, answer
from integrations.okdesk.simulator_hooks import HookSender
from integrations.okdesk.simulator_rules import Refusal, Rules
from integrations.okdesk.simulator_state import STATUSES, TRANSITIONS, Person, State, StoredIssue

Trouble = Literal["none", "down", "slow", "lost_answer", "duplicate"]
BOT_ID: Final = 99
EMPLOYEE_ID: Final = 13

_GATEWAY: Final = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_REASONS: Final = {500: "500 Internal Server Error", 502: "502 Bad Gateway", 503: "503 Service Unavailable"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Planned:
    """An answer that waits for its call: the next one of this method whose path contains `path`."""

    status: int | None  # None: the connection breaks without an answer
    method: str | None = None
    path: str = ""
    headers: Mapping[str, str] | None = None
    body: str | None = None  # HTML of a gateway if None
    after_work: bool = False  # the work is done before


class SimulatedOkdesk:
    """One account in memory. `app` serves it; `start` and `close` belong to the webhooks that it sends to us.

    Ids are counted from `ids_from` and go on over a `reset`: a service that remembers an earlier account's ids for
    ever needs a higher beginning.

    The token is that of the employee `bot_id`, an administrator; the board acts as `employee_id`. `trouble` makes the
    whole account misbehave, `plan` a single call.
    """

    def __init__(
        self,
        *,
        api_token: str,
        now: Callable[[], datetime],
        webhook_url: str | None = None,
        webhook_user: str | None = None,
        webhook_password: str | None = None,
        bot_id: int = BOT_ID,
        employee_id: int = EMPLOYEE_ID,
        timezone: str = "Europe/Moscow",
        attributes: Mapping[str, str] | None = None,
        ids_from: int = 1001,
        retry_base_s: float = 0.05,
        slow_s: float = 3.0,
    ) -> None:
        self._token = api_token
        self._bot_id = bot_id
        self._employee_id = employee_id
        self._planned: deque[Planned] = deque()
        self._trouble: Trouble = "none"
        self.changed: Callable[[], None] | None = None
        self.slow_s = slow_s
        self.echo_first = False  # webhooks arrive before the answer of the call that caused them
        self.calls: deque[tuple[str, str]] = deque(maxlen=1000)  # (method, path with query, without the token)
        given = {"dialog_ref": "Ссылка на диалог"} if attributes is None else attributes
        self.state = State(now=now, timezone=timezone, attributes=given, ids_from=ids_from)
        self.hooks = HookSender(webhook_url, webhook_user, webhook_password, retry_base_s)
        self.rules = Rules(self.state, self.hooks, self._notify)
        self.api = Api(self.state, self.rules, owner_id=bot_id, secret=api_token)
        self.app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024 * 1024)
        self.app.add_routes(self.api.routes())
        self._seed()

    # ------------------------------------------------------------------------------------------------ behaviour

    @property
    def trouble(self) -> Trouble:
        """none, down (503 from the gateway), slow (`slow_s` each), lost_answer (of writes), duplicate (webhooks)."""
        return self._trouble

    @trouble.setter
    def trouble(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self.hooks.is_doubled = trouble == "duplicate"

    def plan(self, status: int | None, **which: Any) -> None:
        """Let the next matching call fail, see `Planned`."""
        self._planned.append(Planned(status, **which))

    async def start(self) -> None:
        self.hooks.start()

    async def close(self) -> None:
        await self.hooks.close()

    async def flush(self) -> None:
        """Until all webhooks so far are delivered or given up."""
        await self.hooks.flush()

    def reset(self) -> None:
        """Forget all data, keep the settings and the trouble."""
        self.hooks.forget()
        self._planned.clear()
        self.calls.clear()
        for table in (self.state.issues, self.state.contacts, self.state.companies, self.state.employees):
            table.clear()
        self._seed()
        self._notify()

    def _seed(self) -> None:
        first_line = (1, "Первая линия")
        for person in (
            Person(self._employee_id, "employee", "Павел", "Орлов", "Сергеевич", email="orlov@example.ru"),
            Person(17, "employee", "Анна", "Белова", "", email="belova@example.ru"),
            Person(self._bot_id, "employee", "Чат-бот", "Сервис", "", email="bot@example.ru"),
        ):
            person.group = first_line
            self.state.employees.setdefault(person.id, person)
        self.state.companies[3] = "ООО «Ромашка»"

    def _notify(self) -> None:
        if self.changed is not None:
            self.changed()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_api = request.path.startswith("/api/")
        query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "api_token")
        self.calls.append((request.method, f"{request.path}?{query}" if query else request.path))
        if self._trouble == "down":
            return _page(503)
        planned = self._take_planned(request)
        if planned is not None and not planned.after_work:
            return await self._misbehave(request, planned)
        if is_api and not hmac.compare_digest(request.query.get("api_token", "").encode(), self._token.encode()):
            return answer({"errors": "Вы не авторизованы для просмотра этой страницы"}, 401)
        try:
            response = await handler(request)
        except Refusal as refusal:
            response = answer({"errors": refusal.errors}, refusal.status)
        except web.HTTPNotFound:
            response = answer({"errors": "Страница не найдена"}, 404)
        if self.echo_first:
            await self.hooks.flush()
        if planned is not None:
            return await self._misbehave(request, planned)
        if self._trouble == "slow":
            await asyncio.sleep(self.slow_s)
        if self._trouble == "lost_answer" and request.method != "GET":
            return await self._misbehave(request, Planned(None))
        return response

    def _take_planned(self, request: web.Request) -> Planned | None:
        for planned in self._planned:
            if planned.method in (None, request.method) and planned.path in request.path:
                self._planned.remove(planned)
                return planned
        return None

    async def _misbehave(self, request: web.Request, planned: Planned) -> web.StreamResponse:
        if planned.status is None:
            await request.read()
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        if planned.body is None:
            return _page(planned.status, planned.headers)
        return web.Response(
            status=planned.status, text=planned.body, content_type="application/json", headers=planned.headers
        )

    # ---------------------------------------------------------------------------------------------------- board

    def issues(self) -> list[dict[str, Any]]:
        """The board: newest first, JSON-ready, texts without HTML."""
        shown = [issue for issue in self.state.issues.values() if not issue.is_deleted and issue.merged_into is None]
        return [self._card(issue) for issue in sorted(shown, key=lambda issue: -issue.id)]

    def _card(self, issue: StoredIssue) -> dict[str, Any]:
        contact = issue.contact
        return {
            "id": issue.id,
            "title": issue.title,
            "description": to_text(issue.description),
            "status": issue.status,
            "status_name": STATUSES[issue.status][0],
            "next_statuses": [{"code": code, "name": STATUSES[code][0]} for code in TRANSITIONS[issue.status]],
            "contact": contact.name if contact else None,
            "phone": (contact.mobile_phone or contact.phone) if contact else None,
            "address": issue.address,
            "assignee": issue.assignee.name if issue.assignee else None,
            "comments": [
                {
                    "id": comment.id,
                    "author": comment.author.name,
                    "text": to_text(comment.content),
                    "public": comment.public,
                    "at": comment.published_at.isoformat(),
                    "files": [{"id": file.id, "name": file.name, "size": len(file.content)} for file in comment.files],
                }
                for comment in issue.comments
            ],
            "rate": issue.rate,
            "files": [{"id": file.id, "name": file.name, "size": len(file.content)} for file in issue.all_files()],
            "created_at": issue.created_at.isoformat(),
        }

    async def set_status(self, issue_id: int, code: str, comment: str | None = None, public: bool = True) -> None:
        """As the employee. Raises LookupError for an unknown issue, ValueError for a status that cannot follow."""
        wish = {"comment": to_html(comment) if comment else None, "comment_public": public}
        try:
            self.rules.set_status(self._issue(issue_id), code, self._employee(), is_strict=False, **wish)
        except Refusal as refusal:
            raise ValueError(f"Issue {issue_id} cannot become {code}.") from refusal

    async def comment(self, issue_id: int, text: str, public: bool = True) -> int:
        """As the employee; returns the id. Raises LookupError."""
        return self.rules.add_comment(self._issue(issue_id), to_html(text), public, self._employee()).id

    async def assign(self, issue_id: int, employee_id: int | None = None) -> None:
        """To an employee, by default to the one who acts on the board. Raises LookupError."""
        employee = self._employee() if employee_id is None else self.state.employees[employee_id]
        self.rules.set_assignee(self._issue(issue_id), employee, self._employee())

    async def set_deadline(self, issue_id: int, moment: datetime | None) -> None:
        self.rules.set_deadline(self._issue(issue_id), moment, self._employee())

    async def rate(self, issue_id: int, rate: str) -> None:
        """As the contact, in the portal."""
        issue = self._issue(issue_id)
        self.rules.rate(issue, rate, issue.contact or self._employee())

    async def delete(self, issue_id: int) -> None:
        self.rules.delete(self._issue(issue_id), self._employee())

    async def merge(self, issue_id: int, into: int) -> None:
        self.rules.merge(self._issue(issue_id), self._issue(into), self._employee())

    def file(self, file_id: int) -> tuple[bytes, str]:
        """Bytes and type of an attached file, for the board. Raises LookupError."""
        for issue in self.state.issues.values():
            for file in issue.all_files():
                if file.id == file_id:
                    return file.content, file.mime
        raise LookupError(f"There is no file {file_id}.")

    def add_contact(self, **fields: Any) -> int:
        """A contact that is there already: first_name, last_name, phone, mobile_phone, company_id …"""
        contact = self.rules.create_contact({"last_name": "Соколова", "first_name": "Ирина", **fields})
        contact.active = fields.get("active", True)
        return contact.id

    def _issue(self, issue_id: int) -> StoredIssue:
        issue = self.state.issues.get(issue_id)
        if issue is None or issue.is_deleted:
            raise LookupError(f"There is no issue {issue_id}.")
        return issue

    def _employee(self) -> Person:
        return self.state.employees[self._employee_id]


def _page(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """What a gateway answers: HTML."""
    title = _REASONS.get(status, str(status))
    return web.Response(status=status, text=_GATEWAY.format(title), content_type="text/html", headers=headers)
