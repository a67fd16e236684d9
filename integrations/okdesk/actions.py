"""The `okdesk.*` actions of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog

from dialogs.actions import ActionSpec, Parameter
from integrations.base import Action, Done, Never, Order
from integrations.okdesk import parameters
from integrations.okdesk.client import OkdeskClient
from integrations.okdesk.commenting import Commenting, Fetch, Wish
from integrations.okdesk.creation import IssueCreation
from integrations.okdesk.errors import Refused
from integrations.okdesk.html import to_html
from integrations.okdesk.parameters import Repeats
from integrations.okdesk.phones import e164
from integrations.okdesk.schemas import Issue
from integrations.okdesk.settings import OkdeskSettings

log = structlog.get_logger(__name__)

_REQUIRED: Final = Parameter(required=True)
_ISSUE: Final = Parameter("number", required=True)
_TEXT: Final = Parameter()
_MOST_ISSUES: Final = 50

SPECS: Final[Mapping[str, ActionSpec]] = {
    spec.name: spec
    for spec in (
        ActionSpec(
            "okdesk.create_issue",
            writes=True,
            parameters={
                "title": _REQUIRED,
                "contact_phone": _REQUIRED,
                "contact_name": _TEXT,
                "description": _TEXT,
                "address": _TEXT,
                "files": Parameter("files"),
                "type": _TEXT,
                "priority": _TEXT,
                "parameters": _TEXT,
            },
            result={"id": "number", "number": "text", "status": "text", "status_name": "text"},
            subject=("issue", "id"),
        ),
        ActionSpec(
            "okdesk.add_comment",
            writes=True,
            parameters={
                "issue_id": _ISSUE,
                "text": _REQUIRED,
                "files": Parameter("files"),
                "public": Parameter("flag", default="true"),
            },
            result={"id": "number"},
            subject=("issue", "issue_id"),
        ),
        ActionSpec(
            "okdesk.change_status",
            writes=True,
            parameters={"issue_id": _ISSUE, "status": _REQUIRED, "comment": _TEXT, "delay_to": _TEXT},
            result={"status": "text", "status_name": "text"},
            subject=("issue", "issue_id"),
        ),
        ActionSpec(
            "okdesk.rate_issue",
            writes=True,
            parameters={"issue_id": _ISSUE, "rating": Parameter("number", required=True), "comment": _TEXT},
            result={"rate": "text"},
            subject=("issue", "issue_id"),
        ),
        ActionSpec(
            "okdesk.get_issue",
            writes=False,
            parameters={"issue_id": _ISSUE},
            result={
                "id": "number",
                "number": "text",
                "title": "text",
                "status": "text",
                "status_name": "text",
                "final": "flag",
                "assignee": "text",
                "deadline_at": "text",
                "created_at": "text",
            },
            subject=("issue", "issue_id"),
        ),
        ActionSpec(
            "okdesk.find_issues",
            writes=False,
            parameters={
                "phone": _REQUIRED,
                "open": Parameter("flag", default="true"),
                "limit": Parameter("number", default="5"),
            },
            result={"items": "list", "count": "number"},
        ),
        ActionSpec(
            "okdesk.find_contact",
            writes=False,
            parameters={"phone": _REQUIRED},
            result={"id": "number", "name": "text", "company": "text"},
        ),
    )
}


class OkdeskActions:
    """Carries the orders out."""

    def __init__(
        self, client: OkdeskClient, settings: OkdeskSettings, *, now: Callable[[], datetime], fetch: Fetch
    ) -> None:
        self._client = client
        self._settings = settings
        self._repeats = Repeats(now)
        self._commenting = Commenting(client, settings, self._repeats, fetch)
        self._creation = IssueCreation(client, settings, self._repeats, self._commenting)

    def catalogue(self) -> Mapping[str, Action]:
        """Every action by its name. `okdesk.get_contact` is for the service only: no flow knows it."""

        def spec(name: str) -> ActionSpec:
            return SPECS[f"okdesk.{name}"]

        actions = (
            Action("okdesk.create_issue", self._creation.run, self._creation.settle, spec=spec("create_issue")),
            Action("okdesk.add_comment", self._add_comment, self._settle_comment, spec=spec("add_comment")),
            Action("okdesk.change_status", self._change_status, self._settle_status, spec=spec("change_status")),
            Action("okdesk.rate_issue", self._rate_issue, self._settle_rate, spec=spec("rate_issue")),
            Action("okdesk.get_issue", self._get_issue, repeatable=True, spec=spec("get_issue")),
            Action("okdesk.find_issues", self._find_issues, repeatable=True, spec=spec("find_issues")),
            Action("okdesk.find_contact", self._find_contact, repeatable=True, spec=spec("find_contact")),
            Action("okdesk.get_contact", self._get_contact, repeatable=True),
        )
        return {action.name: action for action in actions}

    # ------------------------------------------------------------------------------------------------- comments

    def _comment_wish(self, order: Order) -> Wish:
        text = parameters.text(order.params, "text")
        if text is None:
            raise Never("The comment has no text.", code="invalid")
        return Wish(
            issue_id=parameters.integer(order.params, "issue_id"),
            text=text,
            public=parameters.flag(order.params, "public", default=True),
            files=parameters.files(order.params),
        )

    async def _add_comment(self, order: Order) -> Done:
        wish = self._comment_wish(order)
        made = await self._commenting.ensure(order, wish, look_first=self._repeats.begin(order))
        return Done({"id": made}, external_id=str(made))

    async def _settle_comment(self, order: Order) -> Done | None:
        found = await self._commenting.find(order, self._comment_wish(order))
        return None if found is None else Done({"id": found}, external_id=str(found))

    # --------------------------------------------------------------------------------------------------- status

    async def _change_status(self, order: Order) -> Done:
        """Already there is success, whoever did it: setting a status twice is an error in Okdesk, or nothing."""
        issue_id = parameters.integer(order.params, "issue_id")
        status = parameters.text(order.params, "status")
        if status is None:
            raise Never("The status is empty.", code="invalid")
        comment = parameters.text(order.params, "comment")
        delay = parameters.text(order.params, "delay_to")
        delay_to = parameters.moment(delay, self._settings.timezone) if delay else None
        issue = await self._client.issue(issue_id)
        if (done := _in_status(issue, status)) is not None:
            return done
        if status in self._settings.postponing_statuses:
            if delay_to is None or comment is None:
                raise Never(f"Okdesk wants delay_to and a comment for the status {status}.", code="invalid")
        else:
            delay_to = None
        try:
            changed = await self._client.set_status(
                issue.id, status, comment=to_html(comment) if comment else None, delay_to=delay_to
            )
        except Refused as error:
            if error.status in (400, 422) and (done := await self._read_status(issue.id, status)) is not None:
                return done  # somebody was quicker
            raise
        done = _in_status(changed, status) if changed is not None else None
        done = done or await self._read_status(issue.id, status)
        if done is not None:
            return done
        raise Never("Okdesk took the call and left the status as it was.", code="invalid")

    async def _settle_status(self, order: Order) -> Done | None:
        status = parameters.text(order.params, "status") or ""
        return await self._read_status(parameters.integer(order.params, "issue_id"), status)

    async def _read_status(self, issue_id: int, status: str) -> Done | None:
        return _in_status(await self._client.issue(issue_id), status)

    # --------------------------------------------------------------------------------------------------- rating

    async def _rate_issue(self, order: Order) -> Done:
        """Rate, or leave the score as a private comment and raise Never when Okdesk refuses."""
        issue_id = parameters.integer(order.params, "issue_id")
        rating = parameters.integer(order.params, "rating")
        rate = self._settings.ratings.get(rating)
        if rate is None:
            raise Never(f"There is no Okdesk rate for {rating}.", code="invalid")
        look_first = self._repeats.begin(order)
        if not (look_first and (await self._client.issue(issue_id)).rate == rate):
            try:
                await self._client.rate(issue_id, rate)
            except Refused as error:
                if error.stops_system:
                    raise
                await self._leave_score(order, issue_id, look_first=look_first)
                raise Never(f"The rating was left as a comment. {error}", code=error.code) from None
        if parameters.text(order.params, "comment"):
            try:
                await self._leave_score(order, issue_id, look_first=look_first)
            except Never as error:
                log.warning("okdesk_rating_comment_refused", issue_id=issue_id, code=error.code)
        return Done({"rate": rate}, external_id=str(issue_id))

    async def _leave_score(self, order: Order, issue_id: int, *, look_first: bool) -> None:
        said = parameters.text(order.params, "comment")
        text = f"Оценка клиента: {parameters.integer(order.params, 'rating')}" + (f"\n{said}" if said else "")
        await self._commenting.ensure(order, Wish(issue_id, text, public=False), look_first=look_first)

    async def _settle_rate(self, order: Order) -> Done | None:
        rate = self._settings.ratings.get(parameters.integer(order.params, "rating"))
        issue = await self._client.issue(parameters.integer(order.params, "issue_id"))
        if rate is None or issue.rate != rate or parameters.text(order.params, "comment"):
            return None  # what is missing, the comment perhaps, `run` finds out
        return Done({"rate": rate}, external_id=str(issue.id))

    # -------------------------------------------------------------------------------------------------- reading

    async def _get_issue(self, order: Order) -> Done:
        issue = await self._client.issue(parameters.integer(order.params, "issue_id"))
        return Done(parameters.issue_result(issue, self._settings), external_id=str(issue.id))

    async def _find_issues(self, order: Order) -> Done:
        """`count` is the number of all that were found, `items` the newest of them."""
        limit = parameters.integer(order.params, "limit") if order.params.get("limit") is not None else 5
        contact = await self._client.contact_by_phone(parameters.phone(order.params, "phone"))
        if contact is None:
            return Done({"items": [], "count": 0})
        rows = await self._client.issues_of_contact(contact.id)
        if parameters.flag(order.params, "open", default=True):
            rows = [row for row in rows if row.status_code not in self._settings.final_statuses]
        items = []
        for row in rows[: min(limit, _MOST_ISSUES)]:
            if "assignee" not in row.model_fields_set:  # rows of the list often lack it
                try:
                    row = await self._client.issue(row.id)
                except Never as error:
                    if error.code != "not_found":
                        raise
                    continue  # deleted just now
            items.append(parameters.issue_result(row, self._settings))
        return Done({"items": items, "count": len(rows)})

    async def _find_contact(self, order: Order) -> Done:
        contact = await self._client.contact_by_phone(parameters.phone(order.params, "phone"))
        if contact is None:
            raise Never("Okdesk knows no contact with this phone.", code="not_found")
        company = contact.company.name if contact.company else None
        if company is None and contact.company_id is not None:
            try:
                company = await self._client.company_name(contact.company_id)
            except Refused as error:  # company search is closed for some keys
                if error.stops_system:
                    raise
        return Done({"id": contact.id, "name": contact.name, "company": company}, external_id=str(contact.id))

    async def _get_contact(self, order: Order) -> Done:
        contact = await self._client.contact(parameters.integer(order.params, "contact_id"))
        if contact is None:
            raise Never("Okdesk has no such contact.", code="not_found")
        phone = e164(contact.mobile_phone or "") or e164(contact.phone or "")
        return Done({"id": contact.id, "name": contact.name, "phone": phone}, external_id=str(contact.id))


def _in_status(issue: Issue, status: str) -> Done | None:
    if issue.status is None or issue.status.code != status:
        return None
    return Done({"status": status, "status_name": issue.status.name or status}, external_id=str(issue.id))
