"""The simulated Okdesk's REST API at its real paths, its traps included (Okdesk's contract, section 17)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import orjson
from aiohttp import web
from multidict import MultiMapping

from integrations.okdesk.simulator_forms import FormFile, read_form, read_json
from integrations.okdesk.simulator_rules import EMPTY, Refusal, Rules, invalid
from integrations.okdesk.simulator_state import (
    DEFAULT_TYPE,
    PRIORITIES,
    STATUSES,
    TYPES,
    Person,
    State,
    StoredFile,
    StoredIssue,
)

_LINK_LIVES_S: Final = 30
_FILTER_TIMES: Final = ("%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y")

Handler = Callable[[web.Request], Awaitable[web.Response]]


def answer(body: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", charset="utf-8")


class Api:
    """Handlers. The token belongs to `owner`, an administrator, in whose name everything is done."""

    def __init__(self, state: State, rules: Rules, *, owner_id: int, secret: str) -> None:
        self._state = state
        self._rules = rules
        self._owner_id = owner_id
        self._secret = secret
        self.nothing: Literal["list", "object", "null", "empty"] = "list"  # what a search without a hit answers
        self.wants_wrapped_comments = False
        self.shows_assignee_in_rows = False

    def routes(self) -> list[web.RouteDef]:
        v1, issue = "/api/v1", r"/api/v1/issues/{id:\d+}"
        return [
            web.get(f"{v1}/issues/list", self._issues),
            web.get(f"{v1}/issues/count", self._count),
            web.get(f"{v1}/issues/statuses", self._statuses),
            web.get(f"{v1}/issues/priorities", self._priorities),
            web.get(f"{v1}/dictionaries/issues/types", self._types),
            web.get(f"{v1}/issues/types", self._types),
            web.get(f"{v1}/issues/parameters/list", self._attributes),
            web.post(f"{v1}/issues/", self._create_issue),
            web.post(f"{v1}/issues", self._create_issue),
            web.get(issue, self._issue),
            web.patch(issue, self._edit_issue),
            web.delete(issue, self._delete_issue),
            web.post(f"{issue}/statuses", self._set_status),
            web.patch(f"{issue}/types", self._set_type),
            web.patch(f"{issue}/priorities", self._set_priority),
            web.patch(f"{issue}/assignees", self._set_assignee),
            web.patch(f"{issue}/deadlines", self._set_deadline),
            web.patch(f"{issue}/addresses", self._set_address),
            web.post(f"{issue}/parameters", self._set_parameters),
            web.post(f"{issue}/rates", self._rate),
            web.get(f"{issue}/comments", self._comments),
            web.post(f"{issue}/comments", self._add_comment),
            web.get(issue + r"/attachments/{file:\d+}", self._attachment),
            web.get(r"/system/attachments/{file:\d+}/original/{name}", self._download),
            web.get(f"{v1}/contacts/", self._find_contact),
            web.get(f"{v1}/contacts", self._find_contact),
            web.get(f"{v1}/contacts/list", self._contacts),
            web.post(f"{v1}/contacts/", self._create_contact),
            web.get(f"{v1}/companies/", self._find_company),
            web.get(f"{v1}/companies/list", self._companies),
            web.get(f"{v1}/employees/list", self._employees),
        ]

    @property
    def _owner(self) -> Person:
        return self._state.employees[self._owner_id]

    # --------------------------------------------------------------------------------------------------- issues

    def _found(self, request: web.Request) -> StoredIssue:
        """The issue, or the one that it was merged into. Raises Refusal: 404, or 200 with `errors` if deleted."""
        issue = self._state.issues.get(int(request.match_info["id"]))
        if issue is None:
            raise Refusal(404, "Страница не найдена")
        if issue.is_deleted:
            raise Refusal(200, "Заявка не найдена")
        if issue.merged_into is not None and request.method == "GET":
            return self._state.issues[issue.merged_into]
        if issue.merged_into is not None:
            raise Refusal(200, "Заявка не найдена")
        return issue

    async def _issue(self, request: web.Request) -> web.Response:
        return answer(self._state.issue(self._found(request)))

    async def _create_issue(self, request: web.Request) -> web.Response:
        form = await read_form(request, "issue")
        author = self._owner
        named = form.fields.get("author")
        if isinstance(named, dict):
            author = self._person(named.get("id"), named.get("type") or "employee", "author")
        issue = self._rules.create_issue(form.fields, author, [self._stored(file) for file in form.files])
        return answer({"id": issue.id, "title": issue.title})

    async def _edit_issue(self, request: web.Request) -> web.Response:
        """Only title and description; anything else is ignored without a word."""
        issue = self._found(request)
        wanted = (await read_json(request)).get("issue") or {}
        if "title" in wanted and not str(wanted["title"]).strip():
            raise invalid(title=[EMPTY])
        issue.title = str(wanted.get("title", issue.title))
        issue.description = str(wanted.get("description", issue.description))
        self._rules.touch(issue)
        return answer(self._state.issue(issue))

    async def _delete_issue(self, request: web.Request) -> web.Response:
        self._rules.delete(self._found(request), self._owner)
        return web.Response()

    async def _set_status(self, request: web.Request) -> web.Response:
        issue, wanted = self._found(request), await read_json(request)
        code = wanted.pop("code", None)
        return answer(self._state.issue(self._rules.set_status(issue, code, self._owner, **wanted)))

    async def _set_type(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        self._rules.set_type(issue, (await read_json(request)).get("code"), self._owner)
        return answer(self._state.issue(issue))

    async def _set_priority(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        self._rules.set_priority(issue, (await read_json(request)).get("code"), self._owner)
        return answer(self._state.issue(issue))

    async def _set_assignee(self, request: web.Request) -> web.Response:
        issue, wanted = self._found(request), (await read_json(request)).get("assignee_id")
        self._rules.set_assignee(
            issue, self._person(wanted, "employee", "assignee_id") if wanted else None, self._owner
        )
        return answer(self._state.issue(issue))

    async def _set_deadline(self, request: web.Request) -> web.Response:
        issue, wanted = self._found(request), (await read_json(request)).get("deadline_at")
        try:
            moment = datetime.strptime(str(wanted), "%Y-%m-%d %H:%M").replace(tzinfo=self._state.zone)
        except ValueError:
            raise invalid(deadline_at=["Неверный формат даты"]) from None
        self._rules.set_deadline(issue, moment, self._owner)
        return answer(self._state.issue(issue))

    async def _set_address(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        issue.address = str((await read_json(request)).get("value") or "") or None
        self._rules.touch(issue)
        return answer(self._state.issue(issue))

    async def _set_parameters(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        self._rules.set_parameters(issue, (await read_json(request)).get("custom_parameters") or {}, self._owner)
        return web.Response()  # 200 and nothing in it

    async def _rate(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        self._rules.rate(issue, (await read_json(request)).get("rate"), issue.contact or self._owner)
        return answer(self._state.issue(issue))

    # ---------------------------------------------------------------------------------------------------- lists

    async def _issues(self, request: web.Request) -> web.Response:
        query = request.query
        size, number = _page(query, most=50)
        issues = self._filtered(query)
        issues.sort(key=lambda issue: issue.id, reverse=query.get("sorting[direction]", "reverse") == "reverse")
        rows = [self._row(issue, query.get("fields[issue]")) for issue in issues[size * (number - 1) : size * number]]
        return answer(rows)

    def _row(self, issue: StoredIssue, fields: str | None) -> dict[str, Any]:
        row = self._state.row(issue, fields)
        if self.shows_assignee_in_rows:
            row["assignee"] = {"id": issue.assignee.id, "name": issue.assignee.name} if issue.assignee else None
        return row

    async def _count(self, request: web.Request) -> web.Response:
        return answer([issue.id for issue in self._filtered(request.query)])

    def _filtered(self, query: MultiMapping[str]) -> list[StoredIssue]:
        contacts = set(query.getall("contact_ids[]", []))
        statuses = set(query.getall("status_codes[]", []))
        since = self._filter_time(query.get("created_since"), "created_since")
        until = self._filter_time(query.get("created_until"), "created_until")
        changed_since = self._filter_time(query.get("updated_since"), "updated_since")
        found = []
        for issue in self._state.issues.values():
            if issue.is_deleted or issue.merged_into is not None:
                continue
            if contacts and str(issue.contact.id if issue.contact else 0) not in contacts:
                continue
            if (statuses and issue.status not in statuses) or (since and issue.created_at < since):
                continue
            if (until and issue.created_at > until) or (changed_since and issue.updated_at < changed_since):
                continue
            # By a part of the value: what Okdesk does is not documented, and this is the harsher of the two.
            wanted = {
                code: query[f"custom_parameters[{code}]"]
                for code in self._state.attributes
                if f"custom_parameters[{code}]" in query
            }
            if all(value in str(issue.parameters.get(code) or "") for code, value in wanted.items()):
                found.append(issue)
        return found

    def _filter_time(self, written: str | None, name: str) -> datetime | None:
        if written is None:
            return None
        for form in _FILTER_TIMES:
            try:
                return datetime.strptime(written, form).replace(tzinfo=self._state.zone)
            except ValueError:
                continue
        raise invalid(**{name: ["Неверный формат даты"]})

    async def _statuses(self, request: web.Request) -> web.Response:
        return answer([{"code": code, "name": name, "color": color} for code, (name, color) in STATUSES.items()])

    async def _priorities(self, request: web.Request) -> web.Response:
        return answer([{"code": code, "name": name, "color": "#5cb85c"} for code, name in PRIORITIES.items()])

    async def _types(self, request: web.Request) -> web.Response:
        return answer([
            {"id": id_, "code": code, "name": name, "default": code == DEFAULT_TYPE, "children": []}
            for code, (id_, name) in TYPES.items()
        ])  # fmt: skip

    async def _attributes(self, request: web.Request) -> web.Response:
        return answer([
            {"code": code, "name": name, "field_type": "ftstring", "required": False}
            for code, name in self._state.attributes.items()
        ])  # fmt: skip

    # ------------------------------------------------------------------------------------------------- comments

    async def _comments(self, request: web.Request) -> web.Response:
        return answer([self._state.comment(comment) for comment in self._found(request).comments])

    async def _add_comment(self, request: web.Request) -> web.Response:
        issue = self._found(request)
        form = await read_form(request, "comment")
        if self.wants_wrapped_comments and request.content_type == "application/json":
            form.fields = (await read_json(request)).get("comment") or {}
        content = form.fields.get("content")
        if not isinstance(content, str) or not content.strip():
            raise invalid(content="отсутствует")
        if not form.fields.get("author_id"):
            raise invalid(author_id="отсутствует")
        author = self._person(form.fields["author_id"], form.fields.get("author_type") or "employee", "author_id")
        files = [self._stored(file) for file in form.files]
        comment = self._rules.add_comment(issue, content, form.fields.get("public") is True, author, files)
        return answer(self._state.comment(comment))

    async def _attachment(self, request: web.Request) -> web.Response:
        for file in self._found(request).all_files():
            if file.id == int(request.match_info["file"]):
                expires = int((self._state.now() + timedelta(seconds=_LINK_LIVES_S)).timestamp())
                path = f"/system/attachments/{file.id}/original/{file.id}"
                query = {"X-Expires": str(expires), "X-Signature": self._signature(file.id, expires)}
                link = str(request.url.origin().with_path(path).with_query(query))
                return answer({**self._state.file(file), "attachment_url": link})
        raise Refusal(404, "Страница не найдена")

    async def _download(self, request: web.Request) -> web.Response:
        """The file store: knows no token, only links that live about 30 seconds."""
        file_id, expires = int(request.match_info["file"]), request.query.get("X-Expires", "")
        signature = self._signature(file_id, int(expires)) if expires.isdigit() else ""
        is_signed = hmac.compare_digest(signature, request.query.get("X-Signature", "")) and signature != ""
        if not is_signed or self._state.now().timestamp() > int(expires):
            return web.Response(status=403, text="<Error>AccessDenied</Error>", content_type="application/xml")
        for issue in self._state.issues.values():
            for file in issue.all_files():
                if file.id == file_id:
                    return web.Response(body=file.content, headers={"Content-Type": file.mime})
        return web.Response(status=404)

    def _signature(self, file_id: int, expires: int) -> str:
        return hmac.new(self._secret.encode(), f"{file_id}:{expires}".encode(), hashlib.sha256).hexdigest()

    def _stored(self, file: FormFile) -> StoredFile:
        return StoredFile(
            id=self._state.new_id("file"),
            name=file.name,
            content=file.content or b"",
            mime=file.mime,
            is_public=file.is_public,
            created_at=self._state.now(),
            description=file.description,
        )

    def _person(self, id_: Any, type_: Any, name: str) -> Person:
        people = {"employee": self._state.employees, "contact": self._state.contacts}.get(str(type_), {})
        person = people.get(int(id_)) if str(id_).isdigit() else None
        if person is None:
            raise invalid(**{name: "не существует"})
        return person

    # --------------------------------------------------------------------------------------------------- people

    async def _find_contact(self, request: web.Request) -> web.Response:
        """Phones are compared as text, exactly; the answer to an exact search is one bare object."""
        query, contacts = request.query, list(self._state.contacts.values())
        if "search_string" in query:
            wanted = query["search_string"]
            found = [c for c in contacts if wanted in _digits(c.phone) or wanted in _digits(c.mobile_phone)]
            return answer([contact.in_answer() for contact in found])
        for contact in contacts:
            if (
                query.get("id") == str(contact.id)
                or query.get("phone", "-") in (contact.phone, contact.mobile_phone)
                or query.get("email", "-") == contact.email
                or query.get("telegram_username", "-") == contact.telegram_username
            ):
                return answer(contact.in_answer())
        if self.nothing == "empty":
            return web.Response()
        return answer({"list": [], "object": {}, "null": None}[self.nothing])

    async def _create_contact(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        return answer(self._rules.create_contact(body.get("contact") or body).in_answer())

    async def _contacts(self, request: web.Request) -> web.Response:
        return answer([p.in_answer() for p in _keyset(request.query, list(self._state.contacts.values()))])

    async def _employees(self, request: web.Request) -> web.Response:
        return answer([p.as_employee() for p in _keyset(request.query, list(self._state.employees.values()))])

    async def _find_company(self, request: web.Request) -> web.Response:
        for company_id, name in self._state.companies.items():
            if request.query.get("id") == str(company_id) or request.query.get("name") == name:
                return answer({"id": company_id, "name": name, "active": True})
        return answer([])

    async def _companies(self, request: web.Request) -> web.Response:
        _page(request.query, most=100)
        return answer([{"id": id_, "name": name, "active": True} for id_, name in self._state.companies.items()])


def _digits(phone: str) -> str:
    return "".join(c for c in phone if c.isdigit())


def _page(query: MultiMapping[str], *, most: int) -> tuple[int, int]:
    size, number = query.get("page[size]", str(most)), query.get("page[number]", "1")
    if not size.isdigit() or not 1 <= int(size) <= most:
        raise invalid(page={"size": [f"должно быть меньше или равно {most}"]})
    return int(size), max(1, int(number)) if number.isdigit() else 1


def _keyset(query: MultiMapping[str], people: list[Person]) -> list[Person]:
    size, _ = _page(query, most=100)
    begin = query.get("page[from_id]")
    if query.get("page[direction]", "reverse") == "forward":
        ordered = sorted((p for p in people if p.id > int(begin or 0)), key=lambda p: p.id)
    else:
        ordered = sorted((p for p in people if begin is None or p.id < int(begin)), key=lambda p: -p.id)
    return ordered[:size]
