"""Random models, compiled at every level, against the interpreter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from graphgrad.testing import assert_same
from tests.autodiff.test_frameworks import grow, steps_of

# Random models use what they like.

SHAPES = [(3, 3), (3, 3), (3,), (1, 3), ()]


@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@given(steps=steps_of, seed=st.integers(0, 2**16))
@pytest.mark.slow
def test_compiled_model_gives_what_the_interpreter_gives(level, dtype, steps, seed):
    rng = np.random.default_rng(seed)
    leaves = [gg.input(f"x{at}", shape, dtype) for at, shape in enumerate(SHAPES)]
    values = {leaf.name: np.asarray(rng.normal(size=leaf.shape) / 2, dtype) for leaf in leaves}
    output = grow(steps, leaves, gg)
    model = gg.compile(output, wrt=leaves, level=level)
    before = {name: array.copy() for name, array in values.items()}
    found, grads = model(**values)
    given_values = {leaf: values[leaf.name] for leaf in leaves}
    expected, *wanted = interpret([output, *gg.grad(output, leaves)], given_values)
    tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 2e-4, "atol": 2e-5}
    assert_same(np.asarray(found), expected, what="the output", **tolerance)
    for leaf, array in zip(leaves, wanted, strict=True):
        assert_same(grads[leaf.name], array, what=f"the gradient by {leaf.name}", **tolerance)
    assert_same(values, before, rtol=0, atol=0, what="the arguments after the call")
    again, more = model(**values)
    assert_same(np.asarray(again), np.asarray(found), rtol=0, atol=0, what="a second call")
    assert_same(more, grads, rtol=0, atol=0, what="the gradients of a second call")


@pytest.mark.parametrize("level", ["plain", "default"])
@given(steps=steps_of, rows=st.integers(0, 5))
@pytest.mark.slow
def test_compiled_model_serves_every_batch_size(level, steps, rows):
    x, w = gg.input("x", ("batch", 3), "float64"), gg.param("w", (3,), "float64")
    made = [x, x * w]
    for kind, first, second in steps:
        one, other = made[first % len(made)], made[second % len(made)]
        if kind in ("tanh", "sigmoid", "abs", "square", "negative", "relu", "sqrt", "log", "exp"):
            made.append(getattr(gg, kind, gg.nn.relu)(gg.tanh(one) + 2))
        elif kind in ("add", "multiply", "maximum", "subtract"):
            made.append(getattr(gg, kind)(gg.tanh(one), other))
        elif kind == "total":
            made.append(one + gg.tanh(other.sum(0, keepdims=True)))
        elif kind == "mean":
            made.append(one - other.mean(1, keepdims=True))
    output = gg.sum(gg.tanh(made[-1])) / x.shape[0] if rows else gg.sum(gg.tanh(made[-1]))
    model = gg.compile((output, made[-1]), wrt=[x, w], level=level)
    rng = np.random.default_rng(rows)
    values = {x: rng.normal(size=(rows, 3)), w: rng.normal(size=3)}
    found, grads = model(x=values[x], w=values[w])
    expected = interpret([output, made[-1], *gg.grad(output, [x, w])], values)
    assert_same([*map(np.asarray, found), grads["x"], grads["w"]], list(expected), 1e-9, 1e-11, "the results")
