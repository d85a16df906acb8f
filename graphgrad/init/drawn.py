"""Random schemes that do not depend on the fans."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from graphgrad.core.errors import InvalidValueError
from graphgrad.init.scheme import (
    Array,
    DType,
    Scheme,
    Sizes,
    at_least_zero,
    axes_of,
    axis_of,
    draw_normal,
    draw_uniform,
    number,
    ordered,
    require,
    rounded_within,
)

__all__ = ["normal", "orthogonal", "sparse", "trunc_normal", "uniform"]

_LIKELY = 0.3
"""The share of a normal within its bounds above which drawing until it fits is quick."""


@dataclass(frozen=True, repr=False)
class uniform(Scheme):
    """Uniform between `low` and `high`, in any shape.

    >>> bool(abs(gg.init.uniform(-2, 2)(np.random.default_rng(0), (50,))).max() <= 2)
    True
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        ordered(self, self.low, self.high)

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        return draw_uniform(rng, shape, dtype, self.low, self.high)


@dataclass(frozen=True, repr=False)
class normal(Scheme):
    """Normal with the given mean and standard deviation, in any shape.

    >>> gg.init.normal(std=0.02)(np.random.default_rng(0), (2, 3)).shape
    (2, 3)
    """

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        number(self, "mean", self.mean)
        at_least_zero(self, "std", self.std)

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        return draw_normal(rng, shape, dtype, self.std, self.mean)


@dataclass(frozen=True, repr=False)
class trunc_normal(Scheme):
    """Normal, with what falls outside `low` to `high` drawn again, in any shape.

    The bounds are values, not multiples of `std`; the result spreads less than `std`. It is exact and quick
    wherever the bounds lie (Robert, "Simulation of truncated normal variables", 1995).

    >>> scheme = gg.init.trunc_normal(std=0.02, low=-0.04, high=0.04)
    >>> bool(abs(scheme(np.random.default_rng(0), (50,))).max() <= np.float32(0.04))
    True
    """

    mean: float = 0.0
    std: float = 1.0
    low: float = -2.0
    high: float = 2.0

    def __post_init__(self) -> None:
        number(self, "mean", self.mean)
        if at_least_zero(self, "std", self.std) == 0:
            raise InvalidValueError("trunc_normal: std is above 0, and is 0")
        ordered(self, self.low, self.high)

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        low, high = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        result = np.empty(shape)
        flat = result.reshape(-1)
        missing = np.arange(flat.size)
        while missing.size:
            proposed, taken = _propose(rng, missing.size, low, high)
            flat[missing[taken]] = proposed[taken]
            missing = missing[~taken]
        return rounded_within(result * self.std + self.mean, dtype, self.low, self.high)


def _propose(rng: np.random.Generator, count: int, low: float, high: float) -> tuple[Array, Array]:
    """Candidates for a standard normal between two bounds, and which of them to take."""
    if math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)) > 2 * _LIKELY:
        proposed = rng.standard_normal(count)
        return proposed, (proposed >= low) & (proposed <= high)
    if low <= 0 <= high:  # a narrow piece of the middle: from a uniform
        proposed = rng.uniform(low, high, count)
        return proposed, rng.random(count) < np.exp(-(proposed**2) / 2)
    near, width = (
        min(abs(low), abs(high)),
        high - low,
    )  # a piece of a tail: from an exponential that starts at its near end
    beyond = -np.log1p(rng.random(count) * math.expm1(-near * width)) / near
    return np.copysign(near + beyond, low + high), rng.random(count) < np.exp(-(beyond**2) / 2)


@dataclass(frozen=True, repr=False)
class sparse(Scheme):
    """Normal, with a share of each input's weights 0; two axes.

    Martens, "Deep learning via Hessian-free optimization", 2010.

    Parameters
    ----------
    sparsity:
        The share of zeros, from 0 to 1; their number is rounded up.
    std:
        Of the rest.

    >>> int((gg.init.sparse(0.5)(np.random.default_rng(0), (3, 4)) == 0).sum())
    6
    """

    sparsity: float
    std: float = 0.01
    in_axis: int = -2
    out_axis: int = -1

    def __post_init__(self) -> None:
        if not 0 <= number(self, "sparsity", self.sparsity) <= 1:
            raise InvalidValueError(f"sparse: sparsity is from 0 to 1, not {self.sparsity}")
        at_least_zero(self, "std", self.std)

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        require(self, shape, len(shape) == 2, "two axes")
        at_in, at_out = axes_of(self, shape, self.in_axis, self.out_axis)
        result = draw_normal(rng, shape, dtype, self.std)
        ranks = np.tile(np.arange(shape[at_out]), (shape[at_in], 1))
        zero = rng.permuted(ranks, axis=1) < math.ceil(self.sparsity * shape[at_out])
        np.moveaxis(result, at_out, 1)[zero] = 0
        return result


@dataclass(frozen=True, repr=False)
class orthogonal(Scheme):
    """`gain` times a matrix with orthonormal rows or columns, whichever are fewer; two axes or more.

    All axes but `out_axis` count as one. Every such matrix is equally likely.
    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013.

    >>> w = gg.init.orthogonal()(np.random.default_rng(0), (5, 3), "float64")
    >>> np.allclose(w.T @ w, np.eye(3))
    True
    """

    gain: float = 1.0
    out_axis: int = -1

    def __post_init__(self) -> None:
        number(self, "gain", self.gain)

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        require(self, shape, len(shape) >= 2, "two axes or more")
        at_out = axis_of(self, shape, "out_axis", self.out_axis)
        others = shape[:at_out] + shape[at_out + 1 :]
        outputs, inputs = shape[at_out], math.prod(others)
        q, r = np.linalg.qr(rng.standard_normal((max(outputs, inputs), min(outputs, inputs))))
        q *= np.where(
            np.diagonal(r) < 0, -self.gain, self.gain
        )  # without the signs, not every matrix is equally likely
        rows = q if outputs >= inputs else q.T
        return np.moveaxis(rows.reshape(outputs, *others), 0, at_out).astype(dtype)
