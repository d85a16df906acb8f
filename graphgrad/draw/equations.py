"""`equations`: the chain rule of a model as formulas, one step for each backward card of its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphgrad.core.errors import ArgumentError
from graphgrad.core.lazy import lazy_import
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape
from graphgrad.draw.latex import statement_latex, text_latex
from graphgrad.draw.story import Step, Story

if TYPE_CHECKING:
    from graphgrad.core.graph import Graph
    from graphgrad.emit.source import Source
    from graphgrad.plan.plan import Plan
    from graphgrad.run.compiled import Compiled

_subject = lazy_import("graphgrad.draw.subject")
_tell = lazy_import("graphgrad.draw.tell")
_namer = lazy_import("graphgrad.emit.namer")


@dataclass(frozen=True)
class Equation:
    """One step of the chain rule: what stands on one backward card of the picture."""

    key: str
    """Of the card in a picture's scene."""
    op: str
    scope: tuple[str, ...]
    """The layers of its forward op, from the outside in."""
    forward: tuple[str, ...]
    """The emitted statements that are differentiated."""
    backward: tuple[str, ...]
    """The emitted statements of this step, and what passes through it unchanged."""
    sides: tuple[tuple[str, str], ...]
    """Left and right side of each of `backward` in LaTeX, every variable with its shape below."""
    rule: str
    """The chain-rule term in words."""

    @property
    def formulas(self) -> tuple[str, ...]:
        """`backward` in LaTeX."""
        return tuple(f"{left} = {right}" if left else right for left, right in self.sides)


@dataclass(frozen=True)
class Equations:
    """The chain rule of a model, from its result backwards. Notebooks show it as formulas, ``print`` as Markdown."""

    title: str
    """What is differentiated."""
    steps: tuple[Equation, ...]
    """In the order in which the backward half of a picture is read: from the bottom up."""

    @cached_property
    def latex(self) -> str:
        """All steps as one ``aligned`` block, for any display of LaTeX, MathJax or KaTeX."""
        rows = []
        for step in self.steps:
            remark = rf" && {text_latex(f'{step.op}: {step.rule}' if step.rule else step.op)}"
            for number, (left, right) in enumerate(step.sides):
                rows.append(f"{left} &= {right}" if left else f"& {right}")
                rows[-1] += remark if number == 0 else ""
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    @cached_property
    def markdown(self) -> str:
        """A heading for each step with what is differentiated, the formulas, and the rule in words."""
        parts = [_INTRODUCTION.format(title=_plain(self.title))]
        for step in self.steps:
            layer = f" in {_plain('/'.join(step.scope))}" if step.scope else ""
            read = "; ".join(f"`{line.strip()}`" for line in step.forward)
            parts.append(f"**∂ {_plain(step.op)}**{layer}" + (f", of {read}" if read else ""))
            parts += [f"$$\n{formula}\n$$" for formula in step.formulas]
            parts += [f"*{_plain(step.rule)}*"] * bool(step.rule)
        return "\n\n".join(parts) + "\n"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __str__(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return f"<Equations of {self.title!r}: {len(self.steps)} steps; .markdown and .latex have them>"


_INTRODUCTION = """### The chain rule of {title}

$d_v$ is the gradient of {title} by $v$, and $\\odot$ multiplies element by element; below each variable stands its
shape. In words, G is the gradient that a step starts from."""
_MARKUP = frozenset("\\`*_{}[]<>()#+!|$&~")


def equations(
    x: Node | Sequence[Node] | Mapping[str, Node] | Graph | Compiled, *, wrt: Any = None
) -> Equations:
    """The chain rule of a model as formulas, step by step: what its picture's backward half says, in its order and with
    its names.

    Parameters
    ----------
    x:
        Nodes, of which the first is differentiated, a `Graph`, or a compiled model (at its own level).
    wrt:
        What to differentiate by, for nodes and graphs; by default every parameter, if the first output is a float
        scalar.

    Raises
    ------
    ArgumentError
        If there is nothing to differentiate by.

    >>> w = gg.param("w", ())
    >>> chain = gg.equations(gg.sin(w) ** 2)
    >>> [(step.op, step.backward[-1]) for step in chain.steps]
    [('square', 'd_sines = d_squared * 2 * sines'), ('sin', 'd_w = d_sines * np.cos(w)')]
    >>> print(chain.steps[-1].formulas[0])
    d_{w} = d_{\\mathit{sines}} \\cdot \\cos\\left(w\\right)
    """
    plan, source = _subject.subject(x, wrt, True)
    if plan.schedule.interface.wrt is None:
        raise ArgumentError(
            "there is nothing to differentiate by, so there is no chain rule to write down",
            hint="gg.equations(loss, wrt=[w, b])",
        )
    story: Story = _tell.tell(plan, source)
    shapes = _shapes(plan, source, story)
    values = {} if plan.schedule.interface.needs_cotangent else {"cotangent": "1"}
    if story.mirrored:
        told = [
            _equation(step, (*step.backward_lines, *step.passes), step.rule, shapes, values)
            for step in reversed(story.steps)
            if step.has_backward
        ]
    else:  # gradients of gradients stand in cards of their own, in the order in which they are computed
        told = [
            _equation(step, step.lines, step.details[0] if step.details else "", shapes, values)
            for step in story.steps
            if step.derived and step.lines
        ]
    return Equations(story.results[0].label if story.results else story.title, tuple(told))


def _equation(
    step: Step, lines: tuple[str, ...], rule: str, shapes: Mapping[str, Shape], values: Mapping[str, str]
) -> Equation:
    sides = []
    for line in lines:
        name, _, source = line.partition(" = ")
        passed = {name: shapes[source]} if line in step.passes and source in shapes else {}
        sides.append(statement_latex(line, {**shapes, **passed}, values))
    forward = () if step.derived else step.lines
    return Equation(step.key, step.op, step.scope, forward, lines, tuple(sides), rule)


def _shapes(plan: Plan, source: Source, story: Story) -> dict[str, Shape]:
    """The shapes of the variables in a story's statements."""
    names = _namer.Namer(plan)
    interface = plan.schedule.interface
    leaves = (*interface.arguments, *plan.constants, *(seed.cotangent for seed in interface.seeds))
    found: dict[str, Shape] = {names[leaf]: leaf.shape for leaf in leaves}
    told = {line for step in story.steps for line in (*step.lines, *step.backward_lines)}
    for statement in source.statements:
        name = _target(statement.code) if statement.code in told else None
        if name is not None:
            found[name] = statement.nodes[-1].shape
    return found


def _target(code: str) -> str | None:
    """The variable that a statement makes."""
    name, _, value = code.partition(" = ")
    return name if value and name.isidentifier() else None


def _plain(text: str) -> str:
    """Text in which Markdown and HTML find nothing of their own."""
    shown = (char if char.isprintable() else " " for char in text)
    return "".join(f"&#{ord(char)};" if char in _MARKUP else char for char in shown)
