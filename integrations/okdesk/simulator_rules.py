"""What the simulated Okdesk allows, refuses and tells: the rules behind its API and behind the demo's buttons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from integrations.okdesk.simulator_hooks import HookSender
from integrations.okdesk.simulator_state import (
    PRIORITIES,
    RATES,
    STATUSES,
    TRANSITIONS,
    TYPES,
    Person,
    State,
    StoredComment,
    StoredFile,
    StoredIssue,
    coded,
)

EMPTY: Final = "не может быть пустым"
MERGED: Final = "Комментарий добавлен при объединении заявок"


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, errors: Any) -> None:
        super().__init__(str(errors))
        self.status = status
        self.errors = errors


def invalid(**errors: Any) -> Refusal:
    return Refusal(422, errors)


class Rules:
    """Changes the state, tells the webhook sender, calls `changed`. Raises Refusal and changes nothing then."""

    def __init__(self, state: State, hooks: HookSender, changed: Callable[[], None]) -> None:
        self._state = state
        self._hooks = hooks
        self._changed = changed
        self.ignores_type = False  # one live account did so at creation
        self.refuses_rates = False
        self.tells_status_comments_twice = False  # also as new_comment; whether Okdesk does is not known

    # --------------------------------------------------------------------------------------------------- issues

    def create_issue(self, wanted: Mapping[str, Any], author: Person, files: Sequence[StoredFile] = ()) -> StoredIssue:
        errors: dict[str, Any] = {}
        title = wanted.get("title")
        if not isinstance(title, str) or not title.strip():
            errors["title"] = [EMPTY]
        elif len(title) > 255:
            errors["title"] = ["слишком длинное"]
        for name, known in (("type", TYPES), ("priority", PRIORITIES)):
            if wanted.get(name) and wanted[name] not in known:
                errors[name] = ["не существует"]
        contact_id = _number(wanted.get("contact_id"))
        if wanted.get("contact_id") and contact_id not in self._state.contacts:
            errors["contact_id"] = ["не существует"]
        parameters = wanted.get("custom_parameters") or {}
        if unknown := self._unknown(parameters):
            errors["custom_parameters"] = unknown
        if errors:
            raise Refusal(422, errors)
        now = self._state.now()
        type_ = wanted.get("type") if not self.ignores_type else None
        issue = StoredIssue(
            id=self._state.new_id("issue"),
            title=str(title),
            description=str(wanted.get("description") or ""),
            created_at=now,
            updated_at=now,
            author=author,
            source=f"from_{author.type}",
            contact=self._state.contacts.get(contact_id or 0),
            parameters=dict(parameters),
            files=list(files),
        )
        issue.type = str(type_ or issue.type)
        issue.priority = str(wanted.get("priority") or issue.priority)
        self._state.issues[issue.id] = issue
        self._tell("new_ticket", issue, author, source=issue.source)
        return issue

    def set_status(
        self, issue: StoredIssue, code: Any, author: Person, *, is_strict: bool = True, **wish: Any
    ) -> StoredIssue:
        """`is_strict`: as over the API, where postponing wants `delay_to` and a comment."""
        if code not in STATUSES:
            raise invalid(code=["не существует"])
        if code == issue.status or code not in TRANSITIONS[issue.status]:
            raise Refusal(422, ["Недопустимый переход между статусами"])
        text = wish.get("comment")
        if code == "delayed" and is_strict:
            missing = {name: [EMPTY] for name in ("delay_to", "comment") if not wish.get(name)}
            if missing:
                raise Refusal(422, missing)
        if unknown := self._unknown(wish.get("custom_parameters") or {}):
            raise invalid(custom_parameters=unknown)
        issue.delayed_to = self._local_time(wish.get("delay_to")) if code == "delayed" else None
        now = self._state.now()
        issue.old_status, issue.status = issue.status, code
        issue.completed_at = now if code in ("completed", "closed") else None
        issue.parameters |= wish.get("custom_parameters") or {}
        comment = None
        if text:
            comment = self._comment(issue, str(text), wish.get("comment_public") is True, author, ())
        is_silent = "skip_webhooks" in (wish.get("skip_options") or ())
        self._tell(
            "new_ticket_status",
            issue,
            author,
            is_silent=is_silent,
            old_status=coded(issue.old_status, STATUSES),
            new_status=coded(code, STATUSES),
            comment=self._state.hook_comment(comment) if comment else None,
            attachments=[],
            parameters=[],
            time_entries=[],
            old_assignee=None,
            new_assignee=None,
        )
        if comment and self.tells_status_comments_twice and not is_silent:
            self._tell_comment(issue, comment)
        return issue

    def set_type(self, issue: StoredIssue, code: Any, author: Person) -> None:
        if code not in TYPES:
            raise invalid(code=["не существует"])
        old, issue.type = issue.type, code
        names = {name: named for name, (_, named) in TYPES.items()}
        old_type, new_type = coded(old, names), coded(code, names)
        self._tell("update_issue_work_type", issue, author, old_type=old_type, new_type=new_type)

    def set_priority(self, issue: StoredIssue, code: Any, author: Person) -> None:
        if code not in PRIORITIES:
            raise invalid(code=["не существует"])
        old, issue.priority = coded(issue.priority, PRIORITIES), code
        self._tell("new_priority", issue, author, old_priority=old, new_priority=coded(code, PRIORITIES))

    def set_deadline(self, issue: StoredIssue, moment: datetime | None, author: Person) -> None:
        old, issue.deadline_at = issue.deadline_at, moment
        change = {"auto_recount": False, "old_value": self._state.time(old), "new_value": self._state.time(moment)}
        self._tell("new_deadline", issue, author, deadline_at=change)

    def set_assignee(self, issue: StoredIssue, employee: Person | None, author: Person) -> None:
        old, issue.assignee = self._state.assignee(issue.assignee), employee
        self._tell("new_assignee", issue, author, old_assignee=old, new_assignee=self._state.assignee(employee))

    def set_parameters(self, issue: StoredIssue, values: Mapping[str, Any], author: Person) -> None:
        if unknown := self._unknown(values):
            raise invalid(custom_parameters=unknown)
        changes = [
            {"code": code, "before": issue.parameters.get(code), "after": value} for code, value in values.items()
        ]
        issue.parameters |= values
        self._tell("change_ticket_parameter", issue, author, changed_parameters=changes)

    def rate(self, issue: StoredIssue, rate: Any, author: Person) -> None:
        if rate not in RATES:
            raise invalid(rate=["не существует"])
        if self.refuses_rates:
            raise Refusal(403, "У вас нет доступа на запрашиваемое действие")
        issue.rate = rate
        self._tell("new_csat_rate", issue, author, rate=rate)

    def delete(self, issue: StoredIssue, author: Person) -> None:
        issue.is_deleted = True
        hook = {"event": {"event_type": "ticket_deleted", "author": author.in_hook()}, "issue": {"id": issue.id}}
        self._hooks.put(hook)
        self._changed()

    def merge(self, issue: StoredIssue, into: StoredIssue, author: Person) -> None:
        issue.merged_into = into.id
        self.add_comment(into, f"{MERGED}. Исходная заявка №{issue.id}.", True, author)

    def touch(self, issue: StoredIssue) -> None:
        """A change that makes no webhook."""
        issue.updated_at = self._state.now()
        self._changed()

    # ------------------------------------------------------------------------------------------------- comments

    def add_comment(
        self, issue: StoredIssue, content: str, public: bool, author: Person, files: Sequence[StoredFile] = ()
    ) -> StoredComment:
        comment = self._comment(issue, content, public, author, files)
        self._tell_comment(issue, comment)
        return comment

    def _comment(
        self, issue: StoredIssue, content: str, public: bool, author: Person, files: Sequence[StoredFile]
    ) -> StoredComment:
        comment = StoredComment(
            id=self._state.new_id("comment"),
            content=content,
            public=public,
            author=author,
            published_at=self._state.now(),
            files=list(files),
        )
        issue.comments.append(comment)
        return comment

    def _tell_comment(self, issue: StoredIssue, comment: StoredComment) -> None:
        files = [self._state.file(file) for file in comment.files]
        shown = self._state.hook_comment(comment)
        self._tell("new_comment", issue, comment.author, comment=shown, attachments=files)

    # ------------------------------------------------------------------------------------------------- contacts

    def create_contact(self, wanted: Mapping[str, Any]) -> Person:
        errors: dict[str, Any] = {
            name: [EMPTY] for name in ("last_name", "first_name") if not str(wanted.get(name) or "").strip()
        }
        for name in ("email", "telegram_username"):
            value = wanted.get(name)
            if value and any(getattr(other, name) == value for other in self._state.contacts.values()):
                errors[name] = ["уже существует"]
        if errors:
            raise Refusal(422, errors)
        contact = Person(
            id=self._state.new_id("contact"),
            type="contact",
            first_name=str(wanted["first_name"]),
            last_name=str(wanted["last_name"]),
            patronymic=wanted.get("patronymic"),
            phone=str(wanted.get("phone") or ""),
            mobile_phone=str(wanted.get("mobile_phone") or ""),
            email=wanted.get("email"),
            company_id=_number(wanted.get("company_id")),
            telegram_username=wanted.get("telegram_username"),
        )
        self._state.contacts[contact.id] = contact
        self._changed()
        return contact

    # -------------------------------------------------------------------------------------------------- helpers

    def _unknown(self, parameters: Mapping[str, Any]) -> dict[str, list[str]]:
        return {code: ["не существует"] for code in parameters if code not in self._state.attributes}

    def _local_time(self, written: Any) -> datetime | None:
        if not written:
            return None
        try:
            moment = datetime.fromisoformat(str(written))
        except ValueError:
            raise invalid(delay_to=["Неверный формат даты"]) from None
        return moment.replace(tzinfo=self._state.zone) if moment.tzinfo is None else moment

    def _tell(self, kind: str, issue: StoredIssue, author: Person, *, is_silent: bool = False, **extra: Any) -> None:
        issue.updated_at = self._state.now()
        if not is_silent:
            event = {"event_type": kind, "author": author.in_hook(), **extra}
            self._hooks.put({"event": event, "issue": self._state.hook_issue(issue)})
        self._changed()


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
