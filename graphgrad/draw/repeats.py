"""Where a sequence repeats itself."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

LONGEST = 64
"""How many items what is repeated may have."""


def repeats(items: Sequence[Hashable]) -> list[tuple[int, int, int]]:
    """The runs of a sequence, from left to right: start, length of what is repeated, how often; once is a run of one.

    >>> from graphgrad.draw.repeats import repeats
    >>> repeats("xababab")
    [(0, 1, 1), (1, 2, 3)]
    """
    codes: dict[Hashable, int] = {}
    numbers = np.array([codes.setdefault(item, len(codes)) for item in items], np.int64)
    periods = range(1, min(LONGEST, len(items) // 2) + 1)
    same = {period: _stretches(numbers[:-period] == numbers[period:]) for period in periods}
    runs = []
    at = 0
    while at < len(items):
        best = (at, 1, 1)
        for period in periods:
            if at + period >= len(items):
                break
            times = int(same[period][at]) // period + 1
            if (
                times > 1 and period * times > best[1] * best[2]
            ):  # of equally long runs the one that repeats most
                best = (at, period, times)
        runs.append(best)
        at += best[1] * best[2]
    return runs


def _stretches(
    matches: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each place, how many matches follow one another from there on."""
    places = np.arange(len(matches))
    misses = np.where(matches, len(matches), places)
    return np.minimum.accumulate(misses[::-1])[::-1] - places
