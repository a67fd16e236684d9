"""What the folder must be told before it can speak to Meta."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WhatsAppSettings:
    """Secrets are kept out of `repr`; an empty one is refused, because an empty secret would let anybody in."""

    access_token: str = field(repr=False)
    phone_number_id: str  # one or several, comma-separated; the first is the one that begins conversations
    verify_token: str = field(repr=False)
    app_secrets: tuple[str, ...] = field(repr=False)  # several while a secret is being changed
    api_url: str = "https://graph.facebook.com"
    api_version: str = "v23.0"

    def __post_init__(self) -> None:
        """Raises ValueError with the name of the empty setting."""
        for name in ("access_token", "verify_token", "api_url", "api_version"):
            if not getattr(self, name).strip():
                raise ValueError(f"WhatsApp setting {name} is empty")
        if not self.numbers:
            raise ValueError("WhatsApp setting phone_number_id is empty")
        if not self.app_secrets or not all(self.app_secrets):
            raise ValueError("WhatsApp setting app_secrets is empty")

    @property
    def numbers(self) -> tuple[str, ...]:
        """Ids of our numbers, in the order given."""
        return tuple(number.strip() for number in self.phone_number_id.split(",") if number.strip())
