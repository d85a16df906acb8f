"""Running totals: each element from those before it along an axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import Destination, Form, Into, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Spec
from graphgrad.ops.convert import cast
from graphgrad.ops.index import index
from graphgrad.ops.join import concatenate
from graphgrad.ops.leaf import Operand, as_node, const
from graphgrad.ops.movement import broadcast_to, normal_axis, reshape


def along(axis: int, item: slice | int) -> tuple[slice | int, ...]:
    """The index that takes `item` along one axis."""
    return (*(slice(None),) * axis, item)


def flipped(x: Node, axis: int) -> Node:
    """The elements along an axis in reverse."""
    return index(x, along(axis, slice(None, None, -1)))


def edge(x: Node, axis: int, value: float) -> Node:
    """One more step along an axis, of a single value."""
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return broadcast_to(const(value, x.dtype), shape)


def delayed(x: Node, axis: int, first: float) -> Node:
    """Each element's predecessor along an axis; `first` before the first."""
    if x.shape[axis] == 0:
        return x
    return concatenate([edge(x, axis, first), index(x, along(axis, slice(None, -1)))], axis)


def advanced(x: Node, axis: int, last: float) -> Node:
    """Each element's successor along an axis; `last` after the last."""
    if x.shape[axis] == 0:
        return x
    return concatenate([index(x, along(axis, slice(1, None))), edge(x, axis, last)], axis)


# ---- what scans share -----------------------------------------------------------------------------


def scan_axes(*specs: Spec, axis: int) -> tuple[tuple[AxisRole, ...], ...]:
    """The axis is needed whole, the others are mapped."""
    return tuple(tuple(WHOLE if at == axis else at for at in range(len(spec.shape))) for spec in specs)


def _infer(function: Callable[..., Any]) -> Callable[..., Spec]:
    return lambda x, *, axis: Spec(x.shape, function(np.ones(1, x.dtype)).dtype)


def spell_scan(function: str) -> Callable[[Speller, Sequence[Form], Node], Form]:
    """``np.cumsum(x, axis=1)``."""
    return lambda speller, parts, node: Form(f"{function}({parts[0].text}, axis={node.attrs['axis']})")


def scan_into(function: str) -> Into:
    """``np.cumsum(x, axis=1, out=y)``; over a copy where NumPy would make one to convert x."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | Lines | None:
        if to.out is None:
            return None
        axis = node.attrs["axis"]
        if node.inputs[0].dtype == node.dtype:
            return Form(f"{function}({parts[0].text}, axis={axis}, out={to.out})")
        return Lines(
            (f"np.copyto({{out}}, {parts[0].text})", f"{function}({{out}}, axis={axis}, out={{out}})")
        )

    return emit


def scan_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(4, 3)),), {"axis": 0})
    yield Sample((rng.normal(size=(2, 4, 3)),), {"axis": -1})
    yield Sample((rng.normal(size=(2, 4, 3)),), {"axis": 1})
    yield Sample((rng.normal(size=(2, 3)),))
    yield Sample((rng.normal(size=(1, 3)),), {"axis": 0})
    yield Sample((np.asarray(rng.normal()),))
    yield Sample((rng.normal(size=(0, 3)),), {"axis": 0})
    yield Sample((rng.normal(size=(0, 3)),), {"axis": 1})


SCAN_FAULTS = (
    Fault((((2, 3), "float32"),), {"axis": 2}, ShapeError, "axis 2"),
    Fault((((2, 3), "float32"),), {"axis": (0, 1)}, ArgumentError, "an axis is an int"),
)


def laid_out(x: Operand, axis: int | None, dtype: Any) -> tuple[Node, int]:
    """An array and the axis to go along; None is all elements in C order."""
    node = as_node(x)
    if dtype is not None:
        node = cast(node, dtype)
    if axis is None:
        return reshape(node, -1), 0
    return node, normal_axis(axis, node.ndim)


def _scan(name: str, x: Operand, axis: int | None, dtype: Any) -> Node:
    node, at = laid_out(x, axis, dtype)
    result = apply(name, node, axis=at)
    return result if dtype is None else cast(result, dtype)  # small integers add up in int64


# ---- cumsum ---------------------------------------------------------------------------------------


def _cumsum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from scan_samples(rng)
    yield Sample((np.array([[1, -2, 3], [2, 0, 1]], np.int32),), {"axis": 1})


def _sum_of_rest(g: Node, y: Node, x: Node, axis: int) -> Node:
    return flipped(apply("cumsum", flipped(g, axis), axis=axis), axis)


@defop(
    infer=_infer(np.cumsum),
    axes=scan_axes,
    reference=lambda x, *, axis: np.cumsum(x, axis),
    numpy=spell_scan("np.cumsum"),
    into=scan_into("np.cumsum"),
    overwrites=(0,),
    vjp={"x": _sum_of_rest},
    jvp="linear",
    samples=_cumsum_samples,
    errors=SCAN_FAULTS,
    rule={"x": "G summed from here on"},
    noun="running_total",
    operands=("x",),
)
def cumsum(x: Operand, axis: int | None = None, dtype: Any = None) -> Node:
    """The sum of the elements so far, along an axis or of all in C order; integers and booleans in int64.

    Its gradient is the sum of G from here on.

    >>> gg.cumsum(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'), 3)
    """
    return _scan("cumsum", x, axis, dtype)


# ---- recurrence: what the gradients of other scans are made of ------------------------------------


def _recurrence_spec(a: Spec, b: Spec, *, axis: int) -> Spec:
    if a != b:
        raise ShapeError(f"factors {a} and summands {b} differ")
    return b


def _recurrence_reference(
    a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], *, axis: int
) -> np.ndarray[Any, Any]:
    factors, rows = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    total = np.zeros_like(rows)
    for at in range(len(rows)):
        total[at] = rows[at] + (factors[at] * total[at - 1] if at else 0)
    return np.moveaxis(total, 0, axis)


def _spell_recurrence(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    a, b = (part.text for part in parts)
    axis = node.attrs["axis"]
    here, before = (", ".join([":"] * axis + [item]) for item in ("_at", "_at - 1"))
    return Lines((
        f"{{out}} = np.array({b})",
        f"for _at in range(1, {speller.size(node.shape[axis]).text}):",
        f"    {{out}}[{here}] += {a}[{here}] * {{out}}[{before}]",
    ))  # fmt: skip


def _recurrence_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    a, b = (part.text for part in parts)
    axis = node.attrs["axis"]
    first, here, before = (", ".join([":"] * axis + [item]) for item in ("0:1", "_at", "_at - 1"))
    return Lines((
        f"{{out}}[{first}] = {b}[{first}]",
        f"for _at in range(1, {speller.size(node.shape[axis]).text}):",
        f"    np.multiply({a}[{here}], {{out}}[{before}], out={{out}}[{here}, ...])",
        f"    {{out}}[{here}] += {b}[{here}]",
    ))  # fmt: skip


def _recurrence_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape, axis in (((4,), 0), ((3, 4), -1), ((3, 4), 0), ((2, 3, 2), 1), ((1, 2), 0), ((0, 2), 0)):
        yield Sample((rng.normal(size=shape), rng.normal(size=shape)), {"axis": axis})


def _backwards(g: Node, a: Node, axis: int) -> Node:
    """The recurrence run from the end: what arrives at each step from all later ones."""
    coming = flipped(advanced(a, axis, 0), axis)
    return flipped(apply("recurrence", coming, flipped(g, axis), axis=axis), axis)


def _recurrence_by_factor(g: Node, y: Node, a: Node, b: Node, axis: int) -> Node:
    return _backwards(g, a, axis) * delayed(y, axis, 0)


def _recurrence_along_factor(t: Node, y: Node, a: Node, b: Node, axis: int) -> Node:
    return apply("recurrence", a, t * delayed(y, axis, 0), axis=axis)


def _recurrence_along_summand(t: Node, y: Node, a: Node, b: Node, axis: int) -> Node:
    return apply("recurrence", a, t, axis=axis)


@defop(
    infer=_recurrence_spec,
    axes=scan_axes,
    reference=_recurrence_reference,
    numpy=_spell_recurrence,
    into=_recurrence_into,
    overwrites=(0,),
    vjp={
        "a": _recurrence_by_factor,
        "b": lambda g, y, a, b, axis: _backwards(g, a, axis),
    },
    jvp={"a": _recurrence_along_factor, "b": _recurrence_along_summand},
    samples=_recurrence_samples,
    errors=(
        Fault((((2, 3), "float32"), ((2, 4), "float32")), {"axis": 0}, ShapeError, "differ"),
        Fault((((2, 3), "float32"), ((2, 3), "float32")), {"axis": 2}, ShapeError, "axis 2"),
    ),
    rule={"a": "R times the y before, R = G + R next of a", "b": "R = G + R next of a"},
    noun="recurrence",
    operands=("a", "b"),
    is_expression=False,
    repeats=True,
    cost=lambda inputs, result: result.size * 2,
)
def recurrence(a: Operand, b: Operand, axis: int = 0) -> Node:
    """y with ``y[k] = a[k] * y[k - 1] + b[k]`` along an axis, and ``y[0] = b[0]``.

    Its gradient is the same recurrence run from the end.

    >>> recurrence(gg.input("a", ("n",)), gg.input("b", ("n",))).shape
    (Dim('n'),)
    """
    factors, summands = as_node(a), as_node(b)
    return apply("recurrence", factors, summands, axis=normal_axis(axis, summands.ndim))


# ---- cumprod --------------------------------------------------------------------------------------


def _cumprod_vjp(g: Node, y: Node, x: Node, axis: int) -> Node:
    # no division, so that zeros need no care: what came before, times what all later ones make of it
    return delayed(y, axis, 1) * _backwards(g, x, axis)


def _cumprod_jvp(t: Node, y: Node, x: Node, axis: int) -> Node:
    return apply("recurrence", x, t * delayed(y, axis, 1), axis=axis)


def _cumprod_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from scan_samples(rng)
    yield Sample((np.array([[2.0, 0.0, 3.0, -1.0], [0.0, 1.5, 0.0, 2.0]]),), {"axis": 1})


@defop(
    infer=_infer(np.cumprod),
    axes=scan_axes,
    reference=lambda x, *, axis: np.cumprod(x, axis),
    numpy=spell_scan("np.cumprod"),
    into=scan_into("np.cumprod"),
    overwrites=(0,),
    vjp={"x": _cumprod_vjp},
    jvp={"x": _cumprod_jvp},
    samples=_cumprod_samples,
    errors=SCAN_FAULTS,
    rule={"x": "y before, times R = G + R next of x"},
    noun="running_product",
    operands=("x",),
)
def cumprod(x: Operand, axis: int | None = None, dtype: Any = None) -> Node:
    """The product of the elements so far, along an axis or of all in C order; integers and booleans in int64.

    Its gradient is right where elements are 0: it does not divide by them.

    >>> gg.cumprod(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'), 3)
    """
    return _scan("cumprod", x, axis, dtype)


for _name, _function in {"cumsum": cumsum, "cumprod": cumprod}.items():
    bind(_name, _function)
