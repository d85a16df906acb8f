"""Recognising a call like an earlier one: it changes how long the checks take and never what they say."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.run import arguments

HERE = __file__.rpartition("/")[2]


def compiled():
    x, y = gg.input("x", ("batch", 3)), gg.input("y", ("batch",))
    w, n = gg.param("w", (3,)), gg.input("n", (), "int64")
    return gg.compile(gg.sum((x @ w - y) ** 2) * gg.cast(n, "float32"), wrt=w, name="tiny")


def good(rows=5):
    return {
        "x": np.ones((rows, 3), np.float32),
        "y": np.zeros(rows, np.float32),
        "n": np.array(2, np.int64),
        "w": np.ones(3, np.float32),
    }


WRONG = [
    {"x": np.ones((4, 3), np.float32)},
    {"y": np.zeros(4, np.float32)},
    {"y": np.zeros((5, 1), np.float32)},
    {"x": np.ones((5, 4), np.float32)},
    {"x": np.ones((3, 5), np.float32).T.reshape(3, 5)},
    {"x": np.ones((5, 3))},
    {"x": np.ones((5, 3), np.dtype(np.float32).newbyteorder())},
    {"n": np.array(2, np.int32)},
    {"n": np.array([2], np.int64)},
    {"n": 2.0},
    {"w": np.ones(3, np.float16)},
    {"w": [1.0, 1.0, 1.0]},
    {"w": None},
    {"x": np.ma.ones((5, 3), np.float32)},
    {"z": 1.0},
]


def message_of(call):
    with pytest.raises(gg.GraphgradError) as raised:
        call()
    lines = str(raised.value).splitlines()
    return type(raised.value), "\n".join(line for line in lines if not line.startswith(f"  at {HERE}:"))


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit_says_the_same_before_and_after_a_call_that_did(wrong):
    model = compiled()
    given = {**good(), **wrong}
    first = message_of(lambda: model(**given))
    for rows in (5, 4, 3):
        model(**good(rows))
        model(*good(rows).values())
    assert message_of(lambda: model(**given)) == first
    if "z" not in wrong:
        assert message_of(lambda: model(*given.values())) == first
        assert message_of(lambda: model(given["x"], y=given["y"], n=given["n"], w=given["w"])) == first


def test_a_missing_a_repeated_and_an_unknown_argument_after_a_call_that_passed():
    model, values = compiled(), good()
    model(**values)
    without = {name: value for name, value in values.items() if name != "y"}
    assert "lacks 'y'" in message_of(lambda: model(**without))[1]
    assert "no argument 'other'" in message_of(lambda: model(**without, other=values["y"]))[1]
    assert "'x' twice" in message_of(lambda: model(values["x"], **values))[1]
    assert "5 were given" in message_of(lambda: model(*values.values(), values["y"]))[1]


def same_arrays(tmp_path):
    """The argument x in every form that is no plain array of its own memory."""
    x = good()["x"]
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
    mapped[...] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    yield from (mapped, frozen, np.repeat(x, 2, axis=0)[::2], np.asfortranarray(x), x[::-1])
    yield np.lib.stride_tricks.as_strided(x, (5, 3), (0, 0))
    yield x.view(type("Own", (np.ndarray,), {}))


def test_arrays_of_every_kind_are_taken_again_and_again(tmp_path):
    model = compiled()
    expected, slope = model(**good())
    for x in same_arrays(tmp_path):
        for _ in range(2):
            loss, grads = model(**{**good(), "x": x, "n": 2})
            assert loss == expected and type(loss) is np.ndarray and type(grads["w"]) is np.ndarray
            np.testing.assert_array_equal(grads["w"], slope["w"])


def test_what_only_claims_to_be_an_array_is_not_taken_for_one():
    class Claims:
        __class__ = np.ndarray
        dtype, shape = np.dtype(np.float32), (5, 3)

        def __array__(self, dtype=None, copy=None):
            return np.full((5, 3), 2, np.float32)

    model = compiled()
    model(**good())
    assert model(**{**good(), "x": Claims()})[0] == 5 * 36 * 2


def test_more_shapes_than_are_remembered():
    model = compiled()
    for rows in itertools.chain(range(arguments._MOST_ACCEPTED + 20), range(50)):
        assert model(**good(rows))[0] == rows * 18
        assert len(model.arguments._accepted) <= arguments._MOST_ACCEPTED
    with pytest.raises(gg.ShapeError):
        model(**{**good(7), "y": good(8)["y"]})


def test_sizes_that_follow_from_others_are_checked_after_a_call_that_passed():
    x, twice = gg.input("x", ("n",)), gg.input("twice", ("2*n",))
    model = gg.compile(gg.sum(x[2:]) + gg.sum(twice))
    ones = [np.ones(rows, np.float32) for rows in range(9)]
    for rows in (2, 3, 4):
        assert model(ones[rows], ones[2 * rows]) == rows - 2 + 2 * rows
    with pytest.raises(gg.ShapeError, match=r"2\*n = 6"):
        model(ones[3], ones[4])
    with pytest.raises(gg.ShapeError, match="negative with n = 1"):
        model(ones[1], ones[2])


@pytest.mark.parametrize("order", list(itertools.permutations(("x", "n", "w"))))
def test_bound_values_in_any_order_reach_their_places(order):
    x, n, w = gg.input("x", (2,)), gg.input("n", (2,)), gg.input("w", (2,))
    model = gg.compile([x, n, w])
    arrays = {name: np.full(2, at, np.float32) for at, name in enumerate(("x", "n", "w"))}
    for owned in range(4):
        bound = model.bind({name: arrays[name] for name in order[:owned]})
        rest = {name: arrays[name] for name in reversed(bound.signature)}
        for _ in range(2):
            for found in (bound(*(arrays[name] for name in bound.signature)), bound(**rest)):
                assert [value.tolist() for value in found] == [[0, 0], [1, 1], [2, 2]]


def test_many_threads_with_many_shapes():
    model = compiled()

    def run(rows):
        return model(**good(rows))[0] == rows * 18 and model(*good(rows).values())[0] == rows * 18

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, [rows % 300 for rows in range(1_500)]))
