"""Big pictures: layers become one card each, and equal ones next to each other one card for all.

up to 150 cards       everything is shown
up to 1,500           layers that repeat fold
above                 every layer folds, and so do ops of no layer that repeat
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.draw.folded import INSIDE, Unit, fold_units
from graphgrad.draw.repeats import repeats
from graphgrad.draw.rows import parts
from graphgrad.draw.story import Story
from graphgrad.draw.words import stem

WHOLE, RUNS, MOST = 150, 1_500, 5_000
"""So many cards are shown as they are, with runs folded, and at all."""
Path = tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    """A layer, or a step that stands in none at this depth."""

    steps: tuple[int, ...]
    path: Path | None
    form: tuple[object, ...]
    """Equal for items that look alike."""


class Folder:
    """Decides what of a story folds."""

    def __init__(self, story: Story, detail: str, expand: Collection[str], fold: Collection[str]) -> None:
        self.story = story
        self.number = {step.key: at for at, step in enumerate(story.steps)}
        self.inside = {leaf.key: (leaf.kind, leaf.shape) for leaf in story.leaves if leaf.kind in INSIDE}
        self.inputs = [
            [self.number[key] for key in step.inputs if key in self.number] for step in story.steps
        ]
        self.scopes = [step.scope if step.in_layer else () for step in story.steps]
        paths = dict.fromkeys(scope[: depth + 1] for scope in self.scopes for depth in range(len(scope)))
        opened = _matching("expand", expand, paths)
        self.opened = dict.fromkeys(path[: depth + 1] for path in opened for depth in range(len(path)))
        """Layers to open: what was asked for, and what is around it."""
        self.closed = dict.fromkeys(_matching("fold", fold, paths))
        cards = sum(1 + step.has_backward for step in story.steps)
        cards += sum(1 + (leaf.gradient is not None) for leaf in story.leaves)
        self.runs = detail == "layer" or (detail == "auto" and cards > WHOLE)
        self.layers = detail == "layer" or (detail == "auto" and cards > RUNS)

    def units(self) -> list[Unit]:
        """The cards to show, in an order in which every input comes before its use."""
        found: list[Unit] = []
        waiting: list[list[int] | Unit] = [list(range(len(self.scopes)))]
        depths = [0]
        while waiting:
            group, depth = waiting.pop(), depths.pop()
            if isinstance(group, Unit):
                found.append(group)
                continue
            inner = [*self._level(group, depth)]
            waiting += reversed(inner)
            depths += [depth + 1] * len(inner)
        return found if len(found) <= MOST // 2 or not self.layers else _gathered(found)

    def _level(self, group: list[int], depth: int) -> Iterator[list[int] | Unit]:
        """The layers and steps of one depth: folded, or to be looked into."""
        items = [*self._items(group, depth)]
        layers = [item for item in items if item.path is not None]
        only = len({item.path for item in layers}) == 1  # to fold the only layer would hide everything
        for start, length, times in repeats([self._form(item) for item in items]):
            run = items[start : start + length * times]
            named = [item for item in run[:length] if item.path is not None]
            if times > 1 and self._folds_run(named, times, only and len(layers) == 1):
                yield Unit(_steps(run), tuple(item.path for item in run if item.path), times, depth)
                continue
            for item in run:
                if item.path is None:
                    yield Unit(item.steps, (), 1, depth)
                elif self._folds(item, only):
                    yield Unit(item.steps, (item.path,), 1, depth)
                else:
                    yield [*item.steps]

    def _form(self, item: _Item) -> tuple[object, ...]:
        """What has to be equal for items to fold into one: an opened layer is like no other."""
        return (
            (item.path, item.steps)
            if item.path in self.opened and item.path not in self.closed
            else item.form
        )

    def _folds_run(self, named: Sequence[_Item], times: int, only: bool) -> bool:
        if named:
            return (self.runs and not only) or all(item.path in self.closed for item in named)
        return self.layers and times > 2

    def _folds(self, item: _Item, only: bool) -> bool:
        if item.path in self.opened:
            return False
        return item.path in self.closed or (self.layers and not only)

    def _items(self, group: list[int], depth: int) -> Iterator[_Item]:
        for steps in parts(group, depth, self.scopes, self.inputs):
            scope = self.scopes[steps[0]]
            if len(scope) > depth:
                yield _Item(tuple(steps), scope[: depth + 1], self._look(steps, depth))
            else:
                for step in steps:
                    yield _Item((step,), None, self._look([step], depth))

    def _look(self, steps: Sequence[int], depth: int) -> tuple[object, ...]:
        """What two layers must share to be equal: ops, shapes, how they are joined, and their name but for a number."""
        place = {self.story.steps[number].key: at for at, number in enumerate(steps)}
        look: list[object] = []
        for number in steps:
            step = self.story.steps[number]
            joined = tuple(place.get(key, self.inside.get(key, "outside")) for key in step.inputs)
            look.append((step.op, self.scopes[number][depth + 1 :], step.shape, joined))
        scope = self.scopes[steps[0]]
        return (stem(scope[depth]) if len(scope) > depth else None, *look)


def folded(
    story: Story, detail: str = "auto", expand: Collection[str] = (), fold: Collection[str] = ()
) -> Story:
    """A story with its layers folded as far as `detail` and the layers named say.

    Raises
    ------
    ArgumentError, InvalidValueError
        If layers are no names, or there is none of a name.
    """
    return fold_units(story, Folder(story, detail, expand, fold).units())


def _steps(items: Sequence[_Item]) -> tuple[int, ...]:
    return tuple(step for item in items for step in item.steps)


def _gathered(units: Sequence[Unit]) -> list[Unit]:
    """Steps of no layer that follow one another as one card each; only for what is too large otherwise."""
    found: list[Unit] = []
    for unit in units:
        if not unit.paths and found and not found[-1].paths and found[-1].depth == unit.depth:
            before = found.pop()
            unit = Unit(before.steps + unit.steps, (), 1, unit.depth)
        found.append(unit)
    return found


def _matching(option: str, names: Collection[str], paths: Collection[Path]) -> list[Path]:
    """The layers that names mean: the last part of a path, the whole of it, or a pattern."""
    names = (names,) if isinstance(names, str) else names
    if not isinstance(names, Collection):
        raise ArgumentError(f"{option} is a layer's name or a list of names, not {type(names).__name__}")
    found: list[Path] = []
    for name in names:
        same = [path for path in paths if name in (path[-1], "/".join(path))]
        same = same or [
            path for path in paths if fnmatchcase(path[-1], name) or fnmatchcase("/".join(path), name)
        ]
        if not same:
            known = ", ".join(repr("/".join(path)) for path in [*paths][:8]) or "none"
            more = f" and {len(paths) - 8} more" if len(paths) > 8 else ""
            raise InvalidValueError(
                f"{option}: there is no layer {name!r:.60}",
                saw=[f"layers: {known}{more}"],
                hint="gg.scope names a layer",
            )
        found += same
    return found
