"""NumPy source for nodes: expressions, statements, and the comments that say where they come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.core import dim
from graphgrad.core.dim import Size
from graphgrad.core.form import PRODUCT, SUM, Destination, Form, Helper, Lines
from graphgrad.core.graph import Origin
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape
from graphgrad.emit.namer import LoopNames, Namer
from graphgrad.emit.source import Comment, Line
from graphgrad.emit.spelling import clean, dtype_text
from graphgrad.emit.workspace import buffer_names
from graphgrad.ops.leaf import literal
from graphgrad.plan.buffers import Buffer
from graphgrad.plan.dependence import Cut
from graphgrad.plan.loops import PlannedLoop
from graphgrad.plan.plan import Plan, PlannedRoutine
from graphgrad.plan.schedule import is_free
from graphgrad.plan.space import TileSpace

_LONGEST_PLACE = 32


class Writer:
    """Writes the nodes of one module; it is the speller that an op's emission asks."""

    def __init__(
        self, plan: Plan, names: Namer, constants: dict[Node, str], *, with_comments: bool = True
    ) -> None:
        self.plan = plan
        self.with_comments = with_comments
        """Whether somebody reads the comments and headings."""
        self._module_names = self.names = names
        self.constants = constants
        """Array constants and what they are called in the module."""
        self.graph = plan.schedule.graph
        self.helpers: dict[Helper, None] = {}
        """What statements written so far call, in order."""
        self.buffers = buffer_names(plan, names)
        self.loop: PlannedLoop | None = None
        """The loop that is being written, if it is one."""
        self.rows = ("first", "last")
        """What the rows are called where its tile begins and ends."""
        written = plan.schedule.graph.original
        self._first_reader = {
            part: node
            for node in reversed(written.nodes)
            if node not in written.origins
            for part in node.inputs
        }

    def enter(self, routine: PlannedRoutine) -> None:
        """From here on, names and places are those of this function."""
        self.loop = None
        self.names = self._module_names.within(routine.routine)
        whole = self.plan.schedule.graph
        self.graph = whole.original if routine.routine.kind == "reference" else whole

    def enter_loop(self, routine: PlannedRoutine, loop: PlannedLoop) -> LoopNames:
        """From here on, names and places are those of this loop of a function."""
        found = self._module_names.of_loop(routine, loop)
        self.loop, self.names, self.graph = loop, found.names, loop.graph
        self.rows = found.first, found.last
        return found

    def whole(self, node: Node) -> Node:
        """The node of the function that a node is a tile of, or itself."""
        return node if self.loop is None else self.loop.loop.whole_of.get(node, node)

    def space_of(self, loop: PlannedLoop) -> TileSpace:
        """The arrays of a loop's tiles."""
        return next(space for space in self.plan.tiles if space.rows == loop.loop.rows)

    def size(self, size: Size) -> Form:
        text = dim.spell(size, self.names.size)
        return Form(text) if isinstance(size, int) or size.name is not None else Form(text, SUM)

    def shape(self, shape: Shape) -> str:
        inner = ", ".join(self.size(size).text for size in shape)
        return f"({inner},)" if len(shape) == 1 else f"({inner})"

    def dtype(self, dtype: np.dtype[Any]) -> str:
        return dtype_text(dtype)

    def typed(self, node: Node, part: Form) -> str:
        """An operand, with its dtype if it is a number."""
        return self.value(node).text if self._is_number(node) else part.text

    def helper(self, helper: Helper) -> str:
        """The name to call a helper by, which from now on stands in the module."""
        self.helpers[helper] = None
        return helper.name

    def value(self, node: Node, weak: bool = False) -> Form:
        """A node by its name; a constant or a size written out, with its dtype unless `weak`."""
        if node.op.name == "const":
            if node in self.constants:
                return Form(self.constants[node])
            form = literal(node)
        elif node.op.name == "run_time_size":
            form = self.size(node.attrs["size"])
        else:
            return Form(self.names[node])
        return form if weak else Form(f"{dtype_text(node.dtype)}({form.text})")

    def parts(self, node: Node, inside: Any) -> list[Form]:
        """A node's operands, with what stands `inside` its statement written out."""
        parts: list[Form] = []
        for at, part in enumerate(node.inputs):
            if part in inside:
                form = self.expression(part, inside)
                parts.append(form if isinstance(form, Form) else Form(self.names[part]))
            else:
                parts.append(self.value(part, weak=self._takes_weak(node, at)))
        return parts

    def expression(self, node: Node, inside: Any) -> Form | Lines:
        """A node as an expression of its inputs' names, with what stands `inside` it written out."""
        return node.op.numpy(self, self.parts(node, inside), node)

    def _takes_weak(self, node: Node, at: int) -> bool:
        """Whether a Python number may stand for this operand: another one of its dtype settles the result's."""
        if not node.op.is_expression:
            return True
        dtype = node.inputs[at].dtype
        return node.op.elementwise and any(
            other.dtype == dtype
            and (index > at or not self._is_number(other))  # of numbers alone, the last settles it
            for index, other in enumerate(node.inputs)
            if index != at
        )

    def _is_number(self, node: Node) -> bool:
        return is_free(node) and not node.op.is_leaf and node not in self.constants

    def statement(self, node: Node, routine: PlannedRoutine | PlannedLoop) -> list[Line]:
        """The lines that compute a node."""
        name, nodes = self.names[node], routine.statements[node]
        comment = self.comment(node) if self.with_comments else None
        codes = self._placed(node, name, routine) if routine.placement is not None else None
        if codes is None:
            written = self.expression(node, routine.inside)
            codes = (f"{name} = {written.text}",) if isinstance(written, Form) else written.statements
            filled = self._filled(node)
            codes = codes if filled is None else (*codes, f"{filled}[...] = {name}")
        first, *rest = (code.replace("{out}", name) for code in codes)
        if self.loop is not None:
            nodes = tuple(map(self.whole, nodes))
        return [Line(first, comment, nodes), *(Line(code, None, nodes) for code in rest)]

    def _placed(self, node: Node, name: str, routine: PlannedRoutine | PlannedLoop) -> tuple[str, ...] | None:
        """The statements that compute a node where its value is to lie; None if its op's expression will do."""
        placement = routine.placement
        if placement is None or node.op.into is None or (self.loop and self.loop.loop.is_copied(node)):
            return None
        buffer, over = placement.buffers.get(node), placement.over.get(node)
        scratch = tuple(self._array(each) for each in placement.scratch.get(node, ()))
        out = self._filled(node) or self._part(node)
        if over is not None:
            out = self.names[over]
        elif buffer is not None:
            out = self._array(buffer)
        elif out is None and scratch:
            out = f"np.empty({self.shape(node.shape)}, {dtype_text(node.dtype)})"
        to = Destination(out, scratch, None if self.loop is None else self.loop.many_rows)
        written = node.op.into(self, self.parts(node, routine.inside), node, to)
        if isinstance(written, Form):
            return (f"{name} = {written.text}",)
        if written is not None and out is not None and out == self._part(node):
            # of a single tile the part is None, as out=None: it becomes the result itself
            out = f"np.empty({self.shape(node.shape)}, {dtype_text(node.dtype)}) if {out} is None else {out}"
        return None if written is None else (f"{name} = {out}", *written.statements)

    def _array(self, buffer: Buffer) -> str:
        """A buffer: of the call's workspace, or of the tile's."""
        if self.loop is None:
            return f"work.{self.buffers.whole[buffer]}"
        return f"work.{self.buffers.tiles[self.space_of(self.loop)][buffer]}"

    def _part(self, node: Node) -> str | None:
        """Where a tile's part of a large sum goes."""
        if self.loop is None or node not in self.loop.parts:
            return None
        return f"part.{self.buffers.parts[self.space_of(self.loop)][self.loop.parts[node]]}"

    def _filled(self, node: Node) -> str | None:
        """The slice of a whole array that a tile's value goes to."""
        if self.loop is None or node not in self.loop.loop.cuts:
            return None
        whole = self.loop.loop.whole_of[node]
        return self.slice_of(self.names[whole], whole, self.loop.loop.cuts[node])

    def slice_of(self, text: str, whole: Node, cut: Cut) -> str:
        """The rows of a tile of a whole array."""
        assert self.loop is not None  # there are tiles in loops only
        first, last = self.rows
        scale = "" if cut.per_row == 1 else f" * {self.size(cut.per_row).at(PRODUCT + 1)}"
        return f"{text}[{':, ' * cut.axis}{first}{scale}:{last}{scale}]"

    def comment(self, node: Node) -> Comment | None:
        """The chain-rule term, or the user's expression and its place."""
        origins = self.graph.origins.get(node)
        if origins:
            return Comment(self.term(node, origins[0]))
        site = self.graph.site(node)
        if site is None:
            return None
        place = site.place if len(site.place) <= _LONGEST_PLACE else "..." + site.place[3 - _LONGEST_PLACE :]
        return Comment(site.text, place)

    def term(self, node: Node, origin: Origin) -> str:
        """The step of the chain rule that a node is, in words."""
        forward = origin.forward
        name = self.called(forward)
        match origin.role:
            case "chain" if origin.index is not None:
                rule = forward.op.rule.get(forward.op.operand_name(origin.index), "") or forward.op.rule.get(
                    "x", ""
                )
                return f"{forward.op.name + ':':<10} {rule}"
            case "unbroadcast":
                return f"{self.reader_of(forward).op.name + ':':<10} {name} was broadcast{_over(self.whole(node))}"
            case "accumulate":
                return f"{'sum:':<10} {name} is used more than once"
            case "guard":
                return f"{'guard:':<10} 0 where {name} was not chosen, never 0 * inf"
            case "spread":
                return f"{'spread:':<10} written out as {name}"
            case "zero":
                return f"{'zero:':<10} no gradient reaches {name}"
        return f"{'seed:':<10} d {name} / d {name}"

    def reader_of(self, node: Node) -> Node:
        """The op of the model, as it was written, that reads a node first; the node itself if none does."""
        return self._first_reader.get(node, node)

    def called(self, node: Node) -> str:
        """A node's name in the module, or its op if it has none."""
        node = self.graph.current(node)
        try:
            return self.names[node]
        except KeyError:
            return clean(self.graph.name(node) or node.op.name)


def _over(node: Node) -> str:
    if node.op.name != "sum":
        return ""
    shape = node.inputs[0].shape
    return " over " + ", ".join(clean(str(shape[axis])) for axis in node.attrs["axes"])
