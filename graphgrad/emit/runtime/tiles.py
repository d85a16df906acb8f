"""Loops over tiles, and the threads that run them."""

import atexit
import math
import os
import sys
import threading
import weakref
from collections import deque
from queue import SimpleQueue

import numpy as np

from graphgrad.emit.runtime.pool import _borrow, _give_back, _pool

# ---- from here on, word for word ----


class _Team:
    """The threads that all modules of a process share, and the one owner of how many of them BLAS may use.

    Whoever calls works, too, on what of his work nobody has taken yet, so nobody ever waits for a free thread.
    """

    def __init__(self):
        self.blas_limit = None
        self.start()
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.start)

    def start(self):
        """As in a new process, where nobody is at work: threads do not survive a fork, and locks stay locked."""
        self.lock, self.tasks, self.threads = threading.Lock(), SimpleQueue(), []
        self.at_work = weakref.WeakSet()
        self.blas = None
        self.ended = False
        if self.blas_limit is not None:
            self.hold_blas()

    def stop(self):
        """Before the interpreter ends: threads that still compute would read memory that is gone."""
        with self.lock:
            self.ended = True
        for _ in self.threads:
            self.tasks.put(None)
        for thread in self.threads:
            thread.join()

    def cores(self):
        """How many threads may work at once: GRAPHGRAD_THREADS, or the cores that this process may use."""
        given = os.environ.get("GRAPHGRAD_THREADS", "")
        if given.isdigit() and int(given):
            return int(given)
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def shares(self, tiles, uses_blas, threads):
        """Into how many shares to divide work of so many tiles. Threads of BLAS would be in the way of ours."""
        if tiles < 2 or threads == 1:
            return 1
        return min(tiles, threads or self.cores()) if not uses_blas or self.controls_blas() else 1

    def controls_blas(self):
        """Whether BLAS can be told how many threads to use; with threadpoolctl it can."""
        if self.blas is None:
            try:
                from threadpoolctl import ThreadpoolController  # only now: it takes some milliseconds
            except ImportError:
                self.blas = False
            else:
                self.blas = ThreadpoolController()
        return bool(self.blas)

    def hold_blas(self):
        """BLAS has one thread while anybody is at work, and afterwards what it had before."""
        with self.lock:
            if self.at_work and self.blas and self.blas_limit is None:
                self.blas_limit = self.blas.limit(limits=1, user_api="blas")
            elif not self.at_work and self.blas_limit is not None:
                limit, self.blas_limit = self.blas_limit, None
                limit.restore_original_limits()

    def ask(self, work, count):
        """Have up to so many other threads do work, as soon as they are free."""
        others = min(count, self.cores() - 1)
        with self.lock:
            try:
                while len(self.threads) < others and not self.ended:
                    thread = threading.Thread(
                        target=self.serve, args=(self.tasks,), name="graphgrad", daemon=True
                    )
                    thread.start()
                    self.threads.append(thread)
            except RuntimeError:  # no more threads can be started
                others = len(self.threads)
        for _ in range(min(others, len(self.threads))):
            self.tasks.put(work)

    def serve(self, tasks):
        """What a thread does as long as it lives."""
        while (work := tasks.get()) is not None:
            work()
            del work  # and what it holds

    def run(self, share, count):
        """share(number, failed) for each number below count; their results in order.

        As soon as one fails, failed is no longer empty, and the others had better stop.
        """
        left, done, failed, finished = deque(range(count)), [None] * count, [], SimpleQueue()

        def following():
            try:
                return left.popleft()
            except IndexError:  # others have taken the rest
                return None

        def work():
            worker = threading.Event()  # gone with this call, whatever happens to it
            try:
                self.at_work.add(worker)
                self.hold_blas()
                while not failed and (number := following()) is not None:
                    try:
                        done[number] = share(number, failed)
                    except BaseException as error:
                        failed.append(error)
                    finally:
                        finished.put(number)
            finally:
                self.at_work.discard(worker)
                self.hold_blas()

        try:
            self.ask(work, count - 1)
            work()
            taken = count
            while following() is not None:
                taken -= 1
            for _ in range(taken):
                finished.get()
        except BaseException as error:
            failed.append(error)
        if failed:
            try:
                raise failed[0]
            finally:
                failed = done = None  # or the error would hold what holds the error
        return done


_team = sys.modules.get("_graphgrad_team_1") or sys.modules.setdefault("_graphgrad_team_1", _Team())


def _nothing(shape, dtype):
    """In place of np.empty: as out=None has NumPy's functions make new arrays."""


class _Held:
    """Arrays for tiles of up to so many rows."""

    def __init__(self, kind, rows, sizes):
        self.kind, self.rows, self.sizes = kind, rows, sizes
        self.work = None if kind is None else kind(rows, *sizes)

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
    kept = _pool.free.get((_Held, (kind, *sizes)), ())
    for held in sorted(kept, key=lambda held: held.rows):
        if held.rows >= rows:
            kept.remove(held)
            return held
    if kept:
        kept.pop()  # the new ones take its place, so no more are kept than there are shares of a call
    return _Held(kind, rows, sizes)


def _wide(part):
    """A small sum in float64, so that it does not matter how many tiles are added to it."""
    return part.astype(np.float64) if part.size <= 4096 and part.dtype in (np.float32, np.float16) else part


def _combined(totals, parts, how):
    """The totals with one more part each."""
    return [
        combine(total, part, out=total) if total.size > 4096 else combine(total, part.astype(total.dtype))
        for total, part, combine in zip(totals, parts, how or [np.add] * len(totals))
    ]


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
    """tile(first, last, work, part) for all rows below count, at most so many at a time; its results combined.

    A tile computes into work, and what is to be combined into part, or into new arrays where that has None. kinds are
    their classes, sizes what their arrays depend on besides the number of rows.
    """
    work_kind, part_kind = kinds

    def part_arrays():
        return None if part_kind is None else _borrow(part_kind, *sizes[1])

    new = None if part_kind is None else part_kind(*sizes[1], _nothing)
    if count <= most:
        held = _hold(work_kind, count, sizes[0])
        results = tile(0, count, held.cut(count), new)
        _give_back(held, work_kind, *sizes[0])
        return results
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    least = (
        most if locked else most // 4 + 1
    )  # without the interpreter's lock small tiles do not queue for it
    shares = _team.shares(-(-count // least), uses_blas, threads)
    shares = shares if at_most is None else min(shares, at_most)
    ends = [count * number // shares for number in range(shares + 1)]
    heights = [min(most, last - first) for first, last in zip(ends, ends[1:])]
    works = [_hold(work_kind, rows, sizes[0]) for rows in heights]  # the caller's, whoever computes into them
    parts = [part_arrays() for _ in heights]
    sums = [new] + [part_arrays() for _ in heights[1:]]
    dtypes = []

    def share(number, failed):
        rows, totals = heights[number], None
        work = works[number].cut(rows)
        for first in range(ends[number], ends[number + 1], rows):
            if failed:
                return None
            last = min(first + rows, ends[number + 1])
            own = work if last - first == rows else works[number].cut(last - first)
            found = tile(first, last, own, sums[number] if totals is None else parts[number])
            if totals is None:
                dtypes[:] = [one.dtype for one in found]
                totals = [_wide(one) for one in found]
            else:
                totals = _combined(totals, found, how)
        return totals

    totals, *others = [share(0, ())] if shares == 1 else _team.run(share, shares)
    for other in others:
        totals = _combined(totals, other, how)
    for held in works:
        _give_back(held, work_kind, *sizes[0])
    for part in (*parts, *sums[1:]):
        if part is not None:
            _give_back(part, *sizes[1])
    return tuple(
        total.astype(dtype) if total.dtype != dtype else total for total, dtype in zip(totals, dtypes)
    )
