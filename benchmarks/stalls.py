"""How long the disk itself lets one wait: a small write and an fsync now and then, beside a measurement."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

EVERY_S = 0.02


class FsyncStalls:
    """Measures in a thread while the block runs; `delays_ms` holds every fsync."""

    def __init__(self, folder: Path) -> None:
        self.delays_ms: list[float] = []
        self._file = folder / "fsync.bin"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fsync-stalls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._file.unlink(missing_ok=True)

    def _run(self) -> None:
        number = os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            while not self._over.wait(EVERY_S):
                os.write(number, b"x" * 4096)
                begun = time.perf_counter()
                os.fdatasync(number)
                self.delays_ms.append((time.perf_counter() - begun) * 1000)
        finally:
            os.close(number)
