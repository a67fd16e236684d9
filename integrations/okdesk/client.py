"""One method for each call that we make to Okdesk's REST API. Source: Okdesk's contract, sections 5 to 10.

Every method raises integrations.base.Later (surely not done, try again), Never (Okdesk refused) and, if it writes,
Unknown (the answer was lost).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

import httpx
import structlog

from integrations.base import CallLog, Never, Unknown
from integrations.okdesk import phones
from integrations.okdesk.errors import Refused
from integrations.okdesk.names import split_name
from integrations.okdesk.schemas import (
    Attachment,
    Comment,
    Contact,
    Employee,
    Issue,
    Named,
    as_id,
    read_many,
    read_one,
)
from integrations.okdesk.settings import OkdeskSettings
from integrations.okdesk.transport import Query, Transport

log = structlog.get_logger(__name__)

PAGE: Final = 50  # more on /issues/list is refused
_MOST_PAGES: Final = 20
_MOST_CONTACTS: Final = 10_000  # phone -> contact pairs that are remembered
_DICTIONARY_AGE: Final = timedelta(minutes=10)
_FILTER_TIME: Final = "%d-%m-%Y %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to attach. `name` is shown to people; it is no path."""

    name: str
    content: bytes
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Author:
    """In whose name a comment is written: Okdesk requires somebody."""

    id: int
    type: Literal["employee", "contact"] = "employee"


class OkdeskClient:
    """Calls to one account."""

    def __init__(
        self,
        settings: OkdeskSettings,
        *,
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        log_call: CallLog,
    ) -> None:
        self._settings = settings
        self._now = now
        self._transport = Transport(settings, http=http, now=now, log_call=log_call)
        self._contacts: dict[str, int] = {}
        self._contact_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._wraps_comments = False
        self._wraps_contacts = True
        self._attributes: tuple[datetime, frozenset[str] | None] | None = None

    # -------------------------------------------------------------------------------------------------- issues

    async def issue(self, issue_id: int) -> Issue:
        """GET /issues/{id}. The answer has another id when the issue was merged into that one.

        Raises Never(not_found) for a deleted issue, which Okdesk tells with a 200.
        """
        answer = await self._transport.get(f"issues/{issue_id}", missing=True)
        issue = read_one(Issue, answer)
        if issue is None:
            raise Never(f"Okdesk has no issue {issue_id}.", code="not_found")
        if issue.id != issue_id:
            log.info("okdesk_issue_merged", issue_id=issue_id, into=issue.id)
        return issue

    async def create_issue(self, issue: Mapping[str, Any]) -> int:
        """POST /issues/: not idempotent. Returns the id, the only field of the answer that may be relied on."""
        answer = await self._transport.send("POST", "issues/", {"issue": issue})
        return _new_id(answer)

    async def issues(self, query: Query, *, pages: int = _MOST_PAGES) -> list[Issue]:
        """GET /issues/list, newest first, every page up to `pages`. Rows that shift while paging come once."""
        found: dict[int, Issue] = {}
        for number in range(1, pages + 1):
            page = [("page[number]", str(number)), ("page[size]", str(PAGE))]
            order = [("sorting[field]", "created_at"), ("sorting[direction]", "reverse")]
            answer = await self._transport.get("issues/list", [*query, *page, *order])
            for row in read_many(Issue, answer):
                found.setdefault(row.id, row)
            if not isinstance(answer, list) or len(answer) < PAGE:
                break
        return list(found.values())

    async def issues_with_reference(self, code: str, reference: str) -> list[Issue]:
        """Issues whose custom attribute `code` is `reference`; whether Okdesk compares it whole is not documented."""
        fields = ("fields[issue]", "id,title,created_at,status,contact,parameters")
        return await self.issues([(f"custom_parameters[{code}]", reference), fields], pages=1)

    async def issues_changed_since(self, since: datetime, *, pages: int) -> list[Issue]:
        """Issues that were made or changed since then, on the account's clock."""
        moment = self._settings.local(since).strftime(_FILTER_TIME)
        fields = ("fields[issue]", "id,title,created_at,updated_at,status,contact,parameters")
        return await self.issues([("updated_since", moment), fields], pages=pages)

    async def issues_of_contact(self, contact_id: int, *, since: datetime | None = None) -> list[Issue]:
        """Issues of a contact. `since` is rounded down to the second, on the account's clock."""
        query = [("contact_ids[]", str(contact_id))]
        if since is not None:
            query.append(("created_since", self._settings.local(since).strftime(_FILTER_TIME)))
        return await self.issues(query)

    async def set_type(self, issue_id: int, code: str) -> None:
        """PATCH /issues/{id}/types: PATCH /issues/{id} would ignore it with a 200."""
        await self._transport.send("PATCH", f"issues/{issue_id}/types", {"code": code})

    async def set_address(self, issue_id: int, address: str) -> None:
        """PATCH /issues/{id}/addresses."""
        await self._transport.send("PATCH", f"issues/{issue_id}/addresses", {"value": address})

    async def set_status(
        self, issue_id: int, code: str, *, comment: str | None = None, delay_to: datetime | None = None
    ) -> Issue | None:
        """POST /issues/{id}/statuses with a private comment (HTML) and without a webhook back to us.

        Returns the issue if the answer has it.
        """
        body: dict[str, Any] = {"code": code, "skip_options": ["skip_webhooks"]}
        if delay_to is not None:
            body["delay_to"] = self._settings.local(delay_to).strftime(self._settings.delay_to_format)
        if comment:
            body |= {"comment": comment, "comment_public": False}
        return read_one(Issue, await self._transport.send("POST", f"issues/{issue_id}/statuses", body))

    async def rate(self, issue_id: int, rate: str) -> None:
        """POST /issues/{id}/rates."""
        await self._transport.send("POST", f"issues/{issue_id}/rates", {"rate": rate})

    # ------------------------------------------------------------------------------------------------ comments

    async def comments(self, issue_id: int) -> list[Comment]:
        """GET /issues/{id}/comments, oldest first."""
        answer = await self._transport.get(f"issues/{issue_id}/comments", missing=True)
        return sorted(read_many(Comment, answer, under="comments"), key=lambda comment: comment.id)

    async def add_comment(
        self, issue_id: int, content: str, *, author: Author, public: bool, files: Sequence[Upload] = ()
    ) -> int:
        """POST /issues/{id}/comments: not idempotent. `content` is HTML and must not be empty. Returns the id."""
        path = f"issues/{issue_id}/comments"
        if files:
            return _new_id(await self._transport.upload(path, *_comment_form(content, author, public, files)))
        comment = {"content": content, "author_id": author.id, "author_type": author.type, "public": public}
        if not self._wraps_comments:
            try:
                return _new_id(await self._transport.send("POST", path, comment))
            except Refused as error:
                if error.status != 422 or not error.is_about("content"):
                    raise
        made = _new_id(await self._transport.send("POST", path, {"comment": comment}))
        self._wraps_comments = True
        return made

    async def attachment(self, issue_id: int, attachment_id: int, limit_bytes: int) -> bytes:
        """The bytes of a file of an issue. The link lives about 30 s and is fetched at once."""
        answer = await self._transport.get(f"issues/{issue_id}/attachments/{attachment_id}", missing=True)
        attachment = read_one(Attachment, answer)
        if attachment is None or not attachment.url:
            raise Never("Okdesk has no such file.", code="not_found")
        return await self._transport.download(attachment.url, limit_bytes)

    # ------------------------------------------------------------------------------------------------ contacts

    async def contact(self, contact_id: int) -> Contact | None:
        """GET /contacts/?id=."""
        for contact in await self._contacts_by(("id", str(contact_id))):
            if contact.id == contact_id:
                return contact
        return None

    async def contact_by_phone(self, phone: str) -> Contact | None:
        """The contact with this E.164 number, whatever way it is written.

        Okdesk compares phones as text, so the usual spellings are asked for in turn, then the last ten digits; a hit
        counts only if its own number ends in the same ten. Of several the active one with the lowest id is taken.
        """
        known = self._contacts.get(phone)
        if known is not None:
            contact = await self.contact(known)
            if contact is not None and phones.is_same(phone, contact.phone, contact.mobile_phone):
                return contact
            del self._contacts[phone]
        questions = [("phone", spelling) for spelling in phones.spellings(phone)]
        for question in [*questions, ("search_string", phones.tail(phone))]:
            hits = [
                contact
                for contact in await self._contacts_by(question)
                if phones.is_same(phone, contact.phone, contact.mobile_phone)
            ]
            if hits:
                chosen = min(hits, key=lambda contact: (not contact.active, contact.id))
                if len(hits) > 1:
                    log.warning("okdesk_phone_of_several_contacts", chosen=chosen.id, found=len(hits))
                self._remember(phone, chosen.id)
                return chosen
        return None

    async def ensure_contact(self, phone: str, name: str | None) -> int:
        """The id of the contact with this number, created if there is none."""
        lock = self._contact_locks.setdefault(phone, asyncio.Lock())
        async with lock:
            found = await self.contact_by_phone(phone)
            if found is not None:
                return found.id
            try:
                created = await self._create_contact(phone, name)
            except Refused as error:
                if error.status != 422:
                    raise
                found = await self.contact_by_phone(phone)  # made by somebody else just now
                if found is None:
                    raise
                return found.id
            self._remember(phone, created)
            return created

    async def _create_contact(self, phone: str, name: str | None) -> int:
        """POST /contacts/. The number goes into both fields: which of them the search covers is not documented."""
        first, last, patronymic = split_name(name or "")
        contact = {
            "first_name": first or self._settings.first_name,
            "last_name": last or self._settings.last_name,
            "phone": phone,
            "mobile_phone": phone,
        }
        if patronymic:
            contact["patronymic"] = patronymic
        for _ in range(2):
            body: dict[str, Any] = {"contact": contact} if self._wraps_contacts else contact
            try:
                return _new_id(await self._transport.send("POST", "contacts/", body))
            except Refused as error:
                if error.status != 422 or not (error.is_about("last_name") and error.is_about("first_name")):
                    raise
                refused = error
                self._wraps_contacts = not self._wraps_contacts  # it did not see the fields: the other form
        raise refused

    async def _contacts_by(self, question: tuple[str, str]) -> list[Contact]:
        return read_many(Contact, await self._transport.get("contacts/", [question]), under="contacts")

    def _remember(self, phone: str, contact_id: int) -> None:
        if len(self._contacts) >= _MOST_CONTACTS:
            del self._contacts[next(iter(self._contacts))]
        self._contacts[phone] = contact_id

    async def company_name(self, company_id: int) -> str | None:
        """GET /companies/?id=."""
        found = read_many(Named, await self._transport.get("companies/", [("id", str(company_id))]), under="companies")
        return found[0].name if found else None

    # -------------------------------------------------------------------------------------------- dictionaries

    async def employee(self, employee_id: int) -> Employee | None:
        """Looks through GET /employees/list, which is paged by key."""
        last = 0
        for _ in range(_MOST_PAGES):
            page = [("page[size]", "100"), ("page[from_id]", str(last)), ("page[direction]", "forward")]
            employees = read_many(Employee, await self._transport.get("employees/list", page), under="employees")
            for employee in employees:
                if employee.id == employee_id:
                    return employee
            if len(employees) < 100:
                break
            last = max(employee.id for employee in employees)
        return None

    async def has_attribute(self, code: str) -> bool | None:
        """The account has this custom attribute of issues; None when our key may not ask."""
        now = self._now()
        if self._attributes is None or now - self._attributes[0] >= _DICTIONARY_AGE:
            try:
                answer = await self._transport.get("issues/parameters/list")
                rows = answer.get("parameters") if isinstance(answer, dict) else answer
                codes = frozenset(str(row.get("code")) for row in rows or () if isinstance(row, dict))
                self._attributes = (now, codes)
            except Refused as error:
                if error.stops_system:
                    raise
                self._attributes = (now, None)
        codes_known = self._attributes[1]
        return None if codes_known is None else code in codes_known


def _new_id(answer: Any) -> int:
    made = as_id(answer.get("id")) if isinstance(answer, dict) else None
    if made is None and isinstance(answer, dict) and len(answer) == 1:  # wrapped like the request
        (inner,) = answer.values()
        made = as_id(inner.get("id")) if isinstance(inner, dict) else None
    if made is None:
        raise Unknown("Okdesk answered with success and without the id of what it made.")
    return made


def _comment_form(
    content: str, author: Author, public: bool, files: Sequence[Upload]
) -> tuple[dict[str, str], list[tuple[str, tuple[str, bytes, str]]]]:
    """The only multipart keys that Okdesk takes: wrapped, with explicit indexes, booleans as words."""
    fields = {
        "comment[content]": content,
        "comment[public]": "true" if public else "false",
        "comment[author_id]": str(author.id),
        "comment[author_type]": author.type,
    }
    parts = []
    for index, file in enumerate(files):
        prefix = f"comment[attachments][{index}]"
        fields[f"{prefix}[is_public]"] = "true" if public else "false"
        parts.append((f"{prefix}[attachment]", (file.name, file.content, file.mime)))
    return fields, parts
