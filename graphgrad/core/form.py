"""How an op is written in NumPy: source that knows how tightly it binds, so brackets stand where needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from graphgrad.core.dim import Size
from graphgrad.core.spec import Shape

if TYPE_CHECKING:
    from graphgrad.core.node import Node

ATOM, POWER, UNARY, PRODUCT, SUM, COMPARISON = 100, 80, 70, 60, 50, 40
"""How tightly source binds, as Python's grammar has it: names and calls most, comparisons least."""


@dataclass(frozen=True, slots=True)
class Form:
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


class Speller(Protocol):
    """What the emitter knows and an op's emission may ask: identifiers of sizes, names of dtypes."""

    def size(self, size: Size) -> Form: ...
    def shape(self, shape: Shape) -> str: ...
    def dtype(self, dtype: Any) -> str: ...
    def is_precise(self, node: Node) -> bool: ...


Emission: TypeAlias = "Callable[[Speller, Sequence[Form], Node], Form | Lines]"


def call(function: str) -> Emission:
    """``np.tanh(x)``."""
    return lambda speller, parts, node: Form(f"{function}({', '.join(part.text for part in parts)})")


def infix(sign: str, level: int) -> Emission:
    """``x + y``; the right operand is bracketed when it binds equally, for ``a - (b - c)``."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
        left, right = parts
        return Form(f"{left.at(level)} {sign} {right.at(level + 1)}", level)

    return emit


def prefix(sign: str) -> Emission:
    """``-x``."""
    return lambda speller, parts, node: Form(f"{sign}{parts[0].at(UNARY)}", UNARY)
