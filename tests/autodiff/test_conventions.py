"""What a gradient is where mathematics leaves it open, and where a naive formula gives nan."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.interpret import interpret


def gradients(function, *values):
    """The gradients of the sum of `function` by each of its arguments."""
    leaves = [gg.input(f"x{at}", np.shape(value), "float64") for at, value in enumerate(values)]
    found = gg.grad(gg.sum(function(*leaves)), leaves)
    with np.errstate(all="ignore"):
        return [
            array.tolist()
            for array in interpret(found, dict(zip(leaves, map(np.asarray, values), strict=True)))
        ]


@pytest.mark.parametrize("function", [gg.maximum, gg.minimum])
def test_tie_of_two_splits_evenly(function):
    assert gradients(function, [1.0, 2.0], [1.0, 2.0]) == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("function", [gg.max, gg.min])
def test_tie_along_an_axis_splits_evenly(function):
    assert gradients(function, [2.0, 2.0, 2.0, 2.0]) == [[0.25] * 4]
    assert gradients(lambda x: function(x, axis=1), [[3.0, 3.0], [3.0, 3.0]]) == [[[0.5, 0.5], [0.5, 0.5]]]


def test_largest_of_some_shares_only_among_the_winners():
    assert gradients(gg.max, [1.0, 3.0, 3.0]) == [[0.0, 0.5, 0.5]]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: gg.maximum(x, 0),
        lambda x: gg.maximum(0, x),
        lambda x: gg.maximum(x, 0.0),
        lambda x: gg.maximum(x, np.float64(0)),
        lambda x: np.maximum(x, 0),
        lambda x: np.maximum(0, x),
        gg.nn.relu,
    ],
)
def test_relu_at_zero_is_zero(function):
    assert gradients(function, [-1.0, 0.0, -0.0, 2.0]) == [[0.0, 0.0, 0.0, 1.0]]


def test_maximum_with_another_constant_splits_at_a_tie():
    assert gradients(lambda x: gg.maximum(x, 1), [0.0, 1.0, 2.0]) == [[0.0, 0.5, 1.0]]


def test_minimum_with_zero_is_no_relu():
    assert gradients(lambda x: gg.minimum(x, 0), [-1.0, 0.0, 1.0]) == [[1.0, 0.5, 0.0]]


def test_abs_and_sign_at_zero_are_zero():
    assert gradients(gg.abs, [-2.0, 0.0, 2.0]) == [[-1.0, 0.0, 1.0]]
    assert gradients(gg.sign, [-2.0, 0.0, 2.0]) == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("zero", [0, 0.0])
def test_power_of_zero_has_gradient_zero_everywhere(zero):
    assert gradients(lambda x: x**zero, [-1.0, 0.0, 2.0]) == [[0.0, 0.0, 0.0]]
    assert gradients(lambda x: gg.power(x, zero), [-1.0, 0.0, 2.0]) == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(1, [1.0, 1.0, 1.0]), (2, [-2.0, 0.0, 4.0]), (3, [3.0, 0.0, 12.0]), (4, [-4.0, 0.0, 32.0])],
)
def test_integer_power_is_right_for_negative_numbers_and_zero(exponent, expected):
    assert gradients(lambda x: x**exponent, [-1.0, 0.0, 2.0]) == [expected]
    assert gradients(lambda x: gg.power(x, float(exponent)), [-1.0, 0.0, 2.0]) == [expected]


@pytest.mark.parametrize(("exponent", "expected"), [(0.5, 0.25), (-1, -1 / 16), (1.5, 3.0), (-2, -2 / 64)])
def test_other_powers_are_right(exponent, expected):
    assert gradients(lambda x: x**exponent, [4.0])[0] == pytest.approx([expected])


def test_power_by_its_exponent_guards_the_logarithm_at_zero():
    by_base, by_exponent = gradients(gg.power, [0.0, 2.0, 0.0], [2.0, 3.0, 0.0])
    assert by_base == [0.0, 12.0, 0.0]
    assert by_exponent == pytest.approx([0.0, 8 * np.log(2), 0.0])


def test_zero_exponent_in_an_array_makes_no_nan():
    by_base, _ = gradients(gg.power, [0.0, 5.0], [0.0, 0.0])
    assert by_base == [0.0, 0.0]


def test_where_masks_the_gradient():
    by_x, by_y = gradients(lambda x, y: gg.where(x > 0, 2 * x, 3 * y), [1.0, -1.0], [1.0, 1.0])
    assert by_x == [2.0, 0.0]
    assert by_y == [0.0, 3.0]


def test_where_with_a_broadcast_branch_sums_what_was_repeated():
    by_x, by_y = gradients(lambda x, y: gg.where(x > 0, x, y), [[1.0, -1.0], [-2.0, -3.0]], 5.0)
    assert by_x == [[1.0, 0.0], [0.0, 0.0]]
    assert by_y == 3.0


@pytest.mark.parametrize(
    "branch",
    [gg.sqrt, gg.log, lambda x: 1 / x, lambda x: x**0.5, lambda x: x**-1.5, lambda x: gg.sqrt(x) * x],
    ids=["sqrt", "log", "division", "root", "negative power", "product"],
)
def test_singular_branch_that_is_not_taken_makes_no_nan(branch):
    ((at_zero, below, above),) = gradients(lambda x: gg.where(x > 0, branch(x), 0), [0.0, -1.0, 4.0])
    assert (at_zero, below) == (0.0, 0.0)
    assert np.isfinite(above)
    assert above != 0


def test_mean_and_sum_of_an_empty_axis_have_empty_gradients():
    assert gradients(lambda x: gg.sum(x, axis=1), np.zeros((2, 0))) == [[[], []]]


def test_gradient_through_both_operands_of_one_maximum_is_one():
    assert gradients(lambda x: gg.maximum(x, x), [-1.0, 0.0, 2.0]) == [[1.0, 1.0, 1.0]]
