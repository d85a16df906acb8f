"""The workspace in emitted source: the buffers, and which call may use them."""

from __future__ import annotations

from collections.abc import Mapping

from graphgrad.core.dim import spell
from graphgrad.emit.namer import Namer
from graphgrad.emit.source import Comment, Line, lay_out
from graphgrad.emit.spelling import dtype_text, return_tuple
from graphgrad.plan.buffers import Buffer
from graphgrad.plan.plan import Plan

POOL = '''
class _Pool(threading.local):
    """Each thread's own workspaces, by size, but for those that a call is using."""

    def __init__(self):
        self.free = {}
'''
FREE = "_pool = _Pool()"
BORROW = '''
def _borrow(*sizes):
    """A workspace for one call: what an earlier call of this thread gave back, else a new one."""
    return _pool.free.pop(sizes, None) or Workspace(*sizes)
'''
GIVE_BACK = '''
def _give_back(work, *sizes):
    """Keep a workspace for the next call. A thread keeps those of the four sizes it used last."""
    free = _pool.free
    free[sizes] = work
    for unused in list(free)[:-4]:
        free.pop(unused, None)
'''
FIXED = {"_Pool": POOL, "_pool": FREE, "_borrow": BORROW, "_give_back": GIVE_BACK}
"""What stands in every module that has a workspace, word for word."""


def buffer_names(plan: Plan, names: Namer) -> dict[Buffer, str]:
    """Each buffer is called after the first value it holds in the function that people call most."""
    found: dict[Buffer, str] = {}
    taken: set[str] = set()  # only asked, never iterated
    main = plan.main
    for planned in (main, *(other for other in plan.routines if other is not main)):
        if planned.placement is None:
            continue
        inner = names.within(planned.routine)
        holders = planned.placement.buffers.items()
        scratch = [
            (buffer, f"{inner[node]}_scratch")
            for node, buffers in planned.placement.scratch.items()
            for buffer in buffers
        ]
        for buffer, name in [*((buffer, inner[node]) for node, buffer in holders), *scratch]:
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


def workspace_text(plan: Plan, names: Namer, buffers: Mapping[Buffer, str]) -> list[str]:
    """The class of the workspace, and the pool that hands it out."""
    held: dict[Buffer, dict[str, None]] = {}
    main = plan.main
    if main.placement is not None:
        inner = names.within(main.routine)
        for node, buffer in main.placement.buffers.items():
            held.setdefault(buffer, {})[inner[node]] = None
    sizes = [names.size(size) for size in plan.workspace_sizes]
    lines: list[Line] = []
    for buffer in plan.workspace:
        shape = [spell(size, names.size) for size in buffer.spec.shape]
        code = f"self.{buffers[buffer]} = np.empty({return_tuple(shape)}, {dtype_text(buffer.spec.dtype)})"
        lines.append(Line(code, Comment(_holders([*held.get(buffer, ())]))))
    one = f", for one {' and '.join(sizes)}" if sizes else ""
    return [
        "",
        "class Workspace:",
        f'    """What a call computes into{one}. A thread keeps it for its next call."""',
        "",
        f"    def __init__({', '.join(('self', *sizes))}):",
        *lay_out(lines, " " * 8),
        "",
        *POOL.split("\n"),
        "",
        FREE,
        "",
        *BORROW.split("\n"),
        *GIVE_BACK.rstrip("\n").split("\n"),
    ]


def _holders(names: list[str], longest: int = 50) -> str:
    shown = ", then ".join(names[:2])
    for name in names[2:]:
        if len(shown) + len(name) > longest:
            return shown + ", ..."
        shown += f", {name}"
    return shown or "of other functions"


def borrow_line(plan: Plan, names: Namer) -> Line:
    """Where a function gets its workspace."""
    return Line(f"work = _borrow({', '.join(map(names.size, plan.workspace_sizes))})")


def give_back_line(plan: Plan, names: Namer) -> Line:
    """Where a function hands its workspace on; from there on, nothing of it may be read."""
    return Line(f"_give_back({', '.join(('work', *map(names.size, plan.workspace_sizes)))})")
