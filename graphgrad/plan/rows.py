"""How many rows a tile has, by a fixed model of the cache, so that the source depends on no machine.

Measured on two cores with 1 MiB of cache each: a tile's values should fit that; the slices of arguments, which are
read once or twice, may be some times larger; and a tile has to be so large that what is done once for each (calls,
adding up its parts of the gradients, waiting for the interpreter's lock) takes a tenth of its time at most, for which
its values may be some times larger, too.
"""

from __future__ import annotations

import math

CACHE = 2**20
"""Bytes for what a tile computes."""
_COMPUTED = 8 * CACHE
"""The same at most, where the statements of such a tile would be short."""
_SLICES = 16 * CACHE
"""Bytes for what it reads of arguments and writes of results."""
_FLOPS_PER_BYTE = 300
"""Operations of a tile for each byte of what is added up from tile to tile."""
_ELEMENTS = 2**17
"""Elements that a statement of a tile should read or make on average, or threads wait for each other. Products of
matrices, which take long anyway, are not counted; those of a matrix and a vector are."""
LARGEST = _ELEMENTS
"""Rows that a tile may have: statements of one number for each row are long enough then."""
OTHER = 64
"""What a named size counts as, if it is not the number of rows. Where it is another, so much that a tile takes as much
memory as with this one."""


def rows_for(computed: int, sliced: int, parts: int, flops: int, mean: float, most: int) -> int:
    """The number of rows of a tile, a power of two, or `most`, if that is less.

    Parameters
    ----------
    computed, sliced:
        Bytes for one row of what a tile computes, and of what it reads and writes of whole arrays.
    parts:
        Bytes of what is added up from tile to tile.
    flops, mean:
        For one row: operations, and elements that a statement reads or makes on average, without products of matrices;
        infinity, if there is nothing else.

    >>> rows_for(computed=456, sliced=3140, parts=157_000, flops=160_000, mean=18.6, most=50_000)
    4096
    """
    rows = max(CACHE // max(computed, 1), int(_ELEMENTS / max(mean, 1.0)))
    rows = min(rows, _COMPUTED // max(computed, 1), _SLICES // max(sliced, 1))
    if parts > CACHE // 4:
        rows = max(rows, parts * _FLOPS_PER_BYTE // max(flops, 1))
    return max(1, min(_power_of_two(rows), LARGEST, most))


def _power_of_two(number: int) -> int:
    """The nearest one by factors, larger or smaller by a half at most: 3 is nearer to 4."""
    return 1 << round(math.log2(max(number, 1)))
