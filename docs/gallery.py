"""The gallery, docs/gallery.md, with its pictures of the models that the tests run on; and those of the how-to page,
which are what its code draws.

python docs/gallery.py          (make gallery does it)

To add a model, write a line below.
"""

import contextlib
import hashlib
import io
import re
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import graphgrad as gg  # noqa: E402
from tests.models import MODELS  # noqa: E402

HOW_TO = ROOT / "docs" / "how-to" / "draw-your-model.md"
FIGURES = ROOT / "docs" / "pictures" / "how-to"
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "pictures" / "gallery"
THEMES = ("light", "dark")


class Entry(NamedTuple):
    """A picture of the gallery."""

    name: str
    """Of the model in tests/models."""
    words: str
    """What there is to see."""
    options: Mapping[str, object] = MappingProxyType({})
    """What `gg.draw` is told besides."""

    @property
    def file(self) -> str:
        """The pictures' names begin with it."""
        return "-".join([self.name, *(str(value) for value in self.options.values())])

    def picture(self, theme):
        model = MODELS[self.name]
        loss, wrt = model.build()
        return gg.draw(loss, wrt=wrt, title=model.title, theme=theme, **self.options)


ENTRIES = (
    Entry(
        "lesson8",
        "Two layers and a squared error. Read the left half down, the right half up: each card on the right is the "
        "step of the chain rule for the op beside it, and green lines say which values the forward pass has to keep.",
    ),
    Entry(
        "logistic",
        "The loss as the formula has it. What two ops read has two gradients, which the first line of a card adds up.",
    ),
    Entry(
        "gated",
        "Two branches of one input meet in a product, whose gradient goes back into both. The residual passes three "
        "ops on the left, and its gradient passes their mirror images on the right.",
    ),
    Entry(
        "classifier",
        "Three layers and the softmax cross-entropy of labels. Most of the picture is the loss: five ops that a "
        "library would show as one.",
    ),
    Entry(
        "residual",
        "Blocks that add what they compute to what they were given: the gradient reaches the first layer without "
        "passing through any of the others.",
    ),
    Entry(
        "residual",
        "The same with its layers folded into a card each, as pictures of large models are; `expand=` opens one.",
        {"detail": "layer"},
    ),
    Entry(
        "lstm",
        "One step of an LSTM. Its gates are slices of one product; their gradients are put together in one array.",
    ),
    Entry(
        "attention",
        "A block of a transformer: layer norm, two heads of masked attention, and the way back through the softmax.",
    ),
    Entry(
        "mixture",
        "The log-likelihood of a mixture of Gaussians: no layers and no data to predict, but a gradient all the same.",
    ),
)


def text():
    """The page."""
    parts = [
        "# Gallery",
        "<!-- made by docs/gallery.py: make gallery -->",
        wrapped(
            "Forward and backward, side by side: every op on the left, its step of the chain rule at the same height "
            "on the right, with the NumPy lines for both. [How to draw your own](how-to/draw-your-model.md)."
        ),
    ]
    for entry in ENTRIES:
        title = MODELS[entry.name].title
        heading = title[:1].upper() + title[1:] + (", folded" if entry.options else "")
        options = "".join(f", {name}={value!r}" for name, value in entry.options.items())
        parts += [
            f"## {heading}",
            wrapped(entry.words),
            f"[The model](../tests/models/{entry.name}.py), drawn by `gg.draw(loss, wrt=parameters{options})`:",
            shown(f"pictures/gallery/{entry.file}", f"{title}: forward and backward graph"),
        ]
    return "\n\n".join(parts) + "\n"


def wrapped(words):
    return textwrap.fill(words, 118, break_on_hyphens=False)


def shown(path, words):
    """A picture in the reader's own choice of light or dark."""
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{path}-dark.svg">\n'
        f'  <img alt="{words}" src="{path}-light.svg">\n'
        "</picture>"
    )


def path_of(entry, theme):
    return PICTURES / f"{entry.file}-{theme}.svg"


def mark(picture):
    """What a file says of the picture it was made from: Graphviz writes other files on other machines."""
    return f"<!-- from {hashlib.sha256(picture.source.encode()).hexdigest()[:16]} -->"


def marked(path):
    """The mark in a file."""
    found = re.search(r"<!-- from [0-9a-f]+ -->", path.read_text(encoding="utf-8"))
    return found[0] if found else None


def write(picture, path):
    """A picture as a file that says what it was made from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.render(path)
    path.write_text(path.read_text(encoding="utf-8") + mark(picture) + "\n", encoding="utf-8")


def figures():
    """The pictures that the how-to page shows, by the variables that hold them when its code has run."""
    page = HOW_TO.read_text(encoding="utf-8")
    names = {"__name__": "__main__"}
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
            exec(block, names)
    return {name: names[name] for name in re.findall(r"pictures/how-to/(\w+)\.svg", page)}


def main():
    for name, picture in figures().items():
        write(picture, FIGURES / f"{name}.svg")
    for entry in ENTRIES:
        for theme in THEMES:
            write(entry.picture(theme), path_of(entry, theme))
    known = {path_of(entry, theme) for entry in ENTRIES for theme in THEMES}
    for path in PICTURES.glob("*"):
        if path not in known:
            path.unlink()
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
