"""`emit`: a plan written down as a module."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.node import Node
from graphgrad.core.text import write_nodes
from graphgrad.emit import runtime
from graphgrad.emit.namer import Namer, identifier
from graphgrad.emit.numpy import Writer
from graphgrad.emit.routines import Function, functions, output_words
from graphgrad.emit.selfcheck import selfcheck_text
from graphgrad.emit.source import WIDTH, Source, Statement, lay_out, wrap
from graphgrad.emit.spelling import array_text, clean
from graphgrad.emit.workspace import workspace_text
from graphgrad.plan.limit import ANY, bytes_at_any_size
from graphgrad.plan.loops import PlannedLoop
from graphgrad.plan.memory import bytes_text
from graphgrad.plan.plan import Plan

_LARGEST_LITERAL = 64
"""Constants with more elements stand in a file beside the module."""
_KIND = {"input": "input", "param": "parameter", "state": "state", "rng": "generator"}


def emit(plan: Plan, target: str = "numpy") -> Source:
    """Write a plan as a module that needs NumPy and nothing else."""
    names = Namer(plan)
    constants, arrays = _constants(plan, names)
    writer = Writer(plan, names, constants)
    written = functions(writer)  # now it is known which helpers they call
    writer.enter(plan.routines[0])  # outside functions, results are called what forward calls them
    text: list[str] = [_docstring(writer), "", *_imports(plan, arrays), ""]
    if arrays:
        text += ['_arrays = dict(np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False))']
    for node, name in constants.items():
        text.append(
            f'{name} = _arrays["{name}"]'
            if name in arrays
            else wrap(f"{name} = {array_text(node.attrs['value'])}")
        )
    if constants:
        text.append("")
    text.append("# fmt: off")
    text += workspace_text(plan, names, writer.buffers)
    for helper in writer.helpers:
        text += ["", *helper.source.rstrip("\n").split("\n")]
    statements: list[Statement] = []
    loops: dict[int, PlannedLoop] = {}
    for function in written:
        _add_function(text, function, statements, loops)
    text += ["", *map(wrap, selfcheck_text(writer).rstrip("\n").split("\n"))]
    module = "\n".join(text) + runtime.ending(runtimes(plan))
    return Source(plan.schedule.interface.name, module, tuple(statements), arrays, names, loops)


def runtimes(plan: Plan) -> tuple[str, ...]:
    """What the module carries of `graphgrad.emit.runtime`."""
    of_loops, of_workspace, none = runtime.CARRIED
    return of_loops if plan.tiles else of_workspace if plan.workspace else none


def outline(plan: Plan) -> Source:
    """The statements that `emit` writes, without the module around them: for who only looks at them."""
    names = Namer(plan)
    written = functions(Writer(plan, names, _constants(plan, names)[0], with_comments=False))
    statements = [
        Statement(signature.partition("(")[0], line.code.strip(), range(0), line.nodes)
        for signature, _, lines in written
        for line in lines
        if line.nodes
    ]
    return Source(plan.schedule.interface.name, "", tuple(statements), names=names)


def _imports(plan: Plan, arrays: Mapping[str, Any]) -> list[str]:
    standard = ["import threading"] * bool(plan.workspace)
    if plan.tiles:
        standard = [f"import {name}" for name in ("atexit", "math", "os", "sys", "threading", "weakref")]
        standard += [
            "from collections import deque",
            "from contextlib import suppress",
            "from contextvars import copy_context",
            "from queue import SimpleQueue",
        ]
    if arrays:
        standard.insert(len(standard) - bool(plan.tiles), "from pathlib import Path")
    return [*standard, *([""] if standard else []), "import numpy as np"]


def _add_function(
    text: list[str], function: Function, statements: list[Statement], loops: dict[int, PlannedLoop]
) -> None:
    signature, doc, body = function
    text += ["", "", wrap(f"def {signature}:"), *_function_doc(doc)]
    name = signature.partition("(")[0]
    number = sum(part.count("\n") + 1 for part in text)
    for line, written in zip(body, lay_out(body), strict=True):
        rows = range(number + 1, number + written.count("\n") + 2)
        if line.nodes:
            statements.append(Statement(name, line.code.strip(), rows, line.nodes))
        if line.loop is not None:
            loops.update(dict.fromkeys(rows, line.loop))
        text.append(written)
        number += len(rows)


def _function_doc(doc: str) -> list[str]:
    """A docstring, over several lines if it is long."""
    if len(doc) + 10 <= WIDTH:
        return [f'    """{doc}"""']
    lines = textwrap.wrap(doc, WIDTH - 7, break_long_words=False, break_on_hyphens=False)
    return [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """']


def _constants(plan: Plan, names: Namer) -> tuple[dict[Node, str], dict[str, np.ndarray[Any, Any]]]:
    """Array constants by name; those too large to write down also by value."""
    found: dict[Node, str] = {}
    large: dict[str, np.ndarray[Any, Any]] = {}
    for node in plan.constants:
        found[node] = names[node]
        if node.attrs["value"].size > _LARGEST_LITERAL:
            large[found[node]] = node.attrs["value"]
    return found, large


def graph_hash(plan: Plan) -> str:
    """A short hash of what the module computes."""
    schedule = plan.schedule
    text = write_nodes(schedule.graph.outputs, schedule.interface.arguments)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _docstring(writer: Writer) -> str:
    plan = writer.plan
    interface = plan.schedule.interface
    name = identifier(interface.name, "model")
    how = "the chain rule written out" if interface.level == "plain" else "with planned memory"
    title = f"{name}: forward." if interface.wrt is None else f"{name}: forward and backward, {how}."
    files = dict.fromkeys(
        site.place.rpartition(":")[0]
        for node in plan.schedule.forward.steps
        if (site := plan.schedule.graph.site(node)) is not None
    )
    made_from = f" from {_safe(next(iter(files)), 28)}" if files else ""
    lines = [
        title,
        "",
        f'Emitted by graphgrad{made_from}, level "{interface.level}", graph {graph_hash(plan)}. Needs NumPy only.',
        "",
        f"    {_example(writer)}",
        "",
        *_argument_table(writer),
        "",
        _memory_sentence(writer),
    ]
    wrapped = [wrap(line) if line.startswith(" ") else textwrap.fill(line, WIDTH) for line in lines]
    return '"""' + "\n".join(line.rstrip() for line in wrapped) + '\n"""'


def _memory_sentence(writer: Writer) -> str:
    plan = writer.plan
    memory = plan.memory
    results = f"{_bytes(writer, memory.results)} of it results"
    if not plan.workspace and not plan.tiles:
        return f"Memory beyond the arguments: {_bytes(writer, memory.peak)} at most, {results}."
    each = bytes_at_any_size(plan, 2) - bytes_at_any_size(plan, 1)
    grows = bytes_at_any_size(plan, 2, 2 * ANY) - bytes_at_any_size(plan, 1, 2 * ANY) != each
    takes = "as much for its own tiles" if grows else f"{bytes_text(each)} at most"
    more = f" A further thread takes {takes}." if plan.tiles else ""
    return (
        f"Memory beyond the arguments: {_bytes(writer, memory.peak)} in a thread's first call, {results}, and the "
        f"rest is kept for its next.{more}"
    )


def _bytes(writer: Writer, size: Size) -> str:
    """In the module's own names: those of the model may be any text."""
    return bytes_text(size) if isinstance(size, int) else f"{writer.size(size).text} B"


def _example(writer: Writer) -> str:
    interface = writer.plan.schedule.interface
    arguments = ", ".join(writer.names[leaf] for leaf in interface.arguments)
    what = output_words(interface, writer) if interface.structure.kind == "one" else "outputs"
    if interface.wrt is None:
        return f"{what} = forward({arguments})"
    cotangent = ", cotangent=..." if interface.needs_cotangent else ""
    return f"{what}, grads = forward_and_backward({arguments}{cotangent})"


def _argument_table(writer: Writer) -> list[str]:
    """Arguments and their specs: data on the left, parameters on the right."""
    arguments = writer.plan.schedule.interface.arguments
    data = _rows(writer, [leaf for leaf in arguments if leaf.op.name != "param"])
    params = _rows(writer, [leaf for leaf in arguments if leaf.op.name == "param"])
    wide = max(map(len, data), default=0)
    if not data or not params or wide + max(map(len, params)) > 98:
        return [f"    {row}" for row in data + params]
    height = max(len(data), len(params))
    left, right = (rows + [""] * (height - len(rows)) for rows in (data, params))
    return [f"    {one:<{wide}}      {other}".rstrip() for one, other in zip(left, right, strict=True)]


def _rows(writer: Writer, leaves: list[Node]) -> list[str]:
    cells = [
        (writer.names[leaf], f"{'' if leaf.op.name == 'rng' else leaf.dtype} {writer.shape(leaf.shape)}".strip(),
         _KIND[leaf.op.name] + _real_name(writer, leaf))
        for leaf in leaves
    ]  # fmt: skip
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(2)]
    return [f"{name:<{widths[0]}}  {spec:<{widths[1]}}  {kind}" for name, spec, kind in cells]


def _real_name(writer: Writer, leaf: Node) -> str:
    name = leaf.attrs["name"]
    return "" if name == writer.names[leaf] else f" {_safe(name)}"


def _safe(text: str, longest: int = 40) -> str:
    """Text that can stand in a docstring, and that every terminal can show."""
    return clean("".join(letter if letter.isascii() else "?" for letter in text), longest)
