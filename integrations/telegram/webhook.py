"""POST /webhooks/telegram: one Update in each request."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from integrations.base import Answer, Outcome, Received, Request
from integrations.telegram.updates import event_from_body

PATH = "/webhooks/telegram"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (the name of a header)

ACCEPTED = Answer(200, b"{}")
REFUSED = Answer(401, b'{"error":{"code":"unauthorized","message":"wrong or missing secret token","details":null}}')


class TelegramWebhook:
    """Checks the secret and keeps the bytes; everything that passed the check is answered 200.

    Another answer would hold back the whole chat for up to 24 hours, and 410 would remove the webhook
    (contract 1.2), so an update that cannot be read is kept as dead and taken all the same.
    """

    path = PATH
    with_tail = False
    methods: tuple[str, ...] = ("POST",)
    max_body_bytes = 4 * 1024 * 1024

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the webhook of Telegram needs a secret token")
        self._secret = secret.encode()

    def receive(self, request: Request) -> Answer | Received:
        given = request.headers.get(SECRET_HEADER, "")
        # bytes: compare_digest refuses a str that is not ASCII, and a header may hold anything
        if not secrets.compare_digest(given.encode("utf-8", "backslashreplace"), self._secret):
            return REFUSED
        return Received([event_from_body(request.body)], accepted)


def accepted(outcomes: Sequence[Outcome]) -> Answer:
    """New, duplicate or conflict: for Telegram it is delivered."""
    return ACCEPTED
