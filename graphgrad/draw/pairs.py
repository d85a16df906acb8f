"""A story as pairs: each step with its chain-rule step, the pills docked at both, and the row they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from graphgrad.draw.faces import Face, Tie, backward_face, forward_face, gradient_face, leaf_face, tie_of
from graphgrad.draw.rows import Section, sections
from graphgrad.draw.story import Leaf, LeafKind, Result, Step, Story

TOP_PER_ROW = 5
NEAR = 2
"""Further down than this, data gets one long edge, to what reads it beside something computed; all others show it again
beside them."""


class Dock(NamedTuple):
    """A pill beside a card: a leaf on the left, a gradient on the right."""

    key: str
    face: Face
    kind: LeafKind | None
    """Of the leaf; None for the gradient of a step."""
    elements: int | None
    edges: int
    """How many edges join it to the card; 0 for a gradient to which nothing flows."""


class Pair(NamedTuple):
    """A card of the left half and its mirror image."""

    key: str
    scope: tuple[str, ...]
    left: Face
    right: Face | None
    shape: str
    """As the edges below say it; empty where the card already does."""
    elements: int | None
    docks: tuple[Dock, ...] = ()
    gradients: tuple[Dock, ...] = ()
    tie: Tie | None = None
    seed: str | None = None
    derived: bool = False
    """Whether it is a gradient itself, in the left half."""


class PairLink(NamedTuple):
    """An edge between pairs, by index."""

    tail: int
    head: int
    argument: int
    flows: bool
    """Whether a gradient comes back along it."""


@dataclass(frozen=True)
class Sheet:
    """All pairs and their rows, from the top down."""

    pairs: tuple[Pair, ...]
    rows: tuple[tuple[int, ...], ...]
    scopes: tuple[tuple[str, ...], ...]
    """The layer of each row."""
    inputs: int
    """How many rows at the top hold the data."""
    links: tuple[PairLink, ...]


@dataclass
class _Draft:
    """What is known of a story while its sheet is made."""

    story: Story
    backward: bool
    leaves: dict[str, Leaf]
    steps: dict[str, int]
    results: dict[str, tuple[Result, ...]]
    readers: dict[str, list[int]]
    """The steps that read each leaf, from the top down."""
    row: dict[int, int] = field(default_factory=dict)
    top: dict[str, int] = field(default_factory=dict)
    """The leaves of the input band."""
    edged: dict[str, list[int]] = field(default_factory=dict)
    """Which readers of those are joined by an edge; the others show the leaf again."""
    homes: dict[str, int] = field(default_factory=dict)
    """The step beside which the gradient of a docked leaf stands."""

    def reads_steps(self, step: int) -> bool:
        """Whether ``step`` reads anything that was computed."""
        return any(key in self.steps for key in self.story.steps[step].inputs)

    def flows(self, step: int, key: str) -> bool:
        """Whether ``step`` sends a gradient back to ``key``."""
        told = self.story.steps[step]
        return told.has_backward and any(
            flow for read, flow in zip(told.inputs, told.flows, strict=True) if read == key
        )


def make_sheet(story: Story, *, backward: bool = True) -> Sheet:
    """The pairs of a story in their rows."""
    draft = _draft(story, backward)
    parts = _sections(draft)
    draft.row = {step: number for number, step_row in enumerate(_all_rows(parts)) for step in step_row}
    for readers in draft.readers.values():
        readers.sort(key=lambda step: (draft.row[step], step))
    _choose_top(draft)
    _choose_homes(draft)
    keys = list(draft.top)
    pairs = [_leaf_pair(draft, draft.leaves[key]) for key in keys]
    pairs += [_step_pair(draft, number, step) for number, step in enumerate(story.steps)]
    top_rows = [tuple(range(i, min(i + TOP_PER_ROW, len(keys)))) for i in range(0, len(keys), TOP_PER_ROW)]
    step_rows = [tuple(len(keys) + step for step in row) for row in _all_rows(parts)]
    scopes = [("input",)] * len(top_rows) + [part.scope for part in parts for _ in part.rows]
    return Sheet(tuple(pairs), (*top_rows, *step_rows), tuple(scopes), len(top_rows), _links(draft))


def _draft(story: Story, backward: bool) -> _Draft:
    leaves = {leaf.key: leaf for leaf in story.leaves}
    steps = {step.key: number for number, step in enumerate(story.steps)}
    results: dict[str, tuple[Result, ...]] = {}
    for result in story.results:
        results[result.key] = (*results.get(result.key, ()), result)
    readers: dict[str, list[int]] = {}
    for number, step in enumerate(story.steps):
        for key in dict.fromkeys(step.inputs):
            if key in leaves:
                readers.setdefault(key, []).append(number)
    return _Draft(story, backward, leaves, steps, results, readers)


def _all_rows(parts: tuple[Section, ...]) -> list[tuple[int, ...]]:
    return [row for part in parts for row in part.rows]


def _sections(draft: _Draft) -> tuple[Section, ...]:
    steps = draft.story.steps
    inputs = [[draft.steps[key] for key in step.inputs if key in draft.steps] for step in steps]
    # What prepares data nobody read before (a target, a mask) stands near its reader, not at the top.
    floating = [
        all(
            draft.leaves[key].kind != "input" or draft.readers[key][0] == number
            for key in step.inputs
            if key in draft.leaves
        )
        for number, step in enumerate(steps)
    ]
    return sections([step.scope for step in steps], inputs, floating)


def _choose_top(draft: _Draft) -> None:
    for leaf in draft.story.leaves:
        readers = draft.readers.get(leaf.key, [])
        if readers and (leaf.kind != "input" or draft.row[readers[0]] > 0):
            continue
        draft.top[leaf.key] = len(draft.top)
        near = [step for step in readers if draft.row[step] <= NEAR]
        far = [step for step in readers[len(near) :] if not near or draft.reads_steps(step)]
        draft.edged[leaf.key] = near + far[:1]


def _choose_homes(draft: _Draft) -> None:
    for key, readers in draft.readers.items():
        flowing = (step for step in readers if draft.flows(step, key))
        draft.homes[key] = next(flowing, readers[0])


def _leaf_pair(draft: _Draft, leaf: Leaf) -> Pair:
    right = None
    if draft.backward and leaf.gradient is not None:
        right = gradient_face(leaf.gradient, leaf.shape)
    return Pair(leaf.key, (), leaf_face(leaf, draft.results.get(leaf.key, ())), right, "", leaf.elements)


def _step_pair(draft: _Draft, number: int, step: Step) -> Pair:
    results = draft.results.get(step.key, ())
    right = backward_face(step) if draft.backward and step.has_backward else None
    seeds = [result.seed for result in results if result.seed]
    return Pair(
        step.key,
        step.scope,
        forward_face(step, results),
        right,
        "" if results else step.shape,
        step.elements,
        tuple(_docks(draft, number, step)),
        tuple(_gradients(draft, number, step)) if draft.backward else (),
        tie_of(step) if right else None,
        ", ".join(seeds) if right and seeds else None,
        step.derived,
    )


def _docked(draft: _Draft, number: int, step: Step) -> list[str]:
    """The leaves that stand beside this step, in argument order."""
    return [
        key
        for key in dict.fromkeys(step.inputs)
        if key in draft.leaves and number not in draft.edged.get(key, ())
    ]


def _docks(draft: _Draft, number: int, step: Step) -> list[Dock]:
    docks = []
    for key in _docked(draft, number, step):
        leaf = draft.leaves[key]
        again = key in draft.top or draft.readers[key][0] != number
        face = leaf_face(leaf, () if again else draft.results.get(key, ()), again=again)
        docks.append(Dock(key, face, leaf.kind, leaf.elements, step.inputs.count(key)))
    return docks


def _gradients(draft: _Draft, number: int, step: Step) -> list[Dock]:
    pills = []
    for key in _docked(draft, number, step):
        leaf = draft.leaves[key]
        flows = draft.flows(number, key)
        home = key not in draft.top and draft.homes[key] == number
        if leaf.gradient is None or not (flows or home):
            continue
        face = gradient_face(leaf.gradient, leaf.shape, again=not home)
        pills.append(Dock(key, face, leaf.kind, leaf.elements, int(flows)))
    if step.gradient is not None:
        face = gradient_face(step.gradient, step.shape)
        pills.append(Dock(step.key, face, None, step.elements, int(step.has_backward)))
    return pills


def _links(draft: _Draft) -> tuple[PairLink, ...]:
    links = []
    for number, step in enumerate(draft.story.steps):
        for argument, (key, flows) in enumerate(zip(step.inputs, step.flows, strict=True)):
            head = len(draft.top) + number
            if key in draft.steps:
                links.append(PairLink(len(draft.top) + draft.steps[key], head, argument, flows))
            elif number in draft.edged.get(key, ()):
                links.append(PairLink(draft.top[key], head, argument, flows))
    return tuple(links)
