"""Where edges leave and enter cards, and on which track they cross the gap between two rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphgrad.draw.lanes import Lane

if TYPE_CHECKING:
    from graphgrad.draw.layout import Link

PORT = 16.0
"""Between two edges that enter one card."""
MARGIN = 14.0
"""Between a port and the corner of its card."""
APART = 12.0
"""Between two edges on one track."""


class Route(NamedTuple):
    """How an edge runs: out at ``exit``, across, down ``lane`` if it passes rows, across, in at ``entry``."""

    tail: int
    head: int
    exit: float
    entry: float
    lane: float | None
    exit_track: int
    entry_track: int


def routes(
    rows: int,
    row_of: dict[int, int],
    x: Sequence[float],
    narrow: Sequence[float],
    links: Sequence[Link],
    lanes: Sequence[Lane | None],
) -> tuple[tuple[Route, ...], tuple[int, ...], tuple[int, ...]]:
    """A route for each link, and how many tracks each gap needs for leaving and for entering edges."""
    far = [row_of[link.head] > row_of[link.tail] + 1 for link in links]
    lane_x = [
        lane.x if skips and (lane := lanes[link.tail]) else None
        for link, skips in zip(links, far, strict=True)
    ]
    entry = _entries(x, narrow, links, lane_x)
    exits = _exits(x, narrow, links, lane_x, entry)
    leaving: list[dict[int, tuple[float, float]]] = [{} for _ in range(rows)]
    entering: list[dict[int, tuple[float, float]]] = [{} for _ in range(rows)]
    for number, link in enumerate(links):
        via = lane_x[number]
        down = entry[number] if via is None else via
        if abs(exits[number] - down) > 0.01:
            # One track for all edges of a value: they are one line that forks.
            low, high = sorted((exits[number], down))
            old = leaving[row_of[link.tail]].get(link.tail, (low, high))
            leaving[row_of[link.tail]][link.tail] = (min(low, old[0]), max(high, old[1]))
        if via is not None and abs(via - entry[number]) > 0.01:
            low, high = sorted((via, entry[number]))
            entering[row_of[link.head] - 1][number] = (low, high)
    exit_tracks, entry_tracks = [_tracks(gap) for gap in leaving], [_tracks(gap) for gap in entering]
    made = tuple(
        Route(
            link.tail,
            link.head,
            exits[number],
            entry[number],
            lane_x[number],
            exit_tracks[row_of[link.tail]].get(link.tail, 0),
            entry_tracks[row_of[link.head] - 1].get(number, 0),
        )
        for number, link in enumerate(links)
    )
    return made, tuple(map(_count, exit_tracks)), tuple(map(_count, entry_tracks))


def _count(tracks: dict[int, int]) -> int:
    return max(tracks.values(), default=-1) + 1


def _entries(
    x: Sequence[float], narrow: Sequence[float], links: Sequence[Link], lane_x: Sequence[float | None]
) -> list[float]:
    """Where each link enters its card: in the order of where it comes from, the trunk in the middle."""
    into: dict[int, list[tuple[float, int]]] = {}
    for number, link in enumerate(links):
        via = lane_x[number]
        into.setdefault(link.head, []).append((x[link.tail] if via is None else via, number))
    entry = [0.0] * len(links)
    for head, coming in into.items():
        coming.sort()
        straight = [place for place, (origin, _) in enumerate(coming) if abs(origin - x[head]) < 1]
        middle = float(straight[0]) if len(straight) == 1 else (len(coming) - 1) / 2
        room = max(middle, len(coming) - 1 - middle, 1.0)
        step = min(PORT, (narrow[head] - MARGIN) / room)
        for place, (_, number) in enumerate(coming):
            entry[number] = round(x[head] + (place - middle) * step, 3)
    return entry


def _exits(
    x: Sequence[float],
    narrow: Sequence[float],
    links: Sequence[Link],
    lane_x: Sequence[float | None],
    entry: Sequence[float],
) -> list[float]:
    """Where each link leaves its card: in the middle, or to the side where another one goes straight on."""
    direct = {link.tail for number, link in enumerate(links) if lane_x[number] is None}
    exits = []
    for number, link in enumerate(links):
        via, middle = lane_x[number], x[link.tail]
        if via is None:
            # Two edges to one card (x * x), or a slight bend, become straight lines.
            near = abs(entry[number] - middle) <= min(PORT, narrow[link.tail] - MARGIN)
            exits.append(entry[number] if near else middle)
        elif link.tail in direct and abs(via - middle) > PORT:
            shift = min(PORT, narrow[link.tail] - MARGIN)
            exits.append(round(middle + (shift if via > middle else -shift), 3))
        else:
            exits.append(via if abs(via - middle) <= PORT else middle)
    return exits


def _tracks(spans: dict[int, tuple[float, float]]) -> dict[int, int]:
    """A track for each span so that none overlap; short ones on top, so that a fan does not cross itself."""
    tracks: list[list[tuple[float, float]]] = []
    chosen: dict[int, int] = {}
    for key in sorted(spans, key=lambda key: (spans[key][1] - spans[key][0], spans[key][0])):
        low, high = spans[key]
        free = (
            number
            for number, used in enumerate(tracks)
            if all(high + APART < start or low - APART > end for start, end in used)
        )
        track = next(free, len(tracks))
        if track == len(tracks):
            tracks.append([])
        tracks[track].append((low, high))
        chosen[key] = track
    return chosen
