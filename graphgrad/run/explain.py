"""What one emitted line is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphgrad.core.dim import Size, add
from graphgrad.core.errors import ArgumentError
from graphgrad.core.graph import Graph, Origin
from graphgrad.core.node import Node
from graphgrad.emit.plan_text import routine_of, which_loop
from graphgrad.emit.source import Source
from graphgrad.plan.memory import bytes_text, nbytes
from graphgrad.plan.plan import Plan

_INTO = re.compile(r"\bout=([\w.]+)")


@dataclass(frozen=True)
class Explanation:
    """One line of an emitted module."""

    line: int
    code: str
    function: str = ""
    model_line: str = ""
    """The user's line that it comes from."""
    term: str = ""
    """What it does for the chain rule; empty for a line of the model itself."""
    result: str = ""
    """The spec of what it assigns."""
    bytes: Size = 0
    """What it allocates: nothing for what it writes into an array that is there."""
    into: str = ""
    """The buffer of the workspace that it writes into, or the variable whose array it writes over."""
    flops: Size = 0
    loop: str = ""
    """The loop that it belongs to: over what, and how many rows at a time."""
    at_once: str = ""
    """Why it is in no loop, although it reads rows that could be cut into tiles."""
    lines: tuple[int, ...] = ()
    """All the lines of what it is a part of, if there are several: bytes and flops are theirs together."""
    rules: tuple[str, ...] = ()
    """The rules that shaped it: name, class, what became of what, and the user's line."""

    def __str__(self) -> str:
        rows = [f"line {self.line}:  {self.code}"]
        if self.function:
            rows.append(f"  in          {self.function}")
        if self.loop:
            rows.append(f"  loop        {self.loop}")
        if self.at_once:
            rows.append(f"  at once     {self.at_once}")
        if self.model_line:
            rows.append(f"  model       {self.model_line}")
        if self.term:
            rows.append(f"  chain rule  {self.term}")
        if self.lines:
            rows.append(f"  together    lines {self.lines[0]} to {self.lines[-1]}")
        if self.result:
            into = f" in {self.into}" if self.into else ""
            rows.append(f"  result      {self.result}{into}, allocates {bytes_text(self.bytes)}")
            rows.append(f"  work        {self.flops} flops")
        rows += [f"  rule        {one}" for one in self.rules]
        return "\n".join(rows)


def explain(source: Source, plan: Plan, line: int) -> Explanation:
    """Explain a line, counted from 1.

    Raises
    ------
    ArgumentError
        If there is no such line.
    """
    text = source.text.splitlines()
    if isinstance(line, bool) or not isinstance(line, int | np.integer) or not 1 <= line <= len(text):
        raise ArgumentError(f"{source.name} has lines 1 to {len(text)}, not {line!r:.60}")
    line = int(line)
    origin = source.by_line.get(line)
    code = text[line - 1].strip()
    loop = which_loop(plan, source.loops[line]) if line in source.loops else ""
    if origin is None:
        return Explanation(line, code, loop=loop)
    node = origin.nodes[-1]
    planned = routine_of(plan, origin.function, node)
    into = _INTO.findall(origin.code)
    allocates: Size = 0
    flops: Size = 0
    for part in origin.nodes:
        if part is not node or not into:
            allocates = add(allocates, nbytes(part))
        flops = add(flops, part.flops)
    same = [at for at, one in sorted(source.by_line.items()) if one.nodes is origin.nodes]
    graph = plan.schedule.graph
    entries = graph.origins.get(node, ())
    site = graph.site(entries[0].forward if entries else node)
    return Explanation(
        line,
        code,
        origin.function,
        site.describe() if site is not None else "",
        "; ".join(_term(graph, entry) for entry in entries),
        str(node.spec),
        allocates,
        into[-1] if into else "",
        flops,
        loop,
        "" if planned is None or loop else planned.at_once.get(node, ""),
        tuple(same) if len(same) > 1 else (),
        _rules(graph, origin.nodes),
    )


def _rules(graph: Graph, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The firings that made these nodes, or did what was written into one of them."""
    done = graph.rewriting
    if done is None:
        return ()
    shown = [
        done.describe(one)
        for one in done.firings
        if one.replacement in nodes
        or any(node in done.made_for and done.made_for[node] is one.written for node in nodes)
        or graph.home(one.written) in nodes
    ]
    return tuple(dict.fromkeys(shown))


def _term(graph: Graph, origin: Origin) -> str:
    forward = origin.forward
    name = graph.name(graph.current(forward)) or forward.op.name
    match origin.role:
        case "chain" if origin.index is not None:
            operand = forward.op.operand_name(origin.index)
            rule = forward.op.rule.get(operand, "")
            return f"{forward.op.name} by its operand {operand}" + (f": {rule}" if rule else "")
        case "cotangent":
            return f"the gradient by {name}"
        case "unbroadcast":
            return f"{name} was broadcast, so its gradient is a sum"
        case "accumulate":
            return f"{name} is used more than once, so its gradients add up"
        case "spread":
            return f"written out in the shape of {name}"
        case "zero":
            return f"no gradient reaches {name}"
        case "guard":
            return f"0 where {name} was not chosen: 0 times an infinite derivative would be nan"
    return f"the seed: the gradient of {name} by itself"
