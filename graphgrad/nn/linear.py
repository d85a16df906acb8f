"""Linear layers."""

from __future__ import annotations

import math
from typing import Any

from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.init import kaiming_uniform, uniform
from graphgrad.nn.module import Module, parameter
from graphgrad.ops.leaf import Operand, as_node

__all__ = ["Linear"]


class Linear(Module):
    """``x @ weight.T + bias``: from `in_features` in the last axis of x to `out_features`.

    As torch.nn.Linear: the weight is (out, in), and both begin uniform within ``1 / sqrt(in)`` of 0, the weight as
    ``kaiming_uniform(a=sqrt(5))``.

    Parameters
    ----------
    in_features, out_features:
        Sizes.
    bias:
        False leaves it out; the attribute is None then.
    dtype:
        Of both parameters.

    Raises
    ------
    ArgumentError, ShapeError, DTypeError
        If a size is no int or is negative, or a dtype cannot be.

    >>> layer = gg.nn.Linear(784, 50)
    >>> layer(gg.input("x", ("batch", 784))).shape, layer.weight.shape, layer.bias.shape
    ((Dim('batch'), 50), (50, 784), (50,))
    """

    weight: Node
    bias: Node | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = "float32"
    ) -> None:
        self.in_features = _fixed(in_features, "in_features")
        self.out_features = _fixed(out_features, "out_features")
        bound = 1 / math.sqrt(max(self.in_features, 1))
        weights = kaiming_uniform(a=math.sqrt(5), in_axis=-1, out_axis=-2)
        self.weight = parameter((self.out_features, self.in_features), dtype, weights)
        self.bias = parameter((self.out_features,), dtype, uniform(-bound, bound)) if bias else None

    def extra_repr(self) -> str:
        # not self.bias, which would give the parameters the names that they have here
        has_bias = vars(self)["bias"] is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={has_bias}"

    def __call__(self, x: Operand) -> Node:
        node = as_node(x)
        if node.ndim == 0 or node.shape[-1] != self.in_features:
            raise ShapeError(
                f"Linear({self.in_features}, {self.out_features}) takes {self.in_features} in the last axis",
                saw=[node.describe(), self.weight.describe()],
            )
        product = node @ self.weight.T
        return product if self.bias is None else product + self.bias


def _fixed(size: Any, what: str) -> int:
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise ArgumentError(f"Linear: {what} is an int, not {type(size).__name__} {size!r:.60}")
    if (number := int(size)) < 0:
        raise ShapeError(f"Linear: {what} cannot be negative, and is {number}")
    return number
