"""Activations as layers."""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.nn.functional import relu
from graphgrad.nn.module import Module
from graphgrad.ops.leaf import Operand

__all__ = ["ReLU"]


class ReLU(Module):
    """max(x, 0), element by element: `relu` as a layer.

    >>> gg.nn.ReLU()(gg.input("x", ("batch", 50))).shape
    (Dim('batch'), 50)
    """

    def __call__(self, x: Operand) -> Node:
        return relu(x)
