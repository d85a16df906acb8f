"""Order, residuals, copies and what stands inside which statement."""

import pytest

import graphgrad as gg
from graphgrad.plan.alias import base, copies
from graphgrad.plan.schedule import is_free, sizes_in


def lesson8():
    x, y = gg.input("x", ("batch", 4)), gg.input("y", ("batch",))
    w, b = gg.param("w", (4, 1)), gg.param("b", (1,))
    out = x @ w + b
    loss = gg.mean((out[:, 0] - y) ** 2)
    return gg.compile(loss, wrt=[w, b]).plan, (x, y, w, b, out, loss)


def test_every_step_comes_after_its_inputs():
    plan, _ = lesson8()
    for routine in plan.schedule.routines:
        done = set() if routine.kind == "forward" else set(plan.schedule.residuals)
        for node in routine.steps:
            assert all(part in done or is_free(part) for part in node.inputs), node
            done.add(node)


def test_residuals_are_what_backward_reads_of_forward():
    plan, (x, y, w, *_) = lesson8()
    kept = plan.schedule.residuals
    assert kept[0] is x
    assert y not in kept, "the gradient does not read the targets"
    assert w not in kept, "nor, without the gradient by the data, the weights"
    assert [node.op.name for node in kept[1:]] == ["subtract"]


def test_views_and_factors_of_one_term_stand_inside_their_reader():
    plan, _ = lesson8()
    functions = [one for routine in plan.routines for one in (routine, *routine.loops)]
    inside = {node.op.name for one in functions for node in one.inside}
    assert {"index", "transpose"} <= inside
    named = [node for routine in plan.routines for node in routine.inside if node.notes.name == "out"]
    assert not named


def test_results_that_would_share_memory_are_copied():
    x = gg.input("x", (2, 3))
    doubled = x * 2
    assert base(doubled.T) is doubled
    assert copies([doubled, doubled, doubled.T, x, gg.const(1.0)]) == (False, True, True, True, True)
    assert copies([doubled], kept=[doubled.T]) == (True,)


def test_sizes_that_statements_spell_out_are_found():
    x = gg.input("x", ("n", "m"))
    assert sizes_in([gg.broadcast_to(gg.const(1.0), x.shape)]) == ("n", "m")
    assert sizes_in([x / x.shape[1]]) == ("m",)
    assert sizes_in([gg.exp(x)]) == ()


@pytest.mark.parametrize(("level", "order"), [("plain", "a b total early"), ("default", "a early b total")])
def test_results_that_nothing_reads_come_as_soon_as_they_can(level, order):
    x = gg.input("x", (3, 4))
    a = gg.named(gg.tanh(x), "a")
    b = gg.named(gg.exp(a), "b")
    total = gg.named(gg.max(b), "total")
    early = gg.named(gg.max(a.T, axis=1), "early")
    schedule = gg.compile([total, early], level=level).plan.schedule
    names = [schedule.graph.name(node) for node in schedule.forward.steps]
    assert [name for name in names if name is not None] == order.split()


def test_of_results_that_become_ready_together_the_light_ones_come_first():
    x, w, b = gg.input("x", ("n", 4)), gg.param("w", (4, 3)), gg.param("b", (3,))
    loss = gg.mean(gg.tanh(x @ w + b))
    for wrt in ([x, w, b], [b, x, w]):
        schedule = gg.compile(loss, wrt=wrt).plan.schedule
        steps = schedule.backwards[0].steps
        gradients = dict(zip("xwb" if wrt[0] is x else "bxw", schedule.backwards[0].results, strict=True))
        assert steps.index(gradients["b"]) < min(steps.index(gradients["w"]), steps.index(gradients["x"]))
