"""Taking and putting along an axis, under NumPy's names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Size, add
from graphgrad.core.errors import DTypeError, InvalidValueError, ShapeError
from graphgrad.core.form import PRODUCT, Destination, Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, NotDifferentiable, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.core.spec import as_shape, broadcast
from graphgrad.ops.family import elementwise_axes, to_dtype
from graphgrad.ops.index import index
from graphgrad.ops.layout import along, never_repeats
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import broadcast_to, normal_axis, reshape

_MODES = ("raise", "clip", "wrap")
_INT = np.dtype(np.int64)


# ---- bounded --------------------------------------------------------------------------------------


def _spell_bounded(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    size: Size = node.attrs["size"]
    if node.attrs["mode"] == "clip":
        return Form(f"np.clip({parts[0].text}, 0, {speller.size(add(size, -1)).text})")
    return Form(f"{parts[0].at(PRODUCT)} % {speller.size(size).at(PRODUCT + 1)}", PRODUCT)


def _bounded_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    if to.out is None:
        return None
    size: Size = node.attrs["size"]
    if node.attrs["mode"] == "clip":
        return Form(f"np.clip({parts[0].text}, 0, {speller.size(add(size, -1)).text}, out={to.out})")
    return Form(f"np.remainder({parts[0].text}, {speller.size(size).text}, out={to.out})")


def _bounded_reference(x: np.ndarray[Any, Any], *, size: int, mode: str) -> np.ndarray[Any, Any]:
    return np.asarray(np.minimum(np.maximum(x, 0), size - 1) if mode == "clip" else np.mod(x, size))


def _bounded_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for mode in ("clip", "wrap"):
        for array in (np.array([[-7, 2], [5, 0]]), np.asarray(-1), np.zeros((0, 2), np.int64)):
            yield Sample((array,), {"size": 5, "mode": mode})


@defop(
    infer=lambda x, *, size, mode: x,
    axes=elementwise_axes,
    reference=_bounded_reference,
    numpy=_spell_bounded,
    into=_bounded_into,
    overwrites=(0,),
    vjp=NotDifferentiable("an index is an integer"),
    jvp=NotDifferentiable("an index is an integer"),
    samples=_bounded_samples,
    errors=(
        Fault((((2,), "float32"),), {"size": 3, "mode": "clip"}, DTypeError, "integers"),
        Fault((((2,), "int64"),), {"size": 3, "mode": "round"}, InvalidValueError, "mode is one of"),
    ),
    rule={},
    noun="bounded",
    operands=("x",),
    elementwise=True,
)
def bounded(x: Operand, size: Size, mode: str) -> Node:
    """Indices brought within an axis of `size`: by "clip" to its ends, by "wrap" around it.

    >>> bounded(gg.input("i", ("n",), "int32"), 5, "wrap")
    <bounded bounded: int64 (n,)>
    """
    node = as_node(x)
    if mode not in _MODES[1:]:
        raise InvalidValueError(f"mode is one of {', '.join(map(repr, _MODES))}, not {mode!r:.60}")
    if node.dtype.kind not in "iu":
        raise DTypeError(f"indices are integers, not {node.dtype}", saw=[node.describe()])
    return apply("bounded", to_dtype(node, _INT), size=as_shape(size)[0], mode=mode)


# ---- take -----------------------------------------------------------------------------------------


def _as_indices(value: Any, what: str) -> Node:
    if isinstance(value, list | tuple):
        value = np.array(value, dtype=None if len(value) else np.int64)
    node = as_node(value)
    if node.dtype.kind not in "iu":
        raise DTypeError(
            f"{what}: indices are integers, not {node.dtype}",
            saw=[node.describe()],
            hint="gg.cast(indices, 'int64')",
        )
    return node


@composite
def take(x: Operand, indices: Operand, axis: int | None = None, mode: str = "raise") -> Node:
    """The elements of x at these indices of an axis; without an axis, of all elements as one row.

    The gradient is added up where elements were taken from.

    Parameters
    ----------
    mode:
        What becomes of an index out of range: "raise" an IndexError when the model runs (indices below 0 count from the
        end), "clip" to the ends, or "wrap" around.

    >>> x, i = gg.input("x", ("batch", 3)), gg.input("i", (2, 2), "int64")
    >>> gg.take(x, i, axis=1).shape, gg.take(x, i).shape
    ((Dim('batch'), 2, 2), (2, 2))
    """
    node, chosen = as_node(x), _as_indices(indices, "take")
    if mode not in _MODES:
        raise InvalidValueError(f"take: mode is one of {', '.join(map(repr, _MODES))}, not {mode!r:.60}")
    if axis is None:
        node, axis = reshape(node, -1), 0
    at = normal_axis(axis, node.ndim)
    if mode != "raise":
        chosen = bounded(chosen, node.shape[at], mode)
    return index(node, (*(slice(None),) * at, chosen))


# ---- along an axis --------------------------------------------------------------------------------


def _lined_up(x: Operand, indices: Operand, axis: Any, what: str) -> tuple[Node, Node, int]:
    """x and the indices with axes of the same sizes, but for one."""
    node, chosen = as_node(x), _as_indices(indices, what)
    if axis is None:
        node, axis = reshape(node, -1), 0
    at = normal_axis(axis, node.ndim)
    if chosen.ndim != node.ndim:
        raise ShapeError(
            f"{what}: the indices have {chosen.ndim} dimensions, not {node.ndim}",
            saw=[node.describe(), chosen.describe()],
            hint="gg.expand_dims(indices, axis)",
        )
    rest = [(*part.shape[:at], 1, *part.shape[at + 1 :]) for part in (node, chosen)]
    common = broadcast(rest)

    def stretched(part: Node) -> Node:
        return broadcast_to(part, (*common[:at], part.shape[at], *common[at + 1 :]))

    return stretched(node), stretched(chosen), at


@composite
def take_along_axis(x: Operand, indices: Operand, axis: int | None = -1) -> Node:
    """For each place of the indices, the element of x at that index along an axis, and otherwise at the same place.

    x and the indices have as many dimensions, and their other axes are broadcast. Indices below 0 count from the end;
    one out of range is an IndexError when the model runs. The gradient is added up where elements were taken from.

    >>> x, best = gg.input("x", ("batch", 10)), gg.input("best", ("batch", 3), "int64")
    >>> gg.take_along_axis(x, best, axis=1).shape
    (Dim('batch'), 3)
    """
    node, chosen, at = _lined_up(x, indices, axis, "take_along_axis")
    return apply("gather", node, chosen, index=along(node.ndim, at))


@composite
def put_along_axis(x: Operand, indices: Operand, values: Operand, axis: int | None = -1) -> Node:
    """x with values put where `take_along_axis` would take: a new array, unlike NumPy's function of that name.

    The last of several values for one place stays, and it alone gets the gradient. With axis None, the result is one
    row.

    >>> x, best = gg.input("x", ("batch", 10)), gg.input("best", ("batch", 1), "int64")
    >>> gg.put_along_axis(x, best, 0.0, axis=1).shape
    (Dim('batch'), 10)
    """
    node, chosen, at = _lined_up(x, indices, axis, "put_along_axis")
    value = to_dtype(values, node.dtype) if isinstance(values, int | float) else as_node(values)
    where_ = along(node.ndim, at)
    once = never_repeats(node.shape, where_, [chosen])
    put = broadcast_to(value, chosen.shape)
    return apply("scatter_set", node, put, chosen, index=where_, once=once)


bind("take", take)
