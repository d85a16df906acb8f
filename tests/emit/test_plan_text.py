"""What the compiler says about loops: of a whole plan, and of a line."""

import ast
import re

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.emit.module import emit
from tests.models import MODELS


def compiled(name, **options):
    loss, wrt = MODELS[name].build()
    return gg.compile(loss, wrt=wrt, name=name, **options)


def told(model, function="forward_and_backward"):
    """What the plan says of one function."""
    parts = re.split(r"^(?=\S)", str(model.plan), flags=re.MULTILINE)
    return next(part for part in parts if part.startswith(f"{function}\n")).splitlines()[1:]


def test_forward_and_backward_of_lesson_8_are_one_loop():
    model = compiled("lesson8")
    rows = model.plan.tiles[0].most
    assert told(model) == [
        f"  loop 1 over batch, up to {rows:,} rows at a time, on every core",
        "    in tiles  x, y",
        "    whole     d_squared, w2, w1, b1, b2",
        "    adds up   total, d_b2, d_w2, d_b1, d_w1",
    ]
    assert told(model, "forward")[-1] == "    writes    l1, l2, difference (for backward)"


def test_every_call_of_a_loop_in_the_source_is_told_with_its_rows():
    for name in ("batch_norm", "contrastive", "attention", "sorted_rows"):
        model = compiled(name, threads=2)
        text, source = str(model.plan), model.source
        called = re.findall(r"_by_tiles\(tile\w*, \w+, (\w+)", source)
        said = re.findall(r"  loop \d+ over \w+, up to (.+) at a time, on 2 threads", text)
        assert len(called) == len(said) > 2, name
        for rows, told_so in zip(called, said, strict=True):
            if rows.isdecimal():
                assert told_so == f"{int(rows):,} rows", name
            else:
                assert name in ("attention", "contrastive") and re.fullmatch(r"[\d.]+ [kM]B of rows", told_so)
                assert f"# rows at a time: {told_so.replace('rows', 'them')}" in source


def test_batch_norm_is_told_loop_by_loop_with_what_crosses():
    rows = told(compiled("batch_norm"))
    loops = [at for at, row in enumerate(rows) if row.startswith("  loop")]
    assert len(loops) == 5 and "  at once" not in rows
    first = rows[: loops[1]]
    assert any(row.startswith("    adds up") and "total" in row for row in first)
    second = rows[loops[1] : loops[2]]
    assert any("centre" in row for row in second if row.startswith("    whole")), "the mean of the first loop"
    assert any(re.search(r"\(for loops? .*5\)", row) for row in rows), "what is stored for the last loop"


def test_what_is_computed_at_once_is_told_with_the_reason():
    rows = told(compiled("sorted_rows"))
    at_once = rows[rows.index("  at once") + 1 :]
    assert [row.split(maxsplit=1)[1].strip() for row in at_once] == [
        "sort needs all of batch at once",
        "sort needs all of batch at once",
        "argsort needs all of batch at once",
    ]
    assert any("needed at once" in row for row in rows), "the first loop writes what is sorted"
    assert any(row.endswith("diagonal needs all of batch at once") for row in told(compiled("contrastive")))


def test_models_without_loops():
    x, w = gg.input("x", ("batch", 3)), gg.param("w", (3, 2))
    alone = told(gg.compile(x @ w), "forward")
    assert alone[0] == "  no loop" and alone[-1].endswith(
        "it is one product of matrices, which BLAS cuts better"
    )
    assert told(gg.compile(gg.sum(w)), "forward") == ["  no loop"]
    assert told(gg.compile(gg.tanh(x @ w), level="plain"), "forward") == ["  no loop"]


def test_known_sizes_and_small_arrays():
    x = gg.input("x", (1_200_000,))
    model = gg.compile(gg.sum(gg.sort(gg.exp(x))), wrt=x, threads=1)
    rows = told(model)
    assert any(row.endswith("sort needs all of 1,200,000 rows at once") for row in rows)
    assert any(row.startswith("  loop 1 over 1,200,000 rows, ") and "thread" not in row for row in rows)
    short = gg.input("short", (1_000_000,))
    text = str(gg.compile(gg.sum(gg.sort(gg.exp(short)))).plan)
    assert "a loop over its 1,000,000 rows would make less than 4.19 MB" in text


@pytest.mark.parametrize("name", ["batch_norm", "sorted_rows", "contrastive", "attention", "lesson8"])
def test_a_line_tells_which_loop_it_is_in_and_one_outside_why(name):
    model = compiled(name)
    kinds = {planned.routine.kind: planned for planned in model.plan.routines}
    kinds["forward_and_backward"] = kinds["fused"]
    module = ast.parse(model.source)
    for function in (one for one in module.body if isinstance(one, ast.FunctionDef) and one.name in kinds):
        planned = kinds[function.name]
        tiles = [one for one in function.body if isinstance(one, ast.FunctionDef)]
        assert len(tiles) == len(planned.loops) > 0
        for number, tile in enumerate(tiles, 1):
            which = f"loop {number} of {len(tiles)}" if len(tiles) > 1 else "the loop"
            for statement in (tile, *tile.body[1:]):
                said = model.explain(statement.lineno)
                assert said.loop.startswith(f"{which} over ") and not said.at_once
                assert f"  loop        {said.loop}" in str(said)
        outside = [one for one in function.body if one not in tiles and "_by_tiles" not in ast.unparse(one)]
        told_of = [model.explain(one.lineno) for one in outside]
        assert not any(said.loop for said in told_of)
        reasons = {said.at_once: None for said in told_of if said.at_once}
        assert sorted(reasons) == sorted(set(planned.at_once.values()))
        assert all(f"  at once     {said.at_once}" in str(said) for said in told_of if said.at_once)


def test_the_ledger_ends_with_the_plan():
    x = gg.input("x", ("n", 3))
    ledger = gg.explain(gg.sum(gg.tanh(gg.sort(x, axis=0))), wrt=x)
    lines = str(ledger.compiled.plan).splitlines()
    assert str(ledger).splitlines()[-len(lines) - 1 :] == ["in loops:", *(f"  {line}" for line in lines)]
    assert "in loops:" not in str(gg.explain(gg.sum(x), level="plain"))
    assert np.isfinite(ledger.compiled(np.ones((2, 3), np.float32))[0])


def test_what_a_traceback_prints_of_a_module_does_not_hold_the_graph_once_a_line():
    x = gg.input("x", ("n",))
    sizes = []
    for count in (10, 100):
        y = x
        for _ in range(count):
            y = gg.tanh(y + 1)
        model = gg.compile(gg.sum(y), wrt=x)
        module = emit(model.plan)
        sizes.append(len(repr(module)) + len(repr(model.graph)) + len(repr(model.plan)))
        assert len(repr(module)) < 1_000
    assert sizes[1] < 15 * sizes[0], "as long as the model, and no longer"
