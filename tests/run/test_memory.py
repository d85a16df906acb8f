"""What calls leave behind: nothing."""

import gc
import tracemalloc

import numpy as np
import pytest

import graphgrad as gg

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
def test_calls_leave_nothing_behind(level, how):
    assert growth(small(level)[how], 1_500) < LEAK


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_hundred_thousand_calls_leave_nothing_behind(level):
    assert growth(small(level)["by keyword"], 100_000) < LEAK
