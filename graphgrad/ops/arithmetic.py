"""Arithmetic, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.core.errors import DTypeError, InvalidValueError
from graphgrad.core.form import POWER, PRODUCT, SUM, call, call_into, infix, prefix
from graphgrad.core.node import Node
from graphgrad.core.op import Fault
from graphgrad.core.operators import bind
from graphgrad.ops.compare import equal, greater, less, where
from graphgrad.ops.elementary import log
from graphgrad.ops.family import binary, promoting, unary
from graphgrad.ops.leaf import Operand, scalar_value

_NO_BOOL = (Fault((((2,), "bool"),), {}, DTypeError, "does not take bool"),)


@binary(
    np.add,
    numpy=infix("+", SUM),
    vjp={"x": lambda g, z, x, y: g, "y": lambda g, z, x, y: g},
    rule={"x": "G", "y": "G"},
    noun="total",
)
def add(x: Operand, y: Operand) -> None:
    """x + y, element by element with broadcasting.

    d/dx = 1, d/dy = 1; an operand that was broadcast gets the sum over what it was broadcast to.

    >>> gg.add(gg.input("x", ("n", 3)), gg.input("b", (3,))).shape
    (Dim('n'), 3)
    """


@binary(
    np.subtract,
    numpy=infix("-", SUM),
    vjp={"x": lambda g, z, x, y: g, "y": lambda g, z, x, y: -g},
    rule={"x": "G", "y": "-G"},
    noun="difference",
)
def subtract(x: Operand, y: Operand) -> None:
    """x - y, element by element with broadcasting.   d/dx = 1, d/dy = -1

    >>> gg.subtract(gg.input("x", (2,)), 1)
    <subtract subtract: float32 (2,)>
    """


@binary(
    np.multiply,
    numpy=infix("*", PRODUCT),
    vjp={"x": lambda g, z, x, y: g * y, "y": lambda g, z, x, y: g * x},
    rule={"x": "G y", "y": "G x"},
    noun="product",
)
def multiply(x: Operand, y: Operand) -> None:
    """x * y, element by element with broadcasting.   d/dx = y, d/dy = x

    >>> gg.multiply(gg.input("x", (2,)), 2.0).dtype
    dtype('float32')
    """


def _is_never_zero(node: Node) -> bool:
    return node.op.name == "run_time_size" or scalar_value(node) not in (None, 0)


@binary(
    np.divide,
    numpy=infix("/", PRODUCT),
    vjp={"x": lambda g, z, x, y: g / y, "y": lambda g, z, x, y: -g * z / y},
    rule={"x": "G / y", "y": "-G (x / y) / y"},
    low=0.5,
    noun="ratio",
    singular=lambda node: not _is_never_zero(node.inputs[1]),
    regular_above_zero=1,
)
def divide(x: Operand, y: Operand) -> None:
    """x / y, element by element with broadcasting; integers give float64.   d/dx = 1 / y, d/dy = -x / y**2

    >>> gg.divide(gg.input("n", (2,), "int32"), 2).dtype
    dtype('float64')
    """


@unary(
    np.negative,
    numpy=prefix("-"),
    vjp=lambda g, y, x: -g,
    rule="-G",
    low=-2,
    high=2,
    noun="negated",
    errors=_NO_BOOL,
)
def negative(x: Operand) -> None:
    """-x, element by element.   d/dx = -1

    >>> gg.negative(gg.input("x", (2,)))
    <negative negative: float32 (2,)>
    """


def _power_by_base(g: Node, z: Node, x: Node, y: Node) -> Node | None:
    exponent = scalar_value(y)
    if exponent is None:
        # at y = 0 the factor y makes it 0, so x**-1 must not be inf
        return g * y * power(x, where(equal(y, 0), 1, y - 1))
    if exponent == 0:
        return None
    return g if exponent == 1 else g * y * (x if exponent == 2 else power(x, y - 1))


@binary(
    np.power,
    numpy=infix("**", POWER),
    vjp={
        "x": _power_by_base,
        "y": lambda g, z, x, y: g * z * log(where(equal(x, 0), 1, x)),
    },
    rule={"x": "G y x**(y-1)", "y": "G z log(x)"},
    low=0.5,
    noun="powers",
    singular=lambda node: (scalar_value(node.inputs[1]) or 0) < 1,
    cost=lambda inputs, result: result.size * 50,
)
def power(x: Operand, y: Operand) -> Node | None:
    """x ** y, element by element with broadcasting.

    d/dx = y x**(y-1), and 0 everywhere for y = 0; d/dy = x**y log(x), and 0 at x = 0.

    Raises
    ------
    InvalidValueError
        For integers to a negative integer power, as in NumPy.

    >>> gg.power(gg.input("x", (2,)), 3).dtype
    dtype('float32')
    """
    base, exponent = promoting(np.power)((x, y))
    value = scalar_value(exponent)
    if value is not None and value < 0 and exponent.dtype.kind == "i":
        raise InvalidValueError(
            "power: integers to a negative power are not integers",
            saw=[base.describe()],
            hint="gg.cast(x, 'float64')",
        )
    return None


@unary(np.square, vjp=lambda g, y, x: g * 2 * x, rule="G 2 x", low=-2, high=2, noun="squared")
def square(x: Operand) -> None:
    """x * x, element by element.   d/dx = 2 x

    >>> gg.square(gg.input("x", (2,))) is gg.input("y", (2,)) ** 2
    False
    """


@unary(
    np.sqrt,
    vjp=lambda g, y, x: g / (2 * y),
    rule="G / (2 y)",
    low=0.2,
    high=3,
    noun="root",
    flops=4,
    singular=lambda node: True,
    regular_above_zero=0,
)
def sqrt(x: Operand) -> None:
    """The square root, element by element; nan below 0.   d/dx = 1 / (2 sqrt(x))

    >>> gg.sqrt(gg.input("n", (2,), "int64")).dtype
    dtype('float64')
    """


def _abs_vjp(g: Node, y: Node, x: Node) -> Node:
    return g * sign(x)


@unary(
    np.absolute,
    numpy=call("np.abs"),
    into=call_into("np.abs"),
    vjp=_abs_vjp,
    rule="G sign(x)",
    low=0.2,
    high=2,
    noun="magnitude",
    name="abs",
)
def abs(x: Operand) -> None:
    """|x|, element by element.   d/dx = sign(x), and 0 at 0

    >>> gg.abs(gg.input("x", (2,))) is gg.absolute(gg.input("y", (2,)))
    False
    """


@unary(
    np.sign,
    vjp=lambda g, y, x: None,
    rule="0",
    low=0.2,
    high=2,
    noun="signs",
    piecewise_constant=True,
    errors=_NO_BOOL,
)
def sign(x: Operand) -> None:
    """-1, 0 or 1, element by element.   d/dx = 0

    >>> gg.sign(gg.input("x", (2,)))
    <sign sign: float32 (2,)>
    """


def _winner(wins: Callable[..., Node]) -> Callable[[Node, Node, Node], Node]:
    """The gradient of the operand that `wins(own, other)`; a tie is split evenly."""

    def vjp(g: Node, own: Node, other: Node) -> Node:
        return where(wins(own, other), g, where(equal(own, other), g * 0.5, 0))

    return vjp


def _maximum_vjp(g: Node, own: Node, other: Node) -> Node:
    if scalar_value(other) == 0:  # relu, whose gradient at 0 is 0
        return where(greater(own, 0), g, 0)
    return _winner(greater)(g, own, other)


@binary(
    np.maximum,
    numpy=call("np.maximum"),
    vjp={
        "x": lambda g, z, x, y: _maximum_vjp(g, x, y),
        "y": lambda g, z, x, y: _maximum_vjp(g, y, x),
    },
    rule={"x": "G where x won", "y": "G where y won"},
    noun="larger",
)
def maximum(x: Operand, y: Operand) -> None:
    """The larger of x and y, element by element with broadcasting; nan if either is.

    The gradient goes to the larger one and is split evenly at a tie. Against a scalar constant 0 it is relu,
    and the gradient at 0 is 0.

    >>> gg.maximum(gg.input("x", (2,)), 0)
    <maximum maximum: float32 (2,)>
    """


@binary(
    np.minimum,
    numpy=call("np.minimum"),
    vjp={
        "x": lambda g, z, x, y: _winner(less)(g, x, y),
        "y": lambda g, z, x, y: _winner(less)(g, y, x),
    },
    rule={"x": "G where x won", "y": "G where y won"},
    noun="smaller",
)
def minimum(x: Operand, y: Operand) -> None:
    """The smaller of x and y, element by element with broadcasting; nan if either is. A tie splits the
    gradient evenly.

    >>> gg.minimum(gg.input("x", (2,)), gg.input("y", (2,)))
    <minimum minimum: float32 (2,)>
    """


def pow_operator(x: Node, y: Operand) -> Node:
    """``x ** y``; like NumPy's operator, a scalar 2 squares, 0.5 takes the root and -1 the reciprocal of
    floats."""
    if type(y) in (int, float):
        if y == 2:
            return square(x)
        if y == 1:
            return x
        if x.dtype.kind == "f" and y == 0.5:
            return sqrt(x)
        if x.dtype.kind == "f" and y == -1:
            return divide(1, x)
    return power(x, y)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": add, "subtract": subtract, "multiply": multiply, "divide": divide,
    "power": power, "pow": pow_operator, "negative": negative, "abs": abs,
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    bind(_name, _function)
