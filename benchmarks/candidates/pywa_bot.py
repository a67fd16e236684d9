"""The same bot on pywa's asynchronous client, its state in a dict. `PORT GRAPH_API_URL`

pywa's own server is Starlette, which answers first and handles the update afterwards; so does this handler, on the
server that the other candidates have.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from aiohttp import web
from pywa_async import filters
from pywa_async.client import WhatsApp
from pywa_async.handlers import MessageHandler
from pywa_async.types.message import Message

from benchmarks.candidates.running import run, serve_until_stopped
from benchmarks.messages import ACCESS_TOKEN, APP_SECRET, PHONE_NUMBER_ID, VERIFY_TOKEN, WHATSAPP_PATH

states: dict[str, str] = {}
answers: dict[str, dict[str, str | None]] = {}


async def on_text(_: WhatsApp, message: Message) -> None:
    who = message.from_user.wa_id or ""
    state = states.get(who)
    given = answers.setdefault(who, {})
    if state == "name":
        given["name"] = message.text
        states[who] = "city"
        await message.reply(f"2. Which city are you in, {message.text}?")
    elif state == "city":
        given["city"] = message.text
        states[who] = "thing"
        await message.reply("3. What needs repair?")
    else:
        if state == "thing":
            given["thing"] = message.text
        states[who] = "name"
        await message.reply("1. What is your name?")


async def main() -> None:
    logging.getLogger("pywa").setLevel(logging.WARNING)
    client = WhatsApp(
        phone_id=PHONE_NUMBER_ID,
        token=ACCESS_TOKEN,
        verify_token=VERIFY_TOKEN,
        app_secret=APP_SECRET,
        server=None,
    )
    client.api._session.base_url = f"{sys.argv[2]}/v23.0"
    client.add_handlers(MessageHandler(on_text, filters.text))
    running: set[asyncio.Task[object]] = set()

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        error = await client.webhook_update_validator(body, request.headers.get("X-Hub-Signature-256"))
        if error is not None:
            return web.Response(text=error[0], status=error[1])
        task = asyncio.create_task(client.webhook_update_handler(body))
        running.add(task)
        task.add_done_callback(running.discard)
        return web.Response(text="OK")

    app = web.Application()
    app.router.add_post(WHATSAPP_PATH, handle)
    await serve_until_stopped(app, int(sys.argv[1]))


if __name__ == "__main__":
    run(main)
