"""The same elements in another shape: reshaping, broadcasting, axes of size 1."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Size, floor_divide, multiply
from graphgrad.core.errors import ArgumentError, ShapeError, UnsupportedError
from graphgrad.core.form import ATOM, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import BROADCAST, WHOLE, AxisRole, Blocks, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec, as_shape, broadcast, shape_text, size_of
from graphgrad.ops.leaf import Operand, as_node


def normal_axis(axis: Any, ndim: int) -> int:
    """An axis as a non-negative int."""
    if isinstance(axis, bool | np.bool_) or not hasattr(axis, "__index__"):
        raise ArgumentError(f"an axis is an int, not {axis!r}")
    number = operator.index(axis)
    if not -ndim <= number < ndim:
        raise ShapeError(f"axis {number} is out of range for {ndim} dimensions")
    return number % ndim


def no_flops(inputs: tuple[Spec, ...], result: Spec) -> Size:
    """The cost of moving elements."""
    return 0


# ---- reshape --------------------------------------------------------------------------------------


def _reshape_spec(x: Spec, *, shape: Shape) -> Spec:
    have, want = x.size, size_of(shape)
    provable = "//" not in f"{have}{want}" and "min(" not in f"{have}{want}"
    if have != want and provable:
        raise ShapeError(
            f"cannot reshape {shape_text(x.shape)} to {shape_text(shape)}: {have} elements are not {want}"
        )
    return Spec(shape, x.dtype)


def _reshape_axes(x: Spec, *, shape: Shape) -> tuple[tuple[AxisRole, ...], ...]:
    """An axis that stands after and before the same sizes, in both shapes, is mapped; one after the same sizes of which
    the other shape has a multiple or a part, in blocks."""
    return (tuple(_role_in(shape, x.shape, axis) for axis in range(len(x.shape))),)


def _role_in(shape: Shape, old: Shape, axis: int) -> AxisRole:
    size, before, after = old[axis], size_of(old[:axis]), size_of(old[axis + 1 :])
    blocks: AxisRole = WHOLE
    for at, other in enumerate(shape):
        if other == 1 or size == 1 or size_of(shape[:at]) != before:
            if other == size and size_of(shape[:at]) == before and size_of(shape[at + 1 :]) == after:
                return at
            continue
        if other == size and size_of(shape[at + 1 :]) == after:
            return at
        if _divides(size, other) or _divides(other, size):
            blocks = Blocks(at)
    return blocks


def _divides(part: Size, whole: Size) -> bool:
    return part != 0 and multiply(floor_divide(whole, part), part) == whole


def _spell_reshape(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    sizes = ", ".join(speller.size(size).text for size in node.shape) or "()"
    return Form(f"{parts[0].at(ATOM)}.reshape({sizes})")


def _reshape_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    sizes = ", ".join(speller.size(size).text for size in node.inputs[0].shape)
    return Lines((f"np.copyto({{out}}.reshape({sizes}), {parts[0].text})",))


def _reshape_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 6)),), {"shape": (3, 4)})
    yield Sample((rng.normal(size=(2, 6)),), {"shape": (2, -1, 3)})
    yield Sample((rng.normal(size=(2, 3)),), {"shape": -1})
    yield Sample((np.asarray(rng.normal()),), {"shape": (1, 1)})
    yield Sample((rng.normal(size=(0, 3)),), {"shape": (3, 0)})


def _reshape_back(g: Node, y: Node, x: Node, shape: Shape) -> Node:
    return reshape(g, x.shape)


@defop(
    infer=_reshape_spec,
    axes=_reshape_axes,
    reference=lambda x, *, shape: np.reshape(x, shape),
    numpy=_spell_reshape,
    into=_reshape_into,
    vjp={"x": _reshape_back},
    jvp="linear",
    samples=_reshape_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"shape": (4, 2)}, ShapeError, "cannot reshape"),
        Fault((((2, 3), "float32"),), {"shape": (-1, -1)}, ShapeError, "one -1"),
        Fault((((2, 3), "float32"),), {"shape": (-1, 4)}, ShapeError, "cannot reshape"),
        Fault((((2, 3), "float32"),), {"shape": (3, 2), "order": "F"}, UnsupportedError, "order='C'"),
    ),
    rule={"x": "G in x's shape"},
    noun="reshaped",
    operands=("x",),
    view=True,
    cost=no_flops,
)
def reshape(x: Operand, shape: Any, order: str = "C") -> Node:
    """The same elements in another shape; one size may be -1. The gradient comes back in x's shape.

    Elements are read and written in C order, the last axis fastest, however x lies in memory. Sizes may be names.

    Raises
    ------
    ShapeError
        If the shape holds another number of elements. Of symbolic sizes where that is known only when the model
        runs, it is checked then.
    UnsupportedError
        For another order than "C": ``x.T.reshape(...)`` says what is meant by "F".

    >>> x = gg.input("x", ("batch", 4, 4))
    >>> gg.reshape(x, (x.shape[0], -1)).shape, gg.reshape(x, -1).shape
    ((Dim('batch'), 16), (Dim('16*batch'),))
    """
    node = as_node(x)
    _check_order(order, node)
    wanted = _fill_in(node, shape)
    return node if wanted == node.shape else apply("reshape", node, shape=wanted)


def _check_order(order: str, node: Node) -> None:
    if order != "C":
        raise UnsupportedError(
            f"only order='C' is supported, not {order!r}",
            saw=[node.describe()],
            hint="gg.transpose before and after, for Fortran's order",
        )


def ravel(x: Operand, order: str = "C") -> Node:
    """All elements along one axis, in C order; also ``node.ravel()`` and ``node.flatten()``.

    The gradient comes back in x's shape. A scalar becomes an array of one element.

    Raises
    ------
    UnsupportedError
        For another order than "C".

    >>> gg.ravel(gg.input("x", ("batch", 3))).shape
    (Dim('3*batch'),)
    """
    node = as_node(x)
    return reshape(node, (node.size,), order)


def _fill_in(node: Node, shape: Any) -> Shape:
    """The shape with its -1 replaced by what is left over."""
    sizes: Sequence[Any] = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    unknown = [at for at, size in enumerate(sizes) if isinstance(size, int | np.integer) and size == -1]
    if len(unknown) > 1:
        raise ShapeError("reshape takes one -1", saw=[node.describe()])
    if not unknown:
        return as_shape(sizes)
    at = unknown[0]
    known = as_shape((*sizes[:at], *sizes[at + 1 :]))
    total = size_of(known)
    if total == 0:
        raise ShapeError("reshape cannot find -1 beside a size of 0", saw=[node.describe()])
    missing = floor_divide(node.size, total)
    if isinstance(missing, int) and multiply(missing, total) != node.size:
        raise ShapeError(
            f"cannot reshape into {sizes}: {node.size} is no multiple of {total}", saw=[node.describe()]
        )
    return (*known[:at], missing, *known[at:])


# ---- broadcast_to ---------------------------------------------------------------------------------


def _broadcast_spec(x: Spec, *, shape: Shape) -> Spec:
    if broadcast((x.shape, shape)) != shape:
        raise ShapeError(f"cannot broadcast {shape_text(x.shape)} to {shape_text(shape)}")
    return Spec(shape, x.dtype)


def _broadcast_axes(x: Spec, *, shape: Shape) -> tuple[tuple[AxisRole, ...], ...]:
    offset = len(shape) - len(x.shape)
    return (
        tuple(
            BROADCAST if size == 1 and shape[offset + axis] != 1 else offset + axis
            for axis, size in enumerate(x.shape)
        ),
    )


def _spell_broadcast(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    return Form(f"np.broadcast_to({parts[0].text}, {speller.shape(node.shape)})")


def sum_to(g: Node, shape: Shape) -> Node:
    """The adjoint of broadcasting: sum over the axes that `shape` lacks and those where it has 1."""
    lead = g.ndim - len(shape)
    stretched = tuple(
        lead + axis for axis, size in enumerate(shape) if size == 1 and g.shape[lead + axis] != 1
    )
    if lead:
        g = apply("sum", g, axes=tuple(range(lead)), keepdims=False)
    if stretched:
        g = apply("sum", g, axes=tuple(axis - lead for axis in stretched), keepdims=True)
    return g


def _broadcast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3,)),), {"shape": (2, 3)})
    yield Sample((rng.normal(size=(2, 1)),), {"shape": (4, 2, 3)})
    yield Sample((np.asarray(rng.normal()),), {"shape": (2,)})
    yield Sample((rng.normal(size=(1, 3)),), {"shape": (0, 3)})


@defop(
    infer=_broadcast_spec,
    axes=_broadcast_axes,
    reference=lambda x, *, shape: np.broadcast_to(x, shape),
    numpy=_spell_broadcast,
    vjp={"x": lambda g, y, x, shape: sum_to(g, x.shape)},
    jvp="linear",
    samples=_broadcast_samples,
    errors=(Fault((((2, 3), "float32"),), {"shape": (2, 4)}, ShapeError, "do not broadcast"),),
    rule={"x": "G summed over what was repeated"},
    noun="spread",
    operands=("x",),
    view=True,
    cost=no_flops,
)
def broadcast_to(x: Operand, shape: Any) -> Node:
    """x repeated to a shape, by NumPy's rules. The gradient is summed over what was repeated.

    >>> gg.broadcast_to(gg.input("b", (3,)), ("batch", 3)).shape
    (Dim('batch'), 3)
    """
    node, wanted = as_node(x), as_shape(shape)
    return node if wanted == node.shape else apply("broadcast_to", node, shape=wanted)


# ---- expand_dims and squeeze ----------------------------------------------------------------------


def _expanded(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    sizes = iter(x.shape)
    return Spec(
        tuple(1 if axis in axes else next(sizes) for axis in range(len(x.shape) + len(axes))), x.dtype
    )


def _expanded_axes(x: Spec, *, axes: tuple[int, ...]) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(axis for axis in range(len(x.shape) + len(axes)) if axis not in axes),)


def _spell_expand(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    axes = node.attrs["axes"]
    items = ["None" if axis in axes else ":" for axis in range(node.ndim)]
    while items[-1] == ":":
        items.pop()
    return Form(f"{parts[0].at(ATOM)}[{', '.join(items)}]")


def _expand_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)),), {"axis": 0})
    yield Sample((rng.normal(size=(2, 3)),), {"axis": (0, -1)})
    yield Sample((np.asarray(rng.normal()),), {"axis": 0})
    yield Sample((rng.normal(size=(0,)),), {"axis": 1})


def _expand_back(g: Node, y: Node, x: Node, axes: tuple[int, ...]) -> Node:
    return squeeze(g, axes)


@defop(
    infer=_expanded,
    axes=_expanded_axes,
    reference=lambda x, *, axes: np.expand_dims(x, axes),
    numpy=_spell_expand,
    vjp={"x": _expand_back},
    jvp="linear",
    samples=_expand_samples,
    errors=(Fault((((2,), "float32"),), {"axis": 3}, ShapeError, "out of range"),),
    rule={"x": "G without the new axis"},
    noun="column",
    operands=("x",),
    view=True,
    light=True,
    cost=no_flops,
)
def expand_dims(x: Operand, axis: int | Sequence[int]) -> Node:
    """x with axes of size 1 put in, at these positions of the result. The gradient loses them again.

    >>> gg.expand_dims(gg.input("y", ("batch",)), 1).shape
    (Dim('batch'), 1)
    """
    node = as_node(x)
    given = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(sorted(normal_axis(item, node.ndim + len(given)) for item in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axis} names a position twice", saw=[node.describe()])
    return apply("expand_dims", node, axes=axes) if axes else node


def _squeezed(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    wrong = [axis for axis in axes if x.shape[axis] != 1]
    if wrong:
        raise ShapeError(f"axis {wrong[0]} has size {x.shape[wrong[0]]}, and only size 1 can be taken out")
    return Spec(tuple(size for axis, size in enumerate(x.shape) if axis not in axes), x.dtype)


def _squeezed_axes(x: Spec, *, axes: tuple[int, ...]) -> tuple[tuple[AxisRole, ...], ...]:
    return (
        tuple(
            WHOLE if axis in axes else axis - len([a for a in axes if a < axis])
            for axis in range(len(x.shape))
        ),
    )


def _spell_squeeze(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    axes = node.attrs["axes"]
    return Form(f"{parts[0].at(ATOM)}.squeeze(axis={axes[0] if len(axes) == 1 else axes})")


def _squeeze_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(1, 3, 1)),))
    yield Sample((rng.normal(size=(1, 3, 1)),), {"axis": -1})
    yield Sample((rng.normal(size=(1, 3, 1)),), {"axis": (0, 2)})
    yield Sample((rng.normal(size=(1, 0)),), {"axis": 0})


@defop(
    infer=_squeezed,
    axes=_squeezed_axes,
    reference=lambda x, *, axes: np.squeeze(x, axes),
    numpy=_spell_squeeze,
    vjp={"x": lambda g, y, x, axes: expand_dims(g, axes)},
    jvp="linear",
    samples=_squeeze_samples,
    errors=(Fault((((2, 1), "float32"),), {"axis": 0}, ShapeError, "only size 1"),),
    rule={"x": "G with the axis back"},
    noun="squeezed",
    operands=("x",),
    view=True,
    cost=no_flops,
)
def squeeze(x: Operand, axis: int | Sequence[int] | None = None) -> Node:
    """x without axes of size 1: these, or all that are known to be 1. The gradient gets them back.

    >>> gg.squeeze(gg.input("x", ("batch", 1))).shape
    (Dim('batch'),)
    """
    node = as_node(x)
    if axis is None:
        axes = tuple(at for at, size in enumerate(node.shape) if size == 1)
    else:
        given = axis if isinstance(axis, tuple | list) else (axis,)
        axes = tuple(sorted(normal_axis(item, node.ndim) for item in given))
    return apply("squeeze", node, axes=axes) if axes else node


bind("reshape", reshape)
bind("ravel", ravel)
bind("squeeze", squeeze)
