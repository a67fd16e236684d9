"""What a stored webhook of Okdesk means. Source: Okdesk's contract, sections 14.5 to 14.7."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from dialogs.events import BusinessEvent
from integrations.base import BusinessFact, CannotRead, Fact, Nothing, Reader, StoredEvent
from integrations.okdesk.html import to_text
from integrations.okdesk.schemas import Attachment, HookEvent, HookIssue, IssueHook, PersonName
from integrations.okdesk.settings import OkdeskSettings
from integrations.okdesk.webhook import DIRECTORY_TYPES, ISSUE_TYPES

MERGE_NOTICE: Final = "Комментарий добавлен при объединении заявок"
OUR_KEY: Final = "okdesk.create_issue/"  # what the keys of our own creations begin with


def okdesk_reader(settings: OkdeskSettings) -> Reader:
    """The reader of this account's events.

    A comment that comes inside `new_ticket_status` may come again as `new_comment`: both facts carry `comment_id`,
    and the shell tells an id once. Facts that our own calls caused carry `ours: true`.
    """

    def read(event: StoredEvent) -> Sequence[Fact]:
        if event.kind in DIRECTORY_TYPES:
            return (Nothing("directory changed"),)
        if event.kind not in ISSUE_TYPES:
            return (Nothing("unknown type of event"),)
        try:
            hook = IssueHook.model_validate_json(event.body.removeprefix(b"\xef\xbb\xbf"))
        except ValidationError as error:
            raise CannotRead(f"The {event.kind} of Okdesk lacks something: {_first_problem(error)}.") from None
        return (_Reading(settings, event, hook.event, hook.issue).fact(),)

    return read


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}"


class _Reading:
    """One event being read."""

    def __init__(self, settings: OkdeskSettings, stored: StoredEvent, event: HookEvent, issue: HookIssue) -> None:
        self._settings = settings
        self._stored = stored
        self._event = event
        self._issue = issue
        self._number = str(issue.id)

    def fact(self) -> Fact:
        match self._event.event_type:
            case "new_ticket":
                return self._created()
            case "new_ticket_status":
                return self._status_changed()
            case "new_comment":
                return self._comment_added()
            case "new_assignee":
                return self._assignee_changed()
            case "new_deadline":
                return self._deadline_changed()
            case "new_csat_rate":
                return self._rated()
            case "ticket_deleted":
                return self._fact("okdesk.issue_deleted", f"Заявка {self._number} удалена")
            case "new_files":
                return Nothing("files are told with the comment they come with")
            case other:
                return Nothing(f"{other} concerns no customer")

    def _fact(self, kind: str, about: str, **fields: Any) -> BusinessFact:
        issue = self._issue
        event = BusinessEvent(
            id=str(self._stored.id),
            at=self._stored.received_at,  # the body has no time of its own
            kind=kind,
            fields={"issue_id": issue.id, "number": self._number, "contact_id": issue.contact_id, **fields},
        )
        return BusinessFact(event=event, subjects=(f"issue:{issue.id}",), title=about)

    def _created(self) -> Fact:
        issue, status = self._issue, self._issue.status
        reference = self._reference()
        if self._is_our_author() and (self._settings.dialog_ref_code is None or reference is not None):
            return Nothing("our own issue")
        if reference is not None and reference.startswith(OUR_KEY):
            return Nothing("our own issue")
        return self._fact(
            "okdesk.issue_created",
            f"Новая заявка {self._number}: {issue.title or 'без темы'}",
            title=issue.title,
            status=status.code if status else None,
            status_name=(status.name or status.code) if status else None,
            source=self._event.source,
        )

    def _status_changed(self) -> Fact:
        new = self._event.new_status or self._issue.status
        if new is None or not new.code:
            raise CannotRead("The new_ticket_status of Okdesk has no new_status.code.")
        old = self._event.old_status or self._issue.old_status
        told = self._told_comment()
        text, comment_id = (told[0], self._event.comment.id) if told and self._event.comment else (None, None)
        return self._fact(
            "okdesk.status_changed",
            f"Заявка {self._number}: {new.name or new.code}",
            title=self._issue.title,
            status=new.code,
            status_name=new.name or new.code,
            old_status=old.code if old else None,
            final=new.code in self._settings.final_statuses,
            comment=text,
            comment_id=comment_id,
            files=told[1] if told else [],
            author=self._author_name(),
            ours=self._is_our_author(),
        )

    def _comment_added(self) -> Fact:
        told = self._told_comment()
        if told is None:
            return Nothing(self._why_untold())
        comment = self._event.comment
        return self._fact(
            "okdesk.comment_added",
            f"Заявка {self._number}: новый комментарий",
            comment_id=comment.id if comment else None,
            text=told[0],
            files=told[1],
            author=self._author_name(),
        )

    def _assignee_changed(self) -> Fact:
        assignee = self._event.new_assignee or self._issue.assignee
        employee = assignee.employee.full_name if assignee and assignee.employee else None
        group = assignee.group.name if assignee and assignee.group else None
        title = f"Заявка {self._number}: исполнитель {employee or group or 'снят'}"
        return self._fact("okdesk.assignee_changed", title, assignee=employee, group=group)

    def _deadline_changed(self) -> Fact:
        # What the event says, null included: the block of the issue is only for events that lack theirs.
        deadline = self._event.deadline_at
        moment = deadline.new_value if deadline is not None else self._issue.deadline_at
        return self._fact("okdesk.deadline_changed", f"Заявка {self._number}: новый срок", deadline_at=moment)

    def _rated(self) -> Fact:
        rate = self._event.rate or self._issue.rate
        if not rate:
            raise CannotRead("The new_csat_rate of Okdesk has no rate.")
        return self._fact("okdesk.rated", f"Заявка {self._number}: оценка {rate}", rate=rate)

    # ------------------------------------------------------------------------------------------------ comments

    def _told_comment(self) -> tuple[str, list[dict[str, Any]]] | None:
        """Text and files of the comment if the customer may see it: public, by an employee who is not our bot."""
        if self._why_untold() != "":
            return None
        comment = self._event.comment
        content = (comment.content if comment else None) or ""
        files = [_file(self._issue.id, attachment) for attachment in self._event.attachments if attachment.is_public]
        text = to_text(content, link=self._settings.portal_link(self._issue.id))
        return text or "\n".join(str(file["name"]) for file in files), files

    def _why_untold(self) -> str:
        """Why the comment stays in Okdesk; empty when the customer may see it."""
        comment, author = self._event.comment, self._event.author
        if comment is None:
            return "no comment"
        if not comment.is_public:
            return "private comment"
        if author is None or author.type != "employee":
            return "comment by the customer, or by nobody known"
        if self._is_our_author():
            return "our own comment"
        content = comment.content or ""
        if MERGE_NOTICE in content or MERGE_NOTICE in to_text(content):
            return "notice of a merge"
        if not to_text(content) and not any(attachment.is_public for attachment in self._event.attachments):
            return "empty comment"
        return ""

    # -------------------------------------------------------------------------------------------------- people

    def _is_our_author(self) -> bool:
        author = self._event.author
        return (
            author is not None
            and author.type == "employee"
            and author.id is not None
            and author.id == self._settings.author_id
        )

    def _author_name(self) -> str | None:
        """How the customer knows people: first name, then surname."""
        return _spoken(self._event.author)

    def _reference(self) -> str | None:
        for parameter in self._issue.parameters:
            if parameter.code == self._settings.dialog_ref_code and parameter.value:
                return str(parameter.value)
        return None


def _spoken(person: PersonName | None) -> str | None:
    if person is None:
        return None
    return " ".join(part for part in (person.first_name, person.last_name) if part) or None


def _file(issue_id: int, attachment: Attachment) -> dict[str, Any]:
    """In the form of a customer's file; `id` is what `OkdeskIntegration.download` fetches it by."""
    mime = mimetypes.guess_type(attachment.name or "")[0]
    return {
        "id": f"{issue_id}/{attachment.id}",
        "kind": "photo" if mime in ("image/jpeg", "image/png") else "file",
        "name": attachment.name or f"{attachment.id}",
        "mime": mime,
        "size": attachment.size,
        "channel": "okdesk",
    }
