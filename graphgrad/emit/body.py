"""The body of an emitted function: sizes, workspace, statements, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphgrad.core.dim import Dim
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape
from graphgrad.emit.layers import layer_names
from graphgrad.emit.namer import identifier
from graphgrad.emit.numpy import Writer
from graphgrad.emit.source import Line
from graphgrad.emit.spelling import clean
from graphgrad.emit.workspace import borrow_line, give_back_line
from graphgrad.plan.alias import base
from graphgrad.plan.plan import Plan, PlannedRoutine
from graphgrad.plan.schedule import Routine, is_free, sizes_in


def uses_workspace(planned: PlannedRoutine) -> bool:
    """Whether a function computes into buffers."""
    return planned.placement is not None and bool(planned.placement.used)


def has_reference(plan: Plan) -> bool:
    """Whether the module holds the model as it was written, to check itself against."""
    return bool(plan.workspace) and plan.schedule.has("reference")


def called(writer: Writer, node: Node) -> str:
    """What a result is called."""
    return writer.called(node) if not is_free(node) or node.op.is_leaf else "a constant"


def given(writer: Writer, planned: PlannedRoutine) -> list[str]:
    """The results as source, copied where they would share memory."""
    return [
        writer.value(node).text + (".copy()" if copied else "")
        for node, copied in zip(planned.routine.results, planned.copies, strict=True)
    ]


def hand_over(writer: Writer, planned: PlannedRoutine, early: bool = False) -> tuple[list[Line], list[str]]:
    """The last lines before results are given back, and the results: what lies in the workspace is copied before
    another call may have it, and if asked for `early`, every copy is made."""
    texts = given(writer, planned)
    lines = []
    placed = planned.placement.buffers if planned.placement is not None else {}
    for at, node in enumerate(planned.routine.results):
        if planned.copies[at] and (early or base(node, placed) in placed):
            name = writer.names.fresh(f"{identifier(called(writer, node))}_copy"[:48])
            lines.append(Line(f"{name} = {texts[at]}"))
            texts[at] = name
    if uses_workspace(planned) and not early:
        lines.append(give_back_line(writer.plan, writer.names))
    return lines, texts


def body(
    writer: Writer, planned: PlannedRoutine, available: Sequence[Node], sizes: Sequence[str] = ()
) -> list[Line]:
    """The statements of a routine, in paragraphs by layer; first the sizes that they and the caller need, and the
    workspace."""
    routine = planned.routine
    needed = dict.fromkeys((*sizes_in([*routine.steps, *routine.results]), *sizes))
    if uses_workspace(planned):
        needed.update(dict.fromkeys(writer.plan.workspace_sizes))
    lines = size_lines(writer, needed, [(writer.names[node], node.shape) for node in available])
    if uses_workspace(planned):
        lines.append(borrow_line(writer.plan, writer.names))
    heading: tuple[str, ...] | None = None
    titles = _titles(writer, routine)
    for node in routine.steps:
        if node in planned.inside:
            continue
        title = titles.get(node)
        if title != heading:
            heading = title
            if lines and title:
                lines.append(Line(""))
            if title:
                lines.append(Line("# " + ": ".join(title)))
        lines += writer.statement(node, planned)
    return lines


def size_lines(writer: Writer, names: Iterable[str], available: Sequence[tuple[str, Shape]]) -> list[Line]:
    """Read named sizes off the first array that has them; those that residuals bring need no line."""
    hidden = writer.plan.schedule.residual_sizes
    where: dict[str, str] = {}
    for text, shape in available:
        for axis, size in enumerate(shape):
            if isinstance(size, Dim) and size.name is not None:
                where.setdefault(size.name, f"{text}.shape[{axis}]")
    lines = []
    for name in names:
        if name in where:
            lines.append(Line(f"{writer.names.size(name)} = {where[name]}"))
        elif name not in hidden:
            raise AssertionError(f"no argument has the size {name}")  # checked when the graph was defined
    return lines


def _titles(writer: Writer, routine: Routine) -> dict[Node, tuple[str, ...]]:
    """The heading of each step: its layer, and its phase where a function has several."""
    phases = {} if routine.kind == "reference" else writer.plan.schedule.phases
    several = routine.kind == "step" or len({phases.get(node) for node in routine.steps}) > 1
    layers = layer_names(writer.graph, routine.steps, writer.reader_of)
    titles: dict[Node, tuple[str, ...]] = {}
    for node in routine.steps:
        phase, layer = phases.get(node, "forward"), clean(layers[node])
        titles[node] = (*((phase,) if several else ()), *((layer,) if layer and phase != "update" else ()))
    return titles
