"""A message says what failed, the specs it saw, the user's line, the layer, and one suggestion."""

import inspect
import pickle

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core import errors

X = gg.input("x", ("batch", 784))
W = gg.param("w", (50, 784))
N = gg.input("n", (3,), "int64")

MISTAKES = {
    "matmul": (lambda: X @ W, gg.ShapeError, "inner sizes 784 and 50 differ", "x: float32 (batch, 784)"),
    "broadcast": (lambda: X + np.ones(3), gg.ShapeError, "sizes 784 and 3 do not broadcast", "x: float32"),
    "two names": (lambda: X + gg.input("y", ("other", 784)), gg.ShapeError, "batch and other", "y: float32"),
    "reshape": (lambda: W.reshape(7, 7), gg.ShapeError, "39200 elements are not 49", "w: float32 (50, 784)"),
    "axis": (lambda: gg.sum(W, axis=2), gg.ShapeError, "axis 2 is out of range", None),
    "index": (lambda: W[50], gg.ShapeError, "index 50 is out of range for size 50", None),
    "items": (lambda: W[0, 0, 0], gg.ShapeError, "too many items", None),
    "array index": (lambda: W[[0, 50]], gg.ShapeError, "index 50 is out of range for size 50", None),
    "mask": (lambda: X[X > 0], gg.UnsupportedError, "depends on its values", "gg.where"),
    "truth": (lambda: bool(X > 0), gg.NodeUseError, "no truth value", "gg.where"),
    "float": (lambda: float(gg.sum(X)), gg.NodeUseError, "no number yet", "gg.compile"),
    "write": (lambda: W.__setitem__(0, 1.0), gg.NodeUseError, "immutable", "gg.at(node, i).set(v)"),
    "dtype": (lambda: gg.input("z", (), "complex64"), gg.DTypeError, "complex64", "float"),
    "negative power": (lambda: N**-1, gg.InvalidValueError, "negative power", "n: int64 (3,)"),
    "ufunc": (lambda: np.spacing(X), gg.UnsupportedError, "np.spacing of a node", None),
    "function": (lambda: np.convolve(X, X), gg.UnsupportedError, "np.convolve of a node", None),
    "object": (lambda: X + "a", gg.ArgumentError, "no node, array or number", None),
    "none": (lambda: gg.exp(None), gg.ArgumentError, "no node, array or number", None),
    "generator": (lambda: gg.rng("r") + 1, gg.DTypeError, "a generator is no array", None),
    "int gradient": (
        lambda: gg.grad(gg.sum(X), N),
        gg.DTypeError,
        "only floats have gradients",
        "n: int64 (3,)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_message_says_what_and_where(mistake):
    build, kind, words, seen = MISTAKES[mistake]
    line = inspect.getsourcelines(build)[1]
    with gg.scope("encoder"), gg.scope("hidden"), pytest.raises(kind) as caught:
        build()
    message = str(caught.value)
    assert words in message
    assert seen is None or seen in message
    assert f"at test_errors.py:{line}, in layer encoder/hidden" in message


@pytest.mark.parametrize("mistake", ["matmul", "broadcast", "truth", "write", "mask", "float"])
def test_common_mistakes_come_with_a_suggestion(mistake):
    with pytest.raises(gg.GraphgradError, match="try: "):
        MISTAKES[mistake][0]()


def test_message_shows_the_users_expression():
    with pytest.raises(gg.ShapeError, match=r"test_errors.py:\d+:  X @ W"):
        X @ W


def test_message_of_a_failing_op_names_the_op():
    with pytest.raises(gg.ShapeError, match=r"^matmul: inner sizes"):
        X @ W
    with pytest.raises(gg.ShapeError, match=r"^add: sizes"):
        X + np.ones(3)


def test_every_error_is_in_the_tree_and_has_a_builtin_parent():
    found = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.GraphgradError)
    ]
    assert len(found) == 11
    parents = {
        "InvalidNameError": ValueError, "ShapeError": ValueError, "InvalidValueError": ValueError,
        "DTypeError": TypeError, "ArgumentError": TypeError, "NodeUseError": TypeError,
        "UnsupportedError": NotImplementedError, "NonFiniteError": ArithmeticError,
        "VerificationError": AssertionError, "RenderError": RuntimeError, "GraphgradError": Exception,
    }  # fmt: skip
    for kind in found:
        assert issubclass(kind, parents[kind.__name__])
        assert kind.__name__ in errors.__doc__
        assert kind.__name__ in gg.__all__


def test_error_pickles_with_its_message():
    with pytest.raises(gg.ShapeError) as caught:
        X @ W
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is gg.ShapeError
    assert str(again) == str(caught.value)
    assert again.hint == caught.value.hint


def test_long_and_odd_values_do_not_flood_the_message():
    with pytest.raises(gg.GraphgradError) as caught:
        gg.exp("a" * 10_000)
    assert len(str(caught.value)) < 400
    with pytest.raises(gg.GraphgradError) as caught:
        gg.input("a" * 10_000 + "\n", ())
    assert len(str(caught.value)) < 400
