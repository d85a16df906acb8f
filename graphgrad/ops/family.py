"""What families of ops share: dtypes as NumPy's ufuncs have them, broadcasting, samples to test with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, ParamSpec

import numpy as np

from graphgrad.core.dim import Dim, Size
from graphgrad.core.errors import DTypeError, InvalidValueError, ShapeError
from graphgrad.core.form import Emission, call, call_into
from graphgrad.core.node import Node
from graphgrad.core.op import BROADCAST, AxisRole, Fault, Sample, Vjp, apply, defop
from graphgrad.core.provenance import record
from graphgrad.core.spec import Spec, broadcast
from graphgrad.ops.leaf import as_node, const, run_time_size

P = ParamSpec("P")


@cache
def _resolve(ufunc: np.ufunc, kinds: tuple[Any, ...]) -> tuple[np.dtype[Any], ...]:
    """The dtypes of a ufunc's inputs and results by NumPy's promotion, where Python's types are weak."""
    try:
        return tuple(ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout)))
    except TypeError as error:
        names = ", ".join(getattr(kind, "name", None) or kind.__name__ for kind in kinds)
        raise DTypeError(f"np.{ufunc.__name__} does not take {names}", hint="gg.cast(x, dtype)") from error


def kind_of(value: Any) -> Any:
    """How a value takes part in promotion: by its dtype, or as a Python int or float."""
    kind = type(value)
    if kind is int or kind is float:
        return kind
    return int if kind is Dim else as_node(value).dtype


@lru_cache(maxsize=2**10)
def _number(value: float, text: str, dtype: np.dtype[Any]) -> Node:
    """A number that graphs are full of, such as the 1 of ``1 - y * y``. The text tells 0.0 from -0.0 and from 0."""
    return const(np.array(value, dtype))


def to_dtype(value: Any, dtype: np.dtype[Any]) -> Node:
    """A node of the given dtype: a scalar becomes a constant of it, a node gets a cast."""
    if isinstance(value, Dim):
        return run_time_size(value, dtype)
    if isinstance(value, int | float):
        try:
            number = _number(value, repr(value), dtype)
        except OverflowError as error:
            raise InvalidValueError(f"{value} does not fit {dtype}: {error}") from error
        record(number.notes)
        return number
    node = as_node(value)
    return node if node.dtype == dtype else apply("cast", node, dtype=dtype)


def promoting(ufunc: np.ufunc) -> Callable[[Sequence[Any]], tuple[Node, ...]]:
    """Arguments made into nodes of the dtypes that the ufunc computes in."""

    def promote(values: Sequence[Any]) -> tuple[Node, ...]:
        dtypes = _resolve(ufunc, tuple(map(kind_of, values)))
        return tuple(to_dtype(value, dtype) for value, dtype in zip(values, dtypes, strict=False))

    return promote


def elementwise_spec(ufunc: np.ufunc) -> Callable[..., Spec]:
    """Broadcast shapes, and the ufunc's result dtype."""

    def infer(*specs: Spec) -> Spec:
        dtype = _resolve(ufunc, tuple(spec.dtype for spec in specs))[-1]
        return Spec(broadcast_shapes(specs), dtype)

    return infer


def broadcast_shapes(specs: Sequence[Spec]) -> tuple[Size, ...]:
    """The common shape, with advice where there is none."""
    try:
        return broadcast([spec.shape for spec in specs])
    except ShapeError as error:
        raise ShapeError(
            error.what, hint="make the sizes equal, or 1 where one should be repeated: x[:, None]"
        ) from error


def elementwise_axes(*specs: Spec, **attrs: Any) -> tuple[tuple[AxisRole, ...], ...]:
    """Each axis goes to the one it lines up with from the right."""
    shape = broadcast([spec.shape for spec in specs])
    roles: list[tuple[AxisRole, ...]] = []
    for spec in specs:
        offset = len(shape) - len(spec.shape)
        roles.append(
            tuple(
                BROADCAST if size == 1 and shape[offset + axis] != 1 else offset + axis
                for axis, size in enumerate(spec.shape)
            )
        )
    return tuple(roles)


UNARY_SHAPES = ((3, 4), (), (0, 2), (1, 3), (2, 1, 2))
BINARY_SHAPES = (
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2,)),
    ((0, 3), (3,)),
    ((1,), (2, 3)),
    ((), ()),
)


def uniform(
    rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float
) -> np.ndarray[Any, Any]:
    """Float64 samples."""
    return np.asarray(rng.uniform(low, high, shape))


def unary(
    ufunc: np.ufunc,
    *,
    vjp: Vjp,
    rule: str,
    low: float,
    high: float,
    numpy: Emission | None = None,
    flops: int = 1,
    errors: Sequence[Fault] = (),
    **fields: Any,
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    """Define an elementwise op of one input from its ufunc, its gradient and the range where it is smooth."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for shape in UNARY_SHAPES:
            yield Sample((uniform(rng, shape, low, high),))

    full: dict[str, Any] = {
        "infer": elementwise_spec(ufunc),
        "axes": elementwise_axes,
        "reference": ufunc,
        "numpy": numpy or call(f"np.{ufunc.__name__}"),
        "into": None if "reference" in fields else call_into(f"np.{ufunc.__name__}"),
        "overwrites": (0,),
        "vjp": {"x": vjp},
        "jvp": "diagonal",
        "samples": samples,
        "errors": errors,
        "rule": {"x": rule},
        "cost": lambda inputs, result: result.size * flops,
        "elementwise": True,
        "promote": promoting(ufunc),
    }
    return defop(**full | fields)


def binary(
    ufunc: np.ufunc,
    *,
    numpy: Emission,
    vjp: dict[str, Vjp] | Any,
    rule: dict[str, str],
    low: float = -2.0,
    high: float = 2.0,
    **fields: Any,
) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    """Define an elementwise op of two inputs from its ufunc, its source and its gradients."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for left, right in BINARY_SHAPES:
            yield Sample((uniform(rng, left, low, high), uniform(rng, right, low, high)))

    full: dict[str, Any] = {
        "infer": elementwise_spec(ufunc),
        "axes": elementwise_axes,
        "reference": ufunc,
        "numpy": numpy,
        "into": None if "reference" in fields else call_into(f"np.{ufunc.__name__}"),
        "overwrites": (0, 1),
        "vjp": vjp,
        "jvp": "diagonal",
        "samples": samples,
        "errors": (Fault((((2, 3), "float32"), ((2, 4), "float32")), {}, ShapeError, "do not broadcast"),),
        "rule": rule,
        "elementwise": True,
        "promote": promoting(ufunc),
    }
    return defop(**full | fields)
