from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from aiohttp import web

from integrations.base import Later, Never, Order, Unknown
from integrations.onec import PROFILES, OnecSettings, make_onec
from integrations.onec.actions import OnecActions
from integrations.onec.client import OnecClient
from integrations.onec.errors import ConfigurationError, NotFound, NotPublished, Rejected, Unavailable
from integrations.onec.odata import Reply, check, odata_url, publication, reply_json, rows_of, told_error
from tests.integrations.onec.conftest import Office, Served
from tests.integrations.onec.given import NOW, SAMPLES

ODATA = SAMPLES / "odata"


def order(action: str, **params: Any) -> Order:
    return Order("key-1", action, "", params, 1, NOW)


def actions(office: Office, **changes: Any) -> OnecActions:
    settings = OnecSettings(profile=office.settings.profile, **changes)
    return OnecActions(office.client, settings)


# ----------------------------------------------------------------------------------------------- payment of an order


async def test_payment_is_read_from_the_service_by_issue_and_by_external_id(office: Office) -> None:
    await office.onec.invoice(77, 350000)
    await office.onec.pay(77, 100050)
    for params in ({"issue_id": 77}, {"external_id": "okdesk-77"}):
        done = await actions(office).get_payment(order("onec.get_payment", **params))
        assert {name: done.result[name] for name in ("state", "total", "paid", "due")} == {
            "state": "partial",
            "total": 350000,
            "paid": 100050,
            "due": 249950,
        }
        assert done.result["order_number"].startswith("НФНФ-")
        assert done.result["invoice_number"].startswith("НФНФ-")
        assert done.result["url"].startswith("https://pay.")


async def test_payment_is_read_by_odata_where_no_service_is_published(office: Office) -> None:
    await office.onec.pay(7, 100, total_kopecks=900)
    await office.onec.pay(77, 5000, total_kopecks=350000)
    await office.onec.invoice(77, 350000)
    await office.onec.pay(77, 345000)
    office.onec.publishes_service = False
    by_service_before = await _payment(office, 77)
    assert (by_service_before["state"], by_service_before["paid"]) == ("paid", 350000)
    assert by_service_before["invoice_number"].startswith("НФНФ-")
    assert (await _payment(office, 7))["state"] == "partial"
    await office.onec.unpost(77)
    assert (await _payment(office, 77))["due"] == 345000
    with pytest.raises(NotFound):
        await _payment(office, 777)


async def _payment(office: Office, issue_id: int) -> Mapping[str, Any]:
    return (await actions(office).get_payment(order("onec.get_payment", issue_id=issue_id))).result


async def test_an_unknown_order_is_not_found_and_without_service_and_profile_it_says_so(office: Office) -> None:
    with pytest.raises(NotFound) as error:
        await _payment(office, 5)
    assert error.value.code == "not_found"
    office.onec.publishes_service = False
    with pytest.raises(NotPublished):
        await OnecActions(office.client, OnecSettings()).get_payment(order("onec.get_payment", issue_id=5))


async def test_neither_order_nor_issue_is_invalid(office: Office) -> None:
    with pytest.raises(Rejected):
        await actions(office).get_payment(order("onec.get_payment"))


async def test_the_missing_service_is_not_asked_each_time(office: Office) -> None:
    office.onec.publishes_service = False
    await office.onec.pay(1, 100)
    await _payment(office, 1)
    before = sum("/hs/" in str(line[2]) for line in office.calls)
    await _payment(office, 1)
    assert sum("/hs/" in str(line[2]) for line in office.calls) == before


# ------------------------------------------------------------------------------------------------------- writing


async def test_an_order_is_created_once(office: Office) -> None:
    items = [{"name": "Весы", "quantity": 2, "price": 765050}, "Доставка"]
    wish = order("onec.create_order", external_id="okdesk-3", phone="+79991234567", name="Анна", items=items)
    first, second = [await actions(office).create_order(wish) for _ in range(2)]
    assert (first.result["created"], second.result["created"]) == (True, False)
    assert first.result["guid"] == second.result["guid"] == first.external_id
    assert first.result["number"] == first.result["number"].strip()
    (booked,) = office.onec.orders.values()
    assert (booked.total, booked.phone, booked.name) == (1530100, "+79991234567", "Анна")


async def test_a_lost_answer_is_unknown_and_reading_back_settles_it(office: Office) -> None:
    wish = order("onec.create_order", external_id="okdesk-4", phone="+79991234567")
    assert await actions(office).settle_order(wish) is None
    office.onec.trouble = "lost_answer"
    with pytest.raises(Unknown):
        await actions(office).create_order(wish)
    office.onec.trouble = "none"
    done = await actions(office).settle_order(wish)
    assert done is not None
    assert done.external_id == office.onec.orders["okdesk-4"].guid


async def test_an_invoice_comes_with_its_file_and_can_be_settled(office: Office) -> None:
    wish = order("onec.create_invoice", external_id="okdesk-8")
    assert await actions(office).settle_invoice(wish) is None
    items = [{"name": "Весы", "price": 100}]
    create = order("onec.create_order", external_id="okdesk-8", phone="1", items=items)
    await actions(office).create_order(create)
    assert await actions(office).settle_invoice(wish) is None
    done = await actions(office).create_invoice(wish)
    assert done.result["total"] == 100
    (file,) = done.result["files"]
    assert base64.b64decode(file["base64"]).startswith(b"%PDF")
    assert file["size"] == len(base64.b64decode(file["base64"]))
    settled = await actions(office).settle_invoice(wish)
    assert settled is not None
    assert settled.result["number"] == done.result["number"]


async def test_an_exception_of_1c_is_never_with_its_own_sentence(office: Office) -> None:
    with pytest.raises(ConfigurationError, match="Поле объекта не обнаружено"):
        await actions(office).create_invoice(order("onec.create_invoice", external_id="okdesk-404"))


# ------------------------------------------------------------------------------------------------------- OData


async def test_counterparties_are_found_by_inn(office: Office) -> None:
    rows = await office.client.rows(
        "Catalog_Контрагенты",
        where="ИНН eq '7701234567' and DeletionMark eq false",
        select=("Ref_Key", "ИНН"),
        count=True,
    )
    assert rows.count == 1
    assert set(rows.value[0]) == {"Ref_Key", "ИНН"}
    assert (await office.client.rows("Catalog_Контрагенты", where="ИНН eq 'О''Нил'")).value == ()


async def test_documents_are_read_counted_written_and_posted(office: Office) -> None:
    await office.onec.pay(1, 100)
    await office.onec.pay(2, 200)
    (newest,) = (await office.client.rows("Document_ЗаказПокупателя", order_by="Number desc", top=1)).value
    row = await office.client.row("Document_ЗаказПокупателя", newest["Ref_Key"], select=("Number", "Комментарий"))
    assert row["Комментарий"] == "okdesk-2"
    assert await office.client.count("Document_ЗаказПокупателя") == 2
    created = await office.client.create("Document_ЗаказПокупателя", {"Комментарий": "dlg-1"})
    assert created["Posted"] is False
    await office.client.post("Document_ЗаказПокупателя", str(created["Ref_Key"]))
    await office.client.change("Document_ЗаказПокупателя", str(created["Ref_Key"]), {"DeletionMark": True})
    office.onec.refuses_to_post = 'Не заполнено поле "Контрагент"'
    with pytest.raises(ConfigurationError, match="Не заполнено поле"):
        await office.client.post("Document_ЗаказПокупателя", str(created["Ref_Key"]))


async def test_objects_outside_the_composition_and_unknown_objects_are_told_apart(office: Office) -> None:
    with pytest.raises(NotPublished, match="не найден"):
        await office.client.rows("Document_Неизвестный")
    with pytest.raises(NotFound):
        await office.client.row("Document_ЗаказПокупателя", "0c7f2a44-06f1-11ef-9a4c-00155d012a03")
    with pytest.raises(Rejected):
        await office.client.rows("Document_ЗаказПокупателя", where="(((")


async def test_without_format_the_simulator_answers_xml(office: Office) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(
            odata_url(office.url, "Catalog_Контрагенты").split("?")[0], auth=httpx.BasicAuth("Сайт", "пароль")
        )
    assert answer.text.startswith("<?xml")


async def test_two_calls_at_once_run_out_of_licences_and_our_client_makes_one_at_a_time(office: Office) -> None:
    office.onec.trouble = "slow"
    url = odata_url(office.url, "Catalog_Контрагенты")
    async with httpx.AsyncClient(auth=httpx.BasicAuth("Сайт", "пароль")) as http:
        answers = await asyncio.gather(http.get(url), http.get(url))
    assert sorted(answer.status_code for answer in answers) == [200, 500]
    refused = next(answer for answer in answers if answer.status_code == 500)
    with pytest.raises(Unavailable):
        check(Reply(500, refused.content), writes=True)
    rows = await asyncio.gather(*(office.client.rows("Catalog_Контрагенты") for _ in range(3)))
    assert len(rows) == 3


# ------------------------------------------------------------------------------------------------------ failures


async def test_a_base_that_is_down_means_later_for_the_whole_system(office: Office) -> None:
    office.onec.trouble = "down"
    with pytest.raises(Later) as error:
        await office.client.ping()
    assert error.value.scope == "system"


async def test_nobody_at_the_address_means_later_even_for_writes(unused_tcp_port: int) -> None:
    async with httpx.AsyncClient() as http:
        settings = OnecSettings(url=f"http://127.0.0.1:{unused_tcp_port}")
        client = OnecClient(settings, http, now=lambda: NOW, log_call=lambda *line: None)
        with pytest.raises(Unavailable):
            await client.create_invoice("x")


async def test_a_wrong_password_stops_the_system(office: Office) -> None:
    settings = OnecSettings(url=office.url, user="Сайт", password="другой")
    async with httpx.AsyncClient() as http:
        client = OnecClient(settings, http, now=lambda: NOW, log_call=lambda *line: None)
        with pytest.raises(Never) as error:
            await client.ping()
    assert (error.value.code, error.value.stops_system) == ("forbidden", True)


async def test_a_page_of_the_web_server_is_no_answer(serve: Served) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Вход</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", page)
    async with serve(app) as url, httpx.AsyncClient() as http:
        client = OnecClient(OnecSettings(url=url), http, now=lambda: NOW, log_call=lambda *line: None)
        with pytest.raises(Rejected):
            await client.ping()
        with pytest.raises(Rejected):
            await client.rows("X")
        with pytest.raises(Rejected):
            await client.count("X")
        with pytest.raises(Unknown):
            await client.create_invoice("x")


async def test_every_call_is_logged_without_the_password(office: Office) -> None:
    await office.client.ping()
    system, method, url, body, status, answer, duration_ms = office.calls[0]
    assert (system, method, body, status) == ("onec", "GET", None, 200)
    assert url == f"{office.url}/hs/dialogs/v1/ping"
    assert answer.startswith(b"\xef\xbb\xbf")
    assert duration_ms > 0
    assert "пароль" not in repr(office.settings)
    assert "test-onec-token" not in repr(office.settings)


async def test_changes_can_be_asked_for(office: Office) -> None:
    await office.onec.pay(1, 100)
    await office.onec.pay(2, 100)
    answer = await office.client.changes(since=0, limit=1)
    assert len(answer["events"]) == 1
    assert len((await office.client.changes(since=answer["next"]))["events"]) == 1


async def test_the_integration_is_put_together_from_what_is_configured(office: Office) -> None:
    log: Any = lambda *line: None  # noqa: E731
    async with httpx.AsyncClient() as http:
        whole = make_onec(office.settings, http=http, now=lambda: NOW, log_call=log)
        assert set(whole.actions) == {"onec.get_payment", "onec.create_order", "onec.create_invoice"}
        assert whole.check is not None
        assert "УНФ" in await whole.check()
        office.onec.publishes_service = False
        assert "OData" in await whole.check()
        webhook_only = make_onec(OnecSettings(webhook_token="t"), http=None, now=lambda: NOW, log_call=log)
        assert (len(webhook_only.webhooks), webhook_only.actions, webhook_only.check) == (1, {}, None)
        assert make_onec(OnecSettings(url=office.url), http=http, now=lambda: NOW, log_call=log).webhooks == ()
    with pytest.raises(ValueError, match="Nowhere"):
        make_onec(OnecSettings(timezone="Nowhere/City"), http=None, now=lambda: NOW, log_call=log)


# ----------------------------------------------------------------------------------------------- recorded answers


def reply(name: str, status: int = 200) -> Reply:
    return Reply(status, (ODATA / name).read_bytes())


@pytest.mark.parametrize(
    ("name", "count", "rows"),
    [
        ("bank_receipts.json", 1, 1),
        ("counterparties_by_inn.json", None, 1),
        ("counterparties_none.json", None, 0),
        ("invoice_status_register.json", None, 1),
    ],
)
def test_recorded_lists_are_read(name: str, count: int | None, rows: int) -> None:
    found = rows_of(reply(name))
    assert (found.count, len(found.value)) == (count, rows)


def test_recorded_objects_are_read() -> None:
    assert reply_json(reply("customer_order.json"))["СуммаДокумента"] == 15300
    assert reply_json(reply("created_order.201.json"))["Posted"] is False
    assert reply_json(reply("hs_ping_with_bom.json"))["ok"] is True
    assert reply_json(reply("count.txt")) == 17


@pytest.mark.parametrize("name", ["default_atom.xml", "error.xml"])
def test_xml_in_place_of_rows_is_rejected(name: str) -> None:
    with pytest.raises(Rejected):
        rows_of(reply(name))


@pytest.mark.parametrize(
    ("name", "status", "error", "code"),
    [
        ("error_business_500.json", 500, ConfigurationError, "invalid"),
        ("error_not_found_404.json", 404, NotFound, "not_found"),
        ("error_type_404.json", 404, NotPublished, "unavailable"),
        ("error_access_401.json", 401, Rejected, "forbidden"),
        ("error.xml", 400, Rejected, "invalid"),
        ("hs_error_500.txt", 500, ConfigurationError, "invalid"),
    ],
)
def test_recorded_errors_tell_never_and_why(name: str, status: int, error: type[Never], code: str) -> None:
    for writes in (True, False):
        with pytest.raises(error) as caught:
            check(reply(name, status), writes=writes)
        assert (caught.value.code, caught.value.stops_system) == (code, False)


@pytest.mark.parametrize(
    ("status", "body", "read_error", "write_error"),
    [
        (500, b"<html><h1>500</h1></html>", Unavailable, Unknown),
        (502, b"", Unavailable, Unknown),
        (503, b"", Unavailable, Unavailable),
        (504, b"", Unavailable, Unknown),
        (429, b"", Unavailable, Unavailable),
        (501, b"", Rejected, Rejected),
        (301, b"", NotPublished, NotPublished),
        (403, b"", Rejected, Rejected),
        (404, b"<html>", NotPublished, NotPublished),
        (404, b'{"error":"no"}', NotFound, NotFound),
        (412, b"", Rejected, Rejected),
        (500, "Не обнаружено свободной лицензии".encode("cp1251"), Unavailable, Unavailable),
        (500, "<html><body>{Модуль(5,1)}: Ошибка</body></html>".encode(), ConfigurationError, ConfigurationError),
    ],
)
def test_statuses_tell_later_from_never_and_unknown(
    status: int, body: bytes, read_error: type[Exception], write_error: type[Exception]
) -> None:
    with pytest.raises(read_error):
        check(Reply(status, body), writes=False)
    with pytest.raises(write_error):
        check(Reply(status, body), writes=True)


def test_an_xml_error_is_understood() -> None:
    told = told_error(reply("error.xml", 400))
    assert (told.code, told.message) == ("6", "Неверный адрес")


@pytest.mark.parametrize(
    "url",
    ["https://h/unf", "https://h/unf/", "https://h/unf/odata/standard.odata/", "https://h/unf/hs/dialogs/v1",
     "https://h/unf/hs"],
)  # fmt: skip
def test_the_address_of_the_publication_may_be_written_in_several_ways(url: str) -> None:
    assert publication(url) == "https://h/unf"


def test_cyrillic_and_quotes_are_encoded_in_an_address() -> None:
    url = odata_url("https://h/unf", "Catalog_Контрагенты", options={"$filter": "ИНН eq '7'"})
    assert url == (
        "https://h/unf/odata/standard.odata/Catalog_%D0%9A%D0%BE%D0%BD%D1%82%D1%80%D0%B0%D0%B3%D0%B5%D0%BD%D1%82%D1%8B"
        "?$format=json&$filter=%D0%98%D0%9D%D0%9D%20eq%20%277%27"
    )


# ----------------------------------------------------------------------------------------- another configuration


async def test_accounting_tells_the_state_in_its_register(serve: Served) -> None:
    """Бухгалтерия: no orders, the invoice carries our id, and a register holds the state as a word."""
    invoice = {"Ref_Key": "11aa53f0-06f2-11ef-9a4c-00155d012a03", "Number": "00БП-000045 ", "СуммаДокумента": 15300}
    asked: list[str] = []

    async def odata(request: web.Request) -> web.Response:
        resource = request.match_info["resource"]
        asked.append(resource)
        if resource == "Document_СчетНаОплатуПокупателю":
            if "substringof" in request.query.get("$filter", ""):  # a comment of unlimited length
                return web.json_response({"odata.error": {"code": "14", "message": {"value": "нет"}}}, status=400)
            comments = ["okdesk-51", "по заявке okdesk-5, срочно"]
            return web.json_response({"value": [{**invoice, "Комментарий": text} for text in comments]})
        if resource == "InformationRegister_СтатусыДокументов":
            assert "cast(guid'11aa53f0" in request.query["$filter"]
            return web.Response(body=(ODATA / "invoice_status_register.json").read_bytes())
        return web.Response(status=404)

    app = web.Application()
    app.router.add_get("/bp/odata/standard.odata/{resource}", odata)
    async with serve(app) as url, httpx.AsyncClient() as http:
        settings = OnecSettings(url=f"{url}/bp", profile=PROFILES["bp"])
        client = OnecClient(settings, http, now=lambda: NOW, log_call=lambda *line: None)
        done = await OnecActions(client, settings).get_payment(order("onec.get_payment", issue_id=5))
    assert done.result == {
        "order_number": None,
        "invoice_number": "00БП-000045",
        "state": "paid",
        "total": 1530000,
        "paid": 1530000,
        "due": 0,
        "url": None,
    }
    assert asked.count("Document_СчетНаОплатуПокупателю") == 2
