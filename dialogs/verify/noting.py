"""Collecting findings about one flow."""

from __future__ import annotations

from dialogs.findings import Finding, finding
from dialogs.flow import Flow
from dialogs.reading import Path


class Noting:
    """Findings with the lines of a flow's file; `step` is the step they name."""

    def __init__(self, flow: Flow) -> None:
        self._document = flow.document
        self.findings: list[Finding] = []
        self.step: str | None = None

    def add(self, code: str, path: Path, *, x: str = "", y: str = "", n: int = 0, m: int = 0) -> None:
        line = self._document.lines.of(path)
        self.findings.append(finding(code, file=self._document.file, line=line, step=self.step, x=x, y=y, n=n, m=m))
