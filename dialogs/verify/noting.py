"""Collecting findings about one file."""

from __future__ import annotations

from dialogs.findings import Finding, finding
from dialogs.reading import Document, Path


class Noting:
    """Findings with the lines of a file; `step` is the step they name. The same is said once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[Finding, None] = {}  # a set that keeps the order
        self.step: str | None = None

    @property
    def findings(self) -> list[Finding]:
        return list(self._found)

    def add(self, code: str, path: Path, *, x: str = "", y: str = "", n: int = 0, m: int = 0) -> None:
        line = self._document.lines.of(path)
        found = finding(code, file=self._document.file, line=line, step=self.step, x=x, y=y, n=n, m=m)
        self._found[found] = None
