"""Rules: what may be taken for what, how safely, and when not. A rule is data; `engine` applies it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphgrad.core.node import Node
from graphgrad.core.rewriting import Safety
from graphgrad.rewrite.pattern import Call, Variable, find, ops_of, orders, spell

Side: TypeAlias = Callable[..., Any]
"""One side of a rule: an expression of its variables."""
Example: TypeAlias = Mapping[str, Any]
"""A value for each variable to test a rule with: for a node its shape, or a number for a constant."""

FLOATS = ("float32", "float64")
INTS = ("int32", "uint8")


@dataclass(frozen=True)
class Declined:
    """Why a rule that fits does not fire."""

    reason: str


@dataclass(frozen=True)
class Found:
    """What to take for a node, and the nodes below it that may become needless by that."""

    replacement: Node
    inner: tuple[Node, ...] = ()


Outcome: TypeAlias = Found | Declined | None
"""None: the rule does not fit."""
Attempt: TypeAlias = Callable[[Node, Collection[Node]], Outcome]
"""``attempt(node, present)``, where `present` is what the graph computes so far."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One way of rewriting a node. Made by `rule`, or as it is where no pattern says what is meant."""

    name: str
    safety: Safety
    roots: tuple[str, ...]
    """The ops it applies to."""
    needs: tuple[str, ...]
    """Ops of which a graph has each, or the rule cannot fire."""
    attempt: Attempt
    before: str
    after: str
    """Both sides for people."""
    dtypes: tuple[str, ...] = FLOATS
    """What its tests use."""
    examples: tuple[Example, ...] = ()
    build: Callable[..., Node] | None = None
    """The left side on nodes, for the tests."""
    variables: tuple[str, ...] = ()
    attributes: frozenset[str] = field(default=frozenset())
    """Those of the variables that stand for attributes."""
    declined: tuple[Example, ...] = ()
    """Examples on which it must not fire."""
    has_gradient: bool = True
    """Whether both sides have the same gradient; if not, it may only fire after differentiation."""


def rule(
    name: str,
    left: Side,
    right: Side,
    *,
    safety: Safety,
    when: Side | None = None,
    dtypes: Sequence[str] = FLOATS,
    examples: Iterable[Example] = (),
    declined: Iterable[Example] = (),
    before: str = "",
    after: str = "",
    has_gradient: bool = True,
) -> Rule:
    """A rule from two expressions of the same variables, usually lambdas.

    Parameters
    ----------
    left:
        Called with variables it builds the pattern. A number is a constant of that value; the operands of commutative
        ops match in either order; a variable that stands where an op takes an attribute captures that attribute.
    right:
        Builds the replacement from the nodes and attributes that were captured; it may name some of them only.
    when:
        Takes captured variables. Gives a `Declined` where the rule fits and must not fire, and False where the pattern
        says less than is meant.
    examples, declined:
        What to test it with instead of the usual shapes; and on what it must not fire.

    >>> from graphgrad.rewrite.pattern import exp, log
    >>> undone = rule("log_exp", lambda x: log(exp(x)), lambda x: x, safety="widening")
    >>> x = gg.input("x", (2,))
    >>> undone.attempt(gg.log(gg.exp(x)), ()).replacement is x
    True
    """
    variables = _parameters(left)
    pattern = left(*map(Variable, variables))
    patterns = orders(pattern)
    wanted = _parameters(right)
    asked = () if when is None else _parameters(when)

    def attempt(node: Node, present: Collection[Node]) -> Outcome:
        for one in patterns:
            match = find(one, node)
            if match is not None:
                if when is not None:
                    answer = when(*(match.bound[variable] for variable in asked))
                    if isinstance(answer, Declined):
                        return answer
                    if answer is False:
                        continue
                return Found(right(*(match.bound[variable] for variable in wanted)), match.inner)
        return None

    return Rule(
        name=name,
        safety=safety,
        roots=(pattern.op,),
        needs=ops_of(pattern),
        attempt=attempt,
        before=before or spell(pattern),
        after=after or spell(right(*map(Variable, wanted))),
        dtypes=tuple(dtypes),
        examples=tuple(examples),
        declined=tuple(declined),
        build=left,
        variables=variables,
        attributes=_attributes(pattern),
        has_gradient=has_gradient,
    )


def _parameters(function: Side) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    return tuple(one.name for one in parameters if one.default is inspect.Parameter.empty)


def _attributes(pattern: Any) -> frozenset[str]:
    """The variables that stand for attributes anywhere in a pattern."""
    found: set[str] = set()
    pending = [pattern]
    while pending:
        part = pending.pop()
        if isinstance(part, Call):
            pending += part.parts
            found.update(value.name for value in part.attrs.values() if isinstance(value, Variable))
    return frozenset(found)
