"""Triangles and diagonals of matrices."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec

import numpy as np

from graphgrad.core.dim import Size, add, minimum
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Shape, Spec, as_shape
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import no_flops, normal_axis
from graphgrad.ops.permute import moveaxis
from graphgrad.ops.reduce import sum as sum_nodes

P = ParamSpec("P")


def _offset(value: Any) -> int:
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise ArgumentError(f"the number of a diagonal is an int, not {value!r:.60}")
    return operator.index(value)


# ---- triangles ------------------------------------------------------------------------------------


def _last_two_whole(x: Spec, **attrs: Any) -> tuple[tuple[AxisRole, ...], ...]:
    last = len(x.shape) - 2
    return (tuple(axis if axis < last else WHOLE for axis in range(len(x.shape))),)


def _triangle_spec(x: Spec, *, k: int) -> Spec:
    if len(x.shape) < 2:
        raise ShapeError("a triangle needs at least two dimensions")
    return x


def _triangle_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for k in (0, 1, -2):
        yield Sample((rng.normal(size=(3, 4)),), {"k": k})
    yield Sample((rng.normal(size=(2, 4, 3)),), {"k": -1})
    yield Sample((rng.normal(size=(1, 1)),), {"k": 5})
    yield Sample((rng.normal(size=(0, 3)),))


def _triangle(name: str, side: str) -> Callable[[Callable[P, Node]], Callable[P, Node]]:
    reference: Callable[..., Any] = getattr(np, name)

    def spell(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
        k = node.attrs["k"]
        return Form(f"np.{name}({parts[0].text}{f', {k}' if k else ''})")

    def into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
        if to.out is None:
            return None
        k = node.attrs["k"] + (name == "tril")
        border = f"max(0, _at{f' + {k}' if k > 0 else f' - {-k}' if k else ''})"
        zeros = f"{border}:" if name == "tril" else f":{border}"
        copied = () if to.out == parts[0].text else (f"np.copyto({{out}}, {parts[0].text})",)
        return Lines((
            *copied,
            f"for _at in range({speller.size(node.shape[-2]).text}):",
            f"    {{out}}[{'..., ' * (node.ndim > 2)}_at, {zeros}] = 0",
        ))  # fmt: skip

    return defop(
        infer=_triangle_spec,
        axes=_last_two_whole,
        reference=lambda x, *, k: reference(x, k),
        numpy=spell,
        into=into,
        overwrites=(0,),
        vjp={"x": lambda g, y, x, k: apply(name, g, k=k)},
        jvp="linear",
        samples=_triangle_samples,
        errors=(
            Fault((((3,), "float32"),), {}, ShapeError, "two dimensions"),
            Fault((((3, 3), "float32"),), {"k": 0.5}, ArgumentError, "an int"),
        ),
        rule={"x": f"G's own {side} triangle"},
        noun=side,
        operands=("x",),
        cost=no_flops,
    )


@_triangle("tril", "lower")
def tril(x: Operand, k: int = 0) -> Node:
    """x with zeros above diagonal number `k` of its last two axes; 0 is the main one, 1 the one above. So is the
    gradient.

    >>> gg.tril(gg.input("x", ("batch", 3, 3))).shape
    (Dim('batch'), 3, 3)
    """
    return apply("tril", as_node(x), k=_offset(k))


@_triangle("triu", "upper")
def triu(x: Operand, k: int = 0) -> Node:
    """x with zeros below diagonal number `k` of its last two axes; 0 is the main one, 1 the one above. So is the
    gradient.

    >>> gg.triu(gg.input("x", ("batch", 3, 3)), 1).shape
    (Dim('batch'), 3, 3)
    """
    return apply("triu", as_node(x), k=_offset(k))


# ---- diagonal -------------------------------------------------------------------------------------


def _length(rows: Size, columns: Size, offset: int) -> Size:
    """How long a diagonal is; one of a symbolic size is assumed to lie within the matrix."""
    length = minimum(add(rows, min(offset, 0)), add(columns, -max(offset, 0)))
    return max(length, 0) if isinstance(length, int) else length


def _diagonal_spec(x: Spec, *, offset: int, axis1: int, axis2: int) -> Spec:
    rest = tuple(size for axis, size in enumerate(x.shape) if axis not in (axis1, axis2))
    return Spec((*rest, _length(x.shape[axis1], x.shape[axis2], offset)), x.dtype)


def _diagonal_axes(x: Spec, *, offset: int, axis1: int, axis2: int) -> tuple[tuple[AxisRole, ...], ...]:
    rest = [axis for axis in range(len(x.shape)) if axis not in (axis1, axis2)]
    return (tuple(rest.index(axis) if axis in rest else WHOLE for axis in range(len(x.shape))),)


def _spell_diagonal(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    offset, axes = node.attrs["offset"], (node.attrs["axis1"], node.attrs["axis2"])
    arguments = [parts[0].text, *([str(offset)] if offset else [])]
    if axes != (0, 1):
        arguments += [f"axis1={axes[0]}", f"axis2={axes[1]}"]
    return Form(f"np.diagonal({', '.join(arguments)})")


def _diagonal_back(g: Node, y: Node, x: Node, offset: int, axis1: int, axis2: int) -> Node:
    rest = tuple(size for axis, size in enumerate(x.shape) if axis not in (axis1, axis2))
    placed = apply("place_diagonal", g, shape=(*rest, x.shape[axis1], x.shape[axis2]), offset=offset)
    return moveaxis(placed, (-2, -1), (axis1, axis2))


def _diagonal_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for offset in (0, 1, -2):
        yield Sample((rng.normal(size=(3, 4)),), {"offset": offset})
    yield Sample((rng.normal(size=(3, 3)),), {"offset": -1})
    yield Sample((rng.normal(size=(3, 2, 4)),), {"offset": 1, "axis1": 0, "axis2": -1})
    yield Sample((rng.normal(size=(3, 2, 4)),), {"axis1": 2, "axis2": 0})
    yield Sample((rng.normal(size=(1, 1)),))
    yield Sample((rng.normal(size=(0, 3)),))


@defop(
    infer=_diagonal_spec,
    axes=_diagonal_axes,
    reference=lambda x, *, offset, axis1, axis2: np.diagonal(x, offset, axis1, axis2),
    numpy=_spell_diagonal,
    vjp={"x": _diagonal_back},
    jvp="linear",
    samples=_diagonal_samples,
    errors=(
        Fault((((3,), "float32"),), {}, ShapeError, "out of range"),
        Fault((((3, 3), "float32"),), {"axis1": 1}, ShapeError, "one and the same"),
    ),
    rule={"x": "G on the diagonal, zeros elsewhere"},
    noun="along",
    operands=("x",),
    view=True,
    light=True,
    cost=no_flops,
)
def diagonal(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Diagonal number `offset` of the matrices along two axes, as the last axis of the result.

    0 is the main one, 1 the one above. Matrices need not be square. Also ``node.diagonal()``. The gradient flows back
    to the diagonal, among zeros.

    >>> gg.diagonal(gg.input("x", (3, 4)), 1).shape, gg.diagonal(gg.input("y", ("batch", 3, 4)), 0, 1, 2).shape
    ((3,), (Dim('batch'), 3))
    """
    node = as_node(x)
    first, second = normal_axis(axis1, node.ndim), normal_axis(axis2, node.ndim)
    if first == second:
        raise ShapeError(f"the axes {axis1} and {axis2} are one and the same", saw=[node.describe()])
    return apply("diagonal", node, offset=_offset(offset), axis1=first, axis2=second)


@composite
def trace(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The sum along a diagonal, of the matrices along two axes; also ``node.trace()``.   d/dx = 1 on that diagonal, 0
    elsewhere

    >>> gg.trace(gg.input("x", ("n", "n"))).shape
    ()
    """
    return sum_nodes(diagonal(x, offset, axis1, axis2), -1)


# ---- place_diagonal: the adjoint of diagonal ------------------------------------------------------


def _placed_spec(x: Spec, *, shape: Shape, offset: int) -> Spec:
    wanted = (*shape[:-2], _length(shape[-2], shape[-1], offset))
    if wanted != x.shape:
        raise ShapeError(f"the diagonal has shape {wanted}, not {x.shape}")
    return Spec(shape, x.dtype)


def _placed_axes(x: Spec, *, shape: Shape, offset: int) -> tuple[tuple[AxisRole, ...], ...]:
    return ((*range(len(x.shape) - 1), WHOLE),)


def _place_reference(x: np.ndarray[Any, Any], *, shape: tuple[int, ...], offset: int) -> np.ndarray[Any, Any]:
    result = np.zeros(shape, x.dtype)
    for at in range(x.shape[-1]):
        result[..., at - min(offset, 0), at + max(offset, 0)] = x[..., at]
    return result


def _spell_place_diagonal(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    shape, offset = node.shape, node.attrs["offset"]
    length = node.inputs[0].shape[-1]
    side = add(length, abs(offset))
    if shape == (side, side):
        return Lines((f"{{out}} = np.diag({parts[0].text}{f', {offset}' if offset else ''})",))
    zeros = f"{{out}} = np.zeros({speller.shape(shape)}, {speller.dtype(node.dtype)})"
    return Lines((zeros, _put_on_diagonal(speller, parts, node)))


def _put_on_diagonal(speller: Speller, parts: Sequence[Form], node: Node) -> str:
    offset = node.attrs["offset"]
    steps = f"np.arange({speller.size(node.inputs[0].shape[-1]).text})"
    rows = f"{steps} + {-offset}" if offset < 0 else steps
    columns = f"{steps} + {offset}" if offset > 0 else steps
    return f"{{out}}[{'..., ' * (node.ndim > 2)}{rows}, {columns}] = {parts[0].text}"


def _place_diagonal_into(
    speller: Speller, parts: Sequence[Form], node: Node, to: Destination
) -> Lines | None:
    return None if to.out is None else Lines(("{out}.fill(0)", _put_on_diagonal(speller, parts, node)))


def _place_diagonal_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3,)),), {"shape": (3, 3)})
    yield Sample((rng.normal(size=(3,)),), {"shape": (5, 5), "offset": -2})
    yield Sample((rng.normal(size=(3,)),), {"shape": (3, 4), "offset": 1})
    yield Sample((rng.normal(size=(2, 3)),), {"shape": (2, 3, 3)})
    yield Sample((rng.normal(size=(2, 2)),), {"shape": (2, 4, 2), "offset": -1})
    yield Sample((rng.normal(size=(0,)),), {"shape": (2, 3), "offset": 4})


@defop(
    infer=_placed_spec,
    axes=_placed_axes,
    reference=_place_reference,
    numpy=_spell_place_diagonal,
    into=_place_diagonal_into,
    vjp={"x": lambda g, y, x, shape, offset: apply(
        "diagonal", g, offset=offset, axis1=g.ndim - 2, axis2=g.ndim - 1
    )},
    jvp="linear",
    samples=_place_diagonal_samples,
    errors=(Fault((((2,), "float32"),), {"shape": (3, 3)}, ShapeError, "the diagonal has"),),
    rule={"x": "G's diagonal"},
    noun="matrix",
    is_expression=False,
    operands=("x",),
    cost=no_flops,
)  # fmt: skip
def place_diagonal(x: Operand, shape: Any, offset: int = 0) -> Node:
    """Zeros of `shape` with x on diagonal number `offset` of the last two axes: the adjoint of `diagonal`.

    >>> place_diagonal(gg.input("g", ("batch", 3)), ("batch", 3, 4)).shape
    (Dim('batch'), 3, 4)
    """
    return apply("place_diagonal", as_node(x), shape=as_shape(shape), offset=_offset(offset))


def diag(x: Operand, k: int = 0) -> Node:
    """A vector on diagonal number `k` of a square matrix, or that diagonal of a matrix. The gradient is the other way
    round: the diagonal of G, or G on the diagonal among zeros, also where the matrix is not square.

    Raises
    ------
    ShapeError
        For an array of another number of dimensions.

    >>> gg.diag(gg.input("v", ("n",)), 1).shape, gg.diag(gg.input("m", (3, 4)), -1).shape
    ((Dim('n + 1'), Dim('n + 1')), (2,))
    """
    node = as_node(x)
    if node.ndim == 2:
        return diagonal(node, k)
    if node.ndim != 1:
        raise ShapeError("takes a vector or a matrix", saw=[node.describe()], hint="gg.diagonal")
    side = add(node.shape[0], abs(_offset(k)))
    return place_diagonal(node, (side, side), k)


bind("diagonal", diagonal)
bind("trace", trace)
