"""Angles and triangles."""

from __future__ import annotations

import numpy as np

from graphgrad.core.form import call
from graphgrad.core.node import Node
from graphgrad.core.provenance import composite
from graphgrad.ops.arithmetic import abs, multiply, sqrt
from graphgrad.ops.compare import equal, less, where
from graphgrad.ops.family import binary, promoting, unary
from graphgrad.ops.leaf import Operand, as_node


def _sin_vjp(g: Node, y: Node, x: Node) -> Node:
    return g * cos(x)


@unary(
    np.sin,
    vjp=_sin_vjp,
    rule="G cos(x)",
    low=-3,
    high=3,
    noun="sines",
    flops=20,
)
def sin(x: Operand) -> None:
    """The sine of an angle in radians, element by element.   d/dx = cos(x)

    >>> gg.sin(gg.input("x", ("n",)))
    <sin sin: float32 (n,)>
    """


@unary(
    np.cos,
    vjp=lambda g, y, x: -g * sin(x),
    rule="-G sin(x)",
    low=-3,
    high=3,
    noun="cosines",
    flops=20,
)
def cos(x: Operand) -> None:
    """The cosine of an angle in radians, element by element.   d/dx = -sin(x)

    >>> gg.cos(gg.input("x", ("n",)))
    <cos cos: float32 (n,)>
    """


@unary(
    np.tan,
    vjp=lambda g, y, x: g * (1 + y * y),
    rule="G (1 + y y)",
    low=-1,
    high=1,
    noun="tangents",
    flops=20,
)
def tan(x: Operand) -> None:
    """The tangent of an angle in radians, element by element.   d/dx = 1 + tan(x)**2

    >>> gg.tan(gg.input("x", ("n",)))
    <tan tan: float32 (n,)>
    """


def _leg(x: Node) -> Node:
    """sqrt(1 - x**2), accurate near 1 and -1."""
    return sqrt((1 - x) * (1 + x))


@unary(
    np.arcsin,
    vjp=lambda g, y, x: g / _leg(x),
    rule="G / sqrt(1 - x x)",
    low=-0.9,
    high=0.9,
    noun="angle",
    flops=20,
    singular=lambda node: True,
)
def arcsin(x: Operand) -> None:
    """The angle in [-pi/2, pi/2] whose sine is x; nan outside [-1, 1].   d/dx = 1 / sqrt(1 - x**2), inf at 1 and -1

    >>> gg.arcsin(gg.input("x", ("n",)))
    <arcsin arcsin: float32 (n,)>
    """


@unary(
    np.arccos,
    vjp=lambda g, y, x: -g / _leg(x),
    rule="-G / sqrt(1 - x x)",
    low=-0.9,
    high=0.9,
    noun="angle",
    flops=20,
    singular=lambda node: True,
)
def arccos(x: Operand) -> None:
    """The angle in [0, pi] whose cosine is x; nan outside [-1, 1].   d/dx = -1 / sqrt(1 - x**2), -inf at 1 and -1

    >>> gg.arccos(gg.input("x", ("n",)))
    <arccos arccos: float32 (n,)>
    """


@unary(
    np.arctan,
    vjp=lambda g, y, x: g / (1 + x * x),
    rule="G / (1 + x x)",
    low=-3,
    high=3,
    noun="angle",
    flops=20,
)
def arctan(x: Operand) -> None:
    """The angle in [-pi/2, pi/2] whose tangent is x.   d/dx = 1 / (1 + x**2)

    >>> gg.arctan(gg.input("x", ("n",)))
    <arctan arctan: float32 (n,)>
    """


@binary(
    np.arctan2,
    numpy=call("np.arctan2"),
    vjp={
        "y": lambda g, z, y, x: g * x / (x * x + y * y),
        "x": lambda g, z, y, x: -g * y / (x * x + y * y),
    },
    rule={"y": "G x / (x x + y y)", "x": "-G y / (x x + y y)"},
    low=0.2,
    noun="angle",
    cost=lambda inputs, result: result.size * 40,
    singular=lambda node: True,
)
def arctan2(y: Operand, x: Operand) -> None:
    """The angle in [-pi, pi] of the point (x, y), element by element with broadcasting.

    d/dy = x / (x**2 + y**2), d/dx = -y / (x**2 + y**2); nan at the origin, where there is none.

    >>> gg.arctan2(gg.input("y", ("n",)), gg.input("x", ("n",)))
    <arctan2 arctan2: float32 (n,)>
    """


def _along(g: Node, side: Node, z: Node) -> Node:
    return g * side / where(equal(z, 0), 1, z)


@binary(
    np.hypot,
    numpy=call("np.hypot"),
    vjp={"x": lambda g, z, x, y: _along(g, x, z), "y": lambda g, z, x, y: _along(g, y, z)},
    rule={"x": "G x / z", "y": "G y / z"},
    low=0.2,
    noun="hypotenuse",
    cost=lambda inputs, result: result.size * 10,
)
def hypot(x: Operand, y: Operand) -> None:
    """sqrt(x**2 + y**2), element by element with broadcasting, without overflow.

    d/dx = x / hypot(x, y), d/dy = y / hypot(x, y), and 0 at the origin.

    >>> gg.hypot(gg.input("x", ("n",)), gg.input("y", ("n",)))
    <hypot hypot: float32 (n,)>
    """


# ---- units ----------------------------------------------------------------------------------------


@composite
def degrees(x: Operand) -> Node:
    """An angle in radians as degrees.   d/dx = 180 / pi

    >>> gg.degrees(gg.input("x", (2,))) is gg.rad2deg(gg.input("y", (2,)))
    False
    """
    (node,) = promoting(np.degrees)((x,))
    return multiply(node, 180 / np.pi)


@composite
def radians(x: Operand) -> Node:
    """An angle in degrees as radians.   d/dx = pi / 180

    >>> gg.radians(gg.input("n", (2,), "int64")).dtype
    dtype('float64')
    """
    (node,) = promoting(np.radians)((x,))
    return multiply(node, np.pi / 180)


# ---- sinc -----------------------------------------------------------------------------------------

_NEAR = 0.0625
_TERMS = 5


def _sinc_slope(x: Node, y: Node) -> Node:
    """(cos(pi x) - y) / x; near 0, where that cancels and all derivatives are wanted, by its power series."""
    near = less(abs(x), _NEAR)
    small, other = where(near, x, 0), where(near, 1, x)
    square, series = small * small, as_node(small.dtype.type(_coefficient(_TERMS)))
    for term in range(_TERMS - 1, 0, -1):
        series = series * square + _coefficient(term)
    return where(near, series * small, (cos(np.pi * other) - y) / other)


def _coefficient(term: int) -> float:
    """Of x**(2 term - 1) in d/dx of the sum of (-1)**k (pi x)**(2 k) / (2 k + 1)!"""
    factorial = 1.0
    for factor in range(2, 2 * term + 2):
        factorial *= factor
    sign = -1 if term % 2 else 1
    return float(sign * 2 * term * np.pi ** (2 * term) / factorial)


@unary(
    np.sin,
    reference=np.sinc,
    numpy=call("np.sinc"),
    vjp=lambda g, y, x: g * _sinc_slope(x, y),
    rule="G (cos(pi x) - y) / x",
    low=-2,
    high=2,
    noun="waves",
    flops=25,
    promote=lambda values: promoting(np.multiply)((values[0], np.pi))[:1],
)
def sinc(x: Operand) -> None:
    """sin(pi x) / (pi x), element by element, and 1 at 0.   d/dx = (cos(pi x) - sinc(x)) / x, and 0 at 0

    >>> gg.sinc(gg.input("x", ("n",)))
    <sinc sinc: float32 (n,)>
    """
