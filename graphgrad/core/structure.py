"""The shape of arguments and results: one thing, or a tuple, list or dict of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from graphgrad.core.errors import ArgumentError
from graphgrad.core.node import Node

Kind = Literal["one", "tuple", "list", "dict"]


@dataclass(frozen=True)
class Structure:
    """How several values stand together."""

    kind: Kind
    size: int
    keys: tuple[str, ...] = ()

    @staticmethod
    def of(value: Any, what: str) -> tuple[Structure, tuple[Node, ...]]:
        """The structure of nodes, and the nodes in it.

        Raises
        ------
        ArgumentError
            If it is neither a node nor a tuple, list or dict of nodes.
        """
        if isinstance(value, Node):
            return Structure("one", 1), (value,)
        if isinstance(value, Mapping):
            wrong = [key for key in value if not isinstance(key, str)]
            if wrong:
                raise ArgumentError(f"the keys of {what} are strings, not {wrong[0]!r:.60}")
            structure, items = Structure("dict", len(value), tuple(value)), tuple(value.values())
        elif isinstance(value, list | tuple):
            structure, items = (
                Structure("list" if isinstance(value, list) else "tuple", len(value)),
                tuple(value),
            )
        else:
            raise ArgumentError(
                f"{what} is a node, or a list, tuple or dict of nodes, not {type(value).__name__}"
            )
        for item in items:
            if not isinstance(item, Node):
                raise ArgumentError(f"{what} holds {type(item).__name__} {item!r:.60}, not a node")
        return structure, items

    def build(self, values: Iterable[Any]) -> Any:
        """The values in this structure."""
        items = tuple(values)
        match self.kind:
            case "one":
                return items[0]
            case "tuple":
                return items
            case "list":
                return list(items)
            case "dict":
                return dict(zip(self.keys, items, strict=True))

    def flatten(self, value: Any, what: str) -> tuple[Any, ...]:
        """The values in something of this structure, which may hold anything.

        Raises
        ------
        ArgumentError
            If it has another structure.
        """
        match self.kind:
            case "one":
                return (value,)
            case "dict":
                if isinstance(value, Mapping) and set(value) == set(self.keys):
                    return tuple(value[key] for key in self.keys)
            case _:
                if isinstance(value, list | tuple) and len(value) == self.size:
                    return tuple(value)
        raise ArgumentError(f"{what} needs {self.describe()}, not {type(value).__name__}")

    def describe(self) -> str:
        """For example ``a list of 2``."""
        match self.kind:
            case "one":
                return "one value"
            case "dict":
                return f"a dict with {', '.join(map(repr, self.keys))}"
        return f"a {self.kind} of {self.size}"
