"""Identifiers: the user's names where they are plain ASCII, else substitutes that depend on nothing else."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from copy import copy
from functools import lru_cache
from typing import NamedTuple

from graphgrad.core.errors import VerificationError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.plan.loops import PlannedLoop
from graphgrad.plan.plan import Plan, PlannedRoutine
from graphgrad.plan.schedule import Routine

RESERVED = frozenset(
    {
        *keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "Path", "forward", "backward", "step", "selfcheck",
        "forward_and_backward", "residuals", "cotangent", "grads", "outputs", "constants", "self", "work", "Workspace",
        "part", "atexit", "math", "os", "sys", "threading", "weakref", "deque", "copy_context", "SimpleQueue",
        "suppress",
    }
)  # fmt: skip
"""What no emitted name may be: Python's words, its builtins, and what every emitted module uses itself."""
_LONGEST = 40


@lru_cache(maxsize=2**12)
def identifier(text: str, fallback: str = "value") -> str:
    """A plain ASCII identifier that is no keyword, builtin or name the module uses.

    >>> identifier("l1"), identifier("class"), identifier('x"); import os'), identifier("β")
    ('l1', 'class_', 'x_import_os', 'value')
    """
    plain = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", text)).strip("_")[:_LONGEST]
    if not re.search(r"[A-Za-z]", plain):
        plain = f"{fallback}_{plain}".rstrip("_")
    if plain[0].isdigit():
        plain = f"{fallback}_{plain}"
    return f"{plain}_" if plain in RESERVED else plain


class LoopNames(NamedTuple):
    """The names within a loop."""

    names: Namer
    function: str
    """What computes a tile."""
    first: str
    last: str
    """The rows where a tile begins and ends."""


class Namer:
    """Gives every value and every named size of a module its identifier, each one once in a function.

    What forward computes has one name throughout the module; what another function adds is named in it alone.
    """

    def __init__(self, plan: Plan) -> None:
        self._taken: dict[str, int] = {}
        self._nodes: dict[Node, str] = {}
        self._sizes: dict[str, str] = {}
        self._within: dict[Routine, Namer] = {}
        self._start_loops()
        self._graph: Graph = plan.schedule.graph
        schedule = plan.schedule
        for leaf in schedule.interface.arguments:
            self._nodes[leaf] = self.fresh(identifier(leaf.attrs["name"], leaf.op.name))
        for name in self._graph.symbols:
            self._sizes[name] = self.fresh(identifier(name, "size"))
        new_values = self._graph.outputs[schedule.interface.new_values]
        self._new = dict(zip(new_values, schedule.interface.updates, strict=True))
        for node in plan.constants:
            self._nodes[node] = self.fresh(identifier(self._graph.name(node) or "constant"))
        self._name_seeds(plan)
        self._inside = {planned.routine: planned.inside for planned in plan.routines}
        self._forward = schedule.forward
        self._name_steps(schedule.forward)

    def within(self, routine: Routine) -> Namer:
        """The names in a function: forward's, and those of its own steps."""
        if routine.kind == "forward":
            return self
        if routine in self._within:
            return self._within[routine]
        inner = self._within[routine] = copy(self)
        inner._taken, inner._nodes = dict(self._taken), dict(self._nodes)
        inner._start_loops()
        if routine.kind == "reference":
            inner._name_as_what_they_became(routine, self._forward)
            inner._graph = self._graph.original
        inner._name_steps(routine)
        return inner

    def _name_as_what_they_became(self, reference: Routine, forward: Routine) -> None:
        """A step of the model as it was written has the name of what it became in forward, if that is the user's, or
        a number of the same word."""
        free = set(forward.steps) - set(reference.steps)  # only asked, never iterated
        for node in reference.steps:
            became = self._graph.current(node)
            if became not in free or node in self._nodes:
                continue
            name = self._nodes[became]
            if self._graph.name(became) is not None or re.sub(r"_\d+$", "", name) == identifier(node.op.noun):
                free.discard(became)
                self._nodes[node] = name

    def _start_loops(self) -> None:
        self._loops: dict[PlannedLoop, LoopNames] = {}
        self._loop_taken: dict[str, int] = {}
        self._in_loops: dict[tuple[str, object], str] = {}

    def of_loop(self, planned: PlannedRoutine, loop: PlannedLoop) -> LoopNames:
        """The names within a loop of a function. A tile is called as its whole, if that is not there, too."""
        outer = self.within(planned.routine)
        if loop in outer._loops:
            return outer._loops[loop]
        inner = copy(outer)
        inner._taken, inner._graph = outer._loop_taken, loop.graph
        if not inner._taken:  # the first loop of the function
            inner._taken.update(outer._taken)
        body, whole_of = loop.loop, loop.loop.whole_of
        inner._nodes, inner._sizes = dict(outer._nodes), {**outer._sizes, str(body.tile): inner._once("rows")}
        for leaf, (whole, cut) in body.slices.items():
            inner._nodes[leaf] = inner._once(f"{outer.base_of(whole)}_tile", (whole, cut))
        partial = set(body.partial)  # only asked, never iterated
        for tile, whole in whole_of.items():
            if tile is whole:
                continue
            is_there = (whole in planned.statements and tile not in partial) or whole in whole_of
            name = outer._nodes[whole]
            inner._nodes[tile] = inner._once(f"{name}_tile", (whole, None)) if is_there else name
        inner._check(loop)
        first, last = inner._once("first"), inner._once("last")
        found = outer._loops[loop] = LoopNames(inner, inner.fresh("tile"), first, last)
        return found

    def _check(self, loop: PlannedLoop) -> None:
        """Names of a loop come from several places: of two values with one name, one would be read as the other."""
        given: set[str] = set()
        for node in (*loop.loop.slices, *loop.statements):
            if self._nodes[node] in given:
                raise VerificationError(
                    f"a loop over {loop.loop.rows} has two values called {self._nodes[node]}"
                )
            given.add(self._nodes[node])

    def _once(self, base: str, key: object = None) -> str:
        """A name that all loops of a function have for the same thing."""
        known = (base, key)
        if known not in self._in_loops:
            self._in_loops[known] = self.fresh(base)
        return self._in_loops[known]

    def base_of(self, node: Node) -> str:
        """What a node's name starts with: its own, or for a constant what constants are called."""
        return self._nodes.get(node, "constant")

    def _name_steps(self, routine: Routine) -> None:
        inside = self._inside[routine]
        order = sorted(routine.steps, key=lambda node: node in inside)  # of those inside, only comments speak
        for node in order:
            if node in self._nodes or node not in self._new:
                continue
            if not self._graph.has_explicit_name(node):
                self._nodes[node] = self.fresh(f"new_{self._nodes[self._new[node]]}")
        self._name_users(order)
        self._name_cotangents(order)
        for node in order:
            if node not in self._nodes:
                self._nodes[node] = self.fresh(self._own_base(node))

    def _name_seeds(self, plan: Plan) -> None:
        schedule = plan.schedule
        outputs = schedule.interface.structure
        for seed in schedule.interface.seeds:
            output = self._graph.outputs[seed.output]
            label = outputs.keys[seed.output] if outputs.keys else self._base(output)
            self._nodes[seed.cotangent] = self.fresh(f"d_{identifier(label)}")

    def fresh(self, base: str) -> str:
        """`base`, with a number if it is taken; two underscores in a row would be Python's own."""
        base = base.replace("__", "_")
        if base not in self._taken:
            self._taken[base] = 1
            return base
        candidate = base
        while candidate in self._taken:
            self._taken[base] += 1
            candidate = f"{base.rstrip('_')}_{self._taken[base]}"
        self._taken[candidate] = 1
        return candidate

    def __getitem__(self, node: Node) -> str:
        return self._nodes[node]

    def size(self, name: str) -> str:
        """The identifier of a named size."""
        if name not in self._sizes:
            self._sizes[name] = self.fresh(identifier(name, "size"))
        return self._sizes[name]

    def _name_users(self, order: Iterable[Node]) -> None:
        for node in order:
            name = None if node in self._graph.origins else self._graph.name(node)
            if name is not None and node not in self._nodes:
                self._nodes[node] = self.fresh(identifier(name))

    def _name_cotangents(self, order: Iterable[Node]) -> None:
        """Gradients by what is still there come before those by what became something else."""
        order = tuple(order)
        for there in (True, False):
            for node in order:
                if node in self._nodes:
                    continue
                for origin in self._graph.origins.get(node, ()):
                    still = self._graph.current(origin.forward) is origin.forward
                    if origin.role == "cotangent" and still is there:
                        self._nodes[node] = self.fresh(f"d_{self._base(origin.forward)}")
                        break

    def _base(self, node: Node) -> str:
        """What a node is called, numbered or not, even if it has no statement."""
        ends: list[str] = []
        passed: set[Node] = set()  # only asked, never iterated
        while (node := self._graph.current(node)) not in passed:  # rewriting may have made a circle of them
            passed.add(node)
            known = self._nodes.get(node)
            name = None if known is not None else self._graph.name(node)
            towards = self._towards(node)
            if known is not None or name is not None or towards is None:
                break
            ends.insert(0, f"_{identifier(node.op.noun)}")
            node = towards
        start = known or (identifier(name) if name is not None else self._simple_base(node))
        return f"{'d_' * len(ends)}{start}{''.join(ends)}"[: _LONGEST if ends else None]

    def _own_base(self, node: Node) -> str:
        """A name for what the user did not name: by what it is the gradient of, else by its op."""
        towards = self._towards(node)
        if towards is None:
            return self._simple_base(node)
        return f"d_{self._base(towards)}_{identifier(node.op.noun)}"[:_LONGEST]

    def _towards(self, node: Node) -> Node | None:
        """What a node is a part of the gradient of."""
        for origin in self._graph.origins.get(node, ()):
            if origin.role in ("chain", "accumulate", "unbroadcast") and node.dtype.kind == "f":
                return origin.forward if origin.index is None else origin.forward.inputs[origin.index]
        return None

    def _simple_base(self, node: Node) -> str:
        """By its op, and for a product of matrices or a sum by its factors."""
        noun = identifier(node.op.noun)
        if node.op.name in ("matmul", "add"):
            pair = "_".join(self._nodes.get(part, "") for part in node.inputs)
            if all(part in self._nodes for part in node.inputs) and len(pair) <= 16:
                return pair if pair not in RESERVED else noun
        return noun
