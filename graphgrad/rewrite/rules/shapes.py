"""Moves of elements that undo or follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, size_of
from graphgrad.rewrite.pattern import (
    broadcast_to,
    concatenate,
    expand_dims,
    index,
    reshape,
    squeeze,
    transpose,
)
from graphgrad.rewrite.rule import INTS, Declined, rule

_ALL = slice(None, None, 1)
_ANY = ("float32", *INTS)
Axes = tuple[int, ...]


def _unlike(x: Node, t: Shape) -> Declined | None:
    if x.size != size_of(t):
        return Declined("it does not show in the symbolic sizes that the numbers of elements agree")
    return None


def _other_axes(a: Axes, b: Axes) -> Declined | None:
    return None if a == b else Declined("other axes are put in than taken out")


def _without(shape: Sequence[Any], axes: Axes) -> Shape:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _with_ones(shape: Shape, axes: Axes) -> Shape:
    sizes = iter(shape)
    return tuple(1 if axis in axes else next(sizes) for axis in range(len(shape) + len(axes)))


def _squeezed_twice(x: Node, a: Axes, b: Axes) -> Node:
    left = _without(range(x.ndim), a)
    node: Node = squeeze(x, (*a, *(left[axis] for axis in b)))
    return node


def _expanded_twice(x: Node, a: Axes, b: Axes) -> Node:
    old = [axis for axis in range(x.ndim + len(a) + len(b)) if axis not in b]
    node: Node = expand_dims(x, (*b, *(old[axis] for axis in a)))
    return node


def _not_leading(a: Axes) -> Declined | None:
    return None if a == tuple(range(len(a))) else Declined("broadcasting puts axes in at the front only")


def _tangled(x: Node, i: Sequence[Any], j: Sequence[Any]) -> Declined | None:
    if None in i or None in j:
        return Declined("an axis is put in")
    if any(_ALL not in pair and _after(*pair) is None for pair in zip(_slices(i), j, strict=True)):
        return Declined("two slices of one axis, not both of neighbours counted from the start")
    if index(x, _merged(i, j)).shape != index(index(x, i), j).shape:
        return Declined("how many elements are left is said in another way")
    return None


def _after(first: slice, then: Any) -> Any:
    """One item for a slice and one after it; None if it takes more to say than their bounds."""
    bounds = [item for one in (first, then) if isinstance(one, slice) for item in (one.start, one.stop)]
    bounds += [then] if not isinstance(then, slice) else []
    if any(not (item is None or (isinstance(item, int) and item >= 0)) for item in bounds):
        return None
    if first.step != 1 or (isinstance(then, slice) and then.step != 1):
        return None
    start = first.start or 0
    if not isinstance(then, slice):
        return start + then
    ends = [first.stop, None if then.stop is None else start + then.stop]
    return slice(start + (then.start or 0), min((end for end in ends if end is not None), default=None), 1)


def _slices(items: Sequence[Any]) -> list[Any]:
    """The items that leave an axis."""
    return [item for item in items if isinstance(item, slice)]


def _merged(i: Sequence[Any], j: Sequence[Any]) -> tuple[Any, ...]:
    """One index for one after the other."""
    later = iter(j)
    items = []
    for item in i:
        other = next(later) if isinstance(item, slice) else _ALL
        items.append(other if item == _ALL else item if other == _ALL else _after(item, other))
    return tuple(items)


def _takes_something(a: Axes, i: Sequence[Any]) -> Declined | None:
    taken = all(
        item in (0, -1) and not isinstance(item, slice) if at in a else item == _ALL
        for at, item in enumerate(i)
    )
    return (
        None if taken and None not in i else Declined("it takes more or less than the axes that were put in")
    )


RULES = (
    rule(
        "reshape_reshape",
        lambda x, s, t: reshape(reshape(x, s), t),
        lambda x, t: reshape(x, t),
        safety="exact",
        when=_unlike,
        dtypes=_ANY,
        examples=[
            {"x": (2, 3), "s": (6,), "t": (3, 2)},
            {"x": (2, 3), "s": (6,), "t": (2, 3)},
            {"x": ("n", 4), "s": ("4*n",), "t": ("2*n", 2)},
        ],
        declined=[{"x": ("n", 4), "s": ("(4*n) // 3", 3), "t": ("((4*n) // 3)*3",)}],
    ),
    rule(
        "reshape_expand",
        lambda x, a, t: reshape(expand_dims(x, a), t),
        lambda x, t: reshape(x, t),
        safety="exact",
        dtypes=_ANY,
        examples=[{"x": (2, 3), "a": (1,), "t": (6,)}, {"x": ("n", 3), "a": (0,), "t": ("3*n",)}],
    ),
    rule(
        "reshape_squeeze",
        lambda x, a, t: reshape(squeeze(x, a), t),
        lambda x, t: reshape(x, t),
        safety="exact",
        dtypes=_ANY,
        examples=[{"x": (2, 1, 3), "a": (1,), "t": (6,)}, {"x": (1, "n", 3), "a": (0,), "t": ("3*n",)}],
    ),
    rule(
        "squeeze_reshape",
        lambda x, s, a: squeeze(reshape(x, s), a),
        lambda x, s, a: reshape(x, _without(s, a)),
        safety="exact",
        dtypes=_ANY,
        after="reshape(x, shape=s without a)",
        examples=[{"x": (6,), "s": (2, 1, 3), "a": (1,)}, {"x": ("n", 2), "s": (1, "2*n"), "a": (0,)}],
    ),
    rule(
        "expand_reshape",
        lambda x, s, a: expand_dims(reshape(x, s), a),
        lambda x, s, a: reshape(x, _with_ones(s, a)),
        safety="exact",
        dtypes=_ANY,
        after="reshape(x, shape=s with a)",
        examples=[{"x": (6,), "s": (2, 3), "a": (0, 2)}, {"x": ("n", 2), "s": ("2*n",), "a": (1,)}],
    ),
    rule(
        "transpose_transpose",
        lambda x, p, q: transpose(transpose(x, p), q),
        lambda x, p, q: transpose(x, tuple(p[axis] for axis in q)),
        safety="exact",
        dtypes=_ANY,
        after="transpose(x, axes=p in the order q)",
        examples=[
            {"x": (2, 3), "p": (1, 0), "q": (1, 0)},
            {"x": ("n", 2, 3), "p": (1, 2, 0), "q": (0, 2, 1)},
        ],
    ),
    rule(
        "squeeze_expand",
        lambda x, a, b: squeeze(expand_dims(x, a), b),
        lambda x: x,
        safety="exact",
        dtypes=_ANY,
        when=_other_axes,
        examples=[{"x": (2, 3), "a": (1,), "b": (1,)}, {"x": ("n",), "a": (0, 2), "b": (0, 2)}],
        declined=[{"x": (1, 3), "a": (0,), "b": (1,)}],
    ),
    rule(
        "expand_squeeze",
        lambda x, a, b: expand_dims(squeeze(x, a), b),
        lambda x: x,
        safety="exact",
        dtypes=_ANY,
        when=_other_axes,
        examples=[{"x": (2, 1, 3), "a": (1,), "b": (1,)}, {"x": (1, "n", 1), "a": (0, 2), "b": (0, 2)}],
        declined=[{"x": (1, 3), "a": (0,), "b": (1,)}],
    ),
    rule(
        "squeeze_squeeze",
        lambda x, a, b: squeeze(squeeze(x, a), b),
        _squeezed_twice,
        safety="exact",
        dtypes=_ANY,
        after="squeeze(x, axes=a and b)",
        examples=[{"x": (1, 2, 1), "a": (0,), "b": (1,)}, {"x": (1, "n", 1, 1), "a": (2,), "b": (0, 2)}],
    ),
    rule(
        "expand_expand",
        lambda x, a, b: expand_dims(expand_dims(x, a), b),
        _expanded_twice,
        safety="exact",
        dtypes=_ANY,
        after="expand_dims(x, axes=a and b)",
        examples=[{"x": (2,), "a": (0,), "b": (1,)}, {"x": ("n", 2), "a": (0, 2), "b": (1, 3)}],
    ),
    rule(
        "broadcast_broadcast",
        lambda x, s, t: broadcast_to(broadcast_to(x, s), t),
        lambda x, t: broadcast_to(x, t),
        safety="exact",
        dtypes=_ANY,
        examples=[
            {"x": (3,), "s": (2, 3), "t": (4, 2, 3)},
            {"x": (), "s": (1,), "t": ("n",), "with": ("n",)},
        ],
    ),
    rule(
        "broadcast_expand",
        lambda x, a, t: broadcast_to(expand_dims(x, a), t),
        lambda x, t: broadcast_to(x, t),
        safety="exact",
        dtypes=_ANY,
        when=lambda a: _not_leading(a),
        examples=[{"x": (3,), "a": (0,), "t": ("n", 3), "with": ("n",)}],
        declined=[{"x": (3,), "a": (1,), "t": (3, 2)}],
    ),
    rule(
        "index_index",
        lambda x, i, j: index(index(x, i), j),
        lambda x, i, j: index(x, _merged(i, j)),
        safety="exact",
        when=_tangled,
        dtypes=_ANY,
        after="index(x, index=i and j)",
        examples=[
            {"x": (4, 5), "i": (1,), "j": (slice(1, 3),)},
            {"x": ("n", 5, 3), "i": (slice(None), 2), "j": (slice(1, None), 0)},
            {"x": (4, 5), "i": (slice(0, 2),), "j": (slice(None), 1)},
            {
                "x": ("n + 3", 5),
                "i": (slice(1, None), slice(1, 4)),
                "j": (slice(2, None), slice(1, 2)),
                "with": ("n",),
            },
            {"x": (5,), "i": (slice(1, 3),), "j": (1,)},
        ],
        declined=[
            {"x": (6, 5), "i": (slice(0, 6, 2),), "j": (slice(1, 2),)},
            {"x": (4, 5), "i": (None, 1), "j": (0,)},
            {"x": ("n", 3), "i": (slice(1, None),), "j": (slice(None, 0),)},
        ],
    ),
    rule(
        "index_expand",
        lambda x, a, i: index(expand_dims(x, a), i),
        lambda x: x,
        safety="exact",
        when=_takes_something,
        dtypes=_ANY,
        examples=[{"x": (3,), "a": (1,), "i": (slice(None), 0)}, {"x": ("n", 2), "a": (0,), "i": (0,)}],
        declined=[{"x": (3,), "a": (1,), "i": (0,)}],
    ),
    rule(
        "concatenate_one",
        lambda x, a: concatenate([x], a),
        lambda x: x,
        safety="exact",
        dtypes=_ANY,
        examples=[{"x": (3,), "a": 0}, {"x": ("n", 2), "a": 1}],
    ),
)
