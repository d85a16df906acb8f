"""The page that says how to add an op, followed to the letter: its ops go through the suite of the registry."""

import inspect
from pathlib import Path

import pytest

from graphgrad.core.op import registry
from tests.ops import test_registry
from tests.test_docs import blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-op.md"
OWN = ("cube_root", "distance", "running_total")
TESTS = {
    name: test
    for name, test in vars(test_registry).items()
    if name.startswith("test_") and "name" in inspect.signature(test).parameters
}


@pytest.fixture
def followed(own_ops, monkeypatch):
    """The ops of the page, as if the code that defines them stood in a file of graphgrad/ops."""
    file, script = {"__name__": "graphgrad.ops.own"}, {"__name__": "__main__"}
    known = set(registry())
    for block in blocks_of(PAGE.read_text(encoding="utf-8")):
        code = compile("\n" * (block.line - 1) + block.code, str(PAGE), "exec")
        if "\n@" in block.code:
            exec(code, file)
            script = file | script
        else:
            exec(code, script)
    assert set(registry()) - known == set(OWN)
    for name in OWN:
        monkeypatch.setitem(test_registry.REGISTRY, name, registry()[name])
    return script


@pytest.mark.parametrize("test", TESTS)
def test_ops_of_the_page_pass_the_suite_of_the_registry(followed, test):
    parameters = set(inspect.signature(TESTS[test]).parameters)
    for name in OWN:
        if "fault" in parameters:
            cases = [{"fault": fault} for fault in registry()[name][0].errors]
        else:
            cases = [{"level": level} for level in ("plain", "default")] if "level" in parameters else [{}]
        for case in cases:
            try:
                TESTS[test](name=name, **case)
            except pytest.skip.Exception as reason:
                raise AssertionError(f"{name}: {reason}") from None


def test_examples_in_the_docstrings_run(followed):
    from tests.test_docs import run_doctest

    for name in OWN:
        run_doctest(followed[name].__doc__, name, str(PAGE), 0, dict(followed))


def test_table_of_fields_names_what_has_to_be_said():
    from graphgrad.core.op import _REQUIRED

    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| field |") : page.index("`Op` in")]
    assert [field for field in _REQUIRED if f"`{field}`" not in table] == []
