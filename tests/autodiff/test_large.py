"""Depth is no limit, and work grows with the graph and no faster. Nodes are counted, not seconds."""

import sys

import pytest

import graphgrad as gg
from graphgrad.core.graph import Graph
from graphgrad.core.traverse import toposort

DEPTH = 50_000


def chain(x, length):
    node = x
    for step in range(length):
        node = gg.tanh(node) if step % 2 else node * x
    return node


@pytest.fixture(scope="module")
def long_chain():
    x = gg.input("x", (2,))
    return x, gg.sum(chain(x, DEPTH))


@pytest.mark.slow
def test_long_chain_differentiates_under_the_default_recursion_limit(long_chain):
    x, loss = long_chain
    before = sys.getrecursionlimit()  # pytensor raises it for everybody
    sys.setrecursionlimit(1_000)
    try:
        gradient = gg.grad(loss, x)
    finally:
        sys.setrecursionlimit(before)
    count = len(toposort([loss, gradient]))
    assert DEPTH < count < 8 * DEPTH


@pytest.mark.slow
def test_long_chain_pushes_forward_and_verifies(long_chain):
    x, loss = long_chain
    pushed = gg.jvp(loss, [x], [gg.input("t", (2,))])
    assert len(toposort([pushed])) < 8 * DEPTH
    assert len(Graph((x,), (loss,)).verify().nodes) == DEPTH + 2


@pytest.mark.parametrize("make", [chain, lambda x, n: sum((gg.tanh(x * k) for k in range(1, n)), x)])
def test_gradient_grows_in_proportion(make):
    def count(length):
        x = gg.input("x", (2,))
        loss = gg.sum(make(x, length))
        return len(toposort([loss, gg.grad(loss, x)]))

    small, middle, large = count(100), count(200), count(400)
    assert large - middle == pytest.approx(2 * (middle - small), rel=0.02)


def test_graph_whose_paths_double_at_every_step_stays_linear():
    x = gg.input("x", ())
    node = x
    for _ in range(60):
        node = gg.tanh(node + node * 0.5)
    assert len(toposort([gg.grad(node, x)])) < 60 * 12
