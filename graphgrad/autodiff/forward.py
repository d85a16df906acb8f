"""Forward mode: tangents alongside values, from the same op definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from graphgrad.autodiff.reverse import check_differentiable, is_float
from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError, VerificationError
from graphgrad.core.node import Node
from graphgrad.core.op import NotDifferentiable
from graphgrad.core.provenance import recording
from graphgrad.core.spec import broadcast
from graphgrad.core.traverse import toposort
from graphgrad.ops.arithmetic import add
from graphgrad.ops.create import zeros_like
from graphgrad.ops.movement import broadcast_to
from graphgrad.ops.projection import PROJECTION, results

Tangents: TypeAlias = "tuple[Node | None, ...]"
"""One for each result; None where there is none."""


def push_forward(outputs: Sequence[Node], tangents: Mapping[Node, Node]) -> tuple[Node | None, ...]:
    """The tangents of `outputs`, given those of some nodes; None where they do not depend on them.

    Linear in the graph; no recursion.
    """
    found: dict[Node, Node] = dict(tangents)
    parts: dict[Node, Tangents] = {}  # of nodes with several results
    with recording("off"):
        for node in toposort(outputs):
            if node in found or not is_float(node):
                continue
            if node.op.name == PROJECTION:
                tangent = parts[node.inputs[0]][node.attrs["which"]] if node.inputs[0] in parts else None
            else:
                own = tuple(found.get(part) for part in node.inputs)
                if all(part is None for part in own):
                    continue
                tangent, *more = _tangents(node, own)
                if more:
                    parts[node] = (tangent, *more)
                    continue
            if tangent is not None:
                found[node] = tangent
    return tuple(found.get(node) for node in outputs)


def _tangents(node: Node, own: Tangents) -> Tangents:
    """The tangents of a node's results."""
    op = node.op
    totals: list[Node | None] = [None] * len(node.specs)
    if isinstance(op.jvp, NotDifferentiable):
        return tuple(totals)
    if op.jvp == "linear":
        full = tuple(
            zeros_like(part) if tangent is None else tangent
            for part, tangent in zip(node.inputs, own, strict=True)
        )
        return _results(op(*full, **node.attrs))
    for index, tangent in enumerate(own):
        if tangent is None:
            continue
        for at, term in enumerate(_terms(node, index, tangent)):
            total = totals[at]
            if term is not None:
                totals[at] = term if total is None else add(total, term)
    return tuple(_full(node, at, total) for at, total in enumerate(totals))


def _results(node: Node) -> tuple[Node, ...]:
    return (node,) if len(node.specs) == 1 else results(node)


def _terms(node: Node, index: int, tangent: Node) -> Tangents:
    """What the tangent of one input contributes to that of each result."""
    op = node.op
    if op.jvp == "diagonal":
        return (op.pull_back(index, tangent, node),)
    if op.jvp == "multilinear":
        replaced = (tangent if at == index else part for at, part in enumerate(node.inputs))
        return _results(op(*replaced, **node.attrs))
    if isinstance(op.jvp, Mapping) and op.operand_name(index) in op.jvp:
        made = op.jvp[op.operand_name(index)](tangent, node, *node.inputs, **node.attrs)
        return made if isinstance(made, tuple) else (made,)
    return ()


def _full(node: Node, at: int, total: Node | None) -> Node | None:
    """A tangent written out in its result's shape."""
    if total is None:
        return None
    spec = node.specs[at]
    if broadcast([total.shape, spec.shape]) != spec.shape or total.dtype != spec.dtype:
        raise VerificationError(
            f"the JVP of {node.op.name} gives {total.spec} for a result {spec}", site=node.notes.site
        )
    return broadcast_to(total, spec.shape)


def jvp(output: Node, wrt: Sequence[Node], tangents: Sequence[Node]) -> Node:
    """The directional derivative of `output` as `wrt` move along `tangents`, as a node of the output's spec.

    Raises
    ------
    DTypeError, ShapeError, ArgumentError
        If something is no float, or a tangent does not have the spec of what it belongs to.

    >>> x = gg.input("x", (3,))
    >>> gg.jvp(gg.exp(x), [x], [gg.input("t", (3,))]).shape
    (3,)
    """
    check_differentiable(output, "the output")
    if len(wrt) != len(tangents):
        raise ArgumentError(f"{len(wrt)} nodes and {len(tangents)} tangents")
    for node, tangent in zip(wrt, tangents, strict=True):
        check_differentiable(node, "what to differentiate by")
        if tangent.shape != node.shape:
            raise ShapeError(
                "a tangent has the shape of what it moves", saw=[node.describe(), tangent.describe()]
            )
        if tangent.dtype != node.dtype:
            raise DTypeError(
                "a tangent has the dtype of what it moves", saw=[node.describe(), tangent.describe()]
            )
    (result,) = push_forward([output], dict(zip(wrt, tangents, strict=True)))
    return zeros_like(output) if result is None else result
