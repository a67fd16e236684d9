"""Sending over real HTTP: addresses, forms, lost answers, files, read marks."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from dialogs.effects import Option, SendMessage, Template
from dialogs.events import File
from integrations.base import DeliveryReported, Done, Later, Never, Unknown
from integrations.whatsapp import make_whatsapp
from integrations.whatsapp.channel import WhatsAppChannel
from integrations.whatsapp.client import WhatsAppClient
from tests.integrations.whatsapp.given import ApiServer, Clock, Service, order, settings, text


async def test_a_phone_gets_its_plus_and_a_bsuid_goes_whole(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    anna = service.simulator.customer("Анна")
    await service.send(anna.wa_id, text("по номеру"))
    await service.send(f"+{anna.wa_id}", text("с плюсом"))
    await service.send(anna.user_id, text("по BSUID"))
    assert [(body.get("to"), body.get("recipient")) for body in service.simulator.received] == [
        (f"+{anna.wa_id}", None),
        (f"+{anna.wa_id}", None),
        (None, anna.user_id),
    ]
    assert [line["text"] for line in service.simulator.transcript("Анна")][1:] == ["по номеру", "с плюсом", "по BSUID"]


async def test_the_wamid_of_the_answer_is_that_of_the_statuses_and_our_key_comes_back(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    done = await service.send(service.simulator.customer("Анна").wa_id, text("да"), key="send/d7/3/0", attempt=2)
    await service.simulator.settle()
    reports = service.told(DeliveryReported)
    assert [(report.status, report.key, report.message_id) for report in reports] == [
        (status, "send/d7/3/0", done.external_id) for status in ("sent", "delivered", "read")
    ]


async def test_the_order_says_what_it_answers_and_from_which_number(against: ApiServer) -> None:
    seen: list[tuple[str, dict[str, Any], str]] = []

    async def take(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json(), request.headers["User-Agent"]))
        return web.json_response({"messages": [{"id": "wamid.X"}]})

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    whatsapp = await against(app)
    run = whatsapp.actions["send"].run
    await run(order("79161234501", text("да"), reply_to="wamid.Q", account="310000000000002"))
    await run(order("79161234501", text("да"), account="999"))
    (path, body, agent), (default_path, _, _) = seen
    assert (path, default_path) == ("/v23.0/310000000000002/messages", "/v23.0/310000000000001/messages")
    assert body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+79161234501",
        "type": "text",
        "text": {"preview_url": False, "body": "да"},
        "context": {"message_id": "wamid.Q"},
        "biz_opaque_callback_data": "send/d1/1/0#1",
    }
    assert agent.startswith("fixit-exchange/")


async def test_a_closed_window_needs_the_template(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    anna = service.simulator.customer("Анна").wa_id
    service.clock.passes(hours=24)
    (params,) = render(service, SendMessage("Заказ готов", template=Template("order_ready", "ru", ("33-1",))))
    with pytest.raises(Never) as caught:
        await service.send(anna, params["message"], template=params["template"])
    assert caught.value.window_closed
    await service.send(anna, params["message"], template=params["template"], use_template=True)
    assert service.simulator.transcript("Анна")[-1]["text"] == "Заказ № 33-1 готов."


async def test_further_parts_of_a_message_are_left_out_when_its_template_went(service: Service) -> None:
    parts = render(service, SendMessage("я" * 9000, template=Template("order_ready", "ru", ("1",))))
    assert [bool(part["template"]) for part in parts] == [True, False, False]
    done = await service.send("79990000000", parts[1]["message"], use_template=True, skip_with_template=True)
    assert done == Done({"skipped": True})
    with pytest.raises(Never) as caught:
        await service.send("79990000000", text("без шаблона"), use_template=True)
    assert caught.value.window_closed


async def test_a_lost_answer_is_unknown_and_the_status_settles_it(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    service.simulator.trouble = "lost_answer"
    with pytest.raises(Unknown):
        await service.send(service.simulator.customer("Анна").wa_id, text("да"), key="send/lost")
    await service.simulator.settle()
    line = service.simulator.transcript("Анна")[-1]
    reports = service.told(DeliveryReported)
    assert {(report.key, report.message_id) for report in reports} == {("send/lost", line["id"])}


async def test_a_status_may_come_before_the_answer(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    service.simulator.status_order = "before"
    await service.send(service.simulator.customer("Анна").wa_id, text("да"), key="send/early")
    assert [report.status for report in service.told(DeliveryReported)] == ["sent", "delivered", "read"]


async def test_what_surely_was_not_sent_may_be_tried_again(clock: Clock) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with aiohttp.ClientSession() as http:
            whatsapp = make_whatsapp(settings(api_url=url), http=http, now=clock, log_call=lambda *_: None)
            with pytest.raises(Later) as caught:
                await whatsapp.actions["send"].run(order("79161234501", text("да")))
            assert caught.value.scope == "system"
            assert await whatsapp.actions["mark_read"].run(order("79161234501", None)) == Done({"read": False})
            with pytest.raises(Later):
                await channel(whatsapp).download(File("4100", "photo"), 100)


async def test_an_answer_that_does_not_come_in_time_is_unknown(service: Service) -> None:
    service.simulator.trouble = "slow"
    service.simulator.slow_s = 60.0
    async with aiohttp.ClientSession() as http:
        whatsapp_settings = settings(api_url=channel_url(service))
        client = WhatsAppClient(
            whatsapp_settings, http, lambda *_: None, aiohttp.ClientTimeout(total=None, sock_read=0.02)
        )
        with pytest.raises(Unknown):
            await client.post_message("310000000000001", {"type": "text"})
        with pytest.raises(Later):
            await client.get("310000000000001", {})


async def test_down_is_later_and_a_dead_token_stops_everything(service: Service) -> None:
    service.simulator.trouble = "down"
    with pytest.raises(Later) as later:
        await service.send("79161234501", text("да"))
    assert later.value.scope == "system"
    service.simulator.trouble = "none"
    service.simulator.token_is_dead = True
    with pytest.raises(Never) as never:
        await service.send("79161234501", text("да"))
    assert never.value.stops_system


async def test_pair_and_number_rates_are_refused_with_their_scope(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    anna = service.simulator.customer("Анна").wa_id
    for _ in range(45):
        await service.send(anna, text("да"))
    with pytest.raises(Later) as pair:
        await service.send(anna, text("да"))
    assert (pair.value.scope, pair.value.retry_after_s) == ("recipient", 4.0)
    await service.simulator.say("Борис", "здравствуйте")
    boris = service.simulator.customer("Борис").wa_id
    for _ in range(35):
        await service.send(boris, text("да"))
    with pytest.raises(Later) as number:
        await service.send(boris, text("да"))
    assert number.value.scope == "system"
    service.clock.passes(seconds=6)
    await service.send(anna, text("да"))


async def test_the_sender_is_told_to_wait_before_meta_has_to_refuse(service: Service) -> None:
    delay, sent = service.whatsapp.pace_delay, service.whatsapp.pace_sent
    assert delay is not None
    assert sent is not None
    now = service.clock()
    while delay("79161234501", now) == 0:
        sent("79161234501", now)
    assert delay("79161234501", now) == pytest.approx(6, abs=0.01)
    assert channel(service.whatsapp).pace.delay("79161234501", now.timestamp()) == delay("79161234501", now)


async def test_spam_restrictions_pause_templates_and_not_answers(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    anna = service.simulator.customer("Анна").wa_id
    (params,) = render(service, SendMessage("Готово", template=Template("order_ready", "ru", ("1",))))
    service.simulator.refuse_next.append(131048)
    with pytest.raises(Later):
        await service.send(anna, params["message"], template=params["template"], use_template=True)
    with pytest.raises(Later) as caught:
        await service.send(anna, params["message"], template=params["template"], use_template=True)
    assert caught.value.retry_after_s == 3600
    assert not service.simulator.received
    await service.send(anna, params["message"])
    service.clock.passes(hours=1)
    await service.send(anna, params["message"], template=params["template"], use_template=True)
    assert len(service.simulator.received) == 2


async def test_media_that_is_refused_goes_as_text_with_its_link(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    message = SendMessage(
        "Схема",
        media="https://example.com/s.png",
        options=(Option("a", "Понятно", "1.1.1.a"),),
    )
    (params,) = render(service, message)
    service.simulator.refuse_next.append(131053)
    await service.send(service.simulator.customer("Анна").wa_id, params["message"])
    assert service.simulator.transcript("Анна")[-1]["text"] == "Схема\n\nhttps://example.com/s.png\n\n1. Понятно"
    service.simulator.refuse_next.append(131053)
    with pytest.raises(Never):
        await service.send(service.simulator.customer("Анна").wa_id, text("нечего менять"))


async def test_a_managers_file_is_uploaded_once(service: Service) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    anna = service.simulator.customer("Анна").wa_id
    file = File("tg-file-1", "file", "Акт.pdf", "application/pdf", 4)
    (params,) = render(service, SendMessage("Ваш акт", files=(file,)))
    with pytest.raises(Never):
        await service.send(anna, params["message"], file=params["file"])
    fetched: list[File] = []

    async def fetch(wanted: File, limit_bytes: int) -> bytes:
        fetched.append(wanted)
        assert limit_bytes == 100 * 2**20
        return b"%PDF"

    channel(service.whatsapp).take_files_from(fetch)
    service.simulator.refuse_next.append(130429)
    with pytest.raises(Later):
        await service.send(anna, params["message"], file=params["file"])
    await service.send(anna, params["message"], file=params["file"])
    assert fetched == [file]
    (body,) = service.simulator.received
    assert body["document"]["filename"] == "Акт.pdf"
    assert body["document"]["caption"] == "Ваш акт"
    stored = service.simulator.media[body["document"]["id"]]
    assert (stored.data, stored.mime) == (b"%PDF", "application/pdf")


async def test_read_marks_and_typing_never_fail(service: Service) -> None:
    wamid = await service.simulator.say("Анна", "здравствуйте")
    run = service.whatsapp.actions["mark_read"].run
    read = order("79161234501", None, message_id=wamid, typing=True)
    assert await run(read) == Done({"read": True})
    assert service.simulator.transcript("Анна")[0]["status"] == "read"
    assert await run(order("79161234501", None, message_id="wamid.unknown")) == Done({"read": False})
    service.simulator.token_is_dead = True
    assert await run(read) == Done({"read": False})


async def test_every_call_is_logged_without_the_token(service: Service, calls: list[tuple[Any, ...]]) -> None:
    await service.simulator.say("Анна", "здравствуйте")
    await service.send(service.simulator.customer("Анна").wa_id, text("да"))
    ((system, method, url, body, status, answer, duration_ms),) = calls
    assert (system, method, status) == ("whatsapp", "POST", 200)
    assert url.endswith("/v23.0/310000000000001/messages")
    assert b"messages" in answer
    assert duration_ms >= 0
    assert "EAAtoken" not in f"{url}{body}{answer}"


async def test_doctor_hears_which_number_it_is(service: Service) -> None:
    assert service.whatsapp.check is not None
    assert "+74950000111" in await service.whatsapp.check()
    service.simulator.token_is_dead = True
    with pytest.raises(Never):
        await service.whatsapp.check()


async def test_sixty_four_are_in_flight_at_once(against: ApiServer) -> None:
    answer = b'{"messages": [{"id": "wamid.X"}]}'
    all_are_here = asyncio.Barrier(64)

    async def take(request: web.Request) -> web.Response:
        await request.read()
        await all_are_here.wait()
        return web.Response(body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post("/{tail:.*}", take)
    run = (await against(app)).actions["send"].run
    for _ in range(4):
        await asyncio.gather(*(run(order("79161234501", text("да"))) for _ in range(64)))


def channel_url(service: Service) -> str:
    client: Any = service.whatsapp.check.__self__  # type: ignore[union-attr]
    return str(client.api.origin())


def channel(whatsapp: Any) -> WhatsAppChannel:
    assert isinstance(whatsapp.channel, WhatsAppChannel)
    return whatsapp.channel


def render(service: Service, message: SendMessage) -> list[Any]:
    return list(channel(service.whatsapp).render(message))
