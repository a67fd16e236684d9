"""A difference between our ledger and the other side: what it is, how it is told, and what would mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from integrations.base import Done, IncomingEvent

Kind = Literal["missing", "twice", "unknown", "stranger", "undone", "status", "comment", "payment"]

_SENTENCES: Mapping[Kind, tuple[str, str]] = {
    "missing": ("{what}: у нас есть, там нет", "{what}: known here, missing there"),
    "twice": ("{what}: там дважды ({there})", "{what}: there twice ({there})"),
    "unknown": (
        "{what}: там есть ({there}), а у нас числится несделанным",
        "{what}: there ({there}), but given up here",
    ),
    "stranger": (
        "{what}: там есть с нашей меткой, а поручения у нас нет",
        "{what}: there with our mark, but no order of ours is known",
    ),
    "undone": (
        "{what}: ответ был потерян, и там этого нет: не сделано",
        "{what}: the answer was lost and it is not there: not done",
    ),
    "status": ("{what}: у нас {here}, там {there}", "{what}: {here} here, {there} there"),
    "comment": ("{what}: комментария {there} там нет", "{what}: comment {there} is not there"),
    "payment": ("{what}: у нас {here}, там {there}", "{what}: {here} here, {there} there"),
}
_MENDED = ("исправлено", "mended")
_BY_HAND = ("решать человеку", "for a person to decide")


@dataclass(frozen=True, slots=True)
class Feed:
    """Mend it by an event that we missed."""

    source: str
    event: IncomingEvent


@dataclass(frozen=True, slots=True)
class Adopt:
    """Mend it by taking what is there for the end of our order."""

    delivery_id: int
    done: Done


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Mend it by carrying out our order, which provably was not."""

    delivery_id: int


Mend = Feed | Adopt | SendAgain


@dataclass(frozen=True, slots=True)
class Difference:
    system: str
    kind: Kind
    what: str  # which thing: "issue 1077", "order okdesk-1077"
    here: str = ""
    there: str = ""
    mend: Mend | None = None  # None: nothing that we may do by ourselves

    def told(self, lang: str) -> str:
        sentence = _SENTENCES[self.kind][lang != "ru"]
        return f"{self.system}: {sentence.format(what=self.what, here=self.here, there=self.there)}"


def remark(difference: Difference, *, was_mended: bool, lang: str) -> str:
    if was_mended:
        return f" [{_MENDED[lang != 'ru']}]"
    return f" [{_BY_HAND[lang != 'ru']}]" if difference.mend is None else ""


def sums(differences: Sequence[Difference], lang: str) -> str:
    counts = Counter(f"{difference.system} {difference.kind}" for difference in differences)
    told = ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
    if not differences:
        return "расхождений нет" if lang == "ru" else "no differences"
    return f"расхождений: {len(differences)} ({told})" if lang == "ru" else f"{len(differences)} differences ({told})"


def shown_payment(state: Any, total: int | None, paid: int | None) -> str:
    def roubles(kopecks: int | None) -> str:
        return "-" if kopecks is None else f"{kopecks / 100:.2f}"

    return f"{state or '-'} {roubles(paid)}/{roubles(total)}"
