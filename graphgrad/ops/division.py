"""Division with a remainder, element by element."""

from __future__ import annotations

import numpy as np

from graphgrad.core.form import PRODUCT, call, infix
from graphgrad.core.node import Node
from graphgrad.core.operators import bind
from graphgrad.ops.family import binary
from graphgrad.ops.leaf import Operand, scalar_value
from graphgrad.ops.rounding import trunc


def _may_be_zero(node: Node) -> bool:
    return scalar_value(node.inputs[1]) in (None, 0)


@binary(
    np.floor_divide,
    numpy=infix("//", PRODUCT),
    vjp={"x": lambda g, z, x, y: None, "y": lambda g, z, x, y: None},
    rule={"x": "0", "y": "0"},
    low=0.5,
    noun="quotient",
    piecewise_constant=True,
    singular=_may_be_zero,
)
def floor_divide(x: Operand, y: Operand) -> None:
    """x // y, rounded down, element by element with broadcasting; integers stay integers.   d/dx = d/dy = 0

    >>> (gg.input("n", (2,), "int32") // 2).dtype
    dtype('int32')
    """


@binary(
    np.remainder,
    numpy=infix("%", PRODUCT),
    vjp={"x": lambda g, z, x, y: g, "y": lambda g, z, x, y: -g * floor_divide(x, y)},
    rule={"x": "G", "y": "-G (x // y)"},
    low=0.5,
    noun="remainder",
    singular=_may_be_zero,
)
def remainder(x: Operand, y: Operand) -> None:
    """x % y, which is x - (x // y) * y and has the sign of y, element by element with broadcasting.

    d/dx = 1, d/dy = -(x // y)

    >>> gg.input("x", (2,)) % 1
    <remainder remainder: float32 (2,)>
    """


@binary(
    np.fmod,
    numpy=call("np.fmod"),
    vjp={"x": lambda g, z, x, y: g, "y": lambda g, z, x, y: -g * trunc(x / y)},
    rule={"x": "G", "y": "-G trunc(x / y)"},
    low=0.5,
    noun="remainder",
    singular=_may_be_zero,
)
def fmod(x: Operand, y: Operand) -> None:
    """The remainder of x / y rounded towards 0, with the sign of x, as C has it; element by element with
    broadcasting.   d/dx = 1, d/dy = -trunc(x / y)

    >>> gg.fmod(gg.input("x", (2,)), 1)
    <fmod fmod: float32 (2,)>
    """


def divmod(x: Operand, y: Operand) -> tuple[Node, Node]:
    """``(x // y, x % y)``, also by Python's ``divmod``.

    >>> quotient, rest = divmod(gg.input("n", (2,), "int32"), 3)
    >>> quotient.op.name, rest.op.name
    ('floor_divide', 'remainder')
    """
    return floor_divide(x, y), remainder(x, y)


for _name, _function in {"floor_divide": floor_divide, "remainder": remainder}.items():
    bind(_name, _function)
