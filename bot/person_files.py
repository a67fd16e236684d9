"""The files that a person sent, fetched from the channels once more: as far as those still have them."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import structlog

from bot.logs import set_up_logs
from bot.services import MAX_FILE_BYTES, FixitService
from bot.settings import Settings
from dialogs.events import File
from integrations.base import Channel, Later, Never, Unknown

log = structlog.get_logger(__name__)

_KNOWN = tuple(field.name for field in fields(File))


async def fetch_files(settings: Settings, told: dict[str, Any], folder: Path | None) -> list[dict[str, Any]]:
    """What became of each file of the messages of an export: `saved_as`, or `not_fetched` with the reason."""
    channel_of = {talk["id"]: talk["channel"] for talk in told["conversations"]}
    wanted = [
        (message, number, file)
        for message in told["messages"]
        for number, file in enumerate(message["files"] or (), 1)
        if isinstance(file, dict)
    ]
    if not wanted:
        return []
    set_up_logs("ERROR", settings.log_format, settings.secrets())  # standard output holds the JSON alone
    service = FixitService(settings, serves=False, works=False)
    try:
        if folder is not None:
            await service.make_integrations()
        channels = service.channels()
        return [
            {
                "message_id": message["id"],
                **{name: file.get(name) for name in ("kind", "name", "mime", "size")},
                **await _fetch(
                    channels, str(channel_of.get(message["conversation_id"])), message, number, file, folder
                ),
            }
            for message, number, file in wanted
        ]
    finally:
        await service.stop()


async def _fetch(
    channels: Mapping[str, Channel],
    channel: str,
    message: Mapping[str, Any],
    number: int,
    file: Mapping[str, Any],
    folder: Path | None,
) -> dict[str, str]:
    if folder is None:
        return {"not_fetched": "no folder was named with --out"}
    if message["direction"] == "out":  # what a manager sent lies where managers write
        channel = "telegram"
    if channel not in channels:
        return {"not_fetched": f"{channel} is not configured"}
    try:
        data = await channels[channel].download(File(**{name: file.get(name) for name in _KNOWN}), MAX_FILE_BYTES)  # type: ignore[arg-type]
    except (Later, Never, Unknown) as error:
        return {"not_fetched": str(error)}
    # The name is the person's own words: a path is never made of it.
    name = f"files/{message['id']}-{number}{mimetypes.guess_extension(str(file.get('mime') or '')) or ''}"
    target = folder / name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.write_bytes(data)
    return {"saved_as": name}
