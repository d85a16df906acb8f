"""One compiled function, called from many places at once: threads, forks, and from within a call of its own.

"tiled" is level "default" in tiles of 16 rows, so that most calls run on three threads.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.emit.runtime.tiles import _has_lock
from graphgrad.interpret import interpret
from graphgrad.plan import rows as plan_rows

THREADS, CALLS = 8, 200
ROWS = (0, 1, 2, 3, 5, 8, 13, 64, 200)
LEVELS = ("plain", "default", "tiled")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


class Calls:
    """A model, and for each number of rows its arguments and what comes out, by the interpreter."""

    def __init__(self, level):
        x, y = gg.input("x", ("batch", 6)), gg.input("y", ("batch",))
        w1, b1, w2 = gg.param("w1", (6, 9)), gg.param("b1", (9,)), gg.param("w2", (9, 1))
        hidden = gg.tanh(x @ w1 + b1)
        out = hidden @ w2
        loss = gg.sum((out[:, 0] - y) ** 2) / 10.0
        outputs, wrt = (loss, out, hidden.T), [w1, b1, w2, x]
        self.model = gg.compile(outputs, wrt=wrt, level="default" if level == "tiled" else level)
        assert bool(self.model.plan.tiles and self.model.plan.tiles[0].most == 16) == (level == "tiled")
        rng = np.random.default_rng(0)
        self.arguments, self.expected = {}, {}
        for rows in ROWS:
            shapes = [(rows, 6), (rows,), (6, 9), (9,), (9, 1)]
            arrays = [rng.standard_normal(shape, np.float32) for shape in shapes]
            self.arguments[rows] = arrays
            given = dict(zip((x, y, w1, b1, w2), arrays, strict=True))
            self.expected[rows] = interpret([*outputs, *gg.grad(loss, wrt)], given)

    def call(self, rows):
        outputs, grads = self.model(*self.arguments[rows])
        return [*outputs, *grads.values()]

    def split(self, rows):
        outputs, residuals = self.model.forward(*self.arguments[rows])
        return [*outputs, *self.model.backward(residuals).values()]

    def is_right(self, rows, results):
        return all(
            np.allclose(found, expected, rtol=1e-4, atol=1e-4)
            for found, expected in zip(results, self.expected[rows], strict=True)
        )


@pytest.fixture(params=LEVELS)
def calls(request, monkeypatch):
    if request.param == "tiled":
        monkeypatch.setattr(plan_rows, "LARGEST", 16)
        monkeypatch.setenv("GRAPHGRAD_THREADS", "3")
    return Calls(request.param)


def run_together(work):
    """`work(number)` in eight threads that start at once; what each returns."""
    barrier = threading.Barrier(THREADS)

    def start(number):
        barrier.wait(30)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


@pytest.fixture
def frequent_switches():
    """Threads take turns a thousand times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
def test_threads_get_right_results_that_never_change(calls, frequent_switches):
    def work(number):
        order = np.random.default_rng(number).integers(len(ROWS), size=CALLS)
        kept = []
        for turn, at in enumerate(order):
            rows = ROWS[at]
            results = calls.split(rows) if turn % 3 == 0 else calls.call(rows)
            kept.append((rows, results, [array.tobytes() for array in results]))
        return sum(
            calls.is_right(rows, results) and [array.tobytes() for array in results] == before
            for rows, results, before in kept
        )

    assert run_together(work) == [CALLS] * THREADS


@pytest.mark.slow
def test_threads_may_write_to_their_results(calls, frequent_switches):
    def work(number):
        right = 0
        for turn in range(CALLS):
            rows = ROWS[(number + turn) % len(ROWS)]
            results = calls.call(rows)
            right += calls.is_right(rows, results)
            for array in results:
                array[...] = np.nan
        return right

    assert run_together(work) == [CALLS] * THREADS


def test_a_thread_may_end_and_another_begin(calls):
    """What a call leaves behind for the next one goes with its thread."""
    kept = []
    for turn in range(50):
        rows = ROWS[turn % len(ROWS)]
        thread = threading.Thread(target=lambda rows=rows: kept.append((rows, calls.call(rows))))
        thread.start()
        thread.join()
    assert len(kept) == 50 and all(calls.is_right(rows, results) for rows, results in kept)


# ---- forks ----


def in_a_fork(work):
    """Whether `work()` is true in a forked child, which is stopped after half a minute."""
    child = os.fork()
    if child == 0:  # pragma: no cover
        status = 2
        try:
            signal.alarm(30)
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


@needs_fork
def test_a_forked_child_computes_the_same(calls):
    before = {rows: calls.call(rows) for rows in ROWS}
    assert in_a_fork(lambda: all(calls.is_right(rows, calls.call(rows)) for rows in ROWS))
    assert in_a_fork(lambda: in_a_fork(lambda: all(calls.is_right(rows, calls.split(rows)) for rows in ROWS)))
    for rows, results in before.items():
        for again, first in zip(calls.call(rows), results, strict=True):
            np.testing.assert_array_equal(again, first)


@needs_fork
def test_a_child_of_a_fork_starts_threads_of_its_own(calls):
    calls.call(200)

    def work():
        return (
            run_together(lambda number: calls.is_right(ROWS[number], calls.call(ROWS[number])))
            == [True] * THREADS
        )

    assert in_a_fork(work)


@needs_fork
@pytest.mark.slow
def test_a_fork_while_other_threads_are_calling(calls):
    stop = threading.Event()
    wrong = []

    def work(number):
        while not stop.is_set():
            rows = ROWS[number % len(ROWS)]
            if not calls.is_right(rows, calls.call(rows)):
                wrong.append(rows)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            time.sleep(0.002)
            assert in_a_fork(lambda: all(calls.is_right(rows, calls.call(rows)) for rows in ROWS))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong


# ---- a call within a call ----


class Nested:
    """Calls the model from within something that happens during a call of it."""

    def __init__(self, calls):
        self.calls, self.depth, self.results = calls, 0, []

    def __call__(self, *_):
        if self.depth or len(self.results) > 200:
            return self
        self.depth += 1
        try:
            rows = ROWS[len(self.results) % len(ROWS)]
            self.results.append((rows, self.calls.call(rows)))
        finally:
            self.depth -= 1
        return self

    def check(self, least=10):
        assert len(self.results) >= least, "nothing was called from within"
        assert all(self.calls.is_right(rows, results) for rows, results in self.results)


@pytest.mark.parametrize("install", [sys.setprofile, sys.settrace], ids=["profile", "trace"])
def test_a_call_from_a_profiler_or_tracer(calls, install):
    nested = Nested(calls)
    before = {sys.setprofile: sys.getprofile, sys.settrace: sys.gettrace}[install]()
    outer = []
    for rows in ROWS * 3:
        install(nested)
        try:
            results = calls.call(rows)
        finally:
            install(before)
        outer.append((rows, results))
    nested.check()
    assert all(calls.is_right(rows, results) for rows, results in outer)


@contextlib.contextmanager
def frequent_collections():
    """Of all generations: the oldest is looked at only when a quarter of what has survived is new."""
    before = gc.get_threshold()
    gc.freeze()
    gc.collect()
    gc.set_threshold(1, 1, 1)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@pytest.mark.skipif(not _has_lock(), reason="without the lock, collections cannot be made frequent")
def test_a_call_from_the_garbage_collector(calls):
    nested = Nested(calls)
    outer = []
    gc.callbacks.append(nested)
    try:
        with frequent_collections():
            for rows in ROWS * 20:
                outer.append((rows, calls.call(rows)))
    finally:
        gc.callbacks.remove(nested)
    nested.check()
    assert all(calls.is_right(rows, results) for rows, results in outer)


def test_a_call_from_a_finalizer(calls):
    """Objects in cycles die whenever the collector runs, which a call's own allocations make it do."""

    class Cycle:
        def __init__(self):
            self.own = self

    nested = Nested(calls)
    outer = []
    with frequent_collections():
        for rows in ROWS * 40:
            weakref.finalize(Cycle(), nested)
            outer.append((rows, calls.call(rows)))
    nested.check()
    assert all(calls.is_right(rows, results) for rows, results in outer)


@pytest.mark.slow
def test_calls_from_within_while_threads_call_too(calls, frequent_switches):
    def work(number):
        nested = Nested(calls)
        sys.setprofile(nested)
        try:
            results = [(rows, calls.call(rows)) for rows in ROWS * 3]
        finally:
            sys.setprofile(None)
        nested.check()
        return all(calls.is_right(rows, found) for rows, found in results)

    assert run_together(work) == [True] * THREADS
