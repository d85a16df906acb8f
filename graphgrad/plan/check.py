"""A second look at a placement, which knows nothing of how it was made: does every read find what it expects?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from graphgrad.core.errors import VerificationError
from graphgrad.core.node import Node
from graphgrad.plan.alias import base
from graphgrad.plan.buffers import Buffer, Placement, reads


def check_placement(
    statements: Mapping[Node, tuple[Node, ...]], results: Iterable[Node], placement: Placement
) -> None:
    """Follow what each buffer holds, statement by statement.

    Raises
    ------
    VerificationError
        If a value is read after another one was written over it; names both, and the statement.
    """
    placed = placement.buffers
    holds: dict[Buffer, Node] = {}
    for node, nodes in statements.items():
        needed = {owner: None for owner in (base(part, placed) for part in reads(nodes)) if owner in placed}
        for owner in needed:
            _expect(owner, holds, placed, node)
        for buffer in placement.scratch.get(node, ()):
            if any(placed[owner] == buffer for owner in needed) or placed.get(node) == buffer:
                raise _wrong(node, f"{node.describe()} takes as scratch what it reads or writes", node)
            holds[buffer] = node
        if node not in placed:
            continue
        target = placed[node]
        over = placement.over.get(node)
        allowed = all(which in node.op.overwrites for which, part in enumerate(node.inputs) if part is over)
        for owner in needed:
            if placed[owner] == target and (owner is not over or not allowed):
                raise _wrong(
                    node, f"{node.describe()} is written over {owner.describe()} while it reads it", owner
                )
        holds[target] = node
        for other in nodes:  # what a loop fills besides
            if other in placed:
                _expect(other, holds, placed, node)
    for node in results:
        owner = base(node, placed)
        if owner in placed:
            _expect(owner, holds, placed, None)


def check_order(statements: Mapping[Node, tuple[Node, ...]], by_loops: Collection[Node]) -> None:
    """Every statement comes after those that compute what it reads. Of what loops compute only what is there as a whole
    afterwards, `by_loops`, can be read.

    Raises
    ------
    VerificationError
        If one does not; names both.
    """
    own = {node for nodes in statements.values() for node in nodes} | {
        *statements
    }  # only asked, never iterated
    done: set[Node] = set()  # only asked, never iterated
    for node, nodes in statements.items():
        for part in reads(nodes):
            if part in own and part not in done:
                raise _wrong(node, f"{node.describe()} comes before {part.describe()}, which it reads", part)
        done.update([node] if node in by_loops else nodes)


def check_ownership(given: Iterable[Node], placement: Placement) -> None:
    """What the caller gets uncopied, residuals too, lies in no buffer.

    Raises
    ------
    VerificationError
        If a value does; names it, and the one whose buffer that is.
    """
    for node in given:
        owner = base(node, placement.buffers)
        if owner in placement.buffers:
            raise _wrong(
                node,
                f"the caller would get {node.describe()}, which lies in the buffer of {owner.describe()}",
                owner,
            )


def _expect(
    owner: Node, holds: Mapping[Buffer, Node], placed: Mapping[Node, Buffer], reader: Node | None
) -> None:
    """Raise unless a value's buffer holds it when `reader`, or the caller, wants it."""
    holder = holds.get(placed[owner])
    if holder is not owner:
        who = "the caller gets" if reader is None else f"{reader.describe()} reads"
        found = "nothing" if holder is None else holder.describe()
        other = owner if holder is None else holder
        raise _wrong(owner, f"{who} {owner.describe()}, but its buffer holds {found} by then", other)


def _wrong(node: Node, what: str, other: Node) -> VerificationError:
    return VerificationError(
        f"wrong plan: {what}", saw=[node.describe(), other.describe()], site=node.notes.site
    )
