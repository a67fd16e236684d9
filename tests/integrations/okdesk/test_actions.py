from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from dialogs.actions import ActionSpec
from integrations.base import Done, Later, Never, Unknown
from integrations.okdesk import SPECS, OkdeskSettings, make_okdesk

Desk = Any  # the fixture's class lives in conftest
PHONE = "+79991234567"
PHOTO = {"id": "m1", "kind": "photo", "name": "../a/экран.jpg", "mime": "image/jpeg", "size": 3, "channel": "whatsapp"}


async def opened(desk: Desk, **params: Any) -> int:
    done = await desk.run("create_issue", **{"title": "Не печатает", "contact_phone": PHONE, **params})
    return int(done.result["id"])


def test_the_catalogue_is_section_9(desk: Desk) -> None:
    offered = desk.okdesk.actions
    assert {name: action.spec for name, action in offered.items() if action.spec} == SPECS
    assert set(offered) == {*SPECS, "okdesk.get_contact"}
    create = SPECS["okdesk.create_issue"]
    assert isinstance(create, ActionSpec)
    assert [name for name, parameter in create.parameters.items() if parameter.required] == ["title", "contact_phone"]
    assert create.subject == ("issue", "id")
    assert {name for name, spec in SPECS.items() if spec.writes} == {
        "okdesk.create_issue", "okdesk.add_comment", "okdesk.change_status", "okdesk.rate_issue"
    }  # fmt: skip
    for name, action in offered.items():
        writes = name in SPECS and SPECS[name].writes
        assert (action.settle is not None) == writes
        assert action.repeatable != writes


async def test_an_issue_is_opened_with_everything(desk: Desk) -> None:
    desk.files["m1"] = b"JPG"
    done = await desk.run(
        "create_issue",
        title="Ноутбук: синий экран",
        contact_phone="8 999 123-45-67",
        contact_name="Анна Петрова",
        description="Не <включается>\nсовсем",
        address="Пушкина 5",
        files=[PHOTO],
        type="service",
        priority="high",
        parameters="dialog_ref: чужое",
    )
    (card,) = desk.sim.issues()
    assert done.result == {"id": 1001, "number": "1001", "status": "opened", "status_name": "Открыта"}
    assert (done.external_id, done.parts) == ("1001", (str(card["comments"][0]["id"]),))
    assert card["description"] == "Не <включается>\nсовсем\nАдрес: Пушкина 5"
    assert (card["contact"], card["phone"], card["address"]) == ("Петрова Анна", PHONE, "Пушкина 5")
    assert card["files"][0]["name"] == "экран.jpg"
    assert desk.sim.file(card["files"][0]["id"]) == (b"JPG", "image/jpeg")
    issue = desk.sim.state.issues[1001]
    assert (issue.type, issue.priority) == ("service", "high")
    assert issue.parameters == {"dialog_ref": "okdesk.create_issue/lead/step/1"}  # ours wins
    contact = issue.contact
    assert contact is not None
    assert contact.phone == contact.mobile_phone == PHONE


async def test_a_type_that_creation_ignored_is_set_afterwards(desk: Desk) -> None:
    desk.sim.rules.ignores_type = True
    await opened(desk, type="incident")
    assert desk.sim.state.issues[1001].type == "incident"


async def test_a_name_of_one_word_gets_the_placeholder(desk: Desk) -> None:
    await opened(desk, contact_name="Ирина")
    assert desk.sim.state.issues[1001].contact.last_name == "—"


@pytest.mark.parametrize("stored", ["+7(999)123-45-67", "+7 (999) 123-45-67", "89991234567", "8 (999) 123 45 67"])
async def test_a_known_contact_is_found_however_the_phone_is_written(desk: Desk, stored: str) -> None:
    if " 45 " in stored:  # no spelling of ours: only the search by digits has it
        desk.sim.api.nothing = "object"
    contact_id = desk.sim.add_contact(phone=stored)
    await opened(desk)
    assert desk.sim.state.issues[1001].contact.id == contact_id
    await opened(desk.with_settings(), key="other")
    assert len(desk.sim.state.contacts) == 1


async def test_of_several_contacts_the_active_one_with_the_lowest_id_is_taken(desk: Desk) -> None:
    desk.sim.add_contact(phone="8 (999) 123 45 67", active=False)
    second = desk.sim.add_contact(phone="8 (999) 123 45 67")
    desk.sim.add_contact(phone="8 (999) 123 45 67")
    assert (await desk.run("find_contact", phone=PHONE)).result["id"] == second


async def test_an_account_that_wants_contacts_flat_is_understood(desk: Desk) -> None:
    desk.sim.plan(422, method="POST", path="contacts", body='{"errors": {"last_name": "пусто", "first_name": "пусто"}}')
    await opened(desk)
    assert len(desk.sim.state.contacts) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"contact_phone": "12"}, {"contact_phone": None}, {"parameters": "без двоеточия"}, {"type": "nonsense"}],
)
async def test_what_no_issue_can_be_made_of_is_refused(desk: Desk, wrong: dict[str, Any]) -> None:
    with pytest.raises(Never) as refused:
        await opened(desk, **wrong)
    assert refused.value.code == "invalid"
    assert desk.sim.issues() == []


async def test_an_account_without_our_attribute_gets_no_reference(desk: Desk) -> None:
    desk.sim.state.attributes.clear()
    await opened(desk)
    assert desk.sim.state.issues[1001].parameters == {}


async def test_a_key_that_cannot_see_the_attributes_tries_and_does_without(desk: Desk) -> None:
    desk.sim.state.attributes.clear()
    desk.sim.plan(403, method="GET", path="parameters/list", body='{"errors": "нет доступа"}')
    await opened(desk)
    assert [card["id"] for card in desk.sim.issues()] == [1001]


async def test_files_that_cannot_go_along_are_named(desk: Desk) -> None:
    desk.files["big"] = b"x" * 21
    desk.files["late"] = b"y" * 100
    small = desk.with_settings(max_file_bytes=20)
    files = [
        {"id": "big", "kind": "file", "name": "big.bin", "size": 21},
        {"id": "gone", "kind": "voice", "mime": "audio/ogg"},
        {"id": "late", "kind": "file", "name": "late.bin"},
    ]
    issue_id = await opened(small, files=files)
    (comment,) = desk.comments(issue_id)
    assert comment["files"] == []
    assert comment["text"].count("[файл не приложен]") == 3


async def test_a_file_that_comes_later_is_tried_again_and_then_left_out(desk: Desk) -> None:
    desk.files["m1"] = Later("WhatsApp is down")
    for attempt in (1, 2):
        with pytest.raises(Later):
            await desk.run("create_issue", attempt=attempt, title="x1", contact_phone=PHONE, files=[PHOTO])
    done = await desk.run("create_issue", attempt=3, title="x1", contact_phone=PHONE, files=[PHOTO])
    assert done.result["id"] == 1001
    assert len(desk.sim.issues()) == 1
    assert "[файл не приложен]" in desk.comments(1001)[0]["text"]


# ------------------------------------------------------------------------------------------------------ comments


async def test_a_comment_is_added_in_our_name(desk: Desk) -> None:
    issue_id = await opened(desk)
    done = await desk.run("add_comment", issue_id=issue_id, text="Клиент: <жду>\nспасибо")
    (comment,) = desk.comments(issue_id)
    assert done.result == {"id": comment["id"]}
    assert done.external_id == str(comment["id"])
    assert (comment["text"], comment["public"], comment["author"]) == ("Клиент: <жду>\nспасибо", True, "Сервис Чат-бот")


async def test_a_private_comment_is_private_with_files_too(desk: Desk) -> None:
    desk.files["m1"] = b"JPG"
    issue_id = await opened(desk)
    await desk.run("add_comment", issue_id=str(issue_id), text="x", public="false")
    await desk.run("add_comment", key="2", issue_id=issue_id, text="y", public=False, files=[PHOTO])
    comments = desk.sim.state.issues[issue_id].comments
    assert [comment.public for comment in comments] == [False, False]
    assert [file.is_public for comment in comments for file in comment.files] == [False]


async def test_an_account_that_wants_comments_wrapped_is_remembered(desk: Desk) -> None:
    issue_id = await opened(desk)
    desk.sim.api.wants_wrapped_comments = True
    await desk.run("add_comment", key="1", issue_id=issue_id, text="раз")
    before = len(desk.sim.calls)
    await desk.run("add_comment", key="2", issue_id=issue_id, text="два")
    assert [comment["text"] for comment in desk.comments(issue_id)] == ["раз", "два"]
    assert len(desk.sim.calls) - before == 1


async def test_without_an_author_the_contact_of_the_issue_speaks(desk: Desk) -> None:
    nameless = desk.with_settings(author_id=None)
    issue_id = await opened(nameless, contact_name="Анна Петрова")
    await nameless.run("add_comment", issue_id=issue_id, text="x")
    assert desk.comments(issue_id)[0]["author"] == "Петрова Анна"
    with pytest.raises(Never):
        await nameless.run("add_comment", key="2", issue_id=issue_id, text="x", public=False)


@pytest.mark.parametrize("wrong", [{"text": " "}, {"issue_id": 0}, {"issue_id": "x"}, {"issue_id": True}])
async def test_a_comment_needs_a_text_and_an_issue(desk: Desk, wrong: dict[str, Any]) -> None:
    with pytest.raises(Never):
        await desk.run("add_comment", **{"issue_id": 1001, "text": "x", **wrong})
    assert not [call for call in desk.sim.calls if call[0] == "POST"]


async def test_a_comment_for_a_merged_issue_goes_to_the_survivor(desk: Desk) -> None:
    first, second = await opened(desk, title="один"), await opened(desk, key="2", title="два")
    await desk.sim.merge(first, second)
    await desk.run("add_comment", issue_id=first, text="ещё раз")
    assert desk.comments(second)[-1]["text"] == "ещё раз"


async def test_deleted_and_unknown_issues_are_not_found(desk: Desk) -> None:
    issue_id = await opened(desk)
    await desk.sim.delete(issue_id)
    for number in (issue_id, 5):
        for action, params in (
            ("add_comment", {"text": "x"}),
            ("change_status", {"status": "closed"}),
            ("rate_issue", {"rating": 5}),
            ("get_issue", {}),
        ):
            with pytest.raises(Never) as refused:
                await desk.run(action, issue_id=number, **params)
            assert refused.value.code == "not_found", (action, number)


# -------------------------------------------------------------------------------------------------------- status


async def test_a_status_is_changed_without_telling_us(desk: Desk) -> None:
    issue_id = await opened(desk)
    done = await desk.run("change_status", issue_id=issue_id, status="closed", comment="Отменено\nклиентом")
    assert done.result == {"status": "closed", "status_name": "Закрыта"}
    (comment,) = desk.comments(issue_id)
    assert (comment["text"], comment["public"]) == ("Отменено\nклиентом", False)


async def test_a_status_that_is_there_already_is_a_success(desk: Desk) -> None:
    issue_id = await opened(desk)
    await desk.sim.set_status(issue_id, "in_progress")
    done = await desk.run("change_status", issue_id=issue_id, status="in_progress", comment="x")
    assert done.result["status_name"] == "В работе"
    assert desk.comments(issue_id) == []


async def test_somebody_was_quicker_is_a_success_too(desk: Desk) -> None:
    issue_id = await opened(desk)
    desk.sim.plan(422, method="POST", path="statuses", body='{"errors": ["нет"]}', after_work=True)
    done = await desk.run("change_status", issue_id=issue_id, status="completed")
    assert done.result["status"] == "completed"


async def test_a_forbidden_transition_is_refused(desk: Desk) -> None:
    issue_id = await opened(desk)
    await desk.sim.set_status(issue_id, "closed")
    with pytest.raises(Never) as refused:
        await desk.run("change_status", issue_id=issue_id, status="delayed", comment="x", delay_to="2026-03-15")
    assert refused.value.code == "invalid"
    assert "Недопустимый переход" in str(refused.value)


async def test_postponing_wants_a_time_and_a_comment(desk: Desk) -> None:
    issue_id = await opened(desk)
    for missing in ({"comment": "x"}, {"delay_to": "2026-03-15"}, {"comment": "x", "delay_to": "завтра"}):
        with pytest.raises(Never):
            await desk.run("change_status", issue_id=issue_id, status="delayed", **missing)
    await desk.run("change_status", issue_id=issue_id, status="delayed", comment="x", delay_to="2026-03-15T10:00Z")
    assert desk.sim.state.issues[issue_id].delayed_to.isoformat() == "2026-03-15T13:00:00+03:00"


async def test_a_lost_status_is_settled(desk: Desk) -> None:
    issue_id = await opened(desk)
    order = desk.order("change_status", issue_id=issue_id, status="closed")
    assert await desk.settle(order) is None
    desk.sim.plan(None, method="POST", path="statuses", after_work=True)
    with pytest.raises(Unknown):
        await desk.okdesk.actions[order.action].run(order)
    assert await desk.settle(order) == Done({"status": "closed", "status_name": "Закрыта"}, external_id=str(issue_id))


# -------------------------------------------------------------------------------------------------------- rating


@pytest.mark.parametrize(("stars", "rate"), [(1, "bad"), (2, "bad"), (3, "normal"), (4, "good"), (5, "good")])
async def test_stars_become_a_rate(desk: Desk, stars: int, rate: str) -> None:
    issue_id = await opened(desk)
    assert (await desk.run("rate_issue", issue_id=issue_id, rating=stars)).result == {"rate": rate}
    assert desk.sim.issues()[0]["rate"] == rate
    assert desk.comments(issue_id) == []


async def test_words_with_a_rating_become_a_private_comment(desk: Desk) -> None:
    issue_id = await opened(desk)
    await desk.run("rate_issue", issue_id=issue_id, rating="2", comment="долго")
    (comment,) = desk.comments(issue_id)
    assert (comment["text"], comment["public"]) == ("Оценка клиента: 2\nдолго", False)


async def test_a_refused_rating_is_left_as_a_private_comment_once(desk: Desk) -> None:
    issue_id = await opened(desk)
    desk.sim.rules.refuses_rates = True
    for attempt in (1, 2):
        with pytest.raises(Never) as refused:
            await desk.run("rate_issue", attempt=attempt, issue_id=issue_id, rating=4)
        assert refused.value.code == "forbidden"
    (comment,) = desk.comments(issue_id)
    assert (comment["text"], comment["public"]) == ("Оценка клиента: 4", False)


async def test_a_lost_rating_is_settled_and_not_said_twice(desk: Desk) -> None:
    issue_id = await opened(desk)
    order = desk.order("rate_issue", issue_id=issue_id, rating=5)
    desk.sim.plan(None, method="POST", path="rates", after_work=True)
    with pytest.raises(Unknown):
        await desk.okdesk.actions[order.action].run(order)
    settled = await desk.settle(order)
    assert settled is not None
    assert settled.result == {"rate": "good"}
    with pytest.raises(Never):
        await desk.run("rate_issue", issue_id=issue_id, rating=6)


# ------------------------------------------------------------------------------------------------------- reading


async def test_an_issue_is_read(desk: Desk, clock: Any) -> None:
    issue_id = await opened(desk)
    await desk.sim.assign(issue_id)
    await desk.sim.set_deadline(issue_id, clock.at + timedelta(days=1))
    await desk.sim.set_status(issue_id, "completed")
    assert (await desk.run("get_issue", issue_id=issue_id)).result == {
        "id": 1001,
        "number": "1001",
        "title": "Не печатает",
        "status": "completed",
        "status_name": "Решена",
        "final": True,
        "assignee": "Орлов Павел Сергеевич",
        "deadline_at": "2026-03-03T15:00:00.000+03:00",
        "created_at": "2026-03-02T15:00:00.000+03:00",
    }


@pytest.mark.parametrize("rows_with_assignee", [False, True])
async def test_issues_of_a_phone_are_found_newest_first(desk: Desk, rows_with_assignee: bool) -> None:
    desk.sim.api.shows_assignee_in_rows = rows_with_assignee
    for number in range(1, 61):
        await opened(desk, key=f"k{number}", title=f"Заявка {number}")
    await desk.sim.assign(1060)
    await desk.sim.set_status(1059, "closed")
    await opened(desk, key="other", contact_phone="+79990000000")
    found = (await desk.run("find_issues", phone=PHONE)).result
    assert found["count"] == 59
    assert [item["id"] for item in found["items"]] == [1060, 1058, 1057, 1056, 1055]
    assert found["items"][0]["assignee"] == "Орлов Павел Сергеевич"
    assert set(found["items"][0]) == set(SPECS["okdesk.get_issue"].result)
    every = (await desk.run("find_issues", phone=PHONE, open="false", limit="60")).result
    assert every["count"] == 60
    assert len(every["items"]) == 50
    assert (await desk.run("find_issues", phone="+79995555555")).result == {"items": [], "count": 0}


async def test_a_contact_is_found_with_the_company(desk: Desk) -> None:
    contact_id = desk.sim.add_contact(mobile_phone="+7(999)123-45-67", company_id=3)
    done = await desk.run("find_contact", phone=PHONE)
    assert done.result == {"id": contact_id, "name": "Соколова Ирина", "company": "ООО «Ромашка»"}
    with pytest.raises(Never) as refused:
        await desk.run("find_contact", phone="+79990000000")
    assert refused.value.code == "not_found"


async def test_the_service_learns_a_contacts_phone(desk: Desk) -> None:
    contact_id = desk.sim.add_contact(phone="8 (999) 123-45-67")
    assert await desk.okdesk.phone_of(contact_id) == PHONE
    assert await desk.okdesk.phone_of(contact_id + 1) is None
    assert (await desk.run("get_contact", contact_id=contact_id)).result["phone"] == PHONE
    with pytest.raises(Never):
        await desk.run("get_contact", contact_id=contact_id + 1)


async def test_a_file_of_a_comment_is_fetched(desk: Desk, clock: Any) -> None:
    desk.files["m1"] = b"JPG"
    issue_id = await opened(desk, files=[PHOTO])
    file_id = f"{issue_id}/{desk.comments(issue_id)[0]['files'][0]['id']}"
    assert await desk.okdesk.download(file_id, 100) == b"JPG"
    with pytest.raises(Never):
        await desk.okdesk.download(file_id, 2)
    for wrong in (f"{issue_id}/5", "nonsense", "1/2/3", ""):
        with pytest.raises(Never):
            await desk.okdesk.download(wrong, 100)


# --------------------------------------------------------------------------------------------------- composition


async def test_the_doctor_says_whether_it_works(desk: Desk) -> None:
    assert desk.okdesk.check is not None
    assert "our reference" in await desk.okdesk.check()
    assert "AUTHOR_ID" in await desk.with_settings(author_id=None).okdesk.check()
    with pytest.raises(Never):
        await desk.with_settings(author_id=5).okdesk.check()
    with pytest.raises(Never) as refused:
        await desk.with_settings(api_token="wrong").okdesk.check()
    assert refused.value.stops_system


async def test_each_half_works_alone(clock: Any) -> None:
    async def no_files(file: Any) -> bytes:
        raise Never("none")

    async with httpx.AsyncClient() as http:

        def made(**settings: Any) -> Any:
            return make_okdesk(
                OkdeskSettings(**settings), http=http, now=clock, log_call=lambda *call: None, files=no_files
            )

        listening = made(webhook_user="u", webhook_password="p")
        assert (len(listening.webhooks), listening.actions, listening.check) == (1, {}, None)
        assert await listening.phone_of(1) is None
        with pytest.raises(Never):
            await listening.download("1/2", 10)
        calling = made(url="https://a.okdesk.ru", api_token="t")
        assert (len(calling.webhooks), len(calling.actions)) == (0, 8)


async def test_calls_keep_the_pace(desk: Desk) -> None:
    slow = desk.with_settings(per_second=50)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(slow.okdesk.client.has_attribute(str(n)) for n in range(75)))
    assert 0.45 <= asyncio.get_running_loop().time() - began < 3
