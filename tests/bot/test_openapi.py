"""Requests made up from our own description: whatever they hold, never a 500, and always an answer we described."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from structlog.testing import capture_logs

from bot.api.openapi import document
from tests.bot.service import EVERYTHING, OKDESK_LOGIN, TELEGRAM_SECRET, Alone, alone, basic, given_dialog
from tests.stage import BEARER, sqlite_url

OPERATIONS = [
    (path, method)
    for path, item in document()["paths"].items()
    for method in item
    if method in ("get", "post", "put", "delete", "patch")
]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Alone]:
    with capture_logs() as logs:
        async with alone(sqlite_url(tmp_path), **EVERYTHING) as service:
            await given_dialog(service.service, subjects=["issue:1077"])
            await service.telegram(b'{"update_id": 1}')
            yield service
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []


def headers_for(path: str) -> dict[str, str]:
    """Past the sender check, where the interesting code is."""
    if path == "/webhooks/okdesk":
        return {"Authorization": basic(*OKDESK_LOGIN)}
    if path == "/webhooks/telegram":
        return {"X-Telegram-Bot-Api-Secret-Token": TELEGRAM_SECRET}
    if path == "/webhooks/onec":
        return {"X-Token": EVERYTHING["ONEC_WEBHOOK_TOKEN"]}
    return BEARER


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{m} {p}" for p, m in OPERATIONS])
async def test_no_request_that_the_description_allows_breaks_the_service(
    service: Alone, path: str, method: str
) -> None:
    schema = schemathesis.openapi.from_dict(document())
    operation = schema[path][method]
    headers = headers_for(path)

    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def every_request(case: Any) -> None:
        response = case.call(base_url=service.url, headers=headers)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])

    await asyncio.to_thread(every_request)
