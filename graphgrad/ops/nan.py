"""Reductions that leave nan out. What is left out gets gradient 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.provenance import composite
from graphgrad.ops.compare import where
from graphgrad.ops.largest import max, min
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.logic import bitwise_and, invert, isnan, truth
from graphgrad.ops.product import prod
from graphgrad.ops.reduce import Axis, mean, sum
from graphgrad.ops.search import all
from graphgrad.ops.statistics import std, var

_choose = where  # the functions here have an argument `where`


def _filled(x: Operand, fill: float) -> Node:
    node = as_node(x)
    return _choose(isnan(node), fill, node) if node.dtype.kind == "f" else node


def _parting(x: Operand, mask: Operand | None) -> tuple[Node, Operand | None]:
    """An array without nan, and which elements of it count."""
    node = as_node(x)
    if node.dtype.kind != "f":
        return node, mask
    known = invert(isnan(node))
    return _choose(known, node, 0), known if mask is None else bitwise_and(known, truth(mask))


@composite
def nansum(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    initial: float | None = None,
    where: Operand | None = None,
) -> Node:
    """`sum` with nan as 0.   d/dx = 1, and 0 at nan

    >>> gg.nansum(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    return sum(_filled(x, 0), axis, keepdims, dtype=dtype, initial=initial, where=where)


@composite
def nanprod(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    initial: float | None = None,
    where: Operand | None = None,
) -> Node:
    """`prod` with nan as 1. The gradient is the product of all others, and 0 at nan.

    >>> gg.nanprod(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    return prod(_filled(x, 1), axis, keepdims, dtype=dtype, initial=initial, where=where)


@composite
def nanmean(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    where: Operand | None = None,
) -> Node:
    """`mean` of what is not nan; nan of nothing.   d/dx = 1 / n, and 0 at nan

    >>> gg.nanmean(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, mask = _parting(x, where)
    return mean(node, axis, keepdims, dtype=dtype, where=mask)


@composite
def nanvar(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    ddof: float = 0,
    where: Operand | None = None,
) -> Node:
    """`var` of what is not nan.   d/dx = 2 (x - mean) / (n - ddof), and 0 at nan

    >>> gg.nanvar(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, mask = _parting(x, where)
    return var(node, axis, keepdims, dtype=dtype, ddof=ddof, where=mask)


@composite
def nanstd(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    ddof: float = 0,
    where: Operand | None = None,
) -> Node:
    """`std` of what is not nan.   d/dx = (x - mean) / ((n - ddof) std), and 0 at nan

    >>> gg.nanstd(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, mask = _parting(x, where)
    return std(node, axis, keepdims, dtype=dtype, ddof=ddof, where=mask)


def _extreme(reduce: Callable[..., Node], worst: float, x: Operand, axis: Axis, keepdims: bool) -> Node:
    node = as_node(x)
    if node.dtype.kind != "f":
        return reduce(node, axis, keepdims=keepdims)
    found = reduce(_filled(node, worst), axis, keepdims=keepdims)
    return _choose(all(isnan(node), axis, keepdims=keepdims), np.nan, found)


@composite
def nanmax(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """`max` of what is not nan; nan of nothing else. Ties share the gradient evenly.

    >>> gg.nanmax(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    return _extreme(max, -np.inf, x, axis, keepdims)


@composite
def nanmin(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """`min` of what is not nan; nan of nothing else. Ties share the gradient evenly.

    >>> gg.nanmin(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    return _extreme(min, np.inf, x, axis, keepdims)
