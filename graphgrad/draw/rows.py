"""Which row each step stands in: layers become stacked sections, a step stands under what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_PER_ROW = 4
"""More steps side by side than this go on to the next row: pictures grow downwards, not sideways."""


@dataclass(frozen=True)
class Section:
    """Consecutive rows of one layer."""

    scope: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    """Steps by index, left to right as given."""


def sections(
    scopes: Sequence[tuple[str, ...]], inputs: Sequence[Sequence[int]], floating: Sequence[bool]
) -> tuple[Section, ...]:
    """The sections of a graph, from the top down, so that every edge points to a lower row.

    ``inputs`` are indices of earlier steps. A ``floating`` step may sink to the row above its first reader.
    """
    made = []
    for members in _groups(scopes, inputs):
        rows = _by_rank(members, _ranks(members, inputs, floating))
        if max(map(len, rows)) > MAX_PER_ROW:
            rows = _by_rank(members, _bricks(members, inputs))
        made.append(Section(scopes[members[0]], tuple(map(tuple, rows))))
    return tuple(made)


def _by_rank(members: list[int], ranks: dict[int, int]) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(max(ranks.values()) + 1)]
    for step in members:
        rows[ranks[step]].append(step)
    return rows


def _bricks(members: list[int], inputs: Sequence[Sequence[int]]) -> dict[int, int]:
    """Ranks of which none is too wide: where a row is full, what follows goes on below all that there is.

    So the gates of a cell that do not fit beside each other stand above each other, each whole.
    """
    ranks: dict[int, int] = {}
    width: dict[int, int] = {}
    floor = bottom = 0
    for step in members:
        rank = max((ranks[read] + 1 for read in inputs[step] if read in ranks), default=floor)
        if width.get(rank, 0) == MAX_PER_ROW:
            rank = floor = bottom + 1
        ranks[step] = rank
        width[rank] = width.get(rank, 0) + 1
        bottom = max(bottom, rank)
    return ranks


def _groups(scopes: Sequence[tuple[str, ...]], inputs: Sequence[Sequence[int]]) -> list[list[int]]:
    """Steps by layer: one pass for each level of nesting, so that outer layers stay whole where they can."""
    groups = [list(range(len(scopes)))] if scopes else []
    for depth in range(max(map(len, scopes), default=0)):
        groups = [part for group in groups for part in parts(group, depth, scopes, inputs)]
    return groups


def parts(
    group: list[int], depth: int, scopes: Sequence[tuple[str, ...]], inputs: Sequence[Sequence[int]]
) -> list[list[int]]:
    """``group`` by the layer name at ``depth``.

    A step joins the latest part of its layer if that comes no earlier than what it reads; otherwise the layer
    starts a second part. Steps of no layer only join the part made last, so they stay near their neighbours.
    """
    found: list[list[int]] = []
    part_of: dict[int, int] = {}
    latest: dict[str, int] = {}
    loose = False  # whether the part made last is of no layer
    for step in group:
        floor = max((part_of.get(read, 0) for read in inputs[step]), default=0)
        name = scopes[step][depth] if len(scopes[step]) > depth else None
        index = latest.get(name, -1) if name is not None else len(found) - 1 if loose else -1
        if index < floor or index < 0:
            index = len(found)
            found.append([])
            loose = name is None
            if name is not None:
                latest[name] = index
        found[index].append(step)
        part_of[step] = index
    return found


def _ranks(members: list[int], inputs: Sequence[Sequence[int]], floating: Sequence[bool]) -> dict[int, int]:
    ranks: dict[int, int] = {}
    sinks: dict[int, bool] = {}
    for step in members:
        inside = [read for read in inputs[step] if read in ranks]
        ranks[step] = max((ranks[read] + 1 for read in inside), default=0)
        sinks[step] = (
            floating[step] if not inputs[step] else bool(inside) and all(map(sinks.get, inputs[step]))
        )
    ceiling: dict[int, int] = {}
    for step in reversed(members):
        if sinks[step] and step in ceiling:
            ranks[step] = ceiling[step] - 1
        for read in inputs[step]:
            if read in ranks:
                ceiling[read] = min(ceiling.get(read, ranks[step]), ranks[step])
    return ranks
