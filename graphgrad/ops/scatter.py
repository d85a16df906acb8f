"""Setting what stands where arrays of integers say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, NotDifferentiable, Sample, apply, defop
from graphgrad.core.spec import Shape, Spec, as_shape, broadcast
from graphgrad.ops.compare import where
from graphgrad.ops.gather import fits, scatter_roles, spell_assigned
from graphgrad.ops.indexed_source import put_into
from graphgrad.ops.layout import (
    is_chosen,
    layout,
    never_repeats,
    numpy_index,
    of_axes,
    source_roles,
    spell_places,
)
from graphgrad.ops.leaf import Operand, as_node, const
from graphgrad.ops.movement import broadcast_to, expand_dims
from graphgrad.ops.subscript import ARRAY, Index, each

_ALL = slice(None, None, 1)


def _written(x: Spec, v: Spec, *arrays: Spec, index: Index, **attrs: Any) -> Spec:
    fits(x.shape, index, v, arrays)
    if x.dtype != v.dtype:
        raise DTypeError(f"cannot put {v.dtype} into {x.dtype}", hint="gg.cast(v, x.dtype)")
    return x


def _write_roles(
    x: Spec, v: Spec, *arrays: Spec, index: Index, **attrs: Any
) -> tuple[tuple[AxisRole, ...], ...]:
    """Axes that the index takes whole, or in step with the arrays, are mapped; of others everything is needed."""
    roles = source_roles(index, layout(x.shape, index, [array.shape for array in arrays]))
    own = tuple(axis if isinstance(role, int) else WHOLE for axis, role in enumerate(roles))
    return own, *scatter_roles(v, *arrays, shape=x.shape, index=index, reduced=WHOLE)


def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    x, repeated = rng.normal(size=(5, 4)), np.array([3, 0, -2, 3])
    for v, index, *arrays in (
        ((4, 4), (ARRAY, _ALL), repeated),
        ((5, 4), (_ALL, ARRAY), np.array([1, 0, -1, 1])),
        ((4,), (ARRAY, ARRAY), repeated, np.array([1, 1, 2, 1])),
        ((5, 2), (each(0), ARRAY), np.array([[1, 1], [-1, 3], [2, 0], [0, 0], [3, -1]])),
        ((5,), (each(0), ARRAY), np.array([1, -1, 1, 0, 2])),
        ((2, 2, 4), (ARRAY, _ALL), repeated.reshape(2, 2)),
        ((0, 4), (ARRAY, _ALL), np.array([], np.int64)),
        ((4,), (ARRAY, _ALL), np.asarray(-1)),
    ):
        yield Sample((x, rng.normal(size=v), *arrays), {"index": index}, packed=True)


_FAULTS = (
    Fault(
        (((5,), "float32"), ((3,), "float32"), ((2,), "int64")),
        {"index": (ARRAY,)},
        ShapeError,
        "the place has",
        packed=True,
    ),
    Fault(
        (((5,), "float32"), ((2,), "float64"), ((2,), "int64")),
        {"index": (ARRAY,)},
        DTypeError,
        "cannot put",
        packed=True,
    ),
)

WRITE: dict[str, Any] = {
    "infer": _written,
    "axes": _write_roles,
    "samples": _samples,
    "errors": _FAULTS,
    "is_expression": False,
    "operands": None,
    "cost": lambda inputs, result: inputs[1].size,
}
"""What ops share that write v into x."""


# ---- is_last --------------------------------------------------------------------------------------


def _last_reference(
    *arrays: Any, shape: tuple[int, ...], index: Index, common: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    last: dict[tuple[int, ...], int] = {}
    numbers = [np.broadcast_to(part, common) for part in numpy_index(index, shape, arrays)]
    places = [
        tuple(place % size for place, size in zip(row, shape, strict=True))
        for row in zip(*(part.ravel().tolist() for part in numbers), strict=True)
    ]
    for at, place in enumerate(places):
        last[place] = at
    return np.array([last[place] == at for at, place in enumerate(places)], np.bool_).reshape(common)


def _spell_last(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    """Numbers the writes, writes the numbers, and looks which are still there."""
    ndim = max(array.ndim for array in node.inputs)
    places = spell_places(speller, node.attrs["index"], _in_order(parts, node.inputs), "{out}", ndim)
    shape = node.attrs["common"]
    count = speller.size(node.size).text
    numbers = f"np.arange({count})" + (f".reshape({speller.shape(shape)})" if len(shape) != 1 else "")
    return Lines(
        (
            f"{{out}} = np.empty({speller.shape(node.attrs['shape'])}, np.int64)",
            f"{{out}}[{places}] = {numbers}",
            f"{{out}} = {{out}}[{places}] == {numbers}",
        )
    )


def _in_order(parts: Sequence[Form], arrays: Sequence[Node]) -> list[Form]:
    """NumPy writes in the order in which arrays lie in memory, which is to be the order of their axes: an argument may
    lie there backwards, and of several axes any may come first."""
    return [
        part if array.ndim < 1 else Form(f"np.ascontiguousarray({part.text})")
        for part, array in zip(parts, arrays, strict=True)
    ]


def _last_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.array([3, 0, -2, 3]),), {"shape": (5,), "index": (ARRAY,)}, packed=True)
    yield Sample((np.array([[1, 0], [1, -5]]),), {"shape": (5,), "index": (ARRAY,)}, packed=True)
    yield Sample((np.array([[1, 0], [1, -2]]),), {"shape": (2, 5), "index": (each(0), ARRAY)}, packed=True)
    yield Sample(
        (np.array([0, 0, 1]), np.array([[1], [1]])), {"shape": (2, 5), "index": (ARRAY, ARRAY)}, packed=True
    )
    yield Sample((np.array([], np.int64),), {"shape": (5,), "index": (ARRAY,)}, packed=True)


@defop(
    infer=lambda *arrays, shape, index, common: Spec(common, np.dtype(np.bool_)),
    axes=lambda *arrays, shape, index, common: tuple((WHOLE,) * array.ndim for array in arrays),
    reference=_last_reference,
    numpy=_spell_last,
    vjp=NotDifferentiable("it says which writes count, and no value"),
    jvp=NotDifferentiable("it says which writes count, and no value"),
    samples=_last_samples,
    errors=(
        Fault(
            (((2,), "int64"), ((3,), "int64")),
            {"shape": (5, 5), "index": (ARRAY, ARRAY)},
            ShapeError,
            "do not broadcast",
            packed=True,
        ),
    ),
    rule={},
    noun="is_last",
    operands=None,
    repeats=True,
    is_expression=False,
    cost=lambda inputs, result: 0,
)
def is_last(arrays: Sequence[Operand], shape: Shape, index: Index) -> Node:
    """For each write into an array of `shape`, whether no later one goes to the same place; boolean.

    >>> is_last([gg.input("i", ("n",), "int64")], (5,), ("array",)).shape
    (Dim('n'),)
    """
    nodes = [as_node(array) for array in arrays]
    common = broadcast([node.shape for node in nodes])
    return apply("is_last", *nodes, shape=as_shape(shape), index=index, common=common)


def _counts(x: Node, v: Node, arrays: Sequence[Node], index: Index) -> Node:
    """For each element of v, whether it is the one that stays."""
    found = layout(x.shape, index, [array.shape for array in arrays])
    items = zip(of_axes(index), x.shape, strict=True)
    chosen = [(item, size) for item, size in items if is_chosen(item) and not isinstance(item, int)]
    last = is_last(arrays, tuple(size for _, size in chosen), tuple(item for item, _ in chosen))
    return expand_dims(last, [axis for axis in range(v.ndim) if axis not in found.spread])


# ---- scatter_set ----------------------------------------------------------------------------------


def _set_reference(x: Any, v: Any, *arrays: Any, index: Index, once: bool) -> np.ndarray[Any, Any]:
    result = np.array(x, order="C")
    places = np.arange(result.size).reshape(result.shape)[numpy_index(index, result.shape, arrays)]
    for place, value in zip(places.ravel().tolist(), np.ravel(v), strict=True):
        result.reshape(-1)[place] = value
    return result


def _spell_set(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    v, *arrays = _in_order_of_writing(parts, node)
    put = spell_assigned(speller, node, v, arrays, node.inputs[2:])
    return Lines((f"{{out}} = np.array({parts[0].text})", put))


def _set_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    x, nodes = parts[0].text, node.inputs[2:]
    v, *arrays = _in_order_of_writing(parts, node)
    put = put_into(speller, node, v, arrays, nodes) or spell_assigned(speller, node, v, arrays, nodes)
    return Lines((put,) if to.out == x else (f"np.copyto({{out}}, {x})", put))


def _in_order_of_writing(parts: Sequence[Form], node: Node) -> list[Form]:
    """v and the arrays of the index; where a place may be written more than once, in C order."""
    nodes = node.inputs[1:]
    if node.attrs["once"] or (
        len(nodes) == 2 and nodes[1].ndim < 2
    ):  # one vector is gone through from its start
        return list(parts[1:])
    return _in_order(parts[1:], nodes)


def _set_back(
    i: int, g: Node, y: Node, x: Node, v: Node, *arrays: Node, index: Index, once: bool
) -> Node | None:
    if i == 0:
        hole = broadcast_to(const(np.zeros((), v.dtype)), v.shape)
        return apply("scatter_set", g, hole, *arrays, index=index, once=once)
    if i > 1:
        return None
    taken = apply("gather", g, *arrays, index=index)
    return taken if once else where(_counts(x, v, arrays, index), taken, 0)


def _set_tangent(at: int) -> Callable[..., Node]:
    def tangent(t: Node, y: Node, x: Node, v: Node, *arrays: Node, index: Index, once: bool) -> Node:
        kept, put = (broadcast_to(const(np.zeros((), y.dtype)), part.shape) for part in (x, v))
        pair = (t, put) if at == 0 else (kept, t)
        return apply("scatter_set", *pair, *arrays, index=index, once=once)

    return tangent


@defop(
    reference=_set_reference,
    numpy=_spell_set,
    into=_set_into,
    overwrites=(0,),
    vjp=_set_back,
    jvp={"x0": _set_tangent(0), "x1": _set_tangent(1)},
    rule={"x0": "G elsewhere", "x1": "G at that place"},
    noun="updated",
    **WRITE,
)
def scatter_set(arrays: Sequence[Operand], index: Index) -> Node:
    """x with ``x[index]`` replaced by v: ``gg.at(x, index).set(v)``, where arrays stand in the index.

    `arrays` are x, v, and those of the index. Where it names a place more than once, the last element of v stays, in
    the order of v's axes; it alone gets the gradient.

    >>> x, v, i = gg.input("x", (5,)), gg.input("v", ("n",)), gg.input("i", ("n",), "int64")
    >>> scatter_set([x, v, i], ("array",)).shape
    (5,)
    """
    x, v, *chosen = map(as_node, arrays)
    fits(x.shape, index, v.spec, [array.spec for array in chosen])
    return apply("scatter_set", x, v, *chosen, index=index, once=never_repeats(x.shape, index, chosen))
