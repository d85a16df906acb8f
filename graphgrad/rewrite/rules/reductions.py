"""Reductions of what was moved, repeated, negated or reduced before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.rewriting import Safety
from graphgrad.core.spec import Shape, size_of
from graphgrad.rewrite.pattern import broadcast_to, expand_dims, op, reshape, squeeze, sum, transpose
from graphgrad.rewrite.rule import Declined, Example, Rule, rule

Axes = tuple[int, ...]
_FAMILY: tuple[tuple[str, Safety], ...] = (
    ("sum", "rounding"),
    ("mean", "rounding"),
    ("max", "exact"),
    ("min", "exact"),
)
_SAME: tuple[Example, ...] = tuple(
    {"x": shape, "a": axes, "b": axes}
    for shape, axes in (((2, 3), (1,)), (("n", 2, 3), (0, 2)), ((3,), (0,)))
)


def _other_axes(a: Axes, b: Axes) -> Declined | None:
    return None if a == b else Declined("other axes than were reduced")


# ---- axes of size 1, and none ----


def _not_some(x: Node, a: Axes, b: Axes) -> Declined | None:
    return _other_axes(a, b) or (Declined("all is reduced to a number") if len(a) == x.ndim else None)


def _of_all(name: str) -> Rule:
    reduce = op(name)
    return rule(
        f"{name}_of_all",
        lambda x, a, k: reduce(x, a, k),
        lambda x, a: expand_dims(reduce(x, a, False), a),
        safety="exact",
        when=lambda x, a, k: bool(k and a) and len(a) == x.ndim,
        dtypes=_dtypes(name),
        before=f"{name}(x, axes=all, keepdims=True)",
        examples=[{"x": (3,), "a": (0,), "k": True}, {"x": ("n", 2), "a": (0, 1), "k": True}],
    )


def _are_one(reduce: Callable[..., Node], x: Node, a: Axes, k: bool) -> bool:
    return all(x.shape[axis] == 1 for axis in a) and reduce(x, a, k).dtype == x.dtype


# ---- of transposed arrays ----


def _out_of_order(p: Axes, a: Axes, k: bool) -> Declined | None:
    left = [axis for at, axis in enumerate(p) if at not in a]
    if left != sorted(left) or (k and left):
        return Declined("the axes that are left are in another order")
    return None


def _before(p: Axes, a: Axes) -> Axes:
    """The axes before transposing."""
    return tuple(sorted(p[axis] for axis in a))


# ---- of reshaped arrays ----


def _keeps_some(s: Shape, a: Axes, k: bool) -> Declined | None:
    return Declined("not everything is reduced") if k or len(a) != len(s) else None


def _not_all_new(e: Axes, a: Axes, k: bool) -> Declined | None:
    if k or any(axis not in a for axis in e):
        return Declined("an axis that was put in is left")
    return None


def _old_axes(x: Node, e: Axes, a: Axes) -> Axes:
    old = [axis for axis in range(x.ndim + len(e)) if axis not in e]
    return tuple(old.index(axis) for axis in a if axis in old)


# ---- of repeated arrays ----


def _stretched(x: Node, s: Shape) -> Axes:
    """The axes of a broadcast array along which it repeats itself."""
    lead = len(s) - x.ndim
    return tuple(
        axis for axis, size in enumerate(s) if axis < lead or (x.shape[axis - lead] == 1 and size != 1)
    )


def _not_repeated(x: Node, s: Shape, a: Axes) -> Declined | None:
    if not a or any(axis not in _stretched(x, s) for axis in a):
        return Declined("elements that differ are reduced, too")
    count = size_of(tuple(s[axis] for axis in a))
    return None if isinstance(count, int) else Declined("the size may be 0, and 0 * inf is nan")


def _not_added(x: Node, s: Shape, a: Axes) -> Declined | None:
    """As `_not_repeated`, where the count has to be a number of x's dtype."""
    refused = _not_repeated(x, s, a)
    if refused is not None:
        return refused
    count = size_of(tuple(s[axis] for axis in a))
    if x.dtype.kind != "f" or not isinstance(count, int) or count > 2 ** np.finfo(x.dtype).nmant:
        return Declined(f"{x.dtype} does not hold the number of elements")
    return None


def _one_of_each(x: Node, s: Shape, a: Axes, k: bool) -> Node:
    """x without what was repeated and reduced, in the shape of the reduction."""
    shape = tuple(1 if axis in a else size for axis, size in enumerate(s))
    if k:
        return _node(broadcast_to(x, shape))
    lead = len(s) - x.ndim
    inner = tuple(axis - lead for axis in a if axis >= lead)
    return _node(broadcast_to(squeeze(x, inner), tuple(size for axis, size in enumerate(s) if axis not in a)))


def _sum_of_repeated(x: Node, s: Shape, a: Axes, k: bool) -> Node:
    one, count = _one_of_each(x, s, a, k), size_of(tuple(s[axis] for axis in a))
    return one if count == 1 or not isinstance(count, int) else one * float(count)


def _node(made: Any) -> Node:
    node: Node = made
    return node


# ---- of sums ----


def _apart(a: Axes, k: bool, b: Axes, m: bool) -> Declined | None:
    if (k and m) or (not k and not m) or (k and not m and all(axis in b for axis in a)):
        return None
    return Declined("one keeps its axes and the other does not")


def _sum_once(x: Node, a: Axes, k: bool, b: Axes, m: bool) -> Node:
    left = [axis for axis in range(x.ndim) if k or axis not in a]
    axes = tuple(sorted({*a, *(left[axis] for axis in b)}))
    return _node(sum(x, axes, m))


def _dtypes(name: str) -> tuple[str, ...]:
    return ("float32", "float64") if name in ("mean", "highest") else ("float32", "float64", "int32")


def _of_one(name: str) -> Rule:
    """Not of sums and means: of one -0.0 they are 0.0, and a division by that gives another infinity."""
    reduce = op(name)
    return rule(
        f"{name}_of_one",
        lambda x, a, k: reduce(x, a, k),
        lambda x, a, k: x if k else squeeze(x, a),
        safety="exact",
        when=lambda x, a, k: _are_one(reduce, x, a, k),
        after="x without these axes",
        examples=[
            {"x": (2, 1), "a": (1,), "k": False},
            {"x": ("n", 1, 1), "a": (1, 2), "k": True},
            {"x": (3,), "a": (), "k": False},
        ],
        declined=[{"x": (2, 3), "a": (1,), "k": False}],
    )


def _of_axes(name: str, safety: Safety) -> tuple[Rule, ...]:
    """Axes of size 1 before and after a reduction."""
    reduce = op(name)
    return (
        rule(
            f"squeeze_{name}",
            lambda x, a, b: squeeze(reduce(x, a, True), b),
            lambda x, a: reduce(x, a, False),
            safety="exact",
            when=_other_axes,
            dtypes=_dtypes(name),
            examples=_SAME,
            declined=[{"x": (1, 3), "a": (1,), "b": (0,)}],
        ),
        rule(
            f"expand_{name}",
            lambda x, a, b: expand_dims(reduce(x, a, False), b),
            lambda x, a: reduce(x, a, True),
            safety="exact",
            when=_not_some,
            dtypes=_dtypes(name),
            examples=_SAME[:2],
            declined=[{"x": (2, 3), "a": (1,), "b": (0,)}, {"x": (3,), "a": (0,), "b": (0,)}],
        ),
    )


def _of_moved(name: str) -> tuple[Rule, ...]:
    """Reductions of elements that were moved; the order tells which zero is the largest of 0.0 and -0.0."""
    reduce = op(name)
    return (
        rule(
            f"{name}_transpose",
            lambda x, p, a, k: reduce(transpose(x, p), a, k),
            lambda x, p, a, k: reduce(x, _before(p, a), k),
            safety="rounding",
            when=_out_of_order,
            dtypes=_dtypes(name),
            after=f"{name}(x, axes=the same before p, keepdims=k)",
            examples=[
                {"x": (2, 3), "p": (1, 0), "a": (0,), "k": False},
                {"x": (2, 3), "p": (1, 0), "a": (0, 1), "k": True},
                {"x": ("n", 2, 3), "p": (2, 0, 1), "a": (0, 1), "k": False},
            ],
            declined=[{"x": (2, 3, 4), "p": (2, 1, 0), "a": (0,), "k": False}],
        ),
        rule(
            f"{name}_reshape",
            lambda x, s, a, k: reduce(reshape(x, s), a, k),
            lambda x: reduce(x, tuple(range(x.ndim)), False),
            safety="rounding",
            when=lambda s, a, k: _keeps_some(s, a, k),
            dtypes=_dtypes(name),
            after=f"{name}(x) of all",
            examples=[
                {"x": (2, 3), "s": (6,), "a": (0,), "k": False},
                {"x": ("n", 2), "s": ("2*n",), "a": (0,), "k": False},
            ],
            declined=[{"x": (2, 3), "s": (3, 2), "a": (0,), "k": False}],
        ),
        rule(
            f"{name}_expand",
            lambda x, e, a, k: reduce(expand_dims(x, e), a, k),
            lambda x, e, a: reduce(x, _old_axes(x, e, a), False),
            safety="rounding",
            when=_not_all_new,
            dtypes=_dtypes(name),
            after=f"{name}(x, axes=a without e, keepdims=False)",
            examples=[
                {"x": (2, 3), "e": (1,), "a": (1, 2), "k": False},
                {"x": ("n", 3), "e": (0,), "a": (0, 1), "k": False},
            ],
            declined=[{"x": (2, 3), "e": (1,), "a": (2,), "k": False}],
        ),
    )


def _of_repeated(name: str, safety: Safety) -> Rule:
    """Reductions of what is repeated."""
    reduce = op(name)
    adds = name == "sum"
    integers = {"x": (3,), "s": (2, 3), "a": (0,), "k": False, "dtype": "int32"}
    return rule(
        f"{name}_broadcast",
        lambda x, s, a, k: reduce(broadcast_to(x, s), a, k),
        _sum_of_repeated if adds else _one_of_each,
        safety="widening" if name == "mean" else safety,
        when=_not_added if adds else _not_repeated,
        after="x times the number of repetitions" if adds else "x",
        examples=[
            {"x": (3,), "s": (4, 3), "a": (0,), "k": False},
            {"x": (2, 1), "s": (2, 3), "a": (1,), "k": True},
            {"x": ("n", 1), "s": (2, "n", 3), "a": (0, 2), "k": False},
            {"x": (), "s": (5, 2), "a": (1,), "k": False},
        ],
        declined=[
            {"x": (3,), "s": ("n", 3), "a": (0,), "k": False, "with": ("n",)},
            {"x": (3,), "s": (4, 3), "a": (0, 1), "k": False},
            *([integers] if adds else []),
        ],
    )


def _reduces_nothing(x: Node, a: Axes) -> Declined | None:
    if size_of(tuple(x.shape[axis] for axis in a)) == 1:
        return Declined("as many numbers are negated afterwards")
    return None


def _of_negative(name: str) -> Rule:
    reduce = op(name)
    return rule(
        f"{name}_negative",
        lambda x, a, k: reduce(-x, a, k),
        lambda x, a, k: -reduce(x, a, k),
        safety="rounding",
        when=_reduces_nothing,
        examples=[{"x": (2, 3), "a": (0,), "k": False}, {"x": ("n", 3), "a": (0, 1), "k": True}],
        declined=[{"x": (2, 1), "a": (1,), "k": False}],
    )


RULES = (
    *(one for name, safety in _FAMILY for one in _of_axes(name, safety)),
    *(_of_one(name) for name, _ in _FAMILY if name not in ("sum", "mean")),
    *(one for name, _ in _FAMILY for one in _of_moved(name)),
    *(_of_repeated(name, safety) for name, safety in _FAMILY),
    rule(
        "sum_sum",
        lambda x, a, k, b, m: sum(sum(x, a, k), b, m),
        _sum_once,
        safety="rounding",
        when=_apart,
        dtypes=("float32", "float64", "int32"),
        after="sum(x, axes=a and b, keepdims=m)",
        examples=[
            {"x": (2, 3), "a": (0,), "k": False, "b": (0,), "m": False},
            {"x": ("n", 3, 2), "a": (1,), "k": True, "b": (0,), "m": True},
            {"x": ("n", 3, 2), "a": (1,), "k": True, "b": (0, 1), "m": False},
        ],
        declined=[{"x": (2, 3), "a": (0,), "k": False, "b": (0,), "m": True}],
    ),
    *map(_of_negative, ("sum", "mean")),
)

NUMBERS = tuple(_of_all(name) for name in ("sum", "mean", "max", "min", "highest"))
"""At the end: a number and not an array of one element, which NumPy's functions take less time with."""
