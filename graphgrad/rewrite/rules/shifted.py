"""Sums of exponentials, shifted by the largest so that nothing overflows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from graphgrad.core.node import Node
from graphgrad.ops.largest import highest_if_any
from graphgrad.rewrite.pattern import broadcast_to, exp, log, op, squeeze, stop_gradient, sum
from graphgrad.rewrite.rule import Example, Found, Outcome, Rule

Axes = tuple[int, ...]
_VIEWS = ("expand_dims", "reshape", "index", "broadcast_to")
_MOVES = ("index", "gather", "reshape", "transpose", "squeeze", "expand_dims")
"""What picks or moves elements, so that a logarithm may go before it."""
_ON_THE_WAY = frozenset({"stop_gradient", "where", "isfinite", "clip", "minimum", "maximum", *_VIEWS})
"""What may stand between the largest element and what is subtracted."""

clip = op("clip")


@dataclass(frozen=True)
class _Total:
    """``sum(exps, axes)``, in a shape that broadcasts against exps."""

    exps: Node
    axes: Axes
    inner: tuple[Node, ...]


def _is_new_axes(node: Node) -> bool:
    """Whether a view only puts axes of size 1 in."""
    if node.op.name == "index":
        return all(item is None or item == slice(None, None, 1) for item in node.attrs["index"])
    return node.op.name in ("expand_dims", "reshape")


def _total(node: Node) -> _Total | None:
    reduced = node.inputs[0] if node.inputs and _is_new_axes(node) else node
    if reduced.op.name != "sum":
        return None
    exps, axes = reduced.inputs[0], reduced.attrs["axes"]
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(exps.shape))
    if exps.op.name != "exp" or node.shape not in (kept, ()):
        return None
    return _Total(exps, axes, tuple(dict.fromkeys((node, reduced, exps))))


def _is_shifted(x: Node, axes: Axes) -> bool:
    """Whether the largest element along the axes was subtracted already."""
    if x.op.name != "subtract":
        return False
    pending = [x.inputs[1]]
    for _ in range(8):
        if not pending:
            return False
        node = pending.pop(0)
        if node.op.name in ("max", "highest"):
            return node.inputs[0] is x.inputs[0] and set(axes) <= set(node.attrs["axes"])
        if node.op.name in _ON_THE_WAY:
            pending += node.inputs
    return False


def _shift(x: Node, axes: Axes) -> Node:
    """The largest element, and a number where that is infinite: inf - inf would be nan where exp(x) is not."""
    limit = float(np.finfo(x.dtype).max)
    node: Node = stop_gradient(clip(highest_if_any(x, axes, True), -limit, limit))
    return node


def _log_sum_exp(node: Node, present: Collection[Node]) -> Outcome:
    total = node.inputs[0]
    if total.op.name not in ("sum", "mean") or total.inputs[0].op.name != "exp":
        return None
    exps, axes = total.inputs[0], total.attrs["axes"]
    x = exps.inputs[0]
    if not axes or _is_shifted(x, axes):
        return None
    shift = _shift(x, axes)
    result = log(op(total.op.name)(exp(x - shift), axes, True)) + shift
    return Found(result if total.attrs["keepdims"] else squeeze(result, axes), (total, exps))


def _parts(node: Node) -> tuple[Node, _Total] | None:
    """x and the sum, of ``exp(x) / sum(exp(x))``."""
    if node.op.name != "divide":
        return None
    total = _total(node.inputs[1])
    return None if total is None or total.exps is not node.inputs[0] else (total.exps.inputs[0], total)


def _log_softmax(node: Node, present: Collection[Node]) -> Outcome:
    moved = node.inputs[0]
    ratio = moved.inputs[0] if moved.op.name in _MOVES else moved
    parts = _parts(ratio)
    if parts is None:
        return None
    x, total = parts
    z = x if _is_shifted(x, total.axes) else x - _shift(x, total.axes)
    result = z - log(sum(exp(z), total.axes, True))
    inner = (ratio, *total.inner)
    if moved is ratio:
        return Found(result, inner)
    return Found(moved.op(result, *moved.inputs[1:], **moved.attrs), (moved, *inner))


def _softmax_of(x: Node, axes: Axes) -> Node:
    exps = exp(x - _shift(x, axes))
    node: Node = exps / sum(exps, axes, True)
    return node


def _softmax(node: Node, present: Collection[Node]) -> Outcome:
    parts = _parts(node)
    if parts is None or _is_shifted(parts[0], parts[1].axes):
        return None
    x, total = parts
    return Found(_softmax_of(x, total.axes), total.inner)


def _softmax_in_gradient(node: Node, present: Collection[Node]) -> Outcome:
    """A user's own gradient graph: ``exp(x)`` times something over their sum, in another order."""
    for exps, factor in (node.inputs, node.inputs[::-1]):
        views: list[Node] = []
        ratio = factor
        while ratio.op.name in _VIEWS and (ratio.op.name == "broadcast_to" or _is_new_axes(ratio)):
            views.append(ratio)
            ratio = ratio.inputs[0]
        if exps.op.name != "exp" or ratio.op.name != "divide":
            continue
        above, below = ratio.inputs
        bare = below.inputs[0] if below.inputs and _is_new_axes(below) else below
        if bare.op.name != "sum" or bare.inputs[0] is not exps or ratio.shape != below.shape:
            continue
        x, axes = exps.inputs[0], bare.attrs["axes"]
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(exps.shape))
        if factor.shape not in (kept, exps.shape, ()) or _is_shifted(x, axes) or not axes:
            continue
        if factor.shape == exps.shape != kept and not any(view.shape == kept for view in (*views, ratio)):
            continue
        scale = broadcast_to(above, ratio.shape)
        for view in reversed(views):
            scale = view.op(scale, **view.attrs)
        return Found(scale * _softmax_of(x, axes), tuple(dict.fromkeys((*views, ratio, below, bare, exps))))
    return None


_SHAPES: tuple[Example, ...] = (
    {"x": (2, 3), "a": (1,), "k": True},
    {"x": ("n", 3), "a": (1,), "k": True},
    {"x": (2, 3), "a": (0, 1), "k": False},
    {"x": (3,), "a": (0,), "k": False},
)
_REDUCED: tuple[Example, ...] = (*_SHAPES, {"x": (2, 3, 2), "a": (0, 2), "k": False})


def _rule(name: str, root: str, attempt, before: str, after: str, **more) -> Rule:  # type: ignore[no-untyped-def]
    return Rule(
        name=name,
        safety="widening",
        roots=(root,),
        needs=("exp",),
        attempt=attempt,
        before=before,
        after=after,
        variables=("x", "a", "k"),
        attributes=frozenset({"a", "k"}),
        **more,
    )


LOG_SUM_EXP = _rule(
    "log_sum_exp",
    "log",
    _log_sum_exp,
    "log(sum(exp(x), axes=a, keepdims=k))",
    "log(sum(exp(x - largest), axes=a, keepdims=k)) + largest; and so for mean",
    build=lambda x, a, k: log(sum(exp(x), a, k)),
    examples=_REDUCED,
)
LOG_SOFTMAX = _rule(
    "log_softmax",
    "log",
    _log_softmax,
    "log(exp(x) / sum(exp(x), axes=a, keepdims=True))",
    "z - log(sum(exp(z), axes=a, keepdims=True)), z = x - largest; and so where elements of the ratio are picked",
    build=lambda x, a, k: log(exp(x) / sum(exp(x), a, k)),
    examples=_SHAPES,
)
SOFTMAX = _rule(
    "softmax",
    "divide",
    _softmax,
    "exp(x) / sum(exp(x), axes=a, keepdims=True)",
    "exp(z) / sum(exp(z), axes=a, keepdims=True), z = x - largest",
    build=lambda x, a, k: exp(x) / sum(exp(x), a, k),
    examples=_SHAPES,
)
SOFTMAX_IN_GRADIENT = _rule(
    "softmax_in_gradient",
    "multiply",
    _softmax_in_gradient,
    "(g / sum(exp(x), axes=a, keepdims=True)) * exp(x)",
    "g * (exp(z) / sum(exp(z), axes=a, keepdims=True)), z = x - largest",
    build=lambda x, a, k: (2 / sum(exp(x), a, k)) * exp(x),
    examples=_SHAPES,
)
