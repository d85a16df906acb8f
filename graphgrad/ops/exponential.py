"""Exponentials, logarithms and roots to other bases, and what stays accurate near zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ParamSpec

import numpy as np

from graphgrad.core.form import PRODUCT, SUM, Destination, Form, Helper, Into, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.provenance import composite
from graphgrad.ops.arithmetic import power
from graphgrad.ops.compare import where
from graphgrad.ops.convert import cast
from graphgrad.ops.elementary import sigmoid
from graphgrad.ops.family import binary, unary
from graphgrad.ops.leaf import Operand, scalar_value
from graphgrad.ops.logic import isnan

P = ParamSpec("P")

_LN_2 = float(np.log(2))
_LN_10 = float(np.log(10))


@unary(
    np.exp2,
    vjp=lambda g, y, x: g * y * _LN_2,
    rule="G y log(2)",
    low=-2,
    high=2,
    noun="powers_of_two",
    flops=20,
    singular=lambda node: True,
)
def exp2(x: Operand) -> None:
    """2 ** x, element by element.   d/dx = log(2) 2**x

    >>> gg.exp2(gg.input("x", ("n",)))
    <exp2 exp2: float32 (n,)>
    """


@unary(
    np.expm1,
    vjp=lambda g, y, x: g * (y + 1),
    rule="G (y + 1)",
    low=-2,
    high=2,
    noun="growth",
    flops=20,
    singular=lambda node: True,
)
def expm1(x: Operand) -> None:
    """exp(x) - 1, element by element, accurate near 0.   d/dx = exp(x)

    >>> gg.expm1(gg.input("x", ("n",)))
    <expm1 expm1: float32 (n,)>
    """


@unary(
    np.log2,
    vjp=lambda g, y, x: g / (x * _LN_2),
    rule="G / (x log(2))",
    low=0.2,
    high=3,
    noun="logs",
    flops=20,
    singular=lambda node: True,
    regular_above_zero=0,
)
def log2(x: Operand) -> None:
    """The logarithm to base 2, element by element; -inf at 0, nan below.   d/dx = 1 / (x log(2))

    >>> gg.log2(gg.input("x", ("n",)))
    <log2 log2: float32 (n,)>
    """


@unary(
    np.log10,
    vjp=lambda g, y, x: g / (x * _LN_10),
    rule="G / (x log(10))",
    low=0.2,
    high=3,
    noun="logs",
    flops=20,
    singular=lambda node: True,
    regular_above_zero=0,
)
def log10(x: Operand) -> None:
    """The logarithm to base 10, element by element; -inf at 0, nan below.   d/dx = 1 / (x log(10))

    >>> gg.log10(gg.input("x", ("n",)))
    <log10 log10: float32 (n,)>
    """


@unary(
    np.log1p,
    vjp=lambda g, y, x: g / (1 + x),
    rule="G / (1 + x)",
    low=-0.9,
    high=3,
    noun="logs",
    flops=20,
    singular=lambda node: True,
    regular_above_zero=0,
)
def log1p(x: Operand) -> None:
    """log(1 + x), element by element, accurate near 0; -inf at -1, nan below.   d/dx = 1 / (1 + x)

    >>> gg.log1p(gg.input("x", ("n",)))
    <log1p log1p: float32 (n,)>
    """


_LOG1P = Helper(
    "_log1p",
    '''
def _log1p(x, out, rest):
    """np.log1p(x) for x from 0 to 1: the logarithm of 1 + x, and what rounding that has lost."""
    if x.size < 512:
        return np.log1p(x, out=out)  # one number after the other
    above = np.add(x, 1, out=out)
    lost = np.subtract(np.subtract(above, 1, out=rest), x, out=rest)
    ratio = np.divide(lost, above, out=rest)
    return np.subtract(np.log(above, out=out), ratio, out=out)
''',
)


def _log1p_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    if to.out is None:
        return None
    if node.dtype.itemsize < 4:  # the difference of two numbers of so few digits is no correction
        return Form(f"np.log1p({parts[0].text}, out={to.out})")
    return Form(f"{speller.helper(_LOG1P)}({parts[0].text}, out={to.out}, rest={to.scratch[0]})")


@unary(
    np.log1p,
    into=_log1p_into,
    vjp=lambda g, y, x: g / (1 + x),
    rule="G / (1 + x)",
    low=0,
    high=1,
    noun="logs",
    flops=20,
    overwrites=(),
    scratch=1,
)
def log1p_of_fraction(x: Operand) -> None:
    """log(1 + x) for numbers from 0 to 1, element by element; of -1 and inf it may give nan.

    d/dx = 1 / (1 + x)

    As log(u) - ((u - 1) - x) / u, where u is 1 + x rounded: what u has lost of x is added to the first order, as
    gsl_log1p of the GNU Scientific Library has it (sys/log1p.c). NumPy has vector instructions for all of that and
    none for log1p.

    >>> log1p_of_fraction(gg.input("x", ("n",)))
    <log1p_of_fraction log1p_of_fraction: float32 (n,)>
    """


@unary(
    np.cbrt,
    vjp=lambda g, y, x: g / (3 * y * y),
    rule="G / (3 y y)",
    low=0.2,
    high=3,
    noun="root",
    flops=20,
    singular=lambda node: True,
)
def cbrt(x: Operand) -> None:
    """The cube root, element by element, of negative numbers too.   d/dx = 1 / (3 cbrt(x)**2), inf at 0

    >>> gg.cbrt(gg.input("x", ("n",)))
    <cbrt cbrt: float32 (n,)>
    """


@unary(
    np.reciprocal,
    vjp=lambda g, y, x: -g * y * y,
    rule="-G y y",
    low=0.5,
    high=3,
    noun="inverse",
    singular=lambda node: True,
)
def reciprocal(x: Operand) -> None:
    """1 / x, element by element; of an integer the integer part, as in NumPy.   d/dx = -1 / x**2

    >>> gg.reciprocal(gg.input("x", ("n",)))
    <reciprocal reciprocal: float32 (n,)>
    """


@composite
def float_power(x: Operand, y: Operand) -> Node:
    """x ** y in float64, whatever the operands' dtypes; integers to negative powers too. The gradient is that of
    `power`.

    >>> gg.float_power(gg.input("n", (2,), "int64"), -1).dtype
    dtype('float64')
    """
    return power(cast(x, "float64"), cast(y, "float64"))


# ---- logaddexp ------------------------------------------------------------------------------------


def _number(node: Node) -> float | None:
    """The finite number that an operand is, or None; the distance from one is never inf - inf."""
    value = scalar_value(node)
    return value if value is not None and math.isfinite(value) else None


def _far_apart(parts: Sequence[Form], node: Node) -> tuple[list[Form], bool]:
    """What the distance is taken between, without a 0; and whether it is nan for two equal infinities."""
    numbers = [_number(operand) for operand in node.inputs]
    ends = [part for part, number in zip(parts, numbers, strict=True) if number != 0]
    return ends or list(parts[:1]), numbers == [None, None]


def _spell_sum(exponential: str, scale: str) -> Callable[[Speller, Sequence[Form], Node], Form]:
    """``np.logaddexp`` runs element by element without vector instructions, forty times slower than this."""

    def spell(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
        ends, may_be_nan = _far_apart(parts, node)
        gap = f"{ends[0].at(SUM)} - {ends[1].at(PRODUCT)}" if len(ends) == 2 else ends[0].text
        gap = f"np.fmin(-np.abs({gap}), 0)" if may_be_nan else f"-np.abs({gap})"  # fmin makes 0 of nan
        x, y = parts
        return Form(f"np.maximum({x.text}, {y.text}) + np.log1p({exponential}({gap})){scale}", SUM)

    return spell


def _sum_into(exponential: str, scale: float) -> Into:
    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
        if to.out is None:
            return None
        x, y, gap = parts[0].text, parts[1].text, to.scratch[0]
        ends, may_be_nan = _far_apart(parts, node)
        distance = f"np.subtract({x}, {y}, out={gap})" if len(ends) == 2 else ends[0].text
        distance = f"np.negative(np.abs({distance}, out={gap}), out={gap})"
        return Lines((
            f"np.fmin({distance}, 0, out={gap})" if may_be_nan else distance,
            f"np.log1p({exponential}({gap}, out={gap}), out={gap})",
            *([] if scale == 1 else [f"np.divide({gap}, {scale!r}, out={gap})"]),
            f"np.add(np.maximum({x}, {y}, out={{out}}), {gap}, out={{out}})",
        ))  # fmt: skip

    return emit


def _share(scale: float) -> Callable[[Node, Node, Node], Node]:
    """The gradient of one operand: its share of the sum, and half of two equal infinities."""

    def vjp(g: Node, own: Node, other: Node) -> Node:
        gap = own if _number(other) == 0 else own - other
        if _number(own) is None and _number(other) is None:
            gap = where(isnan(gap), 0, gap)
        return g * sigmoid(gap if scale == 1 else gap * scale)

    return vjp


def _sum_of(
    ufunc: np.ufunc, exponential: str, scale: float, rule: dict[str, str]
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    share = _share(scale)
    return binary(
        ufunc,
        numpy=_spell_sum(exponential, "" if scale == 1 else f" / {scale!r}"),
        vjp={"x": lambda g, z, x, y: share(g, x, y), "y": lambda g, z, x, y: share(g, y, x)},
        rule=rule,
        noun="log_sum",
        repeats=True,
        into=_sum_into(exponential, scale),
        scratch=1,
        temporaries=lambda node: (node.spec,) * 2,
        cost=lambda inputs, result: result.size * 45,
    )


@_sum_of(np.logaddexp, "np.exp", 1, {"x": "G sigmoid(x - y)", "y": "G sigmoid(y - x)"})
def logaddexp(x: Operand, y: Operand) -> None:
    """log(exp(x) + exp(y)), element by element with broadcasting, without overflow.

    d/dx = sigmoid(x - y), d/dy = sigmoid(y - x); two equal infinities share the gradient evenly.
    ``logaddexp(x, 0)`` is softplus.

    >>> gg.logaddexp(gg.input("x", ("n",)), 0).dtype
    dtype('float32')
    """


@_sum_of(np.logaddexp2, "np.exp2", _LN_2, {"x": "G / (1 + 2**(y-x))", "y": "G / (1 + 2**(x-y))"})
def logaddexp2(x: Operand, y: Operand) -> None:
    """log2(2**x + 2**y), element by element with broadcasting, without overflow.

    d/dx = 1 / (1 + 2**(y - x)); two equal infinities share the gradient evenly.

    >>> gg.logaddexp2(gg.input("x", ("n",)), gg.input("y", ("n",))).dtype
    dtype('float32')
    """
