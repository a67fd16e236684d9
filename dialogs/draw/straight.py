"""Small bends taken out: where an edge may pass right below its port instead of a few pixels beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dialogs.draw.net import Chain, Net

_FARTHEST = 60  # pixels that a line is moved for a bend less


def straighten(net: Net, chains: Sequence[Chain], middle: list[int]) -> None:
    """Move passing lines and labels sideways, never past a neighbour, where that saves a bend. Changes `middle`."""
    place = {item: index for layer in net.layers for index, item in enumerate(layer)}
    for chain in chains:
        for wanted in dict.fromkeys((chain.xs[0], chain.xs[-1])):
            _try(net, chain, middle, place, wanted)


def _try(net: Net, chain: Chain, middle: list[int], place: dict[int, int], wanted: int) -> None:
    inner = chain.items[1:-1]
    moved = [_fits(net, item, middle, place, wanted) for item in inner]
    xs = [wanted if fits else middle[item] for item, fits in zip(inner, moved, strict=True)]
    before = _bends([chain.xs[0], *(middle[item] for item in inner), chain.xs[-1]])
    if _bends([chain.xs[0], *xs, chain.xs[-1]]) >= before:
        return
    for index, (item, x) in enumerate(zip(inner, xs, strict=True), start=1):
        middle[item] = chain.xs[index] = x


def _bends(xs: Sequence[int]) -> int:
    return sum([a != b for a, b in pairwise(xs)])


def _fits(net: Net, item: int, middle: Sequence[int], place: dict[int, int], wanted: int) -> bool:
    if abs(middle[item] - wanted) > _FARTHEST:
        return False
    layer, index = net.layers[net.rank[item]], place[item]
    if index and middle[layer[index - 1]] + net.distance(layer[index - 1], item) > wanted:
        return False
    return index == len(layer) - 1 or wanted + net.distance(item, layer[index + 1]) <= middle[layer[index + 1]]
