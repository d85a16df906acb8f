"""What every scheme is, and the checks and draws that schemes share."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np

from graphgrad.core.dim import Dim
from graphgrad.core.errors import ArgumentError, DTypeError, InvalidValueError, ShapeError
from graphgrad.core.spec import as_dtype, as_shape, shape_text

Array: TypeAlias = np.ndarray[Any, Any]
DType: TypeAlias = np.dtype[Any]
Sizes: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Scheme(ABC):
    """A way to make an initial value; see `graphgrad.init`."""

    floating: ClassVar[bool] = True
    """Whether it makes floats only."""

    def __call__(self, rng: np.random.Generator, shape: Any, dtype: Any = "float32") -> Array:
        """A new array.

        Parameters
        ----------
        rng:
            What random numbers are drawn from.
        shape:
            Ints.
        dtype:
            Of the result.

        Raises
        ------
        ArgumentError, ShapeError, DTypeError, InvalidValueError
            If the generator is none, or the scheme cannot fill such an array.

        >>> gg.init.ones()(np.random.default_rng(0), (2,))
        array([1., 1.], dtype=float32)
        """
        if not isinstance(rng, np.random.Generator):
            what = f"{self}: rng is a numpy.random.Generator, not {type(rng).__name__}"
            raise ArgumentError(what, hint="np.random.default_rng(0)")
        asked = as_shape(shape)
        sizes = tuple(size for size in asked if not isinstance(size, Dim))
        require(self, asked, len(sizes) == len(asked), "fixed sizes")
        kind = as_dtype(dtype)
        if self.floating and kind.kind != "f":
            raise DTypeError(
                f"{self} makes floats, not {kind}", hint="gg.init.zeros(), ones() or constant(value)"
            )
        return np.ascontiguousarray(self._make(rng, sizes, kind)).reshape(sizes)

    @abstractmethod
    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array: ...

    def __repr__(self) -> str:
        settings = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        changed = ", ".join(f"{name}={value!r}" for name, value, usual in settings if value != usual)
        return f"{type(self).__name__}({changed})"


# --- draws: in the dtype itself where the generator can ---


def draw_normal(rng: np.random.Generator, shape: Sizes, dtype: DType, std: float, mean: float = 0.0) -> Array:
    """Normal numbers."""
    drawn: Array = np.asarray(rng.standard_normal(shape, np.float64 if dtype == np.float64 else np.float32))
    return np.asarray(drawn * std + mean, dtype)


def draw_uniform(rng: np.random.Generator, shape: Sizes, dtype: DType, low: float, high: float) -> Array:
    """Uniform numbers."""
    drawn: Array = np.asarray(rng.random(shape, np.float64 if dtype == np.float64 else np.float32))
    return rounded_within(drawn * (high - low) + low, dtype, low, high)


def rounded_within(values: Array, dtype: DType, low: float, high: float) -> Array:
    """The values in another dtype, and on a bound where rounding moved them beyond it."""
    return np.asarray(np.clip(values.astype(dtype, copy=False), dtype.type(low), dtype.type(high)))


# --- checks ---


def number(scheme: Scheme | str, name: str, value: object) -> float:
    """A finite number."""
    owner = scheme if isinstance(scheme, str) else type(scheme).__name__
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentError(f"{owner}: {name} is a number, not {type(value).__name__}")
    if not math.isfinite(value):
        raise InvalidValueError(f"{owner}: {name} is finite, not {value}")
    return float(value)


def at_least_zero(scheme: Scheme, name: str, value: object) -> float:
    """A finite number that is not negative."""
    if (checked := number(scheme, name, value)) < 0:
        raise InvalidValueError(f"{type(scheme).__name__}: {name} cannot be negative, and is {value}")
    return checked


def ordered(scheme: Scheme, low: object, high: object) -> None:
    """Two bounds with something between them."""
    if not number(scheme, "low", low) < number(scheme, "high", high):
        raise InvalidValueError(f"{type(scheme).__name__}: low is below high, and they are {low} and {high}")


def require(scheme: Scheme, shape: tuple[Any, ...], condition: bool, need: str) -> None:
    """A shape that the scheme can fill."""
    if not condition:
        raise ShapeError(f"{scheme} needs {need}, and the shape is {shape_text(shape)}")


def axis_of(scheme: Scheme, shape: Sizes, name: str, axis: object) -> int:
    """An axis, counted from the front."""
    try:
        at = operator.index(axis)  # type: ignore[arg-type]  # the except is for the rest
    except TypeError:
        raise ArgumentError(f"{type(scheme).__name__}: {name} is an int, not {type(axis).__name__}") from None
    require(scheme, shape, -len(shape) <= at < len(shape), f"an axis {at}, its {name}")
    return at % len(shape)


def axes_of(scheme: Scheme, shape: Sizes, in_axis: object, out_axis: object) -> tuple[int, int]:
    """The axes of what comes in and of what goes out."""
    require(scheme, shape, len(shape) >= 2, "two axes or more")
    at = axis_of(scheme, shape, "in_axis", in_axis), axis_of(scheme, shape, "out_axis", out_axis)
    require(scheme, shape, at[0] != at[1], "two different axes for in_axis and out_axis")
    return at
