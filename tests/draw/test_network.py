"""Graphs for networkx; and networkx, which shares no code with them, as the oracle of graphgrad's own loops."""

import subprocess
import sys

import networkx as nx
import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.traverse import depending_on, toposort, users
from graphgrad.draw.rows import sections
from tests.emit.models import MODELS
from tests.fuzz.graphs import Recipe, build


def test_nodes_have_what_is_known_of_them():
    x, w = gg.input("x", ("batch", 3)), gg.param("w", (3,))
    with gg.scope("head"):
        score = x @ w
    model = gg.compile(gg.mean(score**2), wrt=w)
    network = gg.to_networkx(model)
    assert type(network) is nx.MultiDiGraph
    assert network.nodes[score] == {
        "op": "matmul",
        "attrs": {},
        "name": "score",
        "spec": score.spec,
        "scope": ("head",),
        "origin": (),
    }
    assert network.nodes[x]["name"] == "x" and network.nodes[x]["op"] == "input"
    made = [data for _, data in network.nodes(data=True) if data["origin"]]
    written = gg.to_networkx(model.graph.original)
    assert made and all(origin.forward in written for data in made for origin in data["origin"])
    assert network.graph == {"inputs": model.graph.inputs, "outputs": model.graph.outputs}


def test_attributes_are_a_copy():
    total = gg.sum(gg.input("x", (2, 3)), axis=1)
    network = gg.to_networkx(total)
    assert network.nodes[total]["attrs"] == dict(total.attrs)
    network.nodes[total]["attrs"].clear()
    assert total.attrs


def test_an_operand_that_is_read_twice_has_two_edges():
    x = gg.input("x", (2,))
    network = gg.to_networkx(x - x)
    assert sorted(network.edges(keys=True, data="argument")) == [(x, x - x, 0, 0), (x, x - x, 1, 1)]


@pytest.mark.parametrize(
    "wrap", [lambda y: y, lambda y: [y], lambda y: {"y": y}, lambda y: gg.Graph((), (y,)), gg.compile]
)
def test_what_can_be_converted(wrap):
    y = gg.exp(gg.input("x", (2,)))
    assert [data["op"] for _, data in gg.to_networkx(wrap(y)).nodes(data=True)] == ["input", "exp"]


@pytest.mark.parametrize("thing", [None, 3, "loss", [1], np.ones(2)])
def test_what_cannot_be_converted(thing):
    with pytest.raises(gg.ArgumentError, match="what to convert"):
        gg.to_networkx(thing)


def test_gradients_as_nodes_keep_their_origins():
    x = gg.input("x", (2,))
    slope = gg.grad(gg.sum(gg.exp(x)), x)
    assert gg.to_networkx(slope).nodes[slope]["origin"]


def test_networkx_is_imported_only_when_it_is_used():
    code = "import sys, graphgrad as gg; gg.to_networkx; print('networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ---- the oracle ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=range(20))
def joint(request):
    """The graph of a random model with its gradients, and some of its nodes."""
    recipe = Recipe.of(request.param)
    model = build(recipe)
    graph = gg.compile(model.outputs, wrt=model.wrt or None).graph
    rng = np.random.default_rng(request.param)
    some = [graph.nodes[at] for at in rng.integers(0, len(graph.nodes), 4)]
    return graph, some


def test_every_node_comes_after_its_operands(joint):
    graph, _ = joint
    network = gg.to_networkx(graph)
    assert nx.is_directed_acyclic_graph(network)
    place = {node: at for at, node in enumerate(graph.nodes)}
    assert all(place[tail] < place[head] for tail, head in network.edges())
    assert set(place) == set(network) and len(place) == len(graph.nodes)


def test_what_nodes_need_is_what_leads_to_them(joint):
    graph, some = joint
    network = gg.to_networkx(graph)
    needed = set(some).union(*(nx.ancestors(network, node) for node in some))
    assert set(toposort(some)) == needed
    stop = some[:2]
    network.remove_nodes_from(stop)
    roots = [node for node in some if node not in stop]
    assert set(toposort(roots, stop=stop)) == set(roots).union(*(nx.ancestors(network, one) for one in roots))


def test_what_depends_on_nodes_is_what_they_lead_to(joint):
    graph, some = joint
    network = gg.to_networkx(graph)
    found = depending_on(graph.nodes, some, lambda node: True)
    assert set(found) == set(some).union(*(nx.descendants(network, node) for node in some))


def test_readers_are_counted_once_for_each_reading(joint):
    graph, _ = joint
    network = gg.to_networkx(graph)
    found = {node: len(readers) for node, readers in users(graph.nodes).items()}
    assert found == dict(network.out_degree())


def test_rows_of_a_picture_go_down_along_every_edge(joint):
    graph, _ = joint
    network = gg.to_networkx(graph)
    at = {node: number for number, node in enumerate(graph.nodes)}
    inputs = [[at[part] for part in node.inputs] for node in graph.nodes]
    (section,) = sections([()] * len(at), inputs, [False] * len(at))
    row = {graph.nodes[number]: depth for depth, members in enumerate(section.rows) for number in members}
    assert len(row) == len(network)
    assert all(row[tail] < row[head] for tail, head in network.edges())
    assert len(section.rows) >= len(list(nx.topological_generations(network)))


@pytest.mark.parametrize("name", list(MODELS))
def test_emitted_functions_run_in_an_order_that_the_graph_allows(name):
    model = MODELS[name]()
    network = gg.to_networkx(model)
    for routine in model.plan.schedule.routines:
        if routine.kind == "reference":
            network = gg.to_networkx(model.graph.original)
        place = {node: at for at, node in enumerate(routine.steps)}
        inner = network.subgraph(place)
        assert len(inner) == len(place)
        assert all(place[tail] < place[head] for tail, head in inner.edges())
