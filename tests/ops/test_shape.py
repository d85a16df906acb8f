"""Functions that move elements against NumPy, their gradients against matrices and JAX, over random arguments."""

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from tests.ops.shape_cases import CASES, cut
from tests.oracles.by_jax import value_and_gradients

every_function = pytest.mark.parametrize("name", list(CASES))


def arrays_of(shapes, dtype="float64"):
    """Arrays of different elements; every second one does not lie in C order in memory."""
    rng = np.random.default_rng(0)
    made = []
    for at, shape in enumerate(shapes):
        array = (rng.permutation(int(np.prod(shape))) + 1.0).reshape(shape).astype(dtype)
        strided = np.repeat(array, 2, -1)[..., ::2] if shape else array
        made.append(np.array(array, order="F") if at % 2 == 0 else strided)
    return made


def call(module, name, shapes, arrays, args, kwargs):
    """The function of this name, in graphgrad, NumPy or JAX."""
    given_arrays = [list(arrays)] if isinstance(shapes, list) else list(arrays)
    return getattr(module, name)(*given_arrays, *args, **kwargs)


def leaves_of(arrays):
    return [gg.input(f"x{at}", array.shape, array.dtype) for at, array in enumerate(arrays)]


def matrix_of(function, arrays, at):
    """The matrix of a linear function by its argument number `at`: what it makes of each unit vector."""
    zeros = [np.zeros_like(array) for array in arrays]
    base = np.asarray(function(zeros))  # not 0 where a constant is put in
    columns = []
    for element in range(arrays[at].size):
        unit = np.zeros(arrays[at].size)
        unit[element] = 1
        columns.append(
            np.ravel(function([*zeros[:at], unit.reshape(arrays[at].shape), *zeros[at + 1 :]]) - base)
        )
    return np.array(columns).reshape(arrays[at].size, base.size)


@every_function
@given(st.data())
def test_value_is_numpys_and_the_gradient_the_transposed_matrix(name, data):
    shapes, args, kwargs = data.draw(CASES[name])
    arrays = arrays_of(shapes)

    def numpys(given_arrays):
        return call(np, name, shapes, given_arrays, args, kwargs)

    expected = np.asarray(numpys(arrays))
    leaves = leaves_of(arrays)
    node = call(gg, name, shapes, leaves, args, kwargs)
    assert node.shape == expected.shape
    assert node.dtype == expected.dtype
    cotangent = np.random.default_rng(1).normal(size=expected.shape)
    grads = gg.grad(node, leaves, gg.const(cotangent))
    value, *found = interpret([node, *grads], dict(zip(leaves, arrays, strict=True)))
    np.testing.assert_array_equal(value, expected)
    for at, gradient in enumerate(found):
        wanted = matrix_of(numpys, arrays, at) @ cotangent.ravel()
        np.testing.assert_allclose(gradient, wanted.reshape(arrays[at].shape), rtol=1e-12, atol=1e-12)


@every_function
@given(st.data())
@settings(max_examples=10)
def test_compiled_code_is_numpy_s_in_every_layout_and_dtype(name, data):
    shapes, args, kwargs = data.draw(CASES[name])
    dtype = data.draw(st.sampled_from(["float32", "int32", "bool"]))
    arrays = arrays_of(shapes, dtype)
    expected = np.asarray(call(np, name, shapes, arrays, args, kwargs))
    leaves = leaves_of(arrays)
    node = call(gg, name, shapes, leaves, args, kwargs)
    for level in ("plain", "default"):
        found = gg.compile(node, inputs=leaves, level=level)(*arrays)
        assert np.asarray(found).dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@every_function
@pytest.mark.slow
@given(st.data())
@settings(max_examples=5, suppress_health_check=[HealthCheck.filter_too_much])
def test_gradient_is_that_of_jax(name, data):
    shapes, args, kwargs = data.draw(CASES[name])
    arrays = arrays_of(shapes)
    if name == "repeat" and isinstance(args[0], tuple):
        args = (np.array(args[0], int), *args[1:])

    def theirs(*given_arrays):
        return call(jax.numpy, name, shapes, given_arrays, args, kwargs)

    cotangent = np.random.default_rng(1).normal(size=jax.eval_shape(theirs, *arrays).shape)
    value, slopes = value_and_gradients(theirs, arrays, cotangent)
    leaves = leaves_of(arrays)
    node = call(gg, name, shapes, leaves, args, kwargs)
    model = gg.compile(node, inputs=leaves, wrt=leaves)
    found, grads = model(*arrays, cotangent=cotangent if cotangent.shape else np.float64(cotangent))
    np.testing.assert_allclose(found, value, rtol=1e-12)
    for leaf, wanted in zip(leaves, slopes, strict=True):
        np.testing.assert_allclose(grads[leaf.name], wanted, rtol=1e-12, atol=1e-12)


@every_function
@given(st.data())
@settings(max_examples=5)
def test_numpys_function_of_a_node_is_graphgrads(name, data):
    shapes, args, kwargs = data.draw(CASES[name])
    leaves = leaves_of(arrays_of(shapes))
    assert call(np, name, shapes, leaves, args, kwargs) is call(gg, name, shapes, leaves, args, kwargs)


# ---- several results ----


@pytest.mark.parametrize("name", ["split", "array_split"])
@given(cut())
def test_parts_are_numpys_and_flow_back_into_their_places(name, case):
    (shape,), args, _ = case
    (array,) = arrays_of([shape])
    (x,) = leaves_of([array])
    try:
        expected = getattr(np, name)(array, *args)
    except ValueError:
        with pytest.raises(gg.ShapeError, match="does not divide"):
            getattr(gg, name)(x, *args)
        return
    parts = getattr(gg, name)(x, *args)
    assert len(parts) == len(expected)
    weights = [np.random.default_rng(at).normal(size=part.shape) for at, part in enumerate(expected)]
    total = sum((gg.sum(part * weight) for part, weight in zip(parts, weights, strict=True)), gg.const(0.0))
    *found, gradient = interpret([*parts, gg.grad(total, x)], {x: array})
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(value, wanted)
    spread = np.zeros(shape)
    places = getattr(np, name)(np.arange(array.size).reshape(shape), *args)
    for place, weight in zip(places, weights, strict=True):
        np.add.at(spread.reshape(-1), place.ravel(), weight.ravel())
    np.testing.assert_allclose(gradient, spread, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["hsplit", "vsplit", "dsplit"])
def test_splits_by_axis_are_numpys(name):
    array = np.arange(4.0 * 4 * 4).reshape(4, 4, 4)
    x = gg.input("x", (4, 4, 4), "float64")
    for sections in (2, [1, 3]):
        found = interpret(getattr(gg, name)(x, sections), {x: array})
        for value, wanted in zip(found, getattr(np, name)(array, sections), strict=True):
            np.testing.assert_array_equal(value, wanted)
    assert getattr(np, name)(x, 2)[1] is getattr(gg, name)(x, 2)[1]


def test_vector_is_split_along_its_only_axis():
    assert [part.shape for part in gg.hsplit(gg.input("x", (6,)), 3)] == [(2,)] * 3
    with pytest.raises(gg.ShapeError, match="at least 2"):
        gg.vsplit(gg.input("x", (6,)), 3)


def test_unstack_undoes_stack():
    x = gg.input("x", (2, 3, "n"))
    parts = gg.unstack(x, axis=1)
    assert [part.shape for part in parts] == [(2, "n")] * 3
    array = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(interpret([gg.stack(parts, 1)], {x: array})[0], array)
    with pytest.raises(gg.ShapeError, match="no fixed number"):
        gg.unstack(x, axis=2)


@given(st.lists(st.integers(0, 3), max_size=3), st.sampled_from(["xy", "ij"]), st.booleans())
def test_meshgrid_is_numpys(lengths, indexing, sparse):
    arrays = arrays_of([(length,) for length in lengths])
    leaves = leaves_of(arrays)
    found = gg.meshgrid(*leaves, indexing=indexing, sparse=sparse)
    expected = np.meshgrid(*arrays, indexing=indexing, sparse=sparse)
    assert [node.shape for node in found] == [grid.shape for grid in expected]
    for value, wanted in zip(interpret(found, dict(zip(leaves, arrays, strict=True))), expected, strict=True):
        np.testing.assert_array_equal(value, wanted)
    if leaves:
        assert np.meshgrid(*leaves, indexing=indexing, sparse=sparse) == found


def test_broadcast_arrays_is_numpys():
    arrays = arrays_of([(3, 1), (4,), ()])
    leaves = leaves_of(arrays)
    found = gg.broadcast_arrays(*leaves)
    for value, wanted in zip(
        interpret(found, dict(zip(leaves, arrays, strict=True))), np.broadcast_arrays(*arrays), strict=True
    ):
        np.testing.assert_array_equal(value, wanted)
    assert np.broadcast_arrays(*leaves) == found


def test_several_arrays_grow_to_a_tuple():
    x, y = gg.input("x", ()), gg.input("y", (2,))
    assert [node.shape for node in gg.atleast_2d(x, y)] == [(1, 1), (1, 2)]
    assert np.atleast_2d(x, y) == gg.atleast_2d(x, y)


# ---- methods ----


def test_methods_of_nodes_are_those_of_arrays():
    x = gg.input("x", (2, 3))
    assert x.ravel() is x.flatten() is gg.ravel(x) is x.reshape(-1) is x.reshape((6,), order="C")
    assert x.swapaxes(0, -1) is x.T
    assert x.repeat(2, 1) is gg.repeat(x, 2, 1)
    assert x.repeat([1, 2], axis=0) is gg.repeat(x, (1, 2), 0)
    assert x.diagonal(1) is gg.diagonal(x, 1)
    assert x.trace() is gg.trace(x)


@pytest.mark.parametrize("make", [lambda x: x.reshape(3, 2, order="F"), lambda x: x.ravel("F"),
                                  lambda x: np.reshape(x, (3, 2), order="A")])  # fmt: skip
def test_other_orders_are_refused(make):
    with pytest.raises(gg.UnsupportedError, match="order='C'"):
        make(gg.input("x", (2, 3)))


# ---- what mature peers get wrong ----


def gradient_by_x(node, x, array, seed=3):
    """The compiled gradient of a weighted sum, and the weights."""
    shape = interpret([node], {x: array})[0].shape
    weights = np.random.default_rng(seed).normal(size=shape)
    _, grads = gg.compile(gg.sum(node * weights), wrt=[x])(array)
    return grads["x"], weights


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 3)])
@pytest.mark.parametrize("k", [0, 1, -1, 2, -3])
def test_gradient_of_diag_of_a_matrix_lies_on_that_diagonal(shape, k):
    x = gg.input("x", shape, "float64")
    array = np.ones(shape)
    found, weights = gradient_by_x(gg.diag(x, k), x, array)
    expected = np.zeros(shape)
    for at, weight in enumerate(weights):
        expected[at + max(-k, 0), at + max(k, 0)] = weight
    np.testing.assert_array_equal(found, expected)


def test_gradient_of_transpose_with_negative_axes():
    x = gg.input("x", (2, 3, 4), "float64")
    found, weights = gradient_by_x(gg.transpose(x, (-1, 0, -2)), x, np.ones((2, 3, 4)))
    np.testing.assert_array_equal(found, np.transpose(weights, (1, 2, 0)))


@pytest.mark.parametrize("reps", [0, (0, 2), (2, 0), (0, 1, 1)])
def test_gradient_of_no_copies_is_zero(reps):
    x = gg.input("x", (2, 3), "float64")
    found, _ = gradient_by_x(gg.tile(x, reps), x, np.ones((2, 3)))
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


def test_gradient_of_roll_with_several_shifts():
    x = gg.input("x", (3, 4), "float64")
    found, weights = gradient_by_x(gg.roll(x, (1, -2), axis=(0, 1)), x, np.ones((3, 4)))
    np.testing.assert_array_equal(found, np.roll(weights, (-1, 2), axis=(0, 1)))
    assert gg.roll(x, (1, 2), axis=(0, 0)) is gg.roll(x, 3, axis=0)
    assert gg.roll(x, (1, -1), axis=(1, 1)) is x


def test_gradient_of_broadcast_to_with_new_leading_axes():
    x = gg.input("x", (3, 1), "float64")
    found, weights = gradient_by_x(gg.broadcast_to(x, (2, 5, 3, 4)), x, np.ones((3, 1)))
    np.testing.assert_allclose(found, weights.sum((0, 1, 3))[:, None], rtol=1e-12)
