"""What may be wrong with a flow that can be read: one module for each family of findings."""

from __future__ import annotations

from collections.abc import Mapping

from dialogs.actions import Catalogue
from dialogs.findings import Finding
from dialogs.flow import Flow
from dialogs.project import Project
from dialogs.verify import calls, doors, steps

__all__ = ["verify"]


def verify(flow: Flow, *, others: Mapping[str, Flow] | None, project: Project, catalogue: Catalogue) -> list[Finding]:
    """Everything there is to say about one flow.

    `others` are all flows of its folder by name, itself too; None leaves out what other flows are needed for.
    """
    findings = steps.check(flow, project=project, catalogue=catalogue)
    if others is not None:
        findings += calls.check(flow, others=others)
    return findings + doors.check(flow, others=others or {})
