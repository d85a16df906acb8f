"""Rows, columns and lanes on graphs small enough to say where everything goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphgrad.draw.lanes import _Skyline
from graphgrad.draw.layout import SNAP, UNIT_GAP, Block, _pack
from graphgrad.draw.rows import MAX_PER_ROW, sections


def test_layers_are_stacked_and_a_layer_used_twice_comes_twice() -> None:
    scopes = [("a",), ("b",), ("a",), ()]
    made = sections(scopes, [[], [0], [1], [2]], [False] * 4)
    assert [(part.scope, part.rows) for part in made] == [
        (("a",), ((0,),)),
        (("b",), ((1,),)),
        (("a",), ((2,),)),
        ((), ((3,),)),
    ]


def test_steps_of_one_layer_told_apart_come_together() -> None:
    made = sections([("a",), ("b",), ("a",)], [[], [], [0]], [False] * 3)
    assert [(part.scope, part.rows) for part in made] == [(("a",), ((0,), (2,))), (("b",), ((1,),))]


def test_what_floats_sinks_to_its_reader() -> None:
    rows = sections([()] * 5, [[], [0], [1], [], [2, 3]], [False, False, False, True, False])[0].rows
    assert rows == ((0,), (1,), (2, 3), (4,))
    rows = sections([()] * 5, [[], [0], [1], [], [2, 3]], [False] * 5)[0].rows
    assert rows == ((0, 3), (1,), (2,), (4,))


def test_wide_rows_are_broken() -> None:
    rows = sections([()] * 11, [[] for _ in range(10)] + [list(range(10))], [False] * 11)[0].rows
    assert [len(row) for row in rows] == [4, 4, 2, 1]


@given(st.data())
def test_every_edge_points_down(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 25))
    inputs = [data.draw(st.lists(st.integers(0, n - 1), max_size=3)) if n else [] for n in range(count)]
    name = st.sampled_from("abc")
    scopes = [tuple(data.draw(st.lists(name, max_size=3))) for _ in range(count)]
    floating = [data.draw(st.booleans()) for _ in range(count)]
    made = sections(scopes, inputs, floating)
    row_of = {}
    number = 0
    for part in made:
        for row in part.rows:
            assert 0 < len(row) <= MAX_PER_ROW
            for step in row:
                assert scopes[step] == part.scope
                row_of[step] = number
            number += 1
    assert sorted(row_of) == list(range(count))
    assert all(row_of[read] < row_of[step] for step in range(count) for read in inputs[step])


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(20, 200)), min_size=1, max_size=6))
def test_blocks_of_a_row_keep_their_distance(wishes: list[tuple[float, float]]) -> None:
    blocks = [Block(half, half, half + 30, False) for _, half in wishes]
    places = _pack([wish for wish, _ in wishes], blocks)
    for number in range(len(blocks) - 1):
        gap = places[number + 1] - blocks[number + 1].outer - places[number] - blocks[number].half
        assert gap >= UNIT_GAP - 0.01
    if len(blocks) == 1:
        assert abs(places[0] - wishes[0][0]) <= SNAP


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19), st.floats(-100, 200)), max_size=10),
)
def test_the_skyline_agrees_with_a_list(reach: list[float], lifts: list[tuple[int, int, float]]) -> None:
    skyline, plain = _Skyline(reach), list(reach)
    for one, other, height in lifts:
        first, last = sorted((one % len(reach), other % len(reach)))
        assert skyline.highest(first, last) == max(plain[first : last + 1])
        skyline.lift(first, last, height)
        plain[first : last + 1] = [max(height, value) for value in plain[first : last + 1]]
    assert [skyline.highest(row, row) for row in range(len(reach))] == plain
