"""What an index means: ints, slices, newaxis and ellipsis, and the places where arrays of integers stand.

A normal index has one item for each axis, and None where an axis is put in. Where an array of integers stands there is
the word ARRAY, and the array itself is an input of the node: the first ARRAY is the first of them.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Dim, Size, add, at_least, floor_divide, minimum, multiply
from graphgrad.core.errors import ArgumentError, NodeUseError, ShapeError, UnsupportedError
from graphgrad.core.form import Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole
from graphgrad.core.spec import Shape, shape_text
from graphgrad.ops.leaf import const

ARRAY = "array"
"""Here stands an array of integers."""
DOTS = "..."
"""Here stands an ellipsis that takes no axis, but keeps the arrays around it apart, as NumPy has it."""
Each: TypeAlias = tuple[str, int]
"""``("each", p)``: every place of this axis, in step with axis p of the arrays, as `take_along_axis` has it."""
Item: TypeAlias = "int | slice | str | Each | None"
Index: TypeAlias = tuple[Item, ...]

_ALL = slice(None)


def each(position: int) -> Each:
    """The item that goes along with axis `position` of the arrays."""
    return ("each", position)


def _minus(a: Size, b: Size) -> Size:
    return add(a, multiply(b, -1))


# ---- a normal index -------------------------------------------------------------------------------


def split_index(index: Any, shape: Shape) -> tuple[Index, tuple[Node, ...]]:
    """An index as the user wrote it as a normal one, and its arrays of integers.

    The ellipsis is filled in, every bound that is known is made plain, and a constant mask becomes the arrays of the
    places where it is true.

    Raises
    ------
    ShapeError
        If it has too many items, a number in it is out of range, or a mask does not fit.
    UnsupportedError
        For masks that are computed: the shape would depend on values.
    ArgumentError
        For anything else that is no index.
    """
    given = [_array_item(item) for item in (index if isinstance(index, tuple) else (index,))]
    taken = sum(_width(item) for item in given)
    dots = [at for at, item in enumerate(given) if item is Ellipsis]
    if taken > len(shape) or len(dots) > 1:
        raise ShapeError(f"index {_shown(index)} has too many items for {len(shape)} dimensions")
    at = dots[0] if dots else len(given)
    filled: list[Any] = [_ALL] * (len(shape) - taken)
    if dots and not filled and _keeps_apart(given[:at], given[at + 1 :]):
        filled = [DOTS]
    sizes = iter(shape)
    items: list[Item] = []
    arrays: list[Node] = []
    for item in (*given[:at], *filled, *given[at + 1 :]):
        if item is None or item is DOTS:
            items.append(item)
        elif isinstance(item, Node):
            own = _mask_places(item, sizes) if item.dtype == np.bool_ else (_checked(item, next(sizes)),)
            items += [ARRAY] * len(own)
            arrays += own
        else:
            items.append(_normal_item(item, next(sizes)))
    return _in_step(items, arrays, shape)


def _in_step(items: list[Item], arrays: list[Node], shape: Shape) -> tuple[Index, tuple[Node, ...]]:
    """Vectors that count up a whole axis, beside others as long, say that it goes along with those: ``x[arange(n), i]``
    takes one element of each row."""
    if len(arrays) < 2 or any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays):
        return tuple(items), tuple(arrays)
    given, sizes = iter(arrays), iter(shape)
    kept: list[Node] = []
    for at, item in enumerate(items):
        size = 1 if item is None or item is DOTS else next(sizes)
        if item == ARRAY:
            array = next(given)
            if _counts_up(array, size):
                items[at] = each(0)
            else:
                kept.append(array)
    if not kept:  # the last one stays, for there is nothing else to go along with
        items[max(at for at, item in enumerate(items) if item == each(0))] = ARRAY
        kept = [arrays[-1]]
    return tuple(items), tuple(kept)


def _counts_up(array: Node, size: Size) -> bool:
    """Whether a vector is 0, 1, 2, ... to the end of an axis."""
    if array.op.name == "arange":
        return (array.attrs["start"], array.attrs["stop"], array.attrs["step"]) == (0, size, 1)
    return array.op.name == "const" and array.shape == (size,) and _is_range(array.attrs["value"])


def _is_range(value: np.ndarray[Any, Any]) -> bool:
    return bool((value == np.arange(len(value))).all())


def normal_index(index: Any, shape: Shape) -> Index:
    """A normal index without arrays.

    Raises
    ------
    GraphgradError
        As `split_index`; and UnsupportedError if there are arrays.
    """
    normal, arrays = split_index(index, shape)
    if arrays:
        raise UnsupportedError("an index of ints and slices is needed here, not arrays")
    return normal


def _keeps_apart(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether an ellipsis that takes no axis stands between arrays and ints, of which at least one is an array."""
    chosen = [
        [item for item in items if item is not None and not isinstance(item, slice)]
        for items in (before, after)
    ]
    return all(chosen) and any(isinstance(item, Node) for items in chosen for item in items)


def _width(item: Any) -> int:
    """How many axes an item takes."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Node) and item.dtype == np.bool_ else 1


def _shown(index: Any) -> str:
    items = index if isinstance(index, tuple) else (index,)
    return ", ".join(item.describe() if isinstance(item, Node) else f"{item!r:.60}" for item in items) or "()"


def _array_item(item: Any) -> Any:
    """Lists and arrays as nodes, and anything else as it is."""
    if isinstance(item, bool | np.bool_):
        raise UnsupportedError("True and False are no index here", hint="gg.expand_dims, or an int")
    if isinstance(item, list | tuple):
        if any(isinstance(part, Node) for part in item):
            raise ArgumentError("a list of nodes is no index", hint="gg.concatenate makes one node of them")
        item = np.asarray(item)
        item = item.astype(np.int64) if item.size == 0 else item
    if isinstance(item, np.ndarray):
        item = const(item)
    if isinstance(item, Node):
        if item.dtype.kind not in "iub":
            raise ArgumentError(f"an index is integers, not {item.dtype}", saw=[item.describe()],
                                hint="gg.cast(i, 'int64')")  # fmt: skip
        if item.dtype == np.bool_ and item.op.name != "const":
            raise UnsupportedError(
                "how many elements a mask takes depends on its values, so the result would have no shape",
                saw=[item.describe()],
                hint="gg.where(mask, x, 0), or where=mask in a reduction; an array of bools, if it is fixed",
            )
        if item.ndim == 0 and item.op.name == "const":
            return _array_item(item.attrs["value"].item())
    return item


def _mask_places(mask: Node, sizes: Any) -> tuple[Node, ...]:
    """Where a constant mask is true, axis by axis."""
    wanted = tuple(next(sizes) for _ in range(mask.ndim))
    if mask.shape != wanted:
        raise ShapeError(
            f"a mask of shape {shape_text(mask.shape)} does not fit axes of size {shape_text(wanted)}",
            saw=[mask.describe()],
        )
    return tuple(const(places) for places in np.nonzero(mask.attrs["value"]))


def _checked(array: Node, size: Size) -> Node:
    """An array of integers whose numbers, as far as they are known, lie within the axis."""
    if array.op.name == "const" and isinstance(size, int):
        value = array.attrs["value"]
        wrong = value[(value < -size) | (value >= size)]
        if wrong.size:
            raise ShapeError(f"index {wrong.flat[0]} is out of range for size {size}", saw=[array.describe()])
    return array


def _normal_item(item: Any, size: Size) -> int | slice:
    if isinstance(item, slice):
        return _normal_slice(item, size)
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
    items = [spell_item(speller, item) for item in index]
    while len(items) > 1 and items[-1] == ":":
        items.pop()
    return ", ".join(items) or "()"


def spell_item(speller: Speller, item: Item) -> str:
    """One item of an index as source."""
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
