"""The public tools for tests: what they give, and that they find what is wrong."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.graph import Graph
from graphgrad.testing import assert_same, check_grads, sample_inputs


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ---- sample_inputs ----


def test_sample_inputs_have_the_specs_of_the_leaves(rng):
    x, n = gg.input("x", ("batch", 2)), gg.input("n", ("batch",), "int32")
    w, flag = gg.param("w", (2,), "float64"), gg.input("flag", (), "bool")
    values = sample_inputs([gg.sum(x * w), n, flag], rng, batch=5)
    assert {name: (value.shape, value.dtype.name) for name, value in values.items()} == {
        "x": ((5, 2), "float32"),
        "n": ((5,), "int32"),
        "w": ((2,), "float64"),
        "flag": ((), "bool"),
    }
    assert not values["n"].any()
    assert values["x"].std() > 0.1


def test_sample_inputs_of_a_graph_are_those_of_its_inputs(rng):
    x, unused = gg.input("x", ("n",)), gg.input("unused", ("n + 1",))
    values = sample_inputs(Graph((x, unused), (gg.exp(x),)), rng, n=2)
    assert {name: value.shape for name, value in values.items()} == {"x": (2,), "unused": (3,)}


def test_sample_inputs_choose_different_sizes_that_are_not_given(rng):
    values = sample_inputs(gg.input("x", ("a", "b", "a")), rng)
    a, b, again = values["x"].shape
    assert a == again
    assert a != b


def test_sample_inputs_repeat_themselves_and_make_generators():
    leaves = [gg.input("x", (3,)), gg.rng("noise")]
    one, other = (sample_inputs(leaves, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one["x"], other["x"])
    assert one["noise"].random() == other["noise"].random()


# ---- assert_same ----

DIFFERENT = {
    "value": (
        np.ones(3),
        np.array([1.0, 1.0, 1.0 + 1e-6]),
        r"differs in 1 of 3 elements, off by up to 1e-06",
    ),
    "dtype": (np.ones(3), np.ones(3, np.float32), "has dtype float64, not float32"),
    "shape": (np.ones(3), np.ones((3, 1)), r"has shape \(3,\), not \(3, 1\)"),
    "nan": (np.array([np.nan]), np.array([1.0]), "differs in 1 of 1"),
    "lacking nan": (np.array([1.0]), np.array([np.nan]), "differs in 1 of 1"),
    "infinity": (np.array([np.inf]), np.array([-np.inf]), "differs in 1 of 1"),
    "integers": (np.array([10**9]), np.array([10**9 + 1]), "differs in 1 of 1"),
    "length": ([1.0], [1.0, 2.0], "not a list of 2"),
    "kind": ((1.0,), [1.0], "is a tuple, not a list"),
    "keys": ({"a": 1.0}, {"b": 1.0}, r"not a dict with \['b'\]"),
    "inside": ({"a": [1.0, 2.0]}, {"a": [1.0, 3.0]}, r"the result\['a'\]\[1\]"),
}


@pytest.mark.parametrize(("actual", "expected", "words"), DIFFERENT.values(), ids=DIFFERENT)
def test_assert_same_finds_what_differs(actual, expected, words):
    with pytest.raises(gg.VerificationError, match=words):
        assert_same(actual, expected)


@pytest.mark.parametrize(
    "same",
    [
        np.array([np.nan, np.inf, -np.inf, 0.0]),
        np.zeros((0, 3)),
        {"a": (1, [2.5, True])},
        np.float16(0.1),
    ],
)
def test_assert_same_passes_what_is_the_same(same):
    assert_same(same, same)


def test_assert_same_allows_for_rounding_in_the_dtype():
    assert_same(np.float32([1.0]), np.float32([1.000001]))
    assert_same(np.ones(2), np.ones(2) * (1 + 1e-12))
    assert_same(np.ones(2), np.ones(2) * 1.01, rtol=0.1)
    with pytest.raises(gg.VerificationError):
        assert_same(np.ones(2), np.ones(2) * (1 + 1e-12), rtol=0, atol=0)


# ---- check_grads ----


def test_check_grads_passes_a_model_in_float32_with_symbolic_sizes():
    x, y = gg.input("x", ("batch", 4)), gg.input("y", ("batch",), "int64")
    w, b = gg.param("w", (4, 3)), gg.param("b", (3,))
    check_grads(gg.nn.cross_entropy(gg.tanh(x @ w + b), y))


def test_check_grads_takes_intermediates_and_values():
    x = gg.input("x", (3,), "float64")
    h = gg.exp(x)
    check_grads(gg.sum(h * h) * h, [h, x], {"x": np.array([0.1, -0.5, 2.0])})
    check_grads(gg.sum(h), x, {x: np.zeros(3)})


def test_check_grads_of_many_elements_goes_along_random_directions():
    x = gg.input("x", (40, 40), "float64")
    check_grads(gg.mean(gg.tanh(x @ x)), order=1)


def wrong(x, factor):
    """Looks like the square, but its derivative is off by a factor."""
    held = gg.stop_gradient(x)
    return x * x * factor + held * held * (1 - factor)


@pytest.mark.parametrize("factor", [1.0001, 0.9999, 0.0, -1.0, 2.0])
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_check_grads_finds_a_derivative_that_is_off(factor, mode):
    x = gg.input("x", (3,), "float64")
    with pytest.raises(gg.VerificationError, match=f"the derivative by x: float64.* is off by .*{mode} mode"):
        check_grads(wrong(x, factor), modes=[mode])
    check_grads(wrong(x, 1.0), modes=[mode])


def test_check_grads_finds_a_derivative_that_is_off_among_many_elements():
    x = gg.input("x", (30, 30), "float64")
    with pytest.raises(gg.VerificationError, match="reverse mode"):
        check_grads(gg.sum(wrong(x, 1.0001)), order=1)


def test_check_grads_finds_what_is_wrong_only_the_second_time():
    x = gg.input("x", (3,), "float64")
    cubed = x * x * x
    first_only = gg.stop_gradient(cubed) + (x - gg.stop_gradient(x)) * gg.stop_gradient(3 * x * x)
    check_grads(first_only, order=1)
    with pytest.raises(gg.VerificationError, match="second order, "):
        check_grads(first_only, order=2)


def test_check_grads_says_what_it_lacks():
    x, y = gg.input("x", (3,)), gg.input("y", (3,))
    with pytest.raises(gg.ArgumentError, match="no value is given for y"):
        check_grads(x * y, values={"x": np.ones(3)})
    with pytest.raises(gg.ArgumentError, match="modes are"):
        check_grads(x * y, modes=["sideways"])
    with pytest.raises(gg.DTypeError, match="only floats"):
        check_grads(x > y)
