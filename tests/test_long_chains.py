"""Depth is no limit: 50,000 ops, a chain and its gradient, are emitted, loaded and run, in work that grows with the
graph."""

import pickle
import sys

import numpy as np
import pytest

import graphgrad as gg


def chain(length):
    x = gg.input("x", ("n",))
    y = x
    for _ in range(length // 2):
        y = gg.tanh(y) * 0.9
    return x, gg.mean(y)


def by_hand(x, length):
    y, slope = x, np.full_like(x, 1 / len(x))
    for _ in range(length // 2):
        y = np.tanh(y)
        slope = slope * (1 - y * y) * np.float32(0.9)
        y = y * np.float32(0.9)
    return y.mean(), slope


@pytest.mark.slow
@pytest.mark.timeout(600)  # some minute by itself, and others run beside it
def test_50_000_ops_under_the_default_recursion_limit():
    length = 20_000
    x, loss = chain(length)
    model = gg.compile(loss, wrt=x)
    assert sum(len(routine.steps) for routine in model.plan.schedule.routines[:2]) > 50_000
    xs = np.linspace(-1, 1, 3, dtype=np.float32)
    value, grads = model(xs)
    expected, slope = by_hand(xs, length)
    assert value == pytest.approx(expected) and np.allclose(grads["x"], slope)
    assert model.memory(n=3).peak > 0 and model.explain(60_000).line == 60_000


@pytest.mark.slow
def test_a_chain_pickles_draws_and_verifies():
    x, loss = chain(2_000)
    model = gg.compile(loss, wrt=x)
    assert pickle.loads(pickle.dumps(model)).source == model.source
    assert model.verify(x=np.zeros(2, np.float32))


def calls_of(length):
    """How many functions compiling a chain calls: a measure of work that does not depend on the machine."""
    x, loss = chain(length)
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        gg.compile(loss, wrt=x)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.slow
def test_work_grows_with_the_graph():
    calls_of(100)  # what is done once
    small, large = calls_of(500), calls_of(2_000)
    assert large < 4.4 * small


def test_shared_parts_are_looked_at_once():
    x = gg.input("x", (), "float64")
    y = x
    for _ in range(200):  # 2**200 paths
        y = y + y
    model = gg.compile(y * 2.0**-200, wrt=x)
    assert model(1.0)[1]["x"] == pytest.approx(1.0)


STEPS = {
    "added to itself": lambda s: s + s,
    "multiplied by itself": lambda s: s * s,
    "like terms": lambda s: s * 2 + s * s,
    "of opposite signs": lambda s: s - s * 0.5,
    "gated": lambda s: s * gg.sigmoid(s),
    "exponentials": lambda s: gg.exp(s) + gg.exp(-s),
}
ENDS = {
    "log": gg.log,
    "norm": lambda s: gg.sqrt(gg.sum(s * s)),
    "softmax": lambda s: gg.exp(s) / gg.sum(gg.exp(s)),
    "sigmoid": lambda s: 1 / (1 + gg.exp(s)),
}


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("step", sorted(STEPS))
def test_no_rule_follows_every_path_to_what_is_shared(step, end):
    """It would not end: there are 2**40 of them."""
    x = gg.input("x", ("n",))
    shared = gg.exp(x)
    for _ in range(40):
        shared = STEPS[step](shared)
    gg.compile(gg.sum(ENDS[end](shared)), wrt=x)
