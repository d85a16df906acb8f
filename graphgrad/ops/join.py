"""Joining arrays along an axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Size, add
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import Destination, Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.align import atleast_1d, atleast_2d, atleast_3d
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import normal_axis, ravel, reshape
from graphgrad.ops.permute import matrix_transpose


def _joined(*specs: Spec, axis: int) -> Spec:
    first = specs[0]
    total: Size = 0
    for spec in specs:
        if spec.dtype != first.dtype or len(spec.shape) != len(first.shape):
            raise ShapeError("arrays to join must have the same number of dimensions")
        for at, (size, other) in enumerate(zip(first.shape, spec.shape, strict=True)):
            if at != axis and size != other:
                raise ShapeError(
                    f"sizes {size} and {other} of axis {at} differ, and only axis {axis} is joined"
                )
        total = add(total, spec.shape[axis])
    return Spec((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype)


def _joined_axes(*specs: Spec, axis: int) -> tuple[tuple[AxisRole, ...], ...]:
    return tuple(tuple(WHOLE if at == axis else at for at in range(len(spec.shape))) for spec in specs)


def _split_back(index: int, g: Node, y: Node, *parts: Node, axis: int) -> Node:
    start: Size = 0
    for part in parts[:index]:
        start = add(start, part.shape[axis])
    stop = add(start, parts[index].shape[axis])
    own = g[(*(slice(None),) * axis, slice(start, stop))]
    # of symbolic sizes it may not show that a part ends within the whole, so the slice's size is a minimum
    return own if own.shape == parts[index].shape else reshape(own, parts[index].shape)


def _spell_concatenate(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    axis = node.attrs["axis"]
    inner = ", ".join(part.text for part in parts)
    return Form(f"np.concatenate([{inner}]{f', axis={axis}' if axis else ''})")


def _concatenate_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    axis = node.attrs["axis"]
    inner = ", ".join(part.text for part in parts)
    if to.out is None:
        return None
    return Form(f"np.concatenate([{inner}], {f'axis={axis}, ' if axis else ''}out={to.out})")


def _concatenate_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)), rng.normal(size=(1, 3))), {}, packed=True)
    yield Sample(
        (rng.normal(size=(2, 3)), rng.normal(size=(2, 1)), rng.normal(size=(2, 0))), {"axis": -1}, packed=True
    )
    yield Sample((rng.normal(size=(2,)),), {}, packed=True)


@defop(
    infer=_joined,
    axes=_joined_axes,
    reference=lambda *arrays, axis: np.concatenate(arrays, axis),
    numpy=_spell_concatenate,
    into=_concatenate_into,
    vjp=_split_back,
    jvp="linear",
    samples=_concatenate_samples,
    errors=(
        Fault((((2, 3), "float32"), ((2, 4), "float32")), {}, ShapeError, "differ", packed=True),
        Fault((((2, 3), "float32"), ((3,), "float32")), {}, ShapeError, "same number", packed=True),
        Fault((((), "float32"),), {}, ShapeError, "out of range", packed=True),
    ),
    rule={"x": "G's own part"},
    noun="joined",
    operands=None,
    cost=lambda inputs, result: 0,
)
def concatenate(arrays: Sequence[Operand], axis: int | None = 0) -> Node:
    """Arrays joined along an axis they have; without an axis, joined flat. Each gets its part of the gradient.

    Raises
    ------
    ShapeError
        If they differ in their number of dimensions or along another axis.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.concatenate([x, x]).shape
    (Dim('2*batch'), 3)
    """
    same = _of_one_dtype(arrays, "concatenate")
    if axis is None:
        same, axis = tuple(map(ravel, same)), 0
    return apply("concatenate", *same, axis=normal_axis(axis, same[0].ndim))


def _of_one_dtype(arrays: Sequence[Operand], what: str) -> tuple[Node, ...]:
    """The arrays as nodes, cast to the dtype that NumPy would join them in."""
    if isinstance(arrays, Node) and arrays.ndim == 0:
        raise ArgumentError(f"{what} takes a list of arrays", saw=[arrays.describe()])
    nodes = tuple(map(as_node, arrays))
    if not nodes:
        raise ArgumentError(f"{what} needs at least one array")
    dtype = np.result_type(*(node.dtype for node in nodes))
    return tuple(node if node.dtype == dtype else apply("cast", node, dtype=dtype) for node in nodes)


# ---- stack ----------------------------------------------------------------------------------------


def _stacked(*specs: Spec, axis: int) -> Spec:
    first = specs[0]
    for spec in specs:
        if spec != first:
            raise ShapeError(
                "arrays to stack must have the same shape", hint="gg.concatenate, or gg.broadcast_arrays"
            )
    return Spec((*first.shape[:axis], len(specs), *first.shape[axis:]), first.dtype)


def _stacked_axes(*specs: Spec, axis: int) -> tuple[tuple[AxisRole, ...], ...]:
    return tuple(tuple(at + (at >= axis) for at in range(len(spec.shape))) for spec in specs)


def _spell_stack(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    axis = node.attrs["axis"]
    inner = ", ".join(part.text for part in parts)
    return Form(f"np.stack([{inner}]{f', axis={axis}' if axis else ''})")


def _stack_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    axis = node.attrs["axis"]
    inner = ", ".join(part.text for part in parts)
    if to.out is None:
        return None
    return Form(f"np.stack([{inner}], {f'axis={axis}, ' if axis else ''}out={to.out})")


def _stack_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)), rng.normal(size=(2, 3))), {}, packed=True)
    yield Sample(tuple(rng.normal(size=(2, 3)) for _ in range(3)), {"axis": -1}, packed=True)
    yield Sample((rng.normal(size=(2, 3)), rng.normal(size=(2, 3))), {"axis": 1}, packed=True)
    yield Sample((np.asarray(rng.normal()), np.asarray(rng.normal())), {}, packed=True)
    yield Sample((rng.normal(size=(0, 2)),), {"axis": 1}, packed=True)


@defop(
    infer=_stacked,
    axes=_stacked_axes,
    reference=lambda *arrays, axis: np.stack(arrays, axis),
    numpy=_spell_stack,
    into=_stack_into,
    vjp=lambda index, g, y, *parts, axis: g[(*(slice(None),) * axis, index)],
    jvp="linear",
    samples=_stack_samples,
    errors=(
        Fault((((2, 3), "float32"), ((2, 4), "float32")), {}, ShapeError, "same shape", packed=True),
        Fault((((2,), "float32"),), {"axis": 2}, ShapeError, "out of range", packed=True),
    ),
    rule={"x": "G's own slice"},
    noun="stacked",
    operands=None,
    cost=lambda inputs, result: 0,
)
def stack(arrays: Sequence[Operand], axis: int = 0) -> Node:
    """Arrays of one shape put beside each other along a new axis. Each gets its slice of the gradient.

    >>> x, y = gg.input("x", ("batch", 3)), gg.input("y", ("batch", 3))
    >>> gg.stack([x, y]).shape, gg.stack([x, y], axis=-1).shape
    ((2, Dim('batch'), 3), (Dim('batch'), 3, 2))
    """
    same = _of_one_dtype(arrays, "stack")
    return apply("stack", *same, axis=normal_axis(axis, same[0].ndim + 1))


# ---- by what a picture of the arrays shows --------------------------------------------------------


def _grown(arrays: Sequence[Operand], grow: Callable[..., Any], what: str) -> list[Node]:
    return [grow(node) for node in _of_one_dtype(arrays, what)]


@composite
def hstack(tup: Sequence[Operand]) -> Node:
    """Arrays joined along their second axis, vectors end to end. Each gets its part of the gradient.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.hstack([x, x]).shape
    (Dim('batch'), 6)
    """
    nodes = _grown(tup, atleast_1d, "hstack")
    return concatenate(nodes, 0 if nodes[0].ndim == 1 else 1)


@composite
def vstack(tup: Sequence[Operand]) -> Node:
    """Arrays joined along their first axis, vectors as rows. Each gets its part of the gradient.

    >>> gg.vstack([gg.input("x", (3,)), gg.input("y", ("batch", 3))]).shape
    (Dim('batch + 1'), 3)
    """
    nodes = _of_one_dtype(tup, "vstack")
    if all(node.ndim == 1 for node in nodes):
        return stack(nodes, 0)
    return concatenate([atleast_2d(node) for node in nodes], 0)


@composite
def dstack(tup: Sequence[Operand]) -> Node:
    """Arrays joined along their third axis, matrices as layers and vectors as rows of them. Each gets its part of the
    gradient.

    >>> gg.dstack([gg.input("x", (2, 3)), gg.input("y", (2, 3))]).shape
    (2, 3, 2)
    """
    return concatenate(_grown(tup, atleast_3d, "dstack"), 2)


@composite
def column_stack(tup: Sequence[Operand]) -> Node:
    """Vectors as columns and matrices as they are, joined along the second axis. Each gets its part of the gradient.

    >>> gg.column_stack([gg.input("x", ("batch",)), gg.input("y", ("batch", 3))]).shape
    (Dim('batch'), 4)
    """
    nodes = _of_one_dtype(tup, "column_stack")
    if all(node.ndim == 1 for node in nodes):
        return stack(nodes, 1)
    columns = [matrix_transpose(atleast_2d(node)) if node.ndim < 2 else node for node in nodes]
    return concatenate(columns, 1)
