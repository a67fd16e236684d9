"""Where the items of each layer stand from left to right: long edges straight, the rest near their neighbours.

Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2001): four alignments, of which each item takes
the middle. The compaction walks over blocks instead of classes, which has no overlaps where the paper's has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dialogs.draw.net import Net

_Layers = Sequence[Sequence[int]]


def place(net: Net) -> list[int]:
    """The middle of each item. Neighbours keep their distance."""
    conflicts = _conflicts(net)
    found: list[list[int]] = []
    for goes_up in (False, True):
        for goes_left in (False, True):
            layers: list[list[int]] = [list(layer) for layer in net.layers]
            if goes_up:
                layers.reverse()
            if goes_left:
                for layer in layers:
                    layer.reverse()
            root = _align(layers, net.below if goes_up else net.above, len(net.width), conflicts)
            middles = _compact(layers, root, net)
            found.append([-x for x in middles] if goes_left else middles)
    return _middle_of(found, net)


def _conflicts(net: Net) -> set[tuple[int, int]]:
    """Edges that cross a long one: the long one is to stay straight."""
    conflicts: set[tuple[int, int]] = set()
    for upper, lower in pairwise(net.layers):
        place = {item: index for index, item in enumerate(upper)}
        least, scanned = 0, 0
        for index, item in enumerate(lower):
            inner = next((other for other in net.above[item] if not net.is_box[other] and not net.is_box[item]), None)
            if inner is None and index < len(lower) - 1:
                continue
            most = place[inner] if inner is not None else len(upper) - 1
            for scan in lower[scanned : index + 1]:
                for other in net.above[scan]:
                    is_inner = not net.is_box[other] and not net.is_box[scan]
                    if not is_inner and not least <= place[other] <= most:
                        conflicts.add((other, scan))
            scanned, least = index + 1, most
    return conflicts


def _align(
    layers: _Layers, neighbours: Sequence[Sequence[int]], count: int, conflicts: set[tuple[int, int]]
) -> list[int]:
    """The root of each item's block: what is to stand in one vertical line."""
    root = list(range(count))
    has_next = [False] * count
    place = [0] * count
    for layer in layers:
        for index, item in enumerate(layer):
            place[item] = index
    for layer in layers:
        last = -1
        for item in layer:
            others = sorted(neighbours[item], key=place.__getitem__)
            if not others:
                continue
            low, high = (len(others) - 1) // 2, len(others) // 2
            for other in others[low : high + 1]:
                if root[item] != item or has_next[other] or place[other] <= last:
                    continue
                if (other, item) in conflicts or (item, other) in conflicts:
                    continue
                has_next[other] = True
                root[item] = root[other]
                last = place[other]
    return root


def _compact(layers: _Layers, root: list[int], net: Net) -> list[int]:
    after: dict[int, dict[int, int]] = {}
    before: dict[int, dict[int, int]] = {}
    blocks: dict[int, None] = {}
    for layer in layers:
        for item in layer:
            blocks[root[item]] = None
        for left, right in pairwise(layer):
            a, b = root[left], root[right]
            distance = max(net.distance(left, right), after.get(a, {}).get(b, 0))
            after.setdefault(a, {})[b] = distance
            before.setdefault(b, {})[a] = distance
    sorted_blocks = _topological(blocks, after, before)
    x: dict[int, int] = {}
    for block in sorted_blocks:
        x[block] = max([x[other] + distance for other, distance in before.get(block, {}).items()], default=0)
    for block in reversed(sorted_blocks):
        limit = min([x[other] - distance for other, distance in after.get(block, {}).items()], default=x[block])
        x[block] = max(x[block], limit)
    return [x[root[item]] for item in range(len(root))]


def _topological(
    blocks: dict[int, None], after: dict[int, dict[int, int]], before: dict[int, dict[int, int]]
) -> list[int]:
    waiting = {block: len(before.get(block, ())) for block in blocks}
    ready = [block for block in blocks if not waiting[block]]
    for block in ready:  # grows while it is read
        for other in after.get(block, ()):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return ready


def _middle_of(found: list[list[int]], net: Net) -> list[int]:
    """The four laid over the narrowest, by their left or right border; each item takes the mean of the inner two."""

    def borders(middles: list[int]) -> tuple[int, int]:
        return (
            min([x - width // 2 for x, width in zip(middles, net.width, strict=True)], default=0),
            max([x + width // 2 for x, width in zip(middles, net.width, strict=True)], default=0),
        )

    sides = [borders(middles) for middles in found]
    left, right = min(sides, key=lambda side: side[1] - side[0])
    shifts = [left - side[0] if index % 2 == 0 else right - side[1] for index, side in enumerate(sides)]
    result = []
    for item in range(len(net.width)):
        places = sorted([middles[item] + shift for middles, shift in zip(found, shifts, strict=True)])
        result.append((places[1] + places[2]) // 2)
    return result
