"""Rendering: valid files from both engines, nothing half-written, every name as it was given."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from graphgrad.core.errors import InvalidValueError, RenderError
from graphgrad.draw import render
from graphgrad.draw.picture import Picture
from graphgrad.draw.story import Leaf, Result, Step, Story
from graphgrad.draw.style import DARK, LIGHT, clean
from tests.draw import stories

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=["system", "pygraphviz"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each engine with the other one hidden."""
    if request.param == "system":
        if not shutil.which("neato"):
            pytest.skip("no Graphviz on this machine")
        monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    else:
        if importlib.util.find_spec("pygraphviz") is None:
            pytest.skip("pygraphviz is not installed")
        monkeypatch.setattr(render.shutil, "which", lambda name: None)
    return str(request.param)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_engines", list)


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".PNG"])
def test_files_are_what_their_suffix_says(engine: str, suffix: str, tmp_path: Path) -> None:
    path = Picture(stories.single()).render(tmp_path / f"graph{suffix}")
    data = path.read_bytes()
    begins = {".svg": b"<?xml", ".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF"}[suffix.lower()]
    assert data.startswith(begins)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def shown_texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [(element.text or "").replace("\u00a0", " ") for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", ["lesson8", "gated", "weird", "several_results"])
def test_every_text_of_the_scene_is_in_the_svg(engine: str, name: str) -> None:
    picture = Picture(getattr(stories, name)())
    shown = shown_texts(render.render_bytes(picture.source, picture.scene, "svg").decode())
    for card in picture.scene.cards:
        for line in card.text:
            for run in line:
                assert run.text in shown or not run.text.strip()


def test_places_are_kept(engine: str) -> None:
    """Graphviz lays nothing out: borders are where the scene says."""
    picture = Picture(stories.lesson8())
    scene = picture.scene
    root = ElementTree.fromstring(render.render_bytes(picture.source, scene, "svg").decode())
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g")}
    offset = float(
        next(iter(groups.values())).get("transform", "").split("translate(")[1].split()[1].strip(")")
    )
    for card in scene.cards:
        path = next(groups[card.id].iter(f"{SVG}path")).get("d", "")
        numbers = [float(n) for n in path.replace("M", " ").replace("C", " ").replace(",", " ").split()]
        left, right = min(numbers[::2]), max(numbers[::2])
        top, bottom = min(numbers[1::2]) + offset, max(numbers[1::2]) + offset
        shift = offset - scene.height
        box = card.box
        assert (left, right) == pytest.approx((box[0], box[2]), abs=0.6)
        assert (top - shift, bottom - shift) == pytest.approx((box[1], box[3]), abs=0.6)
    for edge in scene.edges:
        assert edge.id in groups


def test_an_svg_has_a_title_a_role_and_its_own_ids() -> None:
    picture = Picture(stories.lesson8(), title="a < b & c")
    other = Picture(stories.gated())
    scene = picture.scene
    svg = render._finish_svg('<?xml version="1.0"?>\n<svg width="1pt"\n height="2pt"></svg>', scene)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert (root[0].text or "").startswith("a < b & c")
    assert root.get("aria-labelledby") == root[0].get("id")
    assert scene.prefix != other.scene.prefix


def test_auto_exchanges_every_light_colour_for_its_dark_one() -> None:
    picture = Picture(stories.single(), theme="auto")
    svg = render._finish_svg("<svg></svg>", picture.scene)
    assert "prefers-color-scheme:dark" in svg
    assert f'[stroke="{LIGHT.forward.lower()}"]{{stroke:{DARK.forward}}}' in svg
    assert f'[fill="white"]{{fill:{DARK.paper}}}' in svg


def test_dot_needs_no_engine(no_engine: None, tmp_path: Path) -> None:
    path = Picture(stories.lesson8()).render(str(tmp_path / "graph.dot"))
    assert path.read_text(encoding="utf-8").startswith("digraph graphgrad {")


def test_without_an_engine_the_error_names_both_installs_and_the_dot_is_there(
    no_engine: None, tmp_path: Path
) -> None:
    with pytest.raises(RenderError) as caught:
        Picture(stories.lesson8()).render(tmp_path / "graph.svg")
    assert "graphgrad[pictures]" in str(caught.value)
    assert "apt install graphviz" in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.dot"]


def test_a_failing_engine_hands_over_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(source: str, format: str) -> bytes:
        raise RuntimeError("no such format")

    picture = Picture(stories.single())
    monkeypatch.setattr(render, "_engines", lambda: [("one", fails), ("two", lambda source, format: b"%PDF")])
    assert render.render_bytes(picture.source, picture.scene, "pdf") == b"%PDF"
    monkeypatch.setattr(render, "_engines", lambda: [("one", fails)])
    with pytest.raises(RenderError, match="one: no such format"):
        render.render_bytes(picture.source, picture.scene, "pdf")


@pytest.mark.parametrize("name", ["graph", "graph.jpg", "graph.svg.txt", ".svg"])
def test_an_unknown_suffix_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"\.dot \.svg \.png \.pdf"):
        Picture(stories.single()).render(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "graph.dot"
    path.write_text("old")

    def full(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(render.os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        Picture(stories.single()).render(path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("graph.dot", "old")]


@pytest.mark.parametrize("suffix", [".svg", ".dot"])
def test_what_cannot_be_written_is_named_as_the_caller_knows_it(suffix: str, tmp_path: Path) -> None:
    picture = Picture(stories.single())
    (tmp_path / f"taken{suffix}").mkdir()
    places = {
        tmp_path / "nowhere" / f"graph{suffix}": FileNotFoundError,
        tmp_path / f"taken{suffix}": IsADirectoryError,
        tmp_path / f"{'long' * 100}{suffix}": OSError,
    }
    for path, kind in places.items():
        with pytest.raises(kind, match="cannot write the picture") as caught:
            picture.render(path)
        assert caught.value.filename == str(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [f"taken{suffix}"]


def test_without_an_engine_nobody_loses_a_file(no_engine: None, tmp_path: Path) -> None:
    (tmp_path / "graph.dot").write_text("digraph mine { a -> b }")
    picture = Picture(stories.single())
    for _ in range(2):  # what we wrote ourselves is written again
        with pytest.raises(RenderError, match=r"written to .*graph\.svg\.dot"):
            picture.render(tmp_path / "graph.svg")
    assert (tmp_path / "graph.dot").read_text() == "digraph mine { a -> b }"
    assert (tmp_path / "graph.svg.dot").read_text(encoding="utf-8") == picture.source
    with pytest.raises(RenderError, match=r"written to .*other\.dot"):
        picture.render(tmp_path / "other.svg")
    assert picture.source.startswith(render.DOT_START)


def test_unknown_themes_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="'light', 'dark', 'auto'"):
        Picture(stories.single(), theme="blue")  # type: ignore[arg-type]


def test_a_notebook_always_gets_text(no_engine: None) -> None:
    bundle = Picture(stories.weird())._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    broken = Story("broken", (), (Step("a", "op", (), (), ("missing",), (), "", None),), (Result("a", "a"),))
    assert "text/plain" in Picture(broken)._repr_mimebundle_(include=(), exclude=())


def test_a_notebook_gets_svg_without_a_prologue(engine: str) -> None:
    bundle = Picture(stories.lesson8())._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg id=")
    ElementTree.fromstring(bundle["image/svg+xml"])


def test_names_bring_no_markup_along(engine: str) -> None:
    """Whatever a name says, it opens no tag and ends no attribute."""
    x = Leaf("x", 'x" URL="javascript:alert(1)', "input", "</TD><IMG SRC='/etc/passwd'/>", 3)
    step = Step("y", "<IMG SRC='a'/>", (), ("y = 1",), ("x",), (False,), "3", 3, has_backward=False)
    story = Story("<script>", (x,), (step,), (Result("y", '"><script>alert(1)</script>'),))
    svg = Picture(story)._repr_mimebundle_()["image/svg+xml"]
    tags = [element.tag.removeprefix(SVG) for element in ElementTree.fromstring(svg).iter()]
    assert not [tag for tag in tags if tag in ("image", "script")]
    assert 'xlink:href="' not in svg
    assert "<IMG SRC='a'/>" in " ".join(shown_texts(svg))


def test_drawing_stays_lazy() -> None:
    """Neither Graphviz package is imported before a picture is drawn."""
    code = "import sys, graphgrad.draw.picture; print({'graphviz', 'pygraphviz'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", stories.WEIRD)
def test_cleaned_text_is_one_line_that_every_format_holds(name: str) -> None:
    text = clean(name)
    assert "\n" not in text
    text.encode("utf-8")
    ElementTree.fromstring(f"<a>{text.replace('&', '').replace('<', '').replace('>', '')}</a>")
