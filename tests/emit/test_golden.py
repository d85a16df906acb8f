"""Emitted modules as files that are read, compared and run where there is nothing but NumPy."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.form import HELPERS
from graphgrad.emit.namer import RESERVED
from tests.emit.models import MODELS


@cache
def made(name):
    return MODELS[name]()


@pytest.mark.parametrize("name", list(MODELS))
def test_emitted_modules_are_as_they_were(name, golden):
    golden(f"{name}.py", made(name).source)


@pytest.fixture(scope="module")
def numpy_alone(tmp_path_factory):
    """A folder to import from that holds NumPy and nothing else."""
    folder = tmp_path_factory.mktemp("numpy_alone")
    site = Path(np.__file__).parent.parent
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (folder / name).symlink_to(site / name)
    return folder


@pytest.mark.parametrize("name", list(MODELS))
def test_emitted_modules_run_with_numpy_alone(name, golden, numpy_alone, tmp_path):
    golden(f"{name}.py", made(name).source)
    made(name).save(tmp_path / f"{name}.py")
    code = (
        f"import sys; sys.path[:0] = [{str(numpy_alone)!r}, {str(tmp_path)!r}]\n"
        f"import {name}\n"
        f"errors = {name}.selfcheck()\n"
        "assert errors and max(errors.values()) < 1e-3, errors\n"
        "assert not {'graphgrad', 'networkx', 'graphviz'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_helpers_are_fit_to_be_read():
    """Whether a model here uses them or not."""
    lines = [line for source in HELPERS.values() for line in source.splitlines()]
    assert lines and [line for line in lines if len(line) > 110 or line != line.rstrip()] == []


@pytest.mark.parametrize("name", list(MODELS))
def test_emitted_modules_are_fit_to_be_read(name):
    source = made(name).source
    lines = source.splitlines()
    assert max(map(len, lines)) <= 110
    assert not any(line != line.rstrip() for line in lines)
    assert source.endswith("\n") and not source.endswith("\n\n")
    assert "\n\n\n\n" not in source
    for text in paragraphs(source.partition("class _Pool")[0]):  # what follows is formatted as it is written
        commented = [line.partition("  # ")[0] for line in text if "  # " in line.strip()]
        columns = {len(code) for code in commented if len(code.rstrip()) <= 62}
        assert len(columns) <= 1  # what is longer has its comment right behind it
    for function in (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)):
        assert ast.get_docstring(function) or function.name == "wide"
    code = "\n".join(
        line.partition("  # ")[0]
        for line in source.split("# fmt: off")[1].split("def selfcheck")[0].splitlines()
    )
    for meant in ("in ((", "np.zeros((", "empty((", "-d_"):
        code = code.replace(meant, "")
    assert "((" not in code


@pytest.mark.parametrize("name", list(MODELS))
def test_the_first_lines_call_results_what_the_functions_do(name):
    compiled = made(name)
    if compiled.plan.schedule.interface.structure.kind == "one":
        module = ast.parse(compiled.source)
        call = next(line for line in ast.get_docstring(module).splitlines() if line.startswith("    "))
        forward = next(node for node in module.body if getattr(node, "name", None) == "forward")
        result = call.replace(" =", ",").split(",")[0].strip()
        assert ast.get_docstring(forward).startswith((f"Return {result},", f"Return {result}."))


def paragraphs(source):
    """The statements of each function."""
    found, lines = [], source.splitlines()
    for line in lines:
        if line.startswith("def "):
            found.append([])
        elif found and line.startswith("    "):
            found[-1].append(line)
    return found


def test_no_expression_is_deeper_than_a_person_reads():
    for name in MODELS:
        for node in ast.walk(ast.parse(made(name).source.split("def selfcheck")[0])):
            if isinstance(node, ast.Assign):
                assert operations(node.value) <= 8, ast.unparse(node)


def operations(node):
    return sum(isinstance(part, ast.BinOp | ast.Call | ast.UnaryOp) for part in ast.walk(node))


def test_what_verify_finds_is_small():
    rng = np.random.default_rng(0)
    for name in MODELS:
        model = made(name)
        arrays = {
            leaf.attrs["name"]: np.asarray(
                rng.integers(0, 3, shape(leaf))
                if leaf.dtype.kind == "i"
                else rng.standard_normal(shape(leaf)),
                leaf.dtype,
            )
            for leaf in model.graph.inputs
        }
        assert max(model.verify(**arrays).values()) < 1e-2


def shape(leaf):
    return tuple(size if isinstance(size, int) else 6 for size in leaf.shape)


def test_a_long_statement_is_broken_between_its_arguments():
    leaves = [gg.param(f"a_rather_long_parameter_name_{at}", (2, 3)) for at in range(9)]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf
    wrt = {f"key, with comma {at}, and (brackets": leaf for at, leaf in enumerate(leaves)}
    model = gg.compile({"out, put": gg.sum(total), "oth'er": total}, wrt=wrt)
    assert max(map(len, model.source.splitlines())) <= 110
    arrays = {leaf.name: np.ones((2, 3), np.float32) for leaf in leaves}
    assert set(model(**arrays)[1]) == set(wrt)


def test_nothing_that_modules_import_is_a_name_for_values():
    """Or a constant called so would stand in its place."""
    x = gg.input("x", ("n",))
    compiled = gg.compile(gg.sum(gg.tanh(x)), wrt=[x])
    assert compiled.plan.tiles
    imports = [
        item for item in ast.parse(compiled.source).body if isinstance(item, ast.Import | ast.ImportFrom)
    ]
    names = {name.asname or name.name for item in imports for name in item.names}
    assert {"np", "threading", "copy_context"} <= names <= RESERVED


def test_the_model_as_it_was_written_has_a_name_for_each_step():
    """Also where two of its steps became one in forward, whose name only one of them can have."""
    x = gg.input("x", ("n",))
    one = gg.log(1 + gg.exp(x))
    other = gg.log1p(gg.exp(x))
    model = gg.compile(gg.sum(one * other), wrt=x)
    functions = {
        part.name: part for part in ast.parse(model.source).body if isinstance(part, ast.FunctionDef)
    }
    names = [line.targets[0].id for line in functions["_reference"].body if isinstance(line, ast.Assign)]
    assert len(names) == len(set(names)) > 3 and {"one", "other"} <= set(names), names
