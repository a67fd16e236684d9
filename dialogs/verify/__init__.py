"""What may be wrong with a flow that can be read (FLOWS.md section 15): one module for each family of findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dialogs.actions import Catalogue
from dialogs.findings import Finding
from dialogs.flow import Flow
from dialogs.project import Project
from dialogs.verify import (
    calls,
    channels,
    doors,
    names,
    personal,
    reach,
    rehearsals,
    steps,
    templates,
    variables,
    window,
    words,
)
from dialogs.verify.channels import check_translation
from dialogs.verify.folder import Folder
from dialogs.verify.uses import texts_of
from dialogs.verify.ways import ways_of
from dialogs.verify.window import Ages

__all__ = ["check_translation", "verify", "verify_all", "verify_stored"]


def verify_stored(flow: Flow, *, project: Project, catalogue: Catalogue) -> list[Finding]:
    """What the engine cannot run without, in a version that was checked when it was published.

    The rest is left out: a rule that came later must not stop dialogs that stand in an older version.
    """
    return steps.check(flow, project=project, catalogue=catalogue)


def verify(flow: Flow, *, others: Mapping[str, Flow], project: Project, catalogue: Catalogue) -> list[Finding]:
    """Everything there is to say about one flow. `others` are all flows of its folder by name, itself too."""
    folder = Folder(others)
    return _verify(flow, folder, window.ages_of(folder), project, catalogue)


def verify_all(
    flows: Mapping[str, Flow], *, project: Project, catalogue: Catalogue, unreadable: Collection[str] = ()
) -> list[Finding]:
    """The same for every flow of a folder. `unreadable`: flows that are there, but cannot be read."""
    folder = Folder(flows, unreadable)
    ages = window.ages_of(folder)
    return [found for flow in flows.values() for found in _verify(flow, folder, ages, project, catalogue)]


def _verify(flow: Flow, folder: Folder, ages: Ages, project: Project, catalogue: Catalogue) -> list[Finding]:
    texts = list(texts_of(flow))
    ways = ways_of(flow)
    reached = ways.reached(flow)
    return [
        *steps.check(flow, project=project, catalogue=catalogue),
        *reach.check(flow, folder=folder, ways=ways, reached=reached),
        *calls.check(flow, folder=folder),
        *doors.check(flow, folder=folder),
        *words.check(flow),
        *names.check(flow, texts, folder=folder, catalogue=catalogue),
        *variables.check(flow, texts, folder=folder, catalogue=catalogue, ways=ways, reached=reached),
        *channels.check(flow),
        *templates.check(flow, project=project),
        *window.check(flow, ages=ages),
        *personal.check(flow, project=project),
        *rehearsals.check(flow, folder=folder, catalogue=catalogue),
    ]
