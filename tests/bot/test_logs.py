"""What the log shows of an error: where it was, and nobody's words."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.logs import set_up_logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    config = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.configure(**config)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_has_no_variables_and_no_secrets(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", log_format, ["12345:hush"])
    words = "+7 912 345-67-89"

    def fails(said: str) -> None:
        raise ValueError(f"https://api.telegram.org/bot12345:hush/{len(said)}")

    log = structlog.get_logger("shop")
    try:
        fails(words)
    except ValueError:
        log.exception("order_failed", token="12345:hush")
    shown = capsys.readouterr().err
    assert "order_failed" in shown
    assert "in fails" in shown
    assert "bot***/16" in shown
    assert "hush" not in shown
    assert words not in shown
