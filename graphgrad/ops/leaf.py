"""Leaves: where values come from. Inputs, parameters, states, generators, constants, and run-time sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Dim, Size, as_size
from graphgrad.core.errors import ArgumentError, DTypeError, InvalidValueError
from graphgrad.core.form import Form
from graphgrad.core.names import check_name
from graphgrad.core.node import Node
from graphgrad.core.op import NotDifferentiable, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Spec, as_dtype, as_shape

Operand: TypeAlias = "Node | Dim | np.ndarray[Any, Any] | np.generic | float | int | bool"
"""What every function takes in place of a node."""
Init: TypeAlias = "Callable[[np.random.Generator, tuple[int, ...], np.dtype[Any]], np.ndarray[Any, Any]]"
"""A scheme of `graphgrad.init`: ``init(rng, shape, dtype)``."""

GENERATOR = np.dtype(object)
"""The dtype of a generator's spec; nothing can be computed from it."""


class Identity:
    """What makes a leaf itself: two leaves are never the same node, even with one name."""

    __slots__ = ("init",)

    def __init__(self, init: Init | None = None) -> None:
        self.init = init

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {"init": self.init}


def _no_samples(rng: np.random.Generator) -> Iterator[Sample]:
    return iter(())


_LEAF: dict[str, Any] = {
    "operands": (),
    "infer": lambda *, name, shape, dtype, identity: Spec(shape, dtype),
    "axes": lambda **attrs: (),
    "reference": None,  # the value is given
    "numpy": None,  # a leaf is an argument, or written where it is used
    "vjp": NotDifferentiable("a leaf has no inputs"),
    "jvp": NotDifferentiable("a leaf has no inputs"),
    "samples": _no_samples,
    "errors": (),
    "rule": {},
    "noun": "x",
    "is_leaf": True,
}


def _leaf(kind: str, name: str, shape: Any, dtype: Any, init: Init | None = None) -> Node:
    checked = check_name(name, f"an {kind}" if kind[0] in "aeiou" else f"a {kind}")
    return apply(kind, name=checked, shape=as_shape(shape), dtype=as_dtype(dtype), identity=Identity(init))


@defop(**_LEAF)
def input(name: str, shape: Any, dtype: Any = "float32") -> Node:
    """An array that is given at each call.

    Parameters
    ----------
    name:
        Any non-empty text without control characters.
    shape:
        Ints and names; the same name is the same size everywhere in a graph.
    dtype:
        A bool, integer or float dtype.

    Raises
    ------
    InvalidNameError, ShapeError, DTypeError
        For a name, shape or dtype that cannot be.

    >>> gg.input("x", ("batch", 784))
    <input x: float32 (batch, 784)>
    """
    return _leaf("input", name, shape, dtype)


@defop(**_LEAF)
def param(name: str, shape: Any, dtype: Any = "float32", init: Init | None = None) -> Node:
    """A parameter: an array that is learnt. `init` is a scheme of `graphgrad.init`; zeros by default.

    >>> gg.param("w", (784, 50), init=gg.init.kaiming_normal())
    <param w: float32 (784, 50)>
    """
    return _leaf("param", name, shape, dtype, init)


@defop(**_LEAF)
def state(name: str, shape: Any, dtype: Any = "float32", init: Init | None = None) -> Node:
    """An array that is kept between calls but not learnt: an optimiser's moment, a running mean. Zeros by
    default.

    >>> gg.state("momentum", (50,))
    <state momentum: float32 (50,)>
    """
    return _leaf("state", name, shape, dtype, init)


@defop(**_LEAF)
def rng(name: str) -> Node:
    """A `numpy.random.Generator` that is given at each call.

    >>> gg.rng("rng")
    <rng rng: object ()>
    """
    return apply("rng", name=check_name(name, "a generator"), shape=(), dtype=GENERATOR, identity=Identity())


LEAF_KINDS = ("input", "state", "param", "rng")
"""The leaves that are arguments of a compiled function, in the order of its signature."""


@defop(
    operands=(),
    infer=lambda *, value: Spec(value.shape, value.dtype),
    axes=lambda *, value: (),
    reference=lambda *, value: value,
    numpy=None,  # written where it is used
    vjp=NotDifferentiable("a constant has no inputs"),
    jvp=NotDifferentiable("a constant has no inputs"),
    samples=_no_samples,
    errors=(),
    rule={},
    noun="constant",
    cost=lambda inputs, result: 0,
)
def const(value: Any, dtype: Any = None) -> Node:
    """A constant array; later changes to `value` do not change it.

    >>> gg.const([1.0, 2.0]).dtype, gg.const(3).dtype
    (dtype('float64'), dtype('int64'))
    """
    if isinstance(value, Node):
        return value
    if is_masked(value):
        raise ArgumentError("a masked array would lose its mask", hint="gg.where(mask, a, b)")
    try:
        array = np.array(value, dtype=None if dtype is None else as_dtype(dtype), subok=False)
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, DTypeError):
            raise
        raise InvalidValueError(f"{value!r:.60} is no array of numbers: {error}") from error
    as_dtype(array.dtype)
    if array.dtype.kind == "f" and (unknown := np.isnan(array)).any():
        array[unknown] = np.nan  # one nan, whatever its sign and payload
    array.flags.writeable = False
    return apply("const", value=array)


@defop(
    operands=(),
    infer=lambda *, size, dtype: Spec((), dtype),
    axes=lambda *, size, dtype: (),
    reference=lambda *, size, dtype: np.asarray(size, dtype),
    numpy=None,  # written where it is used
    vjp=NotDifferentiable("a size does not depend on values"),
    jvp=NotDifferentiable("a size does not depend on values"),
    samples=_no_samples,
    errors=(),
    rule={},
    noun="size",
    cost=lambda inputs, result: 0,
)
def run_time_size(size: Size, dtype: Any = "int64") -> Node:
    """The number that a symbolic size turns out to be, as a scalar; what ``node / x.shape[0]`` divides by.

    >>> gg.run_time_size(gg.input("x", ("batch",)).shape[0], "float32")
    <run_time_size run_time_size: float32 ()>
    """
    checked = as_size(size)
    if isinstance(checked, int):
        return const(checked, dtype)
    return apply("run_time_size", size=checked, dtype=as_dtype(dtype))


def is_masked(value: Any) -> bool:
    """Whether a value is a masked array; a plain array is not, and `numpy.ma` is slow to load."""
    return (
        isinstance(value, np.ndarray)
        and type(value) is not np.ndarray
        and isinstance(value, np.ma.MaskedArray)
    )


def as_node(value: Any) -> Node:
    """A node from a node, a size, an array or a scalar.

    Raises
    ------
    ArgumentError, DTypeError
        For anything else.
    """
    if isinstance(value, Node):
        if value.specs[0].dtype == GENERATOR:
            raise DTypeError("a generator is no array", saw=[value.describe()])
        return value
    if isinstance(value, Dim):
        return run_time_size(value)
    if isinstance(value, str | bytes) or value is None:
        raise ArgumentError(f"{value!r:.60} is no node, array or number")
    return const(value)


def scalar_value(node: Node) -> float | int | bool | None:
    """The number that a constant scalar is, or None."""
    if node.op.name != "const" or node.specs[0].shape:
        return None
    number: float | int | bool = node.attrs["value"].item()
    return number


def literal(node: Node) -> Form:
    """A constant scalar as Python source: exact, and without a dtype of its own."""
    value = node.attrs["value"]
    if value.dtype.kind != "f":
        text = repr(value.item())
    elif np.isnan(value):
        text = "np.nan"
    elif np.isinf(value):
        text = "np.inf" if value > 0 else "-np.inf"
    elif (
        abs(number := float(value)) < 1e6 and number.is_integer() and not (number == 0 and np.signbit(value))
    ):
        text = str(int(value))
    else:
        text = repr(float(str(value)))  # str gives the shortest digits that read back in this dtype
    return Form(text, 70 if text.startswith("-") else 100)


bind("as_node", as_node)
