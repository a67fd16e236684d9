"""The lines between the layers: where each leaves and enters a box, and on which track it runs sideways.

A line goes straight down inside a layer, where its place was kept free, and sideways only between two layers. So no
line runs through a box, and no two run on top of one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PORT_DISTANCE = 16
_NEAR = 5  # pixels between verticals that would look like one


@dataclass(slots=True)
class Crossing:
    """A piece of a line from one layer to the next."""

    link: int
    begin: int  # x above
    end: int  # x below
    track: int = -1  # from 0, the uppermost; -1: it goes straight

    @property
    def low(self) -> int:
        return min(self.begin, self.end)

    @property
    def high(self) -> int:
        return max(self.begin, self.end)


def spread(wanted: Sequence[int], low: int, high: int) -> list[int]:
    """Places near the wanted ones, which are sorted: between `low` and `high`, as far from one another as they may."""
    if not wanted:
        return []
    last = len(wanted) - 1
    distance = min(PORT_DISTANCE, (high - low) // last) if last else 0
    places: list[int] = []
    for x in wanted:
        near = min(max(x, low), high)
        places.append(max(near, places[-1] + distance) if places else near)
    for index in range(last, -1, -1):
        ceiling = high if index == last else places[index + 1] - distance
        places[index] = max(min(places[index], ceiling), low + index * distance)
    return places


def give_tracks(pieces: Sequence[Crossing]) -> int:
    """Set the track of every piece that goes sideways. Returns how many tracks there are."""
    bent = sorted(
        [piece for piece in pieces if piece.begin != piece.end], key=lambda piece: (piece.low, piece.high, piece.link)
    )
    meeting: list[list[tuple[int, int]]] = [[] for _ in bent]  # (other, what it costs more to be above it)
    for index, piece in enumerate(bent):
        for other_index in range(index + 1, len(bent)):
            other = bent[other_index]
            if other.low > piece.high + _NEAR:
                break
            difference = _cost(piece, other) - _cost(other, piece)
            meeting[index].append((other_index, difference))
            meeting[other_index].append((index, -difference))
    score = [sum([difference for _, difference in others]) for others in meeting]
    open_pieces = set(range(len(bent)))
    tracks = 0
    while open_pieces:
        chosen = min(open_pieces, key=lambda index: (score[index], index))
        open_pieces.remove(chosen)
        above = [bent[met].track for met, _ in meeting[chosen] if met not in open_pieces]
        track = max(above, default=-1) + 1
        bent[chosen].track = track
        tracks = max(tracks, track + 1)
        for met, difference in meeting[chosen]:
            score[met] += difference  # from now on `chosen` is above it whatever happens
    return tracks


def _cost(upper: Crossing, lower: Crossing) -> int:
    """Crossings if one runs above the other; two verticals on one another cost as much as many."""
    cost = 0
    if lower.low < upper.end < lower.high:
        cost += 1
    if upper.low < lower.begin < upper.high:
        cost += 1
    if abs(upper.end - lower.begin) < _NEAR:
        cost += 50
    return cost
