"""The memory of a compiled model, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from graphgrad.core.operators import bound
from graphgrad.emit.source import Source
from graphgrad.plan.memory import Memory
from graphgrad.plan.plan import Plan


class Footprint(Memory):
    """The `Memory` of one model, which knows the model and so can be drawn."""

    def __init__(self, plan: Plan, source: Source, threads: int, sizes: Mapping[str, int]) -> None:
        memory = plan.memory_on(threads)
        memory = memory.at(sizes) if sizes else memory
        super().__init__(*(getattr(memory, item.name) for item in fields(Memory)))
        for name, value in (("plan", plan), ("emitted", source), ("sizes", dict(sizes))):
            object.__setattr__(self, name, value)  # frozen, and not among the numbers that are the report

    plan: Plan
    emitted: Source
    sizes: Mapping[str, int]
    """What the symbolic sizes are; empty if the numbers are formulas in them."""

    def draw(self, **options: Any) -> Any:
        """The model's picture with the bytes that each card keeps for the backward pass, and its operations.

        Options are those of `graphgrad.draw`.
        """
        return bound("draw")(self, **options)
