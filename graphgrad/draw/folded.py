"""What a folded card says: one step for a whole layer, or for several equal ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from graphgrad.core.dim import Size, add
from graphgrad.draw.story import Kept, Leaf, Measure, Result, Step, Story
from graphgrad.draw.words import count, size_words, stem

INSIDE = ("param", "const")
"""Leaves that a folded layer only counts; whatever else it reads still leads into it."""
_NAMED = 6
"""So many layers are listed in the note."""


@dataclass(frozen=True)
class Unit:
    """Steps that one card stands for."""

    steps: tuple[int, ...]
    paths: tuple[tuple[str, ...], ...]
    """The layers that they are, repetitions included; none for steps of no layer."""
    times: int
    """How often the same is repeated."""
    depth: int

    @property
    def is_folded(self) -> bool:
        return bool(self.paths) or len(self.steps) > 1

    @property
    def repeated(self) -> tuple[int, ...]:
        """The steps of the first repetition."""
        return self.steps[: len(self.steps) // self.times]


def fold_units(story: Story, units: Sequence[Unit]) -> Story:
    """The story with one step for each unit, and notes that say what was folded."""
    return _Folding(story, units).story() if any(unit.is_folded for unit in units) else story


class _Folding:
    """A story while it is being folded."""

    def __init__(self, story: Story, units: Sequence[Unit]) -> None:
        self.old = story
        self.units = units
        self.leaves = {leaf.key: leaf for leaf in story.leaves}
        self.shapes = {leaf.key: leaf.shape or "scalar" for leaf in story.leaves}
        self.shapes.update((step.key, step.shape or "scalar") for step in story.steps)
        self.home: dict[str, int] = {}
        """The unit that each step went into, by its key."""
        for number, unit in enumerate(units):
            self.home.update(dict.fromkeys((story.steps[step].key for step in unit.steps), number))
        self.given = {result.key: None for result in story.results}
        """The steps that another unit reads, or that are results."""
        for number, unit in enumerate(units):
            for step in unit.steps:
                self.given.update(
                    (key, None) for key in story.steps[step].inputs if self.home.get(key, number) != number
                )

    def story(self) -> Story:
        """What is left to tell."""
        steps = tuple(self._step(number, unit) for number, unit in enumerate(self.units))
        shown = {key for step in steps for key in step.inputs}  # only asked, never iterated
        before = {key for step in self.old.steps for key in step.inputs}
        return replace(
            self.old,
            leaves=tuple(leaf for leaf in self.old.leaves if leaf.key in shown or leaf.key not in before),
            steps=steps,
            results=self._results(),
            notes=(*(self.old.notes if any(step.rule for step in steps) else ()), *_notes(self.units)),
        )

    def _results(self) -> tuple[Result, ...]:
        results: dict[str, Result] = {}
        for result in self.old.results:
            key = self._key(result.key)
            other = results.get(key)
            label = result.label if other is None else f"{other.label}, {result.label}"
            results[key] = Result(key, label, result.seed or (other.seed if other is not None else None))
        return tuple(results.values())

    def _key(self, key: str) -> str:
        number = self.home.get(key)
        return key if number is None or not self.units[number].is_folded else f"unit {number}"

    def _step(self, number: int, unit: Unit) -> Step:
        steps = [self.old.steps[at] for at in unit.steps]
        if not unit.is_folded:
            return steps[0]._replace(inputs=tuple(map(self._key, steps[0].inputs)))
        outside = self._outside(number, steps)
        flows: dict[str, bool] = {}
        for key, flow in outside.items():
            flows[self._key(key)] = flows.get(self._key(key), False) or flow
        given = [step for step in steps if step.key in self.given] or steps[-1:]
        backward = any(step.has_backward for step in steps)
        kept = dict.fromkeys(one for step in steps for one in step.keeps)
        return Step(
            key=f"unit {number}",
            op=_heading(unit, steps),
            scope=unit.paths[0][:-1] if unit.paths else steps[0].scope,
            lines=(),
            inputs=tuple(flows),
            flows=tuple(flows.values()),
            shape=", ".join(dict.fromkeys(step.shape for step in given if step.shape)),
            elements=given[-1].elements,
            has_backward=backward,
            keeps=(Kept("", size_words(_total(one.nbytes for one in kept))),) if kept else (),
            gradient=tuple(text for step in steps if step.gradient for text in step.gradient) or None,
            folded=True,
            measure=Measure.total(step.measure for step in steps),
            backward_measure=Measure.total(step.backward_measure for step in steps),
            derived=all(step.derived for step in steps),
            in_layer=bool(unit.paths),
            details=self._details(unit, steps, outside, given),
            backward_details=self._backward_details(unit, steps, outside) if backward else (),
        )

    def _outside(self, number: int, steps: Iterable[Step]) -> dict[str, bool]:
        """What comes from outside, and whether a gradient goes back there."""
        found: dict[str, bool] = {}
        for step in steps:
            for key, flow in zip(step.inputs, step.flows, strict=True):
                leaf = self.leaves.get(key)
                if self.home.get(key) != number and (leaf is None or leaf.kind not in INSIDE):
                    found[key] = found.get(key, False) or flow
        return found

    def _details(
        self, unit: Unit, steps: Sequence[Step], outside: Iterable[str], given: Sequence[Step]
    ) -> tuple[str, ...]:
        reads = _some(self.shapes[key] for key in outside)
        gives = _some(self.shapes[step.key] for step in given)
        lines = (f"{reads} → {gives}" if reads else gives, _each(len(steps), "op", unit.times))
        params = [leaf for leaf in self._inside(unit.steps) if leaf.kind == "param"]
        if any(leaf.elements is None for leaf in params):  # a size is symbolic: arrays can be counted
            return lines + self._counted(unit, "param array", lambda leaf: int(leaf.kind == "param"))
        return lines + self._counted(
            unit, "param", lambda leaf: (leaf.elements or 0) * (leaf.kind == "param")
        )

    def _backward_details(
        self, unit: Unit, steps: Sequence[Step], outside: dict[str, bool]
    ) -> tuple[str, ...]:
        lines = _each(sum(len(step.backward_lines) for step in steps), "line", unit.times)
        goes_on = "→ gradient of input" if any(outside.values()) else "input needs no gradient"
        gradients = self._counted(unit, "param gradient", lambda leaf: int(leaf.gradient is not None))
        return lines, goes_on, *gradients

    def _counted(self, unit: Unit, what: str, number: Callable[[Leaf], int]) -> tuple[str, ...]:
        """So many of something in the leaves of each repetition; none for none."""
        each = sum(map(number, self._inside(unit.repeated)))
        whole = sum(map(number, self._inside(unit.steps)))
        if not whole:
            return ()
        if each == whole and unit.times > 1:
            return (f"{count(whole, what)}, shared",)
        return (
            _each(whole, what, unit.times) if each * unit.times == whole else f"{count(whole, what)} in all",
        )

    def _inside(self, steps: Iterable[int]) -> list[Leaf]:
        keys = dict.fromkeys(key for at in steps for key in self.old.steps[at].inputs if key in self.leaves)
        return [self.leaves[key] for key in keys if self.leaves[key].kind in INSIDE]


def _heading(unit: Unit, steps: Sequence[Step]) -> str:
    if unit.times == 1:
        return unit.paths[0][-1] if unit.paths else count(len(steps), "op")
    names = [path[-1] for path in unit.paths[: len(unit.paths) // unit.times]]
    stems = [stem(name) or f"{name} … {unit.paths[at - len(names)][-1]}" for at, name in enumerate(names)]
    if not stems:
        scope = steps[0].scope if steps[0].in_layer else ()
        stems = [scope[-1] if scope else count(len(unit.repeated), "op")]
    return f"{' + '.join(stems)}  × {unit.times:,}"


def _each(number: int, what: str, times: int) -> str:
    if times == 1:
        return count(number, what)
    return f"{count(number // times, what)} each" if number % times == 0 else f"{count(number, what)} in all"


def _some(shapes: Iterable[str]) -> str:
    first, *others = [*dict.fromkeys(shapes)] or [""]
    return ", ".join([first, *others[:1]]) + ", …" * (len(others) > 1)


def _total(sizes: Iterable[Size]) -> Size:
    total: Size = 0
    for size in sizes:
        total = add(total, size)
    return total


def _notes(units: Sequence[Unit]) -> tuple[str, ...]:
    """What was folded, and how to open it."""
    folded = [unit for unit in units if unit.paths]
    notes = []
    if folded:
        names = [_called(unit) for unit in folded]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        most = max(folded, key=lambda unit: unit.times)
        example = "/".join(most.paths[len(most.paths) // 2])
        notes.append(
            f"folded: {', '.join(names[:_NAMED])}{more}; expand={example!r} opens one, detail='op' shows every op"
        )
    if any(unit.is_folded and not unit.paths for unit in units):
        notes.append(
            "folded: ops of no layer that repeat (gg.scope names layers); detail='op' shows every op"
        )
    return tuple(notes)


def _called(unit: Unit) -> str:
    first, last = unit.paths[0][-1], unit.paths[-1][-1]
    return first if first == last else f"{first} to {last}"
