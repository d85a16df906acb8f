"""What holds anywhere, everywhere or how often, and where the largest and smallest are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec

import numpy as np

from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import Destination, Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Combination, Fault, NotDifferentiable, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.leaf import Operand
from graphgrad.ops.logic import truth
from graphgrad.ops.movement import normal_axis, reshape
from graphgrad.ops.reduce import (
    REDUCTION_FAULTS,
    Axis,
    arguments,
    masked,
    reduced_axes,
    reduced_shape,
    reduction_reference,
    reduction_samples,
    reduction_spec,
    sum,
)
from graphgrad.ops.reduction_source import reduce_into, spell_reduction

P = ParamSpec("P")

_ANSWER = NotDifferentiable("it is piecewise constant and its result is boolean")
_PLACE = NotDifferentiable("it is piecewise constant and its result is an integer")


# ---- any and all ----------------------------------------------------------------------------------


def _truth_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in reduction_samples(rng):
        yield Sample((sample.arrays[0] > 0,), sample.kwargs)
    yield Sample((np.zeros((0, 2), bool),), {"axis": 0})
    yield Sample((np.array([0.0, np.nan, -0.0]),))


def _define(
    function: Callable[..., Any], noun: str, combines: Combination
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    return defop(
        infer=reduction_spec(function),
        axes=reduced_axes,
        reference=reduction_reference(function),
        numpy=spell_reduction(f"np.{function.__name__}"),
        into=reduce_into(function.__name__),
        vjp=_ANSWER,
        jvp=_ANSWER,
        samples=_truth_samples,
        errors=REDUCTION_FAULTS,
        rule={},
        noun=noun,
        combines=combines,
        operands=("x",),
        cost=lambda inputs, result: inputs[0].size,
    )


@_define(np.any, "is_any", "logical_or")
def any(x: Operand, axis: Axis = None, keepdims: bool = False, *, where: Operand | None = None) -> Node:
    """Whether any element is other than 0, over one axis, several, or all; boolean, and false of nothing.

    Parameters
    ----------
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.

    >>> gg.any(gg.input("x", ("batch", 3)) > 0, axis=1).dtype
    dtype('bool')
    """
    node, attrs = arguments(x, axis, keepdims)
    return apply("any", masked(node if where is None else truth(node), where, False), **attrs)


@_define(np.all, "is_all", "logical_and")
def all(x: Operand, axis: Axis = None, keepdims: bool = False, *, where: Operand | None = None) -> Node:
    """Whether all elements are other than 0, over one axis, several, or all; boolean, and true of nothing.

    Parameters
    ----------
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.

    >>> gg.all(gg.input("x", ("batch", 3)) > 0, axis=1).dtype
    dtype('bool')
    """
    node, attrs = arguments(x, axis, keepdims)
    return apply("all", masked(node if where is None else truth(node), where, True), **attrs)


@composite
def count_nonzero(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """How many elements are other than 0, over one axis, several, or all; int64.

    >>> gg.count_nonzero(gg.input("x", ("batch", 3)), axis=0).dtype
    dtype('int64')
    """
    return sum(truth(x), axis, keepdims=keepdims)


# ---- argmax and argmin ----------------------------------------------------------------------------


def _place_spec(x: Spec, *, axis: int, keepdims: bool) -> Spec:
    if x.shape[axis] == 0:
        raise ShapeError("there is nothing to choose from along an axis of size 0")
    return Spec(reduced_shape(x.shape, (axis,), keepdims), np.dtype(np.int64))


def _place_axes(x: Spec, *, axis: int, keepdims: bool) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(WHOLE if at == axis else at - (not keepdims and at > axis) for at in range(len(x.shape))),)


def _place_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for keepdims in (False, True):
        yield Sample((rng.normal(size=(2, 3, 4)),), {"keepdims": keepdims})
        yield Sample((rng.normal(size=(2, 3, 4)),), {"axis": 1, "keepdims": keepdims})
        yield Sample((rng.normal(size=(2, 3)),), {"axis": -1, "keepdims": keepdims})
    yield Sample((np.array([[1.0, 3.0, 3.0], [np.nan, 2.0, np.nan]]),), {"axis": 1})
    yield Sample((np.asarray(rng.normal()),))
    yield Sample((rng.normal(size=(3, 0)),), {"axis": 0})


def _define_place(
    function: Callable[..., Any], noun: str
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    def spell(speller: Speller, parts: Sequence[Form], node: Node, out: str = "") -> Form:
        kept = ", keepdims=True" if node.attrs["keepdims"] else ""
        return Form(f"np.{function.__name__}({parts[0].text}, axis={node.attrs['axis']}{kept}{out})")

    def into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
        return None if to.out is None else spell(speller, parts, node, f", out={to.out}")

    return defop(
        infer=_place_spec,
        axes=_place_axes,
        reference=lambda x, *, axis, keepdims: np.asarray(function(x, axis=axis, keepdims=keepdims)),
        numpy=spell,
        into=into,
        vjp=_PLACE,
        jvp=_PLACE,
        samples=_place_samples,
        errors=(
            Fault((((2, 3), "float32"),), {"axis": 2}, ShapeError, "axis 2"),
            Fault((((2, 3), "float32"),), {"axis": (0, 1)}, ArgumentError, "an axis is an int"),
            Fault((((0, 2), "float32"),), {"axis": 0}, ShapeError, "nothing to choose"),
        ),
        rule={},
        noun=noun,
        operands=("x",),
        cost=lambda inputs, result: inputs[0].size,
    )


def _place(name: str, x: Operand, axis: int | None, keepdims: bool) -> Node:
    node, _ = arguments(x, None, keepdims)
    if axis is not None:
        return apply(name, node, axis=normal_axis(axis, node.ndim), keepdims=bool(keepdims))
    found = apply(name, reshape(node, -1), axis=0, keepdims=False)
    return reshape(found, (1,) * node.ndim) if keepdims else found


@_define_place(np.argmax, "place")
def argmax(x: Operand, axis: int | None = None, keepdims: bool = False) -> Node:
    """Where the largest element is, along an axis or among all in C order; the first of equals, nan before all; int64.

    >>> gg.argmax(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'),)
    """
    return _place("argmax", x, axis, keepdims)


@_define_place(np.argmin, "place")
def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Node:
    """Where the smallest element is, along an axis or among all in C order; the first of equals, nan before all; int64.

    >>> gg.argmin(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'),)
    """
    return _place("argmin", x, axis, keepdims)


for _name, _function in {"any": any, "all": all}.items():
    bind(_name, _function)
for _name, _search in {"argmax": argmax, "argmin": argmin}.items():
    bind(_name, _search)
