"""A disk whose every fsync takes 2 ms longer, as on a network volume: a few lines of C, compiled when needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

DELAY_MS = 2
_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int delayed(const char *name, int fd) {
    struct timespec pause = {0, %d * 1000000L};
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    nanosleep(&pause, 0);
    return real(fd);
}
int fsync(int fd) { return delayed("fsync", fd); }
int fdatasync(int fd) { return delayed("fdatasync", fd); }
"""


_PROBE = """
import os, sys, time
number = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
begun = time.perf_counter()
os.fsync(number)
print((time.perf_counter() - begun) * 1000)
"""


class NoSlowDisk(Exception):
    """The delay needs Linux and a C compiler; the message says what is missing."""


def slow_fsync(folder: Path) -> dict[str, str]:
    """The environment under which a process has a slow disk. Raises NoSlowDisk."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        raise NoSlowDisk("no C compiler" if sys.platform == "linux" else "LD_PRELOAD is Linux's")
    source, library = folder / "slow_fsync.c", folder / "slow_fsync.so"
    if not library.exists():
        source.write_text(_SOURCE % DELAY_MS)
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoSlowDisk(f"the compiler refused: {done.stderr.strip().splitlines()[-1:]}")
        library.chmod(0o755)
    environment = {"LD_PRELOAD": str(library)}
    probe = [sys.executable, "-c", _PROBE, str(folder / "probe.bin")]
    took = subprocess.run(probe, capture_output=True, text=True, check=True, env={**os.environ, **environment}).stdout
    if float(took) < DELAY_MS:
        raise NoSlowDisk("the preloaded library has no effect here")
    return environment
