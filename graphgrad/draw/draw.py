"""`draw`: a picture of anything that has a graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from graphgrad.core.collector import collector_paused
from graphgrad.core.errors import InvalidValueError, UnsupportedError
from graphgrad.core.graph import Graph
from graphgrad.core.lazy import lazy_import
from graphgrad.core.node import Node

if TYPE_CHECKING:
    from graphgrad.draw.picture import Picture
    from graphgrad.draw.style import Theme
    from graphgrad.run.compiled import Compiled

# what draws and compiles is not needed to import graphgrad
_fold = lazy_import("graphgrad.draw.fold")
_picture = lazy_import("graphgrad.draw.picture")
_subject = lazy_import("graphgrad.draw.subject")
_tell = lazy_import("graphgrad.draw.tell")

Layer = Callable[[Any], Any]
"""A module of `graphgrad.nn`: what has `parameters` and can be called."""
_DETAILS = ("auto", "layer", "op", "line")


def draw(
    x: Node | Sequence[Node] | dict[str, Node] | Graph | Compiled | Layer,
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
        Nodes (drawn as level "plain"), a `Graph`, a compiled model (drawn as it was compiled), or a layer, which is
        drawn with an input that fits it.
    wrt:
        What to differentiate by, for nodes; by default every parameter, if the first output is a float scalar.
    detail:
        How much is shown: "op" every op with its step of the chain rule beside it, "layer" a card for each layer,
        "line" every node by itself, gradients below the rest. "auto" shows ops and, where these are many, folds layers:
        above 150 cards those that repeat, above 1,500 all of them.
    expand, fold:
        Layers to show in full and layers to show as one card: a name as given to `scope`, a path such as
        ``"encoder/block6"``, a pattern such as ``"block*"``, or several of these.
    backward:
        False draws the forward half alone.
    stage:
        For a model compiled with `trace`: the pass to draw.
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
    with collector_paused():
        plan, source = _subject.subject(x, wrt, backward)
        told = _tell.tell(plan, source, title, backward=backward, lines=detail == "line")
        story = _fold.folded(told, "op" if detail == "line" else detail, expand, fold)
    picture: Picture = _picture.Picture(story, theme=theme, backward=backward and story.mirrored, title=title)
    return picture
