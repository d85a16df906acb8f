"""Constant folding: what depends on no argument is computed once, here.

Only by ops whose result is exactly rounded, or no arithmetic at all: they give the same bits on every machine, and so
does the module that is emitted. A logarithm does not.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from graphgrad.core.node import Node
from graphgrad.ops.leaf import const
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule

_SAME_EVERYWHERE = (
    "add", "subtract", "multiply", "divide", "negative", "abs", "sign", "square", "sqrt", "cast", "where",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "max", "min",
    "reshape", "transpose", "broadcast_to", "expand_dims", "squeeze", "index", "place", "update", "concatenate",
)  # fmt: skip


def _folded(node: Node, present: Collection[Node]) -> Outcome:
    if any(part.op.name != "const" for part in node.inputs):
        return None
    arrays = [part.attrs["value"] for part in node.inputs]
    size, given = node.size, 0
    for array in arrays:
        given += array.size
    if not isinstance(size, int) or size > given:
        return Declined("the result is larger than the constants it is made of")
    with np.errstate(all="raise", under="ignore"):
        try:
            value = node.op.reference(*arrays, **node.attrs)
        except (FloatingPointError, OverflowError) as error:
            return Declined(f"NumPy would warn: {error}")
    return Found(const(np.asarray(value, node.dtype)))


RULES = (
    Rule(
        name="fold",
        safety="exact",
        roots=_SAME_EVERYWHERE,
        needs=("const",),
        attempt=_folded,
        before="an op on constants",
        after="a constant",
        build=lambda x, c, d: x * (c / d),
        variables=("x", "c", "d"),
        examples=({"x": (3,), "c": 1.0, "d": 3.0}, {"x": ("n", 2), "c": -2.5, "d": 0.7}),
        declined=({"x": (3,), "c": 1.0, "d": 0.0}, {"x": (2, 3), "c": [[1.0], [2.0]], "d": [1.0, 2.0, 3.0]}),
    ),
)
