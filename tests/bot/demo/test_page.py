"""The page and its files: what they may load, and that both languages say the same."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from bot.demo.bodies import STATUSES, SYSTEMS, TROUBLES
from tests.bot.demo.conftest import Client

ROOT = resources.files("bot.demo")
STATIC = {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "static").iterdir() if file.is_file()}
PAGE = (ROOT / "page.html").read_text(encoding="utf-8")
MODULES = {name: text for name, text in STATIC.items() if name.endswith(".js")}


def words(language: str) -> dict[str, str]:
    """What a words module exports: the braces hold plain JSON."""
    text = STATIC[f"words.{language}.js"]
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("path", ["/demo", "/demo/"])
async def test_the_page_is_served_with_a_strict_policy(client: Client, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "<h1" in STATIC["story.js"] or 'h("h1"' in STATIC["story.js"]


@pytest.mark.parametrize("name", sorted(STATIC))
async def test_every_file_is_served_with_its_type(client: Client, name: str) -> None:
    async with client.get(f"/demo/static/{name}") as response:
        assert response.status == 200
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[name.rpartition(".")[2]]
        assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert await response.text() == STATIC[name]
        etag = response.headers["ETag"]
    async with client.get(f"/demo/static/{name}", headers={"If-None-Match": etag}) as again:
        assert again.status == 304


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapp.py", "%2e%2e%2fapi.py", "..%2f..%2f..%2fpyproject.toml"])
async def test_nothing_but_the_files_is_served(client: Client, name: str) -> None:
    async with client.get(f"/demo/static/{name}") as response:
        assert response.status == 404


async def test_errors_carry_the_policy_too(client: Client) -> None:
    async with client.get("/demo/api/nothing") as response:
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["page.html", *sorted(STATIC)])
def test_no_file_names_an_outside_address(name: str) -> None:
    text = PAGE if name == "page.html" else STATIC[name]
    outside = set(re.findall(r"(?:https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}", text, re.IGNORECASE))
    assert outside <= {"http://www.w3.org"}  # the name of SVG, never loaded


def test_the_page_holds_no_inline_script_or_style() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)", PAGE)
    assert not re.search(r"<style|\sstyle=|\son\w+=", PAGE)
    for name, text in MODULES.items():
        assert "innerHTML" not in text, name
        assert "insertAdjacentHTML" not in text, name
        assert not re.search(r"\b(eval|Function)\(", text), name


def test_everything_the_page_refers_to_is_there() -> None:
    for reference in re.findall(r'(?:src|href)="([^"]+)"', PAGE):
        assert reference.removeprefix("/demo/static/") in STATIC, reference
    for name, text in MODULES.items():
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert imported in STATIC, f"{name}: {imported}"


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    russian, english = words("ru"), words("en")
    assert russian.keys() == english.keys()
    for key, text in russian.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", english[key])), key
        assert bool(text) == bool(english[key]) or key.endswith(".gloss"), key


def test_every_word_the_modules_ask_for_exists() -> None:
    known = words("ru").keys()
    for name, text in MODULES.items():
        for key in re.findall(r'\bt\("([^"]+)"', text):
            assert key in known, f"{name}: {key}"
        for key in re.findall(r'\btn\("([^"]+)"', text):
            assert {f"{key}.one", f"{key}.few", f"{key}.many"} <= known, f"{name}: {key}"


def test_every_trouble_and_status_has_words() -> None:
    known = words("ru").keys()
    for system in SYSTEMS:
        assert f"name.{system}" in known
        assert {f"now.{system}.{what}" for what in TROUBLES if what != "none"} <= known
    assert {f"trouble.{what}" for what in TROUBLES} | {f"trouble.{what}.about" for what in TROUBLES} <= known
    assert {f"okdesk.{status}" for status in STATUSES} <= known


def test_every_error_code_of_the_api_has_words() -> None:
    known = words("ru").keys()
    sources = [file.read_text(encoding="utf-8") for file in ROOT.iterdir() if file.name.endswith(".py")]
    codes = {
        code
        for text in sources
        for code in re.findall(r'(?:BadInput|NotFound|Forbidden|StandInFailed|TooLarge)\(\s*"(\w+)"', text)
    }
    assert len(codes) > 6
    for code in codes - {"no_order_sources"}:  # the page never asks for orders
        assert f"error.{code}" in known, code


def test_the_modules_are_small() -> None:
    for name, text in MODULES.items():
        if not name.startswith("words."):
            assert len(text.splitlines()) <= 300, name
