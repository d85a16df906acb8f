"""What a gradient is where mathematics leaves it open, and where a naive formula gives nan."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.traverse import toposort
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


def test_nested_choices_guard_every_branch():
    def function(x):
        return gg.where(x > 1, gg.log(x - 1), gg.where(x > 0, gg.sqrt(x), 1 / (x - 1)))

    (found,) = gradients(function, [-1.0, 0.25, 1.0, 3.0])
    assert found == pytest.approx([-0.25, 1.0, 0.5, 0.5])


def test_overflow_in_the_branch_that_is_not_taken_makes_no_nan():
    (found,) = gradients(lambda x: gg.where(x > 20, x, gg.log(1 + gg.exp(x))), [0.0, 1000.0])
    assert found == [0.5, 1.0]


def test_choice_between_columns_guards_through_broadcasting():
    by_x, by_scale = gradients(lambda x, s: gg.where(s > 0, x / s, 0), [[1.0, 2.0], [3.0, 4.0]], [0.0, 2.0])
    assert by_x == [[0.0, 0.5], [0.0, 0.5]]
    assert by_scale == [0.0, -1.5]


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: x @ gg.log(x),
        lambda x: gg.log(x) @ x,
        lambda x: gg.broadcast_to(x.sum(keepdims=True), (1, 3)) @ gg.log(x) * gg.const(np.ones((3, 1))),
        lambda x: gg.max(gg.log(x), axis=1),
        lambda x: gg.max(gg.log(x), axis=0, keepdims=True) * gg.sqrt(x).T,
        lambda x: gg.log(x).T,
        lambda x: gg.reshape(gg.concatenate([1 / x, x]), (2, 3, 3))[:, ::-1].sum(0),
        lambda x: gg.at(gg.log(x), (slice(None), 0)).set(gg.sqrt(x)[1]),
    ],
    ids=range(8),
)
def test_choice_of_what_mixes_elements_is_about_the_result_and_not_about_the_input(mixed):
    """Where a product or a maximum was not taken says nothing about the elements it was made from."""
    chosen = gg.input("chosen", (3, 3), "bool")
    x = gg.input("x", (3, 3), "float64")
    for picked in (gg.where(chosen, mixed(x), 0), gg.where(chosen, x, mixed(x))):
        compiled = gg.compile(gg.sum(picked * picked), wrt=x)
        rng = np.random.default_rng(0)
        arrays = {"x": rng.uniform(0.5, 2, (3, 3)), "chosen": rng.random((3, 3)) < 0.5}
        direction = rng.normal(size=(3, 3))
        ends = [compiled(**{**arrays, "x": arrays["x"] + move * direction})[0] for move in (1e-6, -1e-6)]
        found = np.sum(compiled(**arrays)[1]["x"] * direction)
        assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_forward_mode_makes_no_nan_either():
    x = gg.input("x", (2,), "float64")
    pushed = gg.jvp(gg.where(x > 0, gg.sqrt(x), 0), [x], [gg.const(np.ones(2))])
    with np.errstate(all="ignore"):
        assert interpret([pushed], {x: np.array([-1.0, 4.0])})[0].tolist() == [0.0, 0.25]


def test_second_derivative_makes_no_nan_and_is_right_where_the_first_is_zero():
    x = gg.input("x", (3,), "float64")
    loss = gg.sum((gg.where(x > 0, gg.sqrt(x), 0) - 2) ** 2)
    (second,) = [gg.grad(gg.sum(gg.grad(loss, x)), x)]
    with np.errstate(all="ignore"):
        found = interpret([second], {x: np.array([-1.0, 4.0, 1.0])})[0]
    assert found.tolist() == pytest.approx([0.0, 0.125, 1.0])


def count(kind, *nodes):
    return len([node for node in toposort(nodes) if node.op.name == kind])


def test_guard_stands_only_where_it_is_needed():
    x, label = gg.input("x", ("batch", 5)), gg.input("label", ("batch",), "int64")
    scale = gg.param("scale", ())
    leaky = gg.sum(gg.where(x > 0, x / scale, x / 30.0 + x**2 / x.shape[0]))
    assert count("where", gg.grad(leaky, x)) == 3, "two masks, and a guard for the division by what may be 0"
    assert count("where", gg.grad(gg.sum(gg.where(x > 0, x * 2, 1 - x)), x)) == 2
    assert count("where", gg.grad(gg.sum(gg.sqrt(x) / x), x)) == 0
    assert count("where", gg.grad(gg.nn.cross_entropy(x, label), x)) == 0


def test_guard_is_told_as_such():
    x = gg.input("x", (3,))
    root = gg.sqrt(x)
    gradient = gg.grad(gg.sum(gg.where(x > 0, root, 0)), x)
    roles = {(origin.role, origin.forward) for origin in gradient.notes.derived}
    assert ("guard", root) in roles


def test_mean_and_sum_of_an_empty_axis_have_empty_gradients():
    assert gradients(lambda x: gg.sum(x, axis=1), np.zeros((2, 0))) == [[[], []]]


def test_gradient_through_both_operands_of_one_maximum_is_one():
    assert gradients(lambda x: gg.maximum(x, x), [-1.0, 0.0, 2.0]) == [[1.0, 1.0, 1.0]]


def test_guards_of_nested_choices_stay_linear():
    def gradient_nodes(depth):
        x = gg.input("x", (3,))
        h = x
        for level in range(depth):
            h = gg.where(x > level, 1 / h, h * 2)
        return len(toposort([gg.grad(gg.sum(h), x)]))

    short, twice, four_times = map(gradient_nodes, (20, 40, 80))
    assert four_times - twice == 2 * (twice - short)
