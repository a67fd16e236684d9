"""What a layout is computed on: boxes, labels and the places where long edges pass a layer, all of them items."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Net:
    """Items by number. Edges join items of neighbouring layers only; `layers` has their order, left to right."""

    width: list[int] = field(default_factory=list)  # even
    height: list[int] = field(default_factory=list)
    rank: list[int] = field(default_factory=list)
    is_box: list[bool] = field(default_factory=list)  # false: a label or a passing edge
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)

    def add(self, rank: int, width: int, height: int, *, is_box: bool) -> int:
        item = len(self.width)
        self.width.append(width + width % 2)
        self.height.append(height)
        self.rank.append(rank)
        self.is_box.append(is_box)
        self.above.append([])
        self.below.append([])
        while len(self.layers) <= rank:
            self.layers.append([])
        self.layers[rank].append(item)
        return item

    def join(self, upper: int, lower: int) -> None:
        self.below[upper].append(lower)
        self.above[lower].append(upper)

    def distance(self, left: int, right: int) -> int:
        """Least distance between the middles of two neighbours of a layer."""
        gap = 30 if self.is_box[left] and self.is_box[right] else 16
        return self.width[left] // 2 + self.width[right] // 2 + gap


@dataclass(slots=True)
class Chain:
    """The items that an edge passes, from above to below, and where it meets each of them."""

    items: list[int]
    is_back: bool
    label: int | None  # index in `items`
    xs: list[int] = field(default_factory=list)
