"""The arrays that emitted functions compute into: one class for those of a whole call, and one for those of a tile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphgrad.core.dim import spell
from graphgrad.emit.namer import Namer
from graphgrad.emit.source import Comment, Line, lay_out
from graphgrad.emit.spelling import dtype_text, return_tuple
from graphgrad.plan.buffers import Buffer, Placement
from graphgrad.plan.plan import Plan
from graphgrad.plan.space import TileSpace

Holders = Mapping[Buffer, Sequence[str]]
"""The names of the values that a buffer holds, one after the other."""


@dataclass(frozen=True)
class BufferNames:
    """What the buffers of a module are called: each after the first value it holds where most calls go."""

    whole: Mapping[Buffer, str]
    tiles: Mapping[TileSpace, Mapping[Buffer, str]]
    parts: Mapping[TileSpace, Mapping[Buffer, str]]


def buffer_names(plan: Plan, names: Namer) -> BufferNames:
    """Give every buffer its name."""
    main = plan.main
    planned = (main, *(other for other in plan.routines if other is not main))
    tiles: dict[TileSpace, dict[Buffer, str]] = {}
    parts: dict[TileSpace, dict[Buffer, str]] = {}
    for space in plan.tiles:
        loops = [(one, loop) for one in planned for loop in one.loops if loop.loop.rows == space.rows]
        within = [(names.of_loop(one, loop).names, loop) for one, loop in loops]
        tiles[space] = _named(pair for inner, loop in within for pair in _held(loop.placement, inner))
        parts[space] = _named(
            (buffer, inner[node]) for inner, loop in within for node, buffer in loop.parts.items()
        )
    whole = _named(
        pair
        for one in planned
        if one.placement is not None
        for pair in _held(one.placement, names.within(one.routine))
    )
    return BufferNames(whole, tiles, parts)


def _held(placement: Placement, names: Namer) -> Iterable[tuple[Buffer, str]]:
    """Each buffer with what it holds."""
    for node, buffer in placement.buffers.items():
        yield buffer, names[node]
    for node, buffers in placement.scratch.items():
        for buffer in buffers:
            yield buffer, f"{names[node]}_scratch"


def _named(held: Iterable[tuple[Buffer, str]]) -> dict[Buffer, str]:
    found: dict[Buffer, str] = {}
    taken: set[str] = set()  # only asked, never iterated
    for buffer, name in held:
        if buffer not in found:
            found[buffer] = _unused(name, taken)
            taken.add(found[buffer])
    return found


def _unused(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


# ---- classes ----


def workspace_text(plan: Plan, names: Namer, buffers: BufferNames) -> list[str]:
    """The classes of the arrays."""
    main = plan.main
    text: list[str] = []
    if plan.workspace:
        sizes = [names.size(size) for size in plan.workspace_sizes]
        held = _held(main.placement, names.within(main.routine)) if main.placement is not None else ()
        for_one = f", for one {' and '.join(sizes)}" if sizes else ""
        doc = f"What a call computes into{for_one}. A thread keeps it for its next call."
        lines = _arrays(plan.workspace, buffers.whole, names, "np.empty", _by_buffer(held))
        text += _class("Workspace", doc, sizes, lines)
    for space in plan.tiles:
        loops = [loop for loop in main.loops if loop.loop.rows == space.rows]
        inner = [names.of_loop(main, loop).names for loop in loops]
        of_rows = inner[0] if inner else _any_names(plan, names, space)
        if space.buffers:
            sizes = [of_rows.size(name) for name in (str(space.tile), *space.sizes)]
            held = [
                pair for one, loop in zip(inner, loops, strict=True) for pair in _held(loop.placement, one)
            ]
            doc = f"Where so many rows of {names_of(space, names)} are computed. The calling thread keeps it."
            lines = _arrays(space.buffers, buffers.tiles[space], of_rows, "empty", _by_buffer(held))
            text += _class(class_names(plan, space)[0], doc, [*sizes, "empty=np.empty"], lines)
        if space.parts:
            sizes = [of_rows.size(name) for name in space.part_sizes]
            doc = "Where a tile's part is computed of what is added up from tile to tile."
            lines = _arrays(space.parts, buffers.parts[space], of_rows, "empty", {})
            text += _class(class_names(plan, space)[1], doc, [*sizes, "empty=np.empty"], lines)
    return text


def class_names(plan: Plan, space: TileSpace) -> tuple[str, str]:
    """The classes of a dimension's tiles and parts."""
    number = plan.tiles.index(space)
    return (f"_Tile_{number + 1}", f"_Parts_{number + 1}") if number else ("_Tile", "_Parts")


def names_of(space: TileSpace, names: Namer) -> str:
    """What the dimension is called."""
    return spell(space.rows, names.size) if not isinstance(space.rows, int) else f"{space.rows:,}"


def _any_names(plan: Plan, names: Namer, space: TileSpace) -> Namer:
    return next(
        names.of_loop(one, loop).names
        for one in plan.routines
        for loop in one.loops
        if loop.loop.rows == space.rows
    )


def _by_buffer(held: Iterable[tuple[Buffer, str]]) -> Holders:
    found: dict[Buffer, dict[str, None]] = {}
    for buffer, name in held:
        found.setdefault(buffer, {})[name] = None
    return {buffer: [*names] for buffer, names in found.items()}


def _class(name: str, doc: str, sizes: Sequence[str], lines: Sequence[Line]) -> list[str]:
    return [
        "",
        "",
        f"class {name}:",
        f'    """{doc}"""',
        "",
        f"    def __init__({', '.join(('self', *sizes))}):",
        *lay_out(lines, " " * 8),
    ]


def _arrays(
    buffers: Iterable[Buffer], called: Mapping[Buffer, str], names: Namer, maker: str, held: Holders
) -> list[Line]:
    lines: list[Line] = []
    for buffer in buffers:
        shape = [spell(size, names.size) for size in buffer.spec.shape]
        code = f"self.{called[buffer]} = {maker}({return_tuple(shape)}, {dtype_text(buffer.spec.dtype)})"
        lines.append(Line(code, Comment(_holders([*held.get(buffer, ())])) if held else None))
    return lines


def _holders(names: list[str], longest: int = 50) -> str:
    shown = ", then ".join(names[:2])
    for name in names[2:]:
        if len(shown) + len(name) > longest:
            return shown + ", ..."
        shown += f", {name}"
    return shown or "of other functions"


# ---- who may use them ----


def borrow_line(plan: Plan, names: Namer) -> Line:
    """Where a function gets its workspace."""
    return Line(f"work = _borrow({', '.join(('Workspace', *map(names.size, plan.workspace_sizes)))})")


def give_back_line(plan: Plan, names: Namer) -> Line:
    """Where a function hands its workspace on; from there on, nothing of it may be read."""
    return Line(f"_give_back({', '.join(('work', *map(names.size, plan.workspace_sizes)))})")
