"""Which values are above 0 whatever the arguments are: a variance and a small number, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad.core.node import Node
from graphgrad.ops.leaf import scalar_value

_NOT_BELOW = frozenset({"square", "abs", "sigmoid"})
"""Ops whose results are 0 or more, whatever they are given. (exp and its like are above 0, but may round to it.)"""
_KEEP = frozenset(
    {
        "sum", "mean", "max", "min", "reshape", "transpose", "expand_dims", "squeeze", "broadcast_to", "index",
        "gather", "flip", "roll", "stop_gradient", "sqrt",
    }
)  # fmt: skip
"""Ops of one array whose results are above 0, or not below, as its elements are."""


def above_zero(order: Sequence[Node]) -> dict[Node, None]:
    """Those of `order`, each after its inputs, of which every element is above 0 (or nan)."""
    above: dict[Node, None] = {}
    not_below: dict[Node, None] = {}
    for node in order:
        value = scalar_value(node)
        name, inputs = node.op.name, node.inputs
        if value is not None or name == "run_time_size":
            if value is not None and value > 0:
                above[node] = None
            if value is None or value >= 0:
                not_below[node] = None
            continue
        below_none = bool(inputs) and all(part in not_below for part in inputs)
        any_above = any(part in above for part in inputs)
        if name in _NOT_BELOW or (name == "multiply" and inputs[0] is inputs[1]):
            not_below[node] = None
        elif name in _KEEP and inputs[0] in not_below:
            not_below[node] = None
            if inputs[0] in above and (name not in ("sum", "mean") or _has_elements(node)):
                above[node] = None
        elif (name in ("add", "logaddexp") and below_none) or (name == "maximum" and any_above):
            not_below[node] = None
            if any_above:
                above[node] = None
        elif name in ("multiply", "divide", "minimum") and below_none:
            not_below[node] = None
    return above


def _has_elements(node: Node) -> bool:
    """Whether a reduction is of one element at least: a sum of none is 0."""
    return all(
        isinstance(node.inputs[0].shape[axis], int) and node.inputs[0].shape[axis]
        for axis in node.attrs["axes"]
    )
