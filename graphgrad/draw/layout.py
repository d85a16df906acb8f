"""The forward half in its columns; the backward half is its reflection.

Rows are given. This places the blocks of each row, gives long edges a lane of their own beside the cards, and
shares the gaps between rows out to what runs through them. All in n log n, and all in x: heights come later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from graphgrad.draw.lanes import TIE_ROOM, Lane, lanes
from graphgrad.draw.ports import Route, routes

UNIT_GAP = 36.0
"""Between the card of one block and the pills of the next."""
SNAP = 40.0


class Block(NamedTuple):
    """The room that one pair of cards needs, seen from the middle of its card on the left."""

    half: float
    """Half the wider card."""
    narrow: float
    """Half the narrower card: what enters a card enters both."""
    outer: float
    """To the far edge of the pills docked at it."""
    tied: bool
    """Whether a line crosses the picture from here."""


class Link(NamedTuple):
    """An edge from one block to another, further down."""

    tail: int
    head: int


@dataclass(frozen=True)
class Layout:
    """Where everything on the left half is, from side to side; the trunk is at 0."""

    x: tuple[float, ...]
    """The middle of each block's card."""
    routes: tuple[Route, ...]
    """One for each link, in order."""
    left: tuple[float, ...]
    """The far edge of each row, with the lanes beside it."""
    right: tuple[float, ...]
    exits: tuple[int, ...]
    """How many tracks each gap below a row needs for edges that leave the row."""
    entries: tuple[int, ...]
    """The same for edges that come from further up and enter the next row."""


def arrange(rows: Sequence[Sequence[int]], blocks: Sequence[Block], links: Sequence[Link]) -> Layout:
    """Place ``blocks`` (each in one of ``rows``) and route ``links`` between them; no link crosses a card."""
    row_of = {block: number for number, row in enumerate(rows) for block in row}
    x, ordered = _columns(rows, row_of, blocks, links)
    beside: list[Lane | None]
    beside, left, right = lanes(ordered, row_of, x, blocks, links)
    made, exits, entries = routes(len(rows), row_of, x, [block.narrow for block in blocks], links, beside)
    return Layout(tuple(x), made, left, right, exits, entries)


def _columns(
    rows: Sequence[Sequence[int]], row_of: dict[int, int], blocks: Sequence[Block], links: Sequence[Link]
) -> tuple[list[float], list[list[int]]]:
    """The x of every block and the order in each row: each stands as near as it can under what it reads."""
    above: list[list[int]] = [[] for _ in blocks]
    below: list[list[int]] = [[] for _ in blocks]
    skips = [0] * len(blocks)
    for link in links:
        above[link.head].append(link.tail)
        below[link.tail].append(link.head)
        skips[link.tail] = max(skips[link.tail], row_of[link.head] - row_of[link.tail] - 1)
    x = [0.0] * len(blocks)
    ordered = [list(row) for row in rows]
    for downwards in (True, False, True):
        for row in ordered if downwards else reversed(ordered):
            if len(row) == 1:
                continue  # the trunk is straight
            wish = {b: _wish(x[b], above[b], below[b], x, downwards) for b in row}
            # Of two that wish for one place, the one read further down goes outside, where its lane is.
            key = {b: (round(wish[b], 3), -skips[b]) for b in row}
            row.sort(key=key.__getitem__)
            places = _pack([wish[b] for b in row], [blocks[b] for b in row])
            for block, place in zip(row, places, strict=True):
                x[block] = place
    return x, ordered


def _wish(
    now: float, above: Sequence[int], below: Sequence[int], x: Sequence[float], downwards: bool
) -> float:
    """Under the middle of what a block reads; what reads nothing goes above its readers, on the way up."""
    near = above if downwards else [] if above else below
    return sum(x[block] for block in near) / len(near) if near else now


def _pack(wish: Sequence[float], blocks: Sequence[Block]) -> list[float]:
    """The places nearest to ``wish`` by least squares, in this order, with room: pool adjacent violators."""
    offsets = [0.0]
    for one, other in pairwise(blocks):
        offsets.append(offsets[-1] + one.half + TIE_ROOM * one.tied + UNIT_GAP + other.outer)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wish, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean, count = (before * size + mean * count) / (size + count), size + count
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    places = [mean + offset for mean, offset in zip(flat, offsets, strict=True)]
    # A row that nearly lines up with the one above is moved a little, so that it does.
    off = min((want - place for want, place in zip(wish, places, strict=True)), key=abs)
    return [round(place + (off if abs(off) <= SNAP else 0.0), 3) for place in places]
