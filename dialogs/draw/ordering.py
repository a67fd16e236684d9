"""The order inside the layers: medians of the neighbours, sweep by sweep, while it brings fewer crossings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dialogs.draw.net import Net

MAX_SWEEPS = 14
_PATIENCE = 4  # sweeps without anything gained
_MAX_SWAPPING = 4000  # items; in a larger picture neighbours are not tried the other way round


def order(net: Net) -> None:
    """Set the order of `net.layers`. Deterministic, a bounded number of sweeps."""
    layers = _first(net)
    best, best_crossings = [list(layer) for layer in layers], _crossings(layers, net)
    idle = 0
    for sweep in range(MAX_SWEEPS):
        if not best_crossings or idle >= _PATIENCE:
            break
        _sweep(layers, net, goes_down=sweep % 2 == 0)
        if len(net.width) <= _MAX_SWAPPING:
            _swap(layers, net)
        crossings = _crossings(layers, net)
        idle += 1
        if crossings < best_crossings:
            best, best_crossings, idle = [list(layer) for layer in layers], crossings, 0
    net.layers = best


def _first(net: Net) -> list[list[int]]:
    """As a reader would meet them who follows each way to its end."""
    layers: list[list[int]] = [[] for _ in net.layers]
    seen: set[int] = set()
    for begin in [item for layer in net.layers for item in layer]:
        stack = [begin]
        while stack:
            item = stack.pop()
            if item in seen:
                continue
            seen.add(item)
            layers[net.rank[item]].append(item)
            stack.extend(reversed(net.below[item]))
    return layers


def _sweep(layers: list[list[int]], net: Net, *, goes_down: bool) -> None:
    place = [0] * len(net.width)
    for layer in layers:
        for index, item in enumerate(layer):
            place[item] = index
    neighbours = net.above if goes_down else net.below
    for layer in layers if goes_down else reversed(layers):
        keys = {item: _median([place[other] for other in neighbours[item]], place[item]) for item in layer}
        layer.sort(key=lambda item: (keys[item], place[item]))
        for index, item in enumerate(layer):
            place[item] = index


def _median(places: list[int], own: int) -> float:
    """Between the two middle ones nearer to the denser side, as Gansner et al. do."""
    if not places:
        return own
    places.sort()
    middle = len(places) // 2
    if len(places) % 2:
        return places[middle]
    if len(places) == 2:
        return (places[0] + places[1]) / 2
    left, right = places[middle - 1] - places[0], places[-1] - places[middle]
    if left + right == 0:
        return (places[middle - 1] + places[middle]) / 2
    return (places[middle - 1] * right + places[middle] * left) / (left + right)


def _swap(layers: list[list[int]], net: Net) -> None:
    """Exchange neighbours where that alone saves crossings."""
    place = [0] * len(net.width)
    for layer in layers:
        for index, item in enumerate(layer):
            place[item] = index
    for layer in layers:
        for index in range(len(layer) - 1):
            left, right = layer[index], layer[index + 1]
            now = then = 0
            for neighbours in (net.above, net.below):
                of_left = [place[other] for other in neighbours[left]]
                of_right = [place[other] for other in neighbours[right]]
                now += sum([a > b for a in of_left for b in of_right])
                then += sum([b > a for a in of_left for b in of_right])
            if then < now:
                layer[index], layer[index + 1] = right, left
                place[left], place[right] = index + 1, index


def _crossings(layers: Sequence[Sequence[int]], net: Net) -> int:
    """Counted with a tree of sums, after Barth, Jünger and Mutzel."""
    total = 0
    for upper, lower in pairwise(layers):
        place = {item: index for index, item in enumerate(lower)}
        size = 1
        while size < len(lower):
            size *= 2
        tree = [0] * (2 * size)
        for item in upper:
            for target in sorted([place[other] for other in net.below[item]]):
                at = target + size
                tree[at] += 1
                while at > 1:
                    if at % 2 == 0:
                        total += tree[at + 1]
                    at //= 2
                    tree[at] += 1
    return total
