"""Broadcasting that was hardly meant: (batch, 1) and (batch,) make (batch, batch).

It is NumPy's most expensive trap, because a loss computed from it is a number like any other. Where every size is an
int nobody can tell a mistake from a table of all pairs; where a size has a name, the name stands in the result twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad.core.dim import Dim
from graphgrad.core.errors import ShapeError
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, shape_text


def check_pairing(operands: Sequence[Node], shape: Shape) -> None:
    """Raise if operands of different rank make every pair along a named size that none of them has twice.

    Operands of equal rank may: somebody put the axes where they are.

    Raises
    ------
    ShapeError
        With what to write instead, in either meaning.
    """
    full = [node for node in operands if node.ndim == len(shape)]
    lower = [node for node in operands if 0 < node.ndim < len(shape)]
    if not full or not lower:
        return
    for axis, size in enumerate(shape):
        if not isinstance(size, Dim) or shape.count(size) == 1:
            continue
        if any(node.shape[axis] == size for node in full) or any(
            node.shape.count(size) > 1 for node in operands
        ):
            continue
        other = next((node for node in full if size in node.shape), None)
        brought = next((node for node in lower if size in node.shape), None)
        if other is not None and brought is not None:
            raise ShapeError(
                f"{str(size)!r} would stand in the result {shape_text(shape)} twice: shapes of different rank "
                "line up from the right",
                saw=[node.describe() for node in operands if node.ndim],
                hint=_advice(other, brought, axis, size),
            )


def _advice(wide: Node, flat: Node, axis: int, size: Dim) -> str:
    """How to write what was probably meant, and how to write what stands there."""
    ways = []
    if flat.ndim == wide.ndim - 1:
        ways.append(_indexed(wide, "x", ["0" if at == axis else ":" for at in range(wide.ndim)]))
    behind = wide.ndim - 1 - wide.shape.index(size)
    own = flat.ndim - 1 - flat.shape.index(size)
    if behind > own:
        at = flat.ndim - own
        ways.append(_indexed(flat, "y", [":"] * at + ["None"] * (behind - own) + [":"] * own))
    pairs = _indexed(flat, "y", ["None"] * (wide.ndim - flat.ndim) + [":"] * flat.ndim)
    return f"{' or '.join(ways) or 'equal ranks'} to go along {str(size)!r} together; {pairs} if every pair is meant"


def _indexed(node: Node, otherwise: str, items: Sequence[str]) -> str:
    name = node.name if node.name is not None and node.name.isidentifier() else otherwise
    return f"{name}[{', '.join(items)}]"
