"""Structured logs: JSON lines, or readable ones on a terminal. No message texts, no phones, no tokens."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping, Sequence
from typing import Any

import structlog

_QUIET = {"httpx": "WARNING", "httpcore": "WARNING", "aiohttp.access": "WARNING", "aiogram": "WARNING",
          "asyncio": "WARNING", "alembic": "WARNING", "aiosqlite": "WARNING", "transitions": "WARNING"}  # fmt: skip


def set_up_logs(level: str, log_format: str | None, secrets: Sequence[str]) -> None:
    """`log_format`: json, console, or None = console on a terminal. Secrets are masked wherever they turn up."""
    use_console = log_format == "console" or (log_format is None and sys.stderr.isatty())

    def mask(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if isinstance(value, str):
                for secret in secrets:
                    if secret in value:
                        value = value.replace(secret, "***")
                event[name] = value
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # The plain traceback: a rich one shows the values of variables, which are people's words.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = console if use_console else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(logging.getLevelName(quiet), logging.getLevelName(level)))
