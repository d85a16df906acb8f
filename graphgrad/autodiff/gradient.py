"""`grad`: gradients as nodes, in the structure that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from graphgrad.autodiff.reverse import check_cotangent, check_differentiable, fill_in, pull_back
from graphgrad.core.errors import ArgumentError
from graphgrad.core.graph import Origin
from graphgrad.core.node import Node
from graphgrad.core.provenance import recording
from graphgrad.core.spec import shape_text
from graphgrad.core.structure import Structure
from graphgrad.core.traverse import toposort
from graphgrad.ops.family import to_dtype
from graphgrad.ops.leaf import Operand, const


@overload
def grad(output: Node, wrt: Node, cotangent: Operand | None = None, allow_unused: bool = True) -> Node: ...
@overload
def grad(
    output: Node, wrt: list[Node], cotangent: Operand | None = None, allow_unused: bool = True
) -> list[Node]: ...
@overload
def grad(
    output: Node, wrt: tuple[Node, ...], cotangent: Operand | None = None, allow_unused: bool = True
) -> tuple[Node, ...]: ...
@overload
def grad(
    output: Node, wrt: Mapping[str, Node], cotangent: Operand | None = None, allow_unused: bool = True
) -> dict[str, Node]: ...
def grad(output: Node, wrt: Any, cotangent: Operand | None = None, allow_unused: bool = True) -> Any:
    """The gradient of `output` by parameters, inputs or intermediates, as nodes that can be used like any
    other.

    Parameters
    ----------
    output:
        A float node; a scalar, unless `cotangent` is given.
    wrt:
        A node, or a list, tuple or dict of nodes; the result has the same structure. The gradient by an
        intermediate counts every equal occurrence of it.
    cotangent:
        What to multiply the output's Jacobian by from the left, in the output's shape and dtype. 1 for a
        scalar.
    allow_unused:
        What no gradient reaches gives zeros; with False, an error.

    Raises
    ------
    DTypeError
        If the output or something in `wrt` is no float.
    ArgumentError
        If a cotangent is needed, or with `allow_unused=False` if no gradient reaches something in `wrt`.

    >>> x = gg.input("x", (3,))
    >>> gg.grad(gg.sum(x**2), x).shape
    (3,)
    """
    check_differentiable(output, "the output")
    structure, nodes = Structure.of(wrt, "wrt")
    for node in nodes:
        check_differentiable(node, "what to differentiate by")
    with recording("off"):
        seed = _seed(output, cotangent)
        pulled = pull_back({output: seed}, nodes)
        origins = dict(pulled.origins)
        full = fill_in(nodes, pulled.cotangents, allow_unused, origins)
    _remember(origins)
    return structure.build(full)


def _seed(output: Node, cotangent: Operand | None) -> Node:
    if cotangent is None:
        if output.shape != ():
            raise ArgumentError(
                f"an output of shape {shape_text(output.shape)} needs a cotangent",
                saw=[output.describe()],
                hint="gg.grad(gg.sum(output), ...), or cotangent= in the output's shape",
            )
        return const(1, output.dtype)
    node = cotangent if isinstance(cotangent, Node) else to_dtype(cotangent, output.dtype)
    return check_cotangent(output, node)


def _remember(origins: Mapping[Node, tuple[Origin, ...]]) -> None:
    """Note origins at the nodes, so that a graph made from them later knows; the first wins.

    What depends on no leaf, such as ``1 / batch``, is shared with other models: its reader knows what it is here.
    """
    for node, entries in origins.items():
        notes = node.notes
        if node.inputs and (notes.derived is None or notes.shared):
            notes.derived = entries
            if not notes.shared:
                shared = toposort([part for part in node.inputs if part.notes.shared])
                notes.beneath = {part: origins[part] for part in shared if part in origins}
