"""WhatsApp Business Cloud API: a channel for customers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import aiohttp

from integrations.base import CallLog, Integration
from integrations.whatsapp.actions import Sending, make_actions
from integrations.whatsapp.channel import WhatsAppChannel
from integrations.whatsapp.client import WhatsAppClient
from integrations.whatsapp.media import MediaStore
from integrations.whatsapp.reading import make_reader
from integrations.whatsapp.sameness import is_same
from integrations.whatsapp.settings import WhatsAppSettings
from integrations.whatsapp.webhook import WhatsAppWebhook

__all__ = ["WhatsAppSettings", "make_whatsapp"]


def make_whatsapp(
    settings: WhatsAppSettings,
    *,
    http: aiohttp.ClientSession,
    now: Callable[[], datetime],
    log_call: CallLog,
) -> Integration:
    """Everything that the service knows of WhatsApp. `http` is opened and closed by the caller.

    Raises ValueError if a setting cannot stand in an HTTP request.
    """
    client = WhatsAppClient(settings, http, log_call)
    sending = Sending(client, now)
    channel = WhatsAppChannel(settings.numbers[0], MediaStore(client), sending)
    return Integration(
        "whatsapp",
        webhooks=(WhatsAppWebhook(settings),),
        read=make_reader(frozenset(settings.numbers)),
        actions=make_actions(sending),
        channel=channel,
        per_second=80.0,  # of the number, in and out together (contract, section 7)
        in_flight=64,
        check=client.check,
        stop=client.close,
        same=is_same,
        pace_delay=lambda recipient, at: channel.pace.delay(recipient, at.timestamp()),
        pace_sent=lambda recipient, at: channel.pace.sent(recipient, at.timestamp()),
    )
