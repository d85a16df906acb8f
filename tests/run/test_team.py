"""Calls on several threads: what they give, what BLAS may do meanwhile, and what is left when one fails."""

import gc
import importlib.util
import os
import runpy
import signal
import sys
import threading
import time
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import graphgrad as gg
from graphgrad.emit.runtime import tiles
from graphgrad.emit.runtime.team import _team
from graphgrad.interpret import interpret
from graphgrad.plan import rows as plan_rows

ROWS = 500
TILE = 32


@pytest.fixture(autouse=True)
def three_threads_and_small_tiles(monkeypatch):
    monkeypatch.setattr(plan_rows, "LARGEST", TILE)
    monkeypatch.setenv("GRAPHGRAD_THREADS", "3")


@pytest.fixture(autouse=True)
def blas_has_two_threads():
    """Whatever happens, BLAS has afterwards as many as before."""
    with threadpool_limits(2, user_api="blas"):
        assert blas_threads() == {2}
        yield
        assert blas_threads() == {2}
    assert not _team.calls and not _team.calls_with_blas


def blas_threads():
    libraries = [one for one in threadpool_info() if one["user_api"] == "blas"]
    return {
        one["num_threads"] for one in libraries if "numpy" in one["filepath"]
    }  # SciPy's may have come since


def model(**options):
    """Products, an output of every row, and sums over all rows."""
    x, w = gg.input("x", ("batch", 7)), gg.param("w", (7, 5))
    hidden = gg.tanh(x @ w)
    outputs = (gg.mean(hidden * gg.sigmoid(hidden)), hidden)
    compiled = gg.compile(outputs, wrt=[w, x], **options)
    assert compiled.plan.tiles[0].most == TILE
    return compiled


def chosen(**options):
    """Picks one element of each row, which must exist."""
    x, at = gg.input("x", ("batch", 7)), gg.input("at", ("batch",), "int64")
    loss = gg.mean(gg.take_along_axis(gg.tanh(x) ** 2, at[:, None], 1))
    return gg.compile(loss, wrt=[x], **options)


def arrays(rows=ROWS):
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, 7), np.float32), rng.standard_normal((7, 5), np.float32)


def flat(results):
    outputs, grads = results
    return [*(outputs if isinstance(outputs, tuple) else (outputs,)), *grads.values()]


def together(work, number=8):
    barrier = threading.Barrier(number)

    def start(at):
        barrier.wait(30)
        return work(at)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(start, range(number)))


# ---- results ----


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_results_are_the_same_bits_whichever_thread_computes_what(threads):
    compiled, given = model(threads=threads), arrays()
    first = [array.tobytes() for array in flat(compiled(*given))]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            assert [array.tobytes() for array in flat(compiled(*given))] == first
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("rows", [1, TILE - 1, TILE, TILE + 1, 3 * TILE, ROWS])
def test_every_number_of_threads_gives_what_the_interpreter_does(rows):
    x, w = gg.input("x", ("batch", 7), "float64"), gg.param("w", (7, 5), "float64")
    hidden = gg.tanh(x @ w)
    loss = gg.mean(hidden * gg.sigmoid(hidden))
    given = arrays(rows)
    exact = dict(zip((x, w), (array.astype(np.float64) for array in given), strict=True))
    expected = interpret([loss, hidden, *gg.grad(loss, [w, x])], exact)
    for threads in (1, 2, 3, 8):
        for one, other in zip(flat(model(threads=threads)(*given)), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def test_half_a_tile_is_worth_a_thread_and_less_without_the_interpreter_s_lock(monkeypatch):
    compiled, given = model(threads=64), arrays(3 * TILE)
    counts = []

    def run(share, count, uses_blas):
        counts.append(count)
        return type(_team).run(_team, share, count, uses_blas)

    monkeypatch.setitem(vars(_team), "run", run)
    monkeypatch.setitem(compiled._namespace, "_has_lock", lambda: True)
    before = flat(compiled(*given))
    monkeypatch.setitem(compiled._namespace, "_has_lock", lambda: False)
    after = flat(compiled(*given))
    assert counts == [3 * 2, 3 * 8]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# ---- BLAS ----


def seen_while(uses_blas, callers=1):
    """How many threads BLAS has within every share of some calls at once."""
    _team.controls_blas()
    seen = []

    def share(number, failed):
        seen.extend(blas_threads())
        return [number]

    def work(_):
        for _ in range(20):
            assert _team.run(share, 4, uses_blas) == [[0], [1], [2], [3]]

    together(work, callers)
    return set(seen)


@pytest.mark.parametrize("callers", [1, 8])
@pytest.mark.slow
def test_blas_has_one_thread_while_shares_use_it(callers):
    assert seen_while(True, callers) == {1}


def test_blas_keeps_its_threads_where_shares_do_not_use_it():
    assert seen_while(False) == {2}


class PerThread:
    """A library of BLAS that has a number of threads for each thread that calls it, as with OpenMP."""

    threading_layer = "openmp"

    def __init__(self):
        self.own = threading.local()

    @property
    def num_threads(self):
        return getattr(self.own, "number", 4)

    def set_num_threads(self, number):
        self.own.number = number


def test_blas_has_one_thread_for_each_of_ours_where_each_has_its_own_number(monkeypatch):
    library = PerThread()
    monkeypatch.setattr(_team, "blas", (library,))
    barrier = threading.Barrier(3)

    def share(number, failed):
        barrier.wait(30)
        return [library.num_threads]

    def work(_):
        assert library.num_threads == 4
        assert _team.run(share, 3, True) == [[1]] * 3
        return library.num_threads

    assert work(0) == 4
    barrier = threading.Barrier(1)
    assert together(work) == [4] * 8


def test_limits_that_others_set_around_calls_and_between_them_hold():
    compiled, given = model(), arrays()
    for limit in (2, 1, 2):
        with threadpool_limits(limit, user_api="blas"):
            compiled(*given)
            assert blas_threads() == {limit}
            thread = threading.Thread(target=lambda: compiled(*given))
            thread.start()
            thread.join()
            assert blas_threads() == {limit}
        assert blas_threads() == {2}


def test_eight_callers_leave_blas_as_it_was():
    compiled, given = model(), arrays()
    expected = [array.tobytes() for array in flat(compiled(*given))]

    def work(_):
        return all([array.tobytes() for array in flat(compiled(*given))] == expected for _ in range(30))

    assert together(work) == [True] * 8


@pytest.mark.slow
def test_blas_is_as_it_was_at_the_moment_when_a_call_returns():
    compiled, given = model(), arrays()
    for _ in range(200):
        compiled(*given)
        assert blas_threads() == {2}


# ---- errors ----


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("row", [0, TILE + 3, ROWS - 1])
def test_an_error_in_a_tile_names_the_user_s_line(row, threads):
    compiled, given = chosen(threads=threads), arrays()[0]
    at = np.arange(ROWS) % 7
    expected = [array.tobytes() for array in flat(compiled(given, at))]
    wrong = at.copy()
    wrong[row] = 7
    with pytest.raises(IndexError, match="out of bounds") as found:
        compiled(given, wrong)
    assert any("take_along_axis" in note and "test_team.py" in note for note in found.value.__notes__)
    assert blas_threads() == {2}
    assert [array.tobytes() for array in flat(compiled(given, at))] == expected


def test_other_shares_end_at_their_next_tile_when_one_fails():
    """Or a mistake would be told only when all the rest has been computed."""
    x = np.ones((2_000 * TILE, 7), np.float32)
    at = np.zeros(len(x), np.int64)
    at[0] = 7
    compiled = chosen(threads=2)
    calls = []
    by_tiles = compiled._namespace["_by_tiles"]

    def counted(tile, *args, **options):
        def counting(*rows):
            calls.append(rows[0])
            return tile(*rows)

        return by_tiles(counting, *args, **options)

    compiled._namespace["_by_tiles"] = counted
    with pytest.raises(IndexError):
        compiled(x, at)
    assert len(calls) < 1_000, "all of one share, and some of the other"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError, ValueError])
@pytest.mark.parametrize("failing", [0, 2])
def test_whatever_a_share_raises_comes_out_and_the_team_goes_on(kind, failing):
    ready = threading.Event()
    _team.controls_blas()

    def share(number, failed):
        if number == failing:
            ready.set()
            raise kind("stop")
        assert ready.wait(30)
        return [number]

    with pytest.raises(kind, match="stop"):
        _team.run(share, 3, True)
    assert blas_threads() == {2}
    assert _team.run(lambda number, failed: [number], 3, True) == [[0], [1], [2]]


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no such signal here")
def test_a_caller_who_is_interrupted_while_waiting_has_the_others_stop():
    at_work = threading.Barrier(3)
    _team.controls_blas()

    def share(number, failed):
        if at_work.wait(30) == 0:
            os.kill(os.getpid(), signal.SIGALRM)  # the caller gets it, which waits
        while not failed:
            time.sleep(0.001)
        return [number]

    def interrupt(*_):
        raise KeyboardInterrupt("stop")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt, match="stop"):
            _team.run(share, 3, True)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert blas_threads() == {2}


def test_floating_point_errors_are_handled_as_the_caller_wants():
    x = gg.input("x", ("batch", 7))
    compiled = gg.compile(gg.sum(gg.exp(x)), threads=3)
    given = np.zeros((ROWS, 7), np.float32)
    given[-1] = 1000  # the last share's
    for _ in range(20):
        with np.errstate(over="ignore"):
            assert compiled(given) == np.inf
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            compiled(given)


def test_nobody_begins_a_share_when_one_has_failed():
    begun, told = [], threading.Event()

    def share(number, failed):
        begun.append(number)
        if number == 1:
            told.set()
            raise ValueError("stop")
        assert told.wait(30)
        while not failed:
            time.sleep(0.001)
        return [number]

    with pytest.raises(ValueError, match="stop"):
        _team.run(share, 100, False)
    assert len(begun) <= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_within_a_call_goes_on_with_it_in_both_processes():
    """The threads that have taken a share do not exist in the child, which computes it itself."""
    parent, at_work, go_on, children = os.getpid(), threading.Barrier(3), threading.Event(), []

    def share(number, failed):
        if os.getpid() == parent:
            if at_work.wait(30) == 0:
                os.kill(parent, signal.SIGALRM)  # the caller gets it, which waits
            assert go_on.wait(30)
        return [number]

    def fork(*_):
        children.append(os.fork())
        if children[0] == 0:  # pragma: no cover
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
        else:
            go_on.set()

    before = signal.signal(signal.SIGALRM, fork)
    try:
        results = _team.run(share, 3, False)
    finally:
        if os.getpid() != parent:  # pragma: no cover
            os._exit(0 if results == [[0], [1], [2]] else 1)
        signal.signal(signal.SIGALRM, before)
    assert results == [[0], [1], [2]]
    assert os.waitpid(children[0], 0)[1] == 0


# ---- who works where ----


needs_cores = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="not two cores to choose"
)


def places(count=2, seconds=0.0):
    """The cores on which each share of some calls at once may run."""
    barrier = threading.Barrier(count)

    def share(number, failed):
        barrier.wait(30)  # no thread takes two
        time.sleep(seconds)
        return [threading.get_ident(), os.sched_getaffinity(0)]

    return _team.run(share, count, False)


@needs_cores
def test_threads_have_cores_of_their_own_and_callers_keep_theirs(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    monkeypatch.setattr(_team, "moment", 30)  # however busy the machine is
    mine = os.sched_getaffinity(0)
    for _ in range(20):
        (one, its), (other, others) = places()
        assert its | others == mine and not its & others
        assert threading.get_ident() not in (one, other)
    assert os.sched_getaffinity(0) == mine


@needs_cores
@pytest.mark.slow
def test_a_long_call_leaves_cores_to_the_system_after_a_moment(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    for moment, seconds, alone in ((30, 0.0, True), (0.01, 2, False), (30, 0.0, True)):
        monkeypatch.setattr(_team, "moment", moment)
        (_, its), (_, others) = places(seconds=seconds)
        assert (not its & others) == alone


@needs_cores
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signal here")
@pytest.mark.slow
def test_a_signal_handler_may_take_longer_than_the_moment(monkeypatch):
    """Python waits for its locks again when a handler has returned, which must not be for ever."""
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    monkeypatch.setattr(_team, "moment", 0.05)
    before = signal.signal(signal.SIGALRM, lambda *_: time.sleep(0.2))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        (_, its), (_, others) = places(seconds=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert its == others == os.sched_getaffinity(0)


@needs_cores
def test_threads_run_anywhere_where_the_caller_works_as_well(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    mine, at_work, go_on = os.sched_getaffinity(0), threading.Event(), threading.Event()
    everybody = threading.Barrier(2)
    _team.tasks.put(None)  # whoever waits there ends
    _team.start()  # with two threads

    def share(number, failed):
        everybody.wait(30)
        return [os.sched_getaffinity(0)]

    def long(number, failed):
        at_work.set()
        return [go_on.wait(30)]

    places()  # all threads have cores of their own
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_team.run, long, 1, False)
        assert at_work.wait(30)
        try:
            assert _team.run(share, 2, False) == [[mine]] * 2
        finally:
            go_on.set()
        running.result()


@needs_cores
def test_calls_within_shares_count_the_caller_s_cores(monkeypatch):
    """Or the number of their shares, and the last bits of what they give, would depend on who is where."""
    monkeypatch.delenv("GRAPHGRAD_THREADS")
    everybody = threading.Barrier(2)

    def share(number, failed):
        everybody.wait(30)
        return [_team.allowed(), _team.cores(), _team.shares(100, False, None)]

    mine = sorted(os.sched_getaffinity(0))
    assert _team.run(share, 2, False) == [[tuple(mine), len(mine), len(mine)]] * 2
    try:
        os.sched_setaffinity(0, mine[:1])
        monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
        assert [found[0] for found in _team.run(share, 2, False)] == [(mine[0],)] * 2
    finally:
        os.sched_setaffinity(0, mine)


@needs_cores
def test_threads_run_where_the_caller_may(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    monkeypatch.setattr(_team, "moment", 30)
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, [min(mine)])
        assert [cores for _, cores in places()] == [{min(mine)}] * 2
    finally:
        os.sched_setaffinity(0, mine)
    (_, its), (_, others) = places()
    assert its | others == mine


@needs_cores
def test_a_system_that_refuses_leaves_threads_where_they_are(monkeypatch):
    def refuse(*_):
        raise PermissionError("not here")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert len(places()) == 2


@pytest.mark.parametrize("busy", [1, 2, 3])
def test_nobody_waits_for_threads_that_are_busy(busy):
    """The caller does itself what they do not; for how long they will be busy, nobody knows."""
    at_work, go_on = threading.Barrier(busy + 1), threading.Event()

    def long(number, failed):
        at_work.wait(30)
        return [go_on.wait(30)]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_team.run, long, busy, False)
        at_work.wait(30)
        try:
            for _ in range(20):
                who = [found[0] for found in _team.run(lambda *_: [threading.get_ident()], 3, False)]
                assert busy < 3 or set(who) == {threading.get_ident()}
            assert not running.done()
        finally:
            go_on.set()
        assert running.result() == [[True]] * busy


def test_a_caller_works_where_threads_that_seemed_to_be_free_are_not(monkeypatch):
    """A thread may be about to begin something else."""
    monkeypatch.setattr(_team, "ask", lambda call, count: True)
    before = time.monotonic()
    assert (
        _team.run(lambda number, failed: [threading.get_ident()], 3, False) == [[threading.get_ident()]] * 3
    )
    assert time.monotonic() - before < 10


# ---- memory ----


LEAK = 600_000
"""Bytes that may come and go, as NumPy and Python keep shapes and the like; arrays left behind come to more."""


def growth(call, calls=600, collected=False):
    for _ in range(400):
        call()
    gc.collect()
    gc.disable()  # nothing waits for the collector, unless that is asked for
    tracemalloc.start()
    try:
        call()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(calls):
            call()
        if collected:
            gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.slow
def test_calls_that_fail_leave_nothing_behind():
    compiled, given = chosen(), arrays()[0]
    wrong = np.full(ROWS, 7)

    def call():
        try:
            compiled(given, wrong)
        except IndexError:
            return
        raise AssertionError("no error")

    assert growth(call) < LEAK


@pytest.mark.slow
def test_a_stream_of_batch_sizes_leaves_nothing_behind():
    compiled, (x, w) = model(), arrays(ROWS)
    sizes = iter(np.random.default_rng(0).permutation(np.resize(np.arange(1, ROWS), 1_200)))
    assert growth(lambda: compiled(x[: next(sizes)], w), collected=True) < LEAK


def test_arrays_are_the_caller_s_whoever_computes_into_them():
    """Helpers keep none, so what a thread has computed in is free when the thread has ended."""
    compiled, given = model(), arrays()
    kept = []

    def work():
        compiled(*given)
        kept.append(sum(map(len, compiled._namespace["_pool"].free.values())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert kept[0] >= 3
    assert not compiled._namespace["_pool"].free, "this thread has not called yet"
    helpers = [[len(compiled._namespace["_pool"].free)] for _ in range(3)]

    def look(number, failed):
        return helpers[number]

    assert _team.run(look, 3, False) == [[0], [0], [0]]


@pytest.mark.slow
def test_a_call_that_waits_in_the_queue_holds_no_arrays():
    """The team is busy with another call meanwhile."""
    busy, go_on = threading.Barrier(4), threading.Event()

    def long(number, failed):
        busy.wait(30)
        return [go_on.wait(30)]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_team.run, long, 3, False)
        busy.wait(30)  # all are at work
        try:
            compiled, given = model(), arrays()
            assert growth(lambda: compiled(*given), 200) < 400 * 2_000
        finally:
            go_on.set()
        assert running.result() == [[True]] * 3


def test_a_call_that_waits_in_the_queue_holds_no_results():
    busy, go_on = threading.Barrier(4), threading.Event()

    class Result(list):
        """Something that can be seen to die."""

    def long(number, failed):
        busy.wait(30)
        return [go_on.wait(30)]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(_team.run, long, 3, False)
        busy.wait(30)
        try:
            results = _team.run(lambda *_: Result(), 3, False)
            alive = [weakref.ref(result) for result in results]
            del results
            assert [ref() for ref in alive] == [None] * 3
        finally:
            go_on.set()
        running.result()


# ---- modules ----


def imported(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_modules_of_a_process_share_one_team(tmp_path):
    one, other = model(name="one"), chosen(name="other")
    path = one.save(tmp_path / "one.py")
    first, second = imported(path, "first"), imported(path, "second")
    teams = [first._team, second._team, one._namespace["_team"], other._namespace["_team"]]
    assert all(team is _team for team in teams)
    given = arrays()
    expected = [array.tobytes() for array in flat(one(*given))]
    functions = [first.forward_and_backward, second.forward_and_backward, one.function, one] * 2

    def work(at):
        return all(
            [np.asarray(array).tobytes() for array in flat(functions[at](*given))] == expected
            for _ in range(20)
        )

    assert together(work) == [True] * 8


def test_how_many_rows_are_worth_a_thread(monkeypatch):
    def least(most):
        return runpy.run_path(tiles.__file__)["_least"](most)

    monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)
    assert least(1024) == 512 and least(1) == 1
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert least(1024) == 128 and least(4) == 1
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True)
    assert least(1024) == 512


@pytest.mark.parametrize("given", ["two", "0", "-1", "1.5", "²", "1e3"])
def test_a_number_of_threads_that_is_none_is_an_error(given, monkeypatch):
    compiled = model()
    monkeypatch.setenv("GRAPHGRAD_THREADS", given)
    with pytest.raises(ValueError, match=f"GRAPHGRAD_THREADS .* not '{given}'"):
        compiled(*arrays())
    for usual in ("", " ", " 2 "):
        monkeypatch.setenv("GRAPHGRAD_THREADS", usual)
        compiled(*arrays())
