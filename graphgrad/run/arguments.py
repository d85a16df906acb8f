"""Checking arguments before a call: every mistake gets one clear error, and nothing has run by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, evaluate, symbols
from graphgrad.core.errors import ArgumentError, DTypeError, GraphgradError, InvalidValueError, ShapeError
from graphgrad.core.names import shorten
from graphgrad.core.node import Node
from graphgrad.core.spec import shape_text
from graphgrad.ops.leaf import is_masked

Array = np.ndarray[Any, Any]


_MOST_ACCEPTED = 256
"""How many combinations of shapes are remembered."""
_dtype, _shape = attrgetter("dtype"), attrgetter("shape")


class Arguments:
    """The signature of a compiled function, and the checks of what it is called with.

    Whether plain arrays fit depends on their dtypes and shapes alone, so the shapes of a call that passed are
    remembered, and a call like an earlier one is recognised by comparing. Whatever else comes is looked at in full.
    """

    def __init__(self, model: str, leaves: Sequence[Node], sizes: Sequence[Dim]) -> None:
        self.model = model
        self.leaves = tuple(leaves)
        self.names = tuple(str(leaf.attrs["name"]) for leaf in leaves)
        self._known = dict(zip(self.names, self.leaves, strict=True))
        self._sizes = tuple(sizes)
        """Derived sizes that must not come out negative."""
        self._types = [np.ndarray] * len(self.leaves)
        self._dtypes = [leaf.specs[0].dtype for leaf in self.leaves]
        self._pick = picker(self.names)
        self._accepted: set[Any] = set()
        """Shapes of the calls that passed. Threads may add at once: it is a memory, and the checks are the truth."""

    def own(self, name: str, value: Any) -> Any:
        """One argument, checked and copied; its named sizes may still be anything."""
        checked = self._check(self._known[name], value, {})
        return np.array(checked) if isinstance(checked, np.ndarray) else checked

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        """The arguments in the signature's order, each checked.

        Raises
        ------
        ArgumentError
            For missing, unknown or repeated arguments, or an object that is no array.
        DTypeError, ShapeError, InvalidValueError
            For an array that does not fit.
        """
        given = self._in_order(args, kwargs) if kwargs or len(args) != len(self.names) else args
        plain = list(map(type, given)) == self._types and list(map(_dtype, given)) == self._dtypes
        shapes = tuple(map(_shape, given)) if plain else None
        if shapes in self._accepted:
            return given
        sizes: dict[str, tuple[int, str]] = {}
        values = [self._check(leaf, value, sizes) for leaf, value in zip(self.leaves, given, strict=True)]
        self._check_sizes(values, sizes)
        if plain:
            if len(self._accepted) >= _MOST_ACCEPTED:
                self._accepted.clear()
            self._accepted.add(shapes)
        return values

    def _in_order(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        if not args and len(kwargs) == len(self.names):
            try:
                return self._pick(kwargs)
            except KeyError:
                pass  # by name it is told which
        return self._pick(self._by_name(args, kwargs))

    def _by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) > len(self.names):
            raise ArgumentError(
                f"{self.model} takes {len(self.names)} arguments, {len(args)} were given", saw=self._wanted()
            )
        given: dict[str, Any] = dict(zip(self.names, args, strict=False))
        for name, value in kwargs.items():
            if name in given:
                raise ArgumentError(f"{self.model} got {shorten(name)!r} twice", saw=self._wanted())
            if name not in self._known:
                raise ArgumentError(f"{self.model} has no argument {shorten(name)!r}", saw=self._wanted())
            given[name] = value
        missing = [name for name in self.names if name not in given]
        if missing:
            raise ArgumentError(
                f"{self.model} lacks {', '.join(repr(shorten(name)) for name in missing)}", saw=self._wanted()
            )
        return given

    def _wanted(self) -> list[str]:
        return [f"it takes {', '.join(map(shorten, self.names)) or 'nothing'}"]

    def _check(self, leaf: Node, value: Any, sizes: dict[str, tuple[int, str]]) -> Any:
        if leaf.op.name == "rng":
            if not isinstance(value, np.random.Generator):
                raise self._wrong(ArgumentError, leaf, f"is a numpy.random.Generator, not {type(value).__name__}",
                                  "np.random.default_rng(0)")  # fmt: skip
            return value
        array = self._array(leaf, value)
        spec = leaf.specs[0]
        if array.dtype != spec.dtype:
            raise self._wrong(
                DTypeError,
                leaf,
                f"has dtype {spec.dtype}, got {array.dtype}",
                f"value.astype({spec.dtype.name!r})",
            )
        if array.ndim != len(spec.shape):
            raise self._wrong(
                ShapeError,
                leaf,
                f"has {len(spec.shape)} dimensions, got shape {array.shape}",
                "reshape, or index the axis away",
            )
        for axis, (wanted, number) in enumerate(zip(spec.shape, array.shape, strict=True)):
            if isinstance(wanted, int):
                if wanted != number:
                    raise self._wrong(
                        ShapeError, leaf, f"has size {wanted} along axis {axis}, got shape {array.shape}"
                    )
            elif wanted.name is not None:
                first = sizes.setdefault(wanted.name, (number, str(leaf.attrs["name"])))
                if first[0] != number:
                    known = f"which is {first[0]} in {shorten(first[1])!r}"
                    raise self._wrong(
                        ShapeError,
                        leaf,
                        f"has size {wanted} along axis {axis}, {known}, got shape {array.shape}",
                        "arrays with the same number of rows",
                    )
        return array

    def _array(self, leaf: Node, value: Any) -> Array:
        if type(value) is np.ndarray:
            return value
        if is_masked(value):
            raise self._wrong(ArgumentError, leaf, "would lose its mask", "value.filled(...)")
        if isinstance(value, np.ndarray | np.generic):
            return np.asarray(value)
        if isinstance(value, bool | int | float):
            return self._scalar(leaf, value)
        raise self._wrong(
            ArgumentError, leaf, f"is an array, not {type(value).__name__}", "np.asarray(value, dtype)"
        )

    def _scalar(self, leaf: Node, value: Any) -> Array:
        """A Python scalar takes the leaf's dtype, if it can be told exactly what it means there."""
        dtype = leaf.specs[0].dtype
        fits = {"b": bool, "i": int, "u": int, "f": float}[dtype.kind]
        if not isinstance(value, fits) and not (fits is float and isinstance(value, int)):
            raise self._wrong(DTypeError, leaf, f"has dtype {dtype}, got {value!r}")
        if isinstance(value, bool) and fits is not bool:
            raise self._wrong(DTypeError, leaf, f"has dtype {dtype}, got {value!r}")
        try:
            return np.array(value, dtype)
        except OverflowError:
            raise self._wrong(
                InvalidValueError, leaf, f"has dtype {dtype}, which cannot hold {value}"
            ) from None

    def _check_sizes(self, values: Sequence[Any], sizes: Mapping[str, tuple[int, str]]) -> None:
        """Sizes that follow from others: of arguments, and of what slices take."""
        numbers = {name: number for name, (number, _) in sizes.items()}
        for leaf, value in zip(self.leaves, values, strict=True):
            for axis, wanted in enumerate(leaf.specs[0].shape):
                if isinstance(wanted, Dim) and wanted.name is None:
                    number = self._number(wanted, numbers)
                    if number != value.shape[axis]:
                        raise self._wrong(
                            ShapeError,
                            leaf,
                            f"has size {wanted} = {number} along axis {axis}, got shape {value.shape}",
                        )
        for size in self._sizes:
            if self._number(size, numbers) < 0:
                raise self._impossible(size, "would be negative", numbers)

    def _number(self, size: Dim, numbers: Mapping[str, int]) -> int:
        try:
            return evaluate(size, numbers)
        except ZeroDivisionError:
            raise self._impossible(size, "would divide by 0", numbers) from None

    def _impossible(self, size: Dim, problem: str, numbers: Mapping[str, int]) -> ShapeError:
        known = ", ".join(f"{name} = {numbers[name]}" for name in symbols(size))
        return ShapeError(f"{self.model}: the size {size} {problem} with {known}", hint="more rows")

    def _wrong(
        self, kind: type[GraphgradError], leaf: Node, problem: str, hint: str | None = None
    ) -> GraphgradError:
        name = shorten(str(leaf.attrs["name"]))
        made = leaf.notes.site
        saw = [
            f"{name}: {leaf.specs[0].dtype} {shape_text(leaf.specs[0].shape)}"
            + (f", made at {made.place}" if made else "")
        ]
        return kind(f"{self.model}: {name!r} {problem}", saw=saw, hint=hint)


def picker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the items at these keys, always as a tuple."""
    return itemgetter(*keys) if len(keys) > 1 else lambda items: tuple(items[key] for key in keys)


_OVERLAP_WORK = 10_000
"""How much searching two arrays' common memory is worth; beyond that they count as overlapping."""


def check_targets(
    updates: Sequence[Node], values: Mapping[Node, Array], original: Mapping[str, Any], model: str
) -> None:
    """The arrays that `step` writes must be arrays, as given, that are writeable and do not overlap.

    Raises
    ------
    InvalidValueError
        If one is read-only or two share memory.
    ArgumentError
        If one is no array that can be written.
    """
    for leaf in updates:
        name = str(leaf.attrs["name"])
        if not isinstance(original[name], np.ndarray):
            kind = type(original[name]).__name__
            raise ArgumentError(
                f"{model}.step writes {shorten(name)!r}, so it must be an array, not {kind}",
                hint="np.array(value)",
            )
        if not values[leaf].flags.writeable:
            raise InvalidValueError(
                f"{model}.step writes {shorten(name)!r}, and this array is read-only", hint="array.copy()"
            )
    for at, one in enumerate(updates):
        for other in updates[at:]:
            shared = _repeats(values[one]) if one is other else _overlap(values[one], values[other])
            if shared:
                names = " and ".join(
                    dict.fromkeys(repr(shorten(str(leaf.attrs["name"]))) for leaf in (one, other))
                )
                raise InvalidValueError(
                    f"{model}.step writes {names}, and this memory overlaps", hint="array.copy()"
                )


def _repeats(array: Array) -> bool:
    """Whether several elements of an array are the same memory, as broadcasting makes it."""
    return any(stride == 0 and size > 1 for stride, size in zip(array.strides, array.shape, strict=True))


def _overlap(one: Array, other: Array) -> bool:
    try:
        return np.shares_memory(one, other, max_work=_OVERLAP_WORK)  # type: ignore[arg-type]  # any count will do
    except (np.exceptions.TooHardError, OverflowError):
        return True
