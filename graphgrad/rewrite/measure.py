"""What a graph costs. Every firing lowers it, so rewriting ends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from graphgrad.core.dim import usual
from graphgrad.core.node import Node
from graphgrad.core.op import Op
from graphgrad.core.spec import Spec

Weight: TypeAlias = tuple[int, int, int]
"""Floating-point operations; then nodes; then operands, constants among them: ``-x`` is simpler than ``x * -1``."""


def weight(node: Node) -> Weight:
    """What one node costs; nothing for what is only written down, an argument or a number."""
    if not node.inputs:
        return 0, 0, 0
    given = tuple(spec for part in node.inputs for spec in part.specs)
    return _flops(node.op, given, node.specs[0]), 1, len(node.inputs)


@lru_cache(maxsize=4096)
def _flops(op: Op, given: tuple[Spec, ...], result: Spec) -> int:
    return usual(op.cost(given, result))


def total(nodes: Iterable[Node]) -> Weight:
    """What several nodes cost together.

    >>> x = gg.input("x", (3,))
    >>> total([gg.tanh(x), x * 2])
    (63, 2, 3)
    """
    flops = count = operands = 0
    for node in nodes:
        one = weight(node)
        flops, count, operands = flops + one[0], count + one[1], operands + one[2]
    return flops, count, operands
