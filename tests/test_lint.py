"""Warnings of what is legal and hardly meant: given where they should be, at the model's line, and nowhere else."""

import gc
import inspect
import warnings

import numpy as np
import pytest

import graphgrad as gg

X, W = gg.input("x", ("batch", 3)), gg.param("w", (3,))
N, M = gg.input("n", ("batch",), "int64"), gg.input("m", ("batch",), "int32")
HALF, DOUBLE = gg.input("half", (3,), "float16"), gg.input("double", (3,), "float64")
UNUSED, OTHER = gg.param("unused", (2,)), gg.param("other", (5,))


@pytest.fixture(autouse=True)
def no_nodes_of_earlier_tests():
    """Nodes are shared as long as one of them lives, and keep the line that made them first."""
    gc.collect()


def told(outputs, **options):
    """The warnings of one compilation."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gg.compile(outputs, **options)
    assert all(one.category is gg.GraphgradWarning for one in caught)
    return [str(one.message) for one in caught]


# what is compiled, how the message begins, what it shows, and the expression it points at
MISTAKES = {
    "scalar of NumPy": (lambda: gg.sum(X * np.float64(2)), "float64: multiply", "x: float32", "X * np.float64(2)"),
    "array": (lambda: gg.sum(np.ones(3) - X), "float64: subtract", "const: float64 (3,)", "np.ones(3) - X"),
    "constant": (lambda: gg.less(X, gg.const(0.1)), "float64: less", "x: float32", "gg.less(X"),
    "choice": (lambda: gg.where(X > 0, X, np.zeros(3)), "float64: where", "x: float32", "gg.where(X > 0"),
    "integers": (lambda: gg.sum(X[:, 0] * N), "float64: multiply", "n: int64 (batch,)", "X[:, 0] * N"),
    "mean of integers": (lambda: X - gg.mean(N), "float64: subtract", "mean: float64 ()", "X - gg.mean(N)"),
    "float16": (lambda: HALF + np.ones(3), "float64: add widens float16", "half: float16", "HALF + np.ones(3)"),
    "a gradient too": (
        lambda: gg.grad(gg.sum(X * np.float64(2) * W), W),
        "float64: multiply",
        "x: float32",
        "X * np.float64(2)",
    ),
    "product": (lambda: X @ np.ones((3, 2)), "float64: matmul", "const: float64 (3, 2)", "X @ np.ones((3, 2))"),
    "division": (lambda: N / 2, "integer division", "n: int64 (batch,)", "N / 2"),
    "division of two": (lambda: N / M, "integer division", "m: int32 (batch,)", "N / M"),
    "division by a size": (lambda: gg.sum(N) / X.shape[0], "integer division", "sum: int64", "gg.sum(N) / X"),
    "division at the end": (lambda: (gg.sum(X), gg.sum(gg.exp(N / M))), "integer division", "m: int32", "N / M"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.slow
def test_a_dtype_that_was_hardly_meant_is_told_once_at_its_line(mistake):
    build, beginning, shown, expression = MISTAKES[mistake]
    with gg.scope("head"):
        outputs = build()
    (message,) = told(outputs, inputs=[X, N, M, HALF])
    line = inspect.getsourcelines(build)[1]
    assert message.startswith(beginning)
    assert f"\n  {shown}" in message
    assert f"\n  at test_lint.py:{line}, in layer head:  {expression}" in message
    assert "\n  try: " in message


def test_only_the_first_widening_is_told():
    first = X * np.float64(2)
    (message,) = told(gg.sum(first + W) * np.float64(3))
    assert ":  X * np.float64(2)\n" in message


MEANT = {
    "Python numbers": lambda: gg.sum(X * 2 - 0.5) / 3,
    "float32 of NumPy": lambda: gg.sum(X * np.float32(2)),
    "a cast that is written": lambda: gg.sum(gg.cast(X, "float64") * np.float64(2) * W),
    "a method": lambda: gg.sum(X.astype("float64") - np.ones(3)),
    "after a cast": lambda: gg.exp(gg.cast(X, "float64")) + W,
    "a sum in float64": lambda: gg.cast(gg.sum(X, dtype="float64"), "float32") * 2,
    "run-time size": lambda: gg.sum(X) / X.shape[0],
    "mean of integers": lambda: (gg.mean(X), gg.mean(N)),
    "accuracy": lambda: (gg.mean(X), gg.mean(gg.equal(gg.argmax(X, axis=1), N))),
    "integers by themselves": lambda: (N // 2, N % 3, N * M),
    "labels as an index": lambda: gg.nn.cross_entropy(X, N),
    "mask": lambda: gg.sum(X[:, 0] * (N > 0)),
    "a quotient that is cast": lambda: gg.sum(X[:, 0] * gg.cast(N / 2, "float32")),
    "float64 all over": lambda: gg.sum(DOUBLE * 2 + np.ones(3)),
    "mixed leaves": lambda: gg.sum(X * DOUBLE) + gg.sum(N / 2),
    "statistics in float64": lambda: gg.cast(gg.std(X, axis=0, dtype="float64"), "float32") * W,
    "statistics": lambda: gg.sum(gg.std(X, axis=0)) + gg.median(X) + gg.quantile(X, 0.3),
}


@pytest.mark.parametrize("meant", MEANT)
@pytest.mark.slow
def test_dtypes_that_are_meant_are_not_told(meant):
    outputs = MEANT[meant]()
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    assert told(outputs, inputs=[X, W, N, M, DOUBLE]) == []
    if first.dtype.kind == "f":
        assert [
            one for one in told(outputs, wrt=[X, W], inputs=[X, W, N, M, DOUBLE]) if "unused" not in one
        ] == []


# ---- gradients ------------------------------------------------------------


@pytest.mark.slow
def test_unused_parameters_are_told_together():
    (message,) = told((gg.sum(X * W), gg.sum(X)), wrt=[W, UNUSED, X, OTHER])
    assert message.startswith("unused parameter: ")
    assert message.splitlines()[1:3] == ["  unused: float32 (2,)", "  other: float32 (5,)"]
    line = inspect.getsourcelines(inspect.getmodule(told))[0].index(
        'UNUSED, OTHER = gg.param("unused", (2,)), gg.param("other", (5,))\n'
    )
    assert f"at test_lint.py:{line + 1}:" in message


@pytest.mark.slow
def test_what_is_no_parameter_or_is_used_by_any_output_is_not_told_as_unused():
    assert told(gg.sum(X * W), wrt=[W, DOUBLE]) == []
    assert told((gg.sum(X), gg.sum(X * W)), wrt=[W]) == []
    assert told(gg.sum(X * W), wrt=[W], inputs=[X, W, UNUSED]) == []
    assert told(gg.sum(X * W)) == []


FLAT = {
    "sign": (lambda: gg.sum(gg.sign(X * W)), "sign", "gg.sign(X * W)"),
    "floor": (lambda: gg.sum(gg.exp(gg.floor(W)) * X), "floor", "gg.floor(W)"),
    "comparison": (lambda: gg.sum(gg.where(X * W > 0, X, 0)), "greater", "X * W > 0"),
    "argmax": (lambda: gg.sum(gg.cast(gg.argmax(X * W, axis=1), "float32")), "argmax", "gg.argmax(X * W"),
    "cast": (lambda: gg.sum(gg.cast(gg.cast(W, "int32"), "float32")), "cast", 'gg.cast(W, "int32")'),
    "other output": (lambda: (gg.sum(X), gg.argmax(W)), "argmax", "gg.argmax(W)"),
}


@pytest.mark.parametrize("case", FLAT)
@pytest.mark.slow
def test_a_gradient_that_is_zero_everywhere_is_told_where_it_ends(case):
    build, op, expression = FLAT[case]
    (message,) = told(build(), wrt=[W])
    assert message.startswith("zero gradient: ")
    assert f": {op} is piecewise constant\n  w: float32 (3,)\n  at test_lint.py:" in message
    assert f":  {expression}" in message


SLOPED = {
    "another way": lambda: gg.sum(gg.sign(X * W) * W),
    "on purpose": lambda: gg.sum(gg.stop_gradient(X * W)),
    "on purpose, then flat": lambda: gg.sum(gg.sign(gg.stop_gradient(X * W))),
    "straight through": lambda: gg.sum(W + gg.stop_gradient(gg.rint(W) - W)),
    "relu": lambda: gg.sum(gg.nn.relu(X * W)),
    "zero in value": lambda: gg.sum(X * W * 0),
    "largest": lambda: gg.max(X * W),
}


@pytest.mark.parametrize("case", SLOPED)
@pytest.mark.slow
def test_a_gradient_that_is_not_zero_everywhere_or_meant_to_be_is_not_told(case):
    assert told(SLOPED[case](), wrt=[W]) == []


# ---- the warning itself ------------------------------------------------------------


@pytest.mark.slow
def test_the_warning_points_at_the_models_line():
    with pytest.warns(gg.GraphgradWarning, match="^integer division") as caught:
        gg.compile(N / 2)
    assert caught[0].filename == __file__ and issubclass(gg.GraphgradWarning, UserWarning)


@pytest.mark.slow
def test_each_compilation_tells_and_the_standard_filter_silences():
    assert len(told(N / 2)) == len(told(N / 2)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="integer division", category=gg.GraphgradWarning)
        gg.compile(N / 2)
        with pytest.raises(gg.GraphgradWarning, match="float64"):
            gg.compile(X * np.ones(3))


@pytest.mark.slow
def test_many_are_not_all_listed():
    many = [gg.param(f"p{number}", ()) for number in range(100)]
    (message,) = told(gg.sum(X * W), wrt=[W, *many])
    assert "\n  and 92 more\n" in message and len(message) < 1000


@pytest.mark.slow
def test_long_chains_are_looked_at_in_linear_time():
    x = gg.input("x", (2,))
    y = x
    for _ in range(5_000):
        y = gg.tanh(y)
    assert len(told(gg.sum(gg.sign(y)), wrt=x, level="plain")) == 1


def test_an_array_that_another_model_has_widened_before_is_warned_of_again():
    """One node is both conversions."""
    x = gg.input("x", ("n", 3))
    for build in (lambda: gg.sum(x * np.ones(3)), lambda: gg.sum(x @ np.ones(3))):
        with pytest.warns(gg.GraphgradWarning, match="float64"):
            gg.compile(build())
    wide = gg.cast(x, "float64")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gg.compile(gg.sum(wide @ np.ones(3)))
