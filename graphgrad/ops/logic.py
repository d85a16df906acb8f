"""Questions about elements, and the logic of their answers: booleans, and the bits of integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import numpy as np

from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import Emission, call, call_into, infix, prefix
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, NotDifferentiable, Sample, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.ops.compare import equal, not_equal
from graphgrad.ops.family import (
    BINARY_SHAPES,
    UNARY_SHAPES,
    binary,
    elementwise_axes,
    elementwise_spec,
    promoting,
    uniform,
)
from graphgrad.ops.leaf import Operand, as_node

P = ParamSpec("P")

SHIFT, AND, XOR, OR = 48, 46, 44, 42
"""How tightly they bind in Python: less than a sum, more than a comparison."""


# ---- questions ------------------------------------------------------------------------------------


_ANSWER = NotDifferentiable("it is piecewise constant and its result is boolean")


def _question(
    ufunc: np.ufunc, noun: str, **fields: Any
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for shape in UNARY_SHAPES:
            yield Sample((uniform(rng, shape, -2, 2),))
        yield Sample((np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5]),))

    full: dict[str, Any] = {
        "infer": elementwise_spec(ufunc),
        "axes": elementwise_axes,
        "reference": ufunc,
        "numpy": call(f"np.{ufunc.__name__}"),
        "into": call_into(f"np.{ufunc.__name__}"),
        "vjp": _ANSWER,
        "jvp": _ANSWER,
        "samples": samples,
        "errors": (),
        "rule": {},
        "noun": noun,
        "elementwise": True,
        "promote": promoting(ufunc),
    }
    return defop(**full | fields)


@_question(np.isnan, "is_nan")
def isnan(x: Operand) -> None:
    """Whether an element is nan; boolean.

    >>> gg.isnan(gg.input("x", (2,))).dtype
    dtype('bool')
    """


@_question(np.isinf, "is_infinite")
def isinf(x: Operand) -> None:
    """Whether an element is inf or -inf; boolean.

    >>> gg.isinf(gg.input("x", (2,))).dtype
    dtype('bool')
    """


@_question(np.isfinite, "is_finite")
def isfinite(x: Operand) -> None:
    """Whether an element is neither infinite nor nan; boolean.

    >>> gg.isfinite(gg.input("x", (2,))).dtype
    dtype('bool')
    """


@_question(np.signbit, "is_negative")
def signbit(x: Operand) -> None:
    """Whether an element's sign is set, also that of -0.0; boolean.

    >>> gg.signbit(gg.input("x", (2,))).dtype
    dtype('bool')
    """


@composite
def isposinf(x: Operand) -> Node:
    """Whether an element is inf; boolean.

    >>> gg.isposinf(gg.input("x", (2,))).dtype
    dtype('bool')
    """
    return equal(x, float("inf"))


@composite
def isneginf(x: Operand) -> Node:
    """Whether an element is -inf; boolean.

    >>> gg.isneginf(gg.input("x", (2,))).dtype
    dtype('bool')
    """
    return equal(x, -float("inf"))


# ---- bits -----------------------------------------------------------------------------------------


_BITS = NotDifferentiable("integers and booleans have no gradients")
_FLOAT_FAULT = Fault((((2,), "float32"), ((2,), "int32")), {}, DTypeError, "does not take float32")


def _integers(rng: np.random.Generator, shape: tuple[int, ...], low: int, high: int) -> np.ndarray[Any, Any]:
    return np.asarray(rng.integers(low, high, shape))


def _bits(
    ufunc: np.ufunc, emission: Emission, noun: str, low: int = -9, high: int = 9
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for left, right in BINARY_SHAPES:
            yield Sample((_integers(rng, left, low, high), _integers(rng, right, max(low, -2), high)))

    mismatch = Fault((((2, 3), "int32"), ((2, 4), "int32")), {}, ShapeError, "do not broadcast")
    return binary(
        ufunc,
        numpy=emission,
        vjp=_BITS,
        jvp=_BITS,
        rule={},
        noun=noun,
        samples=samples,
        errors=(mismatch, _FLOAT_FAULT),
    )


@_bits(np.bitwise_and, infix("&", AND), "both")
def bitwise_and(x: Operand, y: Operand) -> None:
    """x & y: the bits that both integers have; of booleans, whether both hold.

    >>> x = gg.input("x", (2,))
    >>> ((x > 0) & (x < 1)).dtype
    dtype('bool')
    """


@_bits(np.bitwise_or, infix("|", OR), "either")
def bitwise_or(x: Operand, y: Operand) -> None:
    """x | y: the bits that either integer has; of booleans, whether one of them holds.

    >>> x = gg.input("x", (2,))
    >>> ((x < 0) | (x > 1)).dtype
    dtype('bool')
    """


@_bits(np.bitwise_xor, infix("^", XOR), "differing")
def bitwise_xor(x: Operand, y: Operand) -> None:
    """x ^ y: the bits that one of the integers has; of booleans, whether they differ.

    >>> gg.bitwise_xor(gg.input("n", (2,), "int32"), 1).dtype
    dtype('int32')
    """


@_bits(np.left_shift, infix("<<", SHIFT), "shifted", low=0, high=9)
def left_shift(x: Operand, y: Operand) -> None:
    """x << y: the bits of an integer moved up, which is x * 2**y.

    >>> (gg.input("n", (2,), "int32") << 3).dtype
    dtype('int32')
    """


@_bits(np.right_shift, infix(">>", SHIFT), "shifted", low=0, high=9)
def right_shift(x: Operand, y: Operand) -> None:
    """x >> y: the bits of an integer moved down, which is x // 2**y.

    >>> (gg.input("n", (2,), "int32") >> 3).dtype
    dtype('int32')
    """


def _invert_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in UNARY_SHAPES:
        yield Sample((_integers(rng, shape, -9, 9),))
    yield Sample((np.array([True, False]),))


@defop(
    infer=elementwise_spec(np.invert),
    axes=elementwise_axes,
    reference=np.invert,
    numpy=prefix("~"),
    into=call_into("np.invert"),
    overwrites=(0,),
    vjp=_BITS,
    jvp=_BITS,
    samples=_invert_samples,
    errors=(Fault((((2,), "float32"),), {}, DTypeError, "does not take float32"),),
    rule={},
    noun="inverted",
    elementwise=True,
    promote=promoting(np.invert),
)
def invert(x: Operand) -> None:
    """~x: every bit of an integer the other way round, which is -x - 1; of a boolean, its opposite.

    >>> (~(gg.input("x", (2,)) > 0)).dtype
    dtype('bool')
    """


# ---- truth ----------------------------------------------------------------------------------------


def truth(x: Operand) -> Node:
    """Whether an element is other than 0; nan is."""
    node = as_node(x)
    return node if node.dtype == np.bool_ else not_equal(node, 0)


@composite
def logical_and(x: Operand, y: Operand) -> Node:
    """Whether both x and y are other than 0, element by element with broadcasting; boolean.

    >>> gg.logical_and(gg.input("x", (2,)), gg.input("y", (2,))).dtype
    dtype('bool')
    """
    return bitwise_and(truth(x), truth(y))


@composite
def logical_or(x: Operand, y: Operand) -> Node:
    """Whether x or y or both are other than 0, element by element with broadcasting; boolean.

    >>> gg.logical_or(gg.input("x", (2,)), gg.input("y", (2,))).dtype
    dtype('bool')
    """
    return bitwise_or(truth(x), truth(y))


@composite
def logical_xor(x: Operand, y: Operand) -> Node:
    """Whether one of x and y is other than 0 and the other not, element by element with broadcasting; boolean.

    >>> gg.logical_xor(gg.input("x", (2,)), gg.input("y", (2,))).dtype
    dtype('bool')
    """
    return bitwise_xor(truth(x), truth(y))


@composite
def logical_not(x: Operand) -> Node:
    """Whether x is 0, element by element; boolean.

    >>> gg.logical_not(gg.input("x", (2,))).dtype
    dtype('bool')
    """
    return invert(truth(x))


_OPERATORS: dict[str, Callable[..., Any]] = {
    "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
    "left_shift": left_shift, "right_shift": right_shift, "invert": invert,
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    bind(_name, _function)
