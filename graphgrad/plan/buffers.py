"""Buffers: where values lie that a call computes on the way, so that calls after the first allocate only results.

A buffer is an array of the workspace that each thread keeps. A value may take the buffer of another one of its spec
that nothing reads any more, or, element by element, that of an operand it is the last to read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphgrad.core.node import Node
from graphgrad.core.spec import Spec
from graphgrad.plan.alias import base, is_contiguous
from graphgrad.plan.schedule import is_free

SMALL = 1024
"""Bytes up to which an array of known size is made anew each time: that takes no longer than finding a buffer."""
_SMALL_IN_ALL = 16 * SMALL
"""Bytes of such arrays that one function may make; with more, all of them get buffers."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """One array of the workspace: the `number`-th of its spec."""

    spec: Spec
    number: int


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the values of one function lie, of those that have a buffer."""

    buffers: Mapping[Node, Buffer] = field(default_factory=dict)
    over: Mapping[Node, Node] = field(default_factory=dict)
    """Values that are written over an operand: that operand."""
    scratch: Mapping[Node, tuple[Buffer, ...]] = field(default_factory=dict)
    """Buffers that a statement needs on the way."""

    @cached_property
    def used(self) -> tuple[Buffer, ...]:
        """Every buffer, each once, in the order in which they are first written."""
        found: dict[Buffer, None] = {}
        for node, buffer in self.buffers.items():
            found.update(dict.fromkeys((*self.scratch.get(node, ()), buffer)))
        for buffers in self.scratch.values():
            found.update(dict.fromkeys(buffers))
        return tuple(found)


def is_small(node: Node) -> bool:
    """Whether a value is so small that it needs no buffer: a number, or a short array of known size."""
    if len(node.specs) != 1:
        return False
    sizes = [size for size in node.specs[0].shape if isinstance(size, int)]
    known = len(sizes) == len(node.specs[0].shape)
    return known and (not sizes or math.prod(sizes) * node.specs[0].dtype.itemsize <= SMALL)


def small(steps: Sequence[Node]) -> dict[Node, None]:
    """The steps of a function that are made anew in each call."""
    found = [node for node in steps if is_small(node)]
    arrays = [node.spec.nbytes for node in found if node.shape and not node.op.view]
    many = sum(size for size in arrays if isinstance(size, int)) > _SMALL_IN_ALL
    return dict.fromkeys(node for node in found if node.shape == () or not many)


def wants_buffer(node: Node) -> bool:
    """Whether a value can be written into a buffer and is no view; what may or may not be one is copied."""
    if node.op.into is None or len(node.specs) != 1 or is_free(node):
        return False
    return not node.op.view or (node.op.name == "reshape" and not is_contiguous(node.inputs[0]))


def place(
    statements: Mapping[Node, tuple[Node, ...]],
    results: Iterable[Node],
    fresh: Iterable[Node],
    anew: Mapping[Node, None],
    combined: Container[Node] = (),
    filled: Container[Node] = (),
    scratch_of: Callable[[Node], int] = lambda node: node.op.scratch,
) -> Placement:
    """Give the values of a function their buffers.

    Parameters
    ----------
    statements:
        For each statement, in order, the nodes it computes, the assigned one last.
    results:
        What is read at the end.
    fresh:
        Values that the caller will own.
    anew:
        Values that are too small for a buffer.
    combined:
        Values that a loop puts together of its tiles' parts: they are made anew.
    filled:
        Values that a loop fills tile by tile, while it reads what it needs.
    scratch_of:
        How many arrays like its result a node needs on the way.
    """
    own = dict.fromkeys(fresh)
    wanted = {
        node: None
        for node in statements
        if node not in own
        and node not in combined
        and (node in filled or (node not in anew and wants_buffer(node)))
    }
    last = _last_reads(statements, results, wanted)
    free: dict[Spec, list[Buffer]] = {}
    made: dict[Spec, int] = {}
    buffers: dict[Node, Buffer] = {}
    over: dict[Node, Node] = {}
    scratch: dict[Node, tuple[Buffer, ...]] = {}
    dying: dict[int, list[Node]] = {}
    for node, at in last.items():
        dying.setdefault(at, []).append(node)

    def take(spec: Spec) -> Buffer:
        if free.get(spec):
            return free[spec].pop()
        made[spec] = made.get(spec, 0) + 1
        return Buffer(spec, made[spec] - 1)

    for at, (node, nodes) in enumerate(statements.items()):
        overwritten = None
        if node in wanted:
            if node not in filled:
                overwritten = _overwritten(node, nodes, buffers, last, at, wanted)
            if overwritten is not None:
                over[node], buffers[node] = overwritten, buffers[overwritten]
            else:
                buffers[node] = take(node.spec)
        by_loop = node in combined or node in filled
        if needed := 0 if by_loop or node in anew or node.op.into is None else scratch_of(node):
            scratch[node] = tuple(take(node.spec) for _ in range(needed))
            free.setdefault(node.spec, []).extend(scratch[node])
        for dead in dying.get(at, ()):
            if dead in buffers and dead is not overwritten:
                free.setdefault(dead.spec, []).append(buffers[dead])
    return Placement(buffers, over, scratch)


def _last_reads(
    statements: Mapping[Node, tuple[Node, ...]], results: Iterable[Node], placed: Mapping[Node, None]
) -> dict[Node, int]:
    """For each value in a buffer, the last statement that reads it or a view of it."""
    last: dict[Node, int] = {}
    for at, (node, nodes) in enumerate(statements.items()):
        if node in placed:
            last[node] = at  # if nothing reads it
        for part in (*reads(nodes), *nodes):  # of a loop, what it fills is there till its end, read or not
            owner = base(part, placed)
            if owner in placed:
                last[owner] = at
    end = len(statements)
    for node in results:
        owner = base(node, placed)
        if owner in placed:
            last[owner] = end
    return last


def reads(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """What a statement reads of what other statements computed."""
    own = set(nodes)
    return tuple(dict.fromkeys(part for node in nodes for part in node.inputs if part not in own))


def _overwritten(
    node: Node,
    nodes: Sequence[Node],
    buffers: Mapping[Node, Buffer],
    last: Mapping[Node, int],
    at: int,
    placed: Mapping[Node, None],
) -> Node | None:
    """An operand whose buffer this statement may write its result to, since it is the last to read it."""
    for index in node.op.overwrites:
        part = node.inputs[index]
        if part not in buffers or part.spec != node.spec or last[part] != at:
            continue
        elsewhere = [  # also itself, as in where(c, c, x)
            other
            for which, other in enumerate(node.inputs)
            if other is not part or which not in node.op.overwrites
        ]
        elsewhere += [other for inner in nodes[:-1] for other in inner.inputs]
        if all(base(other, placed) is not part for other in elsewhere):
            return part
    return None
