"""Updates of a place in an array, which make a new array. The place is any that ``x[index]`` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.accumulate import scatter_multiply
from graphgrad.ops.arithmetic import add as add_nodes
from graphgrad.ops.arithmetic import maximum, minimum
from graphgrad.ops.arithmetic import multiply as multiply_nodes
from graphgrad.ops.family import to_dtype
from graphgrad.ops.gather import add_up
from graphgrad.ops.index import place_roles
from graphgrad.ops.layout import layout, never_repeats
from graphgrad.ops.leaf import Operand, as_node, const
from graphgrad.ops.movement import broadcast_to
from graphgrad.ops.subscript import Index, index_roles, indexed_shape, spell_index, split_index


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
    result[cast(Any, index)] = v
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
    return At(x, index).set(v)


class At:
    """A place in an array, for `set`, `add` and others, each of which gives a new array. Made by `at`."""

    def __init__(self, x: Operand, index: Any) -> None:
        self._x = as_node(x)
        self._index, self._arrays = split_index(index, self._x.shape)
        self._shape = layout(self._x.shape, self._index, [array.shape for array in self._arrays]).shape
        self._once = never_repeats(self._x.shape, self._index, self._arrays)

    @composite
    def set(self, value: Operand) -> Node:
        """This place replaced. Where the index names an element more than once, the last value stays, and it alone
        gets the gradient."""
        if not self._arrays:
            return apply("update", self._x, self._fitting(value), index=self._index)
        return self._scattered("scatter_set", value, once=self._once)

    @composite
    def add(self, value: Operand) -> Node:
        """`value` added at this place, as often as the index names it."""
        v = self._fitting(value)
        if not self._arrays:
            return add_nodes(self._x, apply("place", v, shape=self._x.shape, index=self._index))
        return add_nodes(self._x, add_up(v, self._arrays, self._x.shape, self._index))

    @composite
    def multiply(self, value: Operand) -> Node:
        """This place multiplied by `value`, as often as the index names it."""
        v = self._fitting(value)
        if self._once:
            return self.set(multiply_nodes(self._taken(), v))
        return multiply_nodes(self._x, scatter_multiply([v, *self._arrays], self._x.shape, self._index))

    @composite
    def max(self, value: Operand) -> Node:
        """The larger of `value` and what is at this place. Ties share the gradient evenly."""
        if self._once:
            return self.set(maximum(self._taken(), self._fitting(value)))
        return self._scattered("scatter_max", value)

    @composite
    def min(self, value: Operand) -> Node:
        """The smaller of `value` and what is at this place. Ties share the gradient evenly."""
        if self._once:
            return self.set(minimum(self._taken(), self._fitting(value)))
        return self._scattered("scatter_min", value)

    def _fitting(self, value: Operand) -> Node:
        v = to_dtype(value, self._x.dtype) if isinstance(value, int | float) else as_node(value)
        return broadcast_to(v, self._shape)

    def _taken(self) -> Node:
        kind = "gather" if self._arrays else "index"
        return apply(kind, self._x, *self._arrays, index=self._index)

    def _scattered(self, name: str, value: Operand, **attrs: Any) -> Node:
        return apply(name, self._x, self._fitting(value), *self._arrays, index=self._index, **attrs)


def at(x: Operand, index: Any) -> At:
    """Where ``x[index] = v`` would write; nodes are immutable, so `set`, `add`, `multiply`, `max` and `min` give a new
    one. The index is any that ``x[index]`` takes.

    >>> x, i = gg.input("x", (3, 2)), gg.input("i", ("n",), "int64")
    >>> gg.at(x, 0).set(1.0).shape, gg.at(x, (..., 1)).add(2.0).shape, gg.at(x, i).max(0.0).shape
    ((3, 2), (3, 2), (3, 2))
    """
    return At(x, index)
