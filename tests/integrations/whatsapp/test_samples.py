"""All 84 samples, pretty and raw: what a correct service takes in is written in the manifest."""

from __future__ import annotations

from collections import Counter

import pytest

from integrations.base import CustomerNoted, CustomerSaid, DeliveryReported, Notice, Received
from integrations.whatsapp.reading import make_reader
from integrations.whatsapp.webhook import WhatsAppWebhook
from tests.integrations.whatsapp.given import SAMPLES, manifest, post, sample, settings, stored

COUNTS = ("new_messages", "statuses", "other_events", "dup_messages", "errors", "media", "quarantine", "foreign")
CASES = manifest()["cases"]
READ = make_reader(frozenset(settings().numbers))
WEBHOOK = WhatsAppWebhook(settings())


class Inbox:
    """Counts what comes in, the way the manifest does."""

    def __init__(self) -> None:
        self.counted: set[str] = set()

    def take(self, name: str, signature: str) -> Counter[str]:
        got = WEBHOOK.receive(post(sample(name), signature))
        counts: Counter[str] = Counter()
        if not isinstance(got, Received):
            assert got.status == 200
            return counts
        assert got.answer(()).status == 200
        for event in got.events:
            is_new = event.external_id not in self.counted
            self.counted.add(event.external_id)
            match event.kind:
                case "message":
                    counts["new_messages" if is_new else "dup_messages"] += 1
                case "status":
                    counts["statuses"] += 1
                case "foreign":
                    counts["foreign"] += is_new
                case "unreadable":
                    assert event.state == "dead"
                    assert event.error
                    counts["quarantine"] += is_new
                case _:
                    counts["other_events"] += is_new
            if event.state == "waiting" and (is_new or event.kind == "status"):
                for fact in READ(stored(event)):
                    counts += facts_of(fact)
        return counts


def facts_of(fact: object) -> Counter[str]:
    match fact:
        case CustomerSaid(extra=extra, said=said):
            return Counter(errors=len(extra.get("errors", ())), media=len(getattr(said, "files", ())))
        case DeliveryReported(code=str()):
            return Counter(errors=1)
        case Notice(text=text) if "ошибке" in text:
            return Counter(errors=1)
        case _:
            return Counter()


def wanted(case: dict[str, object]) -> dict[str, object]:
    return {name: case.get(name, 0) for name in COUNTS}


@pytest.mark.parametrize("form", ["pretty", "raw"])
def test_every_sample_counts_as_the_manifest_says(form: str) -> None:
    inbox, wrong = Inbox(), []
    for case in CASES:
        name, signature = case["file"], case["signature"]
        if form == "raw" and (SAMPLES / "raw" / name).exists():
            name, signature = f"raw/{name}", case["raw_signature"]
        counts = inbox.take(name, signature)
        if wanted(case) != {key: counts[key] for key in COUNTS}:
            wrong.append((name, wanted(case), dict(counts)))
    assert not wrong
    assert len(CASES) == 84


def test_posting_the_raw_forms_after_the_pretty_ones_adds_nothing() -> None:
    inbox = Inbox()
    for case in CASES:
        inbox.take(case["file"], case["signature"])
    known = set(inbox.counted)
    for case in CASES:
        if (SAMPLES / "raw" / case["file"]).exists():
            inbox.take(f"raw/{case['file']}", case["raw_signature"])
    assert inbox.counted == known


def test_pretty_and_raw_forms_mean_the_same() -> None:
    for case in CASES:
        if not (SAMPLES / "raw" / case["file"]).exists():
            continue
        both = []
        for name in (case["file"], f"raw/{case['file']}"):
            got = WEBHOOK.receive(post(sample(name)))
            events = got.events if isinstance(got, Received) else ()
            both.append(
                [
                    (e.external_id, e.key, e.occurred_at, e.state, READ(stored(e)) if e.state == "waiting" else ())
                    for e in events
                ]
            )
        assert both[0] == both[1], case["file"]


def test_every_single_event_of_every_sample_can_be_read_again_from_its_own_body() -> None:
    for case in CASES:
        got = WEBHOOK.receive(post(sample(case["file"])))
        for event in got.events if isinstance(got, Received) else ():
            again = WEBHOOK.receive(post(event.body))
            assert isinstance(again, Received), case["file"]
            assert [e.external_id for e in again.events] == [event.external_id], case["file"]
            if event.state == "waiting":
                facts = READ(stored(event))
                assert facts
                assert all(not isinstance(fact, CustomerNoted) or fact.kind for fact in facts)
