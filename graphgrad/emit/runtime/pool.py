"""The arrays that threads keep from one call to the next."""

import threading

# ---- from here on, word for word ----


class _Pool(threading.local):
    """Each thread's own arrays to compute into, by class and sizes, but for those that a call is using."""

    def __init__(self):
        self.free = {}


_pool = _Pool()


def _borrow(kind, *sizes):
    """Arrays for one call: what an earlier call of this thread gave back, else new ones."""
    kept = _pool.free.get((kind, sizes))
    return kept.pop() if kept else kind(*sizes)


def _give_back(work, *sizes):
    """Keep arrays for the next call. A thread keeps those of the four sizes of each kind that it used last."""
    kind = type(work)
    kept = _pool.free.pop((kind, sizes), [])
    kept.append(work)
    _pool.free[kind, sizes] = kept
    for unused in [key for key in list(_pool.free) if key[0] is kind][:-4]:
        _pool.free.pop(unused, None)
