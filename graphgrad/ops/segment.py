"""Groups and classes: sums by group, and a column for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.errors import DTypeError, ShapeError, UnsupportedError
from graphgrad.core.form import ATOM, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import AxisRole, Fault, NotDifferentiable, Sample, apply, defop
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec, as_dtype, as_shape
from graphgrad.ops.gather import add_up
from graphgrad.ops.indexed_source import put_rows
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.subscript import ARRAY


@composite
def segment_sum(data: Operand, segment_ids: Operand, num_segments: Any = None) -> Node:
    """The sums of rows that belong together: ``result[s]`` sums ``data[i]`` over all i with ``segment_ids[i] == s``.

    As in JAX, but a number out of range is an IndexError when the model runs; below 0 it counts from the end. The
    gradient of a row is that of its segment.

    Parameters
    ----------
    num_segments:
        An int or a symbolic size; needed unless `segment_ids` is a constant.

    >>> x, group = gg.input("x", ("n", 3)), gg.input("group", ("n",), "int64")
    >>> gg.segment_sum(x, group, 5).shape
    (5, 3)
    """
    rows, groups = as_node(data), as_node(segment_ids)
    if groups.dtype.kind not in "iu":
        raise DTypeError(
            f"segment_sum: segment_ids are integers, not {groups.dtype}", saw=[groups.describe()]
        )
    if not rows.ndim or groups.shape != rows.shape[:1]:
        raise ShapeError(
            "segment_sum: there is one number for each row of the data",
            saw=[rows.describe(), groups.describe()],
        )
    if num_segments is None:
        if groups.op.name != "const":
            raise UnsupportedError(
                "segment_sum: how many segments there are depends on values, so the result would have no shape",
                saw=[groups.describe()],
                hint="num_segments=",
            )
        num_segments = int(groups.attrs["value"].max(initial=-1)) + 1
    shape = (*as_shape(num_segments), *rows.shape[1:])
    return add_up(rows, [groups], shape, (ARRAY, *(slice(None, None, 1),) * (rows.ndim - 1)))


# ---- one_hot --------------------------------------------------------------------------------------


def _spell_one_hot(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    x, ndim = parts[0], node.ndim
    zeros = f"{{out}} = np.zeros({speller.shape(node.shape)}, {speller.dtype(node.dtype)})"
    if ndim == 1:
        return Lines((zeros, f"{{out}}[{x.text}] = 1"))
    if ndim == 2:
        return Lines((zeros, f"{{out}}[np.arange(len({{out}})), {x.text}] = 1"))
    return Lines((zeros, f"np.put_along_axis({{out}}, {x.at(ATOM)}[..., None], 1, axis={ndim - 1})"))


def _one_hot_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    put = (
        f"{{out}}[{parts[0].text}] = 1"
        if node.ndim == 1
        else put_rows(speller, node, parts[0], node.inputs[0].shape, Form("1"))
    )
    return Lines(("{out}.fill(0)", put))


def _one_hot_reference(x: Any, *, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    return np.asarray(np.eye(shape[-1], dtype=dtype)[x])


def _one_hot_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.array([2, 0, -1, 2]),), {"num_classes": 3})
    yield Sample((np.array([[2, 0], [1, 1]], np.uint8),), {"num_classes": 4, "dtype": "bool"})
    yield Sample((np.asarray(1, np.int32),), {"num_classes": 3, "dtype": "int64"})
    yield Sample((np.zeros((0,), np.int64),), {"num_classes": 3})


_NO_SLOPE = NotDifferentiable("class numbers are integers")


def _one_hot_roles(x: Spec, *, shape: Any, dtype: Any) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(range(x.ndim)),)


@defop(
    infer=lambda x, *, shape, dtype: Spec(shape, dtype),
    axes=_one_hot_roles,
    reference=_one_hot_reference,
    numpy=_spell_one_hot,
    into=_one_hot_into,
    vjp=_NO_SLOPE,
    jvp=_NO_SLOPE,
    samples=_one_hot_samples,
    errors=(
        Fault((((2,), "float32"),), {"num_classes": 3}, DTypeError, "integers"),
        Fault((((2,), "int64"),), {"num_classes": -1}, ShapeError, "negative"),
    ),
    rule={},
    noun="one_hot",
    operands=("x",),
    is_expression=False,
    cost=lambda inputs, result: 0,
)
def one_hot(x: Operand, num_classes: Size | str, dtype: Any = "float32") -> Node:
    """Zeros with a 1 at each class number, along a new last axis.

    A number out of range is an IndexError when the model runs; below 0 it counts from the end. Integers have no
    gradient.

    >>> gg.one_hot(gg.input("label", ("batch",), "int64"), 10).shape
    (Dim('batch'), 10)
    """
    node = as_node(x)
    if node.dtype.kind not in "iu":
        raise DTypeError(f"class numbers are integers, not {node.dtype}", saw=[node.describe()])
    return apply("one_hot", node, shape=(*node.shape, *as_shape(num_classes)), dtype=as_dtype(dtype))
