"""A real browser for tests: Debian's chromium, driven over W3C WebDriver by plain HTTP.

Usage::

    async with open_browser(tmp_path) as browser:
        await browser.go("http://127.0.0.1:8000/demo")
        await browser.write("#whatsapp textarea", "/start")
        await browser.press_key("#whatsapp textarea", ENTER)
        await browser.wait_for_text("#whatsapp .messages", "Что нужно починить?")
        await browser.click_text("#whatsapp button", "Выбрать")
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import until

CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key under which WebDriver hands out elements (W3C WebDriver, 12)
WAITS_S = 5.0  # for what a page does by itself
ENTER, ESCAPE, TAB, DOWN = "\ue007", "\ue00c", "\ue004", "\ue015"

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


def is_installed() -> bool:
    """Where a browser is required, one that is missing must fail, not skip."""
    if os.environ.get("FIXIT_REQUIRE_BROWSER"):
        return True
    return shutil.which(CHROMIUM) is not None and shutil.which(CHROMEDRIVER) is not None


class BrowserError(AssertionError):
    """The driver refused."""


class Browser:
    def __init__(self, http: httpx.AsyncClient, base: str) -> None:
        self._http = http  # its base_url is the driver
        self._base = base  # /session/ID

    async def go(self, url: str) -> None:
        await self._post("/url", {"url": url})

    async def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """Set the size of the page itself, in CSS pixels."""
        await self.devtools(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone},
        )

    async def devtools(self, command: str, params: dict[str, Any]) -> Any:
        return await self._post("/goog/cdp/execute", {"cmd": command, "params": params})

    async def prefer(self, *, dark: bool) -> None:
        value = "dark" if dark else "light"
        features = [{"name": "prefers-color-scheme", "value": value}]
        await self.devtools("Emulation.setEmulatedMedia", {"features": features})

    async def run(self, script: str, *args: Any) -> Any:
        """Run JavaScript in the page; `return` what is wanted."""
        return await self._post("/execute/sync", {"script": script, "args": list(args)})

    async def find(self, css: str, *, within_s: float = WAITS_S) -> str:
        """Id of the first element that matches, waiting for it."""

        async def look() -> Any:
            return await self._post("/elements", {"using": "css selector", "value": css})

        found = await until(look, f"no element {css}", within_s=within_s)
        return str(found[0][ELEMENT])

    async def click(self, css: str) -> None:
        await self._post(f"/element/{await self.find(css)}/click", {})

    async def click_text(self, css: str, text: str, *, within_s: float = WAITS_S) -> None:
        """Click the last visible element among `css` whose text or accessible name contains `text`."""
        script = """
            const [css, text] = arguments;
            return [...document.querySelectorAll(css)].filter((one) => one.offsetParent !== null
              && (one.innerText.includes(text) || (one.getAttribute('aria-label') ?? '').includes(text))).pop() ?? null;
        """

        async def click() -> bool:
            found = await self.run(script, css, text)
            if found is None:
                return False
            try:
                await self._post(f"/element/{found[ELEMENT]}/click", {})
            except BrowserError as error:
                if "stale element" not in str(error):
                    raise
                return False  # the page drew it anew between the look and the click: look again
            return True

        await until(click, f"no {css} with “{text}”", within_s=within_s)

    async def write(self, css: str, text: str) -> None:
        await self._post(f"/element/{await self.find(css)}/value", {"text": text})

    async def press_key(self, css: str, key: str) -> None:
        await self.write(css, key)

    async def text(self, css: str) -> str:
        return str(await self._get(f"/element/{await self.find(css)}/text"))

    async def wait_for_text(self, css: str, text: str, *, within_s: float = WAITS_S) -> str:
        """Wait until the element shows `text`; returns all of its text."""
        shown = ""

        async def look() -> str | None:
            nonlocal shown
            shown = str(await self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css))
            return shown if text in shown else None

        return str(await until(look, lambda: f"{css} never showed “{text}”, but: {shown}", within_s=within_s))

    async def wait_until(self, script: str, *, within_s: float = WAITS_S) -> None:
        """Wait until the JavaScript expression is true."""
        await until(lambda: self.run(f"return Boolean({script})"), f"never came true: {script}", within_s=within_s)

    async def screenshot(self, path: Path) -> None:
        picture = base64.b64decode(await self._get("/screenshot"))
        await asyncio.to_thread(path.write_bytes, picture)

    async def complaints(self) -> list[str]:
        """What the browser's console says against the page: script errors, refused loads, CSP violations."""
        entries = await self._post("/se/log", {"type": "browser"})
        return [str(entry["message"]) for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        return _value(await self._http.post(self._base + path, json=body))

    async def _get(self, path: str) -> Any:
        return _value(await self._http.get(self._base + path))


@asynccontextmanager
async def open_browser(profile: Path, *, lang: str = "ru") -> AsyncIterator[Browser]:
    """Start a driver and one browser window of its own; both end with the block. `profile`: a new empty folder."""
    driver = await asyncio.create_subprocess_exec(
        CHROMEDRIVER, "--port=0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        port = await asyncio.wait_for(_port(driver), 20)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            options = {
                "binary": CHROMIUM,
                "args": [*ARGUMENTS, f"--user-data-dir={profile}", f"--lang={lang}"],
                "prefs": {"intl.accept_languages": lang},
            }
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            made = _value(await http.post("/session", json={"capabilities": {"alwaysMatch": wanted}}))
            base = f"/session/{made['sessionId']}"
            try:
                yield Browser(http, base)
            finally:
                await http.delete(base)
    finally:
        driver.terminate()
        await driver.wait()


async def _port(driver: asyncio.subprocess.Process) -> int:
    """The driver chooses a free port and says which: “… was started successfully on port 12345.”"""
    assert driver.stdout is not None
    async for line in driver.stdout:
        words = line.decode().strip().rstrip(".").split()
        if "successfully" in words:
            return int(words[-1])
    raise BrowserError("chromedriver did not start")


def _value(response: httpx.Response) -> Any:
    value = response.json()["value"]
    if response.is_error:
        raise BrowserError(f"{value['error']}: {value['message'].splitlines()[0]}")
    return value
