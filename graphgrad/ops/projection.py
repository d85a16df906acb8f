"""Taking one result of an op that has several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError
from graphgrad.core.form import Form
from graphgrad.core.node import Node, intern_node
from graphgrad.core.op import NotDifferentiable, Sample, defop, op_named
from graphgrad.core.spec import Spec

PROJECTION = "result"


def _none(rng: np.random.Generator) -> Iterator[Sample]:
    return iter(())


def _no_spec(*specs: Spec, which: int) -> Spec:
    raise ArgumentError("made by `results`, which knows the specs")


@defop(
    infer=_no_spec,
    axes=lambda *specs, which: (),
    reference=lambda x, *, which: x[which],
    numpy=lambda speller, parts, node: Form(f"{parts[0].text}[{node.attrs['which']}]"),
    vjp=NotDifferentiable("differentiation hands the cotangents of all results to the op itself"),
    jvp=NotDifferentiable("differentiation hands the tangents of all results to the op itself"),
    samples=_none,
    errors=(),
    rule={},
    noun="result",
    operands=("x",),
    light=True,
    lazy=True,
    view=True,
    cost=lambda inputs, result: 0,
)
def result(x: Any, which: int) -> Node:
    """Result number `which` of an op with several; `results` gives all of them."""
    return results(x)[which]


def results(node: Node) -> tuple[Node, ...]:
    """The results of a node, each as a node of its own."""
    return tuple(
        intern_node(op_named(PROJECTION), (node,), {"which": at}, (spec,))
        for at, spec in enumerate(node.specs)
    )
