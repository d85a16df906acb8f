"""What a compiled module offers: its arguments, the structure of its results, what it differentiates by and
updates."""

from __future__ import annotations

from dataclasses import dataclass

from graphgrad.core.node import Node
from graphgrad.core.structure import Structure


@dataclass(frozen=True, eq=False)
class Seed:
    """An output from which a backward pass can start."""

    output: int
    """Position among the outputs."""
    cotangent: Node
    """The leaf that stands for its cotangent."""


@dataclass(frozen=True, eq=False)
class Interface:
    """How the flat outputs of the compiled graph are to be read.

    They are, in this order: the model's outputs; for each seed, the gradients by each of `wrt`; the new
    values of `updates`; and, if there are both updates and gradients, the gradients once more for a seed of
    1.
    """

    name: str
    arguments: tuple[Node, ...]
    structure: Structure
    seeds: tuple[Seed, ...] = ()
    wrt: tuple[Node, ...] | None = None
    keys: tuple[str, ...] = ()
    """What each gradient is called in the resulting dict."""
    updates: tuple[Node, ...] = ()
    """The leaves that `step` writes."""
    level: str = "default"
    check_nan: bool = False
    memory_limit: int | None = None
    """Bytes that a call may work in beyond arguments and results, on all threads together."""
    threads: int | None = None
    """How many threads a loop may run on; None for one for each core."""

    @property
    def outputs(self) -> slice:
        """Where the model's outputs stand."""
        return slice(0, self.structure.size)

    def gradients(self, seed: int) -> slice:
        """Where the gradients from seed number `seed` stand."""
        width = len(self.wrt or ())
        start = self.structure.size + seed * width
        return slice(start, start + width)

    @property
    def new_values(self) -> slice:
        """Where the new values of `updates` stand."""
        start = self.gradients(len(self.seeds)).start
        return slice(start, start + len(self.updates))

    @property
    def step_gradients(self) -> slice:
        """Where the gradients for a seed of 1 stand; empty unless there are updates and gradients."""
        start = self.new_values.stop
        return slice(start, start + (len(self.wrt or ()) if self.updates else 0))

    @property
    def needs_cotangent(self) -> bool:
        """Whether the caller has to give a cotangent: the first output is no scalar."""
        return bool(self.seeds) and self.seeds[0].cotangent.shape != ()
