"""What is measured: one model, its arrays, and the way each contender would write it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Workload:
    """A scalar loss of some arrays, and the gradients by some of them.

    Every contender is given the same arrays, in the same order, and returns the loss and its gradients. Each loss is
    written as that library's users write it: with its own fused functions, and for those that compile, to be compiled.
    """

    name: str
    title: str
    sizes: Mapping[str, int]
    """What the title and `make_arrays` are filled with."""
    quick: Mapping[str, int]
    """Sizes that differ with ``--quick``, for a look at whether everything runs."""
    wrt: tuple[str, ...]
    make_arrays: Callable[..., Arrays]
    """From a generator and the sizes, arrays by name in the order in which the losses take them."""
    by_hand: Callable[..., tuple[Any, Arrays]]
    """The loss and the gradients by name in plain NumPy; in float64 it is what the others have to agree with."""
    graphgrad: Callable[[], Any]
    """The loss as a node; its leaves are called like the arrays."""
    torch: Callable[..., Any]
    jax: Callable[..., Any]
    autograd: Callable[..., Any]
    pytensor: Callable[..., Any]
    batched: tuple[str, ...] = ()
    """The arrays whose first size is the batch, which what compiles for any batch leaves open."""
    tolerance: float = 1e-4
    """How far a float32 gradient may be from the float64 one, as a part of its norm."""

    def sized(self, sizes: Mapping[str, int]) -> "Workload":
        """The same with some other sizes."""
        return replace(self, sizes={**self.sizes, **sizes})

    @property
    def headline(self) -> str:
        return self.title.format(**self.sizes)

    def arrays(self) -> Arrays:
        """The arguments, the same in every process."""
        return self.make_arrays(np.random.default_rng(0), **self.sizes)

    def expected(self, arrays: Arrays) -> tuple[Any, Arrays]:
        """The loss and the gradients in float64."""
        return self.by_hand(**{name: wide(array) for name, array in arrays.items()})


def wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Standard normal float32, scaled."""
    return np.asarray(rng.standard_normal(shape, np.float32) * np.float32(scale))


def dense(rng: np.random.Generator, *widths: int) -> Arrays:
    """Weights and biases of layers: ``w1``, ``b1``, ``w2``, ... with Kaiming's scale."""
    arrays = {}
    for at, (fan_in, fan_out) in enumerate(pairwise(widths), 1):
        arrays[f"w{at}"] = normal(rng, fan_in, fan_out, scale=(2 / fan_in) ** 0.5)
        arrays[f"b{at}"] = normal(rng, fan_out, scale=0.1)
    return arrays
