"""Joining arrays along an axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from graphgrad.core.dim import Size, add
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import Destination, Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.spec import Spec
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import normal_axis, reshape


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
def concatenate(arrays: Sequence[Operand], axis: int = 0) -> Node:
    """Arrays joined along an axis they have. Each gets its part of the gradient.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.concatenate([x, x]).shape
    (Dim('2*batch'), 3)
    """
    if isinstance(arrays, Node) and arrays.ndim == 0:
        raise ArgumentError("concatenate takes a list of arrays", saw=[arrays.describe()])
    nodes = tuple(map(as_node, arrays))
    if not nodes:
        raise ArgumentError("concatenate needs at least one array")
    dtype = np.result_type(*(node.dtype for node in nodes))
    same = tuple(node if node.dtype == dtype else apply("cast", node, dtype=dtype) for node in nodes)
    return apply("concatenate", *same, axis=normal_axis(axis, same[0].ndim))
