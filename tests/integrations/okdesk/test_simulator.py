"""The simulated Okdesk enforces what the contract says of the real one, and its webhooks are readable for us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web

from integrations.base import Answer, BusinessFact, Fact, Nothing, Received, Request, StoredEvent
from integrations.okdesk import OkdeskSettings
from integrations.okdesk.reading import okdesk_reader
from integrations.okdesk.simulator import SimulatedOkdesk
from integrations.okdesk.webhook import OkdeskWebhook

Desk = Any  # the fixture's class lives in conftest
Serve = Callable[[web.Application], Awaitable[str]]
OURS = OkdeskSettings(webhook_user="okdesk", webhook_password="пароль", author_id=99)


class Service:
    """Our receiver: a small server around the webhook, with an inbox that knows ids."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.webhook = OkdeskWebhook(OURS)
        self.now = now
        self.answers: list[int] = []  # statuses to answer before it works
        self.seen: dict[str, bytes] = {}
        self.order: list[str] = []
        self.deliveries = 0
        self.app = web.Application()
        self.app.router.add_post("/webhooks/okdesk", self.handle)

    async def handle(self, request: web.Request) -> web.Response:
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        query = {name: request.query.getall(name) for name in request.query}
        body = await request.read()
        got = self.webhook.receive(
            Request(request.method, request.path, query, request.headers, body, request.remote, self.now())
        )
        answer = got if isinstance(got, Answer) else got.answer([])
        if isinstance(got, Received):
            self.deliveries += 1
            for event in got.events:
                self.order.append(event.kind)
                self.seen.setdefault(event.external_id, event.body)
        return web.Response(status=answer.status, body=answer.body)

    def facts(self) -> list[Fact]:
        read = okdesk_reader(OURS)
        found: list[Fact] = []
        for number, (external_id, body) in enumerate(self.seen.items()):
            kind = orjson.loads(body)["event"]["event_type"]
            found.extend(read(StoredEvent(number, "okdesk", kind, external_id, body, self.now())))
        return found

    def kinds(self) -> list[str]:
        return [fact.event.kind if isinstance(fact, BusinessFact) else "nothing" for fact in self.facts()]


@pytest.fixture
def service(clock: Any) -> Service:
    return Service(clock)


@pytest.fixture
async def webhook_url(serve: Serve, service: Service) -> str:
    return await serve(service.app) + "/webhooks/okdesk"


async def opened(desk: Desk, **params: Any) -> int:
    wanted = {"title": "Не печатает", "contact_phone": "+79991234567", **params}
    return int((await desk.run("create_issue", **wanted)).result["id"])


# ---------------------------------------------------------------------------------------------------- webhooks


@pytest.mark.parametrize("as_strings", [False, True])
async def test_what_happens_on_the_board_reaches_us(desk: Desk, service: Service, as_strings: bool) -> None:
    sim = desk.sim
    sim.hooks.ids_as_strings = as_strings
    issue_id = await opened(desk)
    await sim.assign(issue_id)
    await sim.set_status(issue_id, "in_progress", "Мастер <выехал>")
    await sim.comment(issue_id, "Буду в шесть")
    await sim.comment(issue_id, "между нами", public=False)
    await sim.set_deadline(issue_id, desk.clock.at)
    await sim.set_status(issue_id, "completed")
    await sim.rate(issue_id, "good")
    await sim.delete(issue_id)
    await sim.flush()
    assert service.kinds() == [
        "nothing", "okdesk.assignee_changed", "okdesk.status_changed", "okdesk.comment_added", "nothing",
        "okdesk.deadline_changed", "okdesk.status_changed", "okdesk.rated", "okdesk.issue_deleted",
    ]  # fmt: skip
    facts = service.facts()
    assert facts[0] == Nothing("our own issue")
    status, comment = facts[2], facts[3]
    assert isinstance(status, BusinessFact)
    assert isinstance(comment, BusinessFact)
    assert status.event.fields["comment"] == "Мастер <выехал>"
    assert comment.event.fields["text"] == "Буду в шесть"
    assert comment.event.fields["issue_id"] == issue_id


async def test_our_own_comments_and_statuses_do_not_come_back_as_news(desk: Desk, service: Service) -> None:
    desk.sim.echo_first = True
    issue_id = await opened(desk)
    await desk.run("add_comment", issue_id=issue_id, text="Клиент: жду")
    await desk.run("change_status", issue_id=issue_id, status="closed")
    await desk.sim.flush()
    assert service.order == ["new_ticket", "new_comment"]
    assert service.kinds() == ["nothing", "nothing"]


async def test_the_echo_comes_before_the_answer(desk: Desk, service: Service) -> None:
    desk.sim.echo_first = True
    await opened(desk)
    assert service.order == ["new_ticket"]  # without waiting for anything


async def test_doubled_webhooks_count_once(desk: Desk, service: Service) -> None:
    desk.sim.trouble = "duplicate"
    issue_id = await opened(desk)
    await desk.sim.comment(issue_id, "раз")
    await desk.sim.assign(issue_id)
    await desk.sim.flush()
    assert service.deliveries == 6
    assert len(service.seen) == 3


async def test_swapped_webhooks_arrive_in_the_wrong_order(desk: Desk, service: Service) -> None:
    issue_id = await opened(desk)
    desk.sim.hooks.is_swapped = True
    await desk.sim.set_status(issue_id, "in_progress")
    await desk.sim.comment(issue_id, "раз")
    await desk.sim.rate(issue_id, "good")
    await desk.sim.flush()
    assert service.order == ["new_ticket", "new_comment", "new_ticket_status", "new_csat_rate"]


async def test_webhooks_are_tried_until_we_take_them(desk: Desk, service: Service) -> None:
    service.answers = [500, 503, 404]
    await opened(desk)
    await desk.sim.flush()
    assert service.order == ["new_ticket"]
    assert desk.sim.hooks.refused == 0


async def test_a_comment_of_a_status_may_come_twice_under_one_comment_id(desk: Desk, service: Service) -> None:
    desk.sim.rules.tells_status_comments_twice = True
    issue_id = await opened(desk)
    await desk.sim.set_status(issue_id, "in_progress", "Мастер выехал")
    await desk.sim.flush()
    told = [fact.event.fields for fact in service.facts() if isinstance(fact, BusinessFact)]
    assert [(fields.get("comment") or fields.get("text")) for fields in told] == ["Мастер выехал"] * 2
    assert len({fields["comment_id"] for fields in told}) == 1


async def test_merging_sends_a_notice_that_is_not_told(desk: Desk, service: Service) -> None:
    first, second = await opened(desk), await opened(desk, key="2")
    await desk.sim.merge(first, second)
    await desk.sim.flush()
    assert service.facts()[-1] == Nothing("notice of a merge")
    assert (await desk.okdesk.client.issue(first)).id == second


# --------------------------------------------------------------------------------------------------------- API


@pytest.fixture
async def api(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{desk.settings.site}/api/v1/", params={"api_token": desk.settings.api_token}
    ) as http:
        yield http


async def test_the_token_is_taken_from_the_query_only(desk: Desk) -> None:
    url, token = f"{desk.settings.site}/api/v1/issues/list", desk.settings.api_token
    async with httpx.AsyncClient() as http:
        for headers in ({}, {"Authorization": f"Bearer {token}"}, {"X-API-KEY": token}, {"api_token": token}):
            assert (await http.get(url, headers=headers)).status_code == 401
        assert (await http.get(url, params={"api_token": "wrong"})).status_code == 401
        assert (await http.get(url, params={"api_token": token})).status_code == 200


async def test_wrong_bodies_are_refused_with_422(desk: Desk, api: httpx.AsyncClient) -> None:
    issue_id = await opened(desk)
    comment = {"content": "x", "author_id": 13}
    for path, body in (
        ("issues/", {"issue": {"title": " "}}),
        ("issues/", {"title": "not wrapped"}),
        ("issues/", {"issue": {"title": "x", "type": "nonsense"}}),
        ("issues/", {"issue": {"title": "x", "contact_id": 5}}),
        ("issues/", {"issue": {"title": "x", "custom_parameters": {"nonsense": "1"}}}),
        (f"issues/{issue_id}/comments", {"content": "x"}),
        (f"issues/{issue_id}/comments", comment | {"content": ""}),
        (f"issues/{issue_id}/comments", comment | {"author_id": 5}),
        (f"issues/{issue_id}/statuses", {"code": "opened"}),
        (f"issues/{issue_id}/statuses", {"code": "nonsense"}),
        (f"issues/{issue_id}/statuses", {"code": "delayed", "comment": "x"}),
        (f"issues/{issue_id}/statuses", {"code": "delayed", "delay_to": "2026-03-15T10:00"}),
        (f"issues/{issue_id}/rates", {"rate": "excellent"}),
        ("contacts/", {"contact": {"first_name": "x"}}),
    ):
        answer = await api.post(path, json=body)
        assert answer.status_code == 422, path
        assert answer.json()["errors"]
    assert len(desk.sim.issues()) == 1
    assert desk.comments(issue_id) == []


@pytest.mark.parametrize(
    "key", ["attachments[]", "attachment_file", "files[0]", "comment[attachments][][attachment]", "comment[files][0]"]
)
async def test_wrong_multipart_keys_are_refused(desk: Desk, api: httpx.AsyncClient, key: str) -> None:
    issue_id = await opened(desk)
    fields = {"comment[content]": "x", "comment[author_id]": "13"}
    answer = await api.post(f"issues/{issue_id}/comments", data=fields, files={key: ("a.txt", b"x", "text/plain")})
    assert answer.status_code == 422
    assert desk.comments(issue_id) == []


async def test_an_issue_is_created_from_the_documented_form(desk: Desk, api: httpx.AsyncClient) -> None:
    answer = await api.post(
        "issues/",
        data={
            "issue[title]": "Фото ошибки",
            "issue[custom_parameters][dialog_ref]": "dlg-000190",
            "issue[observer_ids][]": "13",
            "issue[attachments][0][is_public]": "true",
            "issue[attachments][0][description]": "Фото с телефона",
        },
        files={"issue[attachments][0][attachment]": ("photo.jpg", b"JPG", "image/jpeg")},
    )
    issue = (await api.get(f"issues/{answer.json()['id']}")).json()
    assert issue["parameters"][0]["value"] == "dlg-000190"
    assert issue["attachments"][0]["attachment_file_name"] == "photo.jpg"


async def test_editing_ignores_everything_but_title_and_description(desk: Desk, api: httpx.AsyncClient) -> None:
    issue_id = await opened(desk)
    wanted = {"title": "Новая", "status": "closed", "custom_parameters": {"dialog_ref": "x"}}
    answer = await api.patch(f"issues/{issue_id}", json={"issue": wanted})
    assert answer.status_code == 200
    assert (answer.json()["title"], answer.json()["status"]["code"]) == ("Новая", "opened")
    assert answer.json()["parameters"][0]["value"] != "x"


async def test_parameters_answer_with_nothing(desk: Desk, api: httpx.AsyncClient) -> None:
    issue_id = await opened(desk)
    answer = await api.post(f"issues/{issue_id}/parameters", json={"custom_parameters": {"dialog_ref": "new"}})
    assert (answer.status_code, answer.content) == (200, b"")
    assert desk.sim.state.issues[issue_id].parameters["dialog_ref"] == "new"


async def test_other_attributes_have_calls_of_their_own(desk: Desk, api: httpx.AsyncClient) -> None:
    issue_id = await opened(desk)
    for path, body in (
        ("priorities", {"code": "high"}),
        ("assignees", {"assignee_id": 17}),
        ("deadlines", {"deadline_at": "2026-03-14 18:00"}),
        ("addresses", {"value": "Пушкина 5"}),
    ):
        assert (await api.patch(f"issues/{issue_id}/{path}", json=body)).status_code == 200
    issue = (await api.get(f"issues/{issue_id}")).json()
    assert (issue["priority"]["code"], issue["assignee"]["id"]) == ("high", 17)
    assert (issue["deadline_at"], issue["address"]["value"]) == ("2026-03-14T18:00:00.000+03:00", "Пушкина 5")
    assert (await api.patch(f"issues/{issue_id}/assignee", json={})).status_code == 404
    assert (await api.patch(f"issues/{issue_id}/deadlines", json={"deadline_at": "2026-03-14T18:00"})).is_error
    assert (await api.delete(f"issues/{issue_id}")).content == b""
    assert (await api.get(f"issues/{issue_id}")).json() == {"errors": "Заявка не найдена"}


async def test_phones_are_compared_as_text(desk: Desk, api: httpx.AsyncClient) -> None:
    desk.sim.add_contact(phone="+7(999)123-45-67")
    found = (await api.get("contacts/", params={"phone": "+7(999)123-45-67"})).json()
    assert found["authentication_code"]
    assert (await api.get("contacts/", params={"phone": "+79991234567"})).json() == []
    assert len((await api.get("contacts/", params={"search_string": "9991234567"})).json()) == 1
    desk.sim.api.nothing = "object"
    assert (await api.get("contacts/", params={"phone": "1"})).json() == {}
    desk.sim.api.nothing = "empty"
    assert (await api.get("contacts/", params={"phone": "1"})).content == b""
    again = await api.post("contacts/", json={"last_name": "a", "first_name": "b", "telegram_username": "irina"})
    assert again.status_code == 200
    again = await api.post("contacts/", json={"last_name": "a", "first_name": "b", "telegram_username": "irina"})
    assert again.json() == {"errors": {"telegram_username": ["уже существует"]}}


async def test_pages_have_their_limits(desk: Desk, api: httpx.AsyncClient) -> None:
    assert (await api.get("issues/list", params={"page[size]": "51"})).status_code == 422
    assert (await api.get("issues/list", params={"page[size]": "50"})).json() == []
    assert (await api.get("issues/count")).json() == []
    for path in ("contacts/list", "employees/list", "companies/list"):
        assert (await api.get(path, params={"page[size]": "101"})).status_code == 422
    page = {"page[size]": "2", "page[from_id]": "13", "page[direction]": "forward"}
    assert [person["id"] for person in (await api.get("employees/list", params=page)).json()] == [17, 99]
    assert (await api.get("issues/list", params={"created_since": "2026-03-02"})).status_code == 422
    for path in ("issues/statuses", "issues/priorities", "dictionaries/issues/types", "companies/?name=x"):
        assert (await api.get(path)).status_code == 200


async def test_links_of_files_live_thirty_seconds_and_need_no_token(desk: Desk, api: httpx.AsyncClient) -> None:
    desk.files["m"] = b"JPG"
    issue_id = await opened(desk, files=[{"id": "m", "name": "a.jpg", "mime": "image/jpeg"}])
    file_id = desk.comments(issue_id)[0]["files"][0]["id"]
    link = (await api.get(f"issues/{issue_id}/attachments/{file_id}")).json()["attachment_url"]
    async with httpx.AsyncClient() as http:
        assert (await http.get(link)).content == b"JPG"
        assert (await http.get(link.replace("Signature=", "Signature=0"))).status_code == 403
        desk.clock.passes(seconds=31)
        assert (await http.get(link)).status_code == 403


async def test_troubles(desk: Desk, api: httpx.AsyncClient) -> None:
    sim = desk.sim
    sim.trouble = "down"
    answer = await api.get("issues/list")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    sim.trouble = "lost_answer"
    with pytest.raises(httpx.RemoteProtocolError):
        await api.post("issues/", json={"issue": {"title": "x"}})
    assert len(sim.issues()) == 1
    sim.trouble, sim.slow_s = "slow", 0.05
    began = asyncio.get_running_loop().time()
    await api.get("issues/list")
    assert asyncio.get_running_loop().time() - began >= 0.05
    sim.trouble = "none"
    sim.plan(429, headers={"Retry-After": "2"})
    assert (await api.get("issues/list")).headers["Retry-After"] == "2"
    assert (await api.get("issues/list")).status_code == 200


async def test_the_board_tells_changes_and_refuses_nonsense(desk: Desk) -> None:
    told: list[int] = []
    desk.sim.changed = lambda: told.append(1)
    issue_id = await opened(desk, contact_name="Анна", description="a & b", address="Пушкина 5")
    assert told
    (card,) = desk.sim.issues()
    assert orjson.dumps(card)
    assert card["description"] == "a & b\nАдрес: Пушкина 5"
    assert {status["code"] for status in card["next_statuses"]} == {"in_progress", "delayed", "completed", "closed"}
    await desk.sim.set_status(issue_id, "delayed", "ждём")
    with pytest.raises(ValueError, match="cannot become"):
        await desk.sim.set_status(issue_id, "delayed")
    with pytest.raises(LookupError):
        await desk.sim.comment(5, "x")
    with pytest.raises(LookupError):
        desk.sim.file(5)
    told.clear()
    desk.sim.reset()
    assert (desk.sim.issues(), told) == ([], [1])
    assert await opened(desk, key="after the reset") > issue_id


async def test_without_an_address_of_ours_no_webhook_is_sent(clock: Any) -> None:
    sim = SimulatedOkdesk(api_token="t", now=clock, ids_from=5000)
    await sim.start()
    contact = sim.add_contact(phone="+79991234567")
    issue = sim.rules.create_issue({"title": "x", "contact_id": contact}, sim.state.employees[13])
    await sim.flush()
    await sim.close()
    assert issue.id == 5000
