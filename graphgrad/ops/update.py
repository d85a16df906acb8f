"""Updates of a place in an array, which make a new array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.spec import Spec
from graphgrad.ops.arithmetic import add as add_nodes
from graphgrad.ops.family import to_dtype
from graphgrad.ops.index import Index, index_roles, indexed_shape, normal_index, place_roles, spell_index
from graphgrad.ops.leaf import Operand, as_node, const
from graphgrad.ops.movement import broadcast_to


def _updated(x: Spec, v: Spec, *, index: Index) -> Spec:
    if indexed_shape(x.shape, index) != v.shape:
        raise ShapeError(f"the place has shape {indexed_shape(x.shape, index)}, not {v.shape}")
    if x.dtype != v.dtype:
        raise DTypeError(f"cannot put {v.dtype} into {x.dtype}", hint="gg.cast(v, x.dtype)")
    return x


def _update_reference(
    x: np.ndarray[Any, Any], v: np.ndarray[Any, Any], *, index: Index
) -> np.ndarray[Any, Any]:
    result = np.array(x)
    result[index] = v
    return result


def _spell_update(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    where_ = spell_index(speller, node.attrs["index"])
    return Lines((f"{{out}} = np.array({parts[0].text})", f"{{out}}[{where_}] = {parts[1].text}"))


def _update_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    put = f"{{out}}[{spell_index(speller, node.attrs['index'])}] = {parts[1].text}"
    return Lines((put,) if to.out == parts[0].text else (f"np.copyto({{out}}, {parts[0].text})", put))


def _update_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(5, 4)), rng.normal(size=(4,))), {"index": 1})
    yield Sample((rng.normal(size=(5, 4)), rng.normal(size=(5, 2))), {"index": (slice(None), slice(0, 2))})


def _update_roles(x: Spec, v: Spec, *, index: Index) -> tuple[tuple[AxisRole, ...], ...]:
    roles = index_roles(x.shape, index)
    own = tuple(axis if isinstance(role, int) else WHOLE for axis, role in enumerate(roles))
    return own, place_roles(v, shape=x.shape, index=index)[0]


def _with_hole(g: Node, y: Node, x: Node, v: Node, index: Index) -> Node:
    return update(g, const(np.zeros((), v.dtype)), index)


@defop(
    infer=_updated,
    axes=_update_roles,
    reference=_update_reference,
    numpy=_spell_update,
    into=_update_into,
    overwrites=(0,),
    vjp={
        "x": _with_hole,
        "v": lambda g, y, x, v, index: apply("index", g, index=index),
    },
    jvp="linear",
    samples=_update_samples,
    errors=(Fault((((2, 3), "float32"), ((4,), "float32")), {"index": 0}, ShapeError, "broadcast"),),
    rule={"x": "G elsewhere", "v": "G at that place"},
    noun="updated",
    is_expression=False,
    operands=("x", "v"),
    cost=lambda inputs, result: 0,
)
def update(x: Operand, v: Operand, index: Any) -> Node:
    """x with ``x[index]`` replaced by v, as a new array; v is broadcast. Also ``gg.at(x, index).set(v)``.

    The gradient at that place goes to v, the rest to x.

    >>> update(gg.input("x", (3,)), 0, slice(1, None)).shape
    (3,)
    """
    node = as_node(x)
    normal = normal_index(index, node.shape)
    value = to_dtype(v, node.dtype) if isinstance(v, int | float) else as_node(v)
    return apply("update", node, broadcast_to(value, indexed_shape(node.shape, normal)), index=normal)


class At:
    """A place in an array, for `set` and `add`. Made by `at`."""

    def __init__(self, x: Operand, index: Any) -> None:
        self._x = as_node(x)
        self._index = index

    def set(self, value: Operand) -> Node:
        """A new array with this place replaced."""
        return update(self._x, value, self._index)

    def add(self, value: Operand) -> Node:
        """A new array with `value` added at this place."""
        normal = normal_index(self._index, self._x.shape)
        put = to_dtype(value, self._x.dtype) if isinstance(value, int | float) else as_node(value)
        spread = broadcast_to(put, indexed_shape(self._x.shape, normal))
        return add_nodes(self._x, apply("place", spread, shape=self._x.shape, index=normal))


def at(x: Operand, index: Any) -> At:
    """Where ``x[index] = v`` would write; nodes are immutable, so `set` and `add` give a new one.

    >>> x = gg.input("x", (3, 2))
    >>> gg.at(x, 0).set(1.0).shape, gg.at(x, (..., 1)).add(2.0).shape
    ((3, 2), (3, 2))
    """
    return At(x, index)
