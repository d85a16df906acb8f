"""The largest and the smallest element over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, apply, defop
from graphgrad.core.operators import bind
from graphgrad.ops.arithmetic import maximum, minimum
from graphgrad.ops.compare import equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.family import to_dtype
from graphgrad.ops.leaf import Operand
from graphgrad.ops.movement import broadcast_to, expand_dims
from graphgrad.ops.reduce import (
    REDUCTION_FAULTS,
    Axis,
    arguments,
    count,
    masked,
    reduced_axes,
    reduced_shape,
    reduction_reference,
    reduction_samples,
    reduction_spec,
    sum,
)
from graphgrad.ops.reduction_source import lines_into, spell_reduction


def _extreme_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    def spread(node: Node) -> Node:
        return node if keepdims else expand_dims(node, axes)

    winners = equal(x, spread(y))
    ties = sum(cast(winners, x.dtype), axes, keepdims=True)
    return where(winners, spread(g) / ties, 0)


def _extreme_jvp(t: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    winners = equal(x, y if keepdims else expand_dims(y, axes))
    chosen = sum(where(winners, t, 0), axes, keepdims=keepdims)
    return chosen / sum(cast(winners, x.dtype), axes, keepdims=keepdims)


def _extreme(
    name: str,
    combine: Callable[..., Node],
    x: Operand,
    axis: Axis,
    keepdims: bool,
    initial: float | None,
    mask: Operand | None,
) -> Node:
    node, attrs = arguments(x, axis, keepdims)
    if initial is None:
        if mask is not None:
            what = f"{name} of what a mask takes needs initial=, for there may be nothing"
            raise ArgumentError(what, saw=[node.describe()])
        return apply(name, node, **attrs)
    first = to_dtype(initial, node.dtype)
    if count(node, attrs["axes"]) == 0:
        return broadcast_to(first, reduced_shape(node.shape, **attrs))
    return combine(_of_some_or_none(name, masked(node, mask, first), attrs), first)


_EXTREME: dict[str, Any] = {
    "axes": reduced_axes,
    "vjp": {"x": _extreme_vjp},
    "jvp": {"x": _extreme_jvp},
    "samples": reduction_samples,
    "rule": {"x": "G where x won, ties share"},
    "operands": ("x",),
    "cost": lambda inputs, result: inputs[0].size,
}
_FAULTS = (*REDUCTION_FAULTS, Fault((((0, 2), "float32"),), {"axis": 0}, ShapeError, "nothing to choose"))


@defop(
    infer=reduction_spec(np.max, True),
    reference=reduction_reference(np.max),
    numpy=spell_reduction("np.max"),
    into=lines_into("max"),
    noun="largest",
    combines="maximum",
    errors=_FAULTS,
    **_EXTREME,
)
def max(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    initial: float | None = None,
    where: Operand | None = None,
) -> Node:
    """The largest element over one axis, several, or all; nan if there is one. Ties share the gradient
    evenly.

    Parameters
    ----------
    initial:
        A number to compare with, too.
    where:
        Which elements take part, a mask that broadcasts to x's shape; it needs `initial`. By default all.

    >>> gg.max(gg.input("x", ("batch", 3)), axis=1, keepdims=True).shape
    (Dim('batch'), 1)
    """
    return _extreme("max", maximum, x, axis, keepdims, initial, where)


@defop(
    infer=reduction_spec(np.min, True),
    reference=reduction_reference(np.min),
    numpy=spell_reduction("np.min"),
    into=lines_into("min"),
    noun="smallest",
    combines="minimum",
    errors=_FAULTS,
    **_EXTREME,
)
def min(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    initial: float | None = None,
    where: Operand | None = None,
) -> Node:
    """The smallest element over one axis, several, or all; nan if there is one. Ties share the gradient
    evenly.

    Parameters
    ----------
    initial:
        A number to compare with, too.
    where:
        Which elements take part, a mask that broadcasts to x's shape; it needs `initial`. By default all.

    >>> gg.min(gg.input("x", ("batch", 3))).shape
    ()
    """
    return _extreme("min", minimum, x, axis, keepdims, initial, where)


# ---- where there may be nothing ----


def _of_some_or_none(name: str, x: Node, attrs: dict[str, Any]) -> Node:
    """The same, and infinite where a symbolic size is 0 and there is nothing to choose from."""
    if x.dtype.kind == "f" and not isinstance(count(x, attrs["axes"]), int):
        name = {"max": "highest", "min": "lowest"}[name]
    return apply(name, x, **attrs)


def highest_if_any(x: Node, axis: Axis, keepdims: bool = False) -> Node:
    """`max`, and -inf where a symbolic size is 0: what exponentials are shifted by, of which there may be none."""
    node, attrs = arguments(x, axis, keepdims)
    return _of_some_or_none("max", node, attrs)


@defop(
    infer=reduction_spec(np.max),
    reference=reduction_reference(np.max, initial=-np.inf),
    numpy=spell_reduction("np.max", "initial=-np.inf"),
    into=lines_into("max", "initial=-np.inf"),
    noun="highest",
    combines="maximum",
    errors=REDUCTION_FAULTS,
    **_EXTREME,
)
def highest(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest float over one axis, several, or all; -inf of nothing. Ties share the gradient evenly.

    >>> highest(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, attrs = arguments(x, axis, keepdims)
    return apply("highest", node, **attrs)


@defop(
    infer=reduction_spec(np.min),
    reference=reduction_reference(np.min, initial=np.inf),
    numpy=spell_reduction("np.min", "initial=np.inf"),
    into=lines_into("min", "initial=np.inf"),
    noun="lowest",
    combines="minimum",
    errors=REDUCTION_FAULTS,
    **_EXTREME,
)
def lowest(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest float over one axis, several, or all; inf of nothing. Ties share the gradient evenly.

    >>> lowest(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, attrs = arguments(x, axis, keepdims)
    return apply("lowest", node, **attrs)


for _name, _function in {"max": max, "min": min}.items():
    bind(_name, _function)
