"""What our side has to know of one Okdesk account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from types import MappingProxyType
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RATINGS: Mapping[int, str] = MappingProxyType({1: "bad", 2: "bad", 3: "normal", 4: "good", 5: "good"})


@dataclass(frozen=True, slots=True)
class OkdeskSettings:
    """Settings of the account. Raises ValueError with a plain sentence when a part is filled by half.

    `url` and `api_token` switch our calls on, `webhook_user` and `webhook_password` Okdesk's calls to us; either part
    works without the other. Codes of statuses differ from account to account: those here are the usual ones.
    """

    url: str | None = None  # https://ACCOUNT.okdesk.ru, with or without a trailing / and /api/v1
    api_token: str | None = field(default=None, repr=False)
    author_id: int | None = None  # employee in whose name comments are written; None = the contact of the issue
    webhook_user: str | None = field(default=None, repr=False)
    webhook_password: str | None = field(default=None, repr=False)
    webhook_tail: str | None = field(default=None, repr=False)  # secret last part of the address, in place of Basic
    webhook_networks: tuple[str, ...] = ()  # CIDR; empty = from anywhere
    timezone: str = "Europe/Moscow"  # of the account: times in requests carry no offset
    final_statuses: tuple[str, ...] = ("completed", "closed")
    postponing_statuses: tuple[str, ...] = ("delayed",)  # those that Okdesk wants `delay_to` for
    dialog_ref_code: str | None = "dialog_ref"  # custom attribute that holds our key; None = there is none
    delay_to_format: str = "%Y-%m-%dT%H:%M"
    max_file_bytes: int = 20 * 1024 * 1024
    ratings: Mapping[int, str] = field(default_factory=lambda: _RATINGS)
    last_name: str = "—"  # both names of a contact are mandatory; messengers often give one
    first_name: str = "Клиент"
    issue_title: str = "Обращение клиента"  # when a customer's text has no meaningful line
    per_second: float = 5.0  # calls; Okdesk documents no limit
    in_flight: int = 4
    timeout_s: float = 30.0
    upload_timeout_s: float = 60.0
    retry_base_s: float = 0.5  # pause before the second try of a reading call, doubled each time

    def __post_init__(self) -> None:
        if bool(self.url) != bool(self.api_token):
            raise ValueError("Okdesk: OKDESK_URL and OKDESK_API_TOKEN go together, one of them is missing.")
        if bool(self.webhook_user) != bool(self.webhook_password):
            raise ValueError(
                "Okdesk: OKDESK_WEBHOOK_USER and OKDESK_WEBHOOK_PASSWORD go together, one of them is missing."
            )
        if self.url:
            parts = urlsplit(self.url.strip())
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise ValueError("Okdesk: OKDESK_URL must look like https://ACCOUNT.okdesk.ru.")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"Okdesk: there is no time zone {self.timezone}.") from error
        for network in self.webhook_networks:
            ip_network(network, strict=False)  # ValueError names the wrong one

    @property
    def calls(self) -> bool:
        """We may call Okdesk."""
        return bool(self.url and self.api_token)

    @property
    def listens(self) -> bool:
        """Okdesk may call us."""
        return bool((self.webhook_user and self.webhook_password) or self.webhook_tail)

    @property
    def site(self) -> str:
        """The account's address without a trailing slash; empty when there is none."""
        site = (self.url or "").strip().rstrip("/")
        return site.removesuffix("/api/v1").rstrip("/")

    def portal_link(self, issue_id: int) -> str | None:
        """Where a person reads the issue in full."""
        return f"{self.site}/issues/{issue_id}" if self.site else None

    def local(self, moment: datetime) -> datetime:
        """The same moment on the account's clock."""
        return moment.astimezone(ZoneInfo(self.timezone))
