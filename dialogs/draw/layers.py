"""A layered layout, after Sugiyama: boxes on layers, lines that go down or, dashed by whoever draws, back up.

Whole numbers only, nothing by chance: the same boxes and links give the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dialogs.draw.net import Chain, Net
from dialogs.draw.ordering import order
from dialogs.draw.placing import place
from dialogs.draw.routing import Crossing, give_tracks, spread
from dialogs.draw.straight import straighten

TRACK = 9  # pixels between lines that run side by side
PASSING = 6  # width kept free for a line that passes a layer
_LEAVING, _ENTERING = 12, 18  # room below a layer, and above one for an arrow head

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A node. Lines come in between `port_from` and `port_to` of its upper border, counted from its left."""

    id: str
    width: int
    height: int
    layer: int
    port_from: int
    port_to: int
    top: int = 0  # what stands above the border, where lines end


@dataclass(frozen=True, slots=True)
class Link:
    """A line between two boxes of different layers, with room for its label next to where it begins."""

    id: str
    source: str
    target: str
    label_width: int = 0
    label_height: int = 0


@dataclass(frozen=True, slots=True)
class Area:
    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: Area) -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@dataclass(frozen=True, slots=True)
class Route:
    points: tuple[Point, ...]  # from the source to the target; horizontal and vertical pieces
    label: Area | None


@dataclass(frozen=True, slots=True)
class Layout:
    width: int
    height: int
    boxes: Mapping[str, Area]
    routes: Mapping[str, Route]


def arrange(boxes: Sequence[Box], links: Sequence[Link]) -> Layout:
    """Place the boxes on their layers and lead the lines around them. Coordinates begin at 0."""
    return _Arrangement(boxes, links).run()


class _Arrangement:
    def __init__(self, boxes: Sequence[Box], links: Sequence[Link]) -> None:
        self._boxes = boxes
        self._links = links
        self._net = Net()
        # Between two layers of boxes there is one for labels: rank 2 n and 2 n + 1.
        self._item = {box.id: self._net.add(2 * box.layer, box.width, box.height, is_box=True) for box in boxes}
        self._box = dict(zip(self._item.values(), boxes, strict=True))
        self._chains = [self._chain(link) for link in links]

    def _chain(self, link: Link) -> Chain:
        net = self._net
        source, target = self._item[link.source], self._item[link.target]
        is_back = net.rank[source] > net.rank[target]
        upper, lower = (target, source) if is_back else (source, target)
        label_rank = net.rank[source] - 1 if is_back else net.rank[source] + 1
        items, label = [upper], None
        for rank in range(net.rank[upper] + 1, net.rank[lower]):
            if rank == label_rank and link.label_width:
                label = len(items)
                items.append(net.add(rank, link.label_width, link.label_height, is_box=False))
            else:
                items.append(net.add(rank, PASSING, 0, is_box=False))
        items.append(lower)
        for above, below in pairwise(items):
            net.join(above, below)
        return Chain(items, is_back, label)

    def run(self) -> Layout:
        order(self._net)
        middle = place(self._net)
        left = min([x - width // 2 for x, width in zip(middle, self._net.width, strict=True)], default=0)
        middle = [x - left for x in middle]
        self._set_ports(middle)
        straighten(self._net, self._chains, middle)
        pieces: list[list[Crossing]] = [[] for _ in self._net.layers]
        for index, chain in enumerate(self._chains):
            for item, begin, end in zip(chain.items, chain.xs, chain.xs[1:], strict=False):
                pieces[self._net.rank[item]].append(Crossing(index, begin, end))
        tracks = [give_tracks(row) for row in pieces]
        tops = self._tops(tracks)
        areas = {box.id: self._area(item, middle, tops) for item, box in self._box.items()}
        track_of = {(piece.link, rank): piece.track for rank, row in enumerate(pieces) for piece in row}
        routes = {
            link.id: self._route(index, chain, middle, tops, track_of)
            for index, (link, chain) in enumerate(zip(self._links, self._chains, strict=True))
        }
        width = max([x + width // 2 for x, width in zip(middle, self._net.width, strict=True)], default=0)
        height = max([area.y + area.height for area in areas.values()], default=0)
        return Layout(width, height, areas, routes)

    def _set_ports(self, middle: Sequence[int]) -> None:
        """Where lines leave and enter the boxes: below their neighbours, so that as many as can be are straight."""
        for chain in self._chains:
            chain.xs = [middle[item] for item in chain.items]
        below: dict[int, list[Chain]] = {}
        above: dict[int, list[Chain]] = {}
        for chain in self._chains:
            below.setdefault(chain.items[0], []).append(chain)
            above.setdefault(chain.items[-1], []).append(chain)
        place_in_layer = {item: index for layer in self._net.layers for index, item in enumerate(layer)}
        for chains, near, end in ((below, 1, 0), (above, -2, -1)):
            for item, of_box in chains.items():
                box = self._box[item]
                left = middle[item] - self._net.width[item] // 2
                low, high = (left + 14, left + box.width - 14)
                if end:
                    low, high = (left + box.port_from, left + box.port_to)
                of_box.sort(key=lambda chain: place_in_layer[chain.items[near]])
                wanted = [middle[chain.items[near]] for chain in of_box]
                for chain, x in zip(of_box, spread(wanted, low, high), strict=True):
                    chain.xs[end] = x

    def _tops(self, tracks: Sequence[int]) -> list[int]:
        """The upper border of each layer, and below all of them the lower border of the last."""
        tops, y = [], 0
        for layer, count in zip(self._net.layers, tracks, strict=True):
            tops.append(y)
            y += self._height(layer)
            y += _LEAVING + _ENTERING + max(count - 1, 0) * TRACK if count else _ENTERING
        return [*tops, y]

    def _height(self, layer: Sequence[int]) -> int:
        below = [self._net.height[item] - self._top(item) for item in layer]
        return self._highest(layer) + max(below, default=0)

    def _top(self, item: int) -> int:
        return self._box[item].top if item in self._box else 0

    def _highest(self, layer: Sequence[int]) -> int:
        return max([self._top(item) for item in layer], default=0)

    def _bottom(self, rank: int, tops: Sequence[int]) -> int:
        return tops[rank] + self._height(self._net.layers[rank])

    def _area(self, item: int, middle: Sequence[int], tops: Sequence[int]) -> Area:
        width, height = self._net.width[item], self._net.height[item]
        y = tops[self._net.rank[item]]
        if self._net.is_box[item]:
            y += self._highest(self._net.layers[self._net.rank[item]]) - self._top(item)
        else:
            y += (self._bottom(self._net.rank[item], tops) - y - height) // 2
        return Area(middle[item] - width // 2, y, width, height)

    def _route(
        self,
        index: int,
        chain: Chain,
        middle: Sequence[int],
        tops: Sequence[int],
        track_of: Mapping[tuple[int, int], int],
    ) -> Route:
        first = self._area(chain.items[0], middle, tops)
        points = [(chain.xs[0], first.y + first.height)]
        for item, begin, end in zip(chain.items, chain.xs, chain.xs[1:], strict=False):
            if begin != end:
                rank = self._net.rank[item]
                y = self._bottom(rank, tops) + _LEAVING + track_of[index, rank] * TRACK
                points += [(begin, y), (end, y)]
        last = self._area(chain.items[-1], middle, tops)
        points.append((chain.xs[-1], last.y + self._top(chain.items[-1])))
        if chain.is_back:
            points.reverse()
        label = None if chain.label is None else self._area(chain.items[chain.label], middle, tops)
        return Route(tuple(points), label)
