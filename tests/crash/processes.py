"""Our service as child processes that are killed in the middle of their work and come back at once."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.waiting import until

READY_IN_S = 40.0


@dataclass
class Child:
    """One process of ours: `serve`, `serve --no-work` or `work`."""

    command: str
    folder: Path
    environment: dict[str, str]
    port: int | None = None  # asked for /health, if it has one
    kills: int = 0
    _process: asyncio.subprocess.Process | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "service.log"

    async def start(self) -> None:
        """Returns when it answers, or at once if it has no address."""
        await self.spawn()
        if self.port is not None:
            await self._answers(self.port)

    async def spawn(self) -> None:
        """Begin, and do not ask whether it gets ready."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot",
                *self.command.split(),
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int | None:
        """None: it is not running."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def ended(self) -> int:
        """Wait until it ends by itself; returns the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def _answers(self, port: int) -> None:
        assert self._process is not None
        process = self._process
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as http:

            async def is_there() -> bool:
                assert process.returncode is None, self.log.read_text()[-3000:]
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"http://127.0.0.1:{port}/health"):
                        return True
                return False

            await until(is_there, "it does not answer", within_s=READY_IN_S)

    async def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()[-3000:]
        self._process.kill()
        await self._process.wait()
        self.kills += 1

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        async with asyncio.timeout(40):
            return await self._process.wait()
