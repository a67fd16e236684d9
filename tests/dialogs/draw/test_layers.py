"""The layout, whatever the graph: nothing overlaps, lines go where they should, the same graph looks the same."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dialogs.draw.layers import Area, Box, Layout, Link, arrange
from dialogs.draw.ranks import Ranks, rank

Pairs = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs]:
    count = draw(st.integers(1, 14))
    node = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(node, node), max_size=30))


def ranked(count: int, pairs: Pairs) -> Ranks[int]:
    return rank(range(count), pairs, [0])


def arranged(count: int, pairs: Pairs, seed: int = 0) -> Layout:
    """Boxes and labels of many sizes."""
    chance = random.Random(seed)
    ranks = ranked(count, pairs)
    boxes = []
    for name in range(count):
        width, top = chance.choice([121, 190, 300]), chance.choice([0, 0, 17])
        boxes.append(Box(str(name), width, chance.randint(28, 140) + top, ranks.layer[name], 14, width - 40, top))
    links = [
        Link(f"{index}", str(source), str(target), *chance.choice([(0, 0), (40, 18), (170, 46)]))
        for index, (source, target) in enumerate(pairs)
        if ranks.layer[source] != ranks.layer[target]
    ]
    return arrange(boxes, links)


@given(graphs())
def test_only_ways_back_lead_up(graph: tuple[int, Pairs]) -> None:
    count, pairs = graph
    ranks = ranked(count, pairs)
    for index, (source, target) in enumerate(pairs):
        if index not in ranks.back:
            assert ranks.layer[source] < ranks.layer[target]
    assert ranks.layer[0] == 0 or any(target == 0 for _, target in pairs)
    if all(source < target for source, target in pairs):
        assert not ranks.back


@given(graphs())
def test_whatever_can_be_reached_hangs_right_below_something(graph: tuple[int, Pairs]) -> None:
    count, pairs = graph
    ranks = ranked(count, pairs)
    down = [pair for index, pair in enumerate(pairs) if index not in ranks.back]
    for node in range(1, count):
        sources = [ranks.layer[source] for source, target in down if target == node]
        if sources:
            assert ranks.layer[node] == max(sources) + 1


@settings(deadline=None, max_examples=150)
@given(graphs(), st.integers(0, 5))
def test_nothing_overlaps_and_no_line_runs_through_a_box(graph: tuple[int, Pairs], seed: int) -> None:
    count, pairs = graph
    layout = arranged(count, pairs, seed)
    labels = [route.label for route in layout.routes.values() if route.label is not None]
    for one, other in combinations([*layout.boxes.values(), *labels], 2):
        assert not one.overlaps(other)
    for route in layout.routes.values():
        for begin, end in pairwise(route.points):
            assert begin[0] == end[0] or begin[1] == end[1]
            for area in layout.boxes.values():
                assert not within(begin, end, area), (begin, end, area)
    for area in [*layout.boxes.values(), *labels]:
        assert 0 <= area.x <= area.x + area.width <= layout.width
        assert 0 <= area.y <= area.y + area.height <= layout.height


def within(begin: tuple[int, int], end: tuple[int, int], area: Area) -> bool:
    """Whether a piece of a line passes the inside of an area; above its border there may be room for a stage."""
    left, right = min(begin[0], end[0]), max(begin[0], end[0])
    top, bottom = min(begin[1], end[1]), max(begin[1], end[1])
    inside = Area(area.x + 1, area.y + 18, area.width - 2, area.height - 19)
    return inside.overlaps(Area(left, top, max(right - left, 1), max(bottom - top, 1)))


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_lines_begin_and_end_at_their_boxes_and_never_share_a_way(graph: tuple[int, Pairs]) -> None:
    count, pairs = graph
    pairs = list(dict.fromkeys(pairs))
    layout = arranged(count, pairs)
    seen: dict[tuple[int, int], str] = {}
    for name, route in layout.routes.items():
        source, target = (layout.boxes[str(node)] for node in pairs[int(name)])
        for (x, y), area in ((route.points[0], source), (route.points[-1], target)):
            assert area.x <= x <= area.x + area.width
            assert y in (area.y, area.y + 17, area.y + area.height)
        for begin, end in pairwise(route.points):
            if begin[1] == end[1] and begin[0] != end[0]:  # a piece sideways has a track of its own
                for x in range(min(begin[0], end[0]), max(begin[0], end[0]) + 1):
                    assert seen.setdefault((x, begin[1]), name) == name


@settings(deadline=None, max_examples=40)
@given(graphs())
def test_the_same_graph_gives_the_same_layout_in_whole_numbers(graph: tuple[int, Pairs]) -> None:
    count, pairs = graph
    layout = arranged(count, pairs)
    assert layout == arranged(count, pairs)
    numbers = [number for route in layout.routes.values() for point in route.points for number in point]
    assert all(isinstance(number, int) for number in numbers)


def test_a_straight_sequence_is_drawn_in_one_line() -> None:
    layout = arrange(
        [Box(str(index), 200, 46, index, 14, 160) for index in range(5)],
        [Link(str(index), str(index), str(index + 1), 60, 18) for index in range(4)],
    )
    assert len({area.x for area in layout.boxes.values()}) == 1
    assert {len(route.points) for route in layout.routes.values()} == {2}


def test_three_hundred_steps_with_hundreds_of_ways_are_arranged() -> None:
    chance = random.Random(7)
    pairs = [(index, index + 1) for index in range(299)]
    pairs += [(node, min(299, node + chance.randint(1, 4))) for node in range(299)]
    pairs += [(node, max(0, node - chance.randint(1, 3))) for node in range(0, 299, 3)]
    layout = arranged(300, pairs)
    assert len(layout.boxes) == 300
