"""Basic indexing: ints, slices, newaxis and ellipsis; its adjoint; and updates that make a new array."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Dim, Size, add, at_least, floor_divide, minimum, multiply
from graphgrad.core.errors import ArgumentError, NodeUseError, ShapeError, UnsupportedError
from graphgrad.core.form import ATOM, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec, as_shape
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import expand_dims, reshape

Item: TypeAlias = "int | slice | None"
Index: TypeAlias = tuple[Item, ...]
"""A normal index: one item for each axis, and None where an axis is put in."""

_ALL = slice(None)


def _minus(a: Size, b: Size) -> Size:
    return add(a, multiply(b, -1))


# ---- what an index means --------------------------------------------------------------------------


def normal_index(index: Any, shape: Shape) -> Index:
    """An index with its ellipsis filled in and every bound that is known made plain.

    Raises
    ------
    ShapeError
        If it has too many items or an int is out of range.
    UnsupportedError
        For arrays of indices and masks.
    ArgumentError
        For anything else that is no index.
    """
    items = index if isinstance(index, tuple) else (index,)
    taken = len([item for item in items if item is not None and item is not Ellipsis])
    dots = [at for at, item in enumerate(items) if item is Ellipsis]
    if taken > len(shape) or len(dots) > 1:
        raise ShapeError(f"index {index} has too many items for {len(shape)} dimensions")
    at = dots[0] if dots else len(items)
    full = (*items[:at], *(_ALL,) * (len(shape) - taken), *items[at + 1 :])
    sizes = iter(shape)
    return tuple(None if item is None else _normal_item(item, next(sizes)) for item in full)


def _normal_item(item: Any, size: Size) -> int | slice:
    if isinstance(item, slice):
        return _normal_slice(item, size)
    if isinstance(item, bool | np.bool_ | list | np.ndarray | Node) and not (
        isinstance(item, np.ndarray) and item.ndim == 0 and item.dtype.kind in "iu"
    ):
        raise UnsupportedError(
            "indexing by arrays, lists and masks is not supported", hint="ints and slices, or gg.where"
        )
    if not hasattr(item, "__index__"):
        raise ArgumentError(f"{item!r:.60} is no index")
    number = operator.index(item)
    if isinstance(size, int):
        if not -size <= number < size:
            raise ShapeError(f"index {number} is out of range for size {size}")
        return number % size
    return number


def _bound(value: Any) -> Size | None:
    if value is None or isinstance(value, Dim):
        return value
    if isinstance(value, Node):
        raise NodeUseError(
            "a slice by a node would have a shape that depends on values", hint="ints and sizes"
        )
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{value!r:.60} is no bound of a slice")
    return operator.index(value)


def _normal_slice(item: slice, size: Size) -> slice:
    start, stop, step = _bound(item.start), _bound(item.stop), _bound(item.step)
    if step == 0 or isinstance(step, Dim):
        raise ShapeError("a slice's step is an int other than 0")
    stride = 1 if step is None else step
    if isinstance(size, int) and not isinstance(start, Dim) and not isinstance(stop, Dim):
        first, last, _ = slice(start, stop, stride).indices(size)
        if stride > 0:
            last = max(last, first)
            whole = first == 0 and last >= size
            return slice(None, None, stride) if whole else slice(first, last, stride)
        if first < 0:  # nothing is left to count down from
            return slice(0, 0, stride)
        return (
            slice(None, None, stride)
            if first == size - 1 and last == -1
            else slice(first, None if last < 0 else last, stride)
        )
    if stride < 0:
        return slice(None if start in (None, -1) else start, stop, stride)
    begin = None if start is None or start == 0 else start
    end = None if stop is None or stop == size else stop
    return slice(begin, end, stride)


def slice_size(item: slice, size: Size) -> Size:
    """How many elements a normal slice takes of `size`, which is assumed to reach its start."""
    if isinstance(size, int) and not isinstance(item.start, Dim) and not isinstance(item.stop, Dim):
        return len(range(*item.indices(size)))
    if item.step > 0:
        span = _minus(_place(item.stop, size, size), _place(item.start, size, 0))
    else:
        span = _backward_span(item, size)
    stride = abs(item.step)
    return span if stride == 1 else floor_divide(add(span, stride - 1), stride)


def _backward_span(item: slice, size: Size) -> Size:
    """How far a slice goes that counts down, from its start until before its stop."""
    start, stop = item.start, item.stop
    if isinstance(start, int) and isinstance(stop, int) and start <= stop and (start < 0) == (stop < 0):
        return 0
    last = _minus(size, 1)
    first = _place(last if start is None else start, size, 0)
    return _minus(minimum(first, last), -1 if stop is None else _place(stop, size, 0))


def _place(bound: Size | None, size: Size, default: Size) -> Size:
    """Where a bound falls: counted from the end if negative, and never past the end."""
    if bound is None:
        return default
    if isinstance(bound, int) and bound < 0:
        return add(size, bound)
    if default == 0:  # a start is assumed to lie within
        return bound
    return bound if at_least(size, bound) else minimum(size, bound)


def indexed_shape(shape: Shape, index: Index) -> Shape:
    """The shape of what an index takes."""
    sizes = iter(shape)
    result: list[Size] = []
    for item in index:
        if item is None:
            result.append(1)
        elif isinstance(item, slice):
            result.append(slice_size(item, next(sizes)))
        else:
            next(sizes)
    return tuple(result)


def takes_all(shape: Shape, index: Index) -> bool:
    """Whether an index takes every element, in order: then it only changes the shape."""
    taken = [item for item in index if item is not None]
    return all(
        item == _ALL or item == slice(None, None, 1) if isinstance(item, slice) else size == 1
        for item, size in zip(taken, shape, strict=True)
    )


def spell_index(speller: Speller, index: Index) -> str:
    items = [_spell_item(speller, item) for item in index]
    while len(items) > 1 and items[-1] == ":":
        items.pop()
    return ", ".join(items) or "()"


def _spell_item(speller: Speller, item: Item) -> str:
    if not isinstance(item, slice):
        return str(item)
    start = "" if item.start is None or (item.start == 0 and item.step > 0) else speller.size(item.start).text
    stop = "" if item.stop is None else speller.size(item.stop).text
    return f"{start}:{stop}" + (f":{item.step}" if item.step not in (None, 1) else "")


def index_roles(shape: Shape, index: Index) -> tuple[AxisRole, ...]:
    """Whole axes taken by ``:`` are mapped; of the others, results need the whole."""
    roles: list[AxisRole] = []
    position = 0
    for item in index:
        if item is None:
            position += 1
        elif isinstance(item, slice):
            roles.append(position if item == slice(None, None, 1) else WHOLE)
            position += 1
        else:
            roles.append(WHOLE)
    return tuple(roles)


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
        Fault((((2, 3), "float32"),), {"index": [0, 1]}, UnsupportedError, "arrays"),
    ),
    rule={"x": "flows back into its place"},
    noun="part",
    operands=("x",),
    view=True,
    light=True,
    cost=lambda inputs, result: 0,
)
def index(x: Operand, index: Any) -> Node:
    """``x[index]``: ints, slices with steps, None and ``...``, as NumPy has them.

    The gradient flows back into its place, among zeros. Of a symbolic size, ``x[1:]`` has one less, and
    ``x[::2]`` a derived size; a slice must start within the array.

    >>> x = gg.input("x", ("batch", 3))
    >>> x[1:, 0].shape, x[::2].shape
    ((Dim('batch - 1'),), (Dim('(batch + 1) // 2'), 3))
    """
    node = as_node(x)
    normal = normal_index(index, node.shape)
    same = all(item == slice(None, None, 1) for item in normal)
    return node if same else apply("index", node, index=normal)


# ---- place: the adjoint of index ------------------------------------------------------------------


def _placed(g: Spec, *, shape: Shape, index: Index) -> Spec:
    if indexed_shape(shape, index) != g.shape:
        raise ShapeError(f"the place has shape {indexed_shape(shape, index)}, not {g.shape}")
    return Spec(shape, g.dtype)


def _place_reference(
    g: np.ndarray[Any, Any], *, shape: tuple[int, ...], index: Index
) -> np.ndarray[Any, Any]:
    result = np.zeros(shape, g.dtype)
    result[index] = g
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
