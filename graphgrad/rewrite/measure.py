"""What a graph costs. Every firing lowers it, so rewriting ends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from graphgrad.core.dim import Dim, usual
from graphgrad.core.node import Node
from graphgrad.core.op import Op
from graphgrad.core.spec import Spec, size_of

Weight: TypeAlias = tuple[int, int, int, int]
"""Floating-point operations; then the bytes of arrays that are made, views not counted; then calls; then operands,
constants among them: ``-x`` is simpler than ``x * -1``."""


def weight(node: Node) -> Weight:
    """What one node costs; nothing for what is only written down, an argument or a number.

    A node is one call, of a stack of matrices one for each: that is how NumPy's matmul goes about it.
    """
    if not node.inputs:
        return 0, 0, 0, 0
    given = tuple(spec for part in node.inputs for spec in part.specs)
    return (*_numbers(node.op, given, node.specs), len(node.inputs))


@lru_cache(maxsize=4096)
def _numbers(op: Op, given: tuple[Spec, ...], results: tuple[Spec, ...]) -> tuple[int, int, int]:
    made = 0 if op.view else sum(usual(spec.nbytes) for spec in results)
    calls = usual(size_of(results[0].shape[:-2])) if op.name == "matmul" and _are_stacks(given) else 1
    return usual(op.cost(given, results[0])), made, max(calls, 1)


def _are_stacks(given: tuple[Spec, ...]) -> bool:
    return all(spec.ndim > 1 for spec in given) and any(spec.ndim > 2 for spec in given)


def total(nodes: Iterable[Node]) -> Weight:
    """What several nodes cost together.

    >>> x = gg.input("x", (3,))
    >>> total([gg.tanh(x), x * 2])
    (63, 24, 2, 3)
    """
    flops = made = calls = operands = 0
    for node in nodes:
        one = weight(node)
        flops, made, calls, operands = flops + one[0], made + one[1], calls + one[2], operands + one[3]
    return flops, made, calls, operands


def is_comparable(node: Node) -> bool:
    """Whether the sizes of a node and its inputs are sums and products of named ones, so that what costs less for
    usual sizes costs less for others.

    >>> x = gg.input("x", ("n", 3))
    >>> is_comparable(gg.exp(x)), is_comparable(gg.exp(x[:2]))
    (True, False)
    """
    specs = (*node.specs, *(spec for part in node.inputs for spec in part.specs))
    sizes = (size for spec in specs for size in spec.shape if isinstance(size, Dim))
    return all(atom.kind == "name" for size in sizes for term, _ in size.terms for atom, _ in term)
