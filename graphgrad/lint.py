"""Lint: warn of what is legal but hardly meant. Each kind once for a compilation, at the user's line.

See docs/reference/warnings.md. Broadcasting by accident is an error, and found when the node is made: see
core/broadcasting.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from graphgrad.autodiff.reverse import passes_gradient
from graphgrad.core.errors import GraphgradWarning, message
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.core.provenance import Site
from graphgrad.core.traverse import depending_on, toposort, users

_SHOWN = 8


def lint(defined: Graph, joint: Graph, interface: Interface) -> None:
    """Look at the model as it was written, and at what became of its gradients."""
    if not any(leaf.dtype == np.float64 for leaf in defined.leaves):
        _warn_of_integer_division(defined)
        _warn_of_float64(defined)
    _warn_of_no_gradient(defined, joint, interface)


def _warn(what: str, saw: Sequence[Node], site: Site | None, hint: str) -> None:
    shown = [node.describe() for node in saw[:_SHOWN]]
    if len(saw) > _SHOWN:
        shown.append(f"and {len(saw) - _SHOWN} more")
    text = message(what, shown, site, hint)
    file, line = (site.file, site.line) if site is not None else ("<graphgrad>", 0)
    warnings.warn_explicit(text, GraphgradWarning, file, line)


# ---- dtypes ---------------------------------------------------------------------------------------------------------


def _promoted(node: Node, reader: Node) -> Node | None:
    """What `node` converts to float64 for `reader` because of the dtypes that meet there, if it does.

    A cast that the user wrote is an expression of its own. One that was not asked for may have another model's site,
    where the same array was converted first.
    """
    if node.op.name != "cast" or node.dtype != np.float64:
        return None
    own, other = node.notes.site, reader.notes.site
    if own is None or other is None:
        return None
    return node.inputs[0] if own.is_same(other) or not node.notes.asked else None


def _as_written(node: Node) -> list[Node]:
    """The operands before promotion."""
    sources = [(_promoted(part, node), part) for part in node.inputs]
    return [part if source is None else source for source, part in sources]


def _earliest(nodes: Iterable[Node]) -> Node | None:
    return min(nodes, key=lambda node: node.serial, default=None)


def _warn_of_integer_division(graph: Graph) -> None:
    readers = users(graph.nodes)
    first = _earliest(
        node
        for node in graph.nodes
        if node.op.name == "divide" and _divides_integers(node) and not _is_converted(readers[node])
    )
    if first is not None:
        _warn(
            "integer division: the quotient of integers is float64",
            _as_written(first),
            first.notes.site,
            "gg.cast(n, 'float32') / m to stay in float32, n // m for an integer, or cast the quotient",
        )


def _divides_integers(node: Node) -> bool:
    sources = [_promoted(part, node) for part in node.inputs]
    return any(source is not None for source in sources) and all(
        source.dtype.kind in "iu" if source is not None else part.op.name in ("const", "run_time_size")
        for part, source in zip(node.inputs, sources, strict=True)
    )


def _is_converted(readers: Sequence[Node]) -> bool:
    """Whether a value is cast wherever it is read: somebody saw to its dtype."""
    return bool(readers) and all(node.op.name == "cast" for node in readers)


def _warn_of_float64(graph: Graph) -> None:
    """Where something that is float32 first meets what makes it float64."""
    asked = _asked_for(graph)
    widening = (node for node in graph.nodes if _widens(node, asked))
    first = _earliest(widening)
    if first is not None:
        sources = _as_written(first)
        narrow = next(one.dtype for one in sources if one.dtype.kind == "f" and one.dtype != np.float64)
        _warn(
            f"float64: {first.op.name} widens {narrow} to float64, and what depends on it is computed in float64",
            sources,
            first.notes.site,
            f"numbers of Python, gg.const(value, '{narrow}'), or gg.cast(x, '{narrow}') of what is not {narrow}",
        )


def _asked_for(graph: Graph) -> set[Node]:
    """What is float64 because the user cast something to it, or computes with ``dtype="float64"``."""
    readers = users(graph.nodes)
    asked: set[Node] = set()  # only asked, never iterated
    for node in graph.nodes:
        if any(spec.dtype != np.float64 for spec in node.specs):
            continue
        if (node.op.name == "cast" and _is_asked(node, readers[node])) or any(
            part in asked for part in node.inputs
        ):
            asked.add(node)
    return asked


def _is_asked(cast: Node, readers: Sequence[Node]) -> bool:
    """Whether a cast is there for its own sake: it is read where it was not made, or floats are read alone in it."""
    written = [node for node in readers if node.notes.site is not None]
    floats = cast.inputs[0].dtype.kind == "f"
    return not written or any(
        _promoted(cast, node) is None or (floats and len(node.inputs) == 1) for node in written
    )


def _widens(node: Node, asked: set[Node]) -> bool:
    sources = [_promoted(part, node) for part in node.inputs]
    if not any(source is not None and source.dtype.kind == "f" for source in sources):
        return False
    others = [
        part
        for part, source in zip(node.inputs, sources, strict=True)
        if part.dtype == np.float64 and (source is None or source.dtype.kind != "f")
    ]
    return bool(others) and not any(part in asked for part in others)


# ---- gradients ------------------------------------------------------------------------------------------------------


def _warn_of_no_gradient(defined: Graph, joint: Graph, interface: Interface) -> None:
    zero = _without_gradient(joint, interface)
    if not zero:
        return
    outputs = defined.outputs[interface.outputs]
    used = set(toposort(outputs))
    unused = [node for node in zero if node not in used and node.op.name == "param"]
    if unused:
        _warn(
            "unused parameter: no output depends on it, so its gradient is zero",
            unused,
            unused[0].notes.site,
            "use it, or leave it out of wrt=",
        )
    held = {node for node in used if node.op.name == "stop_gradient"}
    reached = set(toposort(outputs, stop=held))  # on purpose, where every way goes through stop_gradient
    flat = [node for node in zero if node in reached]
    if flat:
        blocker = _blocker(defined, flat)
        why = f": {blocker.op.name} is piecewise constant" if blocker is not None else ""
        _warn(
            f"zero gradient: the outputs depend on this, but the gradient is zero everywhere{why}",
            flat,
            (flat[0] if blocker is None else blocker).notes.site,
            "something smooth in its place, or gg.stop_gradient if that is meant",
        )


def _without_gradient(joint: Graph, interface: Interface) -> list[Node]:
    """What no cotangent arrived at, whichever output it starts from."""
    arrived: dict[Node, None] = {}
    for seed in range(len(interface.seeds)):
        gradients = joint.outputs[interface.gradients(seed)]
        for node, gradient in zip(interface.wrt or (), gradients, strict=True):
            if all(origin.role != "zero" for origin in joint.origins.get(gradient, ())):
                arrived[node] = None
    return [node for node in dict.fromkeys(interface.wrt or ()) if node not in arrived]


def _blocker(graph: Graph, sources: Sequence[Node]) -> Node | None:
    """The first node that a gradient by `sources` would have to pass, and does not."""
    moving = depending_on(
        graph.nodes, sources, lambda node: passes_gradient(node) and not node.op.piecewise_constant
    )
    return next(
        (node for node in graph.nodes if node not in moving and any(part in moving for part in node.inputs)),
        None,
    )
