"""Signs, steps, and scaling by powers of two."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import call
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, Sample
from graphgrad.core.provenance import composite
from graphgrad.ops.arithmetic import abs, sign
from graphgrad.ops.compare import equal, where
from graphgrad.ops.family import BINARY_SHAPES, binary, promoting, uniform
from graphgrad.ops.leaf import Operand, as_node


@composite
def fabs(x: Operand) -> Node:
    """|x| as a float, element by element.   d/dx = sign(x), and 0 at 0

    >>> gg.fabs(gg.input("n", (2,), "int64")).dtype
    dtype('float64')
    """
    (node,) = promoting(np.fabs)((x,))
    return abs(node)


@composite
def positive(x: Operand) -> Node:
    """+x, which is x itself.   d/dx = 1

    Raises
    ------
    DTypeError
        For booleans, as in NumPy.

    >>> x = gg.input("x", (2,))
    >>> gg.positive(x) is x
    True
    """
    node = as_node(x)
    if node.dtype == np.bool_:
        raise DTypeError(
            "positive: np.positive does not take bool", saw=[node.describe()], hint="gg.cast(x, dtype)"
        )
    return node


def _copysign_vjp(g: Node, z: Node, x: Node, y: Node) -> Node:
    return g * sign(x) * copysign(x.dtype.type(1), y)


@binary(
    np.copysign,
    numpy=call("np.copysign"),
    vjp={"x": _copysign_vjp, "y": lambda g, z, x, y: None},
    rule={"x": "G sign(x) sign(y)", "y": "0"},
    low=0.2,
    noun="signed",
)
def copysign(x: Operand, y: Operand) -> None:
    """|x| with the sign of y, also that of -0.0; element by element with broadcasting.

    d/dx = 1 where the signs agree, else -1, and 0 at x = 0; d/dy = 0

    >>> gg.copysign(gg.input("x", (2,)), -1.0)
    <copysign copysign: float32 (2,)>
    """


@binary(
    np.heaviside,
    numpy=call("np.heaviside"),
    vjp={"x": lambda g, z, x, y: None, "y": lambda g, z, x, y: where(equal(x, 0), g, 0)},
    rule={"x": "0", "y": "G where x is 0"},
    low=0.2,
    noun="steps",
)
def heaviside(x: Operand, y: Operand) -> None:
    """The step function: 0 below 0, 1 above, and y at 0; element by element with broadcasting.

    d/dx = 0; d/dy = 1 where x is 0, else 0

    >>> gg.heaviside(gg.input("x", (2,)), 0.5)
    <heaviside heaviside: float32 (2,)>
    """


def _ldexp_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for left, right in BINARY_SHAPES:
        yield Sample((uniform(rng, left, -2, 2), np.asarray(rng.integers(-3, 4, right))))


def _ldexp_vjp(g: Node, z: Node, x: Node, n: Node) -> Node:
    return ldexp(g, n)


@binary(
    np.ldexp,
    numpy=call("np.ldexp"),
    vjp={"x": _ldexp_vjp, "n": lambda g, z, x, n: None},
    rule={"x": "G 2**n", "n": "0"},
    noun="scaled",
    samples=_ldexp_samples,
    errors=(
        Fault((((2,), "float32"), ((2,), "float32")), {}, DTypeError, "does not take float32"),
        Fault((((2, 3), "float32"), ((2, 4), "int32")), {}, ShapeError, "do not broadcast"),
    ),
    singular=lambda node: True,
)
def ldexp(x: Operand, n: Operand) -> None:
    """x * 2**n for integers n, exactly; element by element with broadcasting.   d/dx = 2**n

    >>> gg.ldexp(gg.input("x", (2,)), 3)
    <ldexp ldexp: float32 (2,)>
    """
