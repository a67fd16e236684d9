"""Starting and watching the processes that are measured."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
READY_IN_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plain_environment() -> dict[str, str]:
    """What every child inherits: none of the settings of a real installation."""
    kept = ("PATH", "HOME", "LANG", "TZ")
    return {"PYTHONPATH": str(ROOT), **{name: os.environ[name] for name in kept if name in os.environ}}


class NotRunning(Exception):
    """A measured process ended by itself, or did not get ready in time."""


class Child:
    """One measured process that serves HTTP on loopback."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_s(self) -> float | None:
        """Processor seconds used so far; None where /proc does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_mib(self) -> float | None:
        """Resident memory now; None where /proc does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except OSError:
            return None
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def pause(self) -> None:
        """It does nothing at all until `resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        self.resume()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 30)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


@asynccontextmanager
async def candidate(
    name: str, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """Run `benchmarks.candidates.<name> PORT …` until the block ends; yields when its port answers."""
    port = free_port()
    command = (sys.executable, "-m", f"benchmarks.candidates.{name}", str(port), *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**plain_environment(), **(environment or {})}
    )
    child = Child(process, port)
    try:
        await accepts(child)
        yield child
    finally:
        await child.stop()


async def accepts(child: Child) -> None:
    """Wait until the port takes connections. Raises NotRunning."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_IN_S
    while loop.time() < deadline:
        if child.process.returncode is not None:
            raise NotRunning(f"a measured process ended with code {child.process.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", child.port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise NotRunning("a measured process did not begin to listen")
