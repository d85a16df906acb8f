"""Values and gradients on the sample inputs that torch tests its own operators with."""

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.testing import assert_same
from tests.oracles.torch_table import TABLE, Unsupported

pytestmark = pytest.mark.slow


@cache
def operators() -> dict[str, Any]:
    """torch's table, by name and variant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return {f"{op.name}/{op.variant_test_name}".rstrip("/"): op for op in op_db}


@dataclass
class Tally:
    """How many of an operator's samples were compared, and how many have arguments that graphgrad does not take."""

    compared: int = 0
    unsupported: int = 0


def samples_of(op: Any) -> list[Any]:
    """Samples in float64, or in int64 where floats are not taken."""
    import torch

    torch.manual_seed(0)
    dtype = torch.float64 if torch.float64 in op.dtypes else torch.int64
    differentiable = dtype.is_floating_point and op.supports_autograd
    return list(op.sample_inputs("cpu", dtype, requires_grad=differentiable))


def tensors_in(value: Any) -> list[Any]:
    """Every tensor of nested arguments, in order."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [tensor for part in value for tensor in tensors_in(part)] if isinstance(value, tuple | list) else []
    )


def translated(value: Any, leaves: dict[int, gg.Node]) -> Any:
    """Arguments with nodes for tensors and names for dtypes."""
    import torch

    if isinstance(value, torch.Tensor):
        return leaves[id(value)]
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, dict):
        return {name: translated(part, leaves) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return (
            type(value)(translated(part, leaves) for part in value)
            if type(value) in (tuple, list)
            else tuple(value)
        )
    return value


def compare(name: str, op: Any, sample: Any, tally: Tally) -> None:
    given = (sample.input, *sample.args)
    tensors = list({id(tensor): tensor for tensor in tensors_in((given, sample.kwargs))}.values())
    arrays = {f"x{at}": tensor.detach().resolve_conj().numpy() for at, tensor in enumerate(tensors)}
    leaves = {
        id(tensor): gg.input(label, array.shape, array.dtype)
        for tensor, (label, array) in zip(tensors, arrays.items(), strict=True)
    }
    try:
        made = TABLE[name](*translated(given, leaves), **translated(sample.kwargs, leaves))
    except (Unsupported, gg.UnsupportedError):
        tally.unsupported += 1
        return
    expected = sample.output_process_fn_grad(op.op(sample.input, *sample.args, **sample.kwargs))
    own = made if isinstance(made, tuple) else (made,)
    pairs = [
        (node, tensor) for node, tensor in zip(own, tensors_in((expected,)), strict=True) if node is not None
    ]
    by = [tensor for tensor in tensors if tensor.requires_grad]
    check(name, pairs, by, leaves, arrays)
    tally.compared += 1


def check(name: str, pairs: Any, by: Any, leaves: dict[int, gg.Node], arrays: dict[str, np.ndarray]) -> None:
    """The values, and the gradients of a weighted sum of all results, of compiled code."""
    import torch

    rng = np.random.default_rng(0)
    total, torch_total = gg.const(0.0), torch.zeros((), dtype=torch.float64)
    for node, tensor in pairs:
        if node.dtype.kind == "f" and tensor.requires_grad:
            weights = np.asarray(rng.standard_normal(node.shape))
            total, torch_total = (
                total + gg.sum(node * weights),
                torch_total + (tensor * torch.tensor(weights)).sum(),
            )
    by = by if torch_total.requires_grad else []
    wrt = {f"x{at}": leaves[id(tensor)] for at, tensor in enumerate(by)}
    outputs = [total, *(node for node, _ in pairs)]
    with np.errstate(all="ignore"):
        found = gg.compile(outputs, inputs=list(leaves.values()), wrt=wrt or None)(**arrays)
    values, grads = found if wrt else (found, {})
    for value, (_, tensor) in zip(values[1:], pairs, strict=True):
        assert_same(np.asarray(value), tensor.detach().numpy(), 1e-9, 1e-9, what=name)
    expected = torch.autograd.grad(torch_total, by, allow_unused=True) if wrt else ()
    for label, tensor, wanted in zip(wrt, by, expected, strict=True):
        gradient = np.zeros(tuple(tensor.shape)) if wanted is None else wanted.numpy(force=True)
        assert_same(grads[label], gradient, 1e-9, 1e-9, what=f"the gradient of {name} by {label}")


def survey(name: str) -> Tally:
    """Compare every sample of one operator."""
    tally, op = Tally(), operators()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples_of(op):
            compare(name, op, sample, tally)
    return tally


@pytest.mark.parametrize("name", TABLE)
def test_operator_has_torchs_values_and_gradients(name):
    assert survey(name).compared, "no sample was compared"


def test_table_covers_what_it_is_meant_to():
    assert len(TABLE) >= 150


if __name__ == "__main__":  # how much of it is compared: python -m tests.oracles.test_torch_opinfo
    print(f"{'operator':34}compared unsupported")
    total = Tally()
    for name in TABLE:
        found = survey(name)
        for part, count in vars(found).items():
            setattr(total, part, getattr(total, part) + count)
        print(f"{name:34}{found.compared:8}{found.unsupported:12}")
    print(f"{f'all {len(TABLE)}':34}{total.compared:8}{total.unsupported:12}")
