"""Which values share memory, and that a wrong decision about it is found and named."""

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.emit.runtime.team import _team
from graphgrad.plan import buffers as module
from graphgrad.plan import plan as planning
from graphgrad.plan.buffers import Buffer, Placement, place, small
from graphgrad.plan.check import check_ownership, check_placement
from graphgrad.testing import assert_same
from tests.autodiff.test_frameworks import grow, steps_of


def chain():
    """Of a known size and too small for a loop."""
    x, w = gg.input("x", (400, 3)), gg.param("w", (3,))
    a = gg.named(gg.exp(x), "a")
    b = gg.named(a * w, "b")
    c = gg.named(gg.tanh(b), "c")
    return gg.compile(gg.sum(c * a), name="chain"), (a, b, c)


def statements_of(model):
    return model.plan.main.statements, model.plan.main.routine.results, model.plan.main.placement


def test_an_operand_that_is_read_for_the_last_time_is_written_over():
    model, (a, b, c) = chain()
    _, _, placement = statements_of(model)
    assert placement.over[c] is b, "nothing reads b afterwards"
    assert b not in placement.over, "a is still needed"
    assert placement.buffers[c] == placement.buffers[b] != placement.buffers[a]
    assert len(model.plan.workspace) == 2


def test_a_buffer_serves_the_next_value_of_its_spec():
    x, w, v = gg.input("x", (100, 4)), gg.param("w", (4, 4)), gg.param("v", (4, 4))
    first, second, third = (
        gg.named(node, name) for node, name in ((x @ w, "p"), ((x @ w) @ v, "q"), (x @ v, "r"))
    )
    model = gg.compile(gg.sum(second) + gg.sum(third))
    placement = model.plan.main.placement
    assert placement.buffers[third] in (placement.buffers[first], placement.buffers[second])
    assert not placement.over, "a product of matrices reads its operands until its end"


def filled_by_one_loop():
    """Two arrays that a loop fills; nobody reads the first one afterwards."""
    x = gg.input("x", ("n", 3))
    first, second = gg.named(gg.exp(x), "first"), gg.named(gg.tanh(gg.exp(x)), "second")
    return {first: (), second: (first, second)}, first, second


def test_what_one_loop_fills_shares_no_buffer_though_nobody_reads_it_afterwards():
    statements, first, second = filled_by_one_loop()
    placement = place(statements, [second], [], {}, filled=statements)
    assert placement.buffers[first] != placement.buffers[second]
    check_placement(statements, [second], placement)


def test_two_arrays_that_one_loop_fills_in_one_buffer_are_found():
    statements, first, second = filled_by_one_loop()
    one = Buffer(first.spec, 0)
    with pytest.raises(gg.VerificationError, match=r"first.*but its buffer holds second"):
        check_placement(statements, [second], Placement({first: one, second: one}))


def test_what_the_caller_gets_lies_in_no_buffer():
    x = gg.input("x", ("n", 3))
    y = gg.exp(x)
    model = gg.compile((y, gg.tanh(y), y[0], x.T, y), wrt=x, name="given")
    for planned in model.plan.routines:
        if planned.placement is not None:
            kept = (
                planned.routine.results
                if planned.routine.kind != "forward"
                else model.plan.schedule.residuals
            )
            copied = dict(zip(planned.routine.results, planned.copies, strict=True))
            assert not [node for node in kept if node in planned.placement.buffers and not copied.get(node)]


def test_numbers_and_short_arrays_of_known_size_get_no_buffer():
    x = gg.input("x", (8,))
    assert gg.compile(gg.sum(gg.exp(x) * 2)).plan.workspace == ()
    rows = [gg.exp(gg.input(f"x{at}", (128,))) for at in range(40)]
    assert not small([*rows, *rows]), "all together they are not small"
    assert gg.exp(gg.sum(x)) in small([gg.exp(gg.sum(x)), *rows])


def test_a_reshape_that_may_copy_is_copied_into_a_buffer():
    x, w = gg.input("x", ("n", 4)), gg.param("w", (4,))
    turned = gg.named((x * w).T.reshape(-1), "turned")
    model = gg.compile(gg.sum(gg.exp(turned) * gg.tanh(turned)), wrt=w)
    assert turned in model.plan.main.placement.buffers
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    model.verify(x=values, w=values[0])


# ---- wrong decisions ------------------------------------------------------------------------------


def test_a_value_that_is_read_after_its_buffer_was_reused_is_named():
    model, (a, b, _) = chain()
    statements, results, placement = statements_of(model)
    check_placement(statements, results, placement)
    wrong = Placement({**placement.buffers, b: placement.buffers[a]}, {**placement.over, b: a}, {})
    with pytest.raises(gg.VerificationError, match=r"reads a: .*but its buffer holds .*") as caught:
        check_placement(statements, results, wrong)
    assert "b: float32 (400, 3)" in str(caught.value) or "c: float32 (400, 3)" in str(caught.value)
    assert "test_buffers.py" in str(caught.value)


def test_a_statement_that_writes_over_what_it_reads_is_named():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3, 3))
    p = gg.named(gg.exp(x), "p")
    q = gg.named(p @ w, "q")
    buffer = Buffer(p.spec, 0)
    with pytest.raises(gg.VerificationError, match=r"q: .* is written over p: .* while it reads it"):
        check_placement({p: (p,), q: (q,)}, (), Placement({p: buffer, q: buffer}))


def test_an_operand_that_a_statement_needs_twice_is_not_written_over():
    """``where(c, c, y)`` writes over its second operand, which here is the mask, too."""
    x, y = gg.input("x", ("n",)), gg.input("y", ("n",), "bool")
    c = gg.named(x > 0, "c")
    chosen = gg.named(gg.where(c, c, y), "chosen")
    model = gg.compile(gg.sum(gg.cast(chosen, "float32")), name="twice")
    assert chosen not in model.plan.main.placement.over
    values = np.array([1, -1, 2, -2], np.float32)
    assert model(x=values, y=np.array([False, True, True, False])) == 3
    buffer = Buffer(c.spec, 0)
    with pytest.raises(gg.VerificationError, match=r"chosen: .* is written over c: .* while it reads it"):
        check_placement({c: (c,), chosen: (chosen,)}, (), Placement({c: buffer, chosen: buffer}, {chosen: c}))


def test_scratch_that_holds_something_is_named():
    x = gg.input("x", ("n", 3))
    p = gg.named(gg.exp(x), "p")
    q = gg.named(gg.sigmoid(p), "q")
    buffer = Buffer(p.spec, 0)
    with pytest.raises(gg.VerificationError, match=r"q: .* takes as scratch what it reads or writes"):
        check_placement({p: (p,), q: (q,)}, (), Placement({p: buffer}, {}, {q: (buffer,)}))


@pytest.mark.parametrize("planted", ["too early", "never read"])
def test_a_planted_mistake_in_lifetimes_does_not_get_through(monkeypatch, planted):
    right = module._last_reads

    def wrong(statements, results, placed):
        last = right(statements, results, placed)
        order = list(statements)
        for node, at in last.items():
            if at > order.index(node) + 1:
                last[node] = order.index(node) + (planted == "too early")
                break
        return last

    monkeypatch.setattr(module, "_last_reads", wrong)
    with pytest.raises(gg.VerificationError, match=r"wrong plan: .*a: float32"):
        chain()
    monkeypatch.setattr(
        planning, "check_placement", lambda *arguments: None
    )  # and were that check not there:
    model, _ = chain()
    values = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    with pytest.raises(gg.VerificationError, match="off by"):
        model.verify(x=values, w=values[0])


@pytest.mark.slow
@given(steps=steps_of, seed=st.integers(0, 2**16))
def test_placements_of_random_models_pass_the_check_and_hold_the_fewest_of_each_spec(steps, seed):
    rng = np.random.default_rng(seed)
    shapes = [("n", 3), ("n", 3), (3,), ("n", 1), ()]
    leaves = [gg.input(f"x{at}", shape, "float64") for at, shape in enumerate(shapes)]
    output = grow(steps, leaves, gg)
    model = gg.compile(gg.sum(gg.tanh(output)), wrt=leaves)
    for planned in model.plan.routines:
        if planned.placement is None:
            continue
        check_placement(planned.statements, planned.routine.results, planned.placement)
        again = place(
            planned.statements,
            planned.routine.results,
            [node for node in planned.statements if node not in planned.placement.buffers],
            {},
        )
        assert again.buffers == planned.placement.buffers, "deterministic"
    arrays = {
        leaf.name: rng.normal(size=[5 if size == "n" else size for size in leaf.shape]) / 2 for leaf in leaves
    }
    plain = gg.compile(gg.sum(gg.tanh(output)), wrt=leaves, level="plain")
    assert_same(model(**arrays)[1], plain(**arrays)[1], 1e-9, 1e-11, "gradients")


# ---- what it comes to -----------------------------------------------------------------------------


def test_memory_is_what_is_allocated():
    x, y = gg.input("x", ("batch", 40)), gg.input("y", ("batch",))
    w1, w2 = gg.param("w1", (40, 60)), gg.param("w2", (60, 1))
    loss = gg.mean(((gg.sigmoid(x @ w1) @ w2)[:, 0] - y) ** 2)
    model = gg.compile(loss, wrt=[w1, w2], name="counted")
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in {"x": (3000, 40), "y": (3000,), "w1": (40, 60), "w2": (60, 1)}.items()
    }
    elsewhere = threading.Thread(target=lambda: model(**arrays))  # what is made once, whatever the thread
    elsewhere.start()
    elsewhere.join()
    expected = model.memory(batch=3000)
    peaks = []
    for _ in range(2):
        tracemalloc.start()
        result = model(**arrays)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        del result
    assert abs(peaks[0] - expected.peak) < 2**16 * _team.cores(), "the first call makes the workspace"
    assert peaks[1] < expected.results + 2**16 * _team.cores(), "later ones only their results"


def test_residuals_that_look_into_a_reshape_that_may_copy_are_the_callers_own():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3,))
    turned = (x * w).T.reshape(-1)[:2]
    model = gg.compile(gg.sum(turned * turned.T), wrt=w)
    ones, twos = np.ones((4, 3), np.float32), np.full((4, 3), 2, np.float32)
    _, residuals = model.forward(ones, ones[0])
    expected = model.backward(residuals)["w"]
    model.forward(twos, twos[0])
    assert_same(model.backward(residuals)["w"], expected, 0, 0, "the first forward's backward")


def test_a_result_in_the_workspace_is_named():
    x = gg.input("x", ("n", 3))
    p = gg.named(gg.exp(x), "p")
    q = gg.named(p.T, "q")
    with pytest.raises(gg.VerificationError, match=r"get q: .*, which lies in the buffer of p: "):
        check_ownership([q], Placement({p: Buffer(p.spec, 0)}))
