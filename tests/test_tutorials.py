"""What the tutorials show is what is made today, and what they say of it is so. (That their code runs: test_docs.)"""

import html

import pytest

from docs import lesson8_page as page
from tests.rewrite.test_versions import structure

NAMES = [build.__name__ for build in page.versions().VERSIONS]


def test_lesson_8_shows_the_code_and_the_modules_that_are_emitted():
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), (
        "docs/tutorials/lesson8.md shows something else than is emitted now: make golden, or python docs/refresh.py"
    )


def test_lesson_8_shows_every_version():
    shown = {(match[2], match[3]) for match in page.BLOCK.finditer(page.PAGE.read_text(encoding="utf-8"))}
    code = {name for kind, names in shown if kind == "code" for name in names.split(", ")}
    assert set(NAMES) <= code
    assert {("emitted", f"{name}, plain") for name in NAMES} <= shown


@pytest.mark.parametrize("name", NAMES)
def test_lesson_8_shows_the_picture_that_is_drawn(name):
    assert f"../pictures/lesson8/{name}.svg" in page.PAGE.read_text(encoding="utf-8")
    drawn = html.unescape((page.PICTURES / f"{name}.svg").read_text(encoding="utf-8"))
    drawn = drawn.replace("\N{NO-BREAK SPACE}", " ")
    lines = [line for step in page.picture(name).story.steps for line in (*step.lines, *step.backward_lines)]
    assert len(lines) > 10
    assert not [line for line in lines if line not in drawn], "make golden, or python docs/refresh.py"


@pytest.mark.parametrize("one, other", [(1, 3), (4, 5)])
def test_versions_that_the_tutorial_calls_the_same_are(one, other):
    first, second = (page.compiled(f"version_{number}", "plain").graph for number in (one, other))
    assert structure(first) == structure(second)
    assert structure(first) != structure(page.compiled("version_2", "plain").graph)


def test_all_versions_are_measured(capsys):
    page.versions().main(rows=4, rounds=1, rest=0)
    printed = capsys.readouterr().out
    assert all(printed.count(name) == 1 for name in NAMES)
    assert printed.count(" ms ") == 2 * len(NAMES)
