"""Writing at an index against plain loops and JAX: repeated places, ties, zeros among factors, every layout."""

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from graphgrad.testing import check_grads
from tests.oracles.by_jax import value_and_gradients

COMBINE = {
    "set": lambda old, new: new,
    "add": operator.add,
    "multiply": operator.mul,
    "max": max,
    "min": min,
}
JAX_NAMES = {"set": "set", "add": "add", "multiply": "mul", "max": "max", "min": "min"}


def by_loop(how, x, index, v):
    """Write one element after the other, in the order of v."""
    flat = x.ravel().tolist()
    places = np.arange(x.size).reshape(x.shape)[index]
    for place, value in zip(
        places.ravel().tolist(), np.broadcast_to(v, places.shape).ravel().tolist(), strict=True
    ):
        flat[place] = COMBINE[how](flat[place], value)
    return np.reshape(flat, x.shape)


@st.composite
def writes(draw):
    """A shape, an index of it with arrays, and whether the arrays are constants."""
    shape = draw(st.sampled_from([(4,), (3, 4), (2, 3, 4)]))
    common = draw(st.sampled_from([(), (3,), (5,), (2, 3), (0,)]))
    at = draw(st.integers(0, len(shape) - 1))
    index = []
    for axis, size in enumerate(shape):
        kind = "array" if axis == at else draw(st.sampled_from(["array", "slice", "int"]))
        own = draw(st.sampled_from([common, common[1:]]))
        count = int(np.prod(own))
        if kind == "array":
            numbers = draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))
            index.append(np.array(numbers, np.int64).reshape(own))
        else:
            index.append(draw(st.integers(-size, size - 1)) if kind == "int" else slice(None))
    return shape, tuple(index), draw(st.booleans())


def as_nodes(index, constant):
    values = {}
    items = list(index)
    for at, item in enumerate(index):
        if isinstance(item, np.ndarray) and not constant:
            items[at] = gg.input(f"i{at}", item.shape, item.dtype)
            values[items[at]] = item
    return tuple(items), values


@pytest.mark.slow
@settings(max_examples=50)
@given(writes(), st.sampled_from(list(COMBINE)))
def test_write_is_that_of_a_loop_and_its_gradient_the_numeric_one(write, how):
    shape, index, constant = write
    rng = np.random.default_rng(0)
    array, wanted = rng.standard_normal(shape), rng.standard_normal(np.zeros(shape)[index].shape)
    x, v = gg.input("x", shape, "float64"), gg.input("v", wanted.shape, "float64")
    items, values = as_nodes(index, constant)
    node = getattr(gg.at(x, items), how)(v)
    given_values = {x: array, v: wanted, **values}
    expected = by_loop(how, array, index, wanted)
    np.testing.assert_allclose(interpret([node], given_values)[0], expected, rtol=1e-12)
    check_grads(node, [x, v], given_values, order=1)
    model = gg.compile(node, inputs=[x, v, *values], wrt=[x, v])
    weights = rng.standard_normal(shape)
    for order in "CF":
        arrays = {leaf.name: np.array(value, order=order) for leaf, value in given_values.items()}
        found, grads = model(**arrays, cotangent=weights)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        for leaf, exact in zip(
            (x, v), interpret(gg.grad(node, [x, v], gg.const(weights)), given_values), strict=True
        ):
            np.testing.assert_allclose(grads[leaf.name], exact, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.permutations(range(5)), st.integers(0, 5), st.sampled_from(list(COMBINE)))
def test_gradient_is_jaxs_where_no_place_repeats(order, count, how):
    pytest.importorskip("jax")
    rng = np.random.default_rng(1)
    array, wanted, numbers = (
        rng.standard_normal((5, 2)),
        rng.standard_normal((count, 2)),
        np.array(order[:count], int),
    )
    x, v = gg.input("x", (5, 2), "float64"), gg.input("v", ("n", 2), "float64")
    i = gg.input("i", ("n",), "int64")
    node = getattr(gg.at(x, i), how)(v)
    weights = rng.standard_normal((5, 2))
    found = interpret([node, *gg.grad(node, [x, v], gg.const(weights))], {x: array, v: wanted, i: numbers})
    value, slopes = value_and_gradients(
        lambda a, b: getattr(a.at[numbers], JAX_NAMES[how])(b, unique_indices=True), [array, wanted], weights
    )
    for got, expected in zip(found, (value, *slopes), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_last_of_repeated_writes_stays_and_alone_gets_the_gradient():
    x, v, i = gg.input("x", (3,), "float64"), gg.input("v", (4,), "float64"), gg.input("i", (4,), "int64")
    node = gg.at(x, i).set(v)
    seed = gg.const(np.array([1.0, 2.0, 3.0]))
    values = {x: np.zeros(3), v: np.array([5.0, 6.0, 7.0, 8.0]), i: np.array([2, 0, -1, 2])}
    found, by_x, by_v = interpret([node, *gg.grad(node, [x, v], seed)], values)
    assert found.tolist() == [6, 0, 8]
    assert by_x.tolist() == [0, 2, 0]
    assert by_v.tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize("how", ["max", "min"])
def test_ties_share_the_gradient_evenly(how):
    x, v, i = gg.input("x", (3,), "float64"), gg.input("v", (4,), "float64"), gg.input("i", (4,), "int64")
    node = getattr(gg.at(x, i), how)(v)
    sign = 1 if how == "max" else -1
    values = {x: np.array([1.0, 2, 3]) * sign, v: np.array([1.0, 9, 9, 3]) * sign, i: np.array([0, 1, 1, 2])}
    found, by_x, by_v = interpret([node, *gg.grad(node, [x, v], gg.const(np.ones(3)))], values)
    assert (found * sign).tolist() == [1, 9, 3]
    assert by_x.tolist() == [0.5, 0, 0.5]
    assert by_v.tolist() == [0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("zeros", [(), (0,), (0, 1), (3,), (0, 3), (0, 1, 2)])
def test_gradient_of_a_product_is_exact_with_zeros(zeros):
    factors = np.array([2.0, 3.0, 5.0, 7.0])
    factors[list(zeros)] = 0
    numbers = np.array([1, 1, 1, 0])
    x, v, i = gg.input("x", (2,), "float64"), gg.input("v", (4,), "float64"), gg.input("i", (4,), "int64")
    node = gg.at(x, i).multiply(v)
    start = np.array([11.0, 13.0])
    by_x, by_v = interpret(gg.grad(gg.sum(node), [x, v]), {x: start, v: factors, i: numbers})
    others = [
        np.prod([factors[k] for k in range(4) if k != j and numbers[k] == numbers[j]]) for j in range(4)
    ]
    np.testing.assert_allclose(by_v, np.array(others) * start[numbers])
    np.testing.assert_allclose(by_x, [np.prod(factors[numbers == place]) for place in (0, 1)])


@pytest.mark.parametrize("how", list(COMBINE))
@pytest.mark.parametrize("count", [0, 1, 6])
def test_counts_are_those_of_the_call(how, count):
    x, v, i = gg.input("x", ("rows", 2)), gg.input("v", ("n", 2)), gg.input("i", ("n",), "int32")
    model = gg.compile(getattr(gg.at(x, i), how)(v), inputs=[x, v, i], wrt=[x, v])
    rng = np.random.default_rng(0)
    values = (
        rng.standard_normal((3, 2)).astype(np.float32),
        rng.standard_normal((count, 2)).astype(np.float32),
    )
    numbers = rng.integers(-3, 3, count).astype(np.int32)
    found, grads = model(*values, numbers, cotangent=np.ones((3, 2), np.float32))
    np.testing.assert_allclose(found, by_loop(how, values[0], (numbers,), values[1]), rtol=1e-6)
    assert grads["v"].shape == (count, 2)


def test_constant_indices_that_never_repeat_need_no_accumulation():
    x, i = gg.input("x", (4, 3)), gg.input("i", ("n",), "int64")
    once = gg.compile(gg.sum(x[[0, 2]]), wrt=x).source
    assert "[np.array" not in once
    assert "np.add.at" not in once
    assert "np.add.at" in gg.compile(gg.sum(x[[0, -4]]), wrt=x).source
    assert "np.add.at" in gg.compile(gg.sum(x[i]), wrt=x).source


def test_value_of_another_shape_or_dtype_is_refused():
    x, i = gg.input("x", (4, 3)), gg.input("i", (2,), "int64")
    with pytest.raises(gg.ShapeError, match="do not broadcast"):
        gg.at(x, i).set(gg.input("v", (2, 2)))
    with pytest.raises(gg.DTypeError, match="cannot put float64"):
        gg.at(x, i).max(gg.input("v", (2, 3), "float64"))
