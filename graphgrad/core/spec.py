"""Shapes and dtypes: what is known of an array before it exists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Dim, Size, as_size, multiply
from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError

Shape: TypeAlias = tuple[Size, ...]


def as_shape(value: object, what: str = "a shape") -> Shape:
    """A tuple of sizes from a size or an iterable of sizes."""
    if isinstance(value, str | int | np.integer | Dim):
        return (as_size(value),)
    if not isinstance(value, Iterable):
        raise ArgumentError(f"{what} is a size or a tuple of sizes, not {type(value).__name__}")
    return tuple(as_size(item) for item in value)


def shape_text(shape: Shape) -> str:
    """A shape as a person writes it: ``(batch, 784)``."""
    inner = ", ".join(map(str, shape))
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def size_of(shape: Shape) -> Size:
    """The number of elements."""
    total: Size = 1
    for size in shape:
        total = multiply(total, size)
    return total


def broadcast(shapes: Iterable[Shape]) -> Shape:
    """NumPy's broadcasting; a symbolic size goes only with itself and with 1.

    Raises
    ------
    ShapeError
        If two sizes differ and neither is 1.
    """
    shapes = list(shapes)
    if shapes and shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    result: list[Size] = []
    for shape in shapes:
        padded: Shape = (1,) * (len(result) - len(shape)) + shape
        result = [*(1,) * (len(padded) - len(result)), *result]
        for axis, size in enumerate(padded):
            if result[axis] == 1:
                result[axis] = size
            elif size not in (1, result[axis]):
                raise ShapeError(f"sizes {result[axis]} and {size} do not broadcast")
    return tuple(result)


_KINDS = "biuf"


def as_dtype(value: object) -> np.dtype[Any]:
    """A bool, integer or float dtype in native byte order.

    Raises
    ------
    DTypeError
        For anything else: objects, strings, dates, complex numbers.
    """
    try:
        dtype: np.dtype[Any] = np.dtype(value)  # type: ignore[call-overload]
    except TypeError as error:
        raise DTypeError(f"{value!r} is no dtype", hint='"float32", "float64", "int64" or "bool"') from error
    known: np.dtype[Any] = np.dtype(dtype.type)  # of a pickled one, too, the one and only
    # isbuiltin: not of another package, such as float8_e5m2, a float by its own word; != for the other byte order
    if (
        value is None
        or dtype.kind not in _KINDS
        or dtype.itemsize > 8
        or known.isbuiltin != 1
        or known != dtype
    ):
        raise DTypeError(
            f"dtype {dtype} is not supported",
            hint="bool, an integer, or a float of up to 64 bits, in native byte order",
        )
    return known


@dataclass(frozen=True, slots=True)
class Spec:
    """The shape and the dtype of one array."""

    shape: Shape
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Size:
        """Number of elements."""
        return size_of(self.shape)

    @property
    def nbytes(self) -> Size:
        """Bytes that an array of this spec takes."""
        return multiply(self.size, self.dtype.itemsize)

    def __str__(self) -> str:
        return f"{self.dtype} {shape_text(self.shape)}"
