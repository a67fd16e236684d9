"""What of a flow becomes nodes and edges, and with what words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dialogs.draw.graph import INTERRUPTS, START, Graph, build_graph
from dialogs.draw.reading import condition, shown
from dialogs.draw.words import duration, wrong_answers
from dialogs.flow import KINDS
from tests.dialogs.draw.flows import BROKEN, built_in, graph_of

LEAD = built_in("lead")


@pytest.fixture(scope="module")
def lead() -> Graph:
    return build_graph(LEAD, lang="ru")


def labels(graph: Graph, source: str, target: str, kind: str) -> tuple[str, ...]:
    (edge,) = (e for e in graph.edges if (e.source, e.target, e.kind) == (source, target, kind))
    return edge.labels


def test_every_step_is_a_node_in_the_order_of_the_file(lead: Graph) -> None:
    assert list(lead.nodes) == [START, INTERRUPTS, *LEAD.steps]
    assert lead.nodes["place"].stage == "Адрес или фото"
    assert lead.nodes["who"].calls == ("contact",)
    assert lead.nodes["watch"].calls == ("support",)
    assert lead.nodes["confirm"].text.startswith("Проверьте заявку: [Вид ремонта] [Описание поломки]")
    assert set(lead.kinds) <= set(KINDS)
    assert not [node for node in lead.nodes.values() if node.trouble]


@pytest.mark.parametrize(
    ("source", "target", "kind", "expected"),
    [
        ("hello", "service", "usual", ()),
        ("confirm", "create", "usual", ("Отправить",)),
        ("place", "confirm", "usual", ("Привезу сам", "ответ")),
        ("place", "to_manager", "trouble", ("3 неверных ответа",)),
        ("place", "went_quiet", "trouble", ("молчание 23 ч",)),
        ("place", "confirm", "edit", ("после исправления",)),
        ("what_to_change", "place", "edit", ("Адрес или фото",)),
        ("create", "number_later", "trouble", ("нет ответа 10 с",)),
        ("callback", "over", "usual", ("при любом исходе",)),
        ("watch", "over", "usual", ("прошло 45 д",)),
        ("watch", "tell_news", "usual", ("комментарий к заявке: есть «event.text»",)),
        ("go_on", "problem", "usual", ("есть «Вид ремонта»",)),
        ("go_on", "service", "usual", ("иначе",)),
        (INTERRUPTS, "cancel_ask", "usual", ("/cancel, «отмена», «стоп»",)),
    ],
)
def test_edges_say_what_takes_them(lead: Graph, source: str, target: str, kind: str, expected: tuple[str, ...]) -> None:
    assert labels(lead, source, target, kind) == expected


def test_ids_of_edges_are_unique_and_named_by_their_ends(lead: Graph) -> None:
    ids = [edge.id for edge in lead.edges]
    assert len(ids) == len(set(ids))
    assert {"edge-place-confirm-1", "edge-place-confirm-2", "edge-_start-hello-1"} <= set(ids)


def test_mistakes_are_marked() -> None:
    graph = graph_of(BROKEN, "en")
    assert graph.nodes["forgotten"].trouble == "nobody can get here"
    assert graph.nodes["loop"].trouble == "no way from here to an end"
    assert graph.nodes["nowhere"].kind == "missing"
    assert graph.nodes["done"].trouble == "nobody can get here"  # only from the forgotten one


def test_durations_and_numbers_are_said_in_words() -> None:
    assert [duration(timedelta(seconds=s), "ru") for s in (90, 900, 82_800, 86_400 * 45)] == [
        "90 с",
        "15 мин",
        "23 ч",
        "45 д",
    ]
    assert duration(timedelta(hours=2), "en") == "2 h"
    assert [wrong_answers(n, "ru") for n in (1, 2, 5)] == [
        "1 неверный ответ",
        "2 неверных ответа",
        "5 неверных ответов",
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("filled(phone) and not filled(issue_no)", "есть «Телефон» и нет: «Номер заявки»"),
        ("event.issue_id = issue_id and event.final = true", "event.final = true"),
        ("event.issue_id = issue_id", ""),
        ("service = 'washer'", "«Вид ремонта» = «Стиральная машина»"),
        ("service not in ['washer', 'other']", "«Вид ремонта» не «Стиральная машина», «Другая техника»"),
        ("len(photo) > 0 or name != 'and'", "число «Фото» > 0 или «Имя» ≠ «and»"),
    ],
)
def test_conditions_read_like_sentences(written: str, expected: str) -> None:
    assert condition(written, LEAD, "ru") == expected


def test_placeholders_are_shown_by_the_titles_of_variables() -> None:
    assert shown("{{x}} {name|or:вы}, {issue_id}", LEAD) == "{x} [Имя], [issue_id]"
