"""`draw`: a picture of anything that has a graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from graphgrad.core.collector import collector_paused
from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.core.graph import Graph
from graphgrad.core.lazy import lazy_import
from graphgrad.core.node import Node

if TYPE_CHECKING:
    from graphgrad.draw.picture import Picture
    from graphgrad.draw.style import Theme
    from graphgrad.run.compiled import Compiled
    from graphgrad.run.footprint import Footprint
    from graphgrad.run.profile import Profile

# what draws and compiles is not needed to import graphgrad
_cards = lazy_import("graphgrad.draw.cards")
_compare = lazy_import("graphgrad.draw.compare")
_fold = lazy_import("graphgrad.draw.fold")
_overlay = lazy_import("graphgrad.draw.overlay")
_picture = lazy_import("graphgrad.draw.picture")
_stages = lazy_import("graphgrad.draw.stages")
_subject = lazy_import("graphgrad.draw.subject")
_tell = lazy_import("graphgrad.draw.tell")

Layer = Callable[[Any], Any]
"""A module of `graphgrad.nn`: what has `parameters` and can be called."""
_DETAILS = ("auto", "layer", "op", "line")


def draw(
    x: Node | Sequence[Node] | dict[str, Node] | Graph | Compiled | Layer | Profile | Footprint,
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
        Nodes (drawn as level "plain"), a `Graph`, a compiled model (drawn as it was compiled), a layer, which is
        drawn with an input that fits it, or a report of `Compiled.profile` or `Compiled.memory`, whose numbers then
        stand on the cards.
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
        A stage of `Compiled.stages`, such as "differentiate" or "products", or "rewrite" for all passes that rewrite:
        the graph before it and after it, with what it removed, merged and made. The model was compiled with `trace`;
        nodes are compiled for it.
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
    for option, text in (("title", title), ("stage", stage)):
        if not isinstance(text, str | None):
            raise ArgumentError(f"{option} is a string, not {type(text).__name__} {text!r:.60}")
    with collector_paused():
        if stage is not None:
            before, after = _compare.compared(_stages.change(x, wrt, stage))
            compared: Picture = _picture.Picture(
                before, theme=theme, backward=False, title=title, after=after
            )
            return compared
        report = _subject.is_report(x)
        plan, source = _subject.subject(x, wrt, backward)
        cards = _cards.Cards(plan, source, backward)
        story = _tell.tell_cards(cards, title, lines=detail == "line")
        if report:
            story = _overlay.measured(story, cards, x, lines=detail == "line")
        story = _fold.folded(story, "op" if detail == "line" else detail, expand, fold)
        if report:
            story = _overlay.labelled(story, x)
    picture: Picture = _picture.Picture(story, theme=theme, backward=backward and story.mirrored, title=title)
    return picture
