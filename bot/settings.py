"""Every setting, read once by the entry point. Everything else takes the values it needs as arguments."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

Names = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """The settings cannot be used; the message says which one and what to do."""


def _names(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """Environment variables or `.env` (INTERFACE: settings). A group without its variables is switched off."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///var/fixit.db")
    host: str = "0.0.0.0"  # noqa: S104 - the address of a container's only process
    port: int = Field(8000, ge=0, le=65535)
    base_url: str | None = Field(None, validation_alias=AliasChoices("BASE_URL", "WEBHOOK_BASE_URL"))
    domain: str | None = None
    secret_key: SecretStr | None = None
    api_token: SecretStr | None = None
    trusted_proxies: Names = ()
    timezone: str = "Europe/Moscow"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] | None = None
    flows_dir: str | None = None
    pii_retention_days: int = Field(365, ge=1)
    late_after_minutes: int = Field(60, ge=1)
    clock_offset_seconds: int = 0
    faults: str = ""  # POINT=KIND@N, …: what shall go wrong in a rehearsal (storage/faults.py)

    whatsapp_access_token: SecretStr | None = None
    whatsapp_phone_number_id: str | None = None
    whatsapp_verify_token: SecretStr | None = None
    whatsapp_app_secret: SecretStr | None = Field(
        None, validation_alias=AliasChoices("WHATSAPP_APP_SECRET", "APP_SECRET")
    )
    whatsapp_api_url: str = "https://graph.facebook.com"
    whatsapp_api_version: str = "v23.0"

    telegram_bot_token: SecretStr | None = None
    telegram_api_url: str = "https://api.telegram.org"
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_secret: SecretStr | None = None
    telegram_managers_chat_id: int | None = None

    okdesk_url: str | None = None
    okdesk_api_token: SecretStr | None = None
    okdesk_author_id: int | None = None
    okdesk_webhook_user: str | None = Field(None, validation_alias=AliasChoices("OKDESK_WEBHOOK_USER", "OKDESK_USER"))
    okdesk_webhook_password: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OKDESK_WEBHOOK_PASSWORD", "OKDESK_PASS")
    )

    onec_webhook_token: SecretStr | None = None
    onec_allowed_networks: Names = ()
    onec_base_ids: Names = ()
    onec_url: str | None = None
    onec_user: str | None = None
    onec_password: SecretStr | None = None

    _split = field_validator("trusted_proxies", "onec_allowed_networks", "onec_base_ids", mode="before")(_names)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any, info: Any) -> Any:
        """`NAME=` in an .env file means the variable is not set; a line break at the end of a secret is none of it."""
        if not isinstance(value, str):
            return value
        return value.strip() or cls.model_fields[info.field_name].get_default()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"TIMEZONE: no such time zone: {value}") from error
        return value

    @field_validator("trusted_proxies", "onec_allowed_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network, strict=False)
            except ValueError as error:
                raise ValueError(f"{info.field_name.upper()}: not a network: {network}") from error
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr) -> SecretStr:
        try:
            driver = make_url(value.get_secret_value()).drivername
        except ArgumentError as error:
            raise ValueError("DATABASE_URL: cannot be read") from error
        if driver not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            raise ValueError("DATABASE_URL must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        return value

    @model_validator(mode="after")
    def _groups(self) -> Self:
        problems = [
            *_half("WhatsApp", self, "WHATSAPP_ACCESS_TOKEN", "WHATSAPP_PHONE_NUMBER_ID", "WHATSAPP_VERIFY_TOKEN",
                   "WHATSAPP_APP_SECRET"),
            *_half("Okdesk", self, "OKDESK_URL", "OKDESK_API_TOKEN"),
            *_half("Okdesk webhooks", self, "OKDESK_WEBHOOK_USER", "OKDESK_WEBHOOK_PASSWORD"),
            *_half("1C", self, "ONEC_URL", "ONEC_USER", "ONEC_PASSWORD"),
        ]  # fmt: skip
        if self.telegram_bot_token and self.telegram_mode == "webhook":
            if self.telegram_webhook_secret is None:
                problems.append("Telegram: TELEGRAM_MODE=webhook needs TELEGRAM_WEBHOOK_SECRET")
            if self.public_url is None:
                problems.append("Telegram: TELEGRAM_MODE=webhook needs BASE_URL")
        if self.telegram_managers_chat_id is not None and not self.telegram_bot_token:
            problems.append("Telegram: TELEGRAM_MANAGERS_CHAT_ID is set, but TELEGRAM_BOT_TOKEN is missing")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def public_url(self) -> str | None:
        """The address that others reach us at, without a trailing slash."""
        if self.base_url:
            return self.base_url.rstrip("/")
        return f"https://{self.domain.strip('/')}" if self.domain else None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def secrets(self) -> tuple[str, ...]:
        """Every secret that is set, for the masks of logs and journals."""
        found: list[str] = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr) and name != "database_url":
                found += [part.strip() for part in value.get_secret_value().split(",") if len(part.strip()) >= 4]
        password = make_url(self.database_url.get_secret_value()).password
        return tuple(found) + ((str(password),) if password else ())


def _half(title: str, settings: Settings, *names: str) -> list[str]:
    present = [name for name in names if getattr(settings, name.lower()) not in (None, "")]
    missing = [name for name in names if name not in present]
    if present and missing:
        return [f"{title}: {', '.join(present)} is set, but {', '.join(missing)} is missing"]
    return []


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and `.env`. Raises SettingsError with sentences that name the variables."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]).upper()
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message if not where or where in message else f"{where}: {message}"
