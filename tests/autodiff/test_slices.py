"""Gradients of many slices of one array: right, and put together in one array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret

bounds = st.none() | st.integers(-5, 5)
items = st.one_of(
    st.integers(-3, 2), st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, -1])), st.just(...)
)
indices = st.one_of(items, st.tuples(st.builds(slice, bounds, bounds), st.integers(-4, 3)))


def ops_of(node):
    return [part.op.name for part in toposort([node])]


def gradient(x, parts, also=None):
    """The gradient of a sum of the parts, each times its own number; and what it must be."""
    array = np.zeros([size if isinstance(size, int) else 6 for size in x.shape])
    total, expected = gg.const(0.0), np.zeros(array.shape)
    for at, index in enumerate(parts):
        total = total + gg.sum(x[index]) * (at + 2.0)
        expected[index] += at + 2.0
    if also is not None:
        total = total + gg.sum(x) * also
        expected += also
    found = gg.grad(total, x)
    np.testing.assert_allclose(interpret([found], {x: array})[0], expected)
    return found


@given(st.lists(indices, min_size=1, max_size=5), st.none() | st.just(10.0))
def test_gradients_of_any_slices_are_added_up(parts, also):
    gradient(gg.input("x", (3, 4), "float64"), parts, also)


@given(
    st.lists(st.sampled_from([slice(1, None), slice(None, -1), slice(2, 4), 0, -1]), min_size=1, max_size=5)
)
def test_gradients_of_slices_of_a_named_size_are_added_up(parts):
    gradient(gg.input("x", ("n", 2), "float64"), parts)


@pytest.mark.parametrize(
    ("parts", "op"),
    [
        ([slice(4, 6), slice(0, 1), slice(1, 4)], "concatenate"),
        ([slice(0, 3), slice(3, 3), slice(3, 6)], "concatenate"),
        ([5, 0, 1, 4, 3, 2], "stack"),
        ([5, 0, 1, 4, 3], "place_sum"),
        ([slice(0, 4), slice(3, 6)], "place_sum"),
        ([0, slice(1, 6)], "place_sum"),
        ([(slice(0, 3), 0), (slice(3, 6), 0)], "place_sum"),
        ([slice(0, 6, 2), slice(1, 6, 2)], "place_sum"),
        ([slice(0, 3)], "place"),
    ],
)
def test_parts_side_by_side_are_joined_and_others_added_in_one_array(parts, op):
    found = gradient(gg.input("x", (6, 2), "float64"), parts)
    assert found.op.name == op
    assert "add" not in ops_of(found)


def test_parts_that_do_not_meet_are_assigned_and_those_that_do_are_added():
    x = gg.input("x", (6, 2), "float64")
    apart = gg.compile(gg.sum(gg.exp(x[:2]) * gg.exp(x[4:])), wrt=[x], level="plain").source
    meeting = gg.compile(gg.sum(gg.exp(x[:4]) * gg.exp(x[2:])), wrt=[x], level="plain").source
    assert "d_x[:2] = " in apart
    assert "d_x[4:6] = " in apart
    assert meeting.count("] += ") == meeting.count("d_x[2:6] += ") + meeting.count("d_x[:4] += ") == 1


def test_work_for_the_gradients_of_many_slices_grows_with_their_number():
    """One array in all; as many arrays as slices would be work that grows with the square."""
    steps = 300
    x = gg.input("x", ("batch", steps), "float64")
    h = gg.const(0.0)
    for at in range(steps):
        h = gg.tanh(x[:, at] + 0.5 * h)
    names = ops_of(gg.grad(gg.sum(h), x))
    assert (names.count("stack"), names.count("place")) == (1, 0)


def test_second_derivatives_go_through_what_was_put_together():
    from graphgrad.testing import check_grads

    x = gg.input("x", ("n", 4), "float64")
    check_grads(gg.sum(gg.exp(x[:, :2]) * x[:, 2:]) + gg.sum(x[1:] * x[:-1] ** 3))
    check_grads(gg.sum(gg.stack(gg.unstack(x, axis=1)) ** 3))
