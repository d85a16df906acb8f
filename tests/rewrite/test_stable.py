"""Naive forms at extreme arguments: values and gradients are those of arithmetic with hundreds of digits."""

import math

import mpmath
import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.traverse import toposort

EXTREME = [1e3, -1e3, 80.0, -80.0, 1.0, 1e-20, -1e-20, 0.0, 0.3]
DIGITS = 600  # 1 - sigmoid(1000) is 10**-434
STEP = mpmath.mpf(10) ** -40


def rows(x, y):
    return y / gg.sum(y, 1)[:, None]


def naive(z):
    return 1 / (1 + gg.exp(-z))


# each of a (3, 3) array, whose rows hold what is added up
FORMS = {
    "logsumexp": lambda x: gg.log(gg.sum(gg.exp(x), axis=1)),
    "logsumexp of all": lambda x: gg.log(gg.sum(gg.exp(x))),
    "logsumexp, kept axes": lambda x: x - gg.log(gg.sum(gg.exp(x), axis=(0, 1), keepdims=True)),
    "logmeanexp": lambda x: gg.log(gg.mean(gg.exp(x), axis=0)),
    "softmax": lambda x: gg.exp(x) / gg.sum(gg.exp(x), 1, keepdims=True),
    "softmax, new axis": lambda x: rows(x, gg.exp(x)),
    "softmax of all": lambda x: gg.exp(x) / gg.sum(gg.exp(x)),
    "log of softmax": lambda x: gg.log(rows(x, gg.exp(x))),
    "log of nn.softmax": lambda x: gg.log(gg.nn.softmax(x)),
    "cross entropy": lambda x: -gg.mean(gg.log(rows(x, gg.exp(x))[np.arange(3), np.array([2, 0, 1])])),
    "sigmoid": naive,
    "sigmoid of exps": lambda x: gg.exp(x) / (gg.exp(x) + 1),
    "log sigmoid": lambda x: gg.log(gg.sigmoid(x)),
    "log of naive sigmoid": lambda x: gg.log(naive(x)),
    "log of the rest": lambda x: gg.log(1 - gg.sigmoid(x)),
    "log of the naive rest": lambda x: gg.log(1 - naive(x)),
    "sigmoid cross entropy": lambda x: -(0.3 * gg.log(naive(x)) + (1 - 0.3) * gg.log(1 - naive(x))),
    "softplus": lambda x: gg.log(1 + gg.exp(x)),
    "softplus by log1p": lambda x: gg.log1p(gg.exp(x)),
    "logaddexp": lambda x: gg.log(gg.exp(x) + gg.exp(x.T)),
    "log of 1 + a square": lambda x: gg.log(1 + x * x),
    "log of 1 - something": lambda x: gg.log(1 - gg.tanh(x) * 1e-20),
    "expm1": lambda x: gg.exp(-x * x) - 1,
    "1 - exp": lambda x: 1 - gg.exp(-x * x),
    "tanh": lambda x: (gg.exp(x) - gg.exp(-x)) / (gg.exp(x) + gg.exp(-x)),
    "tanh of one exp": lambda x: (gg.exp(2 * x) - 1) / (gg.exp(2 * x) + 1),
    "tanh of another exp": lambda x: (1 - gg.exp(-2 * x)) / (1 + gg.exp(-2 * x)),
    "tanh of a sigmoid": lambda x: 2 * naive(2 * x) - 1,
    "x times a sigmoid": lambda x: x / (1 + gg.exp(-x)),
    "log of three exps": lambda x: gg.log(gg.exp(x) + gg.exp(x.T) + gg.exp(2 * x)),
    "abs": lambda x: gg.sqrt((x + 1e-15) * (x + 1e-15)),
    "abs of a power": lambda x: gg.sqrt((x + 1e-15) ** 2),
    "log of a power": lambda x: gg.log((x * 1e30 + 3) ** 12),
    "log of a square": lambda x: gg.log((x * 1e30 + 3) ** 2),
    "log of exp": lambda x: gg.log(gg.exp(x)),
    "variance": lambda x: gg.mean((x + 1e6) * (x + 1e6)) - gg.mean(x + 1e6) ** 2,
    "variance of rows": lambda x: gg.mean(gg.square(x + 1e6), 1) - gg.square(gg.mean(x + 1e6, 1)),
}

OF_ONE = (
    *(
        "sigmoid",
        "sigmoid of exps",
        "log sigmoid",
        "log of naive sigmoid",
        "log of the rest",
        "log of the naive rest",
    ),
    *("softplus", "softplus by log1p", "log of 1 + a square", "expm1", "1 - exp", "tanh", "tanh of one exp"),
    *("tanh of another exp", "tanh of a sigmoid", "x times a sigmoid"),
)
"""Forms whose every element is of one element, so that a slope has as many digits as it can, however small it is."""

_mp = {
    "exp": mpmath.exp, "log": mpmath.log, "sqrt": mpmath.sqrt, "tanh": mpmath.tanh, "square": lambda v: v * v,
    "log1p": lambda v: mpmath.log(1 + v), "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)), "negative": lambda v: -v,
    "stop_gradient": lambda v: v,
}  # fmt: skip
_two = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b, "power": lambda a, b: a**b,
}  # fmt: skip


def exactly(output, x, array):
    """A node's value, from mpmath's functions."""
    known = {x: array}
    for node in toposort([output]):
        if node in known:
            continue
        parts = [known[part] for part in node.inputs]
        name = node.op.name
        if name == "const":
            value = node.attrs["value"]
            known[node] = (
                np.vectorize(mpmath.mpf, otypes=[object])(value) if value.dtype.kind == "f" else value
            )
        elif name in _mp:
            known[node] = np.vectorize(_mp[name], otypes=[object])(*parts)
        elif name in _two:
            known[node] = np.vectorize(_two[name], otypes=[object])(*parts)
        elif name in ("sum", "mean", "max"):
            axes, keep = node.attrs["axes"], node.attrs["keepdims"]
            reduce = np.max if name == "max" else np.sum
            total = reduce(parts[0], axis=axes, keepdims=keep)
            count = math.prod(parts[0].shape[axis] for axis in axes) if name == "mean" else 1
            known[node] = np.asarray(total, object) / count if name == "mean" else np.asarray(total, object)
        else:  # what only moves elements
            known[node] = np.asarray(node.op.reference(*parts, **node.attrs), object)
    return known[output]


def arrangements(form):
    """Each extreme beside others, in its row and alone; and the digits that the truth takes."""
    values = np.array(EXTREME)
    for turn in range(3):
        yield np.roll(values, turn * 2).reshape(3, 3), DIGITS
    yield np.full((3, 3), 1e3) + np.arange(9).reshape(3, 3), DIGITS
    yield np.full((3, 3), -1e3) - np.arange(9).reshape(3, 3), DIGITS
    if form in OF_ONE:
        yield np.array([[20, -20, 40], [-40, 10, -10], [5, -5, 37.0]]), DIGITS
    yield np.linspace(-3, 3.1, 9).reshape(3, 3), DIGITS
    yield np.array([[1e4, -1e4, 1.0]] * 3), 10 * DIGITS


def truth(output, x, array, weights, directions):
    """The value, and the slope of the weighted sum along each direction, by central differences that cancel nothing."""
    exact = np.vectorize(mpmath.mpf, otypes=[object])(array)
    value = exactly(output, x, exact)
    slopes = []
    for direction in directions:
        ends = [np.sum(exactly(output, x, exact + sign * STEP * direction) * weights) for sign in (1, -1)]
        slopes.append((ends[0] - ends[1]) / (2 * STEP))
    return value, slopes


def is_close(got, want, allowed, scale):
    return np.isfinite(got) and abs(mpmath.mpf(float(got)) - want) <= allowed * (abs(want) + scale)


@pytest.mark.slow
@pytest.mark.parametrize("form", list(FORMS))
def test_values_and_gradients_are_finite_and_right(form):
    x = gg.input("x", (3, 3), "float64")
    output = FORMS[form](x)
    model = gg.compile(output, wrt=x, name="naive")
    assert any(one.safety == "widening" for one in model.firings), "no rule fired"
    weights = np.asarray(np.random.default_rng(0).uniform(0.5, 1, output.shape))
    for array, digits in arrangements(form):
        with np.errstate(under="ignore"):
            got, grads = model(array, cotangent=weights)
        # 3 of the 9 elements: one of each row
        places = [(0, 0), (1, 1), (2, 2)][: 3 if digits == DIGITS else 1]
        directions = [np.eye(9)[row * 3 + column].reshape(3, 3) for row, column in places]
        with mpmath.workdps(digits):
            value, slopes = truth(output, x, array, weights, directions)
        small = (
            1.0 if "variance" in form else 1e-300 + 1e-15 * float(np.max(np.abs(array)))
        )  # rounded on the way
        for one, want in zip(np.ravel(got), np.ravel(value), strict=True):
            near = is_close(one, want, 1e-8, small)
            assert near, f"value {one}, not {mpmath.nstr(want, 12)}, at {array}"
        for place, want in zip(places, slopes, strict=True):
            one = grads["x"][place]
            near = is_close(one, want, 1e-8, 1e-300 if form in OF_ONE else small)
            assert near, f"slope {one}, not {mpmath.nstr(want, 12)}, of {place}, {array}"
