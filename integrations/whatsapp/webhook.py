"""Meta's calls to us: who called, and which events one call holds. Contract: sections 2 and 3."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from integrations.base import Answer, Outcome, Received, Request
from integrations.whatsapp.settings import WhatsAppSettings
from integrations.whatsapp.splitting import split

_ACCEPTED = Answer(200)  # exactly 200: any other 2xx counts as a failure
_FORBIDDEN = Answer(403, content_type="text/plain")
_UNSIGNED = Answer(
    401, b'{"error":{"code":"bad_signature","message":"X-Hub-Signature-256 does not fit the body","details":null}}'
)


class WhatsAppWebhook:
    """`/webhooks/whatsapp`: GET proves that the address is ours, POST brings updates."""

    path: str = "/webhooks/whatsapp"
    with_tail: bool = False
    methods: tuple[str, ...] = ("GET", "POST")
    max_body_bytes: int = 4 * 1024 * 1024  # Meta sends up to 3 MB

    def __init__(self, settings: WhatsAppSettings) -> None:
        self._verify_token = settings.verify_token.encode()
        self._signers = tuple(Signer(secret.encode()) for secret in settings.app_secrets)
        self._numbers = frozenset(settings.numbers)

    def receive(self, request: Request) -> Answer | Received:
        if request.method == "GET":
            return self._verified(request.query)
        if not self._is_signed(request.headers.get("X-Hub-Signature-256"), request.body):
            return _UNSIGNED
        events = split(request.body, self._numbers, request.received_at)
        if not events:
            return _ACCEPTED
        return Received(events, _accepted, body=request.body if len(events) > 1 else b"")

    def _is_signed(self, signature: str | None, body: bytes) -> bool:
        """Over the bytes as received: parsing and writing again would change every Russian letter."""
        if not signature or not signature.isascii():
            return False
        is_fit = False
        for signer in self._signers:  # all are tried: how long the check takes must not tell which one fitted
            is_fit |= hmac.compare_digest(signature, signer.sign(body))
        return is_fit

    def _verified(self, query: Mapping[str, Sequence[str]]) -> Answer:
        """Each of the three parameters exactly once, otherwise it was not Meta."""
        mode, token, challenge = (query.get(f"hub.{name}", ()) for name in ("mode", "verify_token", "challenge"))
        if len(mode) != 1 or len(token) != 1 or len(challenge) != 1 or mode[0] != "subscribe":
            return _FORBIDDEN
        if not hmac.compare_digest(token[0].encode("utf-8", "surrogateescape"), self._verify_token):
            return _FORBIDDEN
        return Answer(
            200,
            challenge[0].encode("utf-8", "surrogateescape"),
            content_type="text/plain",
            headers=(("X-Content-Type-Options", "nosniff"),),  # the challenge is text of a stranger
        )


def _accepted(_: Sequence[Outcome]) -> Answer:
    """The same for news and repeats: Meta ignores the body and repeats anything but 200 for seven days."""
    return _ACCEPTED


class Signer:
    """Meta's signatures: "sha256=" and the HMAC-SHA256 of the body.

    Begun with the secret once and copied for every body, which costs less than beginning anew.
    """

    def __init__(self, secret: bytes) -> None:
        self._begun = hmac.new(secret, digestmod="sha256")

    def sign(self, body: bytes) -> str:
        signing = self._begun.copy()
        signing.update(body)
        return f"sha256={signing.hexdigest()}"
