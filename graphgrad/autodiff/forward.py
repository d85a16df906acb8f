"""Forward mode: tangents alongside values, from the same op definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphgrad.autodiff.reverse import check_differentiable, is_float, zeros_like
from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError, VerificationError
from graphgrad.core.node import Node
from graphgrad.core.op import NotDifferentiable
from graphgrad.core.provenance import recording
from graphgrad.core.spec import broadcast
from graphgrad.core.traverse import toposort
from graphgrad.ops.arithmetic import add
from graphgrad.ops.movement import broadcast_to


def push_forward(outputs: Sequence[Node], tangents: Mapping[Node, Node]) -> tuple[Node | None, ...]:
    """The tangents of `outputs`, given those of some nodes; None where they do not depend on them.

    Linear in the graph; no recursion.
    """
    found: dict[Node, Node] = dict(tangents)
    with recording("off"):
        for node in toposort(outputs):
            if node in found or not is_float(node) or len(node.specs) != 1:
                continue
            own = tuple(found.get(part) for part in node.inputs)
            if any(tangent is not None for tangent in own):
                tangent = _tangent(node, own)
                if tangent is not None:
                    found[node] = tangent
    return tuple(found.get(node) for node in outputs)


def _tangent(node: Node, own: tuple[Node | None, ...]) -> Node | None:
    op = node.op
    if isinstance(op.jvp, NotDifferentiable):
        return None
    if op.jvp == "linear":
        full = tuple(
            zeros_like(part) if tangent is None else tangent
            for part, tangent in zip(node.inputs, own, strict=True)
        )
        return op(*full, **node.attrs)
    total: Node | None = None
    for index, tangent in enumerate(own):
        if tangent is None:
            continue
        term = _term(node, index, tangent)
        if term is not None:
            total = term if total is None else add(total, term)
    if total is None:
        return None
    if broadcast([total.shape, node.shape]) != node.shape or total.dtype != node.dtype:
        raise VerificationError(
            f"the JVP of {op.name} gives {total.spec} for a result {node.spec}", site=node.notes.site
        )
    return broadcast_to(total, node.shape)


def _term(node: Node, index: int, tangent: Node) -> Node | None:
    """What the tangent of one input contributes."""
    op = node.op
    if op.jvp == "diagonal":
        return op.pull_back(index, tangent, node)
    if op.jvp == "multilinear":
        return op(*(tangent if at == index else part for at, part in enumerate(node.inputs)), **node.attrs)
    if isinstance(op.jvp, Mapping):
        return op.jvp[op.operand_name(index)](tangent, node, *node.inputs, **node.attrs)
    return None


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
