"""The arrays that threads keep from one call to the next."""

import threading

# ---- from here on, word for word ----


class _Pool(threading.local):
    """Each thread's own arrays to compute into, by class and sizes, but for those that a call is using.

    A call may begin while another call of the thread is anywhere in here: at worst, arrays are dropped.
    """

    def __init__(self):
        self.last = {}  # by class: the sizes of those that were used last, and the arrays
        self.free = {}  # by class and sizes: those that were used before
        self.small = {}  # by class of a tile's arrays: those for a few rows that were used last


_pool = _Pool()


def _borrow(kind, *sizes):
    """Arrays for one call: what an earlier call of this thread gave back, else new ones."""
    last = _pool.last.pop(kind, None)
    if last:
        if last[0] == sizes:
            return last[1]
        _put_away(last[1], *last[0])
    try:
        return _pool.free[kind, sizes].pop()
    except LookupError:  # there are none
        return kind(*sizes)


def _give_back(work, *sizes):
    """Keep arrays for the next call."""
    other = _pool.last.pop(type(work), None)  # out of reach of a call from within, or both might put it away
    _pool.last[type(work)] = sizes, work
    if other:
        _put_away(other[1], *other[0])


def _put_away(work, *sizes):
    """Keep arrays for a later call. A thread keeps those of the eight kinds and sizes that it used last."""
    free, key = _pool.free, (type(work), sizes)
    kept = free.pop(key, [])
    kept.append(work)
    free[key] = kept
    if len(free) > 8:
        free.pop(list(free)[0], None)
