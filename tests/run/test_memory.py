"""What calls leave behind, nothing; and what they allocate on the way, little."""

import gc
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import graphgrad as gg
from benchmarks.contenders import CONTENDERS
from benchmarks.runner import allocated
from benchmarks.workloads import WORKLOADS
from examples.lesson8 import lesson8
from graphgrad.emit.runtime.team import _team

LEVELS = ("plain", "default")


def small(level):
    """A model and ways to call it, each with other things to hold on to."""
    x, w, b = gg.input("x", ("batch", 3)), gg.param("w", (3, 2)), gg.param("b", (2,))
    loss = gg.mean(gg.tanh(x @ w + b) ** 2)
    slope = gg.grad(loss, w)
    model = gg.compile((loss, x @ w), wrt=[w, b], updates={w: w - 0.1 * slope}, level=level)
    arrays = {
        "x": np.ones((4, 3), np.float32),
        "w": np.ones((3, 2), np.float32),
        "b": np.zeros(2, np.float32),
    }
    bound = model.bind({"w": arrays["w"], "b": arrays["b"]})
    rows = [np.ones((number, 3), np.float32) for number in range(1, 401)]
    turn = iter(range(10**9))
    return {
        "by position": lambda: model(*arrays.values()),
        "by keyword": lambda: model(**arrays),
        "bound": lambda: bound(arrays["x"]),
        "step": lambda: bound.step(arrays["x"]),
        "forward and backward": lambda: model.backward(model.forward(**arrays)[1]),
        "always another batch": lambda: bound(rows[next(turn) % 400]),
        "wrong": lambda: refused(model),
    }


def refused(model):
    with pytest.raises(gg.ArgumentError):
        model(1)


def growth(call, calls):
    """Bytes that are in use after many calls and were not before, with a warm-up in front."""
    for _ in range(1_000):
        call()
    gc.collect()
    tracemalloc.start()
    try:
        call()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(calls):
            call()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


WAYS = list(small("plain"))
LEAK = 100_000
"""What may come and go: shapes are remembered, a few hundred of them. An array left behind by each call is more."""


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.slow
def test_calls_leave_nothing_behind(level, how):
    assert growth(small(level)[how], 1_500) < LEAK


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_hundred_thousand_calls_leave_nothing_behind(level):
    assert growth(small(level)["by keyword"], 100_000) < LEAK


# ---- the steady state: a call allocates its results, and little else ----

ALLOWED = 64 * 1024
"""Bytes, on each thread that a loop runs on."""
STEADY = {
    "lesson8": {"rows": 20_000},
    "lesson8_input": {"rows": 5_000},
    "classifier": {"rows": 512},
    "tiny": {"rows": 1},
    "logistic": {"rows": 50_000},
    "chain": {"elements": 300_000},
}


def steady(name):
    workload = WORKLOADS[name].sized(STEADY[name])
    return CONTENDERS["default"].prepare(workload, workload.arrays())


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.slow
def test_in_the_steady_state_a_call_allocates_its_results_and_little_else(name):
    assert allocated(steady(name)) <= ALLOWED * _team.cores()


@pytest.mark.slow
def test_a_larger_batch_and_a_smaller_one_in_turn_allocate_their_results_and_little_else():
    """What was made for the largest batch serves all of them."""
    x, w = gg.input("x", ("batch", 50)), gg.param("w", (50, 50))
    hidden = gg.tanh(x @ w)
    model = gg.compile(gg.mean(hidden * gg.sigmoid(hidden)), wrt=[w])
    arrays = [np.ones((rows, 50), np.float32) for rows in (20_000, 1_000, 7_777, 1)]
    weights = np.ones((50, 50), np.float32) / 50
    for array in arrays:
        model(array, weights)
    for array in arrays:
        assert allocated(lambda array=array: model(array, weights)) <= ALLOWED * _team.cores()


@pytest.mark.parametrize("threads", [2, 8])
@pytest.mark.slow
def test_in_threads_a_call_allocates_its_results_and_little_else(threads):
    """Each thread has its own working memory, which is there from its first call on."""
    call, barrier = steady("lesson8"), threading.Barrier(threads + 1)

    def work(_):
        for _ in range(2):
            call()
        for _ in range(2):
            barrier.wait(60)
        results = call()
        for _ in range(2):
            barrier.wait(60)
        return sum(array.nbytes for array in (results[0], *results[1].values()))

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(work, number) for number in range(threads)]
        barrier.wait(60)
        tracemalloc.start()
        try:
            barrier.wait(60)
            barrier.wait(60)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        barrier.wait(60)
        results = sum(each.result() for each in running)
    assert peak - results <= threads * ALLOWED * _team.cores()


@pytest.mark.slow
def test_a_thread_that_ends_gives_its_working_memory_back():
    call = steady("lesson8")

    def in_a_thread():
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    in_a_thread()
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            in_a_thread()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [1, 100, 2_000, 8_000])
def test_the_peak_is_the_memory_report_s_whether_results_or_what_is_on_the_way_is_most_of_it(rows):
    loss, parameters = lesson8()
    model = gg.compile(loss, wrt=parameters, level="plain")
    arrays = model.init(np.random.default_rng(0))
    arrays |= {"x": np.ones((rows, 784), np.float32), "y": np.ones(rows, np.float32)}
    model(**arrays)
    tracemalloc.start()
    try:
        model(**arrays)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    expected = model.memory(batch=rows)
    assert abs(peak - expected.peak) < 2**16
    assert expected.peak >= expected.results and expected.working >= 0
