"""Cotangents as a caller gives them, checked against the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphgrad.core.dim import Size, evaluate, symbols
from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.core.spec import shape_text
from graphgrad.ops.leaf import is_masked


def default(interface: Interface) -> tuple[tuple[Any, ...], Any] | None:
    """One cotangent for each output where the caller gives none, and all in their structure; None if one is needed."""
    if interface.wrt is None or interface.needs_cotangent:
        return None
    parts = (1.0, *(None,) * (interface.structure.size - 1))
    return parts, interface.structure.build(parts)


def complete(interface: Interface, cotangent: Any, sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """One cotangent for each output, None for zero.

    Raises
    ------
    ArgumentError, DTypeError, ShapeError
        If one is needed, or does not fit its output.
    """
    structure = interface.structure
    if cotangent is None:
        raise ArgumentError(
            f"{interface.name}: the first output is no scalar, so a cotangent is needed",
            saw=[interface.seeds[0].cotangent.describe()],
            hint="cotangent=np.ones_like(output) differentiates the output's sum",
        )
    parts = structure.flatten(cotangent, f"{interface.name}: the cotangent")
    seeds = {seed.output: seed.cotangent for seed in interface.seeds}
    return tuple(_checked(interface, seeds.get(at), part, sizes) for at, part in enumerate(parts))


def _checked(interface: Interface, leaf: Node | None, value: Any, sizes: Mapping[str, int]) -> Any:
    if value is None:
        return None
    if leaf is None:
        raise DTypeError(f"{interface.name}: only floats have gradients, so here the cotangent is None")
    spec = leaf.spec
    if is_masked(value) or isinstance(value, bool | list | tuple | Node):
        what = f"{interface.name}: a cotangent is an array or a number, not {type(value).__name__}"
        raise ArgumentError(what, saw=[leaf.describe()])
    array = np.asarray(value, spec.dtype) if isinstance(value, int | float) else np.asarray(value)
    if array.dtype != spec.dtype:
        raise DTypeError(
            f"{interface.name}: a cotangent has its output's dtype {spec.dtype}, got {array.dtype}",
            saw=[leaf.describe()],
        )
    if array.ndim != len(spec.shape) or not all(map(_fits, spec.shape, array.shape, [sizes] * array.ndim)):
        raise ShapeError(
            f"{interface.name}: a cotangent has its output's shape {shape_text(spec.shape)}, got {array.shape}",
            saw=[leaf.describe()],
        )
    return array


def _fits(size: Size, number: int, sizes: Mapping[str, int]) -> bool:
    """Whether a size may be this number, as far as the named sizes are known."""
    if any(name not in sizes for name in symbols(size)):
        return True
    return evaluate(size, sizes) == number
