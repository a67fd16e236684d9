"""What can be set, and how the start refuses what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import SettingsError, load_settings
from tests.bot.service import EVERYTHING, OKDESK, ONEC, TELEGRAM, WHATSAPP
from tests.stage import settings_from


def test_without_any_variable_everything_is_off_and_the_database_is_a_file() -> None:
    settings = settings_from({})
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///var/fixit.db"
    assert (settings.port, settings.timezone, settings.telegram_mode) == (8000, "Europe/Moscow", "polling")
    assert settings.secrets() == ()


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"WHATSAPP_ACCESS_TOKEN": "t"}, ["WHATSAPP_PHONE_NUMBER_ID", "WHATSAPP_VERIFY_TOKEN", "WHATSAPP_APP_SECRET"]),
        ({**WHATSAPP, "WHATSAPP_APP_SECRET": ""}, ["WHATSAPP_APP_SECRET"]),
        ({**WHATSAPP, "WHATSAPP_VERIFY_TOKEN": "  "}, ["WHATSAPP_VERIFY_TOKEN"]),
        ({"OKDESK_URL": "https://a.okdesk.ru"}, ["OKDESK_API_TOKEN"]),
        ({"OKDESK_WEBHOOK_USER": "okdesk"}, ["OKDESK_WEBHOOK_PASSWORD"]),
        ({"ONEC_URL": "https://1c.example"}, ["ONEC_USER", "ONEC_PASSWORD"]),
        ({"TELEGRAM_MANAGERS_CHAT_ID": "-100"}, ["TELEGRAM_BOT_TOKEN"]),
        ({"TELEGRAM_BOT_TOKEN": "1:a", "TELEGRAM_MODE": "webhook"}, ["TELEGRAM_WEBHOOK_SECRET", "BASE_URL"]),
    ],
)
def test_a_half_filled_group_stops_the_start_and_names_what_is_missing(
    given: dict[str, str], missing: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from(given)
    for name in missing:
        assert name in str(caught.value)
    for secret in given.values():
        if len(secret.strip()) > 3:
            assert secret not in str(caught.value) or secret in ("okdesk", "webhook")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "eighty"),
        ("TIMEZONE", "Mars/Base"),
        ("DATABASE_URL", "mysql://host/db"),
        ("DATABASE_URL", "nonsense"),
        ("ONEC_ALLOWED_NETWORKS", "10.0.0.0/8, somewhere"),
        ("TRUSTED_PROXIES", "127.0.0.1, the proxy"),
        ("TELEGRAM_MODE", "pigeon"),
        ("LOG_LEVEL", "LOUD"),
        ("TELEGRAM_MANAGERS_CHAT_ID", "@managers"),
        ("PII_RETENTION_DAYS", "0"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from({name: value})
    assert name in str(caught.value)


def test_the_older_names_are_read_too() -> None:
    settings = settings_from(
        {"APP_SECRET": "s3cret", "OKDESK_USER": "u", "OKDESK_PASS": "p4ss", "WEBHOOK_BASE_URL": "https://a.example/"}
        | {name: value for name, value in WHATSAPP.items() if name != "WHATSAPP_APP_SECRET"}
    )
    assert settings.whatsapp_app_secret is not None
    assert settings.whatsapp_app_secret.get_secret_value() == "s3cret"
    assert settings.okdesk_webhook_user == "u"
    assert settings.public_url == "https://a.example"
    assert settings_from({"DOMAIN": "b.example"}).public_url == "https://b.example"
    assert settings_from({"DOMAIN": "b.example", "BASE_URL": "https://c.example"}).public_url == "https://c.example"


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    settings = settings_from({"PORT": "", "OKDESK_URL": "", "API_TOKEN": " ", "ONEC_BASE_IDS": "", "LOG_FORMAT": ""})
    assert settings.port == 8000
    assert settings.okdesk_url is None
    assert settings.api_token is None
    assert settings.onec_base_ids == ()


def test_lists_are_cut_at_commas() -> None:
    settings = settings_from({"ONEC_ALLOWED_NETWORKS": "10.0.0.0/8, 192.168.1.5", "ONEC_BASE_IDS": " a ,b,, "})
    assert settings.onec_allowed_networks == ("10.0.0.0/8", "192.168.1.5")
    assert settings.onec_base_ids == ("a", "b")


def test_a_env_file_is_read_and_the_environment_outvotes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=8001\nTIMEZONE='Asia/Omsk'\n# a remark\nUNKNOWN=1\nAPI_TOKEN=\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "8002")
    settings = load_settings()
    assert (settings.port, settings.timezone, settings.api_token) == (8002, "Asia/Omsk", None)


def test_secrets_are_not_shown_and_all_of_them_are_masked() -> None:
    settings = settings_from(
        {**EVERYTHING, "WHATSAPP_APP_SECRET": "first-secret, second-secret",
         "DATABASE_URL": "postgresql+asyncpg://user:db-password@host/db"}
    )  # fmt: skip
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    secrets = settings.secrets()
    assert {"first-secret", "second-secret", "db-password"} <= set(secrets)
    for secret in (
        *secrets,
        TELEGRAM["TELEGRAM_BOT_TOKEN"],
        OKDESK["OKDESK_WEBHOOK_PASSWORD"],
        ONEC["ONEC_WEBHOOK_TOKEN"],
    ):
        assert secret not in shown
        assert secret in secrets


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = settings_from({})
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1
