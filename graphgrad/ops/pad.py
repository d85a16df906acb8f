"""Padding: a border of a constant, or of the array's own elements, around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Size, add, as_size
from graphgrad.core.errors import ArgumentError, ShapeError, UnsupportedError
from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Shape
from graphgrad.ops.index import index
from graphgrad.ops.join import concatenate
from graphgrad.ops.leaf import Operand, as_node, const
from graphgrad.ops.movement import broadcast_to, reshape
from graphgrad.ops.subscript import normal_index
from graphgrad.ops.update import update

Widths: TypeAlias = "tuple[tuple[Size, Size], ...]"
"""For each axis, how much before and after."""

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@composite
def pad(x: Operand, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Node:
    """x with a border around it, as `numpy.pad` has it. An element's gradient is summed over all its copies.

    Parameters
    ----------
    pad_width:
        How much before and after: one size for all, a pair for all axes, a pair for each axis, or a dict with a size or
        a pair by axis.
    mode:
        "constant"; "edge" repeats the last element; "reflect" mirrors at the last element and "symmetric" behind it;
        "wrap" goes on at the other end.
    constant_values:
        What "constant" puts there: one number, or numbers like pairs in `pad_width`.

    Raises
    ------
    ShapeError
        For a negative width, a number of pairs that does not fit, or a border of an empty axis. Along a symbolic
        size, mirroring or wrapping more than there is is refused when the model runs.
    UnsupportedError
        For other modes.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.pad(x, 1).shape, gg.pad(x, ((0, 0), (2, 1)), mode="edge").shape
    ((Dim('batch + 2'), 5), (Dim('batch'), 6))
    """
    node = as_node(x)
    widths = _widths(pad_width, node)
    if mode not in _MODES:
        raise UnsupportedError(
            f"mode {mode!r} is not supported", saw=[node.describe()], hint=", ".join(_MODES)
        )
    if mode == "constant":
        return _with_constants(node, widths, constant_values)
    for axis, (before, after) in enumerate(widths):
        front = _border(node, axis, before, mode, True)
        back = _border(node, axis, after, mode, False)
        if front or back:
            node = concatenate([*front, node, *back], axis)
    return node


# ---- arguments ------------------------------------------------------------------------------------


def _widths(pad_width: Any, node: Node) -> Widths:
    if isinstance(pad_width, dict):
        pairs: dict[int, tuple[Size, Size]] = dict.fromkeys(range(node.ndim), (0, 0))
        for axis, width in pad_width.items():
            if not -node.ndim <= axis < node.ndim:
                raise ShapeError(f"axis {axis} is out of range", saw=[node.describe()])
            pairs[axis % node.ndim] = _pair(width)
        return tuple(pairs.values())
    return _for_each_axis(pad_width, node)


def _for_each_axis(width: Any, node: Node) -> Widths:
    if not _is_sequence(width):
        return (_pair(width),) * node.ndim
    items = list(width)
    if not any(map(_is_sequence, items)):
        if len(items) > 2:
            raise ShapeError(f"{items} is no pair of widths", saw=[node.describe()])
        return (_pair(items),) * node.ndim
    if len(items) not in (1, node.ndim):
        raise ShapeError(f"{len(items)} pairs of widths for {node.ndim} dimensions", saw=[node.describe()])
    pairs = tuple(map(_pair, items))
    return pairs * node.ndim if len(pairs) == 1 else pairs


def _is_sequence(value: Any) -> bool:
    return isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _pair(width: Any) -> tuple[Size, Size]:
    if not _is_sequence(width):
        return (as_size(width),) * 2
    sizes = tuple(map(as_size, width))
    if len(sizes) not in (1, 2):
        raise ArgumentError(f"{width!r:.60} is no pair of widths")
    return sizes[0], sizes[-1]


# ---- constants ------------------------------------------------------------------------------------


def _with_constants(node: Node, widths: Widths, constant_values: Any) -> Node:
    if all(width == (0, 0) for width in widths):
        return node
    try:
        values = np.broadcast_to(np.asarray(constant_values), (node.ndim, 2)).astype(node.dtype)
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            f"constant_values {constant_values!r:.60} are not numbers for each side"
        ) from error
    if np.all(values == values[0, 0]):
        return _in_the_middle(node, widths, values[0, 0])
    for axis, ((before, after), (low, high)) in enumerate(zip(widths, values, strict=True)):
        front, back = (
            [broadcast_to(const(value), _resized(node.shape, axis, width))] * (width != 0)
            for value, width in ((low, before), (high, after))
        )
        node = concatenate([*front, node, *back], axis)
    return node


def _in_the_middle(node: Node, widths: Widths, value: np.generic) -> Node:
    shape = tuple(
        add(add(size, before), after) for size, (before, after) in zip(node.shape, widths, strict=True)
    )
    inner = tuple(
        slice(before, add(before, size)) for size, (before, _) in zip(node.shape, widths, strict=True)
    )
    if value == 0 and not np.signbit(value):
        return apply("place", node, shape=shape, index=normal_index(inner, shape))
    return update(broadcast_to(const(value), shape), node, inner)


def _resized(shape: Shape, axis: int, size: Size) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


# ---- the array's own elements ---------------------------------------------------------------------


def _border(node: Node, axis: int, width: Size, mode: str, in_front: bool) -> list[Node]:
    """What stands before or after along an axis, in pieces."""
    size = node.shape[axis]
    if width == 0:
        return []
    if size == 0:
        raise ShapeError(
            f"mode {mode!r} has nothing to pad the empty axis {axis} with", saw=[node.describe()]
        )
    if mode == "edge":
        return [_stretched(node, axis, 0 if in_front else -1, width)]
    if not isinstance(width, int):
        raise UnsupportedError(f"mode {mode!r} needs fixed widths", saw=[node.describe()], hint="mode='edge'")
    if not isinstance(size, int):
        return [_mirrored(node, axis, width, mode, in_front)]
    numbers = np.arange(size)
    places = np.pad(numbers, (width, 0) if in_front else (0, width), mode=mode)  # type: ignore[call-overload]  # one of _MODES
    return [
        _stretched(node, axis, run[0], len(run))
        if len(run) > 1 and run[0] == run[1]
        else _taken(node, axis, run)
        for run in _runs((places[:width] if in_front else places[size:]).tolist())
    ]


def _along(axis: int, item: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, item)


def _stretched(node: Node, axis: int, at: int, width: Size) -> Node:
    """One slice, repeated."""
    row = index(node, (*_along(axis, at), None))
    return broadcast_to(row, _resized(node.shape, axis, width))


def _taken(node: Node, axis: int, run: Sequence[int]) -> Node:
    """The elements at these places, which count up or down by one."""
    step = 1 if len(run) == 1 else run[1] - run[0]
    stop = run[-1] + step
    return index(node, _along(axis, slice(run[0], None if stop < 0 else stop, step)))


def _runs(places: Sequence[int]) -> list[list[int]]:
    """Split where the step from one place to the next changes, or is more than one."""
    runs: list[list[int]] = []
    for place in places:
        last = runs[-1] if runs else []
        step = place - last[-1] if last else 0
        if last and abs(step) <= 1 and (len(last) == 1 or step == last[1] - last[0]):
            last.append(place)
        else:
            runs.append([place])
    return runs


_SIDES = {
    "reflect": (lambda n: slice(n, 0, -1), lambda n: slice(-2, -2 - n, -1)),
    "symmetric": (lambda n: slice(n - 1, None, -1), lambda n: slice(-1, -1 - n, -1)),
    "wrap": (lambda n: slice(-n, None), lambda n: slice(0, n)),
}  # fmt: skip
"""What stands in front and behind, for a width of at most what there is."""


def _mirrored(node: Node, axis: int, width: int, mode: str, in_front: bool) -> Node:
    """Of a symbolic size, whether there are that many shows when the model runs: reshaping asks for it."""
    side = _SIDES[mode][0 if in_front else 1](width)
    return reshape(index(node, _along(axis, side)), _resized(node.shape, axis, width))
