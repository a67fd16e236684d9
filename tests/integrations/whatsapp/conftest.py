"""Fixtures: the integration and the simulator speaking to each other by real HTTP."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from integrations.base import Integration, Received, Request
from integrations.whatsapp import make_whatsapp
from integrations.whatsapp.simulator import SimulatedWhatsApp
from tests.integrations.whatsapp.given import SECRET, ApiServer, Clock, Service, respond, serve, settings
from tests.integrations.whatsapp.peers import Meeting


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calls() -> list[tuple[Any, ...]]:
    return []


async def stopped(whatsapp: Integration) -> None:
    assert whatsapp.stop is not None
    await whatsapp.stop()


@pytest.fixture
async def service(clock: Clock, calls: list[tuple[Any, ...]]) -> AsyncIterator[Service]:
    """The integration and the simulator, speaking to each other by real HTTP."""
    holder: list[Service] = []

    async def webhook(request: web.Request) -> web.Response:
        here = holder[0]
        if here.answers_with is not None:
            here.refused.release()
            return web.Response(status=here.answers_with)
        query = {name: request.query.getall(name) for name in request.query}
        got = here.whatsapp.webhooks[0].receive(
            Request(request.method, request.path, query, request.headers, await request.read(), None, clock())
        )
        if isinstance(got, Received):
            here.take(got)
            got = got.answer(())
        return respond(got)

    async with AsyncExitStack() as stack:
        ours = web.Application(client_max_size=4 * 2**20)
        ours.router.add_route("*", "/webhooks/whatsapp", webhook)
        our_url = await serve(ours, stack)
        simulator = SimulatedWhatsApp(
            webhook_url=f"{our_url}/webhooks/whatsapp",
            app_secret=SECRET,
            verify_token="prüf-mich",
            access_token="EAAtoken",
            phone_number_id="310000000000001",
            waba_id="210000000000001",
            now=clock,
            retry_base_s=0.005,
            templates={"order_ready": "Заказ № {{1}} готов."},
            slow_s=0.01,
        )
        await simulator.start()
        stack.push_async_callback(simulator.close)
        api_url = await serve(simulator.app, stack)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        whatsapp = make_whatsapp(
            settings(phone_number_id="310000000000001", api_url=api_url),
            http=http,
            now=clock,
            log_call=lambda *call: calls.append(call),
        )
        stack.push_async_callback(stopped, whatsapp)
        holder.append(Service(whatsapp, simulator, clock))
        yield holder[0]


@pytest.fixture
async def against(clock: Clock, calls: list[tuple[Any, ...]]) -> AsyncIterator[ApiServer]:
    """Our integration against any small API of the test's own."""
    async with AsyncExitStack() as stack:

        async def connect(app: web.Application) -> Integration:
            url = await serve(app, stack)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            whatsapp = make_whatsapp(
                settings(api_url=url), http=http, now=clock, log_call=lambda *call: calls.append(call)
            )
            stack.push_async_callback(stopped, whatsapp)
            return whatsapp

        yield connect


@pytest.fixture
async def meeting() -> AsyncIterator[Meeting]:
    made = Meeting()
    yield made
    await made.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate for `localhost` that has signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        if os.environ.get("FIXIT_REQUIRE_OPENSSL"):
            pytest.fail("the openssl command is required here, and was not found")
        pytest.skip("no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "key")]
    subprocess.run(
        [openssl, "req", "-x509", *key, *subject, "-out", str(folder / "cert")], check=True, capture_output=True
    )
    (folder / "both").write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return folder / "both"


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(params=["http", "https"])
async def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    """A meeting without TLS, and one with it."""
    made = Meeting()
    if request.param == "https":
        monkeypatch.setenv("SSL_CERT_FILE", str(request.getfixturevalue("certificate")))
        made.tls = request.getfixturevalue("server_tls")
    yield made
    await made.stop()
