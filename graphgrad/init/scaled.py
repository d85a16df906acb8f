"""Random schemes that keep the variance from layer to layer, scaled by the fans."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from graphgrad.core.errors import InvalidValueError
from graphgrad.init.scheme import Array, DType, Scheme, Sizes, axes_of, draw_normal, draw_uniform, number

__all__ = ["calculate_gain", "kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform"]

_GAINS = {
    **dict.fromkeys(["linear", "identity", "sigmoid"], 1.0),
    **{f"conv{kind}{n}d": 1.0 for kind in ("", "_transpose") for n in (1, 2, 3)},
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}
_MODES = ("fan_in", "fan_out")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before a nonlinearity grow, torch.nn.init's.

    linear, convolutions and sigmoid 1; tanh 5/3; relu sqrt(2); selu 3/4; leaky_relu
    ``sqrt(2 / (1 + param**2))``, with `param` the slope for negative numbers, 0.01 if not given.

    Raises
    ------
    InvalidValueError, ArgumentError
        If the nonlinearity is not known, or the slope is no finite number.

    >>> gg.init.calculate_gain("relu") == gg.init.calculate_gain("leaky_relu", 0)
    True
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else number("leaky_relu", "the slope", param)
        return math.sqrt(2 / (1 + slope**2))
    if not isinstance(nonlinearity, str) or nonlinearity not in _GAINS:
        known = ", ".join(sorted([*_GAINS, "leaky_relu"]))
        raise InvalidValueError(
            f"no gain is known for the nonlinearity {nonlinearity!r:.60}", hint=f"one of {known}"
        )
    return _GAINS[nonlinearity]


@dataclass(frozen=True, repr=False)
class _Scaled(Scheme):
    def _fans(self, shape: Sizes, in_axis: int, out_axis: int) -> tuple[int, int]:
        """(fan_in, fan_out), at least 1: without elements any will do."""
        at_in, at_out = axes_of(self, shape, in_axis, out_axis)
        field = math.prod(size for axis, size in enumerate(shape) if axis not in (at_in, at_out))
        return max(shape[at_in] * field, 1), max(shape[at_out] * field, 1)


@dataclass(frozen=True, repr=False)
class _Xavier(_Scaled):
    gain: float = 1.0
    in_axis: int = -2
    out_axis: int = -1

    def __post_init__(self) -> None:
        number(self, "gain", self.gain)

    def _std(self, shape: Sizes) -> float:
        return abs(self.gain) * math.sqrt(2 / sum(self._fans(shape, self.in_axis, self.out_axis)))


@dataclass(frozen=True, repr=False)
class xavier_uniform(_Xavier):
    """Uniform within ``gain * sqrt(6 / (fan_in + fan_out))`` of 0; two axes or more.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    >>> bool(abs(gg.init.xavier_uniform()(np.random.default_rng(0), (2, 4))).max() <= 1)
    True
    """

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        bound = math.sqrt(3) * self._std(shape)
        return draw_uniform(rng, shape, dtype, -bound, bound)


@dataclass(frozen=True, repr=False)
class xavier_normal(_Xavier):
    """Normal with standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``; two axes or more.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    >>> w = gg.init.xavier_normal()(np.random.default_rng(0), (784, 50))
    >>> bool(abs(w.std() - (2 / 834) ** 0.5) < 0.001)
    True
    """

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        return draw_normal(rng, shape, dtype, self._std(shape))


@dataclass(frozen=True, repr=False)
class _Kaiming(_Scaled):
    a: float = 0.0
    mode: str = "fan_in"
    nonlinearity: str = "leaky_relu"
    in_axis: int = -2
    out_axis: int = -1

    def __post_init__(self) -> None:
        number(self, "a", self.a)
        if self.mode not in _MODES:
            raise InvalidValueError(
                f"{type(self).__name__}: mode is 'fan_in' or 'fan_out', not {self.mode!r:.60}"
            )
        calculate_gain(self.nonlinearity, self.a)

    def _std(self, shape: Sizes) -> float:
        fan = self._fans(shape, self.in_axis, self.out_axis)[_MODES.index(self.mode)]
        return calculate_gain(self.nonlinearity, self.a) / math.sqrt(fan)


@dataclass(frozen=True, repr=False)
class kaiming_uniform(_Kaiming):
    """Uniform within ``gain * sqrt(3 / fan)`` of 0; two axes or more.

    He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification",
    2015.

    Parameters
    ----------
    a:
        The slope for negative numbers of the leaky_relu after the layer; 0, the default, makes it relu.
    mode:
        "fan_in" keeps the variance on the way forward, "fan_out" on the way back.
    nonlinearity:
        A name that `calculate_gain` knows.
    in_axis, out_axis:
        See `graphgrad.init`.

    >>> bool(abs(gg.init.kaiming_uniform()(np.random.default_rng(0), (6, 3))).max() <= 1)
    True
    """

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        bound = math.sqrt(3) * self._std(shape)
        return draw_uniform(rng, shape, dtype, -bound, bound)


@dataclass(frozen=True, repr=False)
class kaiming_normal(_Kaiming):
    """Normal with standard deviation ``gain / sqrt(fan)``; two axes or more.

    The parameters are those of `kaiming_uniform`.

    He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet classification",
    2015.

    >>> w = gg.init.kaiming_normal()(np.random.default_rng(0), (784, 50))
    >>> bool(abs(w.std() - (2 / 784) ** 0.5) < 0.001)
    True
    """

    def _make(self, rng: np.random.Generator, shape: Sizes, dtype: DType) -> Array:
        return draw_normal(rng, shape, dtype, self._std(shape))
