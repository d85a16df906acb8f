"""A choice keeps away from where a function is singular: values and gradients are finite and right at every level."""

import numpy as np
import pytest

import graphgrad as gg

X = np.array([[4.0, 0.0], [-1.0, 0.25]])
POSITIVE = X > 0


def chosen(function, derivative):
    """What is expected: the function where x is positive, else 0."""
    with np.errstate(all="ignore"):
        return np.where(POSITIVE, function(X), 0), np.where(POSITIVE, derivative(X), 0)


CASES = {
    "sqrt": (lambda x: gg.where(x > 0, gg.sqrt(x), 0), *chosen(np.sqrt, lambda x: 0.5 / np.sqrt(x))),
    "log": (lambda x: gg.where(x > 0, gg.log(x), 0), *chosen(np.log, lambda x: 1 / x)),
    "division": (lambda x: gg.where(x > 0, 1 / x, 0), *chosen(lambda x: 1 / x, lambda x: -1 / x**2)),
    "power": (lambda x: gg.where(x > 0, x**-1.5, 0), *chosen(lambda x: x**-1.5, lambda x: -1.5 * x**-2.5)),
    "refused": (lambda x: gg.where(x <= 0, 0, gg.sqrt(x)), *chosen(np.sqrt, lambda x: 0.5 / np.sqrt(x))),
    "reshaped": (
        lambda x: gg.where(x > 0, gg.sqrt(x.reshape(-1)).reshape(2, 2), 0),
        *chosen(np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    ),
    "transposed": (lambda x: gg.where(x > 0, gg.log(x.T).T, 0), *chosen(np.log, lambda x: 1 / x)),
    "reshaped choice": (
        lambda x: gg.where((x > 0).reshape(-1), gg.log(x.reshape(-1)), 0).reshape(2, 2),
        *chosen(np.log, lambda x: 1 / x),
    ),
    "chain": (
        lambda x: gg.where(x > 0, gg.log(gg.sqrt(x)) * gg.sqrt(x), 0),
        *chosen(
            lambda x: np.log(np.sqrt(x)) * np.sqrt(x), lambda x: (0.5 / np.sqrt(x)) * (1 + np.log(np.sqrt(x)))
        ),
    ),
    "slice": (lambda x: gg.where(x > 0, gg.sqrt(x[:, ::1]), 0), *chosen(np.sqrt, lambda x: 0.5 / np.sqrt(x))),
    "of a choice": (
        lambda x: gg.sqrt(gg.where(x > 0, x, 1)) * gg.where(x > 0, 1.0, 0.0),
        *chosen(np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    ),
}


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("case", list(CASES))
def test_what_is_not_chosen_spoils_nothing(case, level):
    build, value, slope = CASES[case]
    x = gg.input("x", (2, 2), "float64")
    model = gg.compile(build(x), wrt=x, level=level)
    with np.errstate(all="ignore"):
        got, grads = model(X, cotangent=np.full((2, 2), 3.0))
    np.testing.assert_allclose(got, value, rtol=1e-12)
    np.testing.assert_allclose(grads["x"], 3 * slope, rtol=1e-12)


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
def test_the_norm_at_zero_has_the_gradient_zero(level):
    x = gg.input("x", (3, 2), "float64")
    array = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    model = gg.compile(gg.sum(gg.linalg.norm(x, axis=1)), wrt=x, level=level)
    with np.errstate(all="ignore"):
        value, grads = model(array)
    assert value == 7
    np.testing.assert_allclose(grads["x"], [[0.6, 0.8], [0, 0], [0, -1]])


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("exponent", [0, 0.0, "leaf"])
def test_the_power_zero_has_the_gradient_zero_everywhere(level, exponent):
    x, n = gg.input("x", (5,), "float64"), gg.input("n", (), "float64")
    array = np.array([0.0, -0.0, 2.0, -3.0, 1e300])
    model = gg.compile(
        gg.sum(x ** (n if exponent == "leaf" else exponent)), inputs=[x, n], wrt=x, level=level
    )
    with np.errstate(all="ignore"):
        value, grads = model(array, 0.0)
    assert value == 5
    np.testing.assert_array_equal(grads["x"], np.zeros(5))


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("spelling", ["square", "product", "power"])
def test_the_root_of_a_square_at_zero(level, spelling):
    """Stable levels take it for abs; what was written has 0 / 0 there."""
    x = gg.input("x", (3,), "float64")
    squares = {"square": gg.square(x), "product": x * x, "power": x**2}
    model = gg.compile(gg.sum(gg.sqrt(squares[spelling])), wrt=x, level=level)
    with np.errstate(all="ignore"):
        _, grads = model(np.array([-2.0, 0.0, 1e-200]))
    if level != "plain":
        np.testing.assert_array_equal(grads["x"], [-1, 0, 1])
    assert grads["x"][0] == -1


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("reduce", [gg.sum, gg.mean])
def test_a_row_that_is_not_chosen_spoils_nothing(level, keepdims, reduce):
    x = gg.input("x", (2, 2), "float64")
    is_chosen = gg.min(x, axis=1, keepdims=keepdims) > 0
    model = gg.compile(
        gg.where(is_chosen, reduce(gg.sqrt(x), axis=1, keepdims=keepdims), 0), wrt=x, level=level
    )
    cotangent = np.ones((2, 1) if keepdims else (2,))
    with np.errstate(all="ignore"):
        _, grads = model(np.array([[4.0, 0.25], [0.0, -1.0]]), cotangent=cotangent)
    scale = 1 if reduce is gg.sum else 0.5
    np.testing.assert_allclose(grads["x"], scale * np.array([[0.25, 1], [0, 0]]))


@pytest.mark.parametrize("level", ["default", "fast"])
@pytest.mark.parametrize(
    "squares", [gg.square, lambda x: x * x, lambda x: x**2], ids=["square", "product", "power"]
)
def test_a_norm_that_is_written_out_has_the_gradient_zero_at_zero(level, squares):
    x = gg.input("x", (3, 2), "float64")
    array = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    model = gg.compile(gg.sum(gg.sqrt(gg.sum(squares(x), axis=1))), wrt=x, level=level)
    with np.errstate(all="ignore"):
        value, grads = model(array)
        assert model.verify(x=array)
    assert value == 7
    np.testing.assert_allclose(grads["x"], [[0.6, 0.8], [0, 0], [0, -1]])
