"""Products of matrices one size of which is the rows of a tile, and much larger than the others.

A thread that computes tiles beside others has one thread of BLAS, which cuts such products in a way that takes longer
than need be: with OpenBLAS, 2,048 to 4,096 rows and a matrix of 784 by 50 or 50 by 784, blocks of 512 rows take 0.83
to 0.92 of the time, and the product over the rows, where it is the turned one that has the longer lines, 0.8 to 0.9.
With two threads of its own BLAS takes 0.9 to 1.15 times as long for blocks, and 0.9 to 1.2 turned; so where a tile's
part of a sum needs no place beside others', which is so for a single tile, it is not turned.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad.core.dim import Size
from graphgrad.core.form import Destination, Form, Helper, Speller
from graphgrad.core.node import Node

MANY = 1024
"""From more rows on."""
_LONG, _FLAT, _LEAST = 512, 4, 8
"""A matrix is flat if one size is at least 512 and four times the other, which is at least 8."""

_BY_ROWS = Helper(
    "_dot_by_rows",
    f'''
def _dot_by_rows(a, b, out):
    """np.dot(a, b, out=out). Of many rows 512 at a time, which takes BLAS less time in all."""
    if len(a) <= {MANY}:
        return np.dot(a, b, out=out)
    for first in range(0, len(a), 512):
        np.dot(a[first:first + 512], b, out=out[first:first + 512])
    return out
''',
)
_OVER_ROWS = Helper(
    "_dot_over_rows",
    f'''
def _dot_over_rows(a, b, scratch, out=None):
    """np.dot(a, b, out=out). Of matrices that share many rows (b.T @ a.T).T, which takes BLAS less time."""
    if out is None or len(b) <= {MANY}:
        return np.dot(a, b, out=out)
    out[...] = np.dot(b.T, a.T, out=scratch.reshape(b.shape[1], len(a))).T
    return out
''',
)


def spell(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    """A product of matrices, if it is computed in one of these ways."""
    arguments = [part.text for part in parts]
    if _is_by_rows(node, to.rows):
        return Form(f"{speller.helper(_BY_ROWS)}({', '.join(arguments)}, out={to.out})")
    if _is_over_rows(node, to.rows):
        return Form(f"{speller.helper(_OVER_ROWS)}({', '.join([*arguments, *to.scratch])}, out={to.out})")
    return None


def scratch(node: Node, rows: Size) -> int:
    """How many arrays like its result a node needs on the way, in a tile of many rows."""
    return node.op.scratch + (node.op.name == "matmul" and _is_over_rows(node, rows))


def _is_by_rows(node: Node, rows: Size | None) -> bool:
    """Whether the result has a row for each of a tile."""
    left, right = node.inputs
    return (
        left.ndim == right.ndim == 2
        and left.shape[0] == rows
        and (_is_flat(*right.shape) or _is_flat(*right.shape[::-1]))
    )


def _is_over_rows(node: Node, rows: Size | None) -> bool:
    """Whether it sums over the rows of a tile."""
    left, right = node.inputs
    return left.ndim == right.ndim == 2 and right.shape[0] == rows and _is_flat(*node.shape)


def _is_flat(long: Size, short: Size) -> bool:
    return (
        isinstance(long, int)
        and isinstance(short, int)
        and long >= max(_LONG, _FLAT * short)
        and short >= _LEAST
    )
