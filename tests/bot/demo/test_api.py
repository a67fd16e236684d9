"""The JSON addresses of the playground, as a script calls them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.demo.bodies import parse_roubles
from tests.bot.demo.conftest import Client
from tests.bot.demo.memory import World

ANNA = {"channel": "whatsapp", "person": "Анна"}


async def post(client: Client, path: str, body: Any, *, status: int = 200) -> Any:
    async with client.post(f"/demo/api{path}", json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def get(client: Client, path: str, **query: str) -> Any:
    async with client.get(f"/demo/api{path}", params=query) as response:
        assert response.status == 200, await response.text()
        return await response.json()


# ------------------------------------------------------------------------------------------------------- customers


async def test_a_text_is_said_and_stands_in_the_transcript(client: Client, world: World) -> None:
    await post(client, "/say", {**ANNA, "text": "/start"})
    world.whatsapp.hears("Анна", "Что починить?", ("7.1.service.washer", "Стиральная машина"))
    messages = (await get(client, "/transcript", **ANNA))["messages"]
    assert [(one["from"], one["text"], one["options"]) for one in messages] == [
        ("customer", "/start", []),
        ("bot", "Что починить?", [{"id": "7.1.service.washer", "title": "Стиральная машина"}]),
    ]


@pytest.mark.parametrize("named", ["7.1.service.washer", "washer", "Стиральная машина", " стиральная МАШИНА "])
async def test_an_option_is_pressed_by_id_by_its_last_part_or_by_title(
    client: Client, world: World, named: str
) -> None:
    world.whatsapp.hears("Анна", "Что починить?", ("7.1.service.washer", "Стиральная машина"))
    await post(client, "/say", {**ANNA, "press": named})
    assert world.whatsapp.done == [("press", "Анна", "7.1.service.washer")]


async def test_the_newest_message_wins_when_two_offer_the_same(client: Client, world: World) -> None:
    world.whatsapp.hears("Анна", "Отменить?", ("7.1.old.yes", "Да"))
    world.whatsapp.hears("Анна", "Отправить?", ("7.1.new.yes", "Да"))
    await post(client, "/say", {**ANNA, "press": "Да"})
    assert world.whatsapp.done == [("press", "Анна", "7.1.new.yes")]


async def test_pressing_what_was_never_offered_is_refused_in_words(client: Client) -> None:
    error = (await post(client, "/say", {**ANNA, "press": "Да"}, status=422))["error"]
    assert error["code"] == "no_such_option"
    assert "Да" in error["message"]


async def test_photo_contact_and_location_can_be_sent(client: Client, world: World) -> None:
    await post(client, "/say", {"channel": "telegram", "person": "Пётр", "photo": True, "text": "Вот он"})
    await post(client, "/say", {"channel": "telegram", "person": "Пётр", "contact": True})
    await post(client, "/say", {"channel": "telegram", "person": "Пётр", "location": True})
    assert [what[:2] for what in world.telegram.done] == [("photo", "Пётр"), ("contact", "Пётр"), ("location", "Пётр")]
    assert world.telegram.done[0][2] == "Вот он"


async def test_a_request_for_the_number_is_shown_as_an_option_that_shares_it(client: Client, world: World) -> None:
    world.whatsapp.hears("Анна", "Номер телефона?")
    world.whatsapp.chats["Анна"][-1]["asks"] = "contact"
    (message,) = (await get(client, "/transcript", **ANNA))["messages"]
    assert message["options"] == [{"id": "contact", "title": "Поделиться номером"}]
    await post(client, "/say", {**ANNA, "press": "Поделиться номером"})
    assert world.whatsapp.done[0][0] == "contact"


async def test_a_key_that_asks_for_the_place_sends_it(client: Client, world: World) -> None:
    world.telegram.hears("Пётр", "Куда приехать?", ("location", "Отправить геопозицию"))
    await post(client, "/say", {"channel": "telegram", "person": "Пётр", "press": "Отправить геопозицию"})
    assert world.telegram.done[0][0] == "location"


async def test_two_people_have_two_chats(client: Client) -> None:
    await post(client, "/say", {**ANNA, "text": "раз"})
    await post(client, "/say", {"channel": "whatsapp", "person": "Мария", "text": "два"})
    assert [one["text"] for one in (await get(client, "/transcript", **ANNA))["messages"]] == ["раз"]
    assert (await get(client, "/transcript", channel="telegram", person="Анна"))["messages"] == []


async def test_a_message_without_a_time_keeps_the_moment_it_was_first_shown(client: Client, world: World) -> None:
    await post(client, "/say", {**ANNA, "text": "раз"})
    del world.whatsapp.chats["Анна"][0]["at"]
    first = (await get(client, "/transcript", **ANNA))["messages"][0]["at"]
    assert first.endswith("Z")
    assert (await get(client, "/transcript", **ANNA))["messages"][0]["at"] == first


async def test_a_picture_without_words_says_what_it_is(client: Client, world: World) -> None:
    await post(client, "/say", {"channel": "telegram", "person": "Пётр", "text": "[photo]"})
    (message,) = (await get(client, "/transcript", channel="telegram", person="Пётр"))["messages"]
    assert message["kind"] == "photo"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"person": "Анна", "text": "hi"},
        {**ANNA},
        {**ANNA, "text": ""},
        {**ANNA, "text": "   "},
        {**ANNA, "text": "x" * 4097},
        {**ANNA, "text": 5},
        {**ANNA, "text": ["hi"]},
        {**ANNA, "text": "a\x00b"},
        {**ANNA, "text": "half \ud83d"},
        {**ANNA, "text": "hi", "press": "yes"},
        {**ANNA, "press": "yes", "photo": True},
        {**ANNA, "photo": "yes"},
        {**ANNA, "photo": 1},
        {**ANNA, "photo": False},
        {**ANNA, "channel": "icq", "text": "hi"},
        {**ANNA, "channel": None, "text": "hi"},
        {**ANNA, "person": "", "text": "hi"},
        {**ANNA, "person": "  ", "text": "hi"},
        {**ANNA, "person": "x" * 61, "text": "hi"},
        {**ANNA, "person": "a\nb", "text": "hi"},
        {**ANNA, "person": 7, "text": "hi"},
        [],
        "hi",
        None,
    ],
)
async def test_a_bad_wish_of_a_customer_is_refused_and_nothing_is_done(client: Client, world: World, body: Any) -> None:
    error = (await post(client, "/say", body, status=422))["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"]
    assert world.whatsapp.done == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 60_000, b'{"amount": NaN}', b"1" * 5000])
async def test_a_body_that_is_no_json_object_is_refused(client: Client, raw: bytes) -> None:
    async with client.post("/demo/api/say", data=raw) as response:
        assert response.status == 422
        assert (await response.json())["error"]["code"] == "bad_json"


async def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    async with client.post("/demo/api/say", data=b"x" * 70_000) as response:
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "too_large"


@pytest.mark.parametrize("query", [{}, {"channel": "whatsapp"}, {"channel": "x", "person": "y"}])
async def test_a_transcript_needs_a_channel_and_a_person(client: Client, query: dict[str, str]) -> None:
    async with client.get("/demo/api/transcript", params=query) as response:
        assert response.status == 422


# -------------------------------------------------------------------------------------------------------- managers


async def test_a_manager_answers_in_a_topic(client: Client, world: World) -> None:
    await post(client, "/managers", {"manager": "Ольга", "text": "Добрый день", "thread_id": 11})
    assert world.telegram.done == [("manager_says", "Ольга", "Добрый день", 11, None)]
    (message,) = (await get(client, "/managers"))["messages"]
    assert (message["from"], message["text"], message["thread_id"]) == ("Ольга", "Добрый день", 11)


@pytest.mark.parametrize("named", ["m.take.5", "Взять"])
async def test_a_manager_presses_a_button_by_its_data_or_title(client: Client, world: World, named: str) -> None:
    world.telegram.alerts("Новая заявка", ("m.take.5", "Взять"), ("m.call.5", "Позвонить"))
    await post(client, "/managers", {"manager": "Ольга", "message_id": 1, "press": named})
    assert world.telegram.done == [("manager_presses", "Ольга", 1, "m.take.5")]


async def test_the_buttons_of_another_message_are_not_meant(client: Client, world: World) -> None:
    world.telegram.alerts("Первая", ("take.1", "Взять"))
    world.telegram.alerts("Вторая")
    answer = await post(client, "/managers", {"message_id": 2, "press": "Взять"}, status=422)
    assert answer["error"]["code"] == "no_such_option"
    answer = await post(client, "/managers", {"message_id": 3, "press": "Взять"}, status=404)
    assert answer["error"]["code"] == "no_such_message"


@pytest.mark.parametrize("body", [{}, {"text": "a", "press": "b", "message_id": 1}, {"press": "b"}, {"text": " "}])
async def test_a_manager_either_writes_or_presses(client: Client, body: Any) -> None:
    await post(client, "/managers", body, status=422)


# ------------------------------------------------------------------------------------------------------ back office


async def test_a_card_is_moved_and_commented(client: Client, world: World) -> None:
    world.okdesk.opens(1077, "Стиральная машина: течёт")
    await post(client, "/issues/1077/status", {"status": "in_progress"})
    await post(client, "/issues/1077/comment", {"text": "Буду в шесть"})
    (issue,) = (await get(client, "/issues"))["issues"]
    assert (issue["id"], issue["status"]) == (1077, "in_progress")
    assert issue["comments"] == [{"text": "Буду в шесть", "public": True}]


@pytest.mark.parametrize("issue", ["1", "0", "abc", "1e3", "-1", "١٢", "9" * 40])
async def test_an_unknown_issue_is_404(client: Client, world: World, issue: str) -> None:
    world.okdesk.opens(1077, "x")
    error = (await post(client, f"/issues/{issue}/status", {"status": "closed"}, status=404))["error"]
    assert error["code"] == "no_such_issue"


@pytest.mark.parametrize("body", [{}, {"status": "done"}, {"status": None}, {"status": ["closed"]}])
async def test_a_status_that_does_not_exist_is_refused(client: Client, world: World, body: Any) -> None:
    world.okdesk.opens(1077, "x")
    await post(client, "/issues/1077/status", body, status=422)
    assert world.okdesk.done == []


async def test_what_a_stand_in_refuses_is_told_with_its_reason(client: Client, world: World) -> None:
    world.okdesk.opens(1077, "x")
    for failure, status, code in (
        (ValueError("a closed issue cannot be delayed"), 422, "refused"),
        (LookupError("it was deleted"), 404, "gone"),
        (ConnectionError("broken"), 502, "stand_in_failed"),
    ):
        world.okdesk.fails = failure
        error = (await post(client, "/issues/1077/status", {"status": "delayed"}, status=status))["error"]
        assert error["code"] == code
        assert str(failure) in error["message"]


@pytest.mark.parametrize(
    ("amount", "kopecks"),
    [(1500, 150000), (1500.5, 150050), ("1500,50", 150050), ("1 500 ₽", 150000), ("1\u00a0500", 150000), (0.1, 10)],
)
async def test_an_amount_is_roubles(client: Client, world: World, amount: Any, kopecks: int) -> None:
    world.okdesk.opens(1077, "x")
    await post(client, "/payments", {"issue_id": 1077, "amount": amount})
    assert world.onec.done == [("pay", 1077, kopecks, None)]


async def test_a_bill_is_issued_and_paid_in_parts(client: Client, world: World) -> None:
    world.okdesk.opens(1077, "x")
    await post(client, "/payments", {"issue_id": "1077", "amount": "3500", "what": "invoice"})
    await post(client, "/payments", {"issue_id": 1077, "amount": 1000, "total": 3500})
    assert world.onec.done == [("invoice", 1077, 350000), ("pay", 1077, 100000, 350000)]
    assert (await get(client, "/payments"))["payments"][0]["issue_id"] == 1077


@pytest.mark.parametrize(
    "amount", [0, -5, "", "abc", "1.234", 0.001, True, None, [], 10_000_001, 1e300, "NaN", "1e999999", "9" * 5000]
)
async def test_an_amount_that_is_none_is_refused(client: Client, world: World, amount: Any) -> None:
    world.okdesk.opens(1077, "x")
    await post(client, "/payments", {"issue_id": 1077, "amount": amount}, status=422)
    assert world.onec.done == []


@pytest.mark.parametrize("issue_id", [None, True, 0, -1, 1.5, "x", 2**60])
async def test_a_payment_names_its_issue(client: Client, issue_id: Any) -> None:
    await post(client, "/payments", {"issue_id": issue_id, "amount": 1}, status=422)


async def test_a_payment_for_an_unknown_issue_is_404(client: Client) -> None:
    await post(client, "/payments", {"issue_id": 5, "amount": 1}, status=404)


def test_roubles_are_exact() -> None:
    assert parse_roubles(0.29) == 29
    assert parse_roubles("1 234 567,89") == 123456789


async def test_order_sources_are_not_there_and_the_answer_says_so(client: Client) -> None:
    error = (await post(client, "/orders", {"source": "ozon"}, status=404))["error"]
    assert error["code"] == "no_order_sources"
    assert "Ozon" in error["message"]


# --------------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize("system", ["whatsapp", "telegram", "okdesk", "onec"])
@pytest.mark.parametrize("what", ["down", "slow", "lost_answer", "duplicate", "none"])
async def test_trouble_is_made_and_ended(client: Client, world: World, system: str, what: str) -> None:
    answer = await post(client, "/trouble", {"system": system, "what": what})
    assert answer["trouble"] == {**dict.fromkeys(("whatsapp", "telegram", "okdesk", "onec"), "none"), system: what}


async def test_the_end_of_all_trouble_needs_no_system(client: Client, world: World) -> None:
    world.okdesk.trouble = world.onec.trouble = "down"
    answer = await post(client, "/trouble", {"what": "none"})
    assert set(answer["trouble"].values()) == {"none"}


@pytest.mark.parametrize("system", [None, "worker", "okdesk"])
async def test_the_worker_is_killed(client: Client, world: World, system: str | None) -> None:
    await post(client, "/trouble", {"system": system, "what": "kill_worker"})
    assert world.controls.kills == 1
    assert world.okdesk.trouble == "none"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"system": "okdesk"},
        {"what": "down"},
        {"system": "ozon", "what": "down"},
        {"system": "okdesk", "what": "fire"},
    ],
)
async def test_bad_trouble_is_refused(client: Client, body: Any) -> None:
    await post(client, "/trouble", body, status=422)


async def test_reset_ends_the_trouble_and_forgets_everything(client: Client, world: World) -> None:
    world.okdesk.trouble = "down"
    await post(client, "/reset", {})
    assert (world.controls.resets, world.okdesk.trouble) == (1, "none")


async def test_reset_needs_no_body(client: Client, world: World) -> None:
    async with client.post("/demo/api/reset") as response:
        assert response.status == 200
    assert world.controls.resets == 1


async def test_the_state_shows_everything_at_one_moment(client: Client, world: World) -> None:
    await post(client, "/say", {**ANNA, "text": "раз"})
    world.okdesk.opens(1077, "x")
    world.telegram.alerts("Новая заявка")
    state = await get(client, "/state", whatsapp="Анна", telegram="Пётр")
    assert [one["text"] for one in state["chats"]["whatsapp"]] == ["раз"]
    assert state["chats"]["telegram"] == []
    assert [one["text"] for one in state["managers"]] == ["Новая заявка"]
    assert [one["id"] for one in state["issues"]] == [1077]
    assert state["payments"] == []
    assert state["trouble"]["okdesk"] == "none"
    assert state["service"]["worker_alive"] is True


# ------------------------------------------------------------------------------------------------------- addresses


async def test_another_method_is_405_with_allow(client: Client) -> None:
    async with client.get("/demo/api/say") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_an_unknown_address_is_404_in_json(client: Client) -> None:
    async with client.get("/demo/api/nothing") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_of_another_site_may_not_act(client: Client, world: World, site: str) -> None:
    async with client.post("/demo/api/reset", headers={"Sec-Fetch-Site": site}) as response:
        assert response.status == 403
    assert world.controls.resets == 0
