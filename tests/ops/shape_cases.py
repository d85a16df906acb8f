"""Random arguments for the functions that move elements: by name, a strategy of shapes and other arguments.

A case is ``(shapes, args, kwargs)``: the function is called with arrays of the shapes, then the rest. Where `shapes` is
a list, the arrays go in as one list.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

Case = tuple[Any, tuple[Any, ...], dict[str, Any]]
sizes = st.integers(0, 4)


def shapes(least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(sizes, min_size=least, max_size=most).map(tuple)


def axis_of(ndim: int) -> st.SearchStrategy[int]:
    return st.integers(-ndim, ndim - 1)


def some_axes(draw: Any, ndim: int, least: int = 0) -> tuple[int, ...]:
    """Distinct axes, some of them counted from the end."""
    chosen = (
        draw(st.lists(st.integers(0, ndim - 1), unique=True, min_size=least, max_size=ndim)) if ndim else []
    )
    return tuple(axis - ndim if draw(st.booleans()) else axis for axis in chosen)


@st.composite
def reshape(draw: Any) -> Case:
    shape = draw(shapes())
    total = int(np.prod(shape))
    if total == 0:
        return (shape,), (draw(st.permutations(shape)),), {}
    first = draw(st.sampled_from([n for n in range(1, total + 1) if total % n == 0]))
    wanted = draw(st.sampled_from([(first, total // first), (first, -1), (1, total, 1), -1, (-1, first)]))
    return (shape,), (wanted,), {}


@st.composite
def ravel(draw: Any) -> Case:
    return (draw(shapes()),), (), {}


@st.composite
def transpose(draw: Any) -> Case:
    shape = draw(shapes())
    order = draw(st.permutations(range(len(shape))))
    axes = tuple(axis - len(shape) if draw(st.booleans()) else axis for axis in order)
    return (shape,), (draw(st.sampled_from([None, axes])),), {}


@st.composite
def swapaxes(draw: Any) -> Case:
    shape = draw(shapes(1))
    return (shape,), (draw(axis_of(len(shape))), draw(axis_of(len(shape)))), {}


@st.composite
def moveaxis(draw: Any) -> Case:
    shape = draw(shapes(1))
    source = some_axes(draw, len(shape), 1)
    to = draw(st.permutations(range(-len(shape), 0)))[: len(source)]
    return (shape,), ((source, tuple(to)) if draw(st.booleans()) else (source[0], to[0])), {}


@st.composite
def rollaxis(draw: Any) -> Case:
    shape = draw(shapes(1))
    return (shape,), (draw(axis_of(len(shape))), draw(st.integers(-len(shape), len(shape)))), {}


@st.composite
def expand_dims(draw: Any) -> Case:
    shape = draw(shapes())
    count = draw(st.integers(1, 2))
    axes = draw(st.lists(st.integers(0, len(shape) + count - 1), unique=True, min_size=count, max_size=count))
    return (shape,), (tuple(axes),), {}


@st.composite
def squeeze(draw: Any) -> Case:
    shape = draw(st.lists(st.sampled_from([1, 1, 0, 3]), max_size=4).map(tuple))
    ones = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return (shape,), (draw(st.sampled_from([None, ones, ones[:1]])),), {}


@st.composite
def broadcast_to(draw: Any) -> Case:
    wanted = draw(shapes())
    own = wanted[draw(st.integers(0, len(wanted))) :]
    return (tuple(draw(st.sampled_from([size, 1])) for size in own),), (wanted,), {}


@st.composite
def atleast(draw: Any) -> Case:
    return (draw(shapes()),), (), {}


@st.composite
def flip(draw: Any) -> Case:
    shape = draw(shapes())
    return (shape,), (draw(st.sampled_from([None, some_axes(draw, len(shape))])),), {}


@st.composite
def of_two_axes(draw: Any) -> Case:
    return (draw(shapes(2)),), (), {}


@st.composite
def rot90(draw: Any) -> Case:
    shape = draw(shapes(2))
    axes = draw(st.permutations(range(len(shape))))[:2]
    return (shape,), (draw(st.integers(-5, 5)), tuple(axes)), {}


@st.composite
def roll(draw: Any) -> Case:
    shape = draw(shapes())
    shifts = st.integers(-9, 9)
    if not shape or draw(st.booleans()):
        return (shape,), (draw(shifts),), {}
    count = draw(st.integers(1, 3))
    axes = tuple(draw(axis_of(len(shape))) for _ in range(count))
    shift = draw(st.one_of(shifts, st.tuples(*[shifts] * count)))
    return (shape,), (shift, axes if count > 1 or draw(st.booleans()) else axes[0]), {}


@st.composite
def tile(draw: Any) -> Case:
    reps = st.integers(0, 3)
    return (draw(shapes(0, 2)),), (draw(reps | st.lists(reps, max_size=3).map(tuple)),), {}


@st.composite
def repeat(draw: Any) -> Case:
    shape = draw(shapes())
    if not shape or draw(st.booleans()):
        return (shape,), (draw(st.integers(0, 3)),), {}
    axis = draw(axis_of(len(shape)))
    counts = tuple(draw(st.integers(0, 3)) for _ in range(shape[axis]))
    return (shape,), (draw(st.sampled_from([2, counts])), axis), {}


@st.composite
def pad(draw: Any) -> Case:
    mode = draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    shape = draw(st.lists(st.integers(0 if mode == "constant" else 1, 3), min_size=1, max_size=3).map(tuple))
    width = st.integers(0, 4)
    each = st.tuples(*[st.tuples(width, width)] * len(shape))
    more = {"constant_values": draw(st.sampled_from([0, 1.5, (1, 2)]))} if mode == "constant" else {}
    return (shape,), (draw(st.one_of(width, st.tuples(width, width), each)), mode), more


@st.composite
def concatenate(draw: Any) -> Case:
    shape = draw(shapes(1))
    axis = draw(axis_of(len(shape)))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        own = list(shape)
        own[axis] = draw(sizes)
        parts.append(tuple(own))
    return parts, (draw(st.sampled_from([axis, None])),), {}


@st.composite
def stack(draw: Any) -> Case:
    shape = draw(shapes())
    return [shape] * draw(st.integers(1, 3)), (draw(axis_of(len(shape) + 1)),), {}


@st.composite
def hstack(draw: Any) -> Case:
    shape = draw(shapes())
    axis = 0 if len(shape) < 2 else 1
    return _varied(draw, shape, axis), (), {}


@st.composite
def vstack(draw: Any) -> Case:
    shape = draw(shapes())
    return _varied(draw, shape, 0) if len(shape) > 1 else [shape] * draw(st.integers(1, 3)), (), {}


@st.composite
def dstack(draw: Any) -> Case:
    shape = draw(shapes())
    return _varied(draw, shape, 2) if len(shape) > 2 else [shape] * draw(st.integers(1, 3)), (), {}


@st.composite
def column_stack(draw: Any) -> Case:
    rows = draw(sizes)
    parts = st.sampled_from([(rows,), (rows, 2), (rows, 0)])
    return draw(st.lists(parts, min_size=1, max_size=3)), (), {}


def _varied(draw: Any, shape: tuple[int, ...], axis: int) -> list[tuple[int, ...]]:
    count = draw(st.integers(1, 3))
    if not shape:
        return [()] * count
    return [(*shape[:axis], draw(sizes), *shape[axis + 1 :]) for _ in range(count)]


@st.composite
def triangle(draw: Any) -> Case:
    return (draw(shapes(2)),), (draw(st.integers(-4, 4)),), {}


@st.composite
def diag(draw: Any) -> Case:
    return (draw(shapes(1, 2)),), (draw(st.integers(-5, 5)),), {}


@st.composite
def diagonal(draw: Any) -> Case:
    shape = draw(shapes(2))
    axes = draw(st.permutations(range(-len(shape), 0)))[:2]
    return (shape,), (draw(st.integers(-5, 5)), *axes), {}


CASES = {
    "reshape": reshape(), "ravel": ravel(), "transpose": transpose(), "swapaxes": swapaxes(),
    "moveaxis": moveaxis(), "rollaxis": rollaxis(), "expand_dims": expand_dims(), "squeeze": squeeze(),
    "broadcast_to": broadcast_to(), "atleast_1d": atleast(), "atleast_2d": atleast(), "atleast_3d": atleast(),
    "flip": flip(), "fliplr": of_two_axes(), "flipud": of_two_axes(), "rot90": rot90(), "roll": roll(),
    "tile": tile(), "repeat": repeat(), "pad": pad(), "concatenate": concatenate(), "stack": stack(),
    "hstack": hstack(), "vstack": vstack(), "dstack": dstack(), "column_stack": column_stack(),
    "tril": triangle(), "triu": triangle(), "diag": diag(), "diagonal": diagonal(), "trace": diagonal(),
}  # fmt: skip


@st.composite
def cut(draw: Any) -> Case:
    """For the functions that give several parts."""
    shape = draw(shapes(1))
    axis = draw(axis_of(len(shape)))
    positions = draw(st.lists(st.integers(-5, 5), max_size=3))
    return (shape,), (draw(st.sampled_from([draw(st.integers(1, 3)), positions])), axis), {}
