"""The body of an emitted function: sizes, workspace, statements, and what it gives back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from graphgrad.core.dim import Dim, symbols
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape
from graphgrad.emit.layers import layer_names
from graphgrad.emit.namer import LoopNames, identifier
from graphgrad.emit.numpy import Writer
from graphgrad.emit.plan_text import how_often
from graphgrad.emit.source import Comment, Line
from graphgrad.emit.spelling import clean, dtype_text, return_tuple
from graphgrad.emit.workspace import borrow_line, class_names, give_back_line
from graphgrad.plan.alias import base
from graphgrad.plan.loops import PlannedLoop
from graphgrad.plan.memory import bytes_text
from graphgrad.plan.plan import Plan, PlannedRoutine
from graphgrad.plan.schedule import Routine, is_free, sizes_in, sizes_of
from graphgrad.plan.space import TileSpace


def uses_workspace(planned: PlannedRoutine) -> bool:
    """Whether a function computes into buffers."""
    return planned.placement is not None and bool(planned.placement.used)


def has_reference(plan: Plan) -> bool:
    """Whether the module holds the model as it was written, to check itself against."""
    return bool(plan.workspace or plan.tiles) and plan.schedule.has("reference")


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
    for loop in planned.loops:
        needed.update(dict.fromkeys(sizes_of_loop(writer, planned, loop)))
    if routine.kind == "backward":  # residuals have brought these
        needed = {name: None for name in needed if name not in writer.plan.schedule.residual_sizes}
    lines = size_lines(writer, needed, [(writer.names[node], node.shape) for node in available])
    if uses_workspace(planned):
        lines.append(borrow_line(writer.plan, writer.names))
    heights = _heights(writer, planned)
    for space, name in heights.items():
        room = Comment(f"rows at a time: {bytes_text(space.room)} of them")
        lines.append(Line(f"{name} = {writer.size(space.most).text}", room))
    titles = _titles(writer, routine) if writer.with_comments else {}
    paragraphs = Paragraphs(titles, lines)
    for node in planned.statements:
        made_by = planned.by_loop.get(node)
        if made_by is None:
            paragraphs.add(node, writer.statement(node, planned))
        elif node is made_by.outputs[0]:
            paragraphs.end()
            lines += loop_lines(writer, planned, made_by, titles, heights)
    return lines


class Paragraphs:
    """Statements in paragraphs by layer, and by phase where a function has several."""

    def __init__(self, titles: Mapping[Node, tuple[str, ...]], lines: list[Line], indent: str = "") -> None:
        self.lines = lines
        self._indent = indent
        self._titles = titles
        self._heading: tuple[str, ...] | None = None

    def add(self, node: Node, lines: Iterable[Line]) -> None:
        title = self._titles.get(node)
        if title != self._heading:
            self._heading = title
            if title and (self.lines or self._indent):
                self.lines.append(Line(""))
            if title:
                self.lines.append(Line(f"{self._indent}# {': '.join(title)}"))
        self.lines += (
            [replace(line, code=self._indent + line.code) for line in lines] if self._indent else lines
        )

    def end(self) -> None:
        """What follows stands by itself."""
        self._heading = None


# ---- loops ----


def sizes_of_loop(writer: Writer, planned: PlannedRoutine, loop: PlannedLoop) -> tuple[str, ...]:
    """The named sizes that a loop and its call spell out."""
    space = writer.space_of(loop)
    filled = [loop.loop.whole_of[node] for node in loop.loop.stored]
    spelled = [
        *sizes_in(loop.loop.steps),
        *sizes_of(filled),
        *sizes_of(loop.loop.steps),
        *space.sizes,
        *space.part_sizes,
        *symbols(loop.loop.rows),
        *symbols(space.most),
    ]
    return tuple(name for name in dict.fromkeys(spelled) if name != loop.loop.tile)


def _heights(writer: Writer, planned: PlannedRoutine) -> dict[TileSpace, str]:
    """What the rows of a tile are called, where their number depends on other sizes."""
    spaces = dict.fromkeys(writer.space_of(loop) for loop in planned.loops)
    return {space: writer.names.fresh("most") for space in spaces if not isinstance(space.most, int)}


def loop_lines(
    writer: Writer,
    planned: PlannedRoutine,
    loop: PlannedLoop,
    titles: Mapping[Node, tuple[str, ...]],
    heights: Mapping[TileSpace, str],
) -> list[Line]:
    """A loop: the arrays that it fills, the function that computes a tile, and the call."""
    body, placed = loop.loop, planned.placement.buffers if planned.placement is not None else {}
    lines: list[Line] = []
    for node in body.stored:
        whole = body.whole_of[node]
        array = f"np.empty({writer.shape(whole.shape)}, {dtype_text(whole.dtype)})"
        if whole in placed:
            array = f"work.{writer.buffers.whole[placed[whole]]}"
        lines.append(Line(f"{writer.names[whole]} = {array}"))
    count = writer.size(body.rows).text
    found = writer.enter_loop(planned, loop)
    names = found.names
    inner: list[Line] = []
    indent = " " * 4
    slices = [
        (names[leaf], writer.slice_of(writer.value(whole).text, whole, cut))
        for leaf, (whole, cut) in body.slices.items()
    ]
    paragraphs = Paragraphs(titles, inner, indent)
    for node in loop.statements:
        paragraphs.add(writer.whole(node), writer.statement(node, loop))
    parts = [names[node] for node in body.partial]
    rows = names.size(str(body.tile))
    if any(re.search(rf"\b{rows}\b", line.code) for line in inner):
        inner.insert(0, Line(f"{indent}{rows} = {found.last} - {found.first}"))
    head = [
        Line(""),
        Line(f"def {found.function}({found.first}, {found.last}, work, part):"),
        Line(f'{indent}"""{_tile_doc(writer, loop, found)}"""'),
        *(Line(f"{indent}{name} = {text}") for name, text in slices),
    ]
    back = f"return {', '.join(parts) + ',' * (len(parts) == 1)}" if parts else "return ()"
    called = ", ".join(parts) if len(parts) > 1 else f"({parts[0]},)" if parts else ""
    most = heights.get(writer.space_of(loop)) or str(writer.space_of(loop).most)
    call = _call_text(writer, loop, found.function, count, most)
    writer.enter(planned)
    written = [
        *head,
        *inner,
        Line(indent + back),
        Line(""),
        Line(f"{called} = {call}" if called else call, Comment(how_often(writer.plan, loop))),
    ]
    return [*lines, *(replace(line, loop=loop) if line.code else line for line in written)]


def _tile_doc(writer: Writer, loop: PlannedLoop, found: LoopNames) -> str:
    """What a tile's function does, in a line."""
    of = f" of {clean(str(loop.loop.rows))}" if not isinstance(loop.loop.rows, int) else ""
    shares = ", and their parts of the sums" if loop.loop.partial else ""
    return f"Rows {found.first} to {found.last}{of}{shares}."


def _call_text(writer: Writer, loop: PlannedLoop, function: str, count: str, most: str) -> str:
    """The call that runs a loop; what is usual is left out."""
    space, names = writer.space_of(loop), writer.names
    interface = writer.plan.schedule.interface
    work, part = class_names(writer.plan, space)
    kinds = (work if space.buffers else "None", part if space.parts else "None")
    sizes = [[names.size(name) for name in each] for each in (space.sizes, space.part_sizes)]
    how = [loop.loop.whole_of[node].op.combines for node in loop.loop.partial]
    options = [
        f"({', '.join(kinds)})",
        f"sizes=({', '.join(return_tuple(each) if each else '()' for each in sizes)})" if any(sizes) else "",
        f"how={return_tuple([f'np.{one}' for one in how])}" if set(how) - {"add"} else "",
        "" if any(node.op.uses_blas(node) for node in loop.loop.steps) else "uses_blas=False",
        f"threads={interface.threads}" if interface.threads else "",
        f"at_most={writer.plan.most_threads}" if writer.plan.most_threads and not interface.threads else "",
    ]
    return f"_by_tiles({', '.join(text for text in (function, count, most, *options) if text)})"


# ---- sizes and titles ----


def size_lines(writer: Writer, names: Iterable[str], available: Sequence[tuple[str, Shape]]) -> list[Line]:
    """Read named sizes off the first array that has them."""
    where: dict[str, str] = {}
    for text, shape in available:
        for axis, size in enumerate(shape):
            if isinstance(size, Dim) and size.name is not None:
                where.setdefault(size.name, f"{text}.shape[{axis}]")
    lines = []
    for name in names:
        if name not in where:
            raise AssertionError(f"no argument has the size {name}")  # checked when the graph was defined
        lines.append(Line(f"{writer.names.size(name)} = {where[name]}"))
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
