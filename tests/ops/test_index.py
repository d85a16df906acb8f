"""Basic indexing against NumPy, with fixed and with named sizes."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.core.dim import evaluate
from graphgrad.interpret import interpret

bounds = st.none() | st.integers(-7, 7)
steps = st.none() | st.sampled_from([-3, -2, -1, 1, 2, 3])
items = st.one_of(st.integers(-4, 3), st.builds(slice, bounds, bounds, steps), st.none(), st.just(...))
indices = st.lists(items, max_size=4).map(tuple)


def legal(index, array):
    try:
        return array[index]
    except IndexError:
        return None


@given(indices)
def test_index_of_fixed_sizes_is_numpys(index):
    array = np.arange(20.0).reshape(4, 5)
    expected = legal(index, array)
    x = gg.input("x", (4, 5), "float64")
    if expected is None:
        with pytest.raises((gg.ShapeError, gg.ArgumentError)):
            x[index]
        return
    node = x[index]
    assert node.shape == expected.shape
    np.testing.assert_array_equal(interpret([node], {x: array})[0], expected)
    gradient = gg.grad(gg.sum(node * node), x)
    wanted = np.zeros_like(array)
    wanted[index] = 2 * expected
    np.testing.assert_array_equal(interpret([gradient], {x: array})[0], wanted)


@given(st.builds(slice, bounds, bounds, steps), st.integers(7, 11))
def test_slice_of_a_named_size_is_numpys_where_it_lies_within(item, rows):
    x = gg.input("x", ("n", 2), "float64")
    array = np.arange(2.0 * rows).reshape(rows, 2)
    node = x[item]
    expected = array[item]
    assume(expected.size or item.start == item.stop)  # the bounds are in order
    assert evaluate(node.shape[0], {"n": rows}) == len(expected)
    np.testing.assert_array_equal(interpret([node], {x: array})[0], expected)
    gradient = gg.grad(gg.sum(node * 3), x)
    wanted = np.zeros_like(array)
    wanted[item] = 3
    np.testing.assert_array_equal(interpret([gradient], {x: array})[0], wanted)


@given(st.builds(slice, bounds, bounds, steps), st.integers(0, 6))
def test_slice_of_a_named_size_never_has_a_size_that_is_not_its_values(item, rows):
    """Within the bounds; beyond them the sizes are the user's word, which the compiled module checks."""
    x = gg.input("x", ("n",), "float64")
    try:
        node = x[item]
    except gg.GraphgradError:
        return
    expected = np.arange(float(rows))[item]
    size = evaluate(node.shape[0], {"n": rows})
    reach = rows - (item.step is not None and item.step < 0)
    within = all(bound is None or -rows <= bound <= reach for bound in (item.start, item.stop))
    in_order = len(expected) > 0 or item.start == item.stop or rows == 0
    if within and in_order:
        assert size == len(expected)


@given(st.builds(slice, st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3), st.just(None)))
def test_update_of_a_slice_is_numpys(item):
    array = np.arange(5.0)
    x = gg.input("x", (5,), "float64")
    changed, added = gg.at(x, item).set(9.0), gg.at(x, item).add(1.5)
    expected_set, expected_add = array.copy(), array.copy()
    expected_set[item] = 9.0
    expected_add[item] += 1.5
    found = interpret([changed, added], {x: array})
    np.testing.assert_array_equal(found[0], expected_set)
    np.testing.assert_array_equal(found[1], expected_add)


@pytest.mark.parametrize("item", [slice(-5, None, -3), slice(-9, -8, -1), slice(0, 9, -1), slice(9, 2, 1)])
def test_slice_that_takes_nothing_takes_nothing(item):
    array = np.arange(4.0)
    x = gg.input("x", (4,), "float64")
    assert interpret([x[item]], {x: array})[0].tolist() == array[item].tolist() == []


def test_backward_slice_of_a_named_size_is_refused_where_it_leaves_the_array():
    x = gg.input("x", ("n",), "float64")
    last_three = gg.compile(x[:-4:-1])
    assert last_three(np.arange(5.0)).tolist() == [4, 3, 2]
    assert last_three(np.arange(3.0)).tolist() == [2, 1, 0]
    with pytest.raises(gg.ShapeError, match="n - 3"):
        last_three(np.arange(2.0))
    from_second = gg.compile(x[1::-1])
    assert from_second(np.arange(5.0)).tolist() == [1, 0]
    assert from_second(np.arange(1.0)).tolist() == [0]


def test_gradient_of_an_array_turned_around_is_turned_around():
    x = gg.input("x", ("n", 3), "float64")
    g = gg.input("g", ("n", 3), "float64")
    assert gg.grad(x[::-1], x, g) is g[::-1]
    assert gg.grad(x[:, ::-1], x, g) is g[:, ::-1]


def test_slice_bounds_may_be_sizes():
    x = gg.input("x", ("n", 2), "float64")
    half = x.shape[0] // 2
    first, second = x[:half], x[half:]
    array = np.arange(10.0).reshape(5, 2)
    found = interpret([first, second], {x: array})
    np.testing.assert_array_equal(found[0], array[:2])
    np.testing.assert_array_equal(found[1], array[2:])
    assert evaluate(first.shape[0] + second.shape[0], {"n": 5}) == 5
