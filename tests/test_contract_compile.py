"""The public contract of `compile` and `Compiled`, a sentence a test."""

import inspect
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import graphgrad as gg

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded():
    """The same arrays in every order of the tests."""
    global rng  # noqa: PLW0603  a shared generator, started again for each test
    rng = np.random.default_rng(0)


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def linear():
    """sum((x @ w + b)**2), its leaves and arrays that fit."""
    x = gg.input("x", ("batch", 3))
    w = gg.param("w", (3, 2), init=gg.init.normal())
    b = gg.param("b", (2,))
    out = x @ w + b
    loss = gg.sum(out**2)
    arrays = {"x": f32(5, 3), "w": f32(3, 2), "b": f32(2)}
    return SimpleNamespace(x=x, w=w, b=b, out=out, loss=loss, arrays=arrays)


# ---- outputs and arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrap", "unwrap"),
    [
        (lambda a, b: (a, b), lambda r: (type(r) is tuple, *r)),
        (lambda a, b: [a, b], lambda r: (type(r) is list, *r)),
        (lambda a, b: {"first": a, "b c": b}, lambda r: (list(r) == ["first", "b c"], r["first"], r["b c"])),
    ],
)
@pytest.mark.parametrize("differentiate", [False, True])
def test_results_have_the_structure_of_the_outputs(wrap, unwrap, differentiate):
    m = linear()
    model = gg.compile(wrap(m.loss, m.out), wrt=[m.w] if differentiate else None)
    result = model(**m.arrays)
    right, loss, out = unwrap(result[0] if differentiate else result)
    assert right
    assert loss.shape == () and out.shape == (5, 2)


def test_one_node_gives_one_array():
    m = linear()
    assert isinstance(gg.compile(m.loss)(**m.arrays), np.ndarray)


@pytest.mark.parametrize("empty", [(), [], {}])
def test_no_outputs_give_nothing(empty):
    assert gg.compile(empty)() == empty


def test_arguments_are_inputs_states_params_rngs_in_creation_order():
    p2, s1, i2 = gg.param("p2", ()), gg.state("s1", ()), gg.input("i2", ())
    p1, s2, i1 = gg.param("p1", ()), gg.state("s2", ()), gg.input("i1", ())
    model = gg.compile(i1 + p1 + s2 + s1 + p2 + i2)
    assert model.signature == ("i2", "i1", "s1", "s2", "p2", "p1")


def test_rng_comes_last():
    r, x, p = gg.rng("r"), gg.input("x", ()), gg.param("p", ())
    assert gg.compile(x * p, inputs=[x, p, r]).signature == ("x", "p", "r")
    model = gg.compile(x * p, inputs=[r, p, x])
    assert model.signature == ("r", "p", "x")
    assert model(np.random.default_rng(0), 2.0, 3.0) == 6


def test_inputs_give_the_order_and_may_name_unused_leaves():
    m = linear()
    unused = gg.input("unused", (7,))
    model = gg.compile(m.loss, inputs=[m.b, unused, m.x, m.w])
    assert model.signature == ("b", "unused", "x", "w")
    assert model(m.arrays["b"], f32(7), m.arrays["x"], m.arrays["w"]).shape == ()


def test_omitting_a_needed_input_is_an_error():
    m = linear()
    with pytest.raises(gg.ArgumentError, match="lacks leaves"):
        gg.compile(m.loss, inputs=[m.x, m.w])


@pytest.mark.parametrize("wrong", ["x", {"x": 1}, [1], ["x"]])
def test_inputs_are_leaves(wrong):
    with pytest.raises(gg.ArgumentError):
        gg.compile(linear().loss, inputs=wrong)


def test_inputs_that_are_no_leaves_or_repeat_are_errors():
    m = linear()
    with pytest.raises(gg.ArgumentError, match="leaves"):
        gg.compile(m.loss, inputs=[m.x, m.w, m.b, m.out])
    with pytest.raises(gg.ArgumentError, match="twice"):
        gg.compile(m.loss, inputs=[m.x, m.w, m.b, m.x])


def test_positional_and_keyword_calls_agree():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    x, w, b = m.arrays.values()
    first, _ = model(x, w, b)
    for second, _ in (model(x=x, w=w, b=b), model(x, b=b, w=w)):
        assert first == second


# ---- forward, backward, the two fused ------------------------------------------------------------------------


def test_without_wrt_the_module_has_forward_alone():
    model = gg.compile(linear().loss)
    assert "def forward(" in model.source
    assert "def backward(" not in model.source and "def forward_and_backward(" not in model.source
    assert model.function.__name__ == "forward"


def test_with_wrt_the_module_has_forward_backward_and_the_fused():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    namespace = {}
    exec(model.source, namespace)
    for functions in (namespace, {name: getattr(model, name) for name in ("forward", "backward")}):
        outputs, residuals = functions["forward"](**m.arrays)
        grads = functions["backward"](residuals)
        assert set(grads) == {"w"} and outputs == m_loss(m)
    outputs, grads = namespace["forward_and_backward"](**m.arrays)
    fused, also = model(**m.arrays)
    assert outputs == fused and np.array_equal(grads["w"], also["w"])
    assert model.function.__name__ == "forward_and_backward"


def m_loss(m):
    return gg.compile(m.loss)(**m.arrays)


def test_backward_without_wrt_is_an_error():
    with pytest.raises(gg.ArgumentError, match="without wrt"):
        gg.compile(linear().loss).backward(())


def test_gradients_are_right():
    m = linear()
    _, grads = gg.compile(m.loss, wrt=[m.w, m.b, m.x])(**m.arrays)
    x, w, b = m.arrays.values()
    out = x @ w + b
    np.testing.assert_allclose(grads["w"], 2 * x.T @ out, rtol=1e-5)
    np.testing.assert_allclose(grads["b"], 2 * out.sum(0), rtol=1e-5)
    np.testing.assert_allclose(grads["x"], 2 * out @ w.T, rtol=1e-5)


@pytest.mark.parametrize("kind", [lambda w, b: [w, b], lambda w, b: (w, b)])
def test_gradients_are_keyed_by_name(kind):
    m = linear()
    _, grads = gg.compile(m.loss, wrt=kind(m.w, m.b))(**m.arrays)
    assert type(grads) is dict and list(grads) == ["w", "b"]


def test_a_single_wrt_still_gives_a_dict():
    m = linear()
    assert list(gg.compile(m.loss, wrt=m.w)(**m.arrays)[1]) == ["w"]


def test_a_dict_wrt_gives_its_own_keys():
    m = linear()
    _, grads = gg.compile(m.loss, wrt={"weights": m.w, "of b, (b)": m.b, "again": m.w})(**m.arrays)
    assert list(grads) == ["weights", "of b, (b)", "again"]
    assert not np.shares_memory(grads["weights"], grads["again"])


def test_intermediates_are_keyed_by_their_name():
    m = linear()
    _, grads = gg.compile(m.loss, wrt=[m.out])(**m.arrays)
    assert grads["out"].shape == (5, 2)


def test_colliding_keys_are_an_error():
    m = linear()
    with pytest.raises(gg.GraphgradError, match="two gradients would be called 'w'") as error:
        gg.compile(m.loss, wrt=[m.w, m.w])
    assert isinstance(error.value, ValueError)
    one, other = gg.exp(m.out), gg.tanh(m.out)
    for node in (one, other):
        gg.named(node, "same")
    with pytest.raises(gg.InvalidNameError, match="same"):
        gg.compile(gg.sum(gg.exp(m.out) * gg.tanh(m.out)), wrt=[one, other])


def test_unreachable_gives_zeros_unless_forbidden():
    m, other = linear(), gg.param("other", (2,))
    with pytest.warns(gg.GraphgradWarning, match="^unused parameter"):
        model = gg.compile(m.loss, wrt=[m.w, other])
    _, grads = model(**m.arrays, other=f32(2))
    assert not grads["other"].any() and grads["other"].shape == (2,) and grads["other"].flags.owndata
    with pytest.raises(gg.ArgumentError, match="no gradient reaches"):
        gg.compile(m.loss, wrt=[m.w, other], allow_unused=False)


def test_allow_unused_is_about_the_first_output():
    m = linear()
    metric = gg.mean(m.x)
    model = gg.compile((m.loss, metric), wrt=[m.w], allow_unused=False)
    assert model(**m.arrays)[1]["w"].any()


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_differentiating_by_or_of_integers_is_an_error(dtype):
    n = gg.input("n", (), dtype)
    x = gg.input("x", ())
    with pytest.raises(gg.DTypeError, match="only floats"):
        gg.compile(x * gg.cast(n, "float32"), wrt=n)
    with pytest.raises(gg.DTypeError, match="only floats"):
        gg.compile((n, x), wrt=x)


# ---- cotangents ----------------------------------------------------------------------------------------------


def pair():
    x = gg.input("x", ("n",))
    return x, gg.sum(x * x), gg.log(x)


def test_the_default_cotangent_is_1_for_the_first_and_none_for_the_rest():
    x, loss, logs = pair()
    model = gg.compile((loss, logs), wrt=x)
    xs = np.array([0, 1, 2], np.float32)
    with np.errstate(divide="ignore"):
        _, grads = model(xs)
        _, residuals = model.forward(xs)
    np.testing.assert_array_equal(grads["x"], 2 * xs)  # no NaN from log(0)
    np.testing.assert_array_equal(model.backward(residuals)["x"], 2 * xs)


@pytest.mark.parametrize("kind", [tuple, list, lambda both: dict(zip(("a", "b"), both, strict=True))])
def test_a_cotangent_has_the_structure_of_the_outputs(kind):
    x, loss, logs = pair()
    model = gg.compile(kind((loss, logs)), wrt=x)
    xs = np.array([1, 2, 4], np.float32)
    u = f32(3)
    for first, second in ((1.0, None), (None, u), (3.0, u), (None, None)):
        expected = (first or 0) * 2 * xs + (0 if second is None else second / xs)
        _, grads = model(xs, cotangent=kind((first, second)))
        np.testing.assert_allclose(grads["x"], expected, rtol=1e-6)
        _, residuals = model.forward(xs)
        pulled = model.backward(residuals, cotangent=kind((first, second)))
        np.testing.assert_allclose(pulled["x"], expected, rtol=1e-6)
        assert pulled["x"].dtype == np.float32 and pulled["x"].flags.writeable


def test_no_cotangent_at_all_gives_zeros_of_the_right_shape():
    x, w = gg.input("x", ("n", "m")), gg.param("w", ("m",))
    model = gg.compile([gg.sum(x @ w), gg.exp(w)], wrt=[x, w])
    _, grads = model(f32(2, 3), f32(3), cotangent=[None, None])
    assert grads["x"].shape == (2, 3) and grads["w"].shape == (3,)
    assert not grads["x"].any() and not grads["w"].any()


def test_a_non_scalar_first_output_makes_the_cotangent_a_required_keyword():
    m = linear()
    model = gg.compile(m.out, wrt=[m.b])
    with pytest.raises(gg.ArgumentError, match="a cotangent is needed"):
        model(**m.arrays)
    u = f32(5, 2)
    _, grads = model(**m.arrays, cotangent=u)
    np.testing.assert_allclose(grads["b"], u.sum(0), rtol=1e-6)
    namespace = {}
    exec(model.source, namespace)
    parameter = inspect.signature(namespace["forward_and_backward"]).parameters["cotangent"]
    assert parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty


def test_a_scalar_cotangent_scales():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    one, two = model(**m.arrays)[1]["w"], model(**m.arrays, cotangent=2.0)[1]["w"]
    np.testing.assert_array_equal(2 * one, two)
    assert model(**m.arrays, cotangent=np.float32(2))[1]["w"].dtype == np.float32


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (np.ones(2, np.float32), gg.ShapeError),
        (np.ones((1, 2), np.float32), gg.ShapeError),  # would broadcast
        (np.ones((5, 1), np.float32), gg.ShapeError),
        (np.ones((5, 2)), gg.DTypeError),
        ([[1.0, 2.0]] * 5, gg.ArgumentError),
        (1.0, gg.ShapeError),
        ("ones", gg.GraphgradError),
        (object(), gg.GraphgradError),
    ],
)
def test_a_cotangent_that_does_not_fit_is_an_error(wrong, error):
    m = linear()
    model = gg.compile(m.out, wrt=[m.b])
    with pytest.raises(error):
        model(**m.arrays, cotangent=wrong)
    _, residuals = model.forward(**m.arrays)
    if not (isinstance(wrong, np.ndarray) and wrong.shape == (1, 2)):
        with pytest.raises(error):
            model.backward(residuals, wrong)


@pytest.mark.parametrize("wrong", [(1.0,), (1.0, None, None), {"a": 1.0}, 1.0, "ab"])
def test_a_cotangent_of_another_structure_is_an_error(wrong):
    x, loss, logs = pair()
    with pytest.raises(gg.ArgumentError, match="cotangent"):
        gg.compile((loss, logs), wrt=x)(f32(3), cotangent=wrong)


def test_the_cotangent_of_an_integer_output_is_none():
    x = gg.input("x", ("n",))
    model = gg.compile((gg.sum(x), x > 0), wrt=x)
    _, grads = model(f32(3), cotangent=(1.0, None))
    assert grads["x"].tolist() == [1, 1, 1]
    with pytest.raises(gg.DTypeError, match="only floats"):
        model(f32(3), cotangent=(1.0, np.ones(3, np.float32)))


def test_two_outputs_of_one_name_are_pulled_back_apart():
    x = gg.input("x", ("n",))
    first, second = gg.sum(x), gg.sum(x * x)
    for node in (first, second):
        gg.named(node, "same")
    model = gg.compile((first, second, first), wrt=x)
    xs = f32(3)
    for parts, expected in (((1.0, None, None), 1), ((None, 1.0, None), 2 * xs), ((None, None, 2.0), 2)):
        assert np.array_equal(model(xs, cotangent=parts)[1]["x"], expected * np.ones(3, np.float32))


def test_keys_that_give_one_identifier_are_pulled_back_apart():
    x = gg.input("x", ("n",))
    model = gg.compile({"a b": gg.sum(x), "a-b": gg.sum(x * x)}, wrt=x)
    xs = f32(3)
    _, grads = model(xs, cotangent={"a b": None, "a-b": 1.0})
    np.testing.assert_array_equal(grads["x"], 2 * xs)


# ---- residuals -----------------------------------------------------------------------------------------------


def residual_models():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3,))
    yield "products", gg.sum((x * w) ** 2), [x, w]
    yield "an argument is what backward reads", gg.sum(x * w), [x, w]
    yield "views of arguments", gg.sum(x.T * x.reshape(3, -1)) + gg.sum(x[1:] * w), [x, w]
    held = gg.exp(x)
    yield "an output is what backward reads", (gg.sum(held), held, held.T), [x]


@pytest.mark.parametrize(("outputs", "wrt"), [case[1:] for case in residual_models()])
def test_residuals_are_fresh_and_reusable(outputs, wrt):
    model = gg.compile(outputs, wrt=wrt)
    arrays = {"x": f32(4, 3), "w": f32(3)}
    arrays = {name: arrays[name] for name in model.signature}
    expected = model(**{name: array.copy() for name, array in arrays.items()})[1]
    given, residuals = model.forward(**arrays)
    before = pickle.dumps(residuals)
    for array in arrays.values():
        array[...] = 77
    for value in given if isinstance(given, tuple) else [given]:
        value[...] = 99
    model.forward(**arrays)
    for _ in range(2):
        grads = model.backward(residuals)
        for name, value in expected.items():
            np.testing.assert_array_equal(grads[name], value)
            grads[name][...] = 5
    assert pickle.dumps(residuals) == before


def test_backward_of_the_first_of_two_forwards():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    other = {**m.arrays, "x": f32(8, 3)}
    _, first = model.forward(**m.arrays)
    _, second = model.forward(**other)
    np.testing.assert_array_equal(model.backward(first)["w"], model(**m.arrays)[1]["w"])
    np.testing.assert_array_equal(model.backward(second)["w"], model(**other)[1]["w"])


@pytest.mark.parametrize("wrong", [None, (), 3, "ab", (1, 2, 3), [1, 2]])
def test_backward_takes_residuals_alone(wrong):
    m = linear()
    with pytest.raises(gg.ArgumentError, match="residuals that forward returned"):
        gg.compile(m.loss, wrt=[m.w]).backward(wrong)


# ---- updates and step ----------------------------------------------------------------------------------------


def test_step_returns_what_a_call_returns_and_writes():
    m = linear()
    (slope,) = gg.grad(m.loss, [m.w])
    model = gg.compile(m.loss, wrt=[m.w, m.b], updates={m.w: m.w - 0.1 * slope})
    before = {name: array.copy() for name, array in m.arrays.items()}
    called = model(**m.arrays)
    assert all(np.array_equal(before[name], m.arrays[name]) for name in before)  # a call never writes
    stepped = model.step(**m.arrays)
    assert called[0] == stepped[0]
    for name in called[1]:
        np.testing.assert_array_equal(called[1][name], stepped[1][name])
    np.testing.assert_allclose(m.arrays["w"], before["w"] - 0.1 * called[1]["w"], rtol=1e-6)
    assert all(np.array_equal(before[name], m.arrays[name]) for name in ("x", "b"))


def test_all_new_values_are_computed_before_any_is_written():
    a, b = gg.state("a", (2,)), gg.state("b", (2,))
    model = gg.compile((a, a + b, a[:1]), updates={a: b, b: a})
    one, two = np.array([1, 2], np.float32), np.array([3, 4], np.float32)
    first, total, part = model.step(one, two)
    assert one.tolist() == [3, 4] and two.tolist() == [1, 2]
    assert first.tolist() == [1, 2] and total.tolist() == [4, 6] and part.tolist() == [1]


def test_step_with_views_of_what_is_written():
    a = gg.state("a", (2, 2))
    model = gg.compile(gg.sum(a), updates={a: a.T})
    array = np.arange(4, dtype=np.float32).reshape(2, 2)
    model.step(array)
    assert array.tolist() == [[0, 2], [1, 3]]


def test_step_writes_into_strided_and_memory_mapped_arrays(tmp_path):
    a = gg.state("a", (3,))
    model = gg.compile(gg.sum(a), updates={a: a + 1})
    whole = np.zeros(6, np.float32)
    model.step(whole[::2])
    assert whole.tolist() == [1, 0, 1, 0, 1, 0]
    mapped = np.memmap(tmp_path / "a", np.float32, "w+", shape=(3,))
    model.step(mapped)
    assert mapped.tolist() == [1, 1, 1]


def test_step_refuses_what_it_cannot_write():
    a, b = gg.state("a", (2,)), gg.state("b", (2,))
    model = gg.compile(gg.sum(a * b), updates={a: b, b: a})
    read_only = f32(2)
    read_only.flags.writeable = False
    fine = f32(2)
    whole = f32(3)
    before = whole.copy()
    for first, second, error, words in (
        (read_only, fine, gg.InvalidValueError, "read-only"),
        (whole[:2], whole[1:], gg.InvalidValueError, "overlap"),
        (whole[:2], whole[:2], gg.InvalidValueError, "overlap"),
        (np.float32(1) * np.ones(2, np.float32), [1.0, 2.0], gg.ArgumentError, "array"),
    ):
        with pytest.raises(error, match=words):
            model.step(first, second)
    assert np.array_equal(before, whole)
    interleaved = np.arange(4, dtype=np.float32)
    model.step(interleaved[::2], interleaved[1::2])
    assert interleaved.tolist() == [1, 0, 3, 2]


def test_step_refuses_numbers_and_repeated_memory():
    a = gg.state("a", ())
    model = gg.compile(a * 1, updates={a: a + 1})
    for number in (1.0, np.float32(1)):
        with pytest.raises(gg.ArgumentError, match="must be an array"):
            model.step(number)
    b = gg.state("b", (3,))
    repeated = np.lib.stride_tricks.as_strided(f32(1), (3,), (0,))
    with pytest.raises(gg.InvalidValueError, match="overlap"):
        gg.compile(gg.sum(b), updates={b: b + 1}).step(repeated)


def test_step_without_updates_is_an_error():
    with pytest.raises(gg.ArgumentError, match="without updates"):
        gg.compile(linear().loss).step()


def test_step_with_a_non_scalar_first_output_takes_the_cotangent():
    m = linear()
    model = gg.compile(m.out, wrt=[m.b], updates={m.w: m.w * 2})
    u = f32(5, 2)
    called = model(**m.arrays, cotangent=u)
    out, grads = model.step(**m.arrays, cotangent=u)
    np.testing.assert_array_equal(out, called[0])
    np.testing.assert_array_equal(grads["b"], called[1]["b"])


@pytest.mark.parametrize(
    ("updates", "error"),
    [
        (lambda m: {m.out: m.out}, gg.ArgumentError),
        (lambda m: {m.w: m.b}, gg.ShapeError),
        (lambda m: {m.w: gg.cast(m.w, "float64")}, gg.DTypeError),
        (lambda m: {m.w: "w"}, gg.ArgumentError),
        (lambda m: [m.w], gg.ArgumentError),
        (lambda m: {"w": m.w}, gg.ArgumentError),
    ],
)
def test_updates_that_cannot_be(updates, error):
    m = linear()
    with pytest.raises(error):
        gg.compile(m.loss, updates=updates(m))


# ---- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
def test_levels(level):
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w], level=level)
    assert f'level "{level}"' in model.source


def test_plain_writes_one_statement_for_each_node_the_user_made():
    x = gg.input("x", (3,))
    y = gg.exp(x)
    z = gg.tanh(y)
    source = gg.compile(gg.sum(z), wrt=x, level="plain").source
    forward = source.split("def forward(")[1].split("def backward")[0]
    assert "y = np.exp(x)" in forward and "z = np.tanh(y)" in forward and "out=" not in source


@pytest.mark.parametrize("level", ["turbo", "", None, 3, ["plain"]])
def test_an_unknown_level_is_an_error(level):
    with pytest.raises(gg.GraphgradError, match="level is one of"):
        gg.compile(linear().loss, level=level)


def test_a_target_that_does_not_exist_yet_says_so():
    with pytest.raises(gg.UnsupportedError) as error:
        gg.compile(linear().loss, target="jax")
    assert isinstance(error.value, NotImplementedError) and isinstance(error.value, gg.GraphgradError)


@pytest.mark.parametrize("option", ["memory_limit", "threads"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError), (1.5, TypeError)]
)
def test_options_are_numbers_from_1_up(option, value, error):
    with pytest.raises(gg.GraphgradError, match=f"{option} is a number of") as caught:
        gg.compile(linear().loss, **{option: value})
    assert isinstance(caught.value, error)


def test_memory_limit_is_not_for_level_plain():
    with pytest.raises(gg.InvalidValueError, match='level "plain" has none'):
        gg.compile(linear().loss, level="plain", memory_limit=10**6)


def not_finite():
    x = gg.input("x", ("n",))
    y = x - 1
    risky = gg.log(y)
    return x, gg.sum(risky), risky


@pytest.mark.parametrize("how", ["call", "forward", "step", "without wrt"])
def test_check_nan_names_the_node_and_the_line(how):
    x, loss, _ = not_finite()
    model = gg.compile(loss, wrt=None if how == "without wrt" else x, updates={x: x + 1}, check_nan=True)
    run = {"call": model, "forward": model.forward, "step": model.step, "without wrt": model}[how]
    good, bad = np.full(3, 2, np.float32), np.array([2, 0, 3], np.float32)
    run(good)
    before = bad.copy()
    with np.errstate(all="ignore"), pytest.raises(gg.NonFiniteError, match="log gives NaN") as error:
        run(bad)
    assert "risky" in str(error.value)
    assert f"{os.path.basename(__file__)}:" in str(error.value) and "gg.log(y)" in str(error.value)
    assert np.array_equal(bad, before)


def test_check_nan_names_the_gradient():
    x = gg.input("x", ("n",))
    root = gg.sqrt(x)
    model = gg.compile(gg.sum(root), wrt=x, check_nan=True)
    zero = np.zeros(2, np.float32)
    with np.errstate(all="ignore"), pytest.raises(gg.NonFiniteError, match="gradient of sqrt"):
        model(zero)
    _, residuals = model.forward(zero)
    with np.errstate(all="ignore"), pytest.raises(gg.NonFiniteError, match="gradient of sqrt"):
        model.backward(residuals)


def test_check_nan_names_the_argument():
    _, loss, _ = not_finite()
    with np.errstate(all="ignore"), pytest.raises(gg.NonFiniteError, match="argument 'x' holds NaN"):
        gg.compile(loss, check_nan=True)(np.array([np.nan], np.float32))


def test_check_nan_looks_at_what_was_asked_for_alone():
    x = gg.input("x", ("n",))
    whole = gg.exp(x)
    model = gg.compile((gg.sum(x), whole), wrt=x, check_nan=True)
    assert model(np.zeros(3, np.float32))[1]["x"].tolist() == [1, 1, 1]


def test_trace_keeps_the_graph_of_every_pass():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w], trace=True)
    names = [name for name, _ in model.stages]
    assert names[:2] == ["define", "differentiate"]
    assert all(isinstance(graph, gg.Graph) for _, graph in model.stages)
    assert gg.compile(m.loss).stages == ()


# ---- the same bytes ------------------------------------------------------------------------------------------

BUILD = """
import numpy as np
import graphgrad as gg

def build():
    x, label = gg.input("x", ("batch", 8)), gg.input("label", ("batch",), "int64")
    w = gg.param("w", (8, 4), init=gg.init.normal())
    table = gg.exp(gg.const(np.linspace(0, 1, 4, dtype=np.float32)))
    with gg.scope("head"):
        logits = x @ w * table
    loss = gg.nn.cross_entropy(logits, label)
    slope = gg.grad(loss, w)
    return gg.compile({"loss": loss, "positive": logits > 0}, wrt=[w], updates={w: w - 0.1 * slope}, name="bytes")
"""


def build_here():
    namespace = {"__name__": "model"}
    exec(compile(BUILD, "bytes.py", "exec"), namespace)
    return namespace["build"]()


def test_same_model_same_bytes_also_after_other_models():
    first = build_here()
    kept = [gg.exp(gg.const(np.linspace(0, 1, 4, dtype=np.float32))), linear()]
    x = gg.input("x", (4,))
    kept.append(gg.compile(gg.sum(x * kept[0]), wrt=x))
    assert build_here().source == first.source
    assert len(kept) == 3


def test_same_model_same_bytes_while_another_one_shares_its_constants():
    first = build_here().source
    other_name = gg.const(np.linspace(0, 1, 4, dtype=np.float32))
    other = gg.tanh(gg.exp(other_name))
    assert build_here().source == first
    assert other.shape == (4,)


def test_same_model_same_bytes_in_a_fresh_process_under_any_hash_seed():
    own = build_here().source
    script = "import sys\ncode = sys.stdin.read()\nns = {'__name__': 'model'}\n"
    script += "exec(compile(code, 'bytes.py', 'exec'), ns)\nprint(ns['build']().source, end='')"
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=BUILD,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
        assert done.stdout == own


def test_differentiating_by_hand_before_does_not_change_the_source():
    m = linear()
    one = gg.compile((m.loss, m.out > 0), wrt=[m.w]).source
    n = linear()
    kept = gg.grad(gg.sum(gg.maximum(n.out, 0)), n.w)
    two = gg.compile((n.loss, n.out > 0), wrt=[n.w]).source
    assert kept.shape == (3, 2)
    assert strip_places(one) == strip_places(two)


def strip_places(source):
    return "\n".join(line.split("  #")[0] for line in source.splitlines())


# ---- what a compiled model offers ----------------------------------------------------------------------------


def test_save_writes_a_module_that_needs_numpy_alone(tmp_path):
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w], name="saved")
    model.save(tmp_path / "saved.py")
    assert (tmp_path / "saved.py").read_text(encoding="utf-8") == model.source
    code = "import saved, sys; saved.selfcheck(); assert 'graphgrad' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_large_constants_stand_beside_the_module(tmp_path):
    x = gg.input("x", (100,))
    file = gg.const(np.arange(100, dtype=np.float32))  # a name that numpy.savez would not take
    small = gg.const(np.arange(64, dtype=np.float32).reshape(64, 1))
    model = gg.compile(gg.sum(x * file) + gg.sum(small), wrt=x)
    model.save(tmp_path / "table.py")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.npz", "table.py"]
    code = "import numpy as np, table; table.selfcheck(); print(table.forward(np.ones(100, np.float32))[0])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == model(np.ones(100, np.float32))[0]


def test_init_gives_parameters_and_states_in_order():
    m = linear()
    s = gg.state("s", (2,), "float64")
    model = gg.compile(m.loss + gg.cast(gg.sum(s), "float32"))
    values = model.init(rng=np.random.default_rng(0))
    assert list(values) == ["s", "w", "b"]
    assert values["w"].any() and not values["b"].any() and values["s"].dtype == np.float64
    again = model.init(rng=np.random.default_rng(0))
    assert all(np.array_equal(values[name], again[name]) for name in values)
    with pytest.raises(gg.ArgumentError, match="Generator"):
        model.init(rng=0)


def test_bind_owns_its_values():
    m = linear()
    slope = gg.grad(m.loss, m.w)
    model = gg.compile(m.loss, wrt=[m.w], updates={m.w: m.w - 0.001 * slope})
    given = {"w": m.arrays["w"], "b": m.arrays["b"]}
    bound = model.bind(given)
    original = m.arrays["w"].copy()
    first, _ = bound(m.arrays["x"])
    assert first == model(**m.arrays)[0]
    bound.step(x=m.arrays["x"])
    assert np.array_equal(m.arrays["w"], original) and not np.array_equal(bound.values["w"], original)
    assert bound(m.arrays["x"])[0] < first
    outputs, residuals = bound.forward(m.arrays["x"])
    assert set(bound.backward(residuals)) == {"w"} and outputs < first


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"nothing": 1.0}, gg.ArgumentError),
        ({"w": np.zeros((3, 2))}, gg.DTypeError),
        ({"w": np.zeros(3, np.float32)}, gg.ShapeError),
        (["w"], gg.ArgumentError),
    ],
)
def test_bind_finds_mistakes_at_once(values, error):
    with pytest.raises(error):
        gg.compile(linear().loss).bind(values)


def test_bound_arguments_are_not_given_again():
    m = linear()
    bound = gg.compile(m.loss).bind({"w": m.arrays["w"], "b": m.arrays["b"]})
    with pytest.raises(gg.ArgumentError, match="twice"):
        bound(m.arrays["x"], w=m.arrays["w"])
    with pytest.raises(gg.ArgumentError, match="still takes 1"):
        bound(m.arrays["x"], m.arrays["w"])
    with pytest.raises(gg.ArgumentError, match="no argument 'z'"):
        bound(m.arrays["x"], z=1)
    with pytest.raises(gg.ArgumentError, match="lacks 'x'"):
        bound()


def test_graph_and_plan():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    assert isinstance(model.graph, gg.Graph) and m.loss in model.graph.nodes
    assert model.plan.schedule.graph is model.graph


def test_memory_is_a_formula_or_a_number():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    formulas, numbers = model.memory(), model.memory(batch=100)
    for field in ("arguments", "results", "residuals", "working", "peak"):
        assert isinstance(getattr(numbers, field), int)
    assert numbers.arguments == 100 * 3 * 4 + 3 * 2 * 4 + 2 * 4
    assert numbers.results == 4 + 24
    assert isinstance(formulas.peak, gg.Dim) and "batch" in str(formulas.peak)
    assert numbers.peak == numbers.working + numbers.results
    assert "peak" in str(formulas)
    assert model.memory(batch=np.int64(100)) == numbers


@pytest.mark.parametrize(
    "sizes", [{"batch": -1}, {"batch": 1.5}, {"batch": True}, {"rows": 3}, {"batch": 1, "n": 1}]
)
def test_memory_of_sizes_that_cannot_be_is_an_error(sizes):
    with pytest.raises(gg.GraphgradError):
        gg.compile(linear().loss).memory(**sizes)


def memory_models():
    x, w = gg.input("x", ("batch", 50)), gg.param("w", (50, 50))
    hidden = x @ w
    return {
        "relu": gg.mean(gg.maximum(hidden, 0) ** 2),
        "tanh": gg.mean(gg.tanh(hidden)),
        "sigmoid": gg.mean(gg.sigmoid(hidden)),
        "softmax": gg.mean(gg.nn.log_softmax(hidden) ** 2),
        "ratio": gg.mean(hidden / (1 + x * x)),
        "power": gg.mean((hidden + 1) ** x),
        "joined": gg.mean(gg.concatenate([hidden, x], axis=1) ** 2),
        "slices": gg.mean(hidden[1:] * x[:-1]),
        "views": (gg.exp(hidden), x.T, x),
    }


@pytest.mark.parametrize("name", list(memory_models()))
def test_memory_peak_is_what_tracemalloc_finds(name):
    outputs = memory_models()[name]
    leaves = gg.compile(outputs).graph.inputs
    wrt = list(leaves) if isinstance(outputs, gg.Node) else None
    model = gg.compile(outputs, wrt=wrt)
    rows = 20_000
    arrays = {"x": rng.random((rows, 50), np.float32), "w": rng.random((50, 50), np.float32)}
    arrays = {key: arrays[key] for key in model.signature}
    model(**{key: value[:50] for key, value in arrays.items()})
    measured = []

    def call():
        tracemalloc.start()
        result = model(**arrays)
        measured.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        del result

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert model.memory(batch=rows).peak == pytest.approx(measured[0], rel=0.1)


def test_explain_says_something_of_every_line():
    m = linear()
    model = gg.compile((m.loss, m.out), wrt=[m.w], updates={m.w: m.w * 2})
    lines = model.source.splitlines()
    for number, text in enumerate(lines, 1):
        explained = model.explain(line=number)
        assert explained.line == number and explained.code in text and str(explained)
    at = next(number for number, text in enumerate(lines, 1) if "d_w = " in text)
    explained = model.explain(at)
    assert "matmul" in explained.term and __file__.rpartition("/")[2] in explained.model_line
    assert explained.bytes == 24 and "3, 2" in explained.result
    assert model.explain(np.int64(1)).line == 1


@pytest.mark.parametrize("line", [0, -1, 10**6, 1.5, "1", True, None])
def test_explain_of_no_line_is_an_error(line):
    with pytest.raises(gg.ArgumentError, match="lines 1 to"):
        gg.compile(linear().loss).explain(line=line)


def test_profile_times_every_statement():
    m = linear()
    profile = gg.compile((m.loss, m.out), wrt=[m.w], level="plain").profile(**m.arrays)
    assert {item.function for item in profile.statements} == {"forward", "_backward_from_loss"}
    profile = gg.compile((m.loss, m.out), wrt=[m.w]).profile(**m.arrays)
    assert {item.function for item in profile.statements} == {"forward_and_backward"}
    assert any("d_w = " in item.code for item in profile.statements)
    assert all(item.seconds >= 0 for item in profile.statements) and "in all" in str(profile)
    assert gg.compile(m.loss).profile(**m.arrays).statements
    assert gg.compile(m.out, wrt=m.w).profile(**m.arrays).statements


def test_verify_compares_with_the_interpreter_and_with_differences():
    m = linear()
    errors = gg.compile(m.loss, wrt=[m.w, m.b]).verify(**m.arrays)
    assert set(errors) == {"w", "b", "w (differences)", "b (differences)", "output 0"}
    assert max(errors.values()) < 1e-2
    assert gg.compile(m.out).verify(**m.arrays)
    x, loss, logs = pair()
    assert gg.compile({"loss": loss, "logs": logs}, wrt=x).verify(x=np.ones(3, np.float32))


def namespace_of(model):
    """What the emitted module has, run by itself."""
    namespace = {"__name__": "alone"}
    exec(model.source, namespace)
    return namespace


@pytest.mark.parametrize("level", ["plain", "default"])
def test_the_checks_let_nothing_move_that_stop_gradient_holds(level):
    """Nor do they leave out the models whose own softmax stops a gradient that would cancel out."""
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3,))
    straight = x + gg.stop_gradient(gg.sign(x) - x)
    loss = gg.sum(straight * w) + gg.sum(gg.nn.log_softmax(x * w) ** 2) + gg.sum(gg.logsumexp(x, axis=1))
    compiled = gg.compile(loss, wrt=[x, w], level=level)
    again = pickle.loads(pickle.dumps(compiled))
    for model in (compiled, again):
        errors = model.verify(x=f32(2, 3), w=f32(3))
        assert {"x (differences)", "w (differences)"} <= set(errors) and max(errors.values()) < 1e-3
        checked = namespace_of(model)["selfcheck"]
        assert set(checked()) - {"value"} == {"w"} and "Not by what a stop_gradient holds" in checked.__doc__
    own = gg.compile(gg.sum(gg.nn.log_softmax(x * w) ** 2), wrt=[x, w], level=level)
    checked = namespace_of(own)["selfcheck"]
    assert set(checked()) - {"value"} == {"x", "w"} and "stop_gradient" not in checked.__doc__


def test_verify_of_a_model_that_rounds_on_the_way():
    x = gg.input("x", (4,), "float64")
    narrow = gg.cast(x, "float32")
    model = gg.compile(gg.sum(gg.cast(narrow * narrow, "float64")), wrt=x)
    model.verify(x=rng.standard_normal(4))
    namespace = {}
    exec(model.source, namespace)
    namespace["selfcheck"]()


def test_names_that_methods_use_themselves_are_fine():
    names = ["self", "line", "residuals", "cotangent", "rng", "values", "arrays", "function"]
    leaves = [gg.input(name, ("self",)) for name in names]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total * leaf
    model = gg.compile(gg.sum(total), wrt=leaves, name="self")
    arrays = {name: np.ones(3, np.float32) for name in names}
    assert model(**arrays)[0] == 3
    assert model.verify(**arrays) and model.profile(**arrays).statements and model.memory(self=3).peak
    _, residuals = model.forward(**arrays)
    assert model.backward(residuals)["self"].tolist() == [1, 1, 1]


# ---- results -------------------------------------------------------------------------------------------------


def views():
    x = gg.input("x", (2, 3))
    s = gg.input("s", ())
    table = gg.const(np.arange(6, dtype=np.float32).reshape(2, 3))
    y = gg.exp(x)
    return {
        "an argument": x, "a scalar argument": s, "transposed": x.T, "reshaped": x.reshape(3, 2), "sliced": x[0],
        "broadcast": gg.broadcast_to(x[0], (4, 3)), "expanded": x[None], "a constant": table, "a part of it": table[0],
        "a number": gg.const(3.0), "a result": y, "again": y * 1,
        "a view of a result": y.T, "held": gg.stop_gradient(x),
        "held result": gg.stop_gradient(y), "element": x[0, 0], "total": gg.sum(x), "over no axes": gg.sum(x, axis=()),
        "same dtype": gg.cast(x, "float32"), "a size": gg.run_time_size(x.shape[0]), "squeezed": gg.squeeze(x[:1]),
        "scalar of scalars": s * s, "placed": gg.at(x, 0).set(1.0), "joined": gg.concatenate([x]),
        "largest over no axes": gg.max(x, axis=()), "absolute": gg.abs(s), "true": x > 0,
    }  # fmt: skip


def test_results_are_fresh_writeable_and_share_nothing():
    outputs = views()
    listed = [*outputs.values(), *outputs.values()]  # each twice
    model = gg.compile(listed)
    arguments = [f32(2, 3), np.array(2, np.float32)]
    keep = [argument.copy() for argument in arguments]
    first = model(*arguments)
    second = model(*arguments)
    check_fresh([*first, *second], arguments)
    expected = [value.copy() for value in second]
    for value in first:
        value[...] = 0
    third = model(*arguments)
    for value, want in zip(third, expected, strict=True):
        np.testing.assert_array_equal(value, want)
    assert all(np.array_equal(one, other) for one, other in zip(arguments, keep, strict=True))


def check_fresh(results, others):
    for at, value in enumerate(results):
        assert type(value) is np.ndarray and value.flags.writeable and value.flags.owndata
        for other in (*results[:at], *others):
            assert not np.shares_memory(value, other)


def test_gradients_share_nothing():
    x, y = gg.input("x", (3,)), gg.input("y", (3,))
    out = x + y
    model = gg.compile((out, gg.sum(out), x), wrt=[x, y, out])
    u = f32(3)
    arguments = [f32(3), f32(3)]
    for cotangent in ((u, None, None), (u, 1.0, None), (None, None, u), (u, 2.0, u)):
        outputs, grads = model(*arguments, cotangent=cotangent)
        given, residuals = model.forward(*arguments)
        again = model.backward(residuals, cotangent)
        check_fresh([*outputs, *grads.values(), *given, *again.values()], [*arguments, u])
        for value in residuals:
            for other in (*arguments, *given, *again.values()):
                assert not np.shares_memory(value, other)


def test_called_from_eight_threads_at_once():
    m = linear()
    model = gg.compile((m.loss, m.out), wrt=[m.w, m.x])
    inputs = [{**m.arrays, "x": f32(rows, 3)} for rows in range(1, 65)]
    expected = [model(**arrays) for arrays in inputs]
    with ThreadPoolExecutor(8) as pool:
        for (outputs, grads), ((loss, _), slopes) in zip(
            pool.map(lambda arrays: model(**arrays), inputs * 3), expected * 3, strict=True
        ):
            assert np.array_equal(outputs[0], loss) and np.array_equal(grads["x"], slopes["x"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_called_after_a_fork():
    m = linear()
    model = gg.compile(m.loss, wrt=[m.w])
    loss, _ = model(**m.arrays)
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            os._exit(0 if model(**m.arrays)[0] == loss else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_it_pickles_as_its_graph():
    m = linear()
    slope = gg.grad(m.loss, m.w)
    model = gg.compile(
        {"loss": m.loss, "out": m.out}, wrt=[m.w, m.out], updates={m.w: m.w - slope}, name="kept"
    )
    data = pickle.dumps(model)
    assert b"def forward" not in data and b"np.sum" not in data
    again = pickle.loads(data)
    assert again.source == model.source and again.signature == model.signature
    assert np.array_equal(again(**m.arrays)[1]["w"], model(**m.arrays)[1]["w"])


def test_it_pickles_into_another_process(tmp_path):
    m = linear()
    model = gg.compile((m.loss, m.out), wrt=[m.w, m.out], name="kept", trace=True)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    script = textwrap.dedent("""
        import pickle, graphgrad
        noise = [graphgrad.input("x", (3,)) + number for number in range(5)]
        print(pickle.load(open("model.pickle", "rb")).source, end="")
    """)
    env = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(gg.__file__))}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == model.source, done.stderr


# ---- what may be given ---------------------------------------------------------------------------------------


def test_python_scalars_are_taken_and_numpy_ones_need_the_dtype():
    x, n, flag = gg.input("x", ()), gg.input("n", (), "int32"), gg.input("flag", (), "bool")
    model = gg.compile((x * 2, n + 1, flag))
    for given in (
        (1.5, 2, True),
        (np.float32(1.5), np.int32(2), np.bool_(True)),
        (1.5, np.array(2, np.int32), True),
    ):
        values = model(*given)
        assert [value.item() for value in values] == [3.0, 3, True]
        assert [str(value.dtype) for value in values] == ["float32", "int32", "bool"]
    assert model(1, 2, False)[0] == 2
    for wrong in (
        (np.float64(1), 2, True),
        (1.0, 2.0, True),
        (True, 2, True),
        (1.0, 2, 1),
        (1.0, True, True),
    ):
        with pytest.raises(gg.DTypeError):
            model(*wrong)
    with pytest.raises(gg.InvalidValueError, match="cannot hold"):
        model(1.0, 2**40, True)


def test_strided_read_only_and_memory_mapped_arrays_are_taken(tmp_path):
    m = linear()
    model = gg.compile(m.loss, wrt=[m.x])
    x, w, b = m.arrays.values()
    loss, grads = model(x, w, b)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(5, 3))
    mapped[...] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    for same in (mapped, read_only, np.repeat(x, 2, axis=0)[::2], np.asfortranarray(x), x[::-1][::-1]):
        other, slopes = model(same, w, b)
        np.testing.assert_allclose(other, loss, rtol=1e-6)
        np.testing.assert_allclose(slopes["x"], grads["x"], rtol=1e-6)
    frozen = np.memmap(tmp_path / "x", np.float32, "r", shape=(5, 3))
    np.testing.assert_allclose(model(frozen, w, b)[0], loss, rtol=1e-6)


def test_the_other_byte_order_is_refused():
    x = gg.input("x", (3,))
    with pytest.raises(gg.DTypeError, match=r"float32, got [<>]f4"):
        gg.compile(x * 2)(f32(3).astype(np.dtype(np.float32).newbyteorder()))


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_batches_of_0_and_1_are_legal(rows):
    m = linear()
    x = f32(rows, 3)
    loss, grads = gg.compile(m.loss, wrt=[m.w, m.x])(**{**m.arrays, "x": x})
    assert loss.shape == () and grads["x"].shape == (rows, 3) and grads["w"].shape == (3, 2)


def test_float32_stays_float32():
    m = linear()
    loss = gg.mean(gg.sigmoid(m.out * 0.1 + 3) / m.x.shape[0]) ** 2
    outputs, grads = gg.compile((loss, m.out), wrt=[m.w, m.b, m.x])(**m.arrays)
    assert {str(value.dtype) for value in (*outputs, *grads.values())} == {"float32"}


def test_errors_from_within_name_the_users_line():
    x = gg.input("x", ("n", 2))
    flat = x.reshape(x.shape[0] // 2, 4)
    model = gg.compile(flat * 1)
    with pytest.raises(ValueError, match="reshape") as error:
        model(f32(3, 2))
    assert any("x.reshape(x.shape[0] // 2, 4)" in note for note in error.value.__notes__)


def test_no_warning_comes_from_compiling():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = linear()
        gg.compile(m.loss, wrt=[m.w])(**m.arrays)


def test_models_made_at_the_same_time_do_not_name_each_others_values():
    def loss_of(second):
        x, y, w = gg.input("x", ("batch", 3)), gg.input("y", ("batch",)), gg.param("w", (3,))
        if second:
            losses = gg.abs(x @ w - y)
            return gg.mean(losses), w
        squared = (x @ w - y) ** 2
        return gg.mean(squared), w

    def updates(loss, w):
        return {w: w - 0.1 * gg.grad(loss, w)}

    def source(loss, w, new):
        return gg.compile(loss, wrt=w, updates=new).source

    def alone(second):
        loss, w = loss_of(second)
        return source(loss, w, updates(loss, w))

    first, second = loss_of(False), loss_of(True)
    new = updates(*first), updates(*second)
    assert source(*first, new[0]) == alone(False)
    assert source(*second, new[1]) == alone(True)
