"""How many rows a tile has, by a fixed model of the cache, so that the source depends on no machine.

Measured on two cores with 1 MiB of cache each: a tile's values should fit that; the slices of arguments, which are
read once or twice, may be some times larger; and a tile has to be so large that what is done once for each (calls,
adding up its parts of the gradients, waiting for the interpreter's lock) takes a tenth of its time at most.
"""

from __future__ import annotations

CACHE = 2**20
"""Bytes for what a tile computes."""
_SLICES = 8 * 2**20
"""Bytes for what it reads of arguments and writes of results."""
_FLOPS_PER_BYTE = 300
"""Operations of a tile for each byte of what is added up from tile to tile."""
_FEWEST_ELEMENTS = 2**16
"""Elements that the widest array of a tile should have, or threads wait for each other."""
LARGEST = 2**16
"""Rows that a tile may have."""
OTHER = 64
"""What a named size counts as, if it is not the number of rows. Where it is another, so much that a tile takes as much
memory as with this one."""


def rows_for(computed: int, sliced: int, parts: int, flops: int, widest: int, most: int) -> int:
    """The number of rows of a tile, a power of two, or `most`, if that is less.

    Parameters
    ----------
    computed, sliced:
        Bytes for one row of what a tile computes, and of what it reads and writes of whole arrays.
    parts:
        Bytes of what is added up from tile to tile.
    flops, widest:
        Operations for one row, and elements of its widest array.

    >>> rows_for(computed=456, sliced=3140, parts=157_000, flops=160_000, widest=50, most=50_000)
    2048
    """
    fitting = min(CACHE // max(computed, 1), _SLICES // max(sliced, 1))
    enough = _FEWEST_ELEMENTS // max(widest, 1)
    if parts > CACHE // 4:
        enough = max(enough, parts * _FLOPS_PER_BYTE // max(flops, 1))
    return max(1, min(_power_of_two(max(fitting, enough)), LARGEST, most))


def _power_of_two(number: int) -> int:
    """The largest one up to a number."""
    return 1 << (max(number, 1).bit_length() - 1)
