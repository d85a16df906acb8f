"""The larger, the smaller, and what lies between: with nan ignored, and within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError
from graphgrad.core.form import Destination, Form, Speller, call
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.compare import equal, greater, greater_equal, less, less_equal, where
from graphgrad.ops.family import (
    binary,
    broadcast_shapes,
    elementwise_axes,
    kind_of,
    promoting,
    to_dtype,
    uniform,
)
from graphgrad.ops.leaf import Operand, as_node, scalar_value
from graphgrad.ops.logic import bitwise_and, bitwise_or, isnan


def _winner(loses: Callable[..., Node]) -> Callable[[Node, Node, Node], Node]:
    """The gradient of the operand that does not `loses(own, other)`; a tie is split evenly, nan gets nothing."""

    def vjp(g: Node, own: Node, other: Node) -> Node:
        lost = bitwise_or(isnan(own), loses(own, other))
        return where(equal(own, other), g * 0.5, where(lost, 0, g))

    return vjp


@binary(
    np.fmax,
    numpy=call("np.fmax"),
    vjp={
        "x": lambda g, z, x, y: _winner(less)(g, x, y),
        "y": lambda g, z, x, y: _winner(less)(g, y, x),
    },
    rule={"x": "G where x won", "y": "G where y won"},
    noun="larger",
)
def fmax(x: Operand, y: Operand) -> None:
    """The larger of x and y, or the one that is not nan; element by element with broadcasting.

    The gradient goes to the one that was taken, and is split evenly at a tie.

    >>> gg.fmax(gg.input("x", (2,)), 0)
    <fmax fmax: float32 (2,)>
    """


@binary(
    np.fmin,
    numpy=call("np.fmin"),
    vjp={
        "x": lambda g, z, x, y: _winner(greater)(g, x, y),
        "y": lambda g, z, x, y: _winner(greater)(g, y, x),
    },
    rule={"x": "G where x won", "y": "G where y won"},
    noun="smaller",
)
def fmin(x: Operand, y: Operand) -> None:
    """The smaller of x and y, or the one that is not nan; element by element with broadcasting.

    The gradient goes to the one that was taken, and is split evenly at a tie.

    >>> gg.fmin(gg.input("x", (2,)), 0)
    <fmin fmin: float32 (2,)>
    """


# ---- clip -----------------------------------------------------------------------------------------


def _lowest(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    return np.inf if dtype.kind == "f" else True if dtype.kind == "b" else np.iinfo(dtype).max


def _clip_spec(x: Spec, low: Spec, high: Spec) -> Spec:
    if not x.dtype == low.dtype == high.dtype:
        raise DTypeError(f"needs equal dtypes, got {x.dtype}, {low.dtype} and {high.dtype}")
    return Spec(broadcast_shapes((x, low, high)), x.dtype)


def _spell_clip(speller: Speller, parts: Sequence[Form], node: Node, out: str = "") -> Form:
    x, low, high = (part.text for part in parts)
    if scalar_value(node.inputs[2]) == _highest(node.dtype):
        return Form(f"np.maximum({x}, {low}{out})")
    if scalar_value(node.inputs[1]) == _lowest(node.dtype):
        return Form(f"np.minimum({x}, {high}{out})")
    return Form(f"np.clip({x}, {low}, {high}{out})")


def _clip_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    return None if to.out is None else _spell_clip(speller, parts, node, f", out={to.out}")


def _clip_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, low, high in (
        ((3, 4), (), ()), ((2, 3), (3,), (2, 1)), ((), (2,), ()), ((0, 3), (3,), (1, 3)), ((1, 3), (2, 1), ()),
        ((), (), ()),
    ):  # fmt: skip
        yield Sample((uniform(rng, shape, -2, 2), uniform(rng, low, -1, -0.5), uniform(rng, high, 0.5, 1)))
    yield Sample((uniform(rng, (3, 4), -2, 2), uniform(rng, (4,), 0.5, 1), uniform(rng, (3, 1), -1, -0.5)))


def _within(g: Node, z: Node, x: Node, min: Node, max: Node) -> Node:
    if scalar_value(max) == _highest(x.dtype):
        return where(greater_equal(x, min), g, 0)
    if scalar_value(min) == _lowest(x.dtype):
        return where(less_equal(x, max), g, 0)
    return where(bitwise_and(greater_equal(x, min), less_equal(x, max)), g, 0)


@defop(
    infer=_clip_spec,
    axes=elementwise_axes,
    reference=lambda x, low, high: np.minimum(np.maximum(x, low), high),
    numpy=_spell_clip,
    into=_clip_into,
    overwrites=(0, 1, 2),
    vjp={
        "x": _within,
        "min": lambda g, z, x, min, max: where(bitwise_and(less(x, min), less(min, max)), g, 0),
        "max": lambda g, z, x, min, max: where(bitwise_or(greater(x, max), greater_equal(min, max)), g, 0),
    },
    jvp="diagonal",
    samples=_clip_samples,
    errors=(
        Fault((((3,), "float32"), ((2,), "float32"), ((2,), "float32")), {}, ShapeError, "do not broadcast"),
        Fault((((3,), "float32"),), {}, ArgumentError, "a bound"),
    ),
    rule={"x": "G within the bounds", "min": "G where x is below", "max": "G where x is above"},
    noun="clipped",
    elementwise=True,
    operands=("x", "min", "max"),
)
def clip(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Node:
    """x, but `min` where it is below and `max` where it is above; element by element with broadcasting.

    Either bound may be None. If ``min > max``, the result is `max`. d/dx = 1 within the bounds and on them, and 0
    outside; there the gradient goes to the bound.

    Raises
    ------
    ArgumentError
        If both bounds are None.

    >>> gg.clip(gg.input("x", ("n",)), 0, gg.input("top", ())).shape
    (Dim('n'),)
    """
    if min is None and max is None:
        raise ArgumentError("clip needs a bound: min, max or both")
    dtype = as_node(x).dtype
    low = None if _is_idle(min, dtype, -1) else min
    high = None if _is_idle(max, dtype, 1) else max
    given = [bound for bound in (low, high) if bound is not None]
    node = as_node(x)
    for bound in given:
        if kind_of(bound) != node.dtype:
            node, _ = promoting(np.maximum)((node, bound))
    low, high = (_lowest(node.dtype) if low is None else low, _highest(node.dtype) if high is None else high)
    return apply("clip", node, to_dtype(low, node.dtype), to_dtype(high, node.dtype))


def _is_idle(bound: Any, dtype: np.dtype[Any], side: int) -> bool:
    """Whether a bound is missing, or a Python int that no integer of this dtype passes."""
    if bound is None or type(bound) is not int or dtype.kind not in "iu":
        return bound is None
    info = np.iinfo(dtype)
    return bool(bound >= info.max if side > 0 else bound <= info.min)


# ---- nan_to_num -----------------------------------------------------------------------------------


@composite
def nan_to_num(
    x: Operand, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Node:
    """x with nan, inf and -inf replaced by numbers; the infinities by default by the largest floats.

    The gradient is 0 where something was replaced, even if it comes from a division by zero; else 1.

    >>> gg.nan_to_num(gg.input("x", (2,)), posinf=1e6)
    <where where: float32 (2,)>
    """
    node = as_node(x)
    if node.dtype.kind != "f":
        return node
    limit = float(np.finfo(node.dtype).max)
    top, bottom = limit if posinf is None else posinf, -limit if neginf is None else neginf
    finite = where(equal(node, np.inf), top, where(equal(node, -np.inf), bottom, node))
    return where(isnan(node), nan, finite)


bind("clip", clip)
