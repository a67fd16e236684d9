from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from integrations.base import BusinessFact, CannotRead, Fact, Nothing, StoredEvent
from integrations.okdesk import OkdeskSettings
from integrations.okdesk.reading import okdesk_reader

SAMPLES = Path(__file__).parents[2] / "samples" / "okdesk" / "webhooks"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = OkdeskSettings(url="https://account.okdesk.ru", api_token="t", author_id=99)


def read(body: Any, settings: OkdeskSettings = SETTINGS) -> Fact:
    stored = StoredEvent(7, "okdesk", body["event"]["event_type"], "x", orjson.dumps(body), NOW)
    (fact,) = okdesk_reader(settings)(stored)
    return fact


def of(name: str) -> dict[str, Any]:
    (path,) = SAMPLES.glob(f"{name}_*")
    body: dict[str, Any] = orjson.loads(path.read_bytes())
    return body


def business(name: str) -> BusinessFact:
    fact = read(of(name))
    assert isinstance(fact, BusinessFact)
    assert fact.event.id == "7"
    assert fact.event.at == NOW
    assert fact.event.phone is None
    assert fact.subjects == (f"issue:{fact.event.fields['issue_id']}",)
    assert fact.title
    return fact


@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("01", "okdesk.issue_created", {
            "issue_id": 19734, "number": "19734", "title": "Не печатает чек на кассе №2", "status": "opened",
            "status_name": "Открыта", "source": "from_contact", "contact_id": 3082}),
        ("02", "okdesk.issue_created", {"issue_id": 19740, "source": "from_employee"}),
        ("03", "okdesk.issue_created", {"issue_id": 19741, "source": "from_email", "title": "RE: Счёт за март"}),
        ("04", "okdesk.status_changed", {
            "issue_id": 19734, "number": "19734", "status": "in_progress", "status_name": "В работе",
            "old_status": "opened", "final": False, "comment": None, "comment_id": None}),
        ("05", "okdesk.status_changed", {"issue_id": 19734, "status": "in_progress", "contact_id": 3082}),
        ("06", "okdesk.status_changed", {
            "status": "delayed", "final": False, "comment_id": 771201,
            "comment": "Ждём запчасть, вернёмся в пятницу.\nИзвините за ожидание."}),
        ("07", "okdesk.status_changed", {
            "status": "completed", "final": True, "comment": "Заменили печатающую головку, касса проверена."}),
        ("08", "okdesk.status_changed", {"status": "closed", "final": True, "comment": None, "comment_id": None}),
        ("09", "okdesk.status_changed", {"status": "in_progress", "old_status": "completed", "comment": None}),
        ("10", "okdesk.assignee_changed", {"assignee": "Белова Анна", "group": "Выездные инженеры"}),
        ("11", "okdesk.assignee_changed", {"assignee": None, "group": None}),
        ("14", "okdesk.comment_added", {
            "comment_id": 771402, "author": "Павел Орлов",
            "text": "Добрый день!\nПришлите, пожалуйста, фото ошибки. Инструкция: здесь (https://example.ru/help)",
            "files": [{"id": "19734/35368001", "kind": "file", "name": "instrukciya.pdf", "mime": "application/pdf",
                       "size": 88213, "channel": "okdesk"}]}),
        ("20", "okdesk.rated", {"rate": "excellent"}),
        ("22", "okdesk.deadline_changed", {"deadline_at": "2025-03-14T18:00:00.000+03:00"}),
        ("23", "okdesk.deadline_changed", {"deadline_at": "2025-03-14T18:00:00.000+03:00"}),
        ("27", "okdesk.issue_deleted", {"issue_id": 19734}),
        ("37", "okdesk.issue_created", {"issue_id": 19750, "contact_id": None}),
    ],
)  # fmt: skip
def test_a_sample_is_read_as_its_business_event(name: str, kind: str, fields: dict[str, Any]) -> None:
    fact = business(name)
    assert fact.event.kind == kind
    assert {field: fact.event.fields[field] for field in fields} == fields


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("12", "concerns no customer"),
        ("13", "concerns no customer"),
        ("15", "private"),
        ("16", "by the customer"),
        ("17", "our own"),
        ("18", "merge"),
        ("19", "private"),
        ("21", "files"),
        ("24", "concerns no customer"),
        ("25", "concerns no customer"),
        ("26", "concerns no customer"),
        *[(str(number), "directory changed") for number in range(28, 36)],
        ("36", "unknown"),
    ],
)
def test_a_sample_that_tells_the_customer_nothing_says_why(name: str, reason: str) -> None:
    fact = read(of(name))
    assert isinstance(fact, Nothing)
    assert reason in fact.reason


def comment(**changes: Any) -> dict[str, Any]:
    body = of("14")
    body["event"]["comment"] |= changes
    return body


@pytest.mark.parametrize("public", [None, "yes", 1, 0, [], {}, "false", False, ""])
def test_only_a_plainly_public_comment_leaves(public: Any) -> None:
    assert isinstance(read(comment(is_public=public)), Nothing)
    status = of("06")
    status["event"]["comment"]["is_public"] = public
    fact = read(status)
    assert isinstance(fact, BusinessFact)
    assert fact.event.fields["comment"] is None


def test_public_written_as_a_string_is_public() -> None:
    assert isinstance(read(comment(is_public="true")), BusinessFact)


def test_private_files_of_a_public_comment_stay() -> None:
    body = of("14")
    body["event"]["attachments"].append({"id": 5, "attachment_file_name": "cost.xls"})
    body["event"]["attachments"].append({"id": 6, "attachment_file_name": "cost.xls", "is_public": False})
    fact = read(body)
    assert isinstance(fact, BusinessFact)
    assert [file["name"] for file in fact.event.fields["files"]] == ["instrukciya.pdf"]


def test_an_empty_comment_is_not_told_unless_it_brings_a_file() -> None:
    body = comment(content="<p>&nbsp;<img src='/issues/1/attachments/2'></p>")
    fact = read(body)
    assert isinstance(fact, BusinessFact)
    assert fact.event.fields["text"] == "instrukciya.pdf"
    body["event"]["attachments"] = []
    assert read(body) == Nothing("empty comment")


def test_a_comment_by_nobody_known_is_not_told() -> None:
    body = of("14")
    body["event"]["author"] = None
    assert isinstance(read(body), Nothing)
    body["event"]["author"] = {"id": 13}
    assert isinstance(read(body), Nothing)


def test_a_long_comment_is_cut_with_a_link() -> None:
    fact = read(comment(content="я" * 9000))
    assert isinstance(fact, BusinessFact)
    text = fact.event.fields["text"]
    assert len(text) == 3500
    assert text.endswith("…\nhttps://account.okdesk.ru/issues/19734")


def test_our_own_comment_is_known_by_the_author_in_either_shape() -> None:
    body = of("17")
    body["event"]["author"]["id"] = "99"
    assert read(body) == Nothing("our own comment")
    body["event"]["author"]["id"] = 13
    assert isinstance(read(body), BusinessFact)


def test_a_status_that_our_own_call_changed_is_marked() -> None:
    body = of("06")
    body["event"]["author"]["id"] = 99
    fact = read(body)
    assert isinstance(fact, BusinessFact)
    assert fact.event.fields["ours"] is True
    assert fact.event.fields["comment"] is None
    assert business("06").event.fields["ours"] is False


def test_an_issue_that_we_created_is_not_news() -> None:
    body = of("02")
    body["issue"]["parameters"] = [{"code": "dialog_ref", "value": "okdesk.create_issue/lead/create/17"}]
    assert read(body) == Nothing("our own issue")
    body["issue"]["parameters"] = [{"code": "dialog_ref", "value": None}]
    assert isinstance(read(body), BusinessFact)
    body["event"]["author"]["id"] = 99
    assert isinstance(read(body), BusinessFact)  # by hand under the bot's account: it would have our reference
    without = OkdeskSettings(url="https://a.okdesk.ru", api_token="t", author_id=99, dialog_ref_code=None)
    assert read(body, without) == Nothing("our own issue")


def test_final_statuses_are_a_setting() -> None:
    settings = OkdeskSettings(final_statuses=("in_progress",))
    fact = read(of("04"), settings)
    assert isinstance(fact, BusinessFact)
    assert fact.event.fields["final"] is True


def test_the_contact_is_found_in_both_places() -> None:
    body = of("04")
    body["issue"]["client"] = None
    body["issue"]["contact"] = {"id": "3082"}
    fact = read(body)
    assert isinstance(fact, BusinessFact)
    assert fact.event.fields["contact_id"] == 3082


@pytest.mark.parametrize(
    "body",
    [
        {"event": {"event_type": "new_ticket_status"}, "issue": {"id": 1}},
        {"event": {"event_type": "new_csat_rate"}, "issue": {"id": 1}},
        {"event": {"event_type": "new_ticket"}, "issue": {"title": "x"}},
        {"event": {"event_type": "new_ticket"}, "issue": []},
        {"event": {"event_type": "new_ticket"}},
    ],
)
def test_an_event_without_its_substance_cannot_be_read(body: dict[str, Any]) -> None:
    with pytest.raises(CannotRead, match=r".+"):
        read(body)


def test_a_deletion_needs_nothing_but_the_id() -> None:
    fact = read({"event": {"event_type": "ticket_deleted"}, "issue": {"id": "5"}})
    assert isinstance(fact, BusinessFact)
    assert fact.event.fields["issue_id"] == 5
