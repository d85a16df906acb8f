"""The contract of leaves, dimensions, nodes, functions and dtypes, a test for each sentence."""

import inspect
import operator

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.interpret import interpret


@pytest.fixture
def x():
    return gg.input("x", ("batch", 3))


@pytest.fixture
def fixed():
    return gg.input("fixed", (2, 3), "float64")


def value(node, leaf, array):
    return interpret([node], {leaf: array})[0]


# ---- leaves ----


@pytest.mark.parametrize("make", [gg.input, gg.param, gg.state])
def test_leaf_takes_a_name_a_shape_and_a_dtype(make):
    leaf = make("leaf", ("batch", 2))
    assert (leaf.name, leaf.shape, leaf.dtype) == ("leaf", ("batch", 2), np.float32)
    assert make(name="leaf", shape=(), dtype="int64").dtype == np.int64


@pytest.mark.parametrize("make", [gg.param, gg.state])
def test_parameter_and_state_take_an_init(make):
    def ones(rng, shape, dtype):
        return np.ones(shape, dtype)

    assert make("leaf", (2,), init=ones).attrs["identity"].init is ones


def test_generator_is_a_leaf_that_cannot_be_computed_with():
    generator = gg.rng("noise")
    assert generator.name == "noise"
    with pytest.raises(TypeError):
        generator * 2


def test_constant_is_made_of_an_array_or_a_scalar():
    assert gg.const(np.ones((2, 3), np.float32)).spec == gg.Spec((2, 3), np.dtype("float32"))
    assert gg.const([1, 2]).dtype == np.int64


@pytest.mark.parametrize("name", ["", "line\nbreak", "bell\x07"])
def test_name_without_text_or_with_control_characters_is_a_value_error(name):
    with pytest.raises(ValueError, match="name"):
        gg.input(name, ())


@pytest.mark.parametrize("name", ["weight 1", "lambda", "Größe", "1st", "a.b/c", "π"])
def test_name_may_be_any_other_text(name):
    assert gg.param(name, ()).name == name


def test_scope_does_not_qualify_the_name_of_a_leaf():
    with gg.scope("layer"):
        leaf = gg.param("w", (2,))
    assert (leaf.name, leaf.scope) == ("w", ("layer",))


def test_two_leaves_of_one_name_in_one_graph_are_an_error():
    one, other = gg.input("x", (2,)), gg.param("x", (2,))
    with pytest.raises(gg.InvalidNameError, match="two different leaves are called 'x'"):
        gg.Graph((one, other), (one + other,)).verify()


def test_named_names_an_intermediate(x):
    assert gg.named(gg.exp(x), "growth").name == "growth"


# ---- dimensions ----


def test_shape_holds_ints_and_dims(x):
    assert isinstance(x.shape[0], gg.Dim)
    assert type(x.shape[1]) is int
    assert x.shape == ("batch", 3)


def test_the_same_name_is_the_same_size(x):
    assert (x + gg.input("y", ("batch", 3))).shape == ("batch", 3)


def test_dim_has_arithmetic_equals_its_name_and_is_hashable(x):
    batch = x.shape[0]
    assert batch == "batch"
    assert [str(size) for size in (batch + 1, batch - 1, batch * 2, batch // 2)] == [
        "batch + 1",
        "batch - 1",
        "2*batch",
        "batch // 2",
    ]
    assert len({batch, gg.input("y", ("batch",)).shape[0]}) == 1


def test_size_divides_as_a_scalar_operand_at_run_time(x):
    mean = gg.sum(x) / x.shape[0]
    assert mean.dtype == np.float32
    found = value(mean, x, np.ones((4, 3), np.float32))
    assert (found, found.dtype) == (3.0, np.float32)
    assert value(x.shape[0] * x, x, np.ones((2, 3), np.float32)).tolist() == [[2.0] * 3] * 2
    assert value(x.shape[0] - x, x, np.ones((2, 3), np.float32)).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("other", [("rows", 3), (2, 3), ("batch", 2)])
def test_symbolic_size_never_broadcasts_against_another_size(x, other):
    with pytest.raises(ValueError, match="do not broadcast"):
        x + gg.input("y", other)


def test_symbolic_size_broadcasts_against_one(x):
    assert (x + gg.input("y", (1, 3))).shape == ("batch", 3)
    assert (x + gg.input("y", (3,))).shape == ("batch", 3)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_any_batch_is_legal(x, rows):
    assert value(gg.sum(x, axis=0), x, np.ones((rows, 3), np.float32)).tolist() == [rows] * 3


def test_slices_of_a_symbolic_axis_have_derived_sizes(x):
    assert x[1:].shape == ("batch - 1", 3)
    assert x[:-1].shape == ("batch - 1", 3)
    assert x[1:-1].shape == ("batch - 2", 3)
    assert (x[1:] - x[:-1]).shape == ("batch - 1", 3)
    every_other = x[::2]
    for rows in (1, 4, 5):
        array = np.ones((rows, 3), np.float32)
        assert value(every_other, x, array).shape == array[::2].shape
        assert isinstance(every_other.shape[0], gg.Dim)


def test_shape_error_is_raised_where_the_node_is_made(x):
    with pytest.raises(gg.ShapeError, match=r"test_contract_nodes.py:\d+"):
        x @ x


# ---- nodes ----


def test_equal_construction_gives_the_same_object(x):
    assert gg.tanh(x) * 2 is gg.tanh(x) * 2


def test_node_has_the_attributes_of_an_array(fixed):
    assert (fixed.shape, fixed.dtype, fixed.ndim, fixed.size) == ((2, 3), np.float64, 2, 6)
    assert fixed.T.shape == (3, 2)
    assert fixed.mT.shape == (3, 2)


ARRAY = np.arange(6.0).reshape(2, 3) - 2.25

METHODS = {
    "reshape": lambda a: a.reshape(3, 2),
    "reshape tuple": lambda a: a.reshape((3, -1)),
    "sum": lambda a: a.sum(),
    "sum axis": lambda a: a.sum(axis=0),
    "sum keepdims": lambda a: a.sum(1, keepdims=True),
    "mean": lambda a: a.mean(axis=-1),
    "max": lambda a: a.max(axis=1),
    "min": lambda a: a.min(),
    "transpose": lambda a: a.transpose(),
    "transpose axes": lambda a: a.transpose(1, 0),
    "squeeze": lambda a: a[:1].squeeze(0),
    "astype": lambda a: a.astype("float32"),
    "T": lambda a: a.T,
    "abs": abs,
    "positive": lambda a: +a,
    "negative": lambda a: -a,
    "power": lambda a: a**3,
    "matmul": lambda a: a @ a.T,
    "reflected": lambda a: (2 - a, 2 / a, 2**a, 2 * a, 2 + a)[-1],
    "int": lambda a: a[1],
    "negative int": lambda a: a[-1, -2],
    "slices": lambda a: a[:, 1:],
    "steps": lambda a: a[::-1, ::2],
    "newaxis": lambda a: a[:, None, :],
    "ellipsis": lambda a: a[..., 0],
    "empty": lambda a: a[5:],
}


@pytest.mark.parametrize("use", METHODS.values(), ids=METHODS)
def test_operators_methods_and_indexing_work_as_on_an_array(fixed, use):
    found, expected = value(use(fixed), fixed, ARRAY), np.asarray(use(ARRAY))
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_order_comparisons_build_nodes(fixed, compare):
    for other in (0.75, ARRAY.T.reshape(2, 3)):
        node = compare(fixed, other)
        assert node.dtype == np.bool_
        np.testing.assert_array_equal(value(node, fixed, ARRAY), compare(ARRAY, other))
        np.testing.assert_array_equal(value(compare(other, fixed), fixed, ARRAY), compare(other, ARRAY))


def test_equality_is_identity(fixed):
    assert (fixed == fixed) is True
    assert (fixed == gg.exp(fixed)) is False
    assert (fixed != fixed) is False
    assert (fixed == 1) is False
    assert fixed in [fixed]


def test_array_equals_node_builds_a_comparison(fixed):
    same, other = ARRAY == fixed, ARRAY != fixed  # noqa: SIM300
    assert same is gg.equal(ARRAY, fixed)
    assert other is gg.not_equal(ARRAY, fixed)
    assert value(gg.equal(fixed, ARRAY), fixed, ARRAY).all()


def test_iteration_and_length_work_over_a_fixed_first_axis(fixed):
    assert len(fixed) == 2
    first, second = fixed
    assert first is fixed[0]
    assert second is fixed[1]


def test_iteration_and_length_of_a_symbolic_axis_say_what_to_do(x):
    with pytest.raises(TypeError, match="batch is known only when the model runs"):
        len(x)
    with pytest.raises(TypeError):
        list(x)
    with pytest.raises(TypeError, match="no length"):
        len(gg.sum(x))


def _set(node):
    node[0] = 1.0


def _array_plus(node):
    array = np.ones((2, 3))
    array += node


MISUSES = {
    "bool": (bool, "gg.where"),
    "if": (lambda node: 1 if node > 0 else 2, "gg.where"),
    "and": (lambda node: node > 0 and node < 1, "gg.where"),
    "float": (float, "gg.compile"),
    "int": (int, "gg.compile"),
    "index": (lambda node: [1, 2][node], "gg.compile"),
    "in": (lambda node: 1.0 in node, "gg.equal"),
    "asarray": (np.asarray, "gg.compile"),
    "array": (lambda node: np.array([node, node]), "gg.compile"),
    "setitem": (_set, r"gg.at\(node, i\).set\(v\)"),
    "augmented array": (_array_plus, r"gg.at\(node, i\).add\(v\)"),
    "out": (lambda node: np.exp(node, out=np.ones((2, 3))), "out="),
}


@pytest.mark.parametrize(("use", "advice"), MISUSES.values(), ids=MISUSES)
def test_misuse_says_what_to_write_instead(fixed, use, advice):
    with pytest.raises(gg.NodeUseError, match=advice):
        use(fixed)


def test_at_sets_and_adds_in_a_new_array(fixed):
    changed = gg.at(fixed, (slice(None), 0)).set(9.0)
    added = gg.at(fixed, 1).add(np.ones(3))
    expected_set, expected_add = ARRAY.copy(), ARRAY.copy()
    expected_set[:, 0] = 9.0
    expected_add[1] += 1
    np.testing.assert_array_equal(value(changed, fixed, ARRAY), expected_set)
    np.testing.assert_array_equal(value(added, fixed, ARRAY), expected_add)


NUMPY_CALLS = [
    lambda np, a: np.tanh(a),
    lambda np, a: np.add(a, 1),
    lambda np, a: np.maximum(a, 0),
    lambda np, a: np.true_divide(a, 2),
    lambda np, a: np.abs(a),
    lambda np, a: np.sum(a, axis=0),
    lambda np, a: np.mean(a, keepdims=True),
    lambda np, a: np.max(a, axis=1),
    lambda np, a: np.amin(a),
    lambda np, a: np.where(a > 0, a, 0),
    lambda np, a: np.concatenate([a, a], axis=1),
    lambda np, a: np.reshape(a, (3, 2)),
    lambda np, a: np.transpose(a),
    lambda np, a: np.expand_dims(a, 0),
    lambda np, a: np.squeeze(np.expand_dims(a, 0)),
    lambda np, a: np.broadcast_to(a, (4, 2, 3)),
    lambda np, a: np.matmul(a, a.T),
    lambda np, a: np.square(a),
    lambda np, a: np.amax(a, axis=1),
    lambda np, a: np.negative(a),
    lambda np, a: np.sqrt(np.exp(a)),
]


@pytest.mark.parametrize("call", NUMPY_CALLS)
def test_plain_numpy_calls_build_nodes(fixed, call):
    node = call(np, fixed)
    assert isinstance(node, gg.Node)
    np.testing.assert_array_equal(value(node, fixed, ARRAY), call(np, ARRAY))
    assert node is call(gg, fixed)


def test_array_operators_build_nodes(fixed):
    for node in (
        ARRAY + fixed,
        ARRAY * fixed,
        ARRAY - fixed,
        ARRAY / fixed,
        ARRAY.T @ fixed,
        np.float64(2) * fixed,
    ):
        assert isinstance(node, gg.Node)
    assert ARRAY - fixed is gg.subtract(ARRAY, fixed)


# ---- functions ----


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("divide", "true_divide"), ("abs", "absolute"), ("max", "amax"), ("min", "amin"), ("power", "pow"),
        ("concatenate", "concat"), ("transpose", "permute_dims"),
    ],
)  # fmt: skip
def test_numpys_aliases_are_the_same_function(name, alias):
    assert getattr(gg, name) is getattr(gg, alias)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_reductions_take_numpys_arguments(name):
    parameters = inspect.signature(getattr(gg, name)).parameters
    assert [p.default for p in parameters.values()][1:3] == [None, False]
    assert list(parameters)[1:3] == ["axis", "keepdims"]


def test_sigmoid_is_one_function_under_three_names():
    assert gg.sigmoid is gg.nn.sigmoid is gg.special.expit


def test_cast_is_astype(x):
    assert gg.cast(x, "float64") is x.astype("float64")


def test_softmax_works_along_the_last_axis():
    assert inspect.signature(gg.nn.softmax).parameters["axis"].default == -1


UNARY = ["negative", "exp", "tanh", "abs", "square", "sigmoid", "sign", "sum", "mean", "transpose", "squeeze"]


@pytest.mark.parametrize("name", UNARY)
def test_function_accepts_nodes_arrays_and_python_scalars(name, fixed):
    function = getattr(gg, name)
    for argument in (fixed, np.ones((2, 3)), np.float32(0.5), 0.5, [0.5, 1.5]):
        assert isinstance(function(argument), gg.Node)


def test_function_of_constants_computes_what_numpy_computes():
    assert interpret([gg.add(1.5, 2)], {})[0] == 3.5
    assert interpret([gg.maximum([1, 5], 3)], {})[0].tolist() == [3, 5]


# ---- dtypes ----

DTYPES = ["bool", "int8", "uint8", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
SCALARS = [True, 2, 2.5, np.float64(2.5), np.float32(2.5), np.int8(2), np.int64(2)]
BINARY = [
    "add", "subtract", "multiply", "divide", "power", "maximum", "minimum",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
]  # fmt: skip


def promoted(function, *arguments):
    """The dtype of the result, or the kind of error."""
    try:
        with np.errstate(all="ignore"):
            return function(*arguments).dtype
    except (TypeError, OverflowError) as error:
        return TypeError if isinstance(error, TypeError) else OverflowError


@pytest.mark.parametrize("name", BINARY)
def test_promotion_of_two_arrays_is_numpys(name):
    for left in DTYPES:
        for right in DTYPES:
            a, b = np.ones(2, left), np.ones(2, right)
            found = promoted(getattr(gg, name), gg.input("a", (2,), left), gg.input("b", (2,), right))
            assert found == promoted(getattr(np, name), a, b), (left, right)


@pytest.mark.parametrize("name", BINARY)
def test_promotion_with_a_scalar_is_that_of_nep_50(name):
    for dtype in DTYPES:
        for scalar in SCALARS:
            array, node = np.ones(2, dtype), gg.input("a", (2,), dtype)
            expected = promoted(getattr(np, name), array, scalar)
            assert promoted(getattr(gg, name), node, scalar) == expected, (dtype, scalar)
            expected = promoted(getattr(np, name), scalar, array)
            assert promoted(getattr(gg, name), scalar, node) == expected, (scalar, dtype)


@pytest.mark.parametrize(
    "name", ["negative", "exp", "log", "tanh", "sqrt", "square", "abs", "sign", "sum", "mean", "max"]
)
def test_dtype_of_a_function_of_one_array_is_numpys(name):
    for dtype in DTYPES:
        found = promoted(getattr(gg, name), gg.input("a", (2,), dtype))
        assert found == promoted(getattr(np, name), np.ones(2, dtype)), dtype


def test_where_promotes_as_numpy_does():
    mask = gg.input("mask", (2,), "bool")
    for left in DTYPES:
        for right in DTYPES:
            a, b = gg.input("a", (2,), left), gg.input("b", (2,), right)
            expected = np.where(np.ones(2, bool), np.ones(2, left), np.ones(2, right)).dtype
            assert gg.where(mask, a, b).dtype == expected, (left, right)


def test_python_scalar_becomes_a_constant_of_the_operations_dtype():
    x = gg.input("x", (2,))
    constants = [node for node in (x * 2.0).inputs if node.op.name == "const"]
    assert [node.dtype for node in constants] == [np.float32]
    assert (x * 2.0).dtype == np.float32
    assert (x * np.float64(2)).dtype == np.float64


def test_python_int_that_does_not_fit_is_an_error():
    with pytest.raises(gg.GraphgradError, match="300"):
        gg.input("n", (2,), "int8") + 300


def test_mixed_dtypes_get_explicit_casts():
    node = gg.input("x", (2,)) + gg.input("y", (2,), "float64")
    assert [part.op.name for part in node.inputs] == ["cast", "input"]


def test_gradient_has_the_dtype_of_what_it_differentiates_by():
    x, y = gg.input("x", (2,)), gg.input("y", (2,), "float64")
    assert [node.dtype for node in gg.grad(gg.sum(x * y), (x, y))] == [np.float32, np.float64]
