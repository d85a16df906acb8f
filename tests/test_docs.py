"""Everything the documentation shows is run: Python blocks of its pages, and examples in docstrings."""

import doctest
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

FENCE = re.compile(
    r"(?P<skip><!-- not run: *\S[^>]*-->\s*\n\s*)?"
    r"^(?P<indent> *)```(?:python|py|pycon)\b[^\n]*\n(?P<code>.*?)^ *```\s*$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    line: int
    code: str


def blocks_of(text: str) -> list[Block]:
    """The Python blocks of a page that are to be run, each with the number of its first line."""
    return [
        Block(text.count("\n", 0, match.start("code")) + 1, textwrap.dedent(match["code"]))
        for match in FENCE.finditer(text)
        if not match["skip"]
    ]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory from which modules can be imported, and are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def run_doctest(docstring: str, name: str, filename: str, line: int, names: dict[str, object]) -> None:
    """Run the ``>>>`` examples of a text; what they define stays in names."""
    test = doctest.DocTestParser().get_doctest(docstring, {}, name, filename, line)
    test.globs = names
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in PAGES])
def test_page_runs(page: Path, workplace: Path, own_ops: None):
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page.read_text(encoding="utf-8")):
        importlib.invalidate_caches()
        if block.code.lstrip().startswith(">>>"):
            run_doctest(block.code, page.name, str(page), block.line - 1, names)
        else:  # the empty lines let a traceback, and a node's origin, point into the page
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)


def test_blocks_are_found_and_skipped_only_with_a_reason():
    text = textwrap.dedent("""\
        ```python
        a = 1
        ```
        <!-- not run: needs a day -->
        ```python
        b = 2
        ```
        <!-- not run: -->
        ```python
        c = 3
        ```
        ```sh
        d = 4
        ```
        - in a list:

          ```python
          e = 5
          ```
        """)
    assert blocks_of(text) == [Block(2, "a = 1\n"), Block(10, "c = 3\n"), Block(18, "e = 5\n")]


def module_names() -> Iterator[str]:
    """Every public module, found without importing anything."""
    for path in sorted((ROOT / "graphgrad").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            yield ".".join(parts)


def documented(owner: object, prefix: str) -> Iterator[tuple[str, str]]:
    """Name and docstring of the public attributes of a module or class that are defined there.

    Decorated functions have foreign globals, and an op need not be a function at all, so neither decides:
    what counts is a docstring of its own, and that no other module of the package is its home.
    """
    for name, value in vars(owner).items():
        if (name.startswith("_") and name != "__init__") or inspect.ismodule(value):
            continue
        value = getattr(value, "__func__", value)  # static and class methods
        docstring = getattr(value, "__doc__", None)
        if not isinstance(docstring, str) or docstring == type(value).__doc__:
            continue
        home = getattr(value, "__module__", None)
        if inspect.ismodule(owner) and home != owner.__name__:
            if not str(home).startswith("graphgrad"):
                continue
            if getattr(sys.modules.get(home), name, None) is value:
                continue  # seen there
        yield f"{prefix}.{name}", docstring
        if inspect.isclass(value) and f"{home}.{value.__qualname__}" == f"{prefix}.{name}":
            yield from documented(value, f"{prefix}.{name}")


@pytest.mark.parametrize("module_name", list(module_names()))
def test_docstring_examples_run(module_name: str, workplace: Path):
    import graphgrad as gg

    module = importlib.import_module(module_name)
    for name, docstring in [(module_name, module.__doc__ or ""), *documented(module, module_name)]:
        if ">>>" in docstring:
            run_doctest(docstring, name, module.__file__, 0, vars(module) | {"np": np, "gg": gg})


def test_docstring_examples_are_found_behind_decorators():
    import types

    source = textwrap.dedent('''
        import functools
        def decorate(function):
            wrapped = eval("lambda *args: function(*args)", {"function": function})
            return functools.wraps(function)(wrapped)
        @decorate
        def double(x):
            """>>> 1 + 1
            3
            """
        class Shape:
            """A class."""
            @property
            def size(self):
                """A property."""
            @staticmethod
            def of(x):
                """A static method."""
        three = 3
    ''')
    module = types.ModuleType("graphgrad_sample")
    exec(source, vars(module))
    found = dict(documented(module, module.__name__))
    assert set(found) == {
        "graphgrad_sample.double",
        "graphgrad_sample.Shape",
        "graphgrad_sample.Shape.size",
        "graphgrad_sample.Shape.of",
    }
    with pytest.raises(AssertionError, match=r"Expected:\s+3\s+Got:\s+2"):
        run_doctest(found["graphgrad_sample.double"], "double", "sample.py", 0, {})


def test_reference_of_ops_is_up_to_date():
    from docs import ops_page

    assert ops_page.PAGE.read_text(encoding="utf-8") == ops_page.text(), (
        "docs/reference/ops.md is not what the docstrings say: make golden, or python docs/refresh.py"
    )


def test_reference_of_ops_names_every_op_and_every_public_function():
    import graphgrad as gg
    from docs import ops_page
    from graphgrad.core.op import registry

    page = ops_page.text()
    public = [(prefix, name) for prefix, owner in (("gg", gg), ("gg.nn", gg.nn)) for name in owner.__all__]
    for prefix, name in public:
        home = getattr(getattr(gg if prefix == "gg" else gg.nn, name), "__module__", "")
        if name != "at" and str(home).startswith(("graphgrad.ops", "graphgrad.nn")):
            assert f"`{prefix}.{name}(" in page or f"`{prefix}.{name}`" in page, f"{prefix}.{name}"
    for name in registry():
        assert f"{name}(" in page or name == "index", name
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}, "a cell holds a bar"
