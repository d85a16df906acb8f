"""What the compiler did to a model, pass by pass: the rules that fired and where, what they saved, and the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import Any

from graphgrad.core.dim import Size, add
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface
from graphgrad.core.rewriting import place
from graphgrad.emit.module import emit
from graphgrad.emit.source import Source
from graphgrad.pipeline import compile
from graphgrad.plan.memory import bytes_text
from graphgrad.plan.plan import Plan, plan_memory
from graphgrad.plan.schedule import schedule
from graphgrad.run.compiled import Compiled

_SHOWN = ("forward", "backward", "step")
"""The functions whose statements are compared; `forward_and_backward` says the same again."""
_BEFORE = ("define", "stabilize", "differentiate")
"""Stages that the first one shown, the model as it was written with its gradients, stands for."""


@dataclass(frozen=True)
class Step:
    """One pass that changed the graph, or the graph before all of them."""

    name: str
    fired: tuple[str, ...]
    """The rules: name, class, what became of what, and the user's line."""
    flops: Size
    peak: Size
    """The most bytes that a call allocates at one time, every statement making a new array."""
    statements: tuple[str, ...]
    """The textbook source of the graph after it, without comments."""


@dataclass(frozen=True)
class Ledger:
    """What `explain` tells. ``str`` of it is for a terminal."""

    steps: tuple[Step, ...]
    """The model and its gradients as written, then each pass that changed something."""
    guarded: tuple[str, ...]
    """What a choice further on may not take, and so gets a gradient of 0 there, never 0 * inf."""
    declined: tuple[str, ...]
    """Which rules fit what is left and did not fire, and why."""
    compiled: Compiled
    """The model after all passes."""

    def __str__(self) -> str:
        first = self.steps[0]
        rows = ["as written: " + _work(first), *_indented(first.statements)]
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            rows += ["", f"{step.name}: {_work(step)}", *(f"  * {one}" for one in step.fired)]
            rows += _indented(_changes(before.statements, step.statements))
        if len(self.steps) == 1:
            rows += ["", "no rule fired"]
        if self.guarded:
            rows += ["", "guarded, 0 where not chosen:", *(f"  * {one}" for one in self.guarded)]
        if self.declined:
            rows += ["", "did not fire:", *(f"  * {one}" for one in self.declined)]
        peak = bytes_text(self.compiled.plan.memory.peak)  # of one thread, on every machine
        rows += [
            "",
            f"as emitted, with planned memory: peak {peak}",
            *_indented(_statements(self.compiled.emitted)),
        ]
        if self.compiled.plan.tiles:
            rows += ["", "in loops:", *_indented(str(self.compiled.plan).splitlines())]
        return "\n".join(rows)

    __repr__ = __str__


def explain(outputs: Any, wrt: Any = None, level: str = "default", **options: Any) -> Ledger:
    """What compiling does to a model, pass by pass: the rules that fired, where and why others did not, flops and
    bytes after each pass, and the source before and after.

    Parameters
    ----------
    outputs, wrt, level, options:
        As `compile` takes them.

    Raises
    ------
    GraphgradError
        As `compile`.

    >>> x = gg.input("x", ("n",))
    >>> ledger = gg.explain(gg.log(1 + x) * 1)
    >>> [step.name for step in ledger.steps]
    ['as written', 'stabilize', 'simplify']
    >>> ledger.steps[-1].statements
    ('def forward(x):', '    logs = np.log1p(x)', '    return logs')
    """
    model = compile(outputs, wrt=wrt, level=level, **{**options, "trace": True})
    interface = model.plan.schedule.interface
    graphs = dict(model.stages)
    joint = graphs["differentiate"]
    steps = [_step("as written", joint.original, (), interface)]
    if joint is not joint.original:
        steps.append(_step("stabilize", joint, _fired(joint, 0), interface))
    before = joint
    for name, graph in model.stages:
        if name not in _BEFORE and graph is not before:
            count = 0 if before.rewriting is None else len(before.rewriting.firings)
            steps.append(_step(name, graph, _fired(graph, count), interface))
            before = graph
    return Ledger(tuple(steps), _guarded(joint), _declined(model), model)


def _step(name: str, graph: Graph, fired: tuple[str, ...], interface: Interface) -> Step:
    flops: Size = 0
    for node in graph.nodes:
        if node.inputs:
            flops = add(flops, node.flops)
    plan = _textbook(graph, interface)
    return Step(name, fired, flops, plan.memory.peak, tuple(_statements(emit(plan))))


def _textbook(graph: Graph, interface: Interface) -> Plan:
    return plan_memory(schedule(graph, replace(interface, level="plain")))


def _fired(graph: Graph, start: int) -> tuple[str, ...]:
    """The firings from number `start` on, equal ones counted."""
    done = graph.rewriting
    if done is None:
        return ()
    return _counted([done.describe(one) for one in done.firings[start:]])


def _guarded(joint: Graph) -> tuple[str, ...]:
    """What differentiation guarded, with its line."""
    forwards = [one.forward for entries in joint.origins.values() for one in entries if one.role == "guard"]
    return tuple(dict.fromkeys(place(forward, joint.origins, {}) for forward in forwards))


def _counted(texts: Sequence[str]) -> tuple[str, ...]:
    times: dict[str, int] = {}
    for text in texts:
        times[text] = times.get(text, 0) + 1
    return tuple(text if count == 1 else f"{text} ({count} times)" for text, count in times.items())


def _declined(model: Compiled) -> tuple[str, ...]:
    done = model.graph.rewriting
    where = model.graph.describe if done is None else done.place
    return _counted([f"{one.rule}, {where(one.node)}: {one.reason}" for one in model.declines])


# ---- text ----


def _statements(source: Source) -> list[str]:
    """The statements of a module's functions, without comments."""
    found: dict[str, list[str]] = {}
    lines = source.text.splitlines()
    headers = {line[4 : line.index("(")]: line for line in lines if line.startswith("def ")}
    for statement in source.statements:
        found.setdefault(statement.function, []).append(statement.code)
    shown: Mapping[str, list[str]] = {name: found[name] for name in _SHOWN if name in found}
    rows: list[str] = []
    for name, codes in shown.items():
        rows += [headers[name], *(f"    {line}" for code in codes for line in code.splitlines())]
        body = lines[lines.index(headers[name]) :]
        rows.append(next(line for line in body if line.startswith("    return ")))
    return rows


def _changes(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The lines that went and came, as ``diff`` writes them."""
    changed = list(unified_diff(before, after, lineterm="", n=0))[2:]
    return [f"{line[0]} {line[1:].strip()}" for line in changed if not line.startswith("@@")]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _work(step: Step) -> str:
    return f"{step.flops} flops, peak {bytes_text(step.peak)}"
