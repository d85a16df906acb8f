"""Patterns: what the left side of a rule becomes when it is called with variables in place of nodes.

The functions here carry the ops' names and work both ways: on variables they give a pattern, on nodes they are the ops.
So the two sides of a rule are ordinary expressions, which its tests run on real inputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.op import function_named, op_named

COMMUTATIVE = frozenset({"add", "multiply", "maximum", "minimum", "equal", "not_equal"})
"""Ops whose patterns also match with the operands the other way round."""


class _Term:
    """What a pattern is made of; Python's operators build larger ones."""

    head: str | None = None
    """The op of every node that it matches; None if it matches nodes of any op."""

    def __add__(self, other: Any) -> Call:
        return _call("add", self, other)

    def __radd__(self, other: Any) -> Call:
        return _call("add", other, self)

    def __sub__(self, other: Any) -> Call:
        return _call("subtract", self, other)

    def __rsub__(self, other: Any) -> Call:
        return _call("subtract", other, self)

    def __mul__(self, other: Any) -> Call:
        return _call("multiply", self, other)

    def __rmul__(self, other: Any) -> Call:
        return _call("multiply", other, self)

    def __truediv__(self, other: Any) -> Call:
        return _call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Call:
        return _call("divide", other, self)

    def __neg__(self) -> Call:
        return _call("negative", self)


@dataclass(frozen=True, eq=False)
class Variable(_Term):
    """Any node, or in the place of an attribute any value; the same one wherever the variable stands."""

    name: str


@dataclass(frozen=True, eq=False)
class Literal(_Term):
    """A constant scalar of this value, in any dtype; 0.0 is not -0.0."""

    value: bool | int | float
    head = "const"


@dataclass(frozen=True, eq=False)
class Call(_Term):
    """A node of this op."""

    op: str
    parts: tuple[Pattern, ...]
    attrs: Mapping[str, Any]
    """Values, or variables that stand for them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "head", self.op)


Pattern: TypeAlias = Variable | Literal | Call


@dataclass(frozen=True)
class Match:
    """Where a pattern was found."""

    bound: Mapping[str, Any]
    """Nodes and attributes by the names of the variables."""
    inner: tuple[Node, ...]
    """The nodes below the root that the pattern names by their ops, each after one that reads it."""


def find(pattern: Call, node: Node) -> Match | None:
    """Match a pattern at a node."""
    for part, own in zip(
        pattern.parts, node.inputs, strict=False
    ):  # most patterns are out of the question here
        if part.head is not None and part.head != own.op.name:
            return None
    bound: dict[str, Any] = {}
    inner: dict[Node, None] = {}
    pending: list[tuple[Pattern, Node]] = [(pattern, node)]
    for wanted, given in pending:  # grows on the way: breadth first
        if isinstance(wanted, Variable):
            if bound.setdefault(wanted.name, given) is not given:
                return None
        elif isinstance(wanted, Literal):
            if not _is_literal(given, wanted.value):
                return None
        elif given.op.name != wanted.op or len(given.inputs) != len(wanted.parts):
            return None
        else:
            if not _bind_attrs(wanted.attrs, given.attrs, bound):
                return None
            if given is not node:
                inner[given] = None
            pending += zip(wanted.parts, given.inputs, strict=True)
    return Match(bound, tuple(inner))


def _bind_attrs(wanted: Mapping[str, Any], given: Mapping[str, Any], bound: dict[str, Any]) -> bool:
    for name, value in wanted.items():
        if not isinstance(value, Variable):
            if value != given[name]:
                return False
        elif bound.setdefault(value.name, given[name]) != given[name]:
            return False
    return True


def _is_literal(node: Node, value: bool | int | float) -> bool:
    if node.op.name != "const" or node.shape:
        return False
    held = node.attrs["value"]
    if isinstance(value, bool) or held.dtype == np.bool_:
        return isinstance(value, bool) and held.dtype == np.bool_ and bool(held) is value
    return bool(held == value) and bool(np.signbit(held)) == bool(np.signbit(value))


def orders(pattern: Pattern) -> list[Any]:
    """The pattern with the operands of commutative ops in every order."""
    if not isinstance(pattern, Call):
        return [pattern]
    found = [replace(pattern, parts=parts) for parts in product(*map(orders, pattern.parts))]
    if pattern.op in COMMUTATIVE:
        found += [replace(one, parts=one.parts[::-1]) for one in found]
    return found


def ops_of(pattern: Pattern) -> tuple[str, ...]:
    """The ops of the nodes that a pattern matches."""
    if isinstance(pattern, Variable):
        return ()
    if isinstance(pattern, Literal):
        return ("const",)
    return tuple(dict.fromkeys((pattern.op, *(op for part in pattern.parts for op in ops_of(part)))))


_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def spell(term: Any) -> str:
    """A pattern for people: ``log(exp(x))``."""
    if isinstance(term, Variable):
        return term.name
    if not isinstance(term, Call):
        return repr(term.value if isinstance(term, Literal) else term)
    parts = [spell(part) for part in term.parts]
    if term.op in _SIGNS or term.op == "negative":
        inner = [
            f"({text})" if _is_infix(part) else text for part, text in zip(term.parts, parts, strict=True)
        ]
        return f"-{inner[0]}" if term.op == "negative" else f" {_SIGNS[term.op]} ".join(inner)
    attrs = [f"{name}={spell(value)}" for name, value in term.attrs.items()]
    return f"{term.op}({', '.join(parts + attrs)})"


def _is_infix(term: Pattern) -> bool:
    return isinstance(term, Call) and (term.op in _SIGNS or term.op == "negative")


# ---- ops on nodes and on variables ----


@cache
def attribute_names(op: str) -> tuple[str, ...]:
    """The attributes of an op, in the order in which its function takes them."""
    parameters = inspect.signature(op_named(op).infer).parameters.values()
    return tuple(one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY)


def _call(op: str, *args: Any) -> Call:
    operands = op_named(op).operands
    parts: Sequence[Any] = args[0] if operands is None else args[: len(operands)]
    rest = args[1:] if operands is None else args[len(operands) :]
    made = tuple(part if isinstance(part, _Term) else Literal(part) for part in parts)
    return Call(op, made, dict(zip(attribute_names(op), rest, strict=True)))  # type: ignore[arg-type]  # a term is one of the three


def op(name: str) -> Callable[..., Any]:
    """The op called `name`, on nodes or on variables; its attributes follow the operands by position."""

    def build(*args: Any) -> Any:
        first = args[0] if op_named(name).operands is None else args
        if any(isinstance(part, _Term) for part in (*first, *args)):
            return _call(name, *args)
        return function_named(name)(*args)

    return build


abs = op("abs")
broadcast_to = op("broadcast_to")
cast = op("cast")
concatenate = op("concatenate")
exp = op("exp")
expand_dims = op("expand_dims")
index = op("index")
log = op("log")
matmul = op("matmul")
maximum = op("maximum")
mean = op("mean")
minimum = op("minimum")
power = op("power")
reshape = op("reshape")
sigmoid = op("sigmoid")
sqrt = op("sqrt")
square = op("square")
squeeze = op("squeeze")
stop_gradient = op("stop_gradient")
sum = op("sum")
transpose = op("transpose")
where = op("where")
