"""Lanes: the vertical part of an edge that passes rows, beside all cards of those rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphgrad.draw.layout import Block, Link

LANE_GAP = 15.0
"""Between a lane and what it passes."""
TIE_ROOM = 22.0
"""Beside a card that is not the last in its row: its line across the picture goes down there."""
SHORT = 16
"""Up to this many rows a lane may also run between the cards of a row; longer ones stay outside."""
CROSSING, CROSSING_OWN = 150.0, 750.0
"""What crossing a line across the picture is worth, or one of the same half, in points of detour."""


@dataclass(frozen=True)
class Lane:
    """One lane serves all far readers of a value."""

    x: float
    first: int
    """The rows it passes."""
    last: int


class _Skyline:
    """How far each row reaches; the reach of a range of rows, and raising it, both in log n."""

    def __init__(self, reach: Sequence[float]) -> None:
        self.size = 1 << max(len(reach) - 1, 1).bit_length()
        self.top = [-math.inf] * (2 * self.size)
        self.top[self.size : self.size + len(reach)] = reach
        for node in range(self.size - 1, 0, -1):
            self.top[node] = max(self.top[2 * node], self.top[2 * node + 1])
        self.whole = [-math.inf] * (2 * self.size)  # what holds for every row under a node

    def _cover(self, first: int, last: int) -> list[int]:
        nodes, low, high = [], first + self.size, last + self.size + 1
        while low < high:
            if low & 1:
                nodes.append(low)
                low += 1
            if high & 1:
                high -= 1
                nodes.append(high)
            low, high = low >> 1, high >> 1
        return nodes

    def highest(self, first: int, last: int) -> float:
        """The furthest reach in rows ``first`` to ``last``."""
        nodes = self._cover(first, last)
        found = [self.top[node] for node in nodes]
        for node in nodes:
            while node > 1:
                node >>= 1
                found.append(self.whole[node])
        return max(found)

    def reaches(self) -> list[float]:
        """The reach of every row."""
        whole = list(self.whole)
        for node in range(2, 2 * self.size):
            whole[node] = max(whole[node], whole[node >> 1])
        return [max(pair) for pair in zip(self.top[self.size :], whole[self.size :], strict=True)]

    def lift(self, first: int, last: int, reach: float) -> None:
        """Every one of these rows reaches at least this far from now on."""
        for node in self._cover(first, last):
            self.whole[node] = max(self.whole[node], reach)
            while node and self.top[node] < reach:  # further up it is no lower
                self.top[node] = reach
                node >>= 1


def lanes(
    rows: Sequence[Sequence[int]],
    row_of: dict[int, int],
    x: Sequence[float],
    blocks: Sequence[Block],
    links: Sequence[Link],
) -> tuple[list[Lane | None], tuple[float, ...], tuple[float, ...]]:
    """The lane of every block that is read beyond the next row, and how far each row then reaches."""
    reach: dict[int, int] = {}
    for link in links:
        if row_of[link.head] > row_of[link.tail] + 1:
            last = reach.get(link.tail)
            if last is None or row_of[link.head] > row_of[last]:
                reach[link.tail] = link.head
    left = _Skyline([max((blocks[b].outer - x[b] for b in row), default=0.0) for row in rows])
    right = _Skyline([max((blocks[b].half + x[b] for b in row), default=0.0) for row in rows])
    taken = [[_room(x[b], blocks[b], b == row[-1]) for b in row] for row in rows]
    tied = [[x[b] for b in row if blocks[b].tied] for row in rows]
    across: list[list[tuple[float, float]]] = [[] for _ in rows]  # what runs sideways below each row
    for link in links:
        if row_of[link.head] == row_of[link.tail] + 1:
            across[row_of[link.tail]].append(_span(x[link.tail], x[link.head]))
    crossed = [0.0]
    for row in rows:
        crossed.append(crossed[-1] + (CROSSING if any(blocks[b].tied for b in row) else CROSSING / 3))
    made: list[Lane | None] = [None] * len(blocks)
    # Short ones first: they hug the cards, longer ones go around them.
    for tail in sorted(reach, key=lambda b: (row_of[reach[b]] - row_of[b], row_of[b], x[b])):
        first, last = row_of[tail] + 1, row_of[reach[tail]] - 1
        places = _outside(left, right, first, last, x[tail], crossed)
        if last - first < SHORT:
            passed = taken[first : last + 1]
            wanted = [x[tail], x[reach[tail]], *_gaps(passed[0])]
            places = [
                (_crossed(place, tied[first : last + 1], across[first - 1 : last + 1]), place)
                for place in wanted
                if _free(place, passed)
            ] + places
        ends = (x[tail], x[reach[tail]])
        place = min(places, key=lambda item: item[0] + sum(abs(item[1] - end) for end in ends))[1]
        made[tail] = Lane(place, first, last)
        left.lift(first, last, -place)
        right.lift(first, last, place)
        across[first - 1].append(_span(x[tail], place))
        across[last].append(_span(place, x[reach[tail]]))
        if last - first < SHORT:
            for row_taken in taken[first : last + 1]:
                row_taken.append((place, place))
    outer, inner = left.reaches()[: len(rows)], right.reaches()[: len(rows)]
    return made, tuple(-reach for reach in outer), tuple(inner)


def _room(x: float, block: Block, last: bool) -> tuple[float, float]:
    """From where to where a block takes its row, with the place where its line across the picture goes down."""
    return x - block.outer, x + block.half + (TIE_ROOM if block.tied and not last else 0.0)


def _gaps(row: Sequence[tuple[float, float]]) -> list[float]:
    """The middles between the blocks of a row."""
    spans = sorted(row)
    return [(one[1] + other[0]) / 2 for one, other in pairwise(spans)]


def _span(one: float, other: float) -> tuple[float, float]:
    return (one, other) if one < other else (other, one)


def _crossed(
    x: float, tied: Sequence[Sequence[float]], across: Sequence[Sequence[tuple[float, float]]]
) -> float:
    """What a lane at `x` costs by the lines that it crosses: those across the picture, and those of its own half."""
    ties = sum(x > at for row in tied for at in row)
    own = sum(low < x < high for row in across for low, high in row)
    return CROSSING * ties + CROSSING_OWN * own


def _free(x: float, rows: Sequence[Sequence[tuple[float, float]]]) -> bool:
    return all(x < low - LANE_GAP + 1 or x > high + LANE_GAP - 1 for row in rows for low, high in row)


def _outside(
    left: _Skyline, right: _Skyline, first: int, last: int, x: float, crossed: Sequence[float]
) -> list[tuple[float, float]]:
    """Cost and place of a lane on the outer side, and on the inner one, where it crosses other lines."""
    outer = min(-left.highest(first, last) - LANE_GAP, x)
    inner = max(right.highest(first, last) + LANE_GAP, x)
    return [(0.0, outer), (crossed[last + 1] - crossed[first], inner)]
