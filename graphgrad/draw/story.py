"""What a picture tells, as plain data: the steps of a model, before anything has a place.

A `Story` is made from a compiled model (`graphgrad.draw.tell`) and laid out into a `Scene`
(`graphgrad.draw.scene`). It holds only text and keys, so layout and writers never look into a graph, and a
test can write one by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from graphgrad.core.dim import Size, add

LeafKind = Literal["input", "param", "state", "rng", "const"]
Mark = Literal["", "same", "removed", "merged", "new"]
"""What a pass did to a step: nothing, took it away, found that another one has its value, or made it."""


class Leaf(NamedTuple):
    """A value that comes from outside: data, a parameter, a state, a constant array."""

    key: str
    """Unique in the story."""
    name: str
    """The user's name; any text."""
    kind: LeafKind
    shape: str
    """As shown, for example ``batch×784``; empty for a scalar."""
    elements: int | None
    """Number of elements where no dimension is symbolic, else None."""
    gradient: tuple[str, ...] | None = None
    """None: not differentiated. Otherwise the gradient's pill is drawn; the text is what it shows, for
    example ``("∂loss/∂w1",)``; the shape is added."""


class Kept(NamedTuple):
    """A forward value that the backward step reads."""

    name: str
    size: str
    """For example ``16 kB`` or ``200·batch B``; empty when nothing extra is stored (data, parameters)."""
    nbytes: Size = 0
    """The same as a number or a formula."""


class Measure(NamedTuple):
    """What a report measured of a card, and how it is shown."""

    seconds: float = 0.0
    kept: Size = 0
    """Bytes kept for the backward pass."""
    flops: Size = 0
    text: str = ""
    """For example ``7.6 ms  51 %``."""
    share: float | None = None
    """Of the largest on any card, from 0 to 1: how long its bar is. None: it has no bar."""

    @staticmethod
    def total(measures: Iterable[Measure | None]) -> Measure | None:
        """Of several cards together; None if none of them was measured."""
        found = [one for one in measures if one is not None]
        if not found:
            return None
        kept: Size = 0
        flops: Size = 0
        for one in found:
            kept, flops = add(kept, one.kept), add(flops, one.flops)
        return Measure(sum(one.seconds for one in found), kept, flops)


class Step(NamedTuple):
    """One forward op and, on the same row, its chain-rule step."""

    key: str
    op: str
    """The op's name, for example ``matmul``."""
    scope: tuple[str, ...]
    """Layer names from the outside in; () is no layer."""
    lines: tuple[str, ...]
    """The emitted forward statements; empty when the value is written inside another step's statement."""
    inputs: tuple[str, ...]
    """Keys of leaves or earlier steps, in argument order; may repeat."""
    flows: tuple[bool, ...]
    """Per input: whether a gradient flows back along that edge."""
    shape: str
    elements: int | None
    has_backward: bool = True
    """False: no gradient passes here, nothing is drawn on the right."""
    backward_lines: tuple[str, ...] = ()
    """The emitted backward statements; none and no `passes`: the step is part of a neighbour's statement."""
    passes: tuple[str, ...] = ()
    """Gradients that flow through unchanged and need no code, for example ``d_x_w1 = d_l1``."""
    rule: str = ""
    """The chain-rule term, for example ``∂A = G·Bᵀ``."""
    keeps: tuple[Kept, ...] = ()
    """Activations stored for this backward step."""
    uses: tuple[Kept, ...] = ()
    """Data and parameters it reads, which exist anyway."""
    name: str = ""
    """The emitted name of the value."""
    gradient: tuple[str, ...] | None = None
    """As for a leaf: set if the gradient by this intermediate is asked for."""
    folded: bool = False
    """Drawn with a double border: it stands for a whole layer, or several equal ones."""
    details: tuple[str, ...] = ()
    """Plain lines under the heading, for example ``("32×64 → 32×64", "5 ops each")``."""
    backward_details: tuple[str, ...] = ()
    """The same on the backward card."""
    mark: Mark = ""
    """Where graphs before and after a pass are compared."""
    measure: Measure | None = None
    """From a report that is drawn on the picture."""
    backward_measure: Measure | None = None
    """The same on the backward card."""
    derived: bool = False
    """Made by differentiation, but shown by itself instead of beside what it is the gradient of."""
    in_layer: bool = True
    """False: no layer has the name in its scope; it is that of what the step leads to."""


class Result(NamedTuple):
    """A step (or leaf) that is an output of the model."""

    key: str
    label: str
    """For example ``loss``."""
    seed: str | None = None
    """Text on the edge where the backward pass starts, like ``seed ∂loss/∂loss = 1``; None: no start."""


@dataclass(frozen=True)
class Story:
    """A model's forward and backward pass as rows of text."""

    title: str
    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    """In an order in which every input comes before its use."""
    results: tuple[Result, ...]
    facts: tuple[str, ...] = field(default=())
    """The header, for example ``("39,301 parameters", "forward 8 ops", "backward 9 lines", ...)``."""
    notes: tuple[str, ...] = field(default=())
    """Said under the picture, for example what was folded and how to open it."""
    mirrored: bool = True
    """Whether there is a backward half."""
    scale: str = ""
    """What a full bar is, if steps have measures; the legend says it."""
