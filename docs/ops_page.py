"""The reference of every function that makes nodes, from their docstrings: docs/reference/ops.md.

python docs/refresh.py writes it, and make golden does.
"""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import graphgrad as gg  # noqa: E402
from graphgrad.core.op import NotDifferentiable, registry  # noqa: E402
from graphgrad.ops import dispatch  # noqa: E402
from graphgrad.ops.update import At  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "ops.md"
INTRODUCTION = """\
<!-- made by docs/refresh.py from the docstrings: change them there, then run make golden -->
# Functions that make nodes

Every function takes nodes, arrays and numbers, and gives a node whose shape and dtype are known at once. Names and
arguments are NumPy's where NumPy has the function, and torch's or JAX's where it has not. What stands under *also*
gives the same node: other names, NumPy's own functions when they are called with a node, and methods of nodes.
`help(gg.take)` shows a function's parameters, its errors and an example.

In the column *gradient*, *G* is the cotangent of the result: what the chain rule has arrived with. A formula such as
d/dx = y is the factor that G is multiplied by; an operand that was broadcast gets the sum over what it was broadcast
to. Functions that are composed of others get the gradient of their parts.

What is promised of all of them:

- dtypes are promoted as in NumPy 2: Python numbers are weak, float32 never becomes float64 unasked. Integers and
  booleans have no gradient.
- Ties share the gradient evenly (`maximum`, `max`), and at a kink it is 0 (`abs`, `nn.relu`).
- A branch that `where` did not take never gives nan, also if it is singular there.
- nan, inf and -0.0 behave as in IEEE 754.
- An index out of range is an IndexError, and never reads or writes elsewhere. Indices below 0 count from the end.
"""
ORDER = (
    "ops.leaf", "ops.arithmetic", "ops.elementary", "ops.compare", "ops.convert", "ops.reduce", "ops.contract",
    "ops.movement", "ops.join", "ops.index", "ops.update", "ops.take", "ops.sort", "ops.segment",
)  # fmt: skip
"""Where families stand; others follow by name, then nn and special."""
SLOPE = re.compile(r"\s*(?=\bd(?:/d\w|A =))")
"""Where a docstring's formula of the derivative begins."""
BEHIND = """\
## Ops behind these

What the functions above and gradients are made of, as pictures and `explain` name it.
"""


class Entry(NamedTuple):
    """A row: what a user calls the function, its other names, and the function."""

    shown: str
    others: tuple[str, ...]
    function: Callable[..., object]


def text():
    """The whole page."""
    entries = public()
    families = {}
    for entry in sorted(entries):
        families.setdefault(family(entry.function), []).append(entry)
    ops = {getattr(entry.function, "op", None) for entry in entries}
    behind = [Entry(name, (), build) for name, (op, build) in sorted(registry().items()) if op not in ops]
    order = sorted(
        families, key=lambda name: (name not in ORDER, ORDER.index(name) if name in ORDER else 0, name)
    )
    titles = [title(name) for name in order]
    links = " · ".join(f"[{one}](#{anchor(one)})" for one in [*titles, "Ops behind these"])
    parts = [INTRODUCTION, links + "\n"]
    for name, heading in zip(order, titles, strict=True):
        parts.append(f"## {heading}\n")
        said = paragraphs(module(name))[0]
        if said.rstrip(".") != heading:
            parts.append(markdown(said) + "\n")
        parts.append(table(families[name]))
    return "\n".join([*parts, BEHIND, table(behind)])


def public():
    """Every function and layer of graphgrad itself, nn and special that makes nodes."""
    names = {}
    for prefix, owner in (("gg", gg), ("gg.nn", gg.nn), ("gg.special", gg.special)):
        for name in sorted(owner.__all__):
            function = getattr(owner, name)
            makes = inspect.isfunction(function) or (
                inspect.isclass(function) and issubclass(function, gg.nn.Module)
            )
            if makes and re.match(r"graphgrad\.(ops|nn|special)\b", function.__module__):
                names.setdefault(function, []).append(f"{prefix}.{name}")
    entries = [Entry("x[index]", (), registry()["index"][1])]
    for function, found in names.items():
        if function is gg.at:
            methods = [name for name in vars(At) if not name.startswith("_")]
            entries += [Entry(f"gg.at(x, index).{name}", (), getattr(At, name)) for name in methods]
        else:
            shown = next((name for name in found if name.endswith(f".{function.__name__}")), found[0])
            entries.append(Entry(shown, tuple(name for name in found if name != shown), function))
    return entries


def family(function):
    """``ops.reduce``."""
    return function.__module__.partition(".")[2]


def module(name):
    return sys.modules[f"graphgrad.{name}"]


def title(name):
    """What a module's docstring begins with."""
    return re.split(r"[:,.]", inspect.getdoc(module(name)), maxsplit=1)[0]


def anchor(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def table(entries):
    """A row for each function, and below it what else there is to say."""
    lines = ["| function | gives | gradient | also |", "|---|---|---|---|"]
    notes = []
    for entry in entries:
        gives, slope, more = told(entry.function)
        call = entry.shown if "[" in entry.shown else entry.shown + signature(entry.function)
        also = ", ".join(f"`{name}`" for name in (*entry.others, *elsewhere(entry.function)))
        cells = [f"`{call}`", markdown(gives), markdown(slope), also]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        if more:
            notes.append(f"- `{entry.shown.rpartition('gg.')[2]}`: {markdown(more)}")
    return "\n".join([*lines, "", *notes, ""] if notes else [*lines, ""])


def signature(function):
    """The parameters without their types."""
    found = inspect.signature(function)
    given = [part for part in found.parameters.values() if part.name != "self"]
    bare = [part.replace(annotation=inspect.Parameter.empty) for part in given]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty)).replace("'", '"')


def paragraphs(documented):
    """What a docstring says before its sections and examples, a paragraph a string."""
    body = re.split(r"\n\n(?=>>>|\w+\n---)", inspect.getdoc(documented))[0]
    return [" ".join(part.split()) for part in body.split("\n\n")]


def told(function):
    """What a function gives, its gradient, and the rest of what its docstring says."""
    gives, *more = paragraphs(function)
    found = SLOPE.search(gives)
    slope = ""
    if found:
        gives, slope = gives[: found.start()], gives[found.end() :]
    for at, said in enumerate(more):
        if not slope and SLOPE.match(said):
            slope = more.pop(at)
            break
    rest = " ".join(more)
    op = getattr(function, "op", None)
    if op is None:
        sentence = re.search(r"(?:^|(?<=\. ))The gradient .*?(?:\.(?= |$))", rest)
        if sentence and not slope:
            slope = sentence[0].rstrip(".")
            rest = " ".join((rest[: sentence.start()] + rest[sentence.end() :]).split())
        return gives, slope or "of its parts", rest
    if isinstance(op.vjp, NotDifferentiable):
        return gives, "none", rest
    terms = [f"{'' if len(op.rule) == 1 else name + ': '}{term}" for name, term in op.rule.items()]
    return gives, slope or "; ".join(terms), rest


def elsewhere(function):
    """What of NumPy's comes to this function when called with a node, and the method of nodes."""
    known = {**dispatch._UFUNCS, **dispatch._FUNCTIONS}
    yield from sorted({f"np.{theirs.__name__}" for theirs, ours in known.items() if ours is function})
    own = getattr(gg.Node, function.__name__, None)
    if f"See `graphgrad.{function.__name__}`" in (getattr(own, "__doc__", None) or ""):
        home = registry().get(function.__name__, (None, None))[1]
        if function is home or function is getattr(gg, function.__name__):
            yield f"x.{function.__name__}"


def markdown(words):
    """Text of a docstring as Markdown: signs that would set type are escaped, but within code."""
    pieces = re.split(r"(``.+?``|`[^`]+`)", words)
    plain = [re.sub(r"([*_<])", r"\\\1", piece) for piece in pieces[::2]]
    code = [f"`{piece.strip('`')}`" for piece in pieces[1::2]]
    return "".join(part for pair in zip(plain, [*code, ""], strict=True) for part in pair)


def write():
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")
