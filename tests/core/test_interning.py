"""Equal construction gives the same object, and what is different stays different."""

import copy
import gc
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core import node as node_module
from graphgrad.core.node import attrs_key
from graphgrad.core.text import write_nodes
from graphgrad.core.traverse import toposort
from tests.autodiff.test_large import chain


@pytest.fixture
def x():
    return gg.input("x", (3,))


def test_equal_construction_gives_the_same_object(x):
    assert gg.exp(x) is gg.exp(x)
    assert x + 1 is x + 1
    assert x[1:] is x[1:3]
    assert gg.sum(x, axis=0) is gg.sum(x, axis=-1)
    assert x.reshape(3, 1) is x.reshape((3, -1))


def test_leaves_of_one_name_are_different_nodes():
    assert gg.input("x", (3,)) is not gg.input("x", (3,))


def test_operands_in_another_order_are_another_node(x):
    assert x + 1 is not 1 + x


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (np.float32(1), np.float64(1)),
        (np.int32(1), np.int64(1)),
        (1, True),
        (1, 1.0),
        (np.zeros(2), np.zeros((2, 1))),
        (np.array([0.0, 1.0]), np.array([-0.0, 1.0])),
        (np.zeros(0, np.float32), np.zeros(0, np.float64)),
    ],
)
def test_constants_that_differ_in_dtype_bytes_or_shape_are_different(one, other):
    assert gg.const(one) is not gg.const(other)
    assert gg.const(one) is gg.const(one)


def test_nan_is_one_value():
    payload = np.frombuffer(np.uint64(0xFFF8000000000123).tobytes(), np.float64)[0]
    assert gg.const(np.nan) is gg.const(-np.nan)
    assert gg.const(np.nan) is gg.const(payload)
    assert gg.const([np.nan, 1.0]) is gg.const([-np.nan, 1.0])


def test_constant_does_not_follow_its_array():
    array = np.zeros(2)
    node = gg.const(array)
    array[0] = 7
    assert node is gg.const(np.zeros(2))
    assert not node.attrs["value"].flags.writeable


def test_constants_of_another_layout_are_the_same():
    array = np.arange(6.0).reshape(2, 3)
    assert gg.const(array) is gg.const(np.asfortranarray(array))
    assert gg.const(array) is gg.const(np.repeat(array, 2, axis=1)[:, ::2])


def test_attributes_are_told_apart_by_type():
    keys = [attrs_key({"a": value}) for value in (1, 1.0, True, "1", None, (1,), (1.0,), 0.0, -0.0, False, 0)]
    assert len(set(keys)) == len(keys)
    assert attrs_key({"a": float("nan")}) == attrs_key({"a": float("nan")})
    assert attrs_key({"a": slice(0, 2)}) == attrs_key({"a": slice(0, 2)})
    assert attrs_key({"a": slice(0, 2)}) != attrs_key({"a": slice(0, 2, 1)})
    assert attrs_key({"a": 1, "b": 2}) == attrs_key({"b": 2, "a": 1})


def test_node_is_immutable(x):
    with pytest.raises(AttributeError, match="immutable"):
        x.attrs = {}
    with pytest.raises(AttributeError, match="immutable"):
        del x.inputs
    with pytest.raises(TypeError):
        x.attrs["name"] = "y"


@pytest.mark.slow
def test_table_empties_when_nodes_go(x):
    x * 7 + 3  # the numbers stay for whoever uses them next
    gc.collect()
    before = len(node_module._table)
    node = gg.tanh(x * 7 + 3)
    assert len(node_module._table) > before
    del node
    gc.collect()
    assert len(node_module._table) == before


def test_node_that_was_dropped_can_be_made_again(x):
    serial = gg.tanh(x + 5).serial
    gc.collect()
    assert gg.tanh(x + 5).serial != serial


def test_threads_that_build_the_same_expression_get_the_same_nodes(x):
    barrier, made, failures = threading.Barrier(8), [], []

    def build():
        try:
            barrier.wait()
            node = x
            for step in range(200):
                node = gg.tanh(node) * step
            made.append(node)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(made) == 8
    assert all(node is made[0] for node in made)


def test_threads_that_drop_nodes_do_not_break_the_table(x):
    failures = []

    def churn(own):
        try:
            for step in range(300):
                assert gg.exp(x * (step % 7)) is gg.exp(x * (step % 7))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.slow
def test_long_chain_is_deleted_without_recursion():
    x = gg.input("x", ())
    node = chain(x, 50_000)
    gc.collect()
    before = len(node_module._table)
    del node
    gc.collect()
    assert len(node_module._table) <= before - 49_990


def test_copies_are_the_node_itself(x):
    node = gg.exp(x)
    assert copy.copy(node) is node
    assert copy.deepcopy({"a": [node]})["a"][0] is node


@pytest.mark.slow
def test_deep_graph_pickles_without_recursion():
    x = gg.input("x", ())
    node = chain(x, 20_000)
    again = pickle.loads(pickle.dumps(node))
    assert write_nodes([again]) == write_nodes([node])


def test_unpickled_leaf_is_a_new_one(x):
    again = pickle.loads(pickle.dumps(x))
    assert again is not x
    assert (again.name, again.spec) == (x.name, x.spec)


def test_leaves_shared_within_one_pickle_stay_shared_elsewhere(tmp_path):
    x, w = gg.input("x", ("batch", 3)), gg.param("w", (3,))
    nodes = {"a": gg.sum(x * w), "b": gg.exp(w), "w": w}
    (tmp_path / "nodes.pickle").write_bytes(pickle.dumps(nodes))
    code = (
        "import pickle, sys; nodes = pickle.load(open(sys.argv[1], 'rb'))\n"
        "from graphgrad.core.traverse import toposort\n"
        "leaves = [n for n in toposort([nodes['a'], nodes['b']]) if n.op.is_leaf]\n"
        "assert len(leaves) == 2 and nodes['w'] in leaves, leaves\n"
        "assert [n.name for n in leaves] == ['x', 'w']\n"
        "assert nodes['a'].shape == () and leaves[0].shape == ('batch', 3)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "nodes.pickle")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_pickle_keeps_names_and_lines():
    x = gg.input("x", (2,))
    with gg.scope("layer"):
        hidden = gg.exp(x)
    again = pickle.loads(pickle.dumps(hidden))
    assert (again.name, again.scope) == ("hidden", ("layer",))


def test_nodes_are_hashable_and_compare_by_identity(x):
    assert len({x, gg.exp(x), gg.exp(x)}) == 2
    assert (x == x, x == gg.exp(x), x != gg.exp(x)) == (True, False, True)


def test_serial_numbers_follow_the_order_of_writing(x):
    first = gg.exp(x)
    second = gg.log(x)
    serials = [node.serial for node in toposort([second, first])]
    assert first.serial < second.serial
    assert len(set(serials)) == len(serials)
