"""A symbolic size may be 0: shifted exponentials of nothing, and what is to be chosen from nothing."""

import numpy as np
import pytest

import graphgrad as gg

SUMS = {
    "log(sum(exp))": lambda x: gg.log(gg.sum(gg.exp(x), axis=0)),
    "logsumexp": lambda x: gg.logsumexp(x, axis=0),
    "max": lambda x: gg.max(x, axis=0, initial=-np.inf),
    "min": lambda x: -gg.min(x, axis=0, initial=np.inf),
}
SHARES = {
    "exp / sum(exp)": lambda x: gg.exp(x) / gg.sum(gg.exp(x), axis=0, keepdims=True),
    "log(exp / sum(exp))": lambda x: gg.log(gg.exp(x) / gg.sum(gg.exp(x), axis=0, keepdims=True)),
    "softmax": lambda x: gg.nn.softmax(x, axis=0),
    "log_softmax": lambda x: gg.nn.log_softmax(x, axis=0),
}
NONE = np.zeros((0, 3), np.float32)


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("kind", sorted(SUMS | SHARES))
def test_of_no_rows(kind, level):
    x = gg.input("x", ("n", 3))
    model = gg.compile((SUMS | SHARES)[kind](x), wrt=[x], level=level)
    cotangent = np.ones(3, np.float32) if kind in SUMS else NONE
    with np.errstate(divide="ignore", invalid="ignore"):
        value, grads = model(NONE, cotangent=cotangent)
    assert value.tolist() == ([-np.inf] * 3 if kind in SUMS else []) and value.dtype == np.float32
    assert grads["x"].shape == (0, 3)


@pytest.mark.parametrize("initial", [2.5, -2.5])
def test_an_initial_number_is_compared_whether_there_are_rows_or_not(initial):
    x = gg.input("x", ("n",))
    for extreme, theirs in ((gg.max, np.max), (gg.min, np.min)):
        model = gg.compile(extreme(x, initial=initial))
        for rows in ([], [-1, 1], [5], [-5]):
            array = np.array(rows, np.float32)
            assert model(array) == theirs(array, initial=initial)


def test_the_largest_of_nothing_is_an_error_as_in_numpy():
    model = gg.compile(gg.max(gg.input("x", ("n",))))
    with pytest.raises(ValueError, match="zero-size"):
        model(np.zeros(0, np.float32))
