"""Rounding, element by element. The gradient is 0: what is rounded does not change with small changes of x."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError
from graphgrad.core.node import Node
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.ops.arithmetic import divide, multiply
from graphgrad.ops.convert import cast
from graphgrad.ops.family import unary
from graphgrad.ops.leaf import Operand, as_node

_STEP: dict[str, Any] = {
    "vjp": lambda g, y, x: None,
    "rule": "0",
    "low": 0.1,
    "high": 0.4,
    "piecewise_constant": True,
}


@unary(np.floor, noun="floors", **_STEP)
def floor(x: Operand) -> None:
    """The largest whole number up to x, element by element; integers as they are.   d/dx = 0

    >>> gg.floor(gg.input("x", (2,)))
    <floor floor: float32 (2,)>
    """


@unary(np.ceil, noun="ceilings", **_STEP)
def ceil(x: Operand) -> None:
    """The smallest whole number from x up, element by element; integers as they are.   d/dx = 0

    >>> gg.ceil(gg.input("x", (2,)))
    <ceil ceil: float32 (2,)>
    """


@unary(np.trunc, noun="whole", **_STEP)
def trunc(x: Operand) -> None:
    """x without what follows the point, element by element; integers as they are. Also `fix`.   d/dx = 0

    >>> gg.trunc(gg.input("x", (2,)))
    <trunc trunc: float32 (2,)>
    """


@unary(np.rint, noun="nearest", **_STEP)
def rint(x: Operand) -> None:
    """The nearest whole number, and of two the even one, element by element.   d/dx = 0

    >>> gg.rint(gg.input("n", (2,), "int64")).dtype
    dtype('float64')
    """


@composite
def round(x: Operand, decimals: int = 0) -> Node:
    """x rounded to so many decimals, and halves to even; to tens or hundreds for negative ones.   d/dx = 0

    Like NumPy, by scaling, `rint` and scaling back; integers stay integers.

    >>> gg.round(gg.input("x", (2,)), 2).dtype, gg.round(gg.input("n", (2,), "int32"), -1).dtype
    (dtype('float32'), dtype('int32'))
    """
    if isinstance(decimals, bool | np.bool_) or not hasattr(decimals, "__index__"):
        raise ArgumentError(f"round: decimals is an int, not {decimals!r:.60}")
    node, places = as_node(x), operator.index(decimals)
    if node.dtype.kind != "f":
        if places >= 0:
            return cast(node, "float16") if node.dtype.kind == "b" else node
        return cast(divide_and_back(cast(node, "float64"), 10.0**-places), node.dtype)
    if places == 0:
        return rint(node)
    if places < 0:
        return divide_and_back(node, 10.0**-places)
    return divide(rint(multiply(node, 10.0**places)), 10.0**places)


def divide_and_back(x: Node, unit: float) -> Node:
    """The nearest multiple of a unit."""
    return multiply(rint(divide(x, unit)), unit)


bind("round", round)
