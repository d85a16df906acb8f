"""Taking elements by arrays of integers, and the adjoint: adding up where they were taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import DTypeError, ShapeError
from graphgrad.core.form import ATOM, PRODUCT, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import REDUCED, WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.spec import Shape, Spec, as_shape, shape_text, size_of
from graphgrad.ops.indexed_source import put_into, taken_into
from graphgrad.ops.layout import (
    array_roles,
    axis_along,
    axis_taken,
    layout_of,
    never_repeats,
    numpy_index,
    source_roles,
    spell_places,
    spell_taken,
)
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.subscript import ARRAY, Index, each

_ALL = slice(None, None, 1)
_INT = np.dtype(np.int64)

# ---- gather ---------------------------------------------------------------------------------------


def _gathered(x: Spec, *arrays: Spec, index: Index) -> Spec:
    return Spec(layout_of(x.shape, index, arrays).shape, x.dtype)


def _gather_roles(x: Spec, *arrays: Spec, index: Index) -> tuple[tuple[AxisRole, ...], ...]:
    found = layout_of(x.shape, index, arrays)
    return source_roles(index, found), *(array_roles(array, found) for array in arrays)


def _gather_back(i: int, g: Node, y: Node, x: Node, *arrays: Node, index: Index) -> Node | None:
    return add_up(g, arrays, x.shape, index) if i == 0 else None


def _gather_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(5, 4))
    repeated, column = np.array([3, 0, -1, 3]), np.array([[1], [-2]])
    for arrays, index in (
        ((repeated,), (ARRAY, _ALL)),
        ((column,), (_ALL, ARRAY)),
        ((repeated, np.array([0, 1, 2, -4])), (ARRAY, ARRAY)),
        ((column, np.array([0, 3, 3])), (ARRAY, ARRAY)),
        ((np.array([0, 1, -1, 0, 2]),), (each(0), ARRAY)),
        ((np.array([[0, 0], [1, 3], [-1, 2], [2, 2], [3, 0]]),), (each(0), ARRAY)),
        ((repeated,), (ARRAY, 1)),
        ((repeated,), (None, slice(1, 5, 2), ARRAY)),
        ((np.array([], np.int64),), (ARRAY, _ALL)),
        ((np.asarray(2, np.int32),), (_ALL, ARRAY)),
        ((np.asarray(2), np.asarray(-1)), (ARRAY, ARRAY)),
    ):
        yield Sample((x, *arrays), {"index": index}, packed=True)
    cube = rng.normal(size=(2, 3, 4))
    apart = np.array([0, 1]), np.array([2, 2], np.uint8)
    yield Sample((cube, *apart), {"index": (ARRAY, _ALL, ARRAY)}, packed=True)
    yield Sample((cube, *apart), {"index": (_ALL, ARRAY, ARRAY)}, packed=True)
    yield Sample((cube, apart[0]), {"index": (0, _ALL, ARRAY)}, packed=True)
    yield Sample((rng.normal(size=(3, 0)), np.array([0, 2])), {"index": (ARRAY, _ALL)}, packed=True)


@defop(
    infer=_gathered,
    axes=_gather_roles,
    reference=lambda x, *arrays, index: np.array(x[numpy_index(index, x.shape, arrays)]),
    numpy=lambda speller, parts, node: Form(spell_taken(speller, node, parts)),
    into=taken_into,
    vjp=_gather_back,
    jvp={"x0": lambda t, y, x, *arrays, index: apply("gather", t, *arrays, index=index)},
    samples=_gather_samples,
    errors=(
        Fault(
            (((3,), "float32"), ((2,), "float32")), {"index": (ARRAY,)}, DTypeError, "integers", packed=True
        ),
        Fault(
            (((3,), "float32"), ((2,), "int64"), ((3,), "int64")),
            {"index": (ARRAY, ARRAY)},
            ShapeError,
            "too many",
            packed=True,
        ),
        Fault(
            (((3, 3), "float32"), ((2,), "int64"), ((3,), "int64")),
            {"index": (ARRAY, ARRAY)},
            ShapeError,
            "do not broadcast",
            packed=True,
        ),
    ),
    rule={"x0": "added up where it was taken"},
    noun="taken",
    operands=None,
    repeats=True,
    cost=lambda inputs, result: 0,
)
def gather(arrays: Sequence[Operand], index: Index) -> Node:
    """``x[index]`` with arrays of integers: what `index`, `take` and `take_along_axis` come to.

    The arrays are x and those that stand where the index has "array". The gradient is added up where elements were
    taken from: `scatter_add`.

    >>> x, i = gg.input("x", (5, 4)), gg.input("i", ("n",), "int64")
    >>> gather([x, i], ("array", slice(None, None, 1))).shape
    (Dim('n'), 4)
    """
    x, *chosen = map(as_node, arrays)
    _check_items(index, x.shape, chosen)
    return apply("gather", x, *chosen, index=index)


def _check_items(index: Index, shape: Shape, arrays: Sequence[Node]) -> None:
    taken = sum(item is not None for item in index)
    if taken != len(shape) or index.count(ARRAY) != len(arrays):
        few = "few" if taken < len(shape) else "many"
        raise ShapeError(f"the index has too {few} items for {shape_text(shape)} and {len(arrays)} arrays")


# ---- scatter_add: the adjoint of gather -----------------------------------------------------------


def add_up(g: Node, arrays: Sequence[Node], shape: Shape, index: Index) -> Node:
    """Zeros of `shape` with g added at an index, also where it names a place more than once."""
    once = never_repeats(shape, index, arrays)
    return apply("scatter_add", g, *arrays, shape=shape, index=index, once=once)


def fits(shape: Shape, index: Index, v: Spec, arrays: Sequence[Spec]) -> None:
    """Raise unless v has the shape of the place that an index names."""
    place = layout_of(shape, index, arrays).shape
    if place != v.shape:
        raise ShapeError(f"the place has shape {shape_text(place)}, not {shape_text(v.shape)}")


def _scattered(v: Spec, *arrays: Spec, shape: Shape, index: Index, once: bool) -> Spec:
    fits(shape, index, v, arrays)
    return Spec(shape, v.dtype)


def scatter_roles(
    v: Spec, *arrays: Spec, shape: Shape, index: Index, reduced: AxisRole = REDUCED, once: bool = False
) -> tuple[tuple[AxisRole, ...], ...]:
    """What goes along with an axis is mapped to it; the arrays' other axes are `reduced`: summed over."""
    found = layout_of(shape, index, arrays)
    alike = all(array.ndim == len(found.common) for array in arrays)
    target: dict[int, AxisRole] = dict.fromkeys(found.spread, reduced if alike else WHOLE)
    target |= {role: axis for axis, role in enumerate(source_roles(index, found)) if isinstance(role, int)}
    common = [target[axis] for axis in found.spread]
    own = tuple(target.get(axis, WHOLE) for axis in range(v.ndim))
    return own, *(_in_step(array, common, found.common) for array in arrays)


def _in_step(array: Spec, common: Sequence[AxisRole], sizes: Shape) -> tuple[AxisRole, ...]:
    offset = len(common) - array.ndim
    return tuple(
        role if size == sizes[offset + axis] or role == REDUCED else WHOLE
        for axis, (size, role) in enumerate(zip(array.shape, common[offset:], strict=True))
    )


def _scatter_reference(
    v: np.ndarray[Any, Any], *arrays: Any, shape: tuple[int, ...], index: Index, once: bool
) -> np.ndarray[Any, Any]:
    result = np.zeros(shape, v.dtype)
    np.add.at(result, numpy_index(index, shape, arrays), v)
    return result


def spell_assigned(
    speller: Speller, node: Node, v: Form, arrays: Sequence[Form], nodes: Sequence[Node]
) -> str:
    """``{out}[index] = v``."""
    index = node.attrs["index"]
    axis = axis_along(index, nodes)
    if axis is not None:
        return f"np.put_along_axis({{out}}, {arrays[0].text}, {v.text}, axis={axis})"
    ndim = max(array.ndim for array in nodes)
    return f"{{out}}[{spell_places(speller, index, arrays, '{out}', ndim)}] = {v.text}"


def spell_repeated(
    function: str, speller: Speller, node: Node, v: Form, arrays: Sequence[Form], first: int
) -> str:
    """``np.add.at(out, index, v)`` for the inputs from number `first` on, v and then the arrays; `{out}` is in C order.

    On flat arrays, where NumPy is several times as fast as on others.
    """
    index, nodes = node.attrs["index"], node.inputs[first + 1 :]
    values = _flat(v, node.inputs[first])
    rows = axis_taken(index) == 0 and len(index) == node.ndim
    if rows and node.ndim == 1:
        return f"{function}({{out}}, {_flat(arrays[0], nodes[0])}, {values})"
    if rows:
        width = speller.size(size_of(node.shape[1:]))
        numbers = f"np.arange(len({{out}}))[{arrays[0].text}].reshape(-1, 1)"  # counted from the start, and in range
        places = f"({numbers} * {width.at(PRODUCT + 1)} + np.arange({width.text}))"
    else:
        ndim = max(array.ndim for array in nodes)
        inner = spell_places(speller, index, arrays, "{out}", ndim)
        places = f"np.arange({{out}}.size).reshape({{out}}.shape)[{inner}]"
    return f"{function}({{out}}.reshape(-1), {places}.reshape(-1), {values})"


_LOOKED_AT = Spec((2 * 8192,), _INT)
"""What NumPy copies of indices and values at a time."""


def temporaries_of(first: int) -> Callable[[Node], list[Spec]]:
    """What `spell_repeated` makes on the way: the numbers of the elements that are written to."""

    def temporaries(node: Node) -> list[Spec]:
        v, *arrays = node.inputs[first:]
        if node.attrs.get("once") or node.ndim == 1:
            return []
        rows = axis_taken(node.attrs["index"]) == 0 and len(node.attrs["index"]) == node.ndim
        column = Spec(arrays[0].shape, _INT)
        numbers = [Spec(node.shape[:1], _INT), column, column] if rows else [Spec(node.shape, _INT)]
        return [*numbers, Spec(v.shape, _INT), *([v.spec] if v.op.view else []), _LOOKED_AT]

    return temporaries


def _flat(form: Form, node: Node) -> str:
    return form.text if node.ndim == 1 else f"{form.at(ATOM)}.reshape(-1)"


def _spell_scatter(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    v, *arrays = parts
    zeros = f"{{out}} = np.zeros({speller.shape(node.shape)}, {speller.dtype(node.dtype)})"
    if node.attrs["once"]:
        return Lines((zeros, spell_assigned(speller, node, v, arrays, node.inputs[1:])))
    return Lines((zeros, spell_repeated("np.add.at", speller, node, v, arrays, 0)))


def _scatter_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    v, *arrays = parts
    return Lines(("{out}.fill(0)", _written(speller, node, v, arrays)))


def _written(speller: Speller, node: Node, v: Form, arrays: Sequence[Form]) -> str:
    if not node.attrs["once"]:
        return spell_repeated("np.add.at", speller, node, v, arrays, 0)
    nodes = node.inputs[1:]
    return put_into(speller, node, v, arrays, nodes) or spell_assigned(speller, node, v, arrays, nodes)


def _scatter_samples(rng: np.random.Generator) -> Iterator[Sample]:
    repeated = np.array([3, 0, -1, 3])

    def sample(v: tuple[int, ...], shape: tuple[int, ...], index: Index, *arrays: Any) -> Sample:
        return Sample((rng.normal(size=v), *arrays), {"shape": shape, "index": index}, packed=True)

    yield sample((4,), (5,), (ARRAY,), repeated)
    yield sample((4, 3), (5, 3), (ARRAY, _ALL), repeated)
    yield sample((2, 2, 3), (5, 3), (ARRAY, _ALL), repeated.reshape(2, 2).astype(np.uint8) % 4)
    yield sample((3, 4), (3, 5), (_ALL, ARRAY), repeated)
    yield sample((4, 1), (5, 4), (ARRAY, slice(2, 3, 1)), repeated)
    yield sample((4,), (5, 4), (ARRAY, ARRAY), repeated, np.array([1, 0, 2, 1]))
    yield sample((3,), (3, 4), (each(0), ARRAY), np.array([1, -1, 1]))
    yield sample((3, 2), (3, 4), (each(0), ARRAY), np.array([[1, 1], [-1, 3], [2, 0]]))
    yield sample((0, 3), (5, 3), (ARRAY, _ALL), np.array([], np.int64))
    yield sample((4, 0), (5, 0), (ARRAY, _ALL), repeated)
    yield sample((3,), (5, 3), (ARRAY, _ALL), np.asarray(-1))


@defop(
    infer=_scattered,
    axes=scatter_roles,
    reference=_scatter_reference,
    numpy=_spell_scatter,
    into=_scatter_into,
    vjp=lambda i, g, y, v, *arrays, shape, index, once: (
        apply("gather", g, *arrays, index=index) if i == 0 else None
    ),
    jvp={"x0": lambda t, y, v, *arrays, **attrs: apply("scatter_add", t, *arrays, **attrs)},
    samples=_scatter_samples,
    errors=(
        Fault(
            (((3,), "float32"), ((2,), "int64")),
            {"shape": (5,), "index": (ARRAY,)},
            ShapeError,
            "the place has",
            packed=True,
        ),
        Fault(
            (((2,), "float32"), ((2,), "float64")),
            {"shape": (5,), "index": (ARRAY,)},
            DTypeError,
            "integers",
            packed=True,
        ),
    ),
    rule={"x0": "G at that place"},
    noun="added_up",
    combines="add",
    is_expression=False,
    temporaries=temporaries_of(0),
    operands=None,
    cost=lambda inputs, result: inputs[0].size,
)
def scatter_add(arrays: Sequence[Operand], shape: Any, index: Index) -> Node:
    """Zeros of `shape` to which the first array is added at an index; the adjoint of `gather`.

    Where the index names a place more than once, everything is added up.

    >>> v, i = gg.input("v", ("n", 4)), gg.input("i", ("n",), "int64")
    >>> scatter_add([v, i], (5, 4), ("array", slice(None, None, 1))).shape
    (5, 4)
    """
    v, *chosen = map(as_node, arrays)
    wanted = as_shape(shape)
    _check_items(index, wanted, chosen)
    fits(wanted, index, v.spec, [array.spec for array in chosen])
    return add_up(v, chosen, wanted, index)
