"""Golden tests: chats written into a flow file, played against the engine (FLOWS.md section 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dialogs.actions import Catalogue
from dialogs.flow import Flow, GoldenTest
from dialogs.flows_set import Flows, Loaded, load_folder
from dialogs.golden_chat import Chat, Mismatch
from dialogs.golden_expectations import check


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """One test of one flow. `line`, `expected`, `got` are of the line of the chat that failed."""

    flow: str
    name: str
    ok: bool
    file: str
    line: int
    expected: str = ""
    got: str = ""
    transcript: tuple[str, ...] = ()


def run_tests(flows: Flows, flow: Flow) -> list[GoldenResult]:
    """Play every test of `flow`. Never raises: a test that cannot be played fails with a sentence."""
    return [_run(flows, flow, test) for test in flow.tests]


def load_and_test(
    files: Mapping[str, bytes], catalogue: Catalogue, *, timezone: str
) -> tuple[Loaded, list[GoldenResult]]:
    """Load a folder and play the tests of all its flows that have no errors."""
    loaded = load_folder(files, catalogue, timezone=timezone)
    return loaded, [result for flow in loaded.flows.all_live() for result in run_tests(loaded.flows, flow)]


def _run(flows: Flows, flow: Flow, test: GoldenTest) -> GoldenResult:
    document = flow.document
    place: tuple[str | int, ...] = test.path
    transcript: tuple[str, ...] = ()
    try:
        chat = Chat(flows, flow, test.data)
        try:
            for index, line in enumerate(test.data.get("chat", ())):
                place = (*test.path, "chat", index)
                chat.play(line, is_first=index == 0)
                check(chat, line)
        finally:
            transcript = tuple(chat.transcript)
    except Mismatch as mismatch:
        line_number = document.lines.of((*place, mismatch.field) if mismatch.field else place)
        return GoldenResult(
            flow.name,
            test.name,
            False,
            document.file,
            line_number,
            mismatch.expected,
            mismatch.got,
            transcript,
        )
    return GoldenResult(flow.name, test.name, True, document.file, document.lines.of(test.path), transcript=transcript)


def report(results: Sequence[GoldenResult], *, lang: str, errors: int = 0) -> Iterator[str]:
    """The lines that `flows test` prints; `errors` of files that could not be played count as failures."""
    expected, got = ("ожидалось", "получено ") if lang.startswith("ru") else ("expected", "got     ")
    for result in results:
        if result.ok:
            yield f"ok {result.flow}: {result.name}"
            continue
        yield f"FAIL {result.flow}: {result.name}"
        yield f"  {result.file}:{result.line}"
        yield f"  {expected}: {result.expected}"
        yield f"  {got}: {result.got}"
        yield from (f"    {part}" for line in result.transcript for part in line.splitlines())
    failed = sum(not result.ok for result in results)
    yield f"{len(results) - failed} passed, {failed + errors} failed"
