"""A compiled model together with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphgrad.core.errors import ArgumentError
from graphgrad.run.arguments import picker

if TYPE_CHECKING:
    from graphgrad.run.compiled import Compiled


class Bound:
    """A callable that owns some arguments of a compiled model, nearly always its parameters. Made by `Compiled.bind`.

    `values` holds its own arrays by name; `step` writes into them.
    """

    def __init__(self, compiled: Compiled, values: Mapping[str, Any]) -> None:
        if not isinstance(values, Mapping):
            raise ArgumentError(f"bind takes a dict of arrays by name, not {type(values).__name__}")
        unknown = [name for name in values if name not in compiled.signature]
        if unknown:
            raise ArgumentError(
                f"{compiled.name} has no argument {unknown[0]!r}",
                saw=[f"it takes {', '.join(compiled.signature)}"],
            )
        self.compiled = compiled
        self.values: dict[str, Any] = {
            name: compiled.arguments.own(name, value) for name, value in values.items()
        }
        self.signature = tuple(name for name in compiled.signature if name not in self.values)
        names = (*self.values, *self.signature)
        self._own = picker(tuple(self.values))
        self._in_order = picker([names.index(name) for name in compiled.signature])

    def _all(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if not args and self.values.keys().isdisjoint(kwargs):
            return {**self.values, **kwargs}
        if len(args) > len(self.signature):
            raise ArgumentError(
                f"{self.compiled.name} still takes {len(self.signature)} arguments, {len(args)} were given"
            )
        given = dict(zip(self.signature, args, strict=False))
        for name, value in kwargs.items():
            if name in given or name in self.values:
                raise ArgumentError(f"{self.compiled.name} got {name!r} twice")
            given[name] = value
        return {**self.values, **given}

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """As `Compiled.__call__`, with the arguments that are not bound."""
        if kwargs or len(args) != len(self.signature):
            return self.compiled(**self._all(args, kwargs))
        return self.compiled(*self._in_order((*self._own(self.values), *args)))

    def forward(self, /, *args: Any, **kwargs: Any) -> Any:
        """As `Compiled.forward`."""
        return self.compiled.forward(**self._all(args, kwargs))

    def backward(self, residuals: Any, cotangent: Any = None) -> Any:
        """As `Compiled.backward`."""
        return self.compiled.backward(residuals, cotangent)

    def step(self, /, *args: Any, **kwargs: Any) -> Any:
        """As `Compiled.step`; what is updated is this object's own."""
        return self.compiled.step(**self._all(args, kwargs))
