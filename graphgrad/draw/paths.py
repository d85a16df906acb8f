"""Lines as cubic splines: straight pieces with rounded corners."""

from __future__ import annotations

from collections.abc import Sequence

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
    points = [line[0]]
    (x0, y0), (x, y) = line[:2]
    back_x, back_y = x0 - x, y0 - y
    back = into = abs(back_x) + abs(back_y)
    for at, (x1, y1) in enumerate(line[2:], 3):
        on_x, on_y = x1 - x, y1 - y
        on = abs(on_x) + abs(on_y)
        # Half of a piece that has a corner at its other end too, all of one that ends.
        radius = min(RADIUS, into, on if at == len(line) else on / 2)
        part = radius / (back or 1.0)
        x0, y0 = back_x * part, back_y * part
        _go_on(points, (x + x0, y + y0))
        points.append((x + x0 * _FLAT, y + y0 * _FLAT))
        part = radius / (on or 1.0)
        x0, y0 = on_x * part, on_y * part
        points.append((x + x0 * _FLAT, y + y0 * _FLAT))
        points.append((x + x0, y + y0))
        x, y, back_x, back_y, back, into = x1, y1, -on_x, -on_y, on, on / 2
    _go_on(points, line[-1])
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


def _go_on(points: list[Point], end: Point) -> None:
    """Straight on to ``end``, unless the last corner ends there."""
    if _length(points[-1], end) > 0.01:
        points += _straight(points[-1], end)


def _straight(start: Point, end: Point) -> tuple[Point, Point, Point]:
    (x, y), third_x, third_y = start, (end[0] - start[0]) / 3, (end[1] - start[1]) / 3
    return (x + third_x, y + third_y), (x + 2 * third_x, y + 2 * third_y), end
