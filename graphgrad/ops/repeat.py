"""Repeating: whole arrays side by side, or each element in its place."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Dim, Size, as_size, multiply
from graphgrad.core.errors import ArgumentError, ShapeError, UnsupportedError
from graphgrad.core.form import ATOM, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import no_flops, normal_axis, ravel, reshape
from graphgrad.ops.reduce import sum as sum_nodes

Counts: TypeAlias = "Size | tuple[int, ...]"
"""How often each element is repeated: all of them as often, or each its own number of times."""


# ---- tile -----------------------------------------------------------------------------------------


def _leading(x: Spec | Node, reps: Shape) -> Shape:
    """x's shape, with ones in front for the axes that it lacks."""
    return (1,) * (len(reps) - len(x.shape)) + x.shape


def _tiled(x: Spec, *, reps: Shape) -> Spec:
    return Spec(
        tuple(multiply(size, rep) for size, rep in zip(_leading(x, reps), reps, strict=True)), x.dtype
    )


def _tiled_axes(x: Spec, *, reps: Shape) -> tuple[tuple[AxisRole, ...], ...]:
    lead = len(reps) - len(x.shape)
    return (tuple(lead + axis if reps[lead + axis] == 1 else WHOLE for axis in range(len(x.shape))),)


def _spell_tile(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    reps = node.attrs["reps"]
    text = speller.size(reps[0]).text if len(reps) == 1 else speller.shape(reps)
    return Form(f"np.tile({parts[0].text}, {text})")


def _tile_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    """Copies x, stretched over new axes, each of which counts the copies along the one that follows."""
    if to.out is None or node.size == 0:
        return None
    reps, x = node.attrs["reps"], node.inputs[0]
    sizes: list[Size] = []
    items: list[str] = []
    for axis, (size, rep) in enumerate(zip(_leading(x, reps), reps, strict=True)):
        own = axis >= len(reps) - x.ndim
        if rep != 1:
            sizes.append(rep)
            items += ["None"] * bool(items)  # in front, broadcasting does it
        if own:
            sizes.append(size)
            items.append(":")
    part = parts[0].text if "None" not in items else f"{parts[0].at(ATOM)}[{', '.join(items)}]"
    return Lines((f"np.copyto({{out}}.reshape({speller.shape(tuple(sizes))}), {part})",))


def _tile_back(g: Node, y: Node, x: Node, reps: Shape) -> Node:
    """The sum over the copies."""
    copies: list[int] = []
    shape: list[Size] = []
    for size, rep in zip(_leading(x, reps), reps, strict=True):
        if rep != 1:
            copies.append(len(shape))
            shape.append(rep)
        shape.append(size)
    return reshape(sum_nodes(reshape(g, tuple(shape)), tuple(copies)), x.shape)


def _tile_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)),), {"reps": (2, 3)})
    yield Sample((rng.normal(size=(2, 3)),), {"reps": 2})
    yield Sample((rng.normal(size=(3,)),), {"reps": (4, 1, 2)})
    yield Sample((rng.normal(size=(2, 1)),), {"reps": (1, 3)})
    yield Sample((rng.normal(size=(2, 3)),), {"reps": (0, 2)})
    yield Sample((rng.normal(size=(2, 3)),), {"reps": 0})
    yield Sample((np.asarray(rng.normal()),), {"reps": (2, 2)})
    yield Sample((rng.normal(size=(0, 2)),), {"reps": (2, 2)})


@defop(
    infer=_tiled,
    axes=_tiled_axes,
    reference=lambda x, *, reps: np.tile(x, reps),
    numpy=_spell_tile,
    into=_tile_into,
    vjp={"x": _tile_back},
    jvp="linear",
    samples=_tile_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"reps": -1}, ShapeError, "negative"),
        Fault((((2, 3), "float32"),), {"reps": 1.5}, ArgumentError, "int"),
    ),
    rule={"x": "G summed over the copies"},
    noun="tiled",
    operands=("x",),
    cost=no_flops,
)
def tile(x: Operand, reps: Any) -> Node:
    """Copies of x side by side: `reps` of them along each axis. The gradient is summed over the copies.

    Fewer numbers than x has axes are for its last ones; more put axes in front. 0 makes an empty array, and a gradient
    of zeros. Numbers may be sizes.

    >>> x = gg.input("x", (2, 3))
    >>> gg.tile(x, 2).shape, gg.tile(x, ("batch", 1, 1)).shape
    ((2, 6), (Dim('batch'), 2, 3))
    """
    node = as_node(x)
    given: Sequence[Any] = tuple(reps) if isinstance(reps, tuple | list | np.ndarray) else (reps,)
    counts = tuple(map(as_size, given))
    full = (1,) * (node.ndim - len(counts)) + counts
    if len(full) == node.ndim and all(count == 1 for count in full):
        return node
    return apply("tile", node, reps=full)


# ---- repeat ---------------------------------------------------------------------------------------


def _total(repeats: Counts, size: Size) -> Size:
    return sum(repeats) if isinstance(repeats, tuple) else multiply(size, repeats)


def _repeated(x: Spec, *, repeats: Counts, axis: int) -> Spec:
    size = x.shape[axis]
    if isinstance(repeats, tuple) and size != len(repeats):
        raise ShapeError(f"{len(repeats)} counts do not go with the size {size} of axis {axis}")
    return Spec((*x.shape[:axis], _total(repeats, size), *x.shape[axis + 1 :]), x.dtype)


def _own_axis_whole(x: Spec, *, repeats: Counts, axis: int) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(WHOLE if at == axis else at for at in range(len(x.shape))),)


def _spell_repeat(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    repeats = node.attrs["repeats"]
    text = str(list(repeats)) if isinstance(repeats, tuple) else speller.size(repeats).text
    return Form(f"np.repeat({parts[0].text}, {text}, axis={node.attrs['axis']})")


def _repeat_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | Lines | None:
    if to.out is None or node.size == 0:
        return None
    axis, repeats, x = node.attrs["axis"], node.attrs["repeats"], node.inputs[0]
    size = speller.size(x.shape[axis]).text
    if isinstance(repeats, tuple):
        places = f"np.repeat(np.arange({size}), {list(repeats)})"
        return Form(f'np.take({parts[0].text}, {places}, axis={axis}, out={to.out}, mode="clip")')
    grouped = speller.shape((*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]))
    part = f"{parts[0].at(ATOM)}[{':, ' * (axis + 1)}None]"
    return Lines((f"np.copyto({{out}}.reshape({grouped}), {part})",))


def _repeat_back(g: Node, y: Node, x: Node, repeats: Counts, axis: int) -> Node:
    """The sum over each element's repetitions."""
    if isinstance(repeats, tuple):
        return apply("sum_runs", g, shape=x.shape, repeats=repeats, axis=axis)
    grouped = reshape(g, (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]))
    return sum_nodes(grouped, axis + 1)


def _repeat_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)),), {"repeats": 2, "axis": 0})
    yield Sample((rng.normal(size=(2, 3)),), {"repeats": 3, "axis": -1})
    yield Sample((rng.normal(size=(2, 3)),), {"repeats": (1, 0, 2), "axis": 1})
    yield Sample((rng.normal(size=(3,)),), {"repeats": (2, 1, 3)})
    yield Sample((rng.normal(size=(2,)),), {"repeats": 0})
    yield Sample((rng.normal(size=(2, 2)),), {"repeats": (0, 0), "axis": 0})
    yield Sample((rng.normal(size=(0, 2)),), {"repeats": 2, "axis": 0})
    yield Sample((rng.normal(size=(1, 2)),), {"repeats": 4, "axis": 0})


@defop(
    infer=_repeated,
    axes=_own_axis_whole,
    reference=lambda x, *, repeats, axis: np.repeat(x, repeats, axis),
    numpy=_spell_repeat,
    into=_repeat_into,
    vjp={"x": _repeat_back},
    jvp="linear",
    samples=_repeat_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"repeats": -1, "axis": 0}, ShapeError, "negative"),
        Fault((((2, 3), "float32"),), {"repeats": (1, 2), "axis": 1}, ShapeError, "2 counts"),
        Fault((((2, 3), "float32"),), {"repeats": 2, "axis": 2}, ShapeError, "out of range"),
        Fault(((("n", 3), "float32"),), {"repeats": (1, 2), "axis": 0}, UnsupportedError, "fixed size"),
        Fault((((2, 3), "float32"),), {"repeats": 1.5, "axis": 0}, ArgumentError, "int"),
    ),
    rule={"x": "G summed over the repetitions"},
    noun="repeated",
    operands=("x",),
    cost=no_flops,
)
def repeat(x: Operand, repeats: Any, axis: int | None = None) -> Node:
    """Each element of an axis several times in a row; also ``node.repeat(repeats, axis)``. The gradient is summed over
    an element's repetitions.

    `repeats` is one number, which may be a size, or a sequence with a number for each element. Without an axis x is
    repeated as if it were flat.

    Raises
    ------
    ShapeError, UnsupportedError
        For a sequence that does not have a number for each element, or along a symbolic size.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.repeat(x, 2, axis=0).shape, gg.repeat(x, [1, 0, 2], axis=1).shape
    ((Dim('2*batch'), 3), (Dim('batch'), 3))
    """
    node = as_node(x)
    if axis is None:
        return repeat(ravel(node), repeats, 0)
    own = normal_axis(axis, node.ndim)
    counts = _counts(repeats)
    if isinstance(counts, tuple) and isinstance(node.shape[own], Dim):
        raise UnsupportedError(
            f"a count for each element needs a fixed size, and axis {own} has size {node.shape[own]}",
            saw=[node.describe()],
            hint="one number for all",
        )
    same = counts == 1 or (counts == () and node.shape[own] == 0)
    return node if same else apply("repeat", node, repeats=counts, axis=own)


def _counts(repeats: Any) -> Counts:
    if not isinstance(repeats, tuple | list | np.ndarray) or np.ndim(repeats) == 0:
        return as_size(repeats)
    counts = tuple(map(as_size, repeats))
    if len(counts) == 1:
        return counts[0]
    return tuple(map(operator.index, counts))


# ---- sum_runs: the adjoint of repeat --------------------------------------------------------------


def _summed(x: Spec, *, shape: Shape, repeats: tuple[int, ...], axis: int) -> Spec:
    if x.shape[axis] != sum(repeats):
        raise ShapeError(f"runs of {sum(repeats)} elements in all, and the axis has {x.shape[axis]}")
    return Spec((*x.shape[:axis], len(repeats), *x.shape[axis + 1 :]), x.dtype)


def _summed_axes(
    x: Spec, *, shape: Shape, repeats: tuple[int, ...], axis: int
) -> tuple[tuple[AxisRole, ...], ...]:
    return _own_axis_whole(x, repeats=repeats, axis=axis)


def _runs(repeats: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The runs that are not empty, and where they start."""
    filled = [at for at, count in enumerate(repeats) if count]
    starts = [0, *itertools.accumulate(repeats)]
    return filled, [starts[at] for at in filled]


def _sum_runs_reference(
    x: np.ndarray[Any, Any], *, shape: tuple[int, ...], repeats: tuple[int, ...], axis: int
) -> np.ndarray[Any, Any]:
    stops = np.cumsum(repeats)
    parts = [
        x[(slice(None),) * axis + (slice(stop - count, stop),)].sum(axis, dtype=x.dtype)
        for stop, count in zip(stops, repeats, strict=True)
    ]
    return np.stack(parts, axis)


def _spell_sum_runs(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    axis = node.attrs["axis"]
    filled, starts = _runs(node.attrs["repeats"])
    total = f"np.add.reduceat({parts[0].text}, {starts}, axis={axis})"
    if len(filled) == len(node.attrs["repeats"]):
        return Lines((f"{{out}} = {total}",))
    zeros = f"{{out}} = np.zeros({speller.shape(node.shape)}, {speller.dtype(node.dtype)})"
    return Lines((zeros, f"{{out}}[{':, ' * axis}{filled}] = {total}") if filled else (zeros,))


def _sum_runs_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    axis = node.attrs["axis"]
    filled, starts = _runs(node.attrs["repeats"])
    if to.out is None:
        return None
    total = f"np.add.reduceat({parts[0].text}, {starts}, axis={axis}"
    if len(filled) == len(node.attrs["repeats"]):
        return Lines((f"{total}, out={{out}})",))
    return Lines(("{out}.fill(0)", *([f"{{out}}[{':, ' * axis}{filled}] = {total})"] * bool(filled))))


def _runs_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(4,)),), {"repeats": (1, 3), "axis": 0})
    yield Sample((rng.normal(size=(2, 3)),), {"repeats": (0, 2, 1, 0), "axis": -1})
    yield Sample((rng.normal(size=(0, 3)),), {"repeats": (0, 0), "axis": 0})


@defop(
    infer=_summed,
    axes=_summed_axes,
    reference=_sum_runs_reference,
    numpy=_spell_sum_runs,
    into=_sum_runs_into,
    vjp={"x": lambda g, y, x, shape, repeats, axis: repeat(g, repeats, axis)},
    jvp="linear",
    samples=_runs_samples,
    errors=(Fault((((2, 3), "float32"),), {"repeats": (1, 1), "axis": 1}, ShapeError, "runs of 2"),),
    rule={"x": "G to each summand"},
    noun="totals",
    is_expression=False,
    operands=("x",),
    cost=lambda inputs, result: inputs[0].size,
)
def sum_runs(x: Operand, repeats: Sequence[int], axis: int) -> Node:
    """Sums over consecutive runs of these lengths along an axis: the adjoint of `repeat`.

    >>> sum_runs(gg.input("g", (5,)), (2, 3), 0).shape
    (2,)
    """
    node = as_node(x)
    own = normal_axis(axis, node.ndim)
    shape = (*node.shape[:own], len(repeats), *node.shape[own + 1 :])
    return apply("sum_runs", node, shape=shape, repeats=tuple(repeats), axis=own)


bind("repeat", repeat)
