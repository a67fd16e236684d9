"""Every sample of an answer, served byte for byte, is read by the client over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web

from integrations.base import Later, Never, Unknown
from integrations.okdesk import OkdeskSettings
from integrations.okdesk.client import Author, OkdeskClient
from integrations.okdesk.errors import Refused

SAMPLES = Path(__file__).parents[2] / "samples" / "okdesk" / "api"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Canned:
    """Answers every call with the same bytes, and keeps what was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]], bytes]] = []
        self.app = web.Application()
        self.app.router.add_route("*", "/{path:.*}", self.handle)
        self.client: OkdeskClient
        self.url = ""
        self.log: list[tuple[Any, ...]] = []

    async def handle(self, request: web.Request) -> web.Response:
        query = {name: request.query.getall(name) for name in request.query}
        self.asked.append((request.method, request.path, query, await request.read()))
        return web.Response(status=self.status, body=self.body, headers=self.headers)

    def answers(self, sample: str, status: int = 200, **headers: str) -> None:
        self.body, self.status = (SAMPLES / sample).read_bytes(), status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
async def canned(serve: Callable[[web.Application], Awaitable[str]]) -> AsyncIterator[Canned]:
    server = Canned()
    url = server.url = await serve(server.app)
    settings = OkdeskSettings(
        url=f"{url}/api/v1/", api_token="t0ken", author_id=13, per_second=10_000, retry_base_s=0.001
    )
    async with httpx.AsyncClient() as http:
        server.client = OkdeskClient(
            settings, http=http, now=lambda: NOW, log_call=lambda *call: server.log.append(call)
        )
        yield server


async def test_an_issue(canned: Canned) -> None:
    canned.answers("issue_get.response.json")
    issue = await canned.client.issue(19734)
    assert (issue.id, issue.status_code, issue.assignee and issue.assignee.name) == (
        19734,
        "opened",
        "Орлов Павел Сергеевич",
    )
    assert issue.parameter("dialog_ref") == "dlg-000184"
    assert canned.asked[0][:3] == ("GET", "/api/v1/issues/19734", {"api_token": ["t0ken"]})


async def test_a_deleted_issue_answers_200_and_is_not_found(canned: Canned) -> None:
    canned.answers("issue_get_deleted.response.json")
    with pytest.raises(Never) as refused:
        await canned.client.issue(19731)
    assert refused.value.code == "not_found"


async def test_a_merged_issue_has_another_id(canned: Canned) -> None:
    canned.answers("issue_get_merged_other_id.response.json")
    assert (await canned.client.issue(19731)).id == 19734


async def test_lists_of_issues(canned: Canned) -> None:
    canned.answers("issues_list.response.json")
    rows = await canned.client.issues_of_contact(3082, since=NOW)
    assert [row.id for row in rows] == [19734, 19720]
    query = canned.asked[0][2]
    assert query["contact_ids[]"] == ["3082"]
    assert query["created_since"] == ["02-03-2026 15:00:00"]  # on the account's clock
    assert query["page[size]"] == ["50"]
    canned.answers("issues_list_empty.response.json")
    assert await canned.client.issues_of_contact(3082) == []


async def test_creating_returns_the_id(canned: Canned, sample: Callable[[str], Any]) -> None:
    canned.answers("issue_create.response.json")
    wanted = sample("api/issue_create.request.json")
    assert await canned.client.create_issue(wanted["issue"]) == 19734
    assert orjson.loads(canned.asked[0][3]) == wanted


async def test_a_status_is_sent_as_the_sample_shows(canned: Canned, sample: Callable[[str], Any]) -> None:
    canned.answers("issue_status.response.json")
    delay_to = datetime(2025, 3, 14, 9, 0, tzinfo=UTC)
    issue = await canned.client.set_status(19734, "delayed", comment="Ждём запчасть", delay_to=delay_to)
    assert issue is not None
    assert issue.status_code == "delayed"
    assert orjson.loads(canned.asked[0][3]) == sample("api/issue_status.request.json") | {"comment_public": False}


async def test_single_attribute_calls_are_sent_as_the_samples_show(
    canned: Canned, sample: Callable[[str], Any]
) -> None:
    canned.answers("issue_parameters.response.empty")  # an empty 200 is a success
    await canned.client.set_type(19734, "service")
    await canned.client.rate(19734, "good")
    assert orjson.loads(canned.asked[0][3]) == sample("api/issue_types.request.json")
    assert orjson.loads(canned.asked[1][3]) == sample("api/issue_rates.request.json")


async def test_comments(canned: Canned, sample: Callable[[str], Any]) -> None:
    canned.answers("comment_add.response.json")
    wanted = sample("api/comment_add.request.json")
    author = Author(3082, "contact")
    assert await canned.client.add_comment(19734, wanted["content"], author=author, public=True) == 771405
    assert orjson.loads(canned.asked[0][3]) == wanted
    canned.answers("comments_list.response.json")
    comments = await canned.client.comments(19734)
    assert [(comment.id, comment.public) for comment in comments] == [(771402, True), (771403, False)]
    assert comments[0].attachments[0].id == 35368001


@pytest.mark.parametrize("name", ["contact_find_one", "contact_search_string_many", "contact_create"])
async def test_contacts_by_phone_in_every_form(canned: Canned, name: str) -> None:
    canned.answers(f"{name}.response.json")
    contact = await canned.client.contact_by_phone("+79991234567")
    assert contact is not None
    assert contact.id == 3082
    assert canned.asked[0][2]["phone"] == ["+79991234567"]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"", b'{"contacts": []}', b" \n"])
async def test_every_form_of_nothing_is_no_contact(canned: Canned, body: bytes) -> None:
    canned.body = body
    assert await canned.client.contact_by_phone("+70000000000") is None
    assert len(canned.asked) == 7  # six spellings, then the last digits
    assert canned.asked[-1][2]["search_string"] == ["0000000000"]


async def test_wrapped_contacts_are_read(canned: Canned) -> None:
    one = orjson.loads((SAMPLES / "contact_find_one.response.json").read_bytes())
    canned.body = orjson.dumps({"contacts": [one]})
    contact = await canned.client.contact_by_phone("+79991234567")
    assert contact is not None
    assert contact.id == 3082


async def test_a_hit_with_another_number_is_not_accepted(canned: Canned) -> None:
    canned.answers("contact_find_one.response.json")
    assert await canned.client.contact_by_phone("+79991234568") is None


async def test_employees_and_companies(canned: Canned) -> None:
    canned.answers("employees_list.response.json")
    bot = await canned.client.employee(99)
    assert bot is not None
    assert bot.active
    assert await canned.client.employee(98) is None
    canned.answers("company_find.response.json")
    assert await canned.client.company_name(3) == "ООО «Ромашка»"


async def test_custom_attributes(canned: Canned) -> None:
    canned.answers("issue_parameters_list.response.json")
    assert await canned.client.has_attribute("dialog_ref") is True
    assert await canned.client.has_attribute("other") is False
    assert len(canned.asked) == 1  # remembered


async def test_a_key_that_may_not_read_the_dictionary_does_not_know(canned: Canned) -> None:
    canned.answers("error_403.json", 403)
    assert await canned.client.has_attribute("dialog_ref") is None


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("error_401.json", 401, "forbidden"),
        ("error_403.json", 403, "forbidden"),
        ("error_404.json", 404, "not_found"),
        ("error_422_create.json", 422, "invalid"),
        ("error_422_list.json", 422, "invalid"),
        ("error_422_list.json", 200, "invalid"),
    ],
)
async def test_refusals_are_never_tried_again(canned: Canned, name: str, status: int, code: str) -> None:
    canned.answers(name, status)
    with pytest.raises(Refused) as refused:
        await canned.client.create_issue({"title": ""})
    assert (refused.value.code, refused.value.stops_system) == (code, status == 401)
    with pytest.raises(Refused):
        await canned.client.comments(1)
    assert len(canned.asked) == 2


async def test_429_waits_as_long_as_it_says(canned: Canned) -> None:
    canned.answers("error_429.json", 429, Retry_After="30")
    with pytest.raises(Later) as later:
        await canned.client.create_issue({"title": "x"})
    assert (later.value.retry_after_s, later.value.scope) == (30.0, "system")
    with pytest.raises(Later):
        await canned.client.issue(1)
    assert len(canned.asked) == 2  # longer than a call may wait
    canned.answers("error_429.json", 429, Retry_After="0")
    with pytest.raises(Later):
        await canned.client.issue(1)
    assert len(canned.asked) == 7


async def test_a_gateways_page_is_later_for_reading_and_unknown_for_writing(canned: Canned) -> None:
    canned.answers("error_502.html", 502)
    with pytest.raises(Later):
        await canned.client.issue(1)
    assert len(canned.asked) == 5
    with pytest.raises(Unknown):
        await canned.client.create_issue({"title": "x"})
    assert len(canned.asked) == 6
    canned.status = 200
    with pytest.raises(Unknown):
        await canned.client.create_issue({"title": "x"})


async def test_a_success_without_an_id_is_unknown(canned: Canned) -> None:
    with pytest.raises(Unknown):
        await canned.client.create_issue({"title": "x"})


async def test_an_answer_of_more_than_ten_megabytes_is_not_read(canned: Canned) -> None:
    canned.body = b'"' + b"a" * (10 * 1024 * 1024) + b'"'
    with pytest.raises(Never):
        await canned.client.issue(1)
    with pytest.raises(Unknown):
        await canned.client.create_issue({"title": "x"})


async def test_redirects_to_another_host_are_refused_without_the_token(
    canned: Canned, serve: Callable[[web.Application], Awaitable[str]]
) -> None:
    thief = Canned()
    elsewhere = await serve(thief.app)
    canned.status, canned.headers = 302, {"Location": f"{elsewhere}/api/v1/issues/1"}
    for call in (canned.client.issue(1), canned.client.create_issue({"title": "x"})):
        with pytest.raises(Refused) as refused:
            await call
        assert refused.value.stops_system
    assert thief.asked == []


async def test_a_redirect_on_the_same_host_is_followed_when_reading(canned: Canned) -> None:
    canned.status, canned.headers = 302, {"Location": "/api/v1/issues/5?api_token=echoed&x=1"}
    with pytest.raises(Never):
        await canned.client.issue(1)
    assert canned.asked[1][1:3] == ("/api/v1/issues/5", {"x": ["1"], "api_token": ["t0ken"]})
    assert len(canned.asked) == 4


async def test_secrets_are_neither_logged_nor_raised(canned: Canned, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    canned.answers("contact_find_one.response.json")
    await canned.client.contact_by_phone("+79991234567")
    canned.answers("attachment_get.response.json")
    canned.body = canned.body.replace(b"https://static.example.okdesk.test", canned.url.encode())
    assert canned.body == await canned.client.attachment(1, 35368001, 1000)
    assert "api_token" not in canned.asked[-1][2]
    canned.status, canned.body = 422, b'{"errors": "bad t0ken"}'
    with pytest.raises(Refused) as refused:
        await canned.client.create_issue({"title": "x"})
    shown = repr(canned.log) + "".join(r.getMessage() for r in caplog.records if r.name != "aiohttp.access")
    assert "api_token=***" in shown
    assert "t0ken" not in shown
    assert "SECRET-DO-NOT-LOG" not in shown
    assert "Signature=abc" not in shown
    assert refused.value.__cause__ is None
    system, method, url, sent, status, _, duration_ms = canned.log[-1]
    assert (system, method, status) == ("okdesk", "POST", 422)
    assert url.endswith("/api/v1/issues/")
    assert sent == b'{"issue":{"title":"x"}}'
    assert duration_ms > 0


async def test_a_refused_connection_is_surely_not_done() -> None:
    settings = OkdeskSettings(url="http://127.0.0.1:9", api_token="t0ken", per_second=10_000, retry_base_s=0.001)
    async with httpx.AsyncClient() as http:
        client = OkdeskClient(settings, http=http, now=lambda: NOW, log_call=lambda *call: None)
        with pytest.raises(Later) as later:
            await client.create_issue({"title": "x"})
    assert later.value.scope == "system"
    assert "t0ken" not in repr(later.value) + repr(later.value.__cause__)
