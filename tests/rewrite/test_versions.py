"""One network written in six ways: the optimiser makes one graph of them."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.node import attrs_key
from graphgrad.core.traverse import toposort
from tests.rewrite.statements import statements, with_turned_weights

PATH = Path(__file__).parent.parent.parent / "examples" / "lesson8" / "versions.py"
SPEC = importlib.util.spec_from_file_location("lesson8_versions", PATH)
versions = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(versions)


def structure(graph):
    """Every node as its op, its attributes and the numbers of its inputs, and the numbers of the outputs."""
    order = list(toposort(graph.outputs))
    number = {node: at for at, node in enumerate(order)}
    nodes = []
    for node in order:
        attrs = {key: value for key, value in node.attrs.items() if key != "identity"}
        nodes.append((node.op.name, attrs_key(attrs), *(number[part] for part in node.inputs)))
    return nodes, [number[node] for node in graph.outputs]


def compiled(build, **options):
    loss, grads = build()
    return gg.compile([loss, *grads.values()], **options)


@pytest.mark.parametrize("build", versions.VERSIONS[:5], ids=lambda build: build.__name__)
def test_all_versions_become_one_graph(build):
    assert structure(compiled(build).graph) == structure(compiled(versions.version_2).graph)


@pytest.mark.golden
@pytest.mark.parametrize("build", versions.VERSIONS[:5], ids=lambda build: build.__name__)
def test_all_versions_have_the_same_statements(build, golden):
    golden("versions.txt", statements(compiled(build).source) + "\n")


def test_modules_have_these_statements_but_for_their_weights_layout():
    found = statements(compiled(versions.version_6).source)
    arguments = re.match(r"def forward\((.*)\):", found)[1].split(", ")
    # A weight's gradient that has the longer lines as it is needs not be turned.
    turned = r"_dot_over_rows\((\w+\.T, \w+), work\.\w+, "
    source, number = re.subn(turned, r"np.dot(\1, ", compiled(versions.version_2).source)
    wanted = statements(source)
    assert found != wanted and number
    assert with_turned_weights(found, {arguments[2], arguments[4]}) == wanted


def test_statements_tell_models_apart():
    """Names and comments are left out, and nothing else."""
    x, y = gg.input("x", ("n",)), gg.input("other", ("n",))

    def text(output):
        return statements(gg.compile(output, inputs=[x, y]).source)

    assert text(gg.named(x - y, "first")) == text(gg.named(x - y, "second"))
    different = [x - y, y - x, x + y, (x - y) * 2, (x - y) * 3]
    assert len({text(output) for output in different}) == len(different)


def test_the_structure_tells_other_graphs_apart():
    one = structure(compiled(versions.version_2).graph)
    assert one != structure(compiled(versions.version_2, level="plain").graph)
    assert one != structure(compiled(versions.version_1, level="plain").graph)


@pytest.mark.parametrize("build", versions.VERSIONS[:5], ids=lambda build: build.__name__)
@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("batch", [1, 2, 30])
def test_all_versions_compute_the_same(build, level, batch):
    rng = np.random.default_rng(0)
    shapes = {"x": (batch, 784), "y": (batch,), "w1": (784, 50), "b1": (50,), "w2": (50, 1), "b2": (1,)}
    values = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    wide = {name: value.astype("float64") for name, value in values.items()}
    found = compiled(build, level=level)(**values)
    hidden = wide["x"] @ wide["w1"] + wide["b1"]
    out = np.maximum(hidden, 0) @ wide["w2"] + wide["b2"]
    d_out = (2 * (out[:, 0] - wide["y"]) / batch)[:, None]
    d_hidden = (hidden > 0) * (d_out @ wide["w2"].T)
    expected = [
        np.mean((out[:, 0] - wide["y"]) ** 2),
        wide["x"].T @ d_hidden,
        d_hidden.sum(0),
        np.maximum(hidden, 0).T @ d_out,
        d_out.sum(0),
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.max(np.abs(other)))
