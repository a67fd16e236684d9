"""Which layer each node stands on: circles are broken from the start, then the longest way counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Ranks(Generic[K]):
    layer: Mapping[K, int]
    back: frozenset[int]  # indexes of the pairs that lead up, or to the node itself


def rank(nodes: Sequence[K], pairs: Sequence[tuple[K, K]], roots: Sequence[K], *, reads_on: bool = False) -> Ranks[K]:
    """Layers from 0, where only `roots` stand; every other pair than those of `back` leads down.

    The search for circles begins at the roots and takes the pairs in their order; with `reads_on` first those to the
    nodes that follow soonest. What closes a circle becomes a way back.
    """
    place = {node: index for index, node in enumerate(nodes)}
    following: dict[K, list[tuple[int, K]]] = {node: [] for node in nodes}
    for index, (source, target) in enumerate(pairs):
        following[source].append((index, target))
    for source, ways in following.items() if reads_on else ():
        ways.sort(key=lambda way: (place[way[1]] <= place[source], place[way[1]]))
    back = _find_back(nodes, following, roots)
    first = set(roots)
    layer = {node: 0 if node in first else 1 for node in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for index, (_, target) in enumerate(pairs):
        if index not in back:
            waiting[target] += 1
    ready = [node for node in nodes if not waiting[node]]
    for node in ready:  # grows while it is read
        for index, target in following[node]:
            if index in back:
                continue
            layer[target] = max(layer[target], layer[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return Ranks(layer, frozenset(back))


def _find_back(
    nodes: Sequence[K], following: Mapping[K, Sequence[tuple[int, K]]], roots: Sequence[K]
) -> frozenset[int]:
    back: set[int] = set()
    state: dict[K, bool] = {}  # True while the search is below the node
    for begin in (*roots, *nodes):
        if begin in state:
            continue
        state[begin] = True
        stack = [(begin, iter(following[begin]))]
        while stack:
            node, ways = stack[-1]
            index, target = next(ways, (-1, node))
            if index < 0:
                state[node] = False
                stack.pop()
            elif target not in state:
                state[target] = True
                stack.append((target, iter(following[target])))
            elif state[target]:
                back.add(index)
    return frozenset(back)
