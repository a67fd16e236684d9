"""The settings of a measured service."""

from __future__ import annotations

from pathlib import Path

from benchmarks.messages import ACCESS_TOKEN, APP_SECRET, PHONE_NUMBER_ID, VERIFY_TOKEN

FLOWS = Path(__file__).parent / "flows"


def sqlite_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def service_environment(database_url: str, graph_url: str = "http://127.0.0.1:9") -> dict[str, str]:
    """WhatsApp alone, with the benchmark's own flow."""
    return {
        "DATABASE_URL": database_url,
        "FLOWS_DIR": str(FLOWS),
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "json",
        "WHATSAPP_API_URL": graph_url,
        "WHATSAPP_ACCESS_TOKEN": ACCESS_TOKEN,
        "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
        "WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN,
        "WHATSAPP_APP_SECRET": APP_SECRET,
    }
