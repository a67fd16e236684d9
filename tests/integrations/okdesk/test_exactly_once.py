"""Lost answers, retries and crashes in the middle: an issue or a comment is made once, and made whole."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from integrations.base import Done, Later, Never, Order, Unknown

Desk = Any  # the fixture's class lives in conftest
PHONE = "+79991234567"
PHOTO = {"id": "m1", "kind": "photo", "name": "a.jpg", "mime": "image/jpeg", "size": 3, "channel": "whatsapp"}
FULL = {
    "title": "Не печатает", "contact_phone": PHONE, "type": "incident", "address": "Пушкина 5", "files": [PHOTO]
}  # fmt: skip


async def carried_out(desk: Desk, order: Order, *, restarts: bool = False) -> Done:
    """What the sender does: try, settle what is unknown, try again; a new process each time if it `restarts`."""
    action = order.action
    for attempt in range(order.attempt, order.attempt + 12):
        if restarts:
            desk = desk.with_settings()
        this = Order(order.key, action, order.recipient, order.params, attempt, order.created_at)
        try:
            done: Done = await desk.okdesk.actions[action].run(this)
            return done
        except Later:
            continue
        except Unknown:
            try:
                settled: Done | None = await desk.settle(this)
            except Later:
                continue
            if settled is not None:
                return settled
    raise AssertionError("never done")


@pytest.mark.parametrize("has_reference", [True, False])
@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("path", ["contacts", "issues/", "types", "addresses", "comments"])
@pytest.mark.parametrize("status", [None, 500])
async def test_a_lost_answer_of_any_call_makes_one_whole_issue(
    desk: Desk, has_reference: bool, restarts: bool, path: str, status: int | None
) -> None:
    if not has_reference:
        desk.sim.state.attributes.clear()
    desk.sim.rules.ignores_type = True
    desk.files["m1"] = b"JPG"
    method = "PATCH" if path in ("types", "addresses") else "POST"
    desk.sim.plan(status, method=method, path=path, after_work=True)
    done = await carried_out(desk, desk.order("create_issue", **FULL), restarts=restarts)
    (card,) = desk.sim.issues()
    assert done.result["id"] == card["id"]
    assert len(desk.sim.state.contacts) == 1
    assert [len(comment["files"]) for comment in card["comments"]] == [1]
    assert desk.sim.state.issues[card["id"]].type == "incident"


@pytest.mark.parametrize("plan", list(itertools.product([None, 503, 429], repeat=2)))
async def test_failures_before_the_work_make_one_whole_issue(desk: Desk, plan: tuple[int | None, ...]) -> None:
    desk.files["m1"] = b"JPG"
    for status in plan:
        headers = {"Retry-After": "0"} if status == 429 else None
        for path in ("contacts", "issues/", "comments"):
            desk.sim.plan(status, method="POST", path=path, headers=headers)
    await carried_out(desk, desk.order("create_issue", **FULL), restarts=True)
    (card,) = desk.sim.issues()
    assert len(card["comments"]) == 1
    assert len(desk.sim.state.contacts) == 1


async def test_an_account_that_loses_every_answer_still_gets_one_of_each(desk: Desk) -> None:
    desk.files["m1"] = b"JPG"
    desk.sim.trouble = "lost_answer"
    done = await carried_out(desk, desk.order("create_issue", **FULL))
    issue_id = done.result["id"]
    for action, params in (
        ("add_comment", {"text": "жду"}),
        ("change_status", {"status": "closed", "comment": "отмена"}),
        ("rate_issue", {"rating": 5}),
    ):
        await carried_out(desk, desk.order(action, issue_id=issue_id, **params))
    (card,) = desk.sim.issues()
    assert [comment["text"] for comment in card["comments"]] == ["Файлы клиента: a.jpg", "жду", "отмена"]
    assert (card["status"], card["rate"]) == ("closed", "good")


async def test_a_timeout_after_the_work_is_unknown_and_settled(desk: Desk) -> None:
    hasty = desk.with_settings(timeout_s=0.2)
    desk.sim.add_contact(mobile_phone=PHONE)
    assert await hasty.okdesk.client.has_attribute("dialog_ref")
    await hasty.okdesk.client.contact_by_phone(PHONE)
    order = hasty.order("create_issue", title="x1", contact_phone=PHONE)
    desk.sim.slow_s, desk.sim.trouble = 5, "slow"
    with pytest.raises(Unknown):
        await hasty.okdesk.client.create_issue({"title": "x1", "contact_id": 3001, "custom_parameters": {
            "dialog_ref": order.key}})  # fmt: skip
    desk.sim.trouble = "none"
    settled = await hasty.settle(order)
    assert settled is not None
    assert settled.result["id"] == desk.sim.issues()[0]["id"]


async def test_a_crash_before_the_result_was_stored_makes_no_second_issue(desk: Desk) -> None:
    order = desk.order("create_issue", title="x1", contact_phone=PHONE)
    await desk.okdesk.actions[order.action].run(order)
    again = Order(order.key, order.action, order.recipient, order.params, 2, order.created_at)
    done = await desk.with_settings().okdesk.actions[order.action].run(again)
    assert [card["id"] for card in desk.sim.issues()] == [done.result["id"]]


async def test_an_order_from_before_a_restart_is_looked_up_even_at_its_first_attempt(desk: Desk) -> None:
    order = desk.order("create_issue", title="x1", contact_phone=PHONE)
    await desk.okdesk.actions[order.action].run(order)
    desk.clock.passes(seconds=1)
    await desk.with_settings().okdesk.actions[order.action].run(order)
    assert len(desk.sim.issues()) == 1


async def test_an_order_that_waited_is_looked_up_even_at_its_first_attempt(desk: Desk) -> None:
    order = desk.order("create_issue", title="x1", contact_phone=PHONE)
    await desk.okdesk.actions[order.action].run(order)
    other = desk.with_settings()  # another worker, running all the time
    desk.clock.passes(minutes=5)
    await other.okdesk.actions[order.action].run(order)
    assert len(desk.sim.issues()) == 1


@pytest.mark.parametrize("has_reference", [True, False])
async def test_two_orders_with_the_same_words_are_two_issues(desk: Desk, has_reference: bool) -> None:
    if not has_reference:
        desk.sim.state.attributes.clear()
    first = await carried_out(desk, desk.order("create_issue", key="k/1", title="x1", contact_phone=PHONE))
    desk.sim.plan(None, method="POST", path="issues/", after_work=True)
    second = await carried_out(desk, desk.order("create_issue", key="k/11", title="x1", contact_phone=PHONE))
    desk.sim.plan(None, method="POST", path="issues/")
    third = await carried_out(desk, desk.order("create_issue", key="k", title="x1", contact_phone=PHONE))
    assert len({done.result["id"] for done in (first, second, third)}) == 3
    assert len(desk.sim.issues()) == 3


async def test_nothing_made_is_settled_as_nothing(desk: Desk) -> None:
    order = desk.order("create_issue", title="x1", contact_phone=PHONE)
    assert await desk.settle(order) is None
    desk.sim.add_contact(mobile_phone=PHONE)
    assert await desk.settle(order) is None


async def test_an_older_issue_with_the_same_title_is_not_taken_for_ours(desk: Desk) -> None:
    desk.sim.state.attributes.clear()
    await desk.run("create_issue", title="x1", contact_phone=PHONE)
    desk.clock.passes(minutes=11)
    order = desk.order("create_issue", key="later", title="x1", contact_phone=PHONE)
    assert await desk.with_settings().settle(order) is None


async def test_a_very_long_key_fits_into_the_attribute(desk: Desk) -> None:
    key = "okdesk.create_issue/" + "я" * 500
    order = desk.order("create_issue", key=key, title="x1", contact_phone=PHONE)
    await desk.okdesk.actions[order.action].run(order)
    assert len(desk.sim.state.issues[1001].parameters["dialog_ref"]) <= 200
    settled = await desk.with_settings().settle(order)
    assert settled is not None


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("after_work", [False, True])
async def test_a_comment_with_a_lost_answer_is_there_once(
    desk: Desk, with_file: bool, restarts: bool, after_work: bool
) -> None:
    desk.files["m1"] = b"JPG"
    issue_id = (await desk.run("create_issue", title="x1", contact_phone=PHONE)).result["id"]
    desk.sim.plan(None, method="POST", path="comments", after_work=after_work)
    params = {"issue_id": issue_id, "text": "жду <ответа>\n\nи звонка", "files": [PHOTO] if with_file else []}
    done = await carried_out(desk, desk.order("add_comment", **params), restarts=restarts)
    (comment,) = desk.comments(issue_id)
    assert done.result == {"id": comment["id"]}
    assert len(comment["files"]) == with_file


async def test_the_same_words_twice_are_two_comments(desk: Desk) -> None:
    issue_id = (await desk.run("create_issue", title="x1", contact_phone=PHONE)).result["id"]
    await carried_out(desk, desk.order("add_comment", key="1", issue_id=issue_id, text="да"))
    desk.sim.plan(None, method="POST", path="comments")
    await carried_out(desk, desk.order("add_comment", key="2", issue_id=issue_id, text="да"))
    assert len(desk.comments(issue_id)) == 2


async def test_somebody_elses_or_an_old_comment_is_not_ours(desk: Desk) -> None:
    issue_id = (await desk.run("create_issue", title="x1", contact_phone=PHONE)).result["id"]
    await desk.run("add_comment", issue_id=issue_id, text="да")
    await desk.sim.comment(issue_id, "нет")
    desk.clock.passes(minutes=5)
    anew = desk.with_settings()
    for text in ("да", "нет"):
        assert await anew.settle(anew.order("add_comment", key="new", issue_id=issue_id, text=text)) is None


async def test_a_system_that_is_down_says_later_and_breaks_nothing(desk: Desk) -> None:
    desk.sim.trouble = "down"
    order = desk.order("create_issue", title="x1", contact_phone=PHONE)
    with pytest.raises(Later) as later:
        await desk.okdesk.actions[order.action].run(order)
    assert later.value.scope == "system"
    with pytest.raises(Later):
        await desk.settle(order)
    desk.sim.trouble = "none"
    await carried_out(desk, order)
    assert len(desk.sim.issues()) == 1


async def test_a_wrong_token_stops_the_system_and_loses_nothing(desk: Desk) -> None:
    with pytest.raises(Never) as refused:
        await desk.with_settings(api_token="old").run("create_issue", title="x1", contact_phone=PHONE)
    assert refused.value.stops_system
