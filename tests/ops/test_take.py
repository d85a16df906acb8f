"""take, take_along_axis, put_along_axis, segment_sum, one_hot, select, and what is refused, against NumPy and JAX."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from tests.oracles.by_jax import value_and_gradients

jax = pytest.importorskip("jax")


@settings(max_examples=60)
@given(
    st.sampled_from([None, 0, 1, -1]),
    st.sampled_from(["raise", "clip", "wrap"]),
    st.sampled_from(["int64", "int32", "uint8", "int8"]),
    st.lists(st.integers(-9, 9), min_size=4, max_size=4),
)
def test_take_is_numpys_in_every_mode(axis, mode, dtype, numbers):
    array = np.random.default_rng(0).standard_normal((3, 5))
    size = array.size if axis is None else array.shape[axis]
    numbers = np.array(numbers)
    if mode == "raise":
        numbers %= size
    if dtype == "uint8":
        numbers = np.abs(numbers) + 200 * (mode != "raise")
    numbers = numbers.astype(dtype).reshape(2, 2)
    x, i = gg.input("x", (3, 5), "float64"), gg.input("i", (2, 2), dtype)
    node = gg.take(x, i, axis, mode)
    expected = np.take(array, numbers, axis, mode=mode)
    weights = np.random.default_rng(1).standard_normal(expected.shape)
    gradient = gg.grad(node, x, gg.const(weights))
    model = gg.compile([node, gradient], inputs=[x, i])
    (flat,) = interpret([gg.take(gg.const(np.arange(15).reshape(3, 5)), i, axis, mode)], {i: numbers})
    pulled = np.zeros(15)
    np.add.at(pulled, flat, weights)
    for found, by_x in (interpret([node, gradient], {x: array, i: numbers}), model(x=array, i=numbers)):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(by_x.ravel(), pulled, rtol=1e-12)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.sampled_from([0, 1, 2, -1, None]),
    st.integers(0, 3),
    st.sets(st.sampled_from([0, 1, 2])),
    st.randoms(use_true_random=False),
)
def test_taking_and_putting_along_an_axis(axis, count, stretched, random):
    shape = (2, 3, 4)
    array = np.random.default_rng(0).standard_normal(shape)
    at = 2 if axis is None else axis % 3
    own = [1 if k in stretched else size for k, size in enumerate(shape)]
    own[at] = count
    size = 24 if axis is None else shape[at]
    own = (count,) if axis is None else tuple(own)
    numbers = np.array([random.randrange(-size, size) for _ in range(int(np.prod(own)))], int).reshape(own)
    x, i = gg.input("x", shape, "float64"), gg.input("i", own, "int64")
    node = gg.take_along_axis(x, i, axis)
    expected = np.take_along_axis(array, numbers, axis)
    weights = np.random.default_rng(1).standard_normal(expected.shape)
    gradient = gg.grad(node, x, gg.const(weights))
    put = gg.put_along_axis(x, i, gg.const(weights), axis)
    written = array.reshape(-1).copy() if axis is None else array.copy()
    np.put_along_axis(written, np.broadcast_to(numbers, weights.shape).copy(), weights, axis)
    _, (slope,) = value_and_gradients(lambda a: jax.numpy.take_along_axis(a, numbers, axis), [array], weights)
    model = gg.compile([node, gradient, put], inputs=[x, i])
    for found in (interpret([node, gradient, put], {x: array, i: numbers}), model(x=array, i=numbers)):
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_allclose(found[1], slope, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(found[2], written)


@pytest.mark.parametrize("wrong", [3, -4])
def test_index_out_of_range_along_an_axis_is_an_index_error(wrong):
    x, i = gg.input("x", (2, 3)), gg.input("i", (2, 1), "int64")
    for node in (
        gg.take_along_axis(x, i, 1),
        gg.put_along_axis(x, i, 0.0, 1),
        gg.take(x, i, 1),
        gg.one_hot(i, 3),
    ):
        with pytest.raises(IndexError):
            gg.compile(node, inputs=[x, i])(x=np.zeros((2, 3), np.float32), i=np.array([[0], [wrong]]))


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), max_size=8), st.sampled_from([(), (2,), (2, 3)]))
def test_segment_sum_is_jaxs(groups, width):
    rows = np.random.default_rng(0).standard_normal((len(groups), *width))
    x, s = gg.input("x", ("n", *width), "float64"), gg.input("s", ("n",), "int32")
    node = gg.segment_sum(x, s, 5)
    weights = np.random.default_rng(1).standard_normal((5, *width))
    numbers = np.array(groups, np.int32)
    value, (slope,) = value_and_gradients(lambda a: jax.ops.segment_sum(a, numbers, 5), [rows], weights)
    model = gg.compile(node, inputs=[x, s], wrt=x)
    found, grads = model(x=rows, s=numbers, cotangent=weights)
    np.testing.assert_allclose(found, value, rtol=1e-12)
    np.testing.assert_allclose(grads["x"], slope, rtol=1e-12)


def test_number_of_segments_may_be_symbolic_or_follow_from_a_constant():
    x = gg.input("x", (4, 2))
    names = gg.input("names", ("groups",))
    symbolic = gg.segment_sum(x, gg.const([0, 1, 1, 0]), names.shape[0])
    assert symbolic.shape == ("groups", 2)
    assert gg.segment_sum(x, gg.const([0, 1, 1, 3])).shape == (4, 2)
    assert gg.segment_sum(x, [0, 1, 1, 3]).shape == (4, 2)
    with pytest.raises(gg.UnsupportedError, match="num_segments"):
        gg.segment_sum(x, gg.input("s", (4,), "int64"))
    with pytest.raises(gg.ShapeError, match="one number for each row"):
        gg.segment_sum(x, gg.input("s", (3,), "int64"), 2)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_one_hot_is_jaxs(shape, dtype):
    numbers = np.random.default_rng(0).integers(0, 5, shape)
    i = gg.input("i", shape, "int64")
    found = gg.compile(gg.one_hot(i, 5, dtype), inputs=[i])(i=numbers)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(found, np.asarray(jax.nn.one_hot(numbers, 5, dtype=dtype)))
    assert found.dtype == dtype


def test_one_hot_with_a_symbolic_number_of_classes():
    i, x = gg.input("i", (3,), "int64"), gg.input("x", ("classes",))
    node = gg.one_hot(i, x.shape[0]) @ x
    found = gg.compile(node)(i=np.array([0, -1, 2]), x=np.arange(5, dtype=np.float32))
    assert found.tolist() == [0, 4, 2]


@settings(max_examples=30)
@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=3))
def test_select_is_numpys(conditions):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(4) for _ in conditions]
    leaves = [gg.input(f"x{at}", (4,), "float64") for at in range(len(arrays))]
    masks = [np.array(flags) for flags in conditions]
    node = gg.select(masks, leaves, 7.0)
    found = interpret(
        [node, *gg.grad(gg.sum(node), leaves, allow_unused=True)], dict(zip(leaves, arrays, strict=True))
    )
    np.testing.assert_array_equal(found[0], np.select(masks, arrays, 7.0))
    for at, gradient in enumerate(found[1:]):
        taken = masks[at] & ~np.logical_or.reduce([np.zeros(4, bool), *masks[:at]])
        np.testing.assert_array_equal(gradient, taken.astype(float))


def test_numpys_functions_and_methods_build_the_same_nodes():
    x, i = gg.input("x", (3, 4)), gg.input("i", (3, 1), "int64")
    assert np.take(x, i, axis=1) is gg.take(x, i, 1) is x.take(i, 1)
    assert np.take_along_axis(x, i, axis=1) is gg.take_along_axis(x, i, 1)
    assert np.select([x > 0], [x], 1.0) is gg.select([x > 0], [x], 1.0)
    assert x.take(2, 0) is x[2]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (np.nonzero, gg.UnsupportedError, "shape would depend on values"),
        (np.argwhere, gg.UnsupportedError, "shape would depend on values"),
        (np.unique, gg.UnsupportedError, "shape would depend on values"),
        (lambda x: np.where(x > 0), gg.UnsupportedError, "a condition alone"),
        (lambda x: gg.where(x > 0), gg.UnsupportedError, r"gg.where\(condition, x, y\)"),
        (lambda x: x[x > 0], gg.UnsupportedError, "where=mask"),
        (lambda x: np.put_along_axis(x, np.array([[0]]), 1.0, 0), gg.UnsupportedError, "cannot be written"),
        (lambda x: gg.take(x, [0.5], 0), gg.DTypeError, "integers"),
        (lambda x: gg.take(x, [7], 0), gg.ShapeError, "out of range"),
        (lambda x: gg.take(x, [0], 0, mode="up"), gg.InvalidValueError, "mode"),
        (
            lambda x: gg.take_along_axis(x, gg.input("i", (3,), "int64"), 0),
            gg.ShapeError,
            "1 dimensions, not 2",
        ),
        (
            lambda x: gg.take_along_axis(x, gg.input("i", (2, 2), "int64"), 1),
            gg.ShapeError,
            "do not broadcast",
        ),
        (lambda x: gg.select([x > 0], []), gg.ArgumentError, "1 conditions and 0 choices"),
        (lambda x: gg.segment_sum(x, x[:, 0], 3), gg.DTypeError, "integers"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(gg.input("x", (3, 4)))
    assert "test_take.py:" in str(caught.value)
