"""Lines as cubic splines: straight pieces with rounded corners."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from graphgrad.draw.shapes import Point

RADIUS = 9.0
ARROW = 7.5
"""The length of an arrow head."""
_FLAT = 1 - 0.5523
"""How far from the corner the control points of a quarter circle are."""


def rounded(corners: Sequence[Point], *, arrow: bool) -> tuple[tuple[Point, ...], Point]:
    """The spline through ``corners`` and the tip of its arrow (or its end)."""
    line = _bends(corners)
    tip = line[-1]
    if arrow:
        line[-1] = _towards(tip, line[-2], ARROW)
    if len(line) == 2:
        return (line[0], *_straight(*line)), tip
    last = len(line) - 2
    lengths = [_length(one, other) for one, other in pairwise(line)]
    points = [line[0]]
    for at in range(last):
        # Half of a piece that has a corner at its other end too, all of one that ends.
        into = lengths[at] if at == 0 else lengths[at] / 2
        out = lengths[at + 1] if at + 1 == last else lengths[at + 1] / 2
        radius = min(RADIUS, into, out)
        (x0, y0), (x, y), (x1, y1) = line[at : at + 3]
        back, on = radius / (lengths[at] or 1.0), radius / (lengths[at + 1] or 1.0)
        x0, y0, x1, y1 = (x0 - x) * back, (y0 - y) * back, (x1 - x) * on, (y1 - y) * on
        start = x + x0, y + y0
        if _length(points[-1], start) > 0.01:
            points += _straight(points[-1], start)
        points.append((x + x0 * _FLAT, y + y0 * _FLAT))
        points.append((x + x1 * _FLAT, y + y1 * _FLAT))
        points.append((x + x1, y + y1))
    if len(points) == 1 or _length(points[-1], line[-1]) > 0.01:
        points += _straight(points[-1], line[-1])
    return tuple(points), tip


def swung(start: Point, end: Point, *, arrow: bool) -> tuple[tuple[Point, ...], Point]:
    """A line from one side of a card to the side of another; it swings where their heights differ."""
    if abs(start[1] - end[1]) < 0.5:
        return rounded((start, end), arrow=arrow)
    last = (end[0] - (ARROW if arrow else 0.0), end[1])
    middle = (start[0] + last[0]) / 2
    points = (start, (middle, start[1]), (middle, end[1]), last)
    return tuple((round(x, 2), round(y, 2)) for x, y in points), end


def _bends(corners: Sequence[Point]) -> list[Point]:
    """Without repeated points and points inside a straight piece."""
    line: list[Point] = []
    for x, y in corners:
        if line:
            bx, by = line[-1]
            if abs(x - bx) + abs(y - by) < 0.01:
                continue
            if len(line) > 1:
                ax, ay = line[-2]
                if abs((bx - ax) * (y - by) - (by - ay) * (x - bx)) < 1e-6:
                    line.pop()
        line.append((x, y))
    return line


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _between(one: Point, other: Point, part: float) -> Point:
    return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part


def _towards(start: Point, target: Point, distance: float) -> Point:
    length = _length(start, target)
    return _between(start, target, min(1.0, distance / length)) if length else start


def _straight(start: Point, end: Point) -> tuple[Point, Point, Point]:
    (x, y), third_x, third_y = start, (end[0] - start[0]) / 3, (end[1] - start[1]) / 3
    return (x + third_x, y + third_y), (x + 2 * third_x, y + 2 * third_y), end
