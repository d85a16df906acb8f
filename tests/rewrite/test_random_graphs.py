"""Random graphs and their gradients, rewritten, against the interpreter; and that it ends where it should."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.core.graph import Graph, collect_origins
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret
from graphgrad.rewrite.check import wrong_firing
from graphgrad.rewrite.measure import total
from graphgrad.rewrite.passes import rewrite
from graphgrad.testing import assert_same
from tests.autodiff.test_frameworks import grow, steps_of

SHAPES = [(3, 3), (3, 3), (3,), (1, 3), ()]

# what rules look for, on a 3 by 3 array
MOVES = {
    "one": lambda x, y: x * 1,
    "over one": lambda x, y: x / 1,
    "zero": lambda x, y: x - 0,
    "plus zero": lambda x, y: 0 + gg.square(x),
    "minus": lambda x, y: x - (-y),
    "both minus": lambda x, y: -x * -y,
    "minus twice": lambda x, y: -(-x),
    "scaled": lambda x, y: -(x * 2.5),
    "turned": lambda x, y: x.T,
    "flat": lambda x, y: x.reshape(-1).reshape(3, 3),
    "cube": lambda x, y: x**3,
    "inverse": lambda x, y: (2 + x * x) ** -2,
    # compared away from ties, which rounding would decide
    "masked": lambda x, y: gg.where(x < y + 0.1, gg.where(x < y + 0.1, x, y), 0),
    "masked twice": lambda x, y: gg.where(y + 0.1 > x, 0, gg.where(y + 0.1 > x, y, x)),
    "same": lambda x, y: gg.maximum(x, x),
    "logarithm": lambda x, y: gg.log(gg.exp(x)),
    "root": lambda x, y: gg.sqrt(gg.square(x)) + y,
    "rest": lambda x, y: 1 - gg.sigmoid(x),
    "held": lambda x, y: gg.stop_gradient(x) * y,
    "wide": lambda x, y: gg.cast(gg.cast(x, "float64"), x.dtype),
    "part": lambda x, y: gg.broadcast_to(x[:, None][:, 0][1], (3, 3)) + y,
    "sums": lambda x, y: y * gg.sum(gg.sum(-x.T, axis=0, keepdims=True), axis=1, keepdims=True),
    "spread": lambda x, y: gg.mean(gg.broadcast_to(x, (2, 3, 3)), axis=0) + gg.broadcast_to(y[:1], (3, 3)),
    "swapped": lambda x, y: (x + y) * (y + x),
    "tanh": lambda x, y: gg.tanh(x),
    "product": lambda x, y: gg.tanh(x) @ y.T,
    "outer": lambda x, y: (x[:, :, None] * gg.tanh(y)[:, None, :]).sum(0) / 3,
    "outer transposed": lambda x, y: (gg.tanh(y)[:, None, :] * x.T[None]).mean(2),
    "rows": lambda x, y: x * (gg.tanh(x) * y[0]).sum(1, keepdims=True),
    "product transposed": lambda x, y: (gg.tanh(x).T @ y).T,
    "chain": lambda x, y: gg.tanh(x @ (y @ y[0]))[:, None] * x,
    "mask product": lambda x, y: gg.cast(x > y + 0.1, x.dtype) * y,
    "scaled over": lambda x, y: 0.5 * (x * 3) / 4,
    "constant": lambda x, y: x * (gg.const(np.ones((3, 3), x.dtype)) + 1),
    "largest": lambda x, y: x - gg.max(x.T, axis=0)[:, None],
}
moves_of = st.lists(
    st.tuples(st.sampled_from(sorted(MOVES)), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12
)


def moved(moves, leaves):
    made = list(leaves)
    for kind, first, second in moves:
        made.append(MOVES[kind](made[first % len(made)], made[second % len(made)]))
    return made[-1] + gg.tanh(made[-2])


def whole(output, leaves):
    outputs = (output, *gg.grad(output, leaves))
    return Graph(tuple(leaves), outputs, collect_origins(outputs)).verify()


def check(graph, values, tolerance, level="default"):
    after = rewrite(graph, level)[-1][1].verify()
    assert [node.specs for node in after.outputs] == [node.specs for node in graph.outputs]
    assert total(toposort(after.outputs)) <= total(graph.nodes)
    assert (after is graph) == (after.rewriting is None)
    with np.errstate(all="ignore"):
        written, computed = interpret(graph.outputs, values), interpret(after.outputs, values)
    culprit = wrong_firing(after, values)
    assert culprit is None, after.rewriting.describe(culprit)
    assert_same(list(computed), list(written), *tolerance, what="the rewritten graph")
    assert all(stage is after for _, stage in rewrite(after, level))
    assert str(rewrite(graph, level)[-1][1]) == str(after)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(steps=steps_of, seed=st.integers(0, 2**16))
def test_graphs_of_all_ops(dtype, steps, seed):
    rng = np.random.default_rng(seed)
    leaves = [gg.input(f"x{at}", shape, dtype) for at, shape in enumerate(SHAPES)]
    values = {leaf: np.asarray(rng.normal(size=leaf.shape) / 2, dtype) for leaf in leaves}
    check(
        whole(grow(steps, leaves, gg), leaves), values, (2e-4, 2e-5) if dtype == "float32" else (1e-10, 1e-12)
    )


@pytest.mark.parametrize("level", ["default", "fast"])
@given(moves=moves_of, seed=st.integers(0, 2**16))
@pytest.mark.slow
def test_graphs_that_rules_fire_on(level, moves, seed):
    rng = np.random.default_rng(seed)
    leaves = [gg.input(f"x{at}", (3, 3), "float64") for at in range(2)]
    values = {leaf: rng.normal(size=(3, 3)) for leaf in leaves}
    output = gg.mean(gg.tanh(moved(moves, leaves)))
    check(whole(output, leaves), values, (1e-7, 1e-9), level)


@given(moves=moves_of, seed=st.integers(0, 2**16))
@example(moves=[("largest", 0, 0), ("root", 2, 0)], seed=0)  # the root of a square, where that is exactly 0
@pytest.mark.slow
def test_compiled_models_are_what_was_written(moves, seed):
    rng = np.random.default_rng(seed)
    leaves = [gg.input(f"x{at}", (3, 3), "float64") for at in range(2)]
    values = {leaf: rng.normal(size=(3, 3)) for leaf in leaves}
    output = gg.mean(gg.tanh(moved(moves, leaves)))
    model = gg.compile(output, wrt=leaves)
    with np.errstate(all="ignore"):  # some slopes are infinite where a mask or a difference is exactly 0
        found, grads = model(*values.values())
        expected = interpret([output, *gg.grad(output, leaves)], values)
    found = [np.asarray(found), *grads.values()]
    if any(firing.safety == "widening" for firing in model.firings):  # finite where the written form is not
        expected = [
            np.where(np.isfinite(one) & ~np.isfinite(other), one, other)
            for one, other in zip(found, expected, strict=True)
        ]
    assert_same(found, list(expected), 1e-7, 1e-9, "the compiled model")
    assert gg.compile(output, wrt=leaves).source == model.source
