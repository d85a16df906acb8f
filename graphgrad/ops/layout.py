"""Indexing by arrays of integers: where axes end up, whether a place repeats, and how it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import ATOM, Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole
from graphgrad.core.spec import Shape, Spec, broadcast, shape_text
from graphgrad.ops.subscript import ARRAY, DOTS, Index, Item, slice_size, spell_item

_FULL = slice(None, None, 1)


@dataclass(frozen=True)
class Layout:
    """What an index takes of an array, axis by axis."""

    shape: Shape
    """Of what is taken."""
    common: Shape
    """What the arrays of the index broadcast to."""
    spread: tuple[int, ...]
    """The axes of the result that the arrays' common shape becomes."""
    kept: tuple[int | None, ...]
    """For each axis of the array, the axis of the result that has its places; None where ints or arrays stand."""


def layout(shape: Shape, index: Index, arrays: Sequence[Shape]) -> Layout:
    """NumPy's rule: what the arrays and ints take stands where they stand if they stand together, else in front."""
    common = broadcast(arrays)
    chosen = [at for at, item in enumerate(index) if is_chosen(item)]
    together = chosen == list(range(chosen[0], chosen[-1] + 1)) if chosen else True
    lead = sum(item is None or isinstance(item, slice) for item in index[: chosen[0]]) if chosen else 0
    lead = lead if together else 0
    spread = tuple(range(lead, lead + len(common)))
    sizes = iter(shape)
    sliced: list[Size] = []
    kept: list[int | None] = []
    for item in index:
        if item == DOTS:
            continue
        size = 1 if item is None else next(sizes)
        place = len(sliced) + (len(common) if len(sliced) >= lead else 0)
        if isinstance(item, tuple):
            place = spread[item[1]]
            if common[item[1]] != size:
                raise ShapeError(f"an axis of size {size} does not go along with {shape_text(common)}")
        elif isinstance(item, slice):
            sliced.append(slice_size(item, size))
        elif item is None:
            sliced.append(1)
            continue
        kept.append(None if isinstance(item, int | str) else place)
    return Layout((*sliced[:lead], *common, *sliced[lead:]), common, spread, tuple(kept))


def is_chosen(item: Item) -> bool:
    """Whether an item chooses places one by one: an int, or what goes along with arrays."""
    return isinstance(item, int | tuple) or item == ARRAY


def layout_of(shape: Shape, index: Index, arrays: Sequence[Spec]) -> Layout:
    """The layout, given the arrays' specs.

    Raises
    ------
    DTypeError
        If an array does not hold integers.
    """
    wrong = [spec.dtype for spec in arrays if spec.dtype.kind not in "iu"]
    if wrong:
        raise DTypeError(f"an index is integers, not {wrong[0]}", hint="gg.cast(i, 'int64')")
    return layout(shape, index, [spec.shape for spec in arrays])


def along(ndim: int, axis: int) -> Index:
    """The index of `take_along_axis`: an array of as many dimensions, in step with all axes but one."""
    return tuple(ARRAY if at == axis else ("each", at) for at in range(ndim))


def axis_along(index: Index, arrays: Sequence[Any]) -> int | None:
    """The axis, if an index is one of `along`."""
    if index.count(ARRAY) != 1 or len(arrays) != 1 or arrays[0].ndim != len(index):
        return None
    axis = index.index(ARRAY)
    return axis if index == along(len(index), axis) else None


def axis_taken(index: Index) -> int | None:
    """The axis, if a single array takes along it and everything else is taken whole."""
    axes = [at for at, item in enumerate(index) if item == ARRAY]
    rest = [item for item in index if item != ARRAY]
    return axes[0] if len(axes) == 1 and all(item == _FULL for item in rest) else None


# ---- roles ----------------------------------------------------------------------------------------


def source_roles(index: Index, found: Layout) -> tuple[AxisRole, ...]:
    """Of the array's axes: those taken whole, or in step with the arrays, are mapped."""
    items = of_axes(index)
    return tuple(
        WHOLE if place is None or (isinstance(item, slice) and item != _FULL) else place
        for item, place in zip(items, found.kept, strict=True)
    )


def array_roles(array: Spec, found: Layout) -> tuple[AxisRole, ...]:
    """Of an index array's axes: those that are not stretched are mapped."""
    offset = len(found.common) - array.ndim
    return tuple(
        found.spread[offset + axis] if size == found.common[offset + axis] else WHOLE
        for axis, size in enumerate(array.shape)
    )


# ---- values ---------------------------------------------------------------------------------------


def numpy_index(
    index: Index, shape: Sequence[int], arrays: Sequence[np.ndarray[Any, Any]]
) -> tuple[Any, ...]:
    """The index as NumPy takes it."""
    ndim = max((np.ndim(array) for array in arrays), default=0)
    sizes, given = iter(shape), iter(arrays)
    items: list[Any] = []
    for item in index:
        size = 1 if item is None or item == DOTS else next(sizes)
        if isinstance(item, tuple):
            items.append(np.arange(size).reshape(-1, *(1,) * (ndim - 1 - item[1])))
        else:
            items.append(Ellipsis if item == DOTS else next(given) if item == ARRAY else item)
    return tuple(items)


def never_repeats(shape: Shape, index: Index, arrays: Sequence[Node]) -> bool:
    """Whether it can be seen that no place is taken twice."""
    common = broadcast([array.shape for array in arrays])
    stepped = {item[1] for item in index if isinstance(item, tuple)}
    free = [axis for axis, size in enumerate(common) if axis not in stepped and size not in (0, 1)]
    if not free:
        return True
    if len(free) == 1 and any(
        array.ndim == len(common) and distinct_axis(array) == free[0] for array in arrays
    ):
        return True
    if stepped or any(array.op.name != "const" for array in arrays):
        return False
    taken = [size for item, size in zip(of_axes(index), shape, strict=True) if item == ARRAY]
    return _are_distinct([array.attrs["value"] for array in arrays], taken)


def of_axes(index: Index) -> list[Item]:
    """The items that take an axis."""
    return [item for item in index if item is not None and item != DOTS]


def distinct_axis(array: Node) -> int | None:
    """The axis along which the numbers of an index array are known to differ from each other."""
    while array.op.name == "index" and all(isinstance(item, slice) for item in array.attrs["index"]):
        array = array.inputs[0]
    return array.attrs["axis"] if array.op.name in ("argsort", "argpartition") else None


def _are_distinct(values: Sequence[np.ndarray[Any, Any]], sizes: Sequence[Size]) -> bool:
    """Whether constant arrays name no place twice, however large a symbolic axis is."""
    rows = []
    for value, size in zip(np.broadcast_arrays(*values), sizes, strict=True):
        flat = value.ravel().astype(np.int64)
        if isinstance(size, int):
            flat = np.where(flat < 0, flat + size, flat)
        elif flat.min() < 0:
            return False
        rows.append(flat)
    return bool(np.unique(np.stack(rows), axis=1).shape[1] == rows[0].size)


# ---- source ---------------------------------------------------------------------------------------


def spell_places(speller: Speller, index: Index, arrays: Sequence[Form], target: str, ndim: int) -> str:
    """An index between brackets; `target` is what is indexed, `ndim` the dimensions of the arrays."""
    given = iter(arrays)
    texts = list(_spell_items(speller, index, given, target, ndim))
    while (
        len(texts) > 1 and texts[-1] == ":" and DOTS not in index
    ):  # which would take the place of what is left out
        texts.pop()
    return ", ".join(texts)


def _spell_items(
    speller: Speller, index: Index, given: Iterator[Form], target: str, ndim: int
) -> Iterator[str]:
    axis = 0
    for item in index:
        if item == ARRAY:
            yield next(given).text
        elif isinstance(item, tuple):
            size = f"len({target})" if axis == 0 else f"{target}.shape[{axis}]"
            later = ndim - 1 - item[1]
            yield f"np.arange({size})" + (f"[:{', None' * later}]" if later else "")
        else:
            yield spell_item(speller, item)
        axis += item is not None and item != DOTS


def spell_taken(speller: Speller, node: Node, parts: Sequence[Form]) -> str:
    """``x[index]``, or the function of NumPy's that says it shorter and does it faster."""
    x, *arrays = parts
    index, nodes = node.attrs["index"], node.inputs[1:]
    axis = axis_along(index, nodes)
    if axis is not None:
        return f"np.take_along_axis({x.text}, {arrays[0].text}, axis={axis})"
    axis = axis_taken(index)
    if axis is not None:
        where_ = f", axis={axis}" if len(index) > 1 else ""
        return f"np.take({x.text}, {arrays[0].text}{where_})"
    ndim = max(array.ndim for array in nodes)
    text = f"{x.at(ATOM)}[{spell_places(speller, index, arrays, x.text, ndim)}]"
    return text if ndim else f"{text}.copy()"
