"""Row 7: flows as data: reading and checking a folder, compiling a long flow, keeping many versions in memory."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.processes import ROOT, plain_environment
from benchmarks.table import Line, at_most
from bot.catalogue import catalogue
from bot.flow_store import BUILT_IN
from dialogs.flow_read import read_flow
from dialogs.program import Program
from dialogs.project import default_project
from dialogs.reading import read
from dialogs.verify import verify, verify_stored

ROW = "flows"
TIMEZONE = "Europe/Moscow"
FILES, CHECK_S = 50, 2.0
STEPS, COMPILE_MS = 300, 50.0
VERSIONS, VERSIONS_MIB = 100, 50.0


async def measure(folder: Path, *, quick: bool) -> list[Line]:
    return [_check(folder, rounds=1 if quick else 3), _compile(rounds=3 if quick else 9), _memory()]


def _check(folder: Path, *, rounds: int) -> Line:
    """`flows check` as a command, its start included."""
    many = folder / "many"
    many.mkdir()
    shipped = sorted(path for path in BUILT_IN.iterdir() if path.suffix in (".yaml", ".yml"))
    for path in shipped:
        (many / path.name).write_bytes(path.read_bytes())
    flows = [path for path in shipped if path.read_text(encoding="utf-8").count("\nflow: ") == 1]
    for number in range(FILES - len(shipped)):
        path = flows[number % len(flows)]
        text = re.sub(r"\nflow: (\w+)", rf"\nflow: \g<1>{number}", path.read_text(encoding="utf-8"), count=1)
        text = re.sub(r"\nstart:.*?\n(?=\w)", f"\nstart: [{{command: copy{number}}}]\n", text, count=1, flags=re.DOTALL)
        (many / f"{path.stem}{number}.yaml").write_text(text, encoding="utf-8")
    command = (sys.executable, "-m", "bot", "flows", "check", str(many), "--lang", "en")
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, env=plain_environment(), stdout=subprocess.DEVNULL, check=False)
        seconds.append(time.perf_counter() - begun)
    size = sum(path.stat().st_size for path in many.iterdir()) // 1024
    figures = f"{median(seconds):.2f} s for {FILES} files, {size} KiB, the start of the process included"
    return at_most(f"{ROW}: check a folder", figures, median(seconds), CHECK_S, unit=" s")


def long_flow(steps: int) -> str:
    lines = [
        "format: 1", "flow: long", 'title: "Long"', "lang: en", "channels: [whatsapp, telegram]",
        "start: [{command: long}]", "vars:",
        *(f"  answer_{n}: {{type: text}}" for n in range(steps // 3)),
        "defaults:", "  retry: {max: 3, then: over}", "  silence: {close: {after: 23h, next: over}}", "steps:",
    ]  # fmt: skip
    for n in range(steps // 3):
        lines += [
            f'  - {{id: say_{n}, say: "Part {n} of many, {{answer_{n}|or:nothing}}."}}',
            f'  - {{id: ask_{n}, ask: "Question {n}?", expect: text, into: answer_{n}}}',
            f"  - {{id: look_{n}, branch: [{{if: \"answer_{n} = 'stop'\", next: over}},"
            f" {{else: true, next: {f'say_{n + 1}' if n + 1 < steps // 3 else 'over'}}}]}}",
        ]
    return "\n".join([*lines, "  - {id: over, end: ok}"]) + "\n"


def _compile(*, rounds: int) -> Line:
    """From the parsed document to a program that runs; reading the YAML and the whole verifier are reported apart."""
    text = long_flow(STEPS - 1)
    actions, project = catalogue(), default_project(TIMEZONE)
    parsing, compiling, checking = [], [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        document = read(text, file="long.yaml")
        parsed = time.perf_counter()
        flow, findings = read_flow(document, version=1, catalogue=actions, zone=project.zone)
        if flow is None or findings:
            raise RuntimeError(f"the long flow is broken: {findings[:3]}")
        verify_stored(flow, project=project, catalogue=actions)
        Program(flow, project)
        compiled = time.perf_counter()
        verify(flow, others={flow.name: flow}, project=project, catalogue=actions)
        checking.append((time.perf_counter() - compiled) * 1000)
        compiling.append((compiled - parsed) * 1000)
        parsing.append((parsed - begun) * 1000)
    figures = (
        f"{median(compiling):.0f} ms for {STEPS} steps; reading the YAML before it {median(parsing):.0f} ms, "
        f"the whole verifier {median(checking):.0f} ms"
    )
    return at_most(f"{ROW}: compile", figures, median(compiling), COMPILE_MS, unit=" ms")


def _memory() -> Line:
    """In a process of its own: what so many versions of the lead flow add to its resident memory."""
    script = f"from benchmarks.rows.flows import resident_growth; print(resident_growth({VERSIONS}))"
    done = subprocess.run(
        (sys.executable, "-c", script), cwd=ROOT, env=plain_environment(), capture_output=True, text=True, check=True
    )
    grown = float(done.stdout)
    return at_most(f"{ROW}: {VERSIONS} versions in memory", f"{grown:.1f} MiB", grown, VERSIONS_MIB, unit=" MiB")


def resident_growth(versions: int) -> float:
    """MiB that so many compiled versions of the lead flow take."""
    text = (BUILT_IN / "lead.yaml").read_text(encoding="utf-8")
    actions, project = catalogue(), default_project(TIMEZONE)
    kept = []

    def one(version: int) -> None:
        flow, _ = read_flow(read(text, file="lead.yaml"), version=version, catalogue=actions, zone=project.zone)
        assert flow is not None
        kept.append(Program(flow.without_source(), project))  # as the service keeps it

    one(1)
    gc.collect()
    before = _resident_mib()
    for version in range(2, versions + 2):
        one(version)
    gc.collect()
    return _resident_mib() - before


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
