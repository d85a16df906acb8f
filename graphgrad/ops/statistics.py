"""Spread and dependence: variances, averages, differences, covariances."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, Size, add
from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite, suggest
from graphgrad.ops.arithmetic import divide, maximum, multiply, sqrt, square, subtract
from graphgrad.ops.compare import equal, not_equal, where
from graphgrad.ops.contract import matmul
from graphgrad.ops.convert import cast
from graphgrad.ops.extremes import clip
from graphgrad.ops.family import promoting
from graphgrad.ops.index import index
from graphgrad.ops.join import concatenate
from graphgrad.ops.largest import max, min
from graphgrad.ops.leaf import Operand, as_node, const, run_time_size
from graphgrad.ops.movement import broadcast_to, expand_dims, normal_axis, reshape
from graphgrad.ops.reduce import Axis, arguments, count, masked, mean, sum, taking_part
from graphgrad.ops.scan import along

_choose = where  # some functions here have an argument `where`


def called(name: str, node: Node) -> Node:
    """A name for emitted code, where the user gave none."""
    suggest(node.notes, name)
    return node


def root_or_zero(x: Node) -> Node:
    """The square root of what is not negative, with gradient 0 at 0: that of a norm, a standard deviation."""
    return _choose(equal(x, 0), 0, sqrt(x))


# ---- var and std ----------------------------------------------------------------------------------


@composite
def var(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    ddof: float = 0,
    where: Operand | None = None,
    mean: Operand | None = None,
    correction: float | None = None,
) -> Node:
    """The variance over one axis, several, or all: the mean of the squared deviations; of integers in float64.

    d/dx = 2 (x - mean) / (n - ddof)

    Parameters
    ----------
    dtype:
        What to compute in.
    ddof, correction:
        What the number of elements is reduced by in the mean: 1 for the unbiased estimate. Two names of one argument.
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.
    mean:
        The mean, if it is known, with the reduced axes kept as 1.

    >>> gg.var(gg.input("x", ("batch", 3)), axis=0, ddof=1).shape
    (3,)
    """
    return _variance(x, axis, dtype, _degrees(ddof, correction), keepdims, where, mean)


@composite
def std(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    ddof: float = 0,
    where: Operand | None = None,
    mean: Operand | None = None,
    correction: float | None = None,
) -> Node:
    """The standard deviation over one axis, several, or all: the root of `var`, with the same arguments.

    d/dx = (x - mean) / ((n - ddof) std), and 0 where all elements are equal

    >>> gg.std(gg.input("x", ("batch", 3)), axis=1, keepdims=True).shape
    (Dim('batch'), 1)
    """
    variance = _variance(x, axis, dtype, _degrees(ddof, correction), keepdims, where, mean)
    return root_or_zero(called("variance", variance))


def _degrees(ddof: float, correction: float | None) -> float:
    if correction is not None and ddof != 0:
        raise ArgumentError("ddof and correction are two names of one argument: give one of them")
    given = ddof if correction is None else correction
    if isinstance(given, bool) or not isinstance(given, int | float | np.integer | np.floating):
        raise ArgumentError(f"ddof is a number, not {given!r:.60}")
    return given.item() if isinstance(given, np.generic) else given


def _variance(
    x: Operand,
    axis: Axis,
    dtype: Any,
    ddof: float,
    keepdims: bool,
    mask: Operand | None,
    middle: Operand | None,
) -> Node:
    node, attrs = arguments(x, axis, keepdims, dtype)
    if node.dtype.kind != "f":
        node = cast(node, "float64")
    axes = attrs["axes"]
    if middle is None:
        middle = called("average", mean(node, axes, keepdims=True, where=mask))
    deviation = called("deviation", masked(subtract(node, middle), mask, 0))
    squares = called("squares", square(deviation))
    if mask is not None:
        taken = cast(taking_part(node, mask, **attrs), node.dtype)
        return divide(apply("sum", squares, **attrs), maximum(taken - ddof, 0))
    if ddof == 0:
        return apply("mean", squares, **attrs)
    return divide(apply("sum", squares, **attrs), less_degrees(count(node, axes), ddof, node))


def less_degrees(size: Size, ddof: float, like: Node) -> Operand:
    """n - ddof, at least 0, in the dtype of a node."""
    if isinstance(size, Dim):
        whole = isinstance(ddof, int)
        n = run_time_size(add(size, -ddof) if whole else size, like.dtype)
        return n if whole else n - ddof
    return const(size - ddof if size > ddof else 0, like.dtype)


# ---- average and ptp ------------------------------------------------------------------------------


@composite
def average(
    x: Operand,
    axis: Axis = None,
    weights: Operand | None = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Node | tuple[Node, Node]:
    """The weighted mean, sum(w x) / sum(w), over one axis, several, or all; without weights the mean.

    d/dx = w / sum(w); by the weights (x - average) / sum(w)

    Parameters
    ----------
    weights:
        Of x's shape, or of the shape of the axes.
    returned:
        Also give the sum of the weights.

    >>> gg.average(gg.input("x", ("batch", 3)), axis=1, weights=gg.input("w", (3,))).shape
    (Dim('batch'),)
    """
    node, attrs = arguments(x, axis, keepdims)
    axes = attrs["axes"]
    if weights is None:
        result = mean(node, axes, keepdims=keepdims)
        total: Node = as_node(const(1, result.dtype)) * run_time_size(count(node, axes), result.dtype)
    else:
        aligned = _aligned(node, as_node(weights), axis, axes)
        total = sum(aligned, axes, keepdims=keepdims)
        if total.dtype.kind != "f" and node.dtype.kind != "f":
            node = cast(node, "float64")
        result = divide(sum(multiply(node, aligned), axes, keepdims=keepdims), total)
    return (result, broadcast_to(cast(total, result.dtype), result.shape)) if returned else result


def _aligned(x: Node, weights: Node, axis: Axis, axes: tuple[int, ...]) -> Node:
    """Weights of x's shape."""
    if weights.shape == x.shape:
        return weights
    named = axis if isinstance(axis, tuple | list) else () if axis is None else (axis,)
    given = tuple(normal_axis(at, x.ndim) for at in named)
    if given != axes or weights.shape != tuple(x.shape[at] for at in axes):
        raise ShapeError(
            "average: weights have x's shape, or that of the axes, which are in order",
            saw=[x.describe(), weights.describe()],
        )
    spread = expand_dims(weights, tuple(at for at in range(x.ndim) if at not in axes))
    return broadcast_to(spread, x.shape)


@composite
def ptp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest element minus the smallest, over one axis, several, or all. Ties share the gradient evenly.

    >>> gg.ptp(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'),)
    """
    return subtract(max(x, axis, keepdims=keepdims), min(x, axis, keepdims=keepdims))


# ---- diff -----------------------------------------------------------------------------------------


@composite
def diff(
    x: Operand, n: int = 1, axis: int = -1, prepend: Operand | None = None, append: Operand | None = None
) -> Node:
    """What each element is above its predecessor along an axis, n times over; of booleans whether they differ.

    d/dx[i] = 1 in the i-th difference, -1 in the next one

    Parameters
    ----------
    prepend, append:
        Elements to put before and after x along the axis first; a scalar is one.

    >>> gg.diff(gg.input("x", ("batch", 3))).shape
    (Dim('batch'), 2)
    """
    times = operator.index(n)
    node = as_node(x)
    if times < 0:
        raise ArgumentError(f"diff: n is a number of times, not {n}", saw=[node.describe()])
    if times == 0:
        return node
    at = normal_axis(axis, node.ndim)
    parts = [_attached(part, node, at) for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        node = concatenate(parts, at)
    step = not_equal if node.dtype == np.bool_ else subtract
    for _ in range(times):
        node = step(index(node, along(at, slice(1, None))), index(node, along(at, slice(None, -1))))
    return node


def _attached(part: Operand, x: Node, axis: int) -> Node:
    node = as_node(part)
    return (
        broadcast_to(node, (*x.shape[:axis], 1, *x.shape[axis + 1 :])) if node.ndim == 0 and x.ndim else node
    )


# ---- cov and corrcoef -----------------------------------------------------------------------------


def _variables(m: Operand, y: Operand | None, rowvar: bool, dtype: Any) -> Node:
    """Observations of variables, one variable a row."""
    parts = [as_node(part) for part in (m, y) if part is not None]
    if any(part.ndim > 2 for part in parts):
        raise ShapeError(
            "a table of observations has at most 2 dimensions", saw=[part.describe() for part in parts]
        )
    rows = []
    for part in parts:
        two = reshape(part, (1, -1)) if part.ndim < 2 else part
        rows.append(two if rowvar or part.ndim < 2 else two.T)
    table = rows[0] if len(rows) == 1 else concatenate(rows, 0)
    wanted = promoting(np.true_divide)((table, 1.0))[0].dtype if dtype is None else dtype
    return cast(table, wanted)


@composite
def cov(
    m: Operand,
    y: Operand | None = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Operand | None = None,
    aweights: Operand | None = None,
    *,
    dtype: Any = None,
) -> Node:
    """The matrix of covariances of variables, from observations of them: X X.T / (n - ddof), X without its means.

    The gradient is that of the product, (dC + dC.T) X / (n - ddof).

    Parameters
    ----------
    m, y:
        Observations, one variable a row (a column if not `rowvar`); those of `y` are added to those of `m`.
    bias:
        Divide by n, not n - 1.
    ddof:
        What n is reduced by, if given, instead.
    fweights, aweights:
        How often each observation was made (integers), and how much it counts.

    >>> gg.cov(gg.input("x", (3, "n"))).shape
    (3, 3)
    """
    table = _variables(m, y, rowvar, dtype)
    degrees = (0 if bias else 1) if ddof is None else operator.index(ddof)
    weights = _observation_weights(table, fweights, aweights)
    if weights is None:
        middle = mean(table, 1, keepdims=True)
        factor = less_degrees(table.shape[1], degrees, table)
    else:
        total = sum(weights)
        middle = divide(sum(table * weights, 1, keepdims=True), total)
        extra = (
            total
            if aweights is None
            else sum(weights * cast(as_node(aweights), table.dtype)) / total * degrees
        )
        factor = total - degrees if aweights is None else total - extra
    deviation = called("deviation", table - called("average", middle))
    weighted = deviation if weights is None else deviation * weights
    result = divide(matmul(weighted, deviation.T), factor)
    return _squeezed(result)


def _observation_weights(table: Node, fweights: Operand | None, aweights: Operand | None) -> Node | None:
    product: Node | None = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        node = as_node(given)
        if node.shape != table.shape[1:]:
            raise ShapeError(
                f"cov: {name} has one weight an observation", saw=[table.describe(), node.describe()]
            )
        if name == "fweights" and node.dtype.kind not in "iu":
            raise DTypeError("cov: fweights are integers", saw=[node.describe()], hint="aweights")
        product = cast(node, table.dtype) if product is None else product * cast(node, table.dtype)
    return product


def _squeezed(matrix: Node) -> Node:
    return reshape(matrix, ()) if matrix.shape == (1, 1) else matrix


@composite
def corrcoef(x: Operand, y: Operand | None = None, rowvar: bool = True, *, dtype: Any = None) -> Node:
    """The matrix of correlations of variables, from observations of them: their covariances in units of their
    standard deviations, kept within [-1, 1].

    The gradient is that of this composition, and 0 outside [-1, 1], where only rounding leads. A variable that is
    constant correlates with none: nan.

    Parameters
    ----------
    x, y:
        Observations, one variable a row (a column if not `rowvar`); those of `y` are added to those of `x`.

    >>> gg.corrcoef(gg.input("x", (3, "n"))).shape
    (3, 3)
    """
    table = _variables(x, y, rowvar, dtype)
    deviation = called("deviation", table - called("average", mean(table, 1, keepdims=True)))
    scale = called("scale", sqrt(sum(square(deviation), 1, keepdims=True)))
    unit = called("unit", deviation / scale)
    return _squeezed(clip(matmul(unit, unit.T), -1, 1))


for _name, _function in {"var": var, "std": std}.items():
    bind(_name, _function)
