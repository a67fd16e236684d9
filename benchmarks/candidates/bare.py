"""The floor: an aiohttp handler that reads the body and answers 200. `PORT`"""

from __future__ import annotations

import sys

from aiohttp import web

from benchmarks.candidates.running import run, serve_until_stopped
from benchmarks.messages import WHATSAPP_PATH


async def handle(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


async def main() -> None:
    app = web.Application()
    app.router.add_post(WHATSAPP_PATH, handle)
    await serve_until_stopped(app, int(sys.argv[1]))


if __name__ == "__main__":
    run(main)
