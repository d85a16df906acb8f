"""Sorting and order against NumPy, JAX and torch: ties, nan, integers, both directions, empty and symbolic sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret

few = st.sampled_from([-1.0, 0.0, 0.5, 2.0])


def tied(draw_list, shape):
    return np.array(draw_list).reshape(shape)


@settings(max_examples=60)
@given(st.lists(few, min_size=12, max_size=12), st.sampled_from([None, 0, 1, -1]), st.booleans())
def test_sort_and_argsort_with_ties(numbers, axis, descending):
    array = np.array(numbers).reshape(3, 4)
    x = gg.input("x", (3, 4), "float64")
    values, order = gg.sort(x, axis, descending=descending), gg.argsort(x, axis, descending=descending)
    found, places = interpret([values, order], {x: array})
    ascending = np.sort(array, axis)
    end = -1 if axis is None else axis
    np.testing.assert_array_equal(found, np.flip(ascending, end) if descending else ascending)
    np.testing.assert_array_equal(
        np.take_along_axis(array.reshape(-1) if axis is None else array, places, end), found
    )
    for row, own in zip(np.moveaxis(found, end, -1).reshape(-1, found.shape[end]),
                        np.moveaxis(places, end, -1).reshape(-1, found.shape[end]), strict=True):  # fmt: skip
        assert all(a != b or i < j for a, b, i, j in zip(row, row[1:], own, own[1:], strict=False)), (
            "not stable"
        )
    weights = np.random.default_rng(0).standard_normal(found.shape)
    (gradient,) = interpret([gg.grad(values, x, gg.const(weights))], {x: array})
    expected = np.zeros(found.shape)
    np.put_along_axis(expected, places, weights, end)
    np.testing.assert_array_equal(gradient, expected.reshape(3, 4))


@settings(max_examples=60)
@given(st.lists(few, min_size=10, max_size=10), st.integers(0, 5), st.booleans())
def test_topk_is_torchs_values_and_the_first_of_equal_elements(numbers, k, largest):
    torch = pytest.importorskip("torch")
    array = np.array(numbers).reshape(2, 5)
    x = gg.input("x", (2, 5), "float64")
    values, indices = gg.topk(x, k, largest=largest)
    weights = np.random.default_rng(0).standard_normal((2, k))
    found, places, gradient = interpret([values, indices, gg.grad(values, x, gg.const(weights))], {x: array})
    np.testing.assert_array_equal(found, torch.topk(torch.tensor(array), k, largest=largest).values.numpy())
    wanted = np.argsort(-array if largest else array, axis=1, stable=True)[:, :k]
    np.testing.assert_array_equal(places, wanted)
    expected = np.zeros_like(array)
    np.put_along_axis(expected, wanted, weights, 1)
    np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "bool", "float16", "float32"])
def test_every_dtype_sorts_both_ways_without_overflow(dtype):
    if dtype == "bool":
        array = np.array([True, False, True])
    elif dtype.startswith("float"):
        array = np.array([1, -np.inf, 0, np.inf, -3], dtype)
    else:
        info = np.iinfo(dtype)
        array = np.array([3, info.min, 5, info.max, 5], dtype)
    x = gg.input("x", array.shape, dtype)
    for level in ("plain", "default"):
        model = gg.compile(
            [gg.sort(x), gg.sort(x, descending=True), gg.argsort(x, descending=True)], level=level
        )
        up, down, order = model(x=array)
        np.testing.assert_array_equal(up, np.sort(array))
        np.testing.assert_array_equal(down, np.sort(array)[::-1])
        np.testing.assert_array_equal(array[order], down)
        assert down.dtype == array.dtype


def test_nan_comes_last_both_ways():
    x = gg.input("x", (4,))
    array = np.array([1, np.nan, 3, 2], np.float32)
    found = interpret([gg.sort(x), gg.sort(x, descending=True), gg.topk(x, 2)[0]], {x: array})
    np.testing.assert_array_equal(found[0], [1, 2, 3, np.nan])
    np.testing.assert_array_equal(found[1], [3, 2, 1, np.nan])
    np.testing.assert_array_equal(found[2], [3, 2])


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_rows_are_those_of_the_call(batch):
    x = gg.input("x", ("batch", 4))
    values, indices = gg.topk(x, 2)
    model = gg.compile([values, indices, gg.sort(x, axis=0)], wrt=x)
    array = np.random.default_rng(0).standard_normal((batch, 4)).astype(np.float32)
    (top, places, columns), grads = model(x=array, cotangent=[np.ones((batch, 2), np.float32), None, None])
    np.testing.assert_array_equal(top, -np.sort(-array, axis=1)[:, :2])
    np.testing.assert_array_equal(columns, np.sort(array, axis=0))
    expected = np.zeros_like(array)
    np.put_along_axis(expected, places, 1, 1)
    np.testing.assert_array_equal(grads["x"], expected)


def test_gradient_of_a_permutation_is_put_back_and_not_added_up():
    x = gg.input("x", (6, 4))
    source = gg.compile([gg.sum(gg.sort(x) ** 2), gg.sum(gg.topk(x, 2)[0])], wrt=x).source
    assert "np.add.at" not in source
    assert "put_along_axis" in source


@settings(max_examples=30)
@given(st.lists(st.integers(-5, 5), min_size=7, max_size=7), st.integers(-7, 6))
def test_partition_parts_and_its_gradient_follows(numbers, kth):
    array = np.array(numbers, float)
    x = gg.input("x", (7,), "float64")
    parted, order = gg.partition(x, kth), gg.argpartition(x, kth)
    weights = np.arange(7.0)
    found, places, gradient = interpret([parted, order, gg.grad(parted, x, gg.const(weights))], {x: array})
    at = kth % 7
    assert found[at] == np.sort(array)[at]
    assert (found[:at] <= found[at]).all()
    assert (found[at:] >= found[at]).all()
    np.testing.assert_array_equal(array[places], found)
    np.testing.assert_array_equal(gradient[places], weights)


@settings(max_examples=40)
@given(st.lists(few, max_size=6), st.lists(few, min_size=3, max_size=3), st.sampled_from(["left", "right"]))
def test_searchsorted_is_numpys(edges, numbers, side):
    x, v = gg.input("x", ("n",), "float64"), gg.input("v", (3,), "float64")
    edges = np.sort(np.array(edges, float))
    found = gg.compile(gg.searchsorted(x, v, side), inputs=[x, v])(x=edges, v=np.array(numbers))
    np.testing.assert_array_equal(found, np.searchsorted(edges, numbers, side))


def test_numpys_functions_and_arrays_methods_build_the_same_nodes():
    x = gg.input("x", (3, 4))
    assert np.sort(x, axis=0) is gg.sort(x, 0)
    assert np.argsort(x, kind="stable") is gg.argsort(x) is x.argsort()
    assert np.argpartition(x, 2, axis=0) is gg.argpartition(x, 2, 0) is x.argpartition(2, 0)
    assert np.partition(x, 2) is gg.partition(x, 2)
    row = gg.input("row", (4,))
    assert (
        np.searchsorted(row, x, side="right")
        is gg.searchsorted(row, x, "right")
        is row.searchsorted(x, "right")
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: gg.topk(x, 5), gg.ShapeError, "no 5 elements"),
        (lambda x: gg.topk(x, -1), gg.ShapeError, "no -1 elements"),
        (lambda x: gg.topk(x, 1.5), gg.ArgumentError, "k is an int"),
        (lambda x: gg.sort(x, kind="bogo"), gg.InvalidValueError, "kind"),
        (lambda x: gg.sort(x, descending=1), gg.ArgumentError, "descending"),
        (lambda x: gg.argpartition(gg.input("y", ("n",)), -1), gg.ShapeError, "counts from the end"),
    ],
)
def test_what_cannot_be_sorted_is_refused(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(gg.input("x", (3, 4)))
    assert "test_sort.py:" in str(caught.value)


@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint"])
def test_quantiles_of_rows_of_which_nothing_else_tells_how_many_there_are(level, method):
    x = gg.input("x", ("n", 5))
    model = gg.compile(gg.sum(gg.quantile(x, 0.3, axis=0, method=method)), wrt=x, level=level)
    array = np.random.default_rng(0).permutation(30).reshape(6, 5).astype(np.float32)
    value, grads = model(array)
    assert np.isclose(value, np.quantile(array, 0.3, axis=0, method=method).sum())
    assert np.allclose(grads["x"].sum(0), 1)
    model.verify(x=array)
