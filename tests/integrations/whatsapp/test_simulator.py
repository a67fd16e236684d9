"""The stand-in behaves as the contract says Meta does."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from dialogs.effects import Option, SendMessage
from dialogs.events import ButtonPressed, MessageReceived
from integrations.base import AddressMoved, CustomerNoted, CustomerSaid, DeliveryReported, ManagerWrote, Notice
from integrations.whatsapp.simulator_rules import problem_of
from tests.integrations.whatsapp.given import SAMPLES, Service, sample, text


async def test_it_asks_whether_the_address_is_ours(service: Service) -> None:
    assert await service.simulator.verify()
    service.answers_with = 200
    assert not await service.simulator.verify()


@pytest.mark.parametrize("writing", ["escaped", "plain"])
async def test_both_writings_are_signed_and_understood(writing: Any, service: Service) -> None:
    service.simulator.deliveries.writing = writing
    await service.simulator.say("Анна", "Здравствуйте / 😀")
    (event,) = service.events.values()
    assert (b"\\u04" in event.body) == (writing == "escaped")
    assert (b"\\/" in event.body) == (writing == "escaped")
    (said,) = service.told(CustomerSaid)
    assert said.said.text == "Здравствуйте / 😀"
    assert said.person.name == "Анна"


async def test_people_do_what_people_do(service: Service) -> None:
    anna = service.simulator
    first = await anna.say("Анна", "Сломалась касса")
    await anna.edit("Анна", "Сломалась касса АТОЛ")
    await anna.photo("Анна", "чек")
    await anna.attach("Анна", "audio", b"ogg", "audio/ogg")
    await anna.location("Анна", 55.79, 49.13, "Казань, Баумана, 1")
    await anna.contact("Анна", "+79990001122")
    await anna.unsupported("Анна")
    await anna.revoke("Анна", first)
    said = [fact.said for fact in service.told(CustomerSaid)]
    assert [message.edits for message in said][:2] == [None, first]
    assert said[2].files[0].kind == "photo"
    assert said[4].location.address == "Казань, Баумана, 1"
    assert said[5].card.phones == ("+79990001122",)
    assert not said[5].card.is_own
    assert said[6].unsupported
    assert [fact.kind for fact in service.told(CustomerNoted)] == ["deleted"]
    assert [line.get("media") for line in anna.transcript("Анна")] == [
        None, "photo", "audio", "location", "contact", "poll_creation",
    ]  # fmt: skip
    assert anna.transcript("Анна")[0]["text"] == "Сломалась касса АТОЛ"


async def test_a_button_and_a_list_row_can_be_pressed(service: Service) -> None:
    await service.simulator.say("Анна", "привет")
    wa_id = service.simulator.customer("Анна").wa_id
    channel = service.whatsapp.channel
    assert channel is not None
    for count in (2, 5):
        options = tuple(Option(f"o{n}", f"Вариант {n}", f"d.{count}.o{n}") for n in range(count))
        (params,) = channel.render(SendMessage("Выберите", options=options))
        await service.send(wa_id, params["message"])
    assert [o["id"] for o in service.simulator.transcript("Анна")[-1]["options"]] == [f"d.5.o{n}" for n in range(5)]
    await service.simulator.press("Анна", "d.2.o1")
    await service.simulator.press("Анна", "Вариант 4")
    presses = [fact for fact in service.told(CustomerSaid) if isinstance(fact.said, ButtonPressed)]
    assert [(fact.said.payload, fact.said.title) for fact in presses] == [
        ("d.2.o1", "Вариант 1"),
        ("d.5.o4", "Вариант 4"),
    ]
    assert presses[0].reply_to == service.simulator.transcript("Анна")[1]["id"]
    with pytest.raises(LookupError):
        await service.simulator.press("Анна", "nothing")


async def test_the_contact_button_proves_the_number(service: Service) -> None:
    svetlana = service.simulator.customer("Светлана")
    svetlana.hides_phone = True
    await service.simulator.say("Светлана", "привет")
    channel = service.whatsapp.channel
    assert channel is not None
    (params,) = channel.render(SendMessage("Телефон?", quick=("share_contact",)))
    await service.send(svetlana.user_id, params["message"])
    assert service.simulator.transcript("Светлана")[-1]["asks"] == "contact"
    await service.simulator.contact("Светлана")
    before, after = service.told(CustomerSaid)
    assert (before.person.addresses, before.person.phone) == ((svetlana.user_id,), None)
    assert after.said.card.is_own
    assert after.person.phone == f"+{svetlana.wa_id}"


async def test_reactions_need_a_message_of_ours(service: Service) -> None:
    await service.simulator.say("Анна", "привет")
    with pytest.raises(LookupError):
        await service.simulator.react("Анна", "👍")
    done = await service.send(service.simulator.customer("Анна").wa_id, text("да"))
    await service.simulator.react("Анна", "👍")
    await service.simulator.react("Анна", "")
    noted = service.told(CustomerNoted)
    assert [(fact.text, fact.about) for fact in noted] == [("👍", done.external_id), (None, done.external_id)]


async def test_what_gets_no_200_is_delivered_again(service: Service) -> None:
    service.answers_with = 503
    await service.simulator.say("Анна", "раз")
    await service.simulator.say("Анна", "два")
    for _ in range(3):
        await service.refused.acquire()
    assert not service.events
    service.answers_with = None
    await service.simulator.settle()
    assert [fact.said.text for fact in service.told(CustomerSaid)] == ["раз", "два"]


async def test_duplicates_and_regrouped_repeats_count_once(service: Service) -> None:
    service.simulator.trouble = "duplicate"
    await service.simulator.say("Анна", "раз")
    service.simulator.trouble = "none"
    await service.simulator.say("Анна", "два")
    await service.simulator.say("Борис", "три")
    await service.simulator.deliveries.repeat(3)
    assert [fact.said.text for fact in service.told(CustomerSaid)] == ["раз", "два", "три"]
    assert service.repeats == 4


async def test_a_backlog_of_a_thousand_comes_as_one_batch(service: Service) -> None:
    service.simulator.deliveries.hold()
    for n in range(1000):
        await service.simulator.say(f"person {n % 50}", str(n))
    assert not service.events
    await service.simulator.deliveries.release()
    said = service.told(CustomerSaid)
    assert [fact.said.text for fact in said] == [str(n) for n in range(1000)]
    assert said[77].person.name == "person 27"


async def test_statuses_may_be_shuffled_or_missing_or_end_in_failure(service: Service) -> None:
    simulator = service.simulator
    await simulator.say("Анна", "привет")
    wa_id = simulator.customer("Анна").wa_id
    simulator.status_order = "shuffled"
    await service.send(wa_id, text("раз"))
    await simulator.settle()
    assert [report.rank for report in service.told(DeliveryReported)] == [4, 3, 2]
    simulator.statuses = ()
    await service.send(wa_id, text("два"))
    await simulator.settle()
    assert len(service.told(DeliveryReported)) == 3
    simulator.status_order = "after"
    simulator.fail_next.append(131047)
    await service.send(wa_id, text("три"))
    await simulator.settle()
    failed = service.told(DeliveryReported)[-1]
    assert (failed.status, failed.window_closed) == ("failed", True)
    assert [line["status"] for line in simulator.transcript("Анна")[1:]] == ["read", "accepted", "failed"]


async def test_a_number_without_its_plus_is_a_strangers(service: Service) -> None:
    headers = {"Authorization": "Bearer EAAtoken"}
    await service.simulator.say("Анна", "привет")
    wa_id = service.simulator.customer("Анна").wa_id
    url = f"{channel_url(service)}/v23.0/310000000000001/messages"
    body = {"messaging_product": "whatsapp", "to": wa_id, "type": "template"}
    body["template"] = {"name": "order_ready", "language": {"code": "ru"}}  # type: ignore[assignment]
    body["template"]["components"] = [{"type": "body", "parameters": [{"type": "text", "text": "1"}]}]  # type: ignore[index]
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as response:
        answer = await response.json()
    assert answer["contacts"][0]["wa_id"] == f"7{wa_id}"
    assert len(service.simulator.transcript("Анна")) == 1


def channel_url(service: Service) -> str:
    client: Any = service.whatsapp.check.__self__  # type: ignore[union-attr]
    return str(client.api.origin())


async def test_other_happenings_are_told(service: Service) -> None:
    simulator = service.simulator
    await simulator.say("Анна", "привет")
    old = simulator.customer("Анна").wa_id
    await simulator.answer_from_phone("Анна", "Перезвоню")
    new = await simulator.change_number("Анна")
    await simulator.notice("account_update", {"event": "ACCOUNT_RESTRICTION"})
    assert [fact.text for fact in service.told(ManagerWrote)] == ["Перезвоню"]
    assert [(fact.old, fact.new) for fact in service.told(AddressMoved)] == [(old, (new,))]
    assert len(service.told(Notice)) == 1
    await simulator.say("Анна", "новый номер")
    assert service.told(CustomerSaid)[-1].person.phone == f"+{new}"


async def test_a_slow_api_answers_after_all(service: Service) -> None:
    await service.simulator.say("Анна", "привет")
    service.simulator.trouble = "slow"
    assert (await service.send(service.simulator.customer("Анна").wa_id, text("да"))).external_id


async def test_a_person_we_wrote_to_first_keeps_the_chat(service: Service) -> None:
    wa_id = service.simulator.customer("Анна").wa_id
    service.simulator.reset()
    template = {"name": "order_ready", "language": {"code": "ru"}}
    parameters = [{"type": "body", "parameters": [{"type": "text", "text": "5"}]}]
    message = {"type": "template", "template": {**template, "components": parameters}}
    await service.send(wa_id, None, template=message, use_template=True)
    assert service.simulator.customer("Анна").wa_id == wa_id
    assert service.simulator.transcript("Анна")[0]["text"] == "Заказ № 5 готов."


async def test_reset_forgets_and_changes_are_heard(service: Service) -> None:
    heard: list[int] = []
    service.simulator.changed = lambda: heard.append(1)
    await service.simulator.say("Анна", "привет")
    assert heard
    service.simulator.reset()
    assert service.simulator.transcript("Анна") == []
    assert service.simulator.transcript("Никто") == []


@pytest.mark.parametrize("path", sorted((SAMPLES / "requests").glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_request_would_be_taken(path: Any) -> None:
    body = json.loads(path.read_bytes())
    if body.get("status") != "read" and body.get("interactive", {}).get("type") not in (
        "flow",
        "product",
        "product_list",
    ):
        assert problem_of(body, None) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": {"body": "я" * 4097}}, 100),
        ({"text": {"body": ""}}, 100),
        ({"text": {}}, 100),
        ({"to": None}, 131008),
        ({"messaging_product": None}, 100),
        ({"type": "hologram", "hologram": {}}, 131051),
        ({"type": "image"}, 131008),
        ({"type": "image", "image": {}}, 131009),
        ({"type": "image", "image": {"id": "1", "caption": "я" * 1025}}, 131009),
        ({"type": "audio", "audio": {"id": "1", "caption": "да"}}, 131009),
        ({"biz_opaque_callback_data": "x" * 513}, 100),
        ({"type": "template", "template": {"name": "order_ready"}}, 131008),
        ({"type": "template", "template": {"name": "other", "language": {"code": "ru"}}}, 132001),
        ({"type": "template", "template": {"name": "order_ready", "language": {"code": "ru"}}}, 132000),
    ],
)
def test_what_breaks_a_limit_is_refused_with_the_code_of_the_real_one(changes: dict[str, Any], code: int) -> None:
    body = {**json.loads(sample("requests/text.json")), **changes}
    problem = problem_of(body, {"order_ready": "Заказ № {{1}} готов."})
    assert problem is not None
    assert problem[0] == code


def interactive(kind: str, action: dict[str, Any], body: str = "?") -> dict[str, Any]:
    content = {"type": kind, "body": {"text": body}, "action": action}
    return {**json.loads(sample("requests/text.json")), "type": "interactive", "interactive": content}


def button(title: str, button_id: str) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": button_id, "title": title}}


ROW = {"id": "a", "title": "А"}


@pytest.mark.parametrize(
    "body",
    [
        interactive("button", {"buttons": []}),
        interactive("button", {"buttons": [button(str(n), str(n)) for n in range(4)]}),
        interactive("button", {"buttons": [button("я" * 21, "1")]}),
        interactive("button", {"buttons": [button(" я", "1")]}),
        interactive("button", {"buttons": [button("я", "1"), button("я", "2")]}),
        interactive("button", {"buttons": [button("я", "1"), button("ю", "1")]}),
        interactive("button", {"buttons": [button("я", "1")]}, "я" * 1025),
        interactive("list", {"button": "я" * 21, "sections": [{"rows": [ROW]}]}),
        interactive("list", {"button": "я", "sections": []}),
        interactive("list", {"button": "я", "sections": [{"rows": [ROW]}, {"rows": [ROW]}]}),
        interactive("list", {"button": "я", "sections": [{"rows": [ROW, ROW]}]}),
        interactive("list", {"button": "я", "sections": [{"rows": [{"id": str(n), "title": "t"} for n in range(11)]}]}),
        interactive("list", {"button": "я", "sections": [{"rows": [{**ROW, "title": "я" * 25}]}]}),
        interactive("list", {"button": "я", "sections": [{"rows": [{**ROW, "description": "я" * 73}]}]}),
        interactive("contact_request", {"name": "x"}),
        interactive("location_request_message", {"name": "x"}),
        interactive("hologram", {}),
    ],
)
def test_buttons_and_lists_over_the_limits_are_refused(body: dict[str, Any]) -> None:
    problem = problem_of(body, None)
    assert problem is not None
    assert problem[0] == 131009


async def test_a_message_to_our_reader_is_what_a_person_said(service: Service) -> None:
    wamid = await service.simulator.say("Анна", "привет", reply_to="wamid.Q")
    (fact,) = service.told(CustomerSaid)
    assert isinstance(fact.said, MessageReceived)
    assert (fact.said.message_id, fact.reply_to) == (wamid, "wamid.Q")
