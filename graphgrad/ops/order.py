"""Order statistics: the k-th smallest element, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.errors import ArgumentError, InvalidValueError, ShapeError, UnsupportedError
from graphgrad.core.form import ATOM, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.arithmetic import multiply
from graphgrad.ops.compare import equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.join import concatenate
from graphgrad.ops.leaf import Operand, const, run_time_size
from graphgrad.ops.movement import expand_dims, normal_axis, reshape
from graphgrad.ops.permute import transpose
from graphgrad.ops.reduce import Axis, arguments, count, reduced_shape
from graphgrad.ops.rounding import floor

# ---- order_statistic ------------------------------------------------------------------------------


def _place(fraction: float, side: str, size: int) -> int:
    position = fraction * (size - 1)
    return math.floor(position) if side == "lower" else math.ceil(position)


def _statistic_spec(x: Spec, *, axis: int, fraction: float, side: str) -> Spec:
    if x.shape[axis] == 0:
        raise ShapeError("there is nothing to choose from along an axis of size 0")
    return Spec(reduced_shape(x.shape, (axis,), False), x.dtype)


def _statistic_axes(x: Spec, *, axis: int, fraction: float, side: str) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(WHOLE if at == axis else at - (at > axis) for at in range(len(x.shape))),)


def _statistic_reference(
    x: np.ndarray[Any, Any], *, axis: int, fraction: float, side: str
) -> np.ndarray[Any, Any]:
    ordered = np.sort(x, axis)
    found = np.take(ordered, _place(fraction, side, x.shape[axis]), axis)
    if x.dtype.kind != "f":
        return np.asarray(found)
    return np.asarray(np.where(np.isnan(x).any(axis), np.nan, found).astype(x.dtype))


def _spell_statistic(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    axis, fraction, side = (node.attrs[name] for name in ("axis", "fraction", "side"))
    size = node.inputs[0].shape[axis]
    if isinstance(size, int):
        place = str(_place(fraction, side, size))
    elif side == "lower":
        place = f"int({fraction!r} * ({parts[0].at(ATOM)}.shape[{axis}] - 1))"
    else:
        place = f"-int({-fraction!r} * ({parts[0].at(ATOM)}.shape[{axis}] - 1) // 1)"
    before = ", ".join([":"] * axis + [""])
    if node.dtype.kind != "f":
        return Lines((f"{{out}} = np.partition({parts[0].text}, {place}, axis={axis})[{before}{place}]",))
    return Lines((
        f"{{out}} = np.partition({parts[0].text}, [{place}, -1], axis={axis})",  # nan comes last
        f"{{out}} = np.where(np.isnan({{out}}[{before}-1]), np.nan, {{out}}[{before}{place}])",
    ))  # fmt: skip


def _statistic_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for fraction, side in ((0.5, "lower"), (0.5, "higher"), (0.3, "lower"), (1.0, "higher"), (0.0, "lower")):
        yield Sample((rng.normal(size=(4, 6)),), {"axis": 1, "fraction": fraction, "side": side})
    yield Sample((rng.normal(size=(4, 6)),), {"axis": 0, "fraction": 0.4, "side": "higher"})
    yield Sample((rng.normal(size=(2, 5, 3)),), {"axis": -2, "fraction": 0.9, "side": "higher"})
    yield Sample((rng.normal(size=(5,)),), {"axis": 0, "fraction": 0.2, "side": "lower"})
    yield Sample((rng.normal(size=(3, 0)),), {"axis": 0, "fraction": 0.5, "side": "lower"})


def _winners(y: Node, x: Node, axis: int) -> tuple[Node, Node]:
    won = equal(x, expand_dims(y, axis))
    return won, apply("sum", cast(won, x.dtype), axes=(axis,), keepdims=True)


def _statistic_vjp(g: Node, y: Node, x: Node, axis: int, fraction: float, side: str) -> Node:
    won, ties = _winners(y, x, axis)
    return where(won, expand_dims(g, axis) / ties, 0)


def _statistic_jvp(t: Node, y: Node, x: Node, axis: int, fraction: float, side: str) -> Node:
    won, ties = _winners(y, x, axis)
    return apply("sum", where(won, t / ties, 0), axes=(axis,), keepdims=False)


@defop(
    infer=_statistic_spec,
    axes=_statistic_axes,
    reference=_statistic_reference,
    numpy=_spell_statistic,
    vjp={"x": _statistic_vjp},
    jvp={"x": _statistic_jvp},
    samples=_statistic_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"axis": 2, "fraction": 0.5, "side": "lower"}, ShapeError, "axis 2"),
        Fault((((0, 3), "float32"),), {"axis": 0, "fraction": 0.5, "side": "lower"}, ShapeError, "nothing"),
        Fault(
            (((3,), "float32"),), {"axis": 0, "fraction": 1.5, "side": "lower"}, InvalidValueError, "0 to 1"
        ),
    ),
    rule={"x": "G to the element that was taken, ties share"},
    noun="ranked",
    operands=("x",),
    is_expression=False,
    cost=lambda inputs, result: inputs[0].size * 10,
)
def order_statistic(x: Operand, axis: int, fraction: float, side: str) -> Node:
    """The element that stands at ``fraction * (n - 1)`` when those along an axis are sorted, or else the "lower" or
    "higher" of those beside; nan if there is one. Equal elements share the gradient.

    >>> order_statistic(gg.input("x", ("batch", 9)), 1, 0.5, "lower").shape
    (Dim('batch'),)
    """
    node, _ = arguments(x, None, False)
    if not 0 <= fraction <= 1:
        raise InvalidValueError(f"a quantile is a number from 0 to 1, not {fraction}", saw=[node.describe()])
    return apply(
        "order_statistic", node, axis=normal_axis(axis, node.ndim), fraction=float(fraction), side=side
    )


# ---- quantiles ------------------------------------------------------------------------------------


def _merged(x: Node, axes: tuple[int, ...]) -> tuple[Node, int]:
    """An array in which the axes are one, and which: the last if there were several."""
    if len(axes) == 1:
        return x, axes[0]
    order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
    moved = x if order == tuple(range(x.ndim)) else transpose(x, order)
    kept = x.ndim - len(axes)
    return reshape(moved, (*moved.shape[:kept], count(x, axes))), kept


def _share_of_higher(size: Size, fraction: float, method: str, like: Node) -> Node | float:
    """How much of the result is the element above the position."""
    if method in ("lower", "higher", "midpoint"):
        return {"lower": 0.0, "higher": 1.0, "midpoint": 0.5}[method]
    if isinstance(size, int):
        position = fraction * (size - 1)
        return position - math.floor(position)
    wide = multiply(run_time_size(size, "float64") - 1, const(fraction, "float64"))
    return cast(wide - floor(wide), like.dtype)


def _one_quantile(x: Node, axis: int, fraction: float, method: str) -> Node:
    size = x.shape[axis]
    share = _share_of_higher(size, fraction, method, x)
    if isinstance(size, int) and size and _place(fraction, "lower", size) == _place(fraction, "higher", size):
        share = 0.0
    if isinstance(share, float) and share in (0.0, 1.0):
        return order_statistic(x, axis, fraction, "higher" if share else "lower")
    low = order_statistic(x, axis, fraction, "lower")
    high = order_statistic(x, axis, fraction, "higher")
    return (low + high) * 0.5 if method == "midpoint" else low + (high - low) * share


_METHODS = ("linear", "lower", "higher", "midpoint")


def _quantiles(x: Operand, fractions: Any, axis: Axis, method: str, keepdims: bool) -> Node:
    if method not in _METHODS:
        raise UnsupportedError(
            f"quantile: method {method!r:.60} is not supported", hint=" or ".join(_METHODS)
        )
    if isinstance(fractions, Node):
        raise UnsupportedError("quantile: q is a number or an array of numbers, not a node")
    wanted = np.asarray(fractions, np.float64)
    node, attrs = arguments(x, axis, keepdims)
    axes = attrs["axes"]
    if node.dtype.kind != "f" and method not in ("lower", "higher"):
        node = cast(node, "float64")
    if wanted.ndim > 1:
        raise ArgumentError("quantile: q has at most 1 dimension", saw=[node.describe()])
    found = [_one_quantile(*_merged(node, axes), float(fraction), method) for fraction in wanted.ravel()]
    shape = reduced_shape(node.shape, axes, bool(keepdims))
    shaped = [reshape(one, shape) for one in found]
    return shaped[0] if wanted.ndim == 0 else concatenate([expand_dims(one, 0) for one in shaped], 0)


@composite
def quantile(
    x: Operand, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Node:
    """Quantiles over one axis, several, or all: what a share `q` of the elements is below; nan if there is one.

    It lies between two elements, which get their shares of the gradient; equal elements share evenly. Of integers it
    is a float64, unless it is one of them; float32 stays float32, also with several `q`.

    Parameters
    ----------
    q:
        A number from 0 to 1, or a list of them, which becomes the first axis.
    method:
        "linear" between the two elements, "lower", "higher" or "midpoint".

    Raises
    ------
    InvalidValueError, UnsupportedError
        If `q` is no share, or a node; if the method is another one.

    >>> gg.quantile(gg.input("x", ("batch", 9)), [0.25, 0.75], axis=1).shape
    (2, Dim('batch'))
    """
    return _quantiles(x, q, axis, method, keepdims)


@composite
def percentile(
    x: Operand, q: Any, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Node:
    """`quantile` with `q` from 0 to 100, and the same gradient.

    >>> gg.percentile(gg.input("x", ("batch", 9)), 90, axis=1).shape
    (Dim('batch'),)
    """
    if isinstance(q, Node):
        raise UnsupportedError("percentile: q is a number or an array of numbers, not a node")
    return _quantiles(x, np.true_divide(q, 100), axis, method, keepdims)


@composite
def median(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The middle element over one axis, several, or all, or the mean of the two; nan if there is one.

    The gradient goes to the middle element or half of it to either; equal elements share evenly. Of integers it is a
    float64.

    >>> gg.median(gg.input("x", ("batch", 9)), axis=1).shape
    (Dim('batch'),)
    """
    return _quantiles(x, 0.5, axis, "midpoint", keepdims)
