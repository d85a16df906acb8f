"""Parts of what was joined, and what was taken apart and joined again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from graphgrad.core.dim import Size, add, at_least, multiply, named_size
from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import concatenate, index, op
from graphgrad.rewrite.rule import INTS, Declined, Found, Outcome, Rule

stack = op("stack")
_ALL = slice(None, None, 1)
_N = named_size("n")
_ANY = ("float32", *INTS)


def _bounds(item: Any, size: Size) -> tuple[Size, Size] | None:
    """Where a slice of consecutive elements starts and ends, counted from the start; None for other items."""
    if not isinstance(item, slice) or item.step != 1:
        return None
    start, stop = 0 if item.start is None else item.start, size if item.stop is None else item.stop
    return (start, stop) if at_least(start, 0) and at_least(stop, 0) else None


def _part_of_joined(node: Node, present: Collection[Node]) -> Outcome:
    """What a slice or a number takes of one part alone."""
    (whole,), items = node.inputs, node.attrs["index"]
    if whole.op.name != "concatenate" or None in items:
        return None
    axis = whole.attrs["axis"]
    first: Size = 0
    item = items[axis]
    span = (item, item + 1) if isinstance(item, int) and item >= 0 else _bounds(item, whole.shape[axis])
    if span is None:
        return Declined("which part it is in depends on sizes that are not known")
    for part in whole.inputs:
        end = add(first, part.shape[axis])
        if at_least(span[0], first) and at_least(end, span[1]):
            before = multiply(first, -1)
            starts, stops = (add(bound, before) for bound in span)
            own: Any = starts if isinstance(item, int) else slice(starts, stops, 1)
            return Found(_taken(part, [*items[:axis], own, *items[axis + 1 :]]), (whole,))
        if not at_least(span[0], end) and not at_least(end, span[0]):
            return Declined("which part it is in depends on sizes that are not known")
        first = end
    return Declined("it takes elements of several parts")


def _taken(x: Node, items: Sequence[Any]) -> Node:
    """x[items], which is x if they take everything."""
    plain = tuple(
        _ALL if isinstance(item, slice) and _bounds(item, size) == (0, size) else item
        for item, size in zip(items, x.shape, strict=True)
    )
    node: Node = x if all(item == _ALL for item in plain) else index(x, plain)
    return node


def _part_of_stack(node: Node, present: Collection[Node]) -> Outcome:
    (whole,), items = node.inputs, node.attrs["index"]
    if whole.op.name != "stack" or None in items:
        return None
    axis = whole.attrs["axis"]
    if not isinstance(items[axis], int):
        return Declined("it takes several parts")
    return Found(_taken(whole.inputs[items[axis]], [*items[:axis], *items[axis + 1 :]]), (whole,))


def _joined_again(node: Node, present: Collection[Node]) -> Outcome:
    """Neighbouring slices of one array, in their order."""
    axis, parts = node.attrs["axis"], node.inputs
    if any(part.op.name != "index" for part in parts) or len({part.inputs[0] for part in parts}) > 1:
        return None
    x = parts[0].inputs[0]
    spans = []
    for part in parts:
        items = part.attrs["index"]
        span = _bounds(items[axis], x.shape[axis]) if len(items) == x.ndim == node.ndim else None
        if span is None or items[:axis] + items[axis + 1 :] != (_ALL,) * (x.ndim - 1):
            return None
        spans.append(span)
    if any(one[1] != other[0] for one, other in pairwise(spans)):
        return Declined("the slices are no neighbours, or in another order")
    items = [_ALL] * x.ndim
    items[axis] = slice(spans[0][0], spans[-1][1], 1)
    return Found(_taken(x, items), tuple(dict.fromkeys(parts)))


def _joined_once(node: Node, present: Collection[Node]) -> Outcome:
    """What is joined along the same axis before."""
    axis = node.attrs["axis"]
    inner = [part for part in node.inputs if part.op.name == "concatenate" and part.attrs["axis"] == axis]
    if not inner:
        return None
    parts = [one for part in node.inputs for one in (part.inputs if part in inner else (part,))]
    return Found(concatenate(parts, axis), tuple(dict.fromkeys(inner)))


def _items(*items: Any) -> tuple[Any, ...]:
    return tuple(slice(item[0], item[1], 1) if isinstance(item, tuple) else item for item in items)


RULES = (
    Rule(
        name="part_of_concatenated",
        safety="exact",
        roots=("index",),
        needs=("index", "concatenate"),
        attempt=_part_of_joined,
        before="index(concatenate([x, y], axis=a), index=i), i within x or y",
        after="index(x, index=i), or of y",
        dtypes=_ANY,
        build=lambda x, y, a, i: index(concatenate([x, y], a), i),
        variables=("x", "y", "a", "i"),
        attributes=frozenset({"a", "i"}),
        examples=(
            {"x": (2, 3), "y": (2, 4), "a": 1, "i": _items((None, None), (0, 3))},
            {"x": (2, 3), "y": (2, 4), "a": 1, "i": _items(1, (4, 6))},
            {"x": ("n", 3), "y": ("n", 4), "a": 1, "i": _items((None, None), 5)},
            {"x": (3,), "y": ("n",), "a": 0, "i": _items((1, 3))},
            {"x": ("n", 2), "y": ("n", 2), "a": 0, "i": _items((_N, 2 * _N), (0, 1))},
            {"x": ("n",), "y": (3,), "a": 0, "i": _items((_N + 1, _N + 3))},
            {"x": ("n",), "y": ("n",), "a": 0, "i": _items((None, _N))},
        ),
        declined=(
            {"x": (2, 3), "y": (2, 4), "a": 1, "i": _items((None, None), (2, 5))},
            {"x": (3,), "y": ("n",), "a": 0, "i": _items((1, None))},
            {"x": ("n",), "y": ("n",), "a": 0, "i": _items((_N - 1, _N + 1))},
            {"x": ("n",), "y": (3,), "a": 0, "i": _items(2)},
        ),
    ),
    Rule(
        name="part_of_stacked",
        safety="exact",
        roots=("index",),
        needs=("index", "stack"),
        attempt=_part_of_stack,
        before="index(stack([x, y], axis=a), index=i), one number along a",
        after="x or y, and the rest of the index",
        dtypes=_ANY,
        build=lambda x, y, a, i: index(stack([x, y], a), i),
        variables=("x", "y", "a", "i"),
        attributes=frozenset({"a", "i"}),
        examples=(
            {"x": (2, 3), "y": (2, 3), "a": 0, "i": _items(1, (None, None), (None, None))},
            {"x": ("n", 3), "y": ("n", 3), "a": 1, "i": _items((None, None), -2, 0)},
        ),
        declined=({"x": (3,), "y": (3,), "a": 0, "i": _items((None, None), 0)},),
    ),
    Rule(
        name="neighbours_joined",
        safety="exact",
        roots=("concatenate",),
        needs=("index", "concatenate"),
        attempt=_joined_again,
        before="concatenate([x[:i], x[i:]], axis=0), and so along any axis",
        after="x",
        dtypes=_ANY,
        build=lambda x, a, i, j: concatenate([index(x, i), index(x, j)], a),
        variables=("x", "a", "i", "j"),
        attributes=frozenset({"a", "i", "j"}),
        examples=(
            {"x": ("n", 5), "a": 1, "i": _items((None, None), (0, 2)), "j": _items((None, None), (2, 5))},
            {"x": (5,), "a": 0, "i": _items((1, 2)), "j": _items((2, 4))},
            {"x": (2 * _N,), "a": 0, "i": _items((None, _N)), "j": _items((_N, 2 * _N)), "with": ("n",)},
        ),
        declined=({"x": (5,), "a": 0, "i": _items((2, 5)), "j": _items((0, 2))},),
    ),
    Rule(
        name="concatenated_once",
        safety="exact",
        roots=("concatenate",),
        needs=("concatenate",),
        attempt=_joined_once,
        before="concatenate([concatenate([x, y], axis=a), z], axis=a)",
        after="concatenate([x, y, z], axis=a)",
        dtypes=_ANY,
        build=lambda x, y, z, a: concatenate([concatenate([x, y], a), z], a),
        variables=("x", "y", "z", "a"),
        attributes=frozenset({"a"}),
        examples=(
            {"x": (3,), "y": (2,), "z": (4,), "a": 0},
            {"x": ("n", 1), "y": ("n", 2), "z": ("n", 3), "a": 1},
        ),
    ),
)
