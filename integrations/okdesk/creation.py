"""Opening an issue exactly once, though Okdesk has no idempotency key. Source: Okdesk's contract, section 5.3."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from integrations.base import Done, Later, Never, Order, Unknown
from integrations.okdesk import parameters
from integrations.okdesk.client import OkdeskClient
from integrations.okdesk.commenting import Commenting, Wish, file_name
from integrations.okdesk.errors import Refused
from integrations.okdesk.html import clean, to_html
from integrations.okdesk.parameters import Repeats
from integrations.okdesk.schemas import Issue
from integrations.okdesk.settings import OkdeskSettings

log = structlog.get_logger(__name__)

_LOOK_BACK: Final = timedelta(minutes=10)
_LONGEST_REFERENCE: Final = 200
_MOST_CANDIDATES: Final = 20


@dataclass(frozen=True, slots=True)
class NewIssue:
    """What an order asks for, read from its parameters."""

    title: str
    description: str  # plain text
    phone: str
    name: str | None
    address: str | None
    type: str | None
    priority: str | None
    attributes: Mapping[str, str]
    files: Sequence[Mapping[str, Any]]

    @property
    def files_text(self) -> str:
        return "Файлы клиента: " + ", ".join(file_name(file) for file in self.files)


def new_issue(params: Mapping[str, Any], settings: OkdeskSettings) -> NewIssue:
    """Raises Never(invalid) for parameters that no issue can be made of."""
    name = parameters.text(params, "contact_name")
    fallback = f"{settings.issue_title}: {name}" if name else settings.issue_title
    title, rest = parameters.title_and_rest(parameters.text(params, "title") or "", fallback)
    address = parameters.text(params, "address")
    paragraphs = [rest, parameters.text(params, "description"), f"Адрес: {address}" if address else None]
    return NewIssue(
        title=title,
        description="\n".join(paragraph for paragraph in paragraphs if paragraph),
        phone=parameters.phone(params, "contact_phone"),
        name=name,
        address=address,
        type=parameters.text(params, "type"),
        priority=parameters.text(params, "priority"),
        attributes=parameters.attributes(parameters.text(params, "parameters")),
        files=parameters.files(params),
    )


def reference(key: str) -> str:
    """Our key as it fits into a custom attribute of text."""
    key = clean(key)
    if len(key) <= _LONGEST_REFERENCE:
        return key
    return f"{key[: _LONGEST_REFERENCE - 33]}~{hashlib.sha256(key.encode()).hexdigest()[:32]}"


class IssueCreation:
    """`okdesk.create_issue`: the contact, the issue, its type, its files, each only if it is not there yet.

    Whatever may be a repeat looks the issue up first, and what an earlier try left undone is done then.
    """

    def __init__(
        self, client: OkdeskClient, settings: OkdeskSettings, repeats: Repeats, commenting: Commenting
    ) -> None:
        self._client = client
        self._settings = settings
        self._repeats = repeats
        self._commenting = commenting

    async def run(self, order: Order) -> Done:
        wanted = new_issue(order.params, self._settings)
        is_repeat = self._repeats.begin(order)
        contact_id = await self._client.ensure_contact(wanted.phone, wanted.name)
        found = await self._find(order, wanted, contact_id) if is_repeat else None
        if found is None:
            issue_id = await self._create(order, wanted, contact_id)
            log.info("okdesk_issue_created", issue_id=issue_id)
        else:
            issue_id = found
            log.info("okdesk_issue_found_again", issue_id=issue_id)
        self._repeats.claim("issue", issue_id, order)
        return await self._finish(order, wanted, issue_id, was_there=found is not None)

    async def settle(self, order: Order) -> Done | None:
        """Done if the issue is there with all that belongs to it; None lets `run` do what is missing."""
        wanted = new_issue(order.params, self._settings)
        contact = await self._client.contact_by_phone(wanted.phone)
        if contact is None:
            return None  # an issue is only made for a contact
        issue_id = await self._find(order, wanted, contact.id)
        if issue_id is None:
            return None
        self._repeats.claim("issue", issue_id, order)
        issue = await self._client.issue(issue_id)
        if wanted.type and (issue.type is None or issue.type.code != wanted.type):
            return None
        comment_id = None
        if wanted.files:
            comment_id = await self._commenting.find(order, self._files_wish(wanted, issue.id))
            if comment_id is None:
                return None
        return self._done(issue, comment_id)

    # ------------------------------------------------------------------------------------------------ the steps

    async def _create(self, order: Order, wanted: NewIssue, contact_id: int) -> int:
        code = self._settings.dialog_ref_code
        is_there = await self._client.has_attribute(code) if code else False
        attributes = dict(wanted.attributes)
        if code and is_there is not False:
            attributes[code] = reference(order.key)
        try:
            return await self._client.create_issue(self._body(wanted, contact_id, attributes))
        except Refused as error:
            # Our key may not read the dictionary: the attribute was only tried, and a 422 has made nothing.
            if not (code and is_there is None and error.status == 422 and error.is_about(code)):
                raise
            log.warning("okdesk_has_no_reference_attribute", code=code)
            del attributes[code]
            return await self._client.create_issue(self._body(wanted, contact_id, attributes))

    def _body(self, wanted: NewIssue, contact_id: int, attributes: Mapping[str, str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "title": wanted.title,
            "description": to_html(wanted.description),
            "contact_id": contact_id,
            "type": wanted.type,
            "priority": wanted.priority,
            "custom_parameters": dict(attributes),
        }
        return {name: value for name, value in body.items() if value not in (None, "", {})}

    async def _finish(self, order: Order, wanted: NewIssue, issue_id: int, *, was_there: bool) -> Done:
        """What Okdesk does not do while it creates. A refusal here does not undo the issue: it is logged."""
        issue = await self._client.issue(issue_id)
        if wanted.type and (issue.type is None or issue.type.code != wanted.type):
            try:
                await self._client.set_type(issue.id, wanted.type)
            except Refused as error:
                self._tolerate(error, "okdesk_type_not_set", issue.id)
        if wanted.address:
            try:
                await self._client.set_address(issue.id, wanted.address)
            except (Later, Never, Unknown):  # it stands in the description as well
                log.info("okdesk_address_not_set", issue_id=issue.id)
        comment_id = None
        if wanted.files:
            try:
                wish = self._files_wish(wanted, issue.id)
                comment_id = await self._commenting.ensure(order, wish, look_first=was_there)
            except Never as error:
                self._tolerate(error, "okdesk_files_not_attached", issue.id)
        return self._done(issue, comment_id)

    def _tolerate(self, error: Never, event: str, issue_id: int) -> None:
        if error.stops_system:
            raise error
        log.warning(event, issue_id=issue_id, code=error.code)

    def _files_wish(self, wanted: NewIssue, issue_id: int) -> Wish:
        return Wish(issue_id=issue_id, text=wanted.files_text, public=True, files=wanted.files)

    def _done(self, issue: Issue, comment_id: int | None) -> Done:
        fields = parameters.issue_result(issue, self._settings)
        return Done(
            result={name: fields[name] for name in ("id", "number", "status", "status_name")},
            external_id=str(issue.id),
            parts=(str(comment_id),) if comment_id else (),
        )

    # --------------------------------------------------------------------------------------------- looking it up

    async def _find(self, order: Order, wanted: NewIssue, contact_id: int) -> int | None:
        """The issue that this order made: by our reference, otherwise by contact, time and title."""
        code = self._settings.dialog_ref_code
        is_there = await self._client.has_attribute(code) if code else False
        if code and is_there is not False:
            found = await self._find_by_reference(code, reference(order.key))
            if found is not None or is_there:
                return found
        since = order.created_at - _LOOK_BACK
        rows = await self._client.issues_of_contact(contact_id, since=since)
        for row in sorted(rows, key=lambda row: row.id):
            if (row.title or "").strip() != wanted.title or self._repeats.is_of_another("issue", row.id, order):
                continue
            other = (await self._with_parameters(row)).parameter(code) if code else None
            if other in (None, reference(order.key)):
                return row.id
        return None

    async def _find_by_reference(self, code: str, wanted: str) -> int | None:
        """Whether Okdesk filters by the whole value, by a part or not at all is not known: the value decides."""
        try:
            rows = await self._client.issues_with_reference(code, wanted)
        except Refused as error:
            if error.stops_system:
                raise
            return None
        hits = []
        for row in rows[:_MOST_CANDIDATES]:
            if (await self._with_parameters(row)).parameter(code) == wanted:
                hits.append(row.id)
        if len(hits) > 1:
            log.error("okdesk_reference_of_several_issues", found=len(hits))
        return min(hits, default=None)

    async def _with_parameters(self, row: Issue) -> Issue:
        """The row itself if it shows custom attributes, otherwise the whole issue; a deleted one shows nothing."""
        if row.parameters is not None:
            return row
        try:
            return await self._client.issue(row.id)
        except Never as error:
            if error.code != "not_found":
                raise
            return row
