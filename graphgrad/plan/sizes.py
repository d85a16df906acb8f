"""What the symbolic sizes of a graph must satisfy when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphgrad.core.dim import Dim, Size, add, at_least, evaluate, multiply
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, size_of

_CANDIDATES = (7, 8, 12, 16, 24, 32, 48, 60, 64, 120, 128, 240, 256, 840, 1024)


def never_negative(graph: Graph) -> tuple[Dim, ...]:
    """Sizes that have to come out as 0 or more: what a slice leaves, and how far an index reaches."""
    found: dict[Dim, None] = {}
    for node in graph.nodes:
        for size in (*(size for spec in node.specs for size in spec.shape), *_reach(node)):
            if isinstance(size, Dim) and size.name is None and not at_least(size, 0):
                found[size] = None
    return tuple(found)


def _reach(node: Node) -> Iterator[Size]:
    """For each item of an index along a symbolic axis, what is left beyond it."""
    if "index" not in node.attrs:
        return
    shape: Shape = node.attrs.get("shape", node.inputs[0].shape)
    sizes = iter(shape)
    for item in node.attrs["index"]:
        if item is None or item == "...":
            continue
        size = next(sizes)
        if isinstance(size, Dim) and isinstance(item, int | slice):  # arrays are looked at when it runs
            start = item.start if isinstance(item, slice) else item
            last = 0 if isinstance(item, slice) else 1
            if start is not None:
                yield _left(size, start, last)
            if isinstance(item, slice) and item.step < 0 and isinstance(item.stop, int) and item.stop < 0:
                yield add(size, item.stop + 1)


def _left(size: Size, start: Any, last: int) -> Size:
    if isinstance(start, int) and start < 0:
        return add(size, start)
    return add(size, multiply(add(start, last), -1))


def sample_size(graph: Graph) -> int:
    """A number that every symbolic size may be at once, if one of the usual ones will do."""
    demands = never_negative(graph)
    reshaped = [
        (node.inputs[0].size, size_of(node.shape)) for node in graph.nodes if node.op.name == "reshape"
    ]
    pairs = [(have, want) for have, want in dict.fromkeys(reshaped) if have != want]
    names = dict.fromkeys(graph.symbols)
    for candidate in _CANDIDATES:
        sizes = dict.fromkeys(names, candidate)
        if all(evaluate(size, sizes) >= 0 for size in demands) and all(
            evaluate(have, sizes) == evaluate(want, sizes) for have, want in pairs
        ):
            return candidate
    return _CANDIDATES[0]
