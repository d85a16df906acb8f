"""Indexing: ints, slices, newaxis and ellipsis, and the adjoint. With arrays in an index it goes on to `gather`."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from graphgrad.core.errors import ArgumentError, NodeUseError, ShapeError, UnsupportedError
from graphgrad.core.form import ATOM, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec, as_shape
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import expand_dims, reshape
from graphgrad.ops.subscript import (
    Index,
    index_roles,
    indexed_shape,
    normal_index,
    spell_index,
    split_index,
    takes_all,
)

# ---- index ----------------------------------------------------------------------------------------


def _index_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for index in (
        0, -1, (slice(None), 1), (slice(1, None), slice(None, None, 2)), (..., 0), (None, slice(0, 2)),
        slice(None, None, -1), (slice(4, 0, -2), slice(-2, None)), (slice(2, 2),), (),
    ):  # fmt: skip
        yield Sample((rng.normal(size=(5, 4)),), {"index": index})
    yield Sample((np.asarray(rng.normal()),), {"index": None})


def _back_in_place(g: Node, y: Node, x: Node, index: Index) -> Node:
    if all(item in (slice(None, None, 1), slice(None, None, -1)) for item in index):
        return apply("index", g, index=index)  # turned around twice it is as before
    if takes_all(x.shape, index):
        if None in index:
            return reshape(g, x.shape)
        return expand_dims(g, [axis for axis, item in enumerate(index) if not isinstance(item, slice)])
    return apply("place", g, shape=x.shape, index=index)


@defop(
    infer=lambda x, *, index: Spec(indexed_shape(x.shape, index), x.dtype),
    axes=lambda x, *, index: (index_roles(x.shape, index),),
    reference=lambda x, *, index: x[index],
    numpy=lambda speller, parts, node: Form(
        f"{parts[0].at(ATOM)}[{spell_index(speller, node.attrs['index'])}]"
    ),
    vjp={"x": _back_in_place},
    jvp="linear",
    samples=_index_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"index": (0, 0, 0)}, ShapeError, "too many"),
        Fault((((2, 3), "float32"),), {"index": 2}, ShapeError, "out of range"),
        Fault((((2, 3), "float32"),), {"index": "a"}, ArgumentError, "no index"),
        Fault((((2, 3), "float32"),), {"index": [0, 2]}, ShapeError, "index 2 is out of range"),
        Fault((((2, 3), "float32"),), {"index": [0.5]}, ArgumentError, "integers"),
        Fault((((2, 3), "float32"),), {"index": [True]}, ShapeError, "a mask of shape (1,)"),
        Fault((((2, 3), "float32"),), {"index": True}, UnsupportedError, "no index here"),
    ),
    rule={"x": "flows back into its place"},
    noun="part",
    operands=("x",),
    view=True,
    light=True,
    cost=lambda inputs, result: 0,
)
def index(x: Operand, index: Any) -> Node:
    """``x[index]``: ints, slices with steps, None, ``...``, and arrays of integers, as NumPy has them.

    The gradient flows back into its place, among zeros; where an array names a place more than once, what comes back is
    added up. Of a symbolic size, ``x[1:]`` has one less, and ``x[::2]`` a derived size; a slice must start within the
    array. An array of integers is a node, a NumPy array or a list. Numbers below 0 count from the end, and one out of
    range is an IndexError when the model runs. A mask must be a constant, whose shape is known.

    >>> x, i = gg.input("x", ("batch", 3)), gg.input("i", ("batch", 2), "int64")
    >>> x[1:, 0].shape, x[::2].shape, x[i].shape, x[:, [2, 0]].shape
    ((Dim('batch - 1'),), (Dim('(batch + 1) // 2'), 3), (Dim('batch'), 2, 3), (Dim('batch'), 2))
    """
    node = as_node(x)
    normal, arrays = split_index(index, node.shape)
    if arrays:
        return apply("gather", node, *arrays, index=normal)
    if all(item is None or item == slice(None, None, 1) for item in normal):
        return expand_dims(node, [axis for axis, item in enumerate(normal) if item is None])
    return apply("index", node, index=normal)


# ---- place: the adjoint of index ------------------------------------------------------------------


def _placed(g: Spec, *, shape: Shape, index: Index) -> Spec:
    if indexed_shape(shape, index) != g.shape:
        raise ShapeError(f"the place has shape {indexed_shape(shape, index)}, not {g.shape}")
    return Spec(shape, g.dtype)


def _place_reference(
    g: np.ndarray[Any, Any], *, shape: tuple[int, ...], index: Index
) -> np.ndarray[Any, Any]:
    result = np.zeros(shape, g.dtype)
    result[cast(Any, index)] = g
    return result


def _spell_place(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    shape = speller.shape(node.shape)
    where_ = spell_index(speller, node.attrs["index"])
    return Lines((
        f"{{out}} = np.zeros({shape}, {speller.dtype(node.dtype)})",
        f"{{out}}[{where_}] = {parts[0].text}",
    ))  # fmt: skip


def _place_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    where_ = spell_index(speller, node.attrs["index"])
    return Lines(("{out}.fill(0)", f"{{out}}[{where_}] = {parts[0].text}"))


def place_roles(g: Spec, *, shape: Shape, index: Index) -> tuple[tuple[AxisRole, ...], ...]:
    roles: list[AxisRole] = []
    axis = 0
    for item in index:
        if not isinstance(item, int):
            roles.append(axis if item == slice(None, None, 1) else WHOLE)
        axis += item is not None
    return (tuple(roles),)


def _place_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(4,)),), {"shape": (5, 4), "index": 1})
    yield Sample((rng.normal(size=(3, 5)),), {"shape": (3, 5, 4), "index": (slice(None), slice(None), -1)})
    yield Sample((rng.normal(size=(2, 4)),), {"shape": (5, 4), "index": slice(0, 4, 2)})


@defop(
    infer=_placed,
    axes=place_roles,
    reference=_place_reference,
    numpy=_spell_place,
    into=_place_into,
    vjp={"x": lambda g, y, x, shape, index: apply("index", g, index=index)},
    jvp="linear",
    samples=_place_samples,
    errors=(Fault((((2,), "float32"),), {"shape": (5, 4), "index": 0}, ShapeError, "the place has"),),
    rule={"x": "G at that place"},
    noun="placed",
    is_expression=False,
    operands=("x",),
    cost=lambda inputs, result: 0,
)
def place(x: Operand, shape: Any, index: Any) -> Node:
    """Zeros of `shape` with x at `index`: the adjoint of indexing.

    >>> place(gg.input("g", (3,)), (2, 3), 0).shape
    (2, 3)
    """
    wanted = as_shape(shape)
    return apply("place", as_node(x), shape=wanted, index=normal_index(index, wanted))


def _len(x: Node) -> int:
    if not x.shape:
        raise NodeUseError("a node without dimensions has no length", saw=[x.describe()])
    return operator.index(x.shape[0])  # a symbolic size says what to do instead


bind("getitem", index)
bind("len", _len)
