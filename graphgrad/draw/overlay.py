"""What a report measured, on the cards of the picture: times of a profile, bytes of a footprint, operations of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from graphgrad.core.dim import Size, evaluate, symbols
from graphgrad.core.node import Node
from graphgrad.draw.cards import Cards
from graphgrad.draw.shapes import Side
from graphgrad.draw.story import Kept, Measure, Story
from graphgrad.draw.words import flops_words, seconds_words, size_words
from graphgrad.plan.memory import kept
from graphgrad.plan.schedule import is_free
from graphgrad.run.footprint import Footprint
from graphgrad.run.profile import Profile

Report = Profile | Footprint
Place = tuple[str, Side]
"""A card: the key of its step, and the side of the picture it stands on."""
_REFERENCE = 1_000_000
"""The size at which formulas are compared, where the report has no numbers."""
_NOTABLE = 0.005
"""A card that takes a smaller part of the time says nothing of its speed: that would be the clock's."""


def measured(story: Story, cards: Cards, report: Report, *, lines: bool = False) -> Story:
    """The story with what the report says of each card, in numbers: before layers fold, which add up.

    `lines` is as the story was told with it.
    """
    places = _places(story, cards, lines or not cards.is_mirrored)
    found: dict[Place, Measure] = {}

    def note(node: Node, measure: Measure) -> None:
        place = places.get(node)
        if place is not None:
            found[place] = Measure.total((found.get(place), measure)) or measure

    for node in places:
        if not is_free(node):
            note(node, Measure(flops=_at(node.flops, report.sizes)))
    if isinstance(report, Profile):
        for timed in report.statements:
            statement = report.emitted.by_line.get(timed.line)
            if statement is not None:
                note(statement.nodes[-1], Measure(seconds=timed.seconds))
    else:
        for node in kept(report.plan.schedule.residuals):
            note(node, Measure(kept=_at(cards.kept_bytes(node), report.sizes)))
    steps = [
        step._replace(
            measure=found.get((step.key, "left")),
            backward_measure=found.get((step.key, "right")),
            keeps=tuple(_kept(one, report.sizes) for one in step.keeps),
        )
        for step in story.steps
    ]
    return replace(story, steps=tuple(steps))


def _places(story: Story, cards: Cards, lines: bool) -> dict[Node, Place]:
    """The card on which each node is computed: in the line view each has its own."""
    if lines:
        return {node: (cards.key(node), "left") for node in cards.nodes}
    found: dict[Node, Place] = {}
    for step, card in zip(story.steps, cards.cards.values(), strict=True):
        for node in card.nodes if card.forward is not None else ():
            found.setdefault(node, (step.key, "left"))
        for one in card.backward:
            found.update((node, (step.key, "right")) for node in one.nodes)
    return found


def _kept(one: Kept, sizes: Mapping[str, int]) -> Kept:
    size = _at(one.nbytes, sizes)
    return Kept(one.name, size_words(size), size)


def labelled(story: Story, report: Report) -> Story:
    """The story with its measures as texts and bars, the largest one full, and with what they add up to."""
    timed = isinstance(report, Profile)
    amount: Callable[[Measure], float] = (
        (lambda one: one.seconds) if timed else (lambda one: _roughly(one.kept))
    )
    measures = [
        one for step in story.steps for one in (step.measure, step.backward_measure) if one is not None
    ]
    largest = max(measures, key=amount, default=Measure())
    whole = report.seconds if isinstance(report, Profile) else 0.0

    def label(one: Measure | None) -> Measure | None:
        if one is None or not (amount(one) or _roughly(one.flops)):
            return None
        text = _time_text(one, whole) if timed else _memory_text(one)
        return one._replace(text=text, share=amount(one) / amount(largest) if amount(one) else None)

    steps = [
        step._replace(measure=label(step.measure), backward_measure=label(step.backward_measure))
        for step in story.steps
    ]
    if isinstance(report, Profile):
        fact = f"{seconds_words(whole)} a call" + " in one thread" * bool(report.plan.tiles)
        scale = f"time: the whole bar is {seconds_words(largest.seconds)}"
    else:
        whole_kept = (Measure.total(measures) or Measure()).kept
        fact = f"allocates {size_words(report.peak)} at most, keeps {size_words(whole_kept)} of activations"
        scale = f"kept for the backward pass: the whole bar is {size_words(largest.kept)}"
    where = ", ".join(f"{name} = {number:,}" for name, number in report.sizes.items())
    facts = (
        fact + (f" at {where}" if where else ""),
        *(one for one in story.facts if "of activations" not in one),
    )
    return replace(story, steps=tuple(steps), facts=facts, scale=scale if amount(largest) else "")


def _time_text(one: Measure, whole: float) -> str:
    if not one.seconds:
        return flops_words(one.flops)
    part = one.seconds / whole
    text = f"{seconds_words(one.seconds)}   {f'{part:.0%}' if part >= 0.01 else '< 1%'}"
    if one.seconds > _NOTABLE * whole and isinstance(one.flops, int) and one.flops:
        text += f"   {flops_words(round(one.flops / one.seconds))}/s"
    return text


def _memory_text(one: Measure) -> str:
    parts = [f"keeps {size_words(one.kept)}"] * bool(_roughly(one.kept))
    return "   ".join([*parts, *[flops_words(one.flops)] * bool(_roughly(one.flops))])


def _at(size: Size, sizes: Mapping[str, int]) -> Size:
    """A number, if the sizes it depends on are known."""
    return evaluate(size, sizes) if all(name in sizes for name in symbols(size)) else size


def _roughly(size: Size) -> int:
    return evaluate(size, dict.fromkeys(symbols(size), _REFERENCE))
