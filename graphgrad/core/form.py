"""How an op is written in NumPy: source that knows how tightly it binds, so brackets stand where needed.

An op has two forms: the expression that a textbook has, and, where memory is planned, statements that write
their result into an array that is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from graphgrad.core.dim import Size
from graphgrad.core.spec import Shape

if TYPE_CHECKING:
    from graphgrad.core.node import Node

ATOM, POWER, UNARY, PRODUCT, SUM, COMPARISON = 100, 80, 70, 60, 50, 40
"""How tightly source binds, as Python's grammar has it: names and calls most, comparisons least."""


class Form(NamedTuple):
    """An expression."""

    text: str
    level: int = ATOM
    depth: int = 0
    """How many operations are nested in it."""

    def at(self, level: int) -> str:
        """The text, in brackets if it binds less tightly than `level`."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True, slots=True)
class Lines:
    """Statements, for an op that no single expression says; ``{out}`` stands for the result's name."""

    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Helper:
    """A function that stands once in an emitted module, for what would take several statements each time."""

    name: str
    """Starts with an underscore, as no name of a user's does."""
    source: str

    def __post_init__(self) -> None:
        HELPERS[self.name] = self.source


HELPERS: dict[str, str] = {}
"""The source of every helper there is, by name: what emitted modules may hold beside statements."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a result goes."""

    out: str | None = None
    """The array to write it into; None: a new one."""
    scratch: tuple[str, ...] = ()
    """Arrays of the result's spec that hold nothing."""
    rows: Size | None = None
    """The rows of a tile, where one is computed and may have many."""


class Speller(Protocol):
    """What the emitter knows and an op's emission may ask: identifiers of sizes, names of dtypes."""

    def size(self, size: Size) -> Form: ...
    def shape(self, shape: Shape) -> str: ...
    def dtype(self, dtype: Any) -> str: ...
    def typed(self, node: Node, part: Form) -> str:
        """An operand, with its dtype if it is a number."""

    def helper(self, helper: Helper) -> str:
        """The name to call a helper by, which from now on stands in the module."""


Emission: TypeAlias = "Callable[[Speller, Sequence[Form], Node], Form | Lines]"
Into: TypeAlias = "Callable[[Speller, Sequence[Form], Node, Destination], Form | Lines | None]"
"""An expression that computes into the destination and returns it, or statements that fill ``{out}``. For a new
array, None says: the op's expression does it without any array on the way."""


def call(function: str) -> Emission:
    """``np.tanh(x)``."""
    return lambda speller, parts, node: Form(f"{function}({', '.join(part.text for part in parts)})")


def call_into(function: str) -> Into:
    """``np.tanh(x, out=y)``."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
        inner = ", ".join(part.text for part in parts)
        return None if to.out is None else Form(f"{function}({inner}, out={to.out})")

    return emit


def infix(sign: str, level: int) -> Emission:
    """``x + y``; the right operand is bracketed when it binds equally, for ``a - (b - c)``."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
        left, right = parts
        return Form(f"{left.at(level)} {sign} {right.at(level + 1)}", level)

    return emit


def prefix(sign: str) -> Emission:
    """``-x``."""
    return lambda speller, parts, node: Form(f"{sign}{parts[0].at(UNARY)}", UNARY)
