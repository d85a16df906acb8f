"""Several parts put into their places of one array: what the gradients of slices come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.errors import ShapeError
from graphgrad.core.form import Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.spec import Shape, Spec, as_shape
from graphgrad.ops.index import place_roles
from graphgrad.ops.join import concatenate, stack
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.subscript import Index, indexed_shape, normal_index, spell_index

_ALL = slice(None, None, 1)


# ---- the op ---------------------------------------------------------------------------------------


def _summed_spec(*parts: Spec, shape: Shape, indices: tuple[Index, ...]) -> Spec:
    for part, index in zip(parts, indices, strict=True):
        if indexed_shape(shape, index) != part.shape:
            raise ShapeError(f"a place has shape {indexed_shape(shape, index)}, not {part.shape}")
    return Spec(shape, parts[0].dtype)


def _summed_axes(*parts: Spec, shape: Shape, indices: tuple[Index, ...]) -> tuple[tuple[AxisRole, ...], ...]:
    """An axis is mapped where every part has all of it."""
    each = [
        place_roles(part, shape=shape, index=index)[0] for part, index in zip(parts, indices, strict=True)
    ]
    common = [axis for axis in range(len(shape)) if all(axis in roles for roles in each)]
    return tuple(tuple(role if role in common else WHOLE for role in roles) for roles in each)


def _sum_reference(
    *parts: np.ndarray[Any, Any], shape: tuple[int, ...], indices: tuple[Any, ...]
) -> np.ndarray[Any, Any]:
    result = np.zeros(shape, parts[0].dtype)
    for part, index in zip(parts, indices, strict=True):
        result[cast(Any, index)] += part
    return result


def _writes(speller: Speller, parts: Sequence[Form], node: Node) -> list[str]:
    """A statement for each part; the first one, and those that nothing else reaches, need no sum."""
    indices: tuple[Index, ...] = node.attrs["indices"]
    apart = _axis_apart(node.shape, indices) is not None
    return [
        f"{{out}}[{spell_index(speller, index)}] {'=' if apart or at == 0 else '+='} {part.text}"
        for at, (part, index) in enumerate(zip(parts, indices, strict=True))
    ]


def _spell_sum(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    zeros = f"{{out}} = np.zeros({speller.shape(node.shape)}, {speller.dtype(node.dtype)})"
    return Lines((zeros, *_writes(speller, parts, node)))


def _sum_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    return None if to.out is None else Lines(("{out}.fill(0)", *_writes(speller, parts, node)))


def _sum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    def sample(shape: tuple[int, ...], *indices: Any) -> Sample:
        taken = [np.zeros(shape)[index].shape for index in indices]
        arrays = tuple(np.asarray(rng.normal(size=part)) for part in taken)
        return Sample(arrays, {"shape": shape, "indices": indices}, packed=True)

    yield sample((6,), slice(0, 4), slice(2, 6))
    yield sample((5, 3), slice(0, 2), slice(3, 5))
    yield sample((5, 3), 4, 0, 2)
    yield sample((4, 3), (slice(None), slice(1, None)), (slice(None, None, 2), 0))
    yield sample((0, 3), slice(0, 0), (slice(None), 1))


@defop(
    infer=_summed_spec,
    axes=_summed_axes,
    reference=_sum_reference,
    numpy=_spell_sum,
    into=_sum_into,
    vjp=lambda i, g, y, *parts, shape, indices: apply("index", g, index=indices[i]),
    jvp="linear",
    samples=_sum_samples,
    errors=(
        Fault(
            (((2,), "float32"), ((2,), "float32")), {"shape": (5, 4), "indices": (0, 1)}, ShapeError,
            "a place has", packed=True,
        ),
    ),
    rule={"x": "G at its own place"},
    noun="placed",
    is_expression=False,
    operands=None,
)  # fmt: skip
def place_sum(parts: Sequence[Operand], shape: Any, indices: Sequence[Any]) -> Node:
    """Zeros of `shape` to which each part is added at its index: the adjoint of taking several parts of one array.

    >>> place_sum([gg.input("a", (3,)), gg.input("b", (3,))], (4,), [slice(0, 3), slice(1, 4)]).shape
    (4,)
    """
    wanted = as_shape(shape)
    normal = tuple(normal_index(index, wanted) for index in indices)
    return apply("place_sum", *map(as_node, parts), shape=wanted, indices=normal)


# ---- put together ---------------------------------------------------------------------------------


def put_together(places: Sequence[Node]) -> Node:
    """The sum of nodes that each hold one part at its place: joined if the parts lie side by side and leave nothing
    out, else added up in one array, not in one array for each."""
    parts = [place.inputs[0] for place in places]
    shape: Shape = places[0].attrs["shape"]
    indices: tuple[Index, ...] = tuple(place.attrs["index"] for place in places)
    axis = _axis_apart(shape, indices)
    if axis is not None and all(_is_whole_but(axis, index) for index in indices):
        spans = [_span(index[axis], shape[axis]) for index in indices]
        order = sorted(range(len(parts)), key=lambda at: spans[at])
        size = shape[axis]
        if sum(stop - start for start, stop in spans) == size:
            chosen = [parts[at] for at in order]
            if all(isinstance(index[axis], int) for index in indices):
                return stack(chosen, axis)
            if all(isinstance(index[axis], slice) for index in indices):
                return concatenate(chosen, axis)
    return apply("place_sum", *parts, shape=shape, indices=indices)


def _is_whole_but(axis: int, index: Index) -> bool:
    return all(item == _ALL for at, item in enumerate(index) if at != axis)


def _axis_apart(shape: Shape, indices: Sequence[Index]) -> int | None:
    """An axis of a fixed size along which no two indices meet."""
    if any(None in index for index in indices):
        return None
    for axis, size in enumerate(shape):
        if not isinstance(size, int) or any(not _is_span(index[axis]) for index in indices):
            continue
        spans = sorted(_span(index[axis], size) for index in indices)
        if all(before[1] <= after[0] for before, after in pairwise(spans)):
            return axis
    return None


def _is_span(item: Any) -> bool:
    """Whether an index of an axis takes what lies in one piece, between bounds that are known."""
    return isinstance(item, int) or (
        item.step == 1 and not any(hasattr(bound, "terms") for bound in (item.start, item.stop))
    )


def _span(item: Any, size: Size) -> tuple[int, int]:
    """From where to where an index reaches along an axis of a fixed size."""
    if isinstance(item, int):
        return item, item + 1
    start, stop, _ = item.indices(size)
    return start, max(start, stop)


__all__ = ["place_sum", "put_together"]
