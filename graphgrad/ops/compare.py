"""Comparison and choice, element by element."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from graphgrad.core.form import COMPARISON, Destination, Form, Helper, Speller, call, infix
from graphgrad.core.node import Node
from graphgrad.core.op import Fault, NotDifferentiable, Sample, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec
from graphgrad.ops.family import (
    BINARY_SHAPES,
    binary,
    broadcast_shapes,
    elementwise_axes,
    kind_of,
    promoting,
    to_dtype,
    uniform,
)
from graphgrad.ops.leaf import Operand, as_node, scalar_value

_STOP = NotDifferentiable("a comparison is piecewise constant and its result is boolean")


def _define(ufunc: np.ufunc, sign: str, noun: str) -> Callable[[Callable[..., None]], Callable[..., Node]]:
    # operands in brackets if they compare too: a < b < c means something else
    emit = infix(sign, COMPARISON + 1)

    def spell(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
        return cast(Form, emit(speller, parts, node))._replace(level=COMPARISON)

    return binary(ufunc, numpy=spell, vjp=_STOP, jvp=_STOP, rule={}, noun=noun)


@_define(np.equal, "==", "same")
def equal(x: Operand, y: Operand) -> None:
    """x == y, element by element with broadcasting; boolean.

    >>> gg.equal(gg.input("x", (2,)), 0).dtype
    dtype('bool')
    """


@_define(np.not_equal, "!=", "different")
def not_equal(x: Operand, y: Operand) -> None:
    """x != y, element by element with broadcasting; boolean.

    >>> gg.not_equal(gg.input("x", (2,)), 0).dtype
    dtype('bool')
    """


@_define(np.less, "<", "below")
def less(x: Operand, y: Operand) -> None:
    """x < y, element by element with broadcasting; boolean.

    >>> gg.less(gg.input("x", (2,)), 0).dtype
    dtype('bool')
    """


@_define(np.less_equal, "<=", "at_most")
def less_equal(x: Operand, y: Operand) -> None:
    """x <= y, element by element with broadcasting; boolean.

    >>> gg.less_equal(gg.input("x", (2,)), 0).dtype
    dtype('bool')
    """


@_define(np.greater, ">", "above")
def greater(x: Operand, y: Operand) -> None:
    """x > y, element by element with broadcasting; boolean.

    >>> gg.greater(gg.input("x", (2,)), 0).dtype
    dtype('bool')
    """


@_define(np.greater_equal, ">=", "at_least")
def greater_equal(x: Operand, y: Operand) -> None:
    """x >= y, element by element with broadcasting; boolean.

    >>> gg.greater_equal(gg.input("x", (2,)), 0).dtype
    dtype('bool')
    """


def _choice_spec(condition: Spec, x: Spec, y: Spec) -> Spec:
    if condition.dtype != np.bool_ or x.dtype != y.dtype:
        raise DTypeError(f"needs a bool and two equal dtypes, got {condition.dtype}, {x.dtype} and {y.dtype}")
    return Spec(broadcast_shapes((condition, x, y)), x.dtype)


def _promote_choice(values: Sequence[Any]) -> tuple[Node, ...]:
    condition, x, y = values
    condition = as_node(condition)
    if condition.dtype != np.bool_:
        condition = not_equal(condition, 0)
    x, y = promoting(np.maximum)((x, y)) if kind_of(x) != kind_of(y) else (as_node(x), as_node(y))
    return condition, x, to_dtype(y, x.dtype)


def _choice_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for left, right in BINARY_SHAPES:
        yield Sample((rng.random(left) > 0.5, uniform(rng, left, -2, 2), uniform(rng, right, -2, 2)))
        yield Sample((rng.random(right) > 0.5, uniform(rng, left, -2, 2), uniform(rng, right, -2, 2)))


_KEEP = Helper(
    "_keep",
    '''
def _keep(mask, values, out=None):
    """values where mask holds, else 0: their bits times 1 or 0. (0 * inf is nan, and np.where is slow.)"""
    if out is None:
        out = np.empty(np.broadcast(mask, values).shape, values.dtype)
    if out.size < 256:  # where calls cost more than elements
        np.copyto(out, values)
        np.copyto(out, False, where=np.logical_not(mask))
        return out
    bits = f"i{out.itemsize}"
    np.multiply(values.view(bits), mask, out=out.view(bits))
    return out
''',
)

_DROP = Helper(
    "_drop",
    '''
def _drop(mask, values, out=None):
    """0 where mask holds, else values: by bits, of which those that _keep would keep are taken away."""
    if out is None:
        out = np.empty(np.broadcast(mask, values).shape, values.dtype)
    if out.size < 256:  # where calls cost more than elements
        np.copyto(out, values)
        np.copyto(out, False, where=mask)
        return out
    bits = f"i{out.itemsize}"
    values, left = values.view(bits), out.view(bits)
    np.bitwise_xor(np.multiply(values, mask, out=left), values, out=left)
    return out
''',
)

_SELECT = Helper(
    "_select",
    '''
def _select(mask, values, others, out=None):
    """values where mask holds, else others: by bits, several times as fast as np.where on irregular masks."""
    if out is None:
        out = np.empty(np.broadcast(mask, values, others).shape, values.dtype)
    if out.size < 256:  # where calls cost more than elements
        np.copyto(out, np.where(mask, values, others))
        return out
    bits = f"i{out.itemsize}"
    difference, others = out.view(bits), others.view(bits)
    np.bitwise_xor(values.view(bits), others, out=difference)
    np.multiply(difference, mask, out=difference)
    np.bitwise_xor(difference, others, out=difference)
    return out
''',
)


def _choice_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    if not node.shape:
        return None
    _, x, y = node.inputs
    if _is_zero(y):
        helper, values = _KEEP, [(x, parts[1])]
    elif _is_zero(x):
        helper, values = _DROP, [(y, parts[2])]
    else:
        helper, values = _SELECT, [(x, parts[1]), (y, parts[2])]
    arguments = [parts[0].text, *(speller.typed(value, part) for value, part in values)]
    if to.out is not None:
        arguments.append(f"out={to.out}")
    return Form(f"{speller.helper(helper)}({', '.join(arguments)})")


def _is_zero(node: Node) -> bool:
    value = scalar_value(node)
    return value is not None and value == 0 and not np.signbit(value)


def _by_chosen(g: Node, z: Node, condition: Node, x: Node, y: Node) -> Node:
    return where(condition, g, 0)


def _by_other(g: Node, z: Node, condition: Node, x: Node, y: Node) -> Node:
    return where(condition, 0, g)


@defop(
    infer=_choice_spec,
    axes=elementwise_axes,
    reference=np.where,
    numpy=call("np.where"),
    into=_choice_into,
    overwrites=(1,),
    vjp={
        "condition": lambda g, z, condition, x, y: None,
        "x": _by_chosen,
        "y": _by_other,
    },
    jvp="diagonal",
    samples=_choice_samples,
    errors=(
        Fault((((3,), "bool"), ((2,), "float32"), ((2,), "float32")), {}, ShapeError, "do not broadcast"),
    ),
    rule={"x": "G where chosen", "y": "G where not chosen"},
    noun="chosen",
    operands=("condition", "x", "y"),
    elementwise=True,
    promote=_promote_choice,
)
def where(condition: Operand, x: Operand | None = None, y: Operand | None = None) -> None:
    """x where the condition holds, else y; element by element with broadcasting.

    The gradient goes to the operand that was chosen, and is 0 for the other one. Without x and y, NumPy's `where` gives
    places, whose number depends on values: that is not supported.

    >>> x = gg.input("x", (3,))
    >>> gg.where(x > 0, x, 0).dtype
    dtype('float32')
    """
    if x is None or y is None:
        raise UnsupportedError(
            "where: with a condition alone, the number of results depends on its values, so they would have no shape",
            saw=[as_node(condition).describe()],
            hint="gg.where(condition, x, y)",
        )


@composite
def select(condlist: Sequence[Operand], choicelist: Sequence[Operand], default: Operand = 0) -> Node:
    """For each element the choice of the first condition that holds, else the default; with broadcasting.

    The gradient goes to the choice that was taken.

    >>> x = gg.input("x", (3,))
    >>> gg.select([x < 0, x < 1], [0.0, x], 1.0).shape
    (3,)
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ArgumentError(f"select: {len(condlist)} conditions and {len(choicelist)} choices")
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = where(condition, choice, chosen)
    return as_node(chosen)


for _name, _function in {
    "less": less, "less_equal": less_equal, "greater": greater, "greater_equal": greater_equal,
}.items():  # fmt: skip
    bind(_name, _function)
