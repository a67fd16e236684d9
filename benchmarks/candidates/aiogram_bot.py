"""A webhook bot as aiogram's manual writes it: a dialog of three states in memory. `PORT BOT_API_URL`"""

from __future__ import annotations

import sys

import orjson
from aiogram import Bot, Dispatcher, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.memory import MemoryStorage
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from benchmarks.candidates.running import run, serve_until_stopped
from benchmarks.messages import BOT_TOKEN, TELEGRAM_PATH

router = Router()


class Survey(StatesGroup):
    name = State()
    city = State()
    thing = State()


@router.message(Survey.name)
async def take_name(message: Message, state: FSMContext) -> None:
    await state.update_data(name=message.text)
    await state.set_state(Survey.city)
    await message.answer(f"2. Which city are you in, {message.text}?")


@router.message(Survey.city)
async def take_city(message: Message, state: FSMContext) -> None:
    await state.update_data(city=message.text)
    await state.set_state(Survey.thing)
    await message.answer("3. What needs repair?")


@router.message(Survey.thing)
async def take_thing(message: Message, state: FSMContext) -> None:
    await state.update_data(thing=message.text)
    await state.set_state(Survey.name)
    await message.answer("1. What is your name?")


@router.message()
async def begin(message: Message, state: FSMContext) -> None:
    await state.set_state(Survey.name)
    await message.answer("1. What is your name?")


async def main() -> None:
    session = AiohttpSession(
        api=TelegramAPIServer.from_base(sys.argv[2]),
        json_loads=orjson.loads,
        json_dumps=lambda value: orjson.dumps(value).decode(),
    )
    bot = Bot(BOT_TOKEN, session=session)
    dispatcher = Dispatcher(storage=MemoryStorage())
    dispatcher.include_router(router)
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot).register(app, path=TELEGRAM_PATH)
    await serve_until_stopped(app, int(sys.argv[1]))
    await bot.session.close()


if __name__ == "__main__":
    run(main)
