"""Who is measured: how each library is made ready for a workload, as well as its users would do it.

Whatever can be done beforehand is: data are converted, functions compiled. What is timed is one call.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import graphgrad as gg
from benchmarks.workload import Arrays, Workload

Call = Callable[[], tuple[Any, Any]]
"""The loss and the gradients, these by name or in the order of `wrt`, as whatever arrays the library has."""

os.environ.setdefault("JAX_PLATFORMS", "cpu")


@dataclass(frozen=True)
class Contender:
    """A library, or a way to use one."""

    key: str
    """What it is called on the command line."""
    title: str
    package: str
    """What has to be installed."""
    prepare: Callable[[Workload, Arrays], Call]
    is_peer: bool = True
    """Whether it is one of those that graphgrad is compared with."""
    traced: bool = False
    """Whether tracemalloc sees what it allocates."""

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


def by_hand(workload: Workload, arrays: Arrays) -> Call:
    return lambda: workload.by_hand(**arrays)


def graphgrad(workload: Workload, arrays: Arrays, level: str) -> Call:
    loss = workload.graphgrad()
    leaves = {leaf.name: leaf for leaf in gg.Graph((), (loss,)).leaves}
    model = gg.compile(loss, wrt=[leaves[name] for name in workload.wrt], level=level)
    return lambda: model(**arrays)


def torch(workload: Workload, arrays: Arrays) -> Call:
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    wrt = [tensors[name].requires_grad_() for name in workload.wrt]

    def call():
        loss = workload.torch(**tensors)
        return loss.detach(), torch.autograd.grad(loss, wrt)

    return call


def jax(workload: Workload, arrays: Arrays) -> Call:
    import jax

    given = [jax.device_put(array) for array in arrays.values()]
    compiled = jax.jit(jax.value_and_grad(workload.jax, positions(workload, arrays)))

    def call():
        results = compiled(*given)
        results[
            0
        ].block_until_ready()  # what one computation gives is there at once; to ask each array costs more
        return results

    return call


def autograd(workload: Workload, arrays: Arrays) -> Call:
    from autograd import value_and_grad

    function = value_and_grad(workload.autograd, positions(workload, arrays))
    given = list(arrays.values())
    return lambda: function(*given)


def pytensor(workload: Workload, arrays: Arrays) -> Call:
    import pytensor
    import pytensor.tensor as pt

    pytensor.config.floatX = "float32"  # what Python's floats are next to arrays
    leaves = {}
    for name, array in arrays.items():
        shape = (None, *array.shape[1:]) if name in workload.batched else array.shape
        leaves[name] = pt.tensor(name, shape=shape, dtype=str(array.dtype))
    loss = workload.pytensor(**leaves)
    results = [loss, *pytensor.grad(loss, [leaves[name] for name in workload.wrt])]
    function = pytensor.function(list(leaves.values()), results, mode="NUMBA")
    function.trust_input = True
    given = list(arrays.values())

    def call():
        value, *gradients = function(*given)
        return value, gradients

    return call


def positions(workload: Workload, arrays: Arrays) -> tuple[int, ...]:
    names = list(arrays)
    return tuple(names.index(name) for name in workload.wrt)


def as_numpy(workload: Workload, results: tuple[Any, Any]) -> tuple[np.ndarray, Arrays]:
    """What a call gave, in NumPy's arrays, gradients by name."""
    loss, gradients = results
    if not isinstance(gradients, dict):
        gradients = dict(zip(workload.wrt, gradients, strict=True))
    return np.asarray(loss), {name: np.asarray(gradients[name]) for name in workload.wrt}


CONTENDERS = {
    contender.key: contender
    for contender in (
        Contender("numpy", "NumPy by hand", "numpy", by_hand, is_peer=False, traced=True),
        Contender(
            "plain",
            "graphgrad, plain",
            "graphgrad",
            partial(graphgrad, level="plain"),
            is_peer=False,
            traced=True,
        ),
        Contender(
            "default",
            "graphgrad, default",
            "graphgrad",
            partial(graphgrad, level="default"),
            is_peer=False,
            traced=True,
        ),
        Contender("torch", "torch, eager", "torch", torch),
        Contender("jax", "JAX, jit", "jax", jax),
        Contender("autograd", "autograd", "autograd", autograd, traced=True),
        Contender("pytensor", "PyTensor, Numba", "pytensor", pytensor),
    )
}
