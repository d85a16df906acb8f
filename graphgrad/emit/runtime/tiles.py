"""Loops over tiles."""

import math
import sys

import numpy as np

from graphgrad.emit.runtime.pool import _borrow, _give_back, _pool, _put_away
from graphgrad.emit.runtime.team import _team

# ---- from here on, word for word ----


_none = {}


def _new(kind, sizes):
    """In place of arrays: None for each, since out=None has NumPy's functions make new ones."""
    if kind not in _none:
        _none[kind] = kind(*sizes, lambda shape, dtype: None)
    return _none[kind]


class _Held:
    """Arrays for tiles of up to so many rows."""

    def __init__(self, kind, rows, sizes):
        self.kind, self.rows, self.sizes = kind, rows, sizes
        self.work = None if kind is None else kind(rows, *sizes)
        self.in_use = False

    def cut(self, rows):
        """The arrays for so many rows: the beginning of each."""
        if self.work is None or rows == self.rows:
            return self.work
        arrays = iter(vars(self.work).values())
        return self.kind(
            rows,
            *self.sizes,
            lambda shape, dtype: next(arrays).reshape(-1)[: math.prod(shape)].reshape(shape),
        )


def _hold(kind, rows, sizes):
    """Arrays for tiles of so many rows: the lowest that this thread keeps and that will do, else new ones."""
    key = _Held, (kind, *sizes)
    kept = sorted(_pool.free.pop(key, ()), key=lambda held: held.rows)
    fitting = [held for held in kept if held.rows >= rows]
    if kept:
        kept.remove(fitting[0] if fitting else kept[0])  # new ones take its place, or ever more would be kept
        _pool.free[key] = kept
    return fitting[0] if fitting else _Held(kind, rows, sizes)


def _wide(part):
    """A small sum in float64, so that it does not matter how many tiles are added to it."""
    return part.astype(np.float64) if part.size <= 4096 and part.dtype in (np.float32, np.float16) else part


def _combined(totals, parts, how):
    """The totals with one more part each."""
    return [
        combine(total, part, out=total) if total.size > 4096 else combine(total, part.astype(total.dtype))
        for total, part, combine in zip(totals, parts, how or [np.add] * len(totals))
    ]


class _Share:
    """The tiles from row first to row last, one after the other, and the arrays to compute them into.

    The arrays are those of the thread that makes this, whoever computes: they wait for its next call.
    """

    def __init__(self, tile, first, last, most, kinds, sizes, how, sums=None):
        self.tile, self.first, self.last, self.how = tile, first, last, how
        self.rows, self.kinds, self.sizes = min(most, last - first), kinds, sizes
        self.held = _hold(kinds[0], self.rows, sizes[0])
        self.part = None if kinds[1] is None else _borrow(kinds[1], *sizes[1])
        self.own_sums = None if kinds[1] is None or sums else _borrow(kinds[1], *sizes[1])
        self.sums = sums or self.own_sums

    def compute(self, failed=()):
        """What is combined of all tiles; or nothing, if another share fails meanwhile."""
        totals, whole = None, self.held.cut(self.rows)
        for first in range(self.first, self.last, self.rows):
            if failed:
                return None
            last = min(first + self.rows, self.last)
            work = whole if last - first == self.rows else self.held.cut(last - first)
            found = self.tile(first, last, work, self.sums if totals is None else self.part)
            if totals is None:
                self.dtypes = [one.dtype for one in found]
                totals = [_wide(one) for one in found]
            else:
                totals = _combined(totals, found, self.how)
        return totals

    def give_back(self):
        """Keep the arrays for the next call."""
        _put_away(self.held, self.kinds[0], *self.sizes[0])
        for part in (self.part, self.own_sums):
            if part is not None:
                _give_back(part, *self.sizes[1])


_has_lock = getattr(sys, "_is_gil_enabled", lambda: True)  # the interpreter's; an import may switch it on


def _least(most):
    """How many rows are worth a thread. Without the lock, short statements do not queue."""
    return max(most // (2 if _has_lock() else 8), 1)


def _in_shares(number, uses_blas, count, tile, most, kinds, sizes, how, new):
    """tile for all rows below count, in so many shares side by side; results combined."""
    ends = [count * at // number for at in range(number + 1)]
    shares = [
        _Share(tile, first, last, most, kinds, sizes, how, None if first else new)
        for first, last in zip(ends, ends[1:])
    ]
    if number == 1:
        totals = shares[0].compute()
    else:
        totals, *others = _team.run(lambda at, failed: shares[at].compute(failed), number, uses_blas)
        for other in others:
            totals = _combined(totals, other, how)
    for share in shares:
        share.give_back()
    return tuple(
        total.astype(dtype) if total.dtype != dtype else total
        for total, dtype in zip(totals, shares[0].dtypes)
    )


def _by_tiles(
    tile,
    count,
    most,
    kinds=(None, None),
    sizes=((), ()),
    how=None,
    uses_blas=True,
    threads=None,
    at_most=None,
):
    """tile(first, last, work, part) for all rows below count, at most so many at a time; results combined.

    A tile computes into work, and what is to be combined into part, or into new arrays where that has None.
    kinds are their classes, sizes what their arrays depend on besides the number of rows.
    """
    new = None if kinds[1] is None else _new(kinds[1], sizes[1])
    if count <= most // 8:  # so little that what is around it counts
        held = _pool.small.get(kinds[0])
        if held is None or held.in_use or held.rows != count or held.sizes != sizes[0]:
            held = _pool.small[kinds[0]] = _Held(kinds[0], count, sizes[0])
        held.in_use = True
        results = tile(0, count, held.work, new)
        held.in_use = False
        return results
    number = min(_team.shares(count // _least(most), uses_blas, threads), at_most or count)
    if number == 1 and count <= most:
        held = _hold(kinds[0], count, sizes[0])
        results = tile(0, count, held.cut(count), new)
        _put_away(held, kinds[0], *sizes[0])
        return results
    return _in_shares(number, uses_blas, count, tile, most, kinds, sizes, how, new)
