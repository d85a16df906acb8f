"""The same elements in another order: turned around, by quarter turns, or rolled along an axis."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, Size, add, multiply
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import Destination, Form, Helper, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.index import index
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import no_flops, normal_axis, ravel, reshape
from graphgrad.ops.permute import transpose

_BACKWARDS = slice(None, None, -1)


# ---- flip and rot90 -------------------------------------------------------------------------------


def flip(x: Operand, axis: int | Sequence[int] | None = None) -> Node:
    """x turned around along one axis, several, or all: ``x[::-1]``. So is the gradient.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.flip(x, 0) is x[::-1], gg.flip(x).shape
    (True, (Dim('batch'), 3))
    """
    node = as_node(x)
    if axis is None:
        axes: tuple[int, ...] = tuple(range(node.ndim))
    else:
        given = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
        axes = tuple(normal_axis(item, node.ndim) for item in given)
        if len(set(axes)) != len(axes):
            raise ShapeError(f"axis {axis} names an axis twice", saw=[node.describe()])
    if not axes:
        return node
    return index(node, tuple(_BACKWARDS if at in axes else slice(None) for at in range(node.ndim)))


def flipud(x: Operand) -> Node:
    """x with its first axis turned around, "up" and "down" swapped. So is the gradient.

    >>> gg.flipud(gg.input("x", ("batch", 3))).shape
    (Dim('batch'), 3)
    """
    return flip(_with_axes(x, 1), 0)


def fliplr(x: Operand) -> Node:
    """x with its second axis turned around, "left" and "right" swapped. So is the gradient.

    >>> gg.fliplr(gg.input("x", ("batch", 3))).shape
    (Dim('batch'), 3)
    """
    return flip(_with_axes(x, 2), 1)


def _with_axes(x: Operand, least: int) -> Node:
    node = as_node(x)
    if node.ndim < least:
        raise ShapeError(f"needs at least {least} dimensions", saw=[node.describe()])
    return node


@composite
def rot90(x: Operand, k: int = 1, axes: Sequence[int] = (0, 1)) -> Node:
    """x turned by `k` quarter turns in the plane of two axes, from the first towards the second. The gradient is
    turned back.

    >>> gg.rot90(gg.input("x", (2, 3))).shape, gg.rot90(gg.input("y", (2, 3)), 2).shape
    ((3, 2), (2, 3))
    """
    node = _with_axes(x, 2)
    if len(axes) != 2:
        raise ArgumentError(f"rot90 takes two axes, not {tuple(axes)}")
    first, second = (normal_axis(axis, node.ndim) for axis in axes)
    if first == second:
        raise ShapeError(f"the axes {tuple(axes)} are one and the same", saw=[node.describe()])
    turns = operator.index(k) % 4
    if turns == 0:
        return node
    if turns == 2:
        return flip(node, (first, second))
    order = list(range(node.ndim))
    order[first], order[second] = second, first
    return transpose(flip(node, second), order) if turns == 1 else flip(transpose(node, order), second)


# ---- roll -----------------------------------------------------------------------------------------


def _rolled_axes(
    x: Spec, *, shift: tuple[Size, ...], axes: tuple[int, ...]
) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(WHOLE if axis in axes else axis for axis in range(len(x.shape))),)


def _spell_roll(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    shift, axes = node.attrs["shift"], node.attrs["axes"]
    if len(axes) == 1:
        return Form(f"np.roll({parts[0].text}, {speller.size(shift[0]).text}, axis={axes[0]})")
    return Form(f"np.roll({parts[0].text}, {speller.shape(shift)}, axis={axes})")


_ROLL = Helper(
    "_roll",
    '''
def _roll(values, shifts, axes, out):
    """np.roll(values, shifts, axes) into out, one block of values after the other."""
    if not axes:
        out[...] = values
        return out
    size, before = values.shape[axes[0]], (slice(None),) * axes[0]
    shift = shifts[0] % max(1, size)
    kept, moved = slice(size - shift), slice(size - shift, size)
    for source, target in ((kept, slice(shift, size)), (moved, slice(shift))):
        _roll(values[(*before, source)], shifts[1:], axes[1:], out[(*before, target)])
    return out
''',
)


def _roll_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    if to.out is None:
        return None
    shift, axes = speller.shape(node.attrs["shift"]), node.attrs["axes"]
    return Form(f"{speller.helper(_ROLL)}({parts[0].text}, {shift}, {axes}, out={to.out})")


def _roll_back(g: Node, y: Node, x: Node, shift: tuple[Size, ...], axes: tuple[int, ...]) -> Node:
    return roll(g, tuple(multiply(size, -1) for size in shift), axes)


def _roll_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 4)),), {"shift": 1, "axis": 0})
    yield Sample((rng.normal(size=(3, 4)),), {"shift": -6, "axis": -1})
    yield Sample((rng.normal(size=(3, 4)),), {"shift": (1, 2), "axis": (0, 1)})
    yield Sample((rng.normal(size=(3, 4)),), {"shift": (1, 1, 2), "axis": (1, 0, 1)})
    yield Sample((rng.normal(size=(2, 3, 2)),), {"shift": 2, "axis": (0, 2)})
    yield Sample((rng.normal(size=(5,)),), {"shift": 2})
    yield Sample((rng.normal(size=(0, 3)),), {"shift": 1, "axis": 0})
    yield Sample((rng.normal(size=(1, 3)),), {"shift": 1, "axis": 0})


@defop(
    infer=lambda x, *, shift, axes: x,
    axes=_rolled_axes,
    reference=lambda x, *, shift, axes: np.roll(x, shift, axes),
    numpy=_spell_roll,
    into=_roll_into,
    vjp={"x": _roll_back},
    jvp="linear",
    samples=_roll_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"shift": 1, "axis": 2}, ShapeError, "out of range"),
        Fault((((2, 3), "float32"),), {"shift": (1, 2, 3), "axis": (0, 1)}, ShapeError, "3 shifts"),
        Fault((((2, 3), "float32"),), {"shift": 0.5, "axis": 0}, ArgumentError, "a shift is an int"),
    ),
    rule={"x": "G rolled back"},
    noun="rolled",
    operands=("x",),
    cost=no_flops,
)
def roll(x: Operand, shift: Any, axis: int | Sequence[int] | None = None) -> Node:
    """x moved on by `shift` along an axis; what leaves at the end comes in at the start. The gradient is rolled back.

    Several shifts go with several axes, or one with all of them; an axis named twice gets both. Without an axis x is
    rolled as if it were flat. A shift may be negative, longer than the axis, or a size.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.roll(x, 1, axis=0).shape, gg.roll(x, (1, -1), axis=(0, 1)).shape
    ((Dim('batch'), 3), (Dim('batch'), 3))
    """
    node = as_node(x)
    if axis is None:
        return reshape(roll(ravel(node), shift, 0), node.shape)
    given = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    shifts = tuple(shift) if isinstance(shift, tuple | list) else (shift,)
    if 1 not in (len(given), len(shifts)) and len(given) != len(shifts):
        raise ShapeError(f"{len(shifts)} shifts do not go with {len(given)} axes", saw=[node.describe()])
    pairs = max(len(given), len(shifts)) if given and shifts else 0
    by_axis: dict[int, Size] = {}
    for at in range(pairs):
        own = normal_axis(given[at % len(given)], node.ndim)
        by_axis[own] = add(by_axis.get(own, 0), _shift(shifts[at % len(shifts)]))
    moved = sorted((own, total) for own, total in by_axis.items() if total != 0)
    if not moved:
        return node
    axes, totals = zip(*moved, strict=True)
    return apply("roll", node, shift=totals, axes=axes)


def _shift(value: Any) -> Size:
    if isinstance(value, Dim):
        return value
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise ArgumentError(f"a shift is an int or a size, not {value!r:.60}")
    return operator.index(value)
