"""Casts."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import cast
from graphgrad.rewrite.rule import Declined, rule

_WIDTH = {"float16": 11, "float32": 24, "float64": 53}
"""How many binary digits of an integer a float holds."""


def holds(dtype: np.dtype[Any], other: np.dtype[Any]) -> bool:
    """Whether every value of `other` is one of `dtype`.

    >>> holds(np.dtype("float64"), np.dtype("int32")), holds(np.dtype("float64"), np.dtype("int64"))
    (True, False)
    """
    if dtype.kind == "f" and other.kind in "iu":
        digits = np.iinfo(other).bits - (other.kind == "i")
        return digits <= _WIDTH.get(dtype.name, 53)
    return bool(np.can_cast(other, dtype, "safe"))


def _loses(x: Node, a: Any, b: Any) -> Declined | None:
    if not holds(a, x.dtype):
        return Declined(f"{a} does not hold every {x.dtype}")
    if a.kind == "f" and b.kind in "iu" and not holds(b, x.dtype):
        return Declined(f"a float out of the range of {b} becomes something else than an integer does")
    return None


RULES = (
    rule(
        "cast_cast",
        lambda x, a, b: cast(cast(x, a), b),
        lambda x, b: cast(x, b),
        safety="exact",
        when=_loses,
        dtypes=("float32", "int32"),
        examples=[
            {"x": (3,), "a": "float64", "b": "float32"},
            {"x": ("n", 2), "a": "float64", "b": "float16"},
        ],
        declined=[{"x": (3,), "a": "float16", "b": "float32"}, {"x": (3,), "a": "float64", "b": "int8"}],
    ),
)
