"""Functions of neural networks against torch.nn.functional: values and gradients, by every engine."""

import contextlib
import warnings

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.interpret import interpret


def by_interpreter(outputs, arrays):
    return interpret(outputs, arrays)


def by_compiler(level):
    def run(outputs, arrays):
        compiled = gg.compile(list(outputs), inputs=list(arrays), level=level)
        return compiled(*arrays.values())

    return run


ENGINES = {
    "interpreter": by_interpreter,
    "plain": by_compiler("plain"),
    "default": by_compiler("default"),
}


@pytest.fixture(params=ENGINES)
def run(request):
    return ENGINES[request.param]


@contextlib.contextmanager
def nothing_to_average(batch):
    """The mean of no rows is NaN, about which NumPy warns."""
    with warnings.catch_warnings(), np.errstate(all="ignore" if batch == 0 else "warn"):
        if batch == 0:
            warnings.simplefilter("ignore", RuntimeWarning)
        yield


def seen_by_torch(function, differentiated, *fixed):
    """The value and the gradient of its sum, by torch."""
    import torch

    tensor = torch.tensor(differentiated, requires_grad=True)
    value = function(tensor, *(torch.tensor(array) for array in fixed))
    value.sum().backward()
    return value.detach().numpy(), tensor.grad.numpy()


def compare(run, value, node, array, fixed, expected, rtol=1e-6):
    """Value and gradient of a node's sum by an input, against what torch says."""
    gradient = gg.grad(gg.sum(value), node)
    assert gradient.dtype == node.dtype
    ours = run([value, gradient], {node: array, **fixed})
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.shape == theirs.shape
        assert mine.dtype == theirs.dtype
        tolerance = rtol if mine.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


def normals(shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# --- element by element, and along an axis ---


@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_is_that_of_torch(run, batch, dtype):
    import torch

    array = normals((batch, 3), dtype)
    x = gg.input("x", ("batch", 3), dtype)
    compare(run, gg.nn.relu(x), x, array, {}, seen_by_torch(torch.relu, array))


def test_relu_has_gradient_zero_at_zero(run):
    import torch

    array = np.array([-0.0, 0.0, 1e-40, -1e-40, np.inf, -np.inf], np.float32)
    x = gg.input("x", (6,))
    compare(run, gg.nn.relu(x), x, array, {}, seen_by_torch(torch.relu, array))


def test_relu_hands_a_nan_on(run):
    x = gg.input("x", (2,))
    (value,) = run([gg.nn.relu(x)], {x: np.array([np.nan, 1], np.float32)})
    assert np.isnan(value[0])


NORMALISERS = ["softmax", "log_softmax"]


@pytest.mark.parametrize("name", NORMALISERS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalisers_along_every_axis(run, name, axis, dtype):
    import torch

    array, weights = normals((4, 3, 5), dtype), normals((4, 3, 5), dtype, seed=1)
    x, w = gg.input("x", ("batch", 3, 5), dtype), gg.input("w", ("batch", 3, 5), dtype)
    theirs = seen_by_torch(lambda x, w: getattr(torch, name)(x, axis) * w, array, weights)
    compare(run, getattr(gg.nn, name)(x, axis=axis) * w, x, array, {w: weights}, theirs)


@pytest.mark.parametrize("name", NORMALISERS)
@pytest.mark.parametrize("batch", [0, 1, 7])
def test_normalisers_with_any_batch(run, name, batch):
    import torch

    array, weights = normals((batch, 3)), normals((batch, 3), seed=1)
    x, w = gg.input("x", ("batch", 3), "float64"), gg.input("w", ("batch", 3), "float64")
    theirs = seen_by_torch(lambda x, w: getattr(torch, name)(x, -1) * w, array, weights)
    compare(run, getattr(gg.nn, name)(x) * w, x, array, {w: weights}, theirs)


EXTREME = np.array(
    [[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4], [1e4, 1e4 - 1, -1e4], [0, 0, 0], [88.8, -104, 3]]
)


@pytest.mark.parametrize("name", NORMALISERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalisers_stay_finite_with_extreme_logits(run, name, dtype):
    import torch

    array, weights = EXTREME.astype(dtype), normals(EXTREME.shape, dtype)
    x, w = gg.input("x", ("batch", 3), dtype), gg.input("w", ("batch", 3), dtype)
    theirs = seen_by_torch(lambda x, w: getattr(torch, name)(x, -1) * w, array, weights)
    assert all(np.isfinite(part).all() for part in theirs)
    compare(run, getattr(gg.nn, name)(x) * w, x, array, {w: weights}, theirs)


def test_softmax_is_a_distribution_and_log_softmax_its_logarithm(run):
    x = gg.input("x", ("batch", 5), "float64")
    p, log_p, both = run(
        [gg.nn.softmax(x), gg.nn.log_softmax(x), gg.exp(gg.nn.log_softmax(x))], {x: normals((8, 5)) * 10}
    )
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(both, p, rtol=1e-12)
    assert (log_p <= 0).all()


# --- losses ---


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mse_loss_is_that_of_torch(run, reduction, batch, dtype):
    import torch

    array, target = normals((batch, 3), dtype), normals((batch, 3), dtype, seed=1)
    x, y = gg.input("x", ("batch", 3), dtype), gg.input("y", ("batch", 3), dtype)
    with nothing_to_average(batch):
        theirs = seen_by_torch(
            lambda x, y: torch.nn.functional.mse_loss(x, y, reduction=reduction), array, target
        )
        compare(run, gg.nn.mse_loss(x, y, reduction), x, array, {y: target}, theirs)


def test_mse_loss_of_a_vector_and_of_a_scalar(run):
    import torch

    for shape in [(5,), ()]:
        array, target = normals(shape), normals(shape, seed=1)
        x, y = gg.input("x", shape, "float64"), gg.input("y", shape, "float64")
        theirs = seen_by_torch(torch.nn.functional.mse_loss, np.asarray(array), np.asarray(target))
        compare(run, gg.nn.mse_loss(x, y), x, np.asarray(array), {y: np.asarray(target)}, theirs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_with_class_numbers(run, reduction, batch, dtype):
    import torch

    array = normals((batch, 4), dtype) * 3
    label = np.random.default_rng(1).integers(0, 4, batch)
    x, y = gg.input("x", ("batch", 4), dtype), gg.input("y", ("batch",), "int64")
    with nothing_to_average(batch):
        theirs = seen_by_torch(
            lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction=reduction), array, label
        )
        compare(run, gg.nn.cross_entropy(x, y, reduction=reduction), x, array, {y: label}, theirs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("batch", [0, 1, 7])
def test_cross_entropy_with_probabilities(run, reduction, batch):
    import torch

    array, target = normals((batch, 4)) * 3, np.random.default_rng(1).dirichlet(np.ones(4), batch)
    target = target.reshape(batch, 4)
    x, y = gg.input("x", ("batch", 4), "float64"), gg.input("y", ("batch", 4), "float64")
    with nothing_to_average(batch):
        theirs = seen_by_torch(
            lambda x, y: torch.nn.functional.cross_entropy(x, y, reduction=reduction), array, target
        )
        loss = gg.nn.cross_entropy(x, y, reduction=reduction)
        compare(run, loss, x, array, {y: target}, theirs)
        by_target = gg.grad(gg.sum(loss), y)
        assert run([by_target], {x: array, y: target})[0].shape == target.shape


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -2, -3, -4])
@pytest.mark.parametrize("kind", ["numbers", "probabilities"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_cross_entropy_along_every_axis(run, axis, kind, reduction):
    import torch

    names, sizes = ["batch", 3, 4, 5], (2, 3, 4, 5)
    if axis % 4 == 0:  # the number of classes is fixed
        names = [2, "batch", 4, 5]
    array = normals(sizes)
    x = gg.input("x", names, "float64")
    if kind == "numbers":
        target = np.random.default_rng(1).integers(0, sizes[axis], np.delete(sizes, axis))
        y = gg.input("y", list(np.delete(np.array(names, object), axis)), "int64")
    else:
        target = np.random.default_rng(1).random(sizes)
        y = gg.input("y", names, "float64")

    def loss(x, y):
        wanted = y if kind == "numbers" else torch.movedim(y, axis, 1)
        return torch.nn.functional.cross_entropy(torch.movedim(x, axis, 1), wanted, reduction=reduction)

    theirs = seen_by_torch(loss, array, target)
    compare(run, gg.nn.cross_entropy(x, y, axis, reduction), x, array, {y: target}, theirs)


def test_cross_entropy_of_a_single_row(run):
    import torch

    x, y = gg.input("x", (4,), "float64"), gg.input("y", (), "int64")
    array, label = normals(4), np.asarray(2)
    theirs = seen_by_torch(torch.nn.functional.cross_entropy, array, label)
    compare(run, gg.nn.cross_entropy(x, y), x, array, {y: label}, theirs)


@pytest.mark.parametrize("integer", ["int8", "uint8", "int16", "int32", "uint64"])
def test_cross_entropy_takes_class_numbers_of_every_integer_dtype(run, integer):
    x, y = gg.input("x", ("batch", 4)), gg.input("y", ("batch",), integer)
    wide = gg.input("y", ("batch",), "int64")
    array, label = normals((6, 4), "float32"), np.arange(6) % 4
    (narrow_loss,) = run([gg.nn.cross_entropy(x, y)], {x: array, y: label.astype(integer)})
    (wide_loss,) = run([gg.nn.cross_entropy(x, wide)], {x: array, wide: label})
    assert narrow_loss == wide_loss
    assert narrow_loss.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["numbers", "probabilities"])
def test_cross_entropy_stays_finite_with_extreme_logits(run, dtype, kind):
    import torch

    array = EXTREME.astype(dtype)
    label = np.array([1, 0, 2, 2, 0, 1])
    target = label if kind == "numbers" else np.eye(3, dtype=dtype)[label]
    x = gg.input("x", ("batch", 3), dtype)
    y = gg.input("y", ("batch",), "int64") if kind == "numbers" else gg.input("y", ("batch", 3), dtype)
    theirs = seen_by_torch(torch.nn.functional.cross_entropy, array, target)
    assert all(np.isfinite(part).all() for part in theirs)
    compare(run, gg.nn.cross_entropy(x, y), x, array, {y: target}, theirs)


@pytest.mark.parametrize("wrong", [-5, 4, -100])
def test_number_that_is_no_class_is_an_index_error(run, wrong):
    x, y = gg.input("x", ("batch", 4), "float64"), gg.input("y", ("batch",), "int64")
    with pytest.raises(IndexError):
        run([gg.nn.cross_entropy(x, y)], {x: normals((3, 4)), y: np.array([1, wrong, 2])})


def test_number_of_classes_may_be_symbolic(run):
    x, fixed = gg.input("x", ("batch", "classes"), "float64"), gg.input("x", ("batch", 4), "float64")
    y = gg.input("y", ("batch",), "int64")
    array, label = normals((5, 4)), np.array([0, 1, 2, 3, 0])
    found, expected = (
        run([loss, gg.grad(loss, leaf)], {leaf: array, y: label})
        for leaf in (x, fixed)
        for loss in [gg.nn.cross_entropy(leaf, y)]
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(), (0,), (6,), (2, 3)])
def test_embedding_is_that_of_torch(run, shape):
    import torch

    tokens, weight = np.random.default_rng(0).integers(0, 4, shape), normals((4, 3))
    table, i = gg.input("table", ("rows", 3), "float64"), gg.input("i", shape, "int64")
    theirs = seen_by_torch(lambda w, i: torch.nn.functional.embedding(i, w), weight, np.asarray(tokens))
    compare(run, gg.nn.embedding(i, table), table, weight, {i: np.asarray(tokens)}, theirs)


def test_gradient_by_logits_is_softmax_less_one_hot(run):
    x, y = gg.input("x", ("batch", 4), "float64"), gg.input("y", ("batch",), "int64")
    array, label = normals((5, 4)), np.array([0, 1, 2, 3, 0])
    gradient, p = run([gg.grad(gg.nn.cross_entropy(x, y), x), gg.nn.softmax(x)], {x: array, y: label})
    np.testing.assert_allclose(gradient, (p - np.eye(4)[label]) / 5, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "function", ["softmax", "log_softmax", "cross_entropy", "mse_loss", "relu", "sigmoid"]
)
def test_plain_arrays_and_numbers_are_accepted(run, function):
    import torch

    array = normals((3, 4), "float32")
    fixed = {"cross_entropy": [np.array([0, 1, 3])], "mse_loss": [array + 1]}.get(function, [])
    keywords = {"dim": -1} if "softmax" in function else {}
    (value,) = run([getattr(gg.nn, function)(array, *fixed)], {})
    theirs = getattr(torch.nn.functional, function)(
        torch.tensor(array), *map(torch.tensor, fixed), **keywords
    )
    np.testing.assert_allclose(value, theirs.numpy(), rtol=1e-5)


# --- names and errors ---


@pytest.mark.parametrize("build", [gg.nn.relu, gg.nn.softmax, gg.nn.log_softmax, gg.nn.sigmoid])
def test_result_takes_the_name_it_is_assigned_to(build):
    x = gg.input("x", ("batch", 4))
    hidden_units = build(x)
    assert hidden_units.notes.name == "hidden_units"


def test_same_expression_is_the_same_node():
    x = gg.input("x", ("batch", 4))
    assert gg.nn.softmax(x) is gg.nn.softmax(x, axis=1)
    assert gg.nn.relu(x) is gg.maximum(x, 0)


def message_of(error, build):
    with pytest.raises(error) as caught:
        build()
    return str(caught.value)


@pytest.mark.parametrize("loss", [gg.nn.mse_loss, gg.nn.cross_entropy])
def test_unknown_reduction_is_an_error(loss):
    x = gg.input("x", ("batch", 4))
    text = message_of(gg.InvalidValueError, lambda: loss(x, x, reduction="average"))
    assert "'mean', 'sum' or 'none', not 'average'" in text


def test_mse_loss_refuses_to_broadcast_and_says_what_helps():
    out, y = gg.input("out", ("batch", 1)), gg.input("y", ("batch",))
    text = message_of(gg.ShapeError, lambda: gg.nn.mse_loss(out, y))
    assert "(batch, 1)" in text and "(batch,)" in text
    assert "out[:, 0]" in text


def test_cross_entropy_names_the_shape_that_a_target_should_have():
    x = gg.input("x", ("batch", 4))
    text = message_of(gg.ShapeError, lambda: gg.nn.cross_entropy(x, gg.input("y", ("batch", 1), "int64")))
    assert "(batch,)" in text and "(batch, 1)" in text
    text = message_of(gg.ShapeError, lambda: gg.nn.cross_entropy(x, gg.input("p", ("batch",))))
    assert "(batch, 4)" in text


def test_cross_entropy_refuses_booleans():
    x = gg.input("x", ("batch", "classes"))
    assert "booleans" in message_of(
        gg.DTypeError, lambda: gg.nn.cross_entropy(x, gg.input("y", ("batch",), "bool"))
    )


@pytest.mark.parametrize("function", [gg.nn.softmax, gg.nn.log_softmax])
@pytest.mark.parametrize("axis", [2, -3])
def test_axis_out_of_range_is_an_error(function, axis):
    assert str(axis) in message_of(gg.ShapeError, lambda: function(gg.input("x", ("batch", 4)), axis=axis))


@pytest.mark.parametrize("value", ["text", None, object()])
@pytest.mark.parametrize("function", [gg.nn.relu, gg.nn.softmax, gg.nn.sigmoid])
def test_operand_of_another_kind_is_an_error(function, value):
    with pytest.raises(gg.GraphgradError):
        function(value)
