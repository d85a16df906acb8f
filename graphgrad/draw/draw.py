"""`draw`: a picture of anything that has a graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from graphgrad.core.errors import ArgumentError, InvalidValueError, UnsupportedError
from graphgrad.core.graph import Graph
from graphgrad.core.lazy import lazy_import
from graphgrad.core.node import Node
from graphgrad.core.structure import Structure

if TYPE_CHECKING:
    from graphgrad.draw.picture import Picture
    from graphgrad.draw.style import Theme
    from graphgrad.run.compiled import Compiled

# what draws and compiles is not needed to import graphgrad
_compiled = lazy_import("graphgrad.run.compiled")
_pipeline = lazy_import("graphgrad.pipeline")
_fold = lazy_import("graphgrad.draw.fold")
_picture = lazy_import("graphgrad.draw.picture")
_tell = lazy_import("graphgrad.draw.tell")
_DETAILS = ("auto", "layer", "op", "line")


def draw(
    x: Node | Sequence[Node] | dict[str, Node] | Graph | Compiled,
    *,
    wrt: Any = None,
    detail: str = "auto",
    expand: Collection[str] = (),
    fold: Collection[str] = (),
    backward: bool = True,
    stage: str | None = None,
    theme: Theme = "light",
    title: str | None = None,
) -> Picture:
    """A picture of forward and backward, row by row, side by side.

    Parameters
    ----------
    x:
        Nodes (drawn as level "plain"), a `Graph`, or a compiled model (drawn as it was compiled).
    wrt:
        What to differentiate by, for nodes; by default every parameter, if the first output is a float scalar.
    backward:
        False draws the forward half alone.
    theme:
        "light", "dark", or "auto", which follows the reader's setting in an SVG.
    title:
        By default the model's name.

    Raises
    ------
    ArgumentError, InvalidValueError, UnsupportedError
        If there is nothing to draw, or an option does not exist.

    >>> x, w = gg.input("x", ("batch", 3)), gg.param("w", (3,))
    >>> picture = gg.draw(gg.mean((x @ w) ** 2))
    >>> picture.source.startswith("digraph")
    True
    """
    if detail not in _DETAILS:
        raise InvalidValueError(f"detail is one of {', '.join(map(repr, _DETAILS))}, not {detail!r:.60}")
    if stage is not None:
        raise UnsupportedError("drawing a stage does not exist yet", hint="a picture of what was compiled")
    if isinstance(x, _compiled.Compiled):
        if wrt is not None:
            raise ArgumentError(
                "a compiled model is drawn with the gradients it was compiled with",
                hint="gg.compile(..., wrt=...)",
            )
        model = x
    else:
        model = _compile(x, wrt, backward)
    story = _tell.tell(model.plan, model.emitted, title, backward=backward, lines=detail == "line")
    story = _fold.folded(story, "op" if detail == "line" else detail, expand, fold)
    picture: Picture = _picture.Picture(story, theme=theme, backward=backward and story.mirrored, title=title)
    return picture


def _compile(x: Any, wrt: Any, backward: bool) -> Compiled:
    compile: Callable[..., Compiled] = _pipeline.compile
    if isinstance(x, Graph):
        return compile(
            list(x.outputs),
            inputs=list(dict.fromkeys((*x.inputs, *x.leaves))),
            wrt=wrt,
            level="plain",
            name="graph",
        )
    structure, outputs = Structure.of(x, "what to draw")
    if not outputs:
        raise ArgumentError("there is nothing to draw")
    if wrt is None and backward and outputs[0].shape == () and outputs[0].dtype.kind == "f":
        params = [
            leaf for leaf in Graph((), outputs).leaves if leaf.op.name == "param" and leaf.dtype.kind == "f"
        ]
        wrt = params or None
    name = structure.keys[0] if structure.keys else outputs[0].name
    return compile(x, wrt=wrt if backward else None, level="plain", name=name or "model")
