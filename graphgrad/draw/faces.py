"""What stands on each card, and how large that makes it - before any card has a place."""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple

from graphgrad.draw.shapes import BAR_HEIGHT, PAD_X, PAD_Y, Line, Run, line_height
from graphgrad.draw.story import Kept, Leaf, LeafKind, Mark, Measure, Result, Step
from graphgrad.draw.style import CARDS, MONO_EM, SUBSTITUTE, CardKind, Role, clean, shorten, text_width

# Whole numbers: Graphviz cuts the rest off.
CODE_SIZE, HEAD_SIZE, RULE_SIZE, SHAPE_SIZE, MEASURE_SIZE = 11.0, 13.0, 10.0, 10.0, 10.0
CODE_WIDTH = 52 * MONO_EM * CODE_SIZE
CODE_LINES, INDENT = 3, " " * 4
"""Longer statements go on in the next line; after three they are cut, and the tooltip has all of them."""
MIN_WIDTH, GRID = 110.0, 20.0
"""Cards come in few widths, which makes columns of them calm."""
PILL_HEIGHT = 25.0
LEAF_WIDTH, GRADIENT_WIDTH = 170.0, 215.0
"""Room for names such as blocks.1.second.weight, which differ at their end."""
TIE_WIDTH = 300.0
FOLD = 4.0
"""How far the second border of a folded card stands out."""
_BRACKET_OR_SPACE = re.compile(r"[][(){} ]")

MARKS: dict[Mark, str] = {"": "", "same": "", "removed": "−  ", "merged": "=  ", "new": "+  "}
"""What stands before the op, so that a mark is seen without its colour."""
_LEAVES: dict[LeafKind, CardKind] = {
    "input": "data", "param": "param", "state": "state", "const": "const", "rng": "rng",
}  # fmt: skip


class Face(NamedTuple):
    """A card without a place."""

    kind: CardKind
    text: tuple[Line, ...]
    width: float
    height: float
    code: tuple[str, ...]
    tooltip: str
    folded: bool = False
    bar: float | None = None


class Tie(NamedTuple):
    """What a backward step reads, as the line across the picture says it."""

    kind: Literal["kept", "uses", "tie"]
    label: str
    full: str


def forward_face(step: Step, results: tuple[Result, ...]) -> Face:
    """The card of a forward op; results name what they are."""
    kind: CardKind = "result" if results else "backward" if step.derived else "op"
    if step.mark:
        kind = step.mark
    role = CARDS[kind].text
    head = MARKS[step.mark] + shorten(clean(step.op), 190, HEAD_SIZE, bold=True)
    line: Line
    if results:
        label = clean(", ".join(result.label for result in results))
        line = (Run(f"{head}  ▸  {shorten(label, 170, HEAD_SIZE, bold=True)}", role, HEAD_SIZE, bold=True),)
        if step.shape:
            line += (_shape(step.shape),)
    else:
        line = (Run(head, role, HEAD_SIZE, bold=True),)
    text = [line, *_plain(step.details), *_code(step.lines, "ink")]
    full = (step.op, *step.details, *step.lines) if step.details else step.lines or (step.op,)
    return _face(kind, text, step.lines, "\n".join(full), step.folded, step.measure)


def backward_face(step: Step) -> Face:
    """The card of a chain-rule step."""
    code_free = not step.backward_lines and not step.folded
    kind: CardKind = "pass" if code_free else "backward"
    head = "∂ " + shorten(clean(step.op), 340, HEAD_SIZE, bold=True)
    text: list[Line] = [(Run(head, CARDS[kind].text, HEAD_SIZE, bold=True),)]
    text += _plain(step.backward_details)
    text += _code(step.backward_lines, "ink")
    text += _code(step.passes, "muted")
    if step.rule:
        rule = shorten(clean(step.rule), CODE_WIDTH, RULE_SIZE)
        text.append((Run(rule, "muted", RULE_SIZE, italic=True),))
    full = [f"∂ {step.op}", *step.backward_details, *step.backward_lines, *step.passes]
    full += [step.rule] * bool(step.rule)
    return _face(kind, text, step.backward_lines, "\n".join(full), step.folded, step.backward_measure)


def leaf_face(leaf: Leaf, results: tuple[Result, ...] = (), *, again: bool = False) -> Face:
    """The pill of a leaf; ``again`` where it is shown in full elsewhere."""
    kind: CardKind = "again" if again else "result" if results else _LEAVES[leaf.kind]
    name = shorten(clean(leaf.name), LEAF_WIDTH, HEAD_SIZE, bold=True)
    if results:
        name += "  ▸  " + shorten(clean(", ".join(r.label for r in results)), 130, HEAD_SIZE, bold=True)
    full = f"{leaf.name}  {leaf.shape}\n{CARDS[kind].means}"
    return _pill(kind, name, "" if again else leaf.shape, full)


def gradient_face(texts: tuple[str, ...], shape: str, *, again: bool = False) -> Face:
    """The pill of a gradient: its name first, then whatever else is said of it."""
    kind: CardKind = "grad_again" if again else "grad"
    name = shorten(clean(texts[0] if texts else "∂"), GRADIENT_WIDTH, HEAD_SIZE, bold=True)
    rest = "" if again else "  ".join((*texts[1:], shape))
    full = f"{'  '.join(texts)}  {shape}\n{CARDS[kind].means}"
    return _pill(kind, f"+ {name}" if again else name, rest, full)


def tie_of(step: Step) -> Tie:
    """The line from a forward op to its chain-rule step."""
    keeps, uses = _names(step.keeps), ", ".join(kept.name for kept in step.uses)
    said = [f"keeps {keeps}"] * bool(keeps) + [f"uses {uses}"] * bool(uses)
    full = " · ".join(said)
    kind: Literal["kept", "uses", "tie"] = "kept" if keeps else "uses" if uses else "tie"
    return Tie(kind, shorten(clean(full), TIE_WIDTH, RULE_SIZE), full)


def _names(kept: tuple[Kept, ...]) -> str:
    return ", ".join(f"{one.name} {one.size}".strip() for one in kept)


def _shape(shape: str) -> Run:
    return Run("   " + shorten(clean(shape), 110, SHAPE_SIZE), "muted", SHAPE_SIZE)


def _plain(lines: tuple[str, ...]) -> list[Line]:
    return [(Run(shorten(clean(line), CODE_WIDTH, CODE_SIZE), "muted", CODE_SIZE),) for line in lines]


def _code(lines: tuple[str, ...], role: Role) -> list[Line]:
    return [(Run(part, role, CODE_SIZE, mono=True),) for line in lines for part in _wrapped(clean(line))]


def _wrapped(line: str) -> list[str]:
    """A statement over as many lines as it needs, broken at spaces within as few brackets as possible."""
    parts: list[str] = []
    while len(parts) < CODE_LINES - 1 and text_width(line, CODE_SIZE, mono=True) > CODE_WIDTH:
        at = _break(line, len(shorten(line, CODE_WIDTH, CODE_SIZE, mono=True)))
        if not at:
            break
        parts.append(line[:at])
        line = INDENT + line[at:].lstrip()
    return [*parts, shorten(line, CODE_WIDTH, CODE_SIZE, mono=True)]


def _break(line: str, room: int) -> int:
    """The space to break at: not too far left, within few brackets, after a comma or before an operator."""
    best, found, depth = (room, 0, 0), 0, 0
    for match in _BRACKET_OR_SPACE.finditer(line, 0, room):
        at, letter = match.start(), match[0]
        if letter != " ":
            depth += 1 if letter in "([{" else -1
            continue
        operator = line[at + 1 : at + 2] in "+-*/@"
        cost = (depth, 0 if line[at - 1] == "," else 1 if operator else 2, -at)
        if "=" not in line[at - 1 : at + 2] and at > room // 4 and cost < best:
            best, found = cost, at
    return found


def _face(
    kind: CardKind,
    text: list[Line],
    code: tuple[str, ...],
    tooltip: str,
    folded: bool,
    measure: Measure | None,
) -> Face:
    bar = None
    if measure is not None:
        bar = measure.share
        text = [*text, (Run(clean(measure.text), "ink", MEASURE_SIZE, bold=True),)]
        if bar is not None:
            text.append((Run(" ", "ink", BAR_HEIGHT),))  # holds the place where the bar stands
    inner = max(map(_line_width, text))
    width = max(MIN_WIDTH, math.ceil((inner + 2 * PAD_X) / GRID) * GRID)
    height = sum(map(line_height, text)) + 2 * PAD_Y
    extra = 2 * FOLD if folded else 0.0
    return Face(kind, tuple(text), width + extra, round(height, 1) + extra, code, tooltip, folded, bar)


def _pill(kind: CardKind, name: str, shape: str, tooltip: str) -> Face:
    line: Line = (Run(name, CARDS[kind].text, HEAD_SIZE, bold=True),)
    if shape:
        line += (_shape(shape),)
    width = math.ceil((_line_width(line) + 2 * PAD_X) / 8) * 8.0
    return Face(kind, (line,), width, PILL_HEIGHT, (), tooltip)


def _line_width(line: Line) -> float:
    return sum([run.width * (1.0 if run.mono else SUBSTITUTE) for run in line])
