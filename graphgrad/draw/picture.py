"""A picture: what `draw` returns and notebooks show."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from graphgrad.core.collector import collector_paused
from graphgrad.draw.beside import beside
from graphgrad.draw.dot import dot_source
from graphgrad.draw.render import check_theme, inline_svg, render_bytes, render_file
from graphgrad.draw.scene import Scene, build_scene
from graphgrad.draw.story import Story
from graphgrad.draw.style import Theme


class Picture:
    """Forward and backward of a model, side by side; laid out once, when it is first looked at.

    >>> from graphgrad.draw.story import Leaf, Result, Step, Story
    >>> x = Leaf("x", "x", "input", "3", 3)
    >>> y = Step("y", "exp", (), ("y = np.exp(x)",), ("x",), (True,), "3", 3, has_backward=False)
    >>> picture = Picture(Story("exp", (x,), (y,), (Result("y", "y"),)))
    >>> len(picture.scene.cards)
    2
    """

    def __init__(
        self,
        story: Story,
        *,
        theme: Theme = "light",
        backward: bool = True,
        title: str | None = None,
        after: Story | None = None,
    ) -> None:
        self.story = story
        self.after = after
        """What stands to the right of the story, for a picture that compares two."""
        self._theme: Theme = check_theme(theme)
        self._backward = backward
        self._title = title

    @cached_property
    def scene(self) -> Scene:
        """Every card, line and text with its coordinates, as plain data."""
        with collector_paused():  # a large picture is nothing but objects that stay
            return self._laid_out()

    def _laid_out(self) -> Scene:
        if self.after is None:
            return build_scene(self.story, theme=self._theme, backward=self._backward, title=self._title)
        left, right = (
            build_scene(one, theme=self._theme, backward=False) for one in (self.story, self.after)
        )
        return beside(left, right, self._title or f"{self.story.title}, {self.after.title}")

    @cached_property
    def source(self) -> str:
        """DOT text with fixed positions, for ``neato -n2``."""
        with collector_paused():
            return dot_source(self.scene)

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write ``.svg``, ``.png``, ``.pdf`` or ``.dot`` by the suffix of ``path``; returns the path."""
        return render_file(self.source, self.scene, path)

    def __repr__(self) -> str:
        title = self.story.title if self._title is None else self._title
        return f"<Picture {title!r}: {len(self.story.steps)} ops; .render('graph.svg') draws it>"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """SVG and text for notebooks; only text where there is no engine to draw with."""
        bundle = {"text/plain": repr(self)}
        try:
            svg = render_bytes(self.source, self.scene, "svg").decode("utf-8")
            bundle["image/svg+xml"] = inline_svg(svg)
        except Exception as error:  # a notebook cell must show its value whatever happens here
            bundle["text/plain"] += f"\n{error}"
        return bundle
