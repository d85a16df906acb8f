"""What a model of the tests is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphgrad import Graph, Node

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A scalar loss, what it is differentiated by, arrays to try it on, and the same in torch."""

    name: str
    title: str
    build: Callable[[], tuple[Node, list[Node]]]
    """The loss, and the parameters to differentiate it by. Each call makes new leaves."""
    data: Callable[..., Arrays]
    """From a generator and the sizes, an array for each input, by name."""
    torch: Callable[..., Any]
    """The loss from tensors that are called like the leaves."""
    sizes: Mapping[str, int]
    """The symbolic sizes, with a number to try for each."""

    def arguments(self, rng: np.random.Generator, **sizes: int) -> Arrays:
        """An array for each leaf: data of these sizes, `sizes` for those not given, and normal parameters."""
        loss, _ = self.build()
        given = self.data(rng, **{**self.sizes, **sizes})
        parameters = [leaf for leaf in Graph((), (loss,)).leaves if leaf.name not in given]
        return given | {leaf.name: normal(rng, *leaf.shape, scale=_scale(leaf.shape), dtype=leaf.dtype)
                        for leaf in sorted(parameters, key=lambda leaf: leaf.serial)}  # fmt: skip

    def expected(self, arrays: Arrays, by: Sequence[str]) -> tuple[np.ndarray, Arrays]:
        """The loss and its gradients by those arguments, computed by torch in float64."""
        import torch

        tensors = {name: torch.tensor(_wide(array)) for name, array in arrays.items()}
        for name in by:
            tensors[name].requires_grad_()
        loss = self.torch(**tensors)
        gradients = torch.autograd.grad(loss, [tensors[name] for name in by])
        return loss.detach().numpy(), {
            name: gradient.numpy() for name, gradient in zip(by, gradients, strict=True)
        }


def normal(rng: np.random.Generator, *shape: Any, scale: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """Standard normals, scaled."""
    return np.asarray(rng.standard_normal(shape) * scale, dtype)


def _scale(shape: Sequence[Any]) -> float:
    """Of a parameter: so small that what it is multiplied with keeps its size."""
    return max(shape, default=1) ** -0.5


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype.kind == "f" else array
