"""Changing what an array is, not what it holds: its dtype, or whether gradients pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import DTypeError
from graphgrad.core.form import ATOM, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, NotDifferentiable, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Spec, as_dtype
from graphgrad.ops.family import UNARY_SHAPES, elementwise_axes, uniform
from graphgrad.ops.leaf import Operand, as_node


def _spell_cast(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    if (
        not node.shape and node.dtype.kind == "f"
    ):  # takes a third of the time; of nan it makes no integer, though
        return Form(f"{speller.dtype(node.dtype)}({parts[0].text})")
    return Form(f"{parts[0].at(ATOM)}.astype({speller.dtype(node.dtype)})")


def _cast_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    casting = "" if np.can_cast(node.inputs[0].dtype, node.dtype, "same_kind") else ', casting="unsafe"'
    return Lines((f"np.copyto({{out}}, {parts[0].text}{casting})",))


def _cast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shape in UNARY_SHAPES:
        yield Sample((uniform(rng, shape, -2, 2),), {"dtype": "float64"})
    yield Sample((uniform(rng, (3,), -2, 2),), {"dtype": "float32"})
    yield Sample((uniform(rng, (3,), 0, 9),), {"dtype": "int32"})


def _cast_back(g: Node, y: Node, x: Node, dtype: Any) -> Node | None:
    return cast(g, x.dtype) if x.dtype.kind == "f" and y.dtype.kind == "f" else None


def _cast_tangent(t: Node, y: Node, x: Node, dtype: Any) -> Node | None:
    return cast(t, dtype) if y.dtype.kind == "f" else None


@defop(
    infer=lambda x, *, dtype: Spec(x.shape, dtype),
    axes=elementwise_axes,
    reference=lambda x, *, dtype: np.asarray(x).astype(dtype),
    numpy=_spell_cast,
    into=_cast_into,
    vjp={"x": _cast_back},
    jvp={"x": _cast_tangent},
    samples=_cast_samples,
    errors=(Fault((((2,), "float32"),), {"dtype": "complex64"}, DTypeError, "not supported"),),
    rule={"x": "G in x's dtype"},
    noun="converted",
    elementwise=True,
    operands=("x",),
    cost=lambda inputs, result: 0,
)
def cast(x: Operand, dtype: Any) -> Node:
    """x in another dtype, as ``ndarray.astype`` converts; also ``node.astype(dtype)``.

    Between floats the gradient is cast back; to integers and booleans it stops.

    >>> gg.cast(gg.input("x", (2,)), "float64").dtype
    dtype('float64')
    """
    node, wanted = as_node(x), as_dtype(dtype)
    if node.dtype == wanted:
        return node
    converted = apply("cast", node, dtype=wanted)
    converted.notes.asked = True
    return converted


def _stop_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((uniform(rng, (2, 3), -2, 2),))


@defop(
    infer=lambda x: x,
    axes=elementwise_axes,
    reference=lambda x: x,
    numpy=lambda speller, parts, node: parts[0],
    vjp=NotDifferentiable("gradients are stopped on purpose"),
    jvp=NotDifferentiable("gradients are stopped on purpose"),
    samples=_stop_samples,
    errors=(),
    rule={},
    noun="held",
    elementwise=True,
    view=True,
    light=True,
    cost=lambda inputs, result: 0,
)
def stop_gradient(x: Operand) -> Node:
    """x itself, through which no gradient passes.

    >>> x = gg.input("x", (2,))
    >>> gg.stop_gradient(x).dtype
    dtype('float32')
    """
    held = apply("stop_gradient", as_node(x))
    held.notes.asked = True
    return held


bind("cast", cast)
