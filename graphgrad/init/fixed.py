"""Schemes that are the same whatever the generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.init.scheme import Array, DType, Scheme, Sizes, axes_of, require

__all__ = ["constant", "dirac", "eye", "ones", "zeros"]


@dataclass(frozen=True, repr=False)
class zeros(Scheme):
    """0 everywhere, in any shape and dtype; what a parameter without a scheme gets.

    >>> gg.init.zeros()(np.random.default_rng(0), (2,), "float32")
    array([0., 0.], dtype=float32)
    """

    floating = False

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        return np.zeros(shape, dtype)


@dataclass(frozen=True, repr=False)
class ones(Scheme):
    """1 everywhere, in any shape and dtype.

    >>> gg.init.ones()(np.random.default_rng(0), (2,), "int64")
    array([1, 1])
    """

    floating = False

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        return np.ones(shape, dtype)


@dataclass(frozen=True, repr=False)
class constant(Scheme):
    """One number everywhere, in any shape and in any dtype that holds it.

    >>> gg.init.constant(0.5)(np.random.default_rng(0), (2, 1), "float64").tolist()
    [[0.5], [0.5]]
    """

    value: float
    floating = False

    def __post_init__(self) -> None:
        if not isinstance(self.value, int | float | np.integer | np.floating | np.bool_):
            raise ArgumentError(f"constant: value is a number, not {type(self.value).__name__}")

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        try:
            with np.errstate(over="raise", invalid="raise"):
                value = np.asarray(self.value).astype(dtype)
        except (FloatingPointError, OverflowError, TypeError, ValueError):
            value = None
        if value is None or (dtype.kind != "f" and value.item() != self.value):
            raise InvalidValueError(f"{self} does not fit {dtype}")
        return np.full(shape, value, dtype)


@dataclass(frozen=True, repr=False)
class eye(Scheme):
    """The identity matrix, in two dimensions; where they differ, the rest of the longer one is 0.

    >>> gg.init.eye()(np.random.default_rng(0), (2, 3), "float32").tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    floating = False

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        require(self, shape, len(shape) == 2, "two axes")
        return np.eye(*shape, dtype=dtype)


@dataclass(frozen=True, repr=False)
class dirac(Scheme):
    """The kernel of a convolution that hands its channels on: 1 in the middle where out and in agree, else 0.

    Parameters
    ----------
    groups:
        How many groups of output channels there are; each hands on the same input channels.
    in_axis, out_axis:
        The axes of the channels; the rest, one to three of them, is the kernel.

    >>> gg.init.dirac()(np.random.default_rng(0), (3, 1, 1), "float32").ravel().tolist()
    [0.0, 1.0, 0.0]
    """

    groups: int = 1
    in_axis: int = -2
    out_axis: int = -1
    floating = False

    def __post_init__(self) -> None:
        if isinstance(self.groups, bool) or not isinstance(self.groups, int) or self.groups < 1:
            raise InvalidValueError(f"dirac: groups is a positive int, not {self.groups!r:.60}")

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        require(self, shape, 3 <= len(shape) <= 5, "three to five axes")
        at_in, at_out = axes_of(self, shape, self.in_axis, self.out_axis)
        require(
            self, shape, shape[at_out] % self.groups == 0, f"a number of outputs that {self.groups} divides"
        )
        result = np.zeros(shape, dtype)
        if result.size:
            kernels = np.moveaxis(result, (at_out, at_in), (0, 1))
            per_group = shape[at_out] // self.groups
            channel = np.arange(min(per_group, shape[at_in]))
            for group in np.split(kernels, self.groups):
                at: tuple[Any, ...] = (channel, channel, *(size // 2 for size in group.shape[2:]))
                group[at] = 1
        return result
