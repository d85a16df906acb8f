"""Sizes that may be symbolic.

A size is an int or a `Dim`, a polynomial in named sizes kept in canonical form, so that equal sizes are equal
objects of thought: ``batch*2 - batch == batch``, and ``(batch*50) // batch == 50``.
"""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.errors import ArgumentError, NodeUseError, ShapeError
from graphgrad.core.names import check_name

Monomial: TypeAlias = "tuple[tuple[Atom, int], ...]"
Size: TypeAlias = "int | Dim"


_EXTREMES: Mapping[str, Callable[[int, int], int]] = {"min": min, "max": max}


@dataclass(frozen=True)
class Atom:
    """What polynomials are made of: a named size, or a floor division, minimum or maximum of two sizes."""

    kind: str  # "name", "//", "min" or "max"
    parts: tuple[Any, ...]

    @cached_property
    def text(self) -> str:
        if self.kind == "name":
            name: str = self.parts[0]
            return name if name.isidentifier() else repr(name)
        if self.kind in _EXTREMES:
            return f"{self.kind}({self.parts[0]}, {self.parts[1]})"
        return " // ".join(str(part) if _is_simple(part) else f"({part})" for part in self.parts)

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        if self.kind == "name":
            return sizes[self.parts[0]]
        left, right = (evaluate(part, sizes) for part in self.parts)
        return _EXTREMES[self.kind](left, right) if self.kind in _EXTREMES else left // right

    def spell(self, name: Callable[[str], str]) -> tuple[str, bool]:
        """As Python source, `name` giving each named size's identifier; and whether it needs no brackets."""
        if self.kind == "name":
            return name(self.parts[0]), True
        left, right = (spell(part, name) for part in self.parts)
        if self.kind in _EXTREMES:
            return f"{self.kind}({left}, {right})", True
        brackets = [
            text if _is_simple(part) else f"({text})"
            for part, text in zip(self.parts, (left, right), strict=True)
        ]
        return " // ".join(brackets), False


def _is_simple(size: Size) -> bool:
    return isinstance(size, int) or (size.name is not None)


class Dim:
    """A symbolic size: a sum of products of named sizes, with ``+ - * //``. Equals its text, and is hashable.

    >>> batch = gg.input("x", ("batch", 3)).shape[0]
    >>> batch == "batch", 2 * batch + 1 - batch, (batch * 6) // 3
    (True, Dim('batch + 1'), Dim('2*batch'))
    """

    __slots__ = ("_hash", "name", "terms", "text")
    terms: tuple[tuple[Monomial, int], ...]
    text: str
    _hash: int
    name: str | None
    """The name where the size is a single named one, else None."""

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        ordered = sorted(
            terms.items(), key=lambda term: (not term[0], [(atom.text, n) for atom, n in term[0]])
        )
        set_field = object.__setattr__
        set_field(self, "terms", tuple(ordered))
        alone = (
            len(ordered) == 1 and ordered[0][1] == 1 and len(ordered[0][0]) == 1 and ordered[0][0][0][1] == 1
        )
        atom = ordered[0][0][0][0] if alone else None
        set_field(self, "name", atom.parts[0] if atom is not None and atom.kind == "name" else None)
        set_field(
            self,
            "text",
            self.name if self.name is not None else _join(ordered, lambda a: (a.text, a.kind != "//"), "*"),
        )
        set_field(self, "_hash", hash(self.text))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Dim cannot be changed")

    def __reduce__(self) -> tuple[object, ...]:
        return (Dim, (dict(self.terms),))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Dim):
            return self is other or self.terms == other.terms
        return isinstance(other, str) and (self.text == other or str(self) == other)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Dim({self.text!r})"

    def __add__(self, other: Size) -> Size:
        return add(self, other) if isinstance(other, int | Dim) else NotImplemented

    __radd__ = __add__

    def __neg__(self) -> Size:
        return multiply(self, -1)

    def __sub__(self, other: Size) -> Size:
        return add(self, multiply(other, -1)) if isinstance(other, int | Dim) else NotImplemented

    def __rsub__(self, other: Size) -> Size:
        return add(other, -self) if isinstance(other, int | Dim) else NotImplemented

    def __mul__(self, other: Size) -> Size:
        return multiply(self, other) if isinstance(other, int | Dim) else NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return floor_divide(self, other) if isinstance(other, int | Dim) else NotImplemented

    def __rfloordiv__(self, other: Size) -> Size:
        return floor_divide(other, self) if isinstance(other, int | Dim) else NotImplemented

    def __index__(self) -> int:
        raise NodeUseError(
            f"the size {self} is known only when the model runs, so it is no int here",
            hint="keep it symbolic: shapes, reshape and slices take it as it is, "
            "and node / x.shape[0] divides by it",
        )

    __int__ = __index__

    def __bool__(self) -> bool:
        raise NodeUseError(f"the truth of the size {self} is known only when the model runs")


def _join(
    terms: Iterable[tuple[Monomial, int]], spell_atom: Callable[[Atom], tuple[str, bool]], times: str
) -> str:
    """A polynomial as text, for example ``2*batch - 1``."""
    text = ""
    for monomial, coefficient in terms:
        factors = [] if abs(coefficient) == 1 and monomial else [str(abs(coefficient))]
        leads_with_minus = not text and coefficient < 0  # -(1 // a) is not -1 // a
        crowded = leads_with_minus or len(factors) + sum(power for _, power in monomial) > 1
        for atom, power in monomial:
            spelled, stands = spell_atom(atom)
            factors += [spelled if stands or not crowded else f"({spelled})"] * power
        sign = "-" if coefficient < 0 else "+"
        product = times.join(factors)
        text = f"{text} {sign} {product}" if text else (f"-{product}" if coefficient < 0 else product)
    return text


def _terms(size: Size) -> dict[Monomial, int]:
    if isinstance(size, Dim):
        return dict(size.terms)
    return {(): int(size)} if size else {}


def _normal(terms: Mapping[Monomial, int]) -> Size:
    kept = {monomial: factor for monomial, factor in terms.items() if factor}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    return Dim(kept)


@lru_cache(maxsize=2**14)
def add(a: Size, b: Size) -> Size:
    terms = _terms(a)
    for monomial, factor in _terms(b).items():
        terms[monomial] = terms.get(monomial, 0) + factor
    return _normal(terms)


@lru_cache(maxsize=2**14)
def multiply(a: Size, b: Size) -> Size:
    terms: dict[Monomial, int] = {}
    for left, m in _terms(a).items():
        for right, n in _terms(b).items():
            powers = Counter(dict(left))
            powers.update(dict(right))
            monomial = tuple(sorted(powers.items(), key=lambda item: item[0].text))
            terms[monomial] = terms.get(monomial, 0) + m * n
    return _normal(terms)


@lru_cache(maxsize=2**14)
def floor_divide(a: Size, b: Size) -> Size:
    """`a // b`: the polynomial where one makes `a` of `b`, else a size of its own.

    >>> floor_divide(gg.input("x", ("n",)).shape[0] * 6, 3)
    Dim('2*n')
    """
    if isinstance(b, int) and b == 0:
        raise ShapeError(f"the size {a} divided by zero")
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    exact = _exact_quotient(a, b)
    return Dim({((Atom("//", (a, b)), 1),): 1}) if exact is None else exact


def _exact_quotient(a: Size, b: Size) -> Size | None:
    """The polynomial that makes `a` of `b`, by long division; None if there is none with whole factors."""
    atoms = sorted(
        {one for size in (a, b) for term in _terms(size) for one, _ in term}, key=lambda one: one.text
    )

    def degrees(monomial: Monomial) -> tuple[int, ...]:  # products keep this order
        powers = dict(monomial)
        return sum(powers.values()), *(powers.get(atom, 0) for atom in atoms)

    divisor, quotient, rest = _terms(b), _normal({}), a
    leading = max(divisor, key=degrees)
    while terms := _terms(rest):
        highest = max(terms, key=degrees)
        powers = Counter(dict(highest))
        powers.subtract(dict(leading))
        if terms[highest] % divisor[leading] or min(powers.values(), default=0) < 0:
            return None
        kept = tuple((atom, powers[atom]) for atom in atoms if powers[atom])
        factor = _normal({kept: terms[highest] // divisor[leading]})
        quotient, rest = add(quotient, factor), add(rest, multiply(multiply(factor, b), -1))
    return quotient


def at_least(a: Size, b: Size) -> bool:
    """Whether `a >= b` for every choice of the named sizes, as far as that can be seen from the terms."""
    if (atom := _alone(a)) is not None and atom.kind in _EXTREMES:
        enough = any if atom.kind == "max" else all
        if enough(at_least(part, b) for part in atom.parts):
            return True
    if (atom := _alone(b)) is not None and atom.kind in _EXTREMES:
        enough = all if atom.kind == "max" else any
        if enough(at_least(a, part) for part in atom.parts):
            return True
    difference = add(a, multiply(b, -1))
    return all(
        factor >= 0 and all(_is_nonnegative(atom) for atom, _ in monomial)
        for monomial, factor in _terms(difference).items()
    )


def _alone(size: Size) -> Atom | None:
    """The atom that a size is nothing but, if it is."""
    match () if isinstance(size, int) else size.terms:
        case ((((atom, 1),), 1),):
            return atom
    return None


def _is_nonnegative(atom: Atom) -> bool:
    return atom.kind == "name" or all(at_least(part, 0) for part in atom.parts)


def minimum(a: Size, b: Size) -> Size:
    """The smaller of two sizes; a size of its own where that is not known yet."""
    if at_least(b, a):
        return a
    if at_least(a, b):
        return b
    return _extreme("min", a, b)


def maximum(a: Size, b: Size) -> Size:
    """The larger of two sizes; a size of its own where that is not known yet."""
    if at_least(a, b):
        return a
    if at_least(b, a):
        return b
    return _extreme("max", a, b)


def _extreme(kind: str, a: Size, b: Size) -> Size:
    first, second = sorted((a, b), key=lambda size: (isinstance(size, int), str(size)))
    return Dim({((Atom(kind, (first, second)), 1),): 1})


def evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """The number a size is, given the named sizes."""
    if isinstance(size, int):
        return size
    total = 0
    for monomial, factor in size.terms:
        for atom, power in monomial:
            factor *= atom.evaluate(sizes) ** power
        total += factor
    return total


_USUAL = 1_000


def usual(size: Size) -> int:
    """The number a size is taken for where costs are compared: a named size counts as 1,000, on every machine.

    >>> usual(gg.input("x", ("batch",)).shape[0] * 2)
    2000
    """
    return evaluate(size, dict.fromkeys(symbols(size), _USUAL))


def spell(size: Size, name: Callable[[str], str]) -> str:
    """A size as Python source."""
    return str(size) if isinstance(size, int) else _join(size.terms, lambda atom: atom.spell(name), " * ")


def symbols(size: Size) -> tuple[str, ...]:
    """The named sizes in a size, in order of their text."""
    found: dict[str, None] = {}
    pending: list[Size] = [size]
    while pending:
        part = pending.pop()
        if isinstance(part, int):
            continue
        for monomial, _ in part.terms:
            for atom, _ in monomial:
                if atom.kind == "name":
                    found[atom.parts[0]] = None
                else:
                    pending.extend(atom.parts)
    return tuple(sorted(found))


def as_size(value: object) -> Size:
    """An int or Dim from what a user may write: an int, a NumPy integer, a Dim, or a name: ``"batch"``.

    A string that reads as arithmetic of names is that arithmetic: ``"2*batch + 1"``.
    """
    if isinstance(value, Dim):
        return value
    if isinstance(value, str):
        check_name(value, "a dimension")
        return named_size(value) if value.isidentifier() else _parse(value)
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise ArgumentError(f"a size is an int or a name, not {type(value).__name__} {value!r}")
    number = operator.index(value)
    if number < 0:
        raise ShapeError(f"a size cannot be negative, got {number}")
    return number


def named_size(name: str) -> Dim:
    """The size of that name, whatever text it is."""
    return Dim({((Atom("name", (name,)), 1),): 1})


def _parse(text: str) -> Size:
    try:
        return _from_ast(ast.parse(text, mode="eval").body)
    except (SyntaxError, ArgumentError, RecursionError, MemoryError, ValueError):
        return named_size(text)  # any text may be a name


def _from_ast(tree: ast.expr) -> Size:
    binary: dict[type[ast.operator], Callable[[Size, Size], Size]] = {
        ast.Add: add,
        ast.Sub: lambda a, b: add(a, multiply(b, -1)),
        ast.Mult: multiply,
        ast.FloorDiv: floor_divide,
    }
    match tree:
        case ast.Name(id=name):
            return named_size(name)
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.Constant(value=str(name)):
            return named_size(name)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return multiply(_from_ast(inner), -1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in binary:
            return binary[type(op)](_from_ast(left), _from_ast(right))
        case ast.Call(func=ast.Name(id="min" | "max" as kind), args=[left, right], keywords=[]):
            return (minimum if kind == "min" else maximum)(_from_ast(left), _from_ast(right))
    raise ArgumentError("not a size")
