"""What forward hands to backward, checked before backward runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError
from graphgrad.core.node import Node
from graphgrad.plan.schedule import Schedule


def unpack(schedule: Schedule, residuals: Any) -> tuple[dict[Node, Any], dict[str, int]]:
    """The arrays and the named sizes in residuals.

    Raises
    ------
    ArgumentError
        If they are not what forward returns.
    """
    count = len(schedule.residuals)
    fits = isinstance(residuals, tuple) and len(residuals) == count + len(schedule.residual_sizes)
    if not fits or not all(map(_is_like, schedule.residuals, residuals)):
        raise ArgumentError(
            f"{schedule.interface.name}.backward takes the residuals that forward returned",
            hint="outputs, residuals = model.forward(...); model.backward(residuals)",
        )
    kept = dict(zip(schedule.residuals, residuals, strict=False))
    return kept, dict(zip(schedule.residual_sizes, residuals[count:], strict=True))


def _is_like(node: Node, value: Any) -> bool:
    return getattr(value, "dtype", None) == node.dtype and np.ndim(value) == node.ndim
