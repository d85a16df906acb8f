"""Define: what the caller asked for as a graph and an interface, with every mistake in the asking found."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphgrad.autodiff.reverse import check_differentiable
from graphgrad.core.dim import Dim, symbols
from graphgrad.core.errors import (
    ArgumentError,
    DTypeError,
    InvalidNameError,
    InvalidValueError,
    ShapeError,
    UnsupportedError,
)
from graphgrad.core.graph import Graph, collect_origins
from graphgrad.core.interface import Interface, Seed
from graphgrad.core.names import check_name
from graphgrad.core.node import Node
from graphgrad.core.provenance import recording
from graphgrad.core.structure import Structure
from graphgrad.core.traverse import toposort
from graphgrad.ops.family import to_dtype
from graphgrad.ops.leaf import LEAF_KINDS, input

LEVELS = ("plain", "default", "fast")


def define(
    outputs: Any,
    inputs: Sequence[Node] | None,
    wrt: Any,
    updates: Mapping[Node, Any] | None,
    level: str,
    name: str,
    check_nan: bool,
    memory_limit: int | None = None,
    threads: int | None = None,
) -> tuple[Graph, Interface]:
    """The graph of outputs and new values, and how the compiled module is to be called.

    Raises
    ------
    GraphgradError
        If something asked for cannot be: see `graphgrad.compile`.
    """
    structure, nodes = Structure.of(outputs, "outputs")
    keys, by = _differentiated(wrt, nodes, structure)
    targets, new_values = _updates(updates or {})
    leaves = _arguments(inputs, [*nodes, *new_values, *by, *targets])
    seeds = _seeds(structure, nodes) if wrt is not None else ()
    graph = Graph(leaves, (*nodes, *new_values), collect_origins([*nodes, *new_values]))
    interface = Interface(
        check_name(name, "a model"),
        leaves,
        structure,
        seeds,
        by if wrt is not None else None,
        keys,
        targets,
        level,
        bool(check_nan),
        None if memory_limit is None else operator.index(memory_limit),
        None if threads is None else operator.index(threads),
    )
    _check_sizes(leaves, graph.verify())
    return graph, interface


def check_options(target: str, level: str, memory_limit: Any, threads: Any) -> None:
    """Options that exist, and values that they may have.

    Raises
    ------
    InvalidValueError, ArgumentError, UnsupportedError
        Where one does not.
    """
    if level not in LEVELS:
        raise InvalidValueError(f"level is one of {', '.join(map(repr, LEVELS))}, not {level!r:.60}")
    if target != "numpy":
        raise UnsupportedError(f"the target {target!r:.60} does not exist", hint='target="numpy"')
    for name, value, unit in (("memory_limit", memory_limit, "bytes"), ("threads", threads, "threads")):
        if value is None:
            continue
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise ArgumentError(
                f"{name} is a number of {unit}, not {value!r:.60}",
                hint="2 * 10**6" if unit == "bytes" else "2",
            )
        if value < 1:
            raise InvalidValueError(f"{name} is a number of {unit} from 1 up, not {value!r:.60}")
    if memory_limit is not None and level == "plain":
        raise InvalidValueError(
            'memory_limit needs tiles, and level "plain" has none', hint='level="default"'
        )


def _differentiated(
    wrt: Any, outputs: Sequence[Node], structure: Structure
) -> tuple[tuple[str, ...], tuple[Node, ...]]:
    """What to differentiate by, and what its gradients are called."""
    if wrt is None:
        return (), ()
    shape, nodes = Structure.of(wrt, "wrt")
    if not outputs:
        raise ArgumentError("there is no output to differentiate")
    check_differentiable(outputs[0], "the first output")
    for node in nodes:
        check_differentiable(node, "what to differentiate by")
    keys = shape.keys or tuple(node.name or node.op.name for node in nodes)
    if len(set(keys)) < len(keys):
        key = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise InvalidNameError(
            f"two gradients would be called {key!r}",
            saw=[node.describe() for node, other in zip(nodes, keys, strict=True) if other == key],
            hint='wrt={"a": first, "b": second}, or gg.named',
        )
    return keys, nodes


def _updates(updates: Mapping[Node, Any]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The leaves to write, and their new values, which have their specs."""
    if not isinstance(updates, Mapping):
        raise ArgumentError(f"updates is a dict from leaves to new values, not {type(updates).__name__}")
    values = []
    for leaf, given in updates.items():
        if not isinstance(leaf, Node) or not leaf.op.is_leaf or leaf.op.name == "rng":
            shown = leaf.describe() if isinstance(leaf, Node) else repr(leaf)[:60]
            raise ArgumentError("updates writes leaves: parameters, states or inputs", saw=[shown])
        value = to_dtype(given, leaf.dtype) if isinstance(given, int | float) else given
        if not isinstance(value, Node):
            raise ArgumentError(f"the new value of {leaf.name!r} is a node, not {type(value).__name__}")
        if value.shape != leaf.shape:
            raise ShapeError("a new value has its leaf's shape", saw=[leaf.describe(), value.describe()])
        if value.dtype != leaf.dtype:
            raise DTypeError(
                "a new value has its leaf's dtype",
                saw=[leaf.describe(), value.describe()],
                hint="gg.cast(value, leaf.dtype)",
            )
        values.append(value)
    return tuple(updates), tuple(values)


def _arguments(inputs: Sequence[Node] | None, needed_by: Sequence[Node]) -> tuple[Node, ...]:
    """The leaves in the order of the signature."""
    needed = [node for node in toposort(needed_by) if node.op.is_leaf]
    if inputs is None:
        return tuple(sorted(needed, key=lambda leaf: (LEAF_KINDS.index(leaf.op.name), leaf.serial)))
    if not isinstance(inputs, list | tuple):
        raise ArgumentError(f"inputs is a list of leaves, not {type(inputs).__name__}")
    for leaf in inputs:
        if not isinstance(leaf, Node) or not leaf.op.is_leaf:
            shown = leaf.describe() if isinstance(leaf, Node) else repr(leaf)[:60]
            raise ArgumentError("inputs names leaves: inputs, parameters, states and generators", saw=[shown])
    if len(set(inputs)) != len(inputs):
        raise ArgumentError("inputs names a leaf twice")
    missing = [leaf for leaf in needed if leaf not in set(inputs)]
    if missing:
        raise ArgumentError("inputs lacks leaves that are needed", saw=[leaf.describe() for leaf in missing])
    return tuple(inputs)


def _seeds(structure: Structure, outputs: Sequence[Node]) -> tuple[Seed, ...]:
    """A cotangent leaf for each float output."""
    seeds = []
    with recording("off"):
        for at, output in enumerate(outputs):
            if output.dtype.kind == "f":
                label = structure.keys[at] if structure.keys else output.name or f"output {at}"
                seeds.append(Seed(at, input(f"cotangent of {label}", output.shape, output.dtype)))
    return tuple(seeds)


def _check_sizes(leaves: Iterable[Node], graph: Graph) -> None:
    """Every named size can be read off an argument."""
    leaves = tuple(leaves)
    readable = {size.name for leaf in leaves for size in leaf.shape if isinstance(size, Dim)}
    needed: dict[str, None] = {}
    for node in (*graph.nodes, *leaves):
        for size in (size for spec in node.specs for size in spec.shape):
            needed.update(dict.fromkeys(symbols(size)))
        if node.op.name == "run_time_size":
            needed.update(dict.fromkeys(symbols(node.attrs["size"])))
    hidden = [name for name in needed if name not in readable]
    if hidden:
        raise ShapeError(
            f"no argument tells the size {hidden[0]!r}: it stands alone in no shape",
            saw=[leaf.describe() for leaf in leaves],
            hint=f"an input with a dimension {hidden[0]!r}; inputs= may name one that is not used otherwise",
        )
