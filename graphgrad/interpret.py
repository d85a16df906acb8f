"""The oracle: runs a graph node by node with each op's reference, and shares nothing with what is emitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, evaluate
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.traverse import toposort

Array = np.ndarray[Any, Any]


def named_sizes(values: Mapping[Node, Any]) -> dict[str, int]:
    """The sizes that the leaves' values give to the named dimensions.

    Raises
    ------
    ShapeError
        If a value has another number of dimensions than its leaf, or two values differ about a size.
    """
    sizes: dict[str, int] = {}
    for leaf, value in values.items():
        if len(leaf.shape) != np.ndim(value):
            raise ShapeError(f"a value of shape {np.shape(value)} was given", saw=[leaf.describe()])
        for size, number in zip(leaf.shape, np.shape(value), strict=True):
            known = size
            if isinstance(size, Dim) and size.name is not None:
                known = sizes.setdefault(size.name, number)
            if isinstance(known, int) and known != number:
                raise ShapeError(f"the size {size} is {number} here, and not {known}", saw=[leaf.describe()])
    return sizes


def concrete(value: Any, sizes: Mapping[str, int]) -> Any:
    """An attribute with every symbolic size replaced by its number."""
    if isinstance(value, Dim):
        return evaluate(value, sizes)
    if isinstance(value, tuple):
        return tuple(concrete(item, sizes) for item in value)
    if isinstance(value, slice):
        return slice(*(concrete(part, sizes) for part in (value.start, value.stop, value.step)))
    return value


def interpret_all(
    outputs: Sequence[Node], values: Mapping[Node, Any], sizes: Mapping[str, int] | None = None
) -> dict[Node, Any]:
    """The value of every node that `outputs` need, from the values of the leaves (or of any nodes).

    `sizes` adds named sizes that no leaf among them shows.

    Raises
    ------
    ArgumentError
        If a leaf has no value.
    """
    leaves = {node: value for node, value in values.items() if node.op.is_leaf and node.specs[0].shape}
    known = {**named_sizes(leaves), **(sizes or {})}
    results: dict[Node, Any] = dict(values)
    for node in toposort(outputs, stop=results):
        if node.op.is_leaf:
            raise ArgumentError(f"no value is given for {node.describe()}")
        attrs = {name: concrete(value, known) for name, value in node.attrs.items()}
        results[node] = node.op.reference(*(results[part] for part in node.inputs), **attrs)
    return results


def stopped(outputs: Sequence[Node], values: Mapping[Node, Any]) -> dict[Node, Any]:
    """The values at which gradients take what `stop_gradient` holds: finite differences may not let them move.

    >>> x = gg.input("x", ())
    >>> [value.item() for value in stopped([x * gg.stop_gradient(x + 1)], {x: np.float32(2)}).values()]
    [3.0]
    """
    results = interpret_all(outputs, values)
    return {node: value for node, value in results.items() if node.op.name == "stop_gradient"}


def interpret(outputs: Sequence[Node], values: Mapping[Node, Any]) -> tuple[Array, ...]:
    """The values of `outputs`.

    >>> x = gg.input("x", ("n",))
    >>> interpret([gg.sum(x * 2)], {x: np.ones(3, np.float32)})[0].item()
    6.0
    """
    results = interpret_all(outputs, values)
    return tuple(np.asarray(results[node]) for node in outputs)
