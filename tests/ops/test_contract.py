"""Products that sum over axes, by subscripts, by axes, of vectors: NumPy's values, JAX's gradients, large products."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.core.graph import Graph
from graphgrad.interpret import interpret
from tests.ops.like_numpy import assert_like_numpy, nodes_of
from tests.oracles.by_jax import value_and_gradients

RNG = np.random.default_rng(0)


def array(*shape, dtype="float64"):
    return RNG.normal(size=shape).astype(dtype)


# ---- einsum, at random ----


@st.composite
def summations(draw):
    """(subscripts, shapes): one to four operands, letters that may repeat, sizes of 0 and 1, ellipses."""
    sizes = {letter: draw(st.integers(0, 3)) for letter in "abcXY"}
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 4))):
        letters = draw(st.lists(st.sampled_from("abcXY"), max_size=4))
        spread = draw(st.integers(0, 2)) if draw(st.booleans()) else None
        at = draw(st.integers(0, len(letters)))
        shape = [sizes[letter] for letter in letters]
        shown = "".join(letters)
        if spread is not None:
            stretched = [draw(st.sampled_from([1, size])) for size in (2, 3)[2 - spread :]]
            shown, shape = shown[:at] + "..." + shown[at:], shape[:at] + stretched + shape[at:]
        terms.append(shown)
        shapes.append(tuple(shape))
    text = ",".join(terms)
    if draw(st.booleans()):
        used = sorted(set(text) - set(",."))
        kept = draw(st.permutations(draw(st.lists(st.sampled_from(used), unique=True)) if used else []))
        at = draw(st.integers(0, len(kept)))
        dots = "..." if "..." in text else ""
        text += "->" + "".join(kept[:at]) + dots + "".join(kept[at:])
    return text, shapes


@pytest.mark.slow
@given(case=summations(), seed=st.integers(0, 2**16))
def test_einsum_is_numpys_and_its_gradient_jaxs(case, seed):
    text, shapes = case
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes]
    leaves = nodes_of(arrays)
    node = gg.einsum(text, *leaves)
    expected = np.einsum(text, *arrays)
    assert node.shape == expected.shape and np.einsum(text, *leaves) is node
    seed_array = rng.normal(size=expected.shape)
    cotangent = gg.input("g", expected.shape, "float64")
    values = {**dict(zip(leaves, arrays, strict=True)), cotangent: seed_array}
    graph = Graph((*leaves, cotangent), (node, *gg.grad(node, leaves, cotangent))).verify()
    found, *slopes = interpret(graph.outputs, values)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    _, by_jax = value_and_gradients(lambda *given: jnp.einsum(text, *given), arrays, seed_array)
    for slope, wanted in zip(slopes, by_jax, strict=True):
        np.testing.assert_allclose(slope, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.slow
@given(case=summations(), seed=st.integers(0, 2**16))
@settings(max_examples=30)
def test_compiled_einsum_is_numpys(case, seed):
    text, shapes = case
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes]
    leaves = nodes_of(arrays)
    for level in ("plain", "default"):
        found = gg.compile(gg.einsum(text, *leaves), inputs=leaves, level=level)(*arrays)
        np.testing.assert_allclose(found, np.einsum(text, *arrays), rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize(
    "text",
    ["bi,bj->ij", "bi,bj->bij", "bti,ij->btj", "bti,btj->ij", "bti,bsi->bts", "bi,bi->b", "bi->i", "bi,bi"],
)
def test_named_sizes_take_any_size(text, batch):
    sizes = {"b": "batch", "t": "time", "s": "time", "i": 4, "j": 5}
    numbers = {"batch": batch, "time": 2}
    terms = text.split("->")[0].split(",")
    leaves = [
        gg.input(f"x{at}", tuple(sizes[letter] for letter in term), "float64")
        for at, term in enumerate(terms)
    ]
    arrays = [array(*(numbers.get(size, size) for size in leaf.shape)) for leaf in leaves]
    node = gg.einsum(text, *leaves)
    found, slopes = gg.compile(gg.sum(gg.tanh(node)), wrt=leaves)(*arrays)
    wanted, grads = value_and_gradients(
        lambda *given: jnp.sum(jnp.tanh(jnp.einsum(text, *given))), arrays, 1.0
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    for leaf, grad in zip(leaves, grads, strict=True):
        np.testing.assert_allclose(slopes[leaf.name], grad, rtol=1e-11, atol=1e-12)


# ---- what it is made of ----


def made_of(node):
    return [one.op.name for one in Graph((), (node,)).nodes if one.inputs]


@pytest.mark.parametrize(
    ("text", "shapes", "ops"),
    [
        ("bi,bj->ij", [("b", 3), ("b", 4)], ["transpose", "matmul"]),
        ("bi,bj->ji", [("b", 3), ("b", 4)], ["transpose", "matmul"]),
        ("ij,jk", [(2, 3), (3, 4)], ["matmul"]),
        ("ij,kj->ik", [(2, 3), (4, 3)], ["transpose", "matmul"]),
        ("btd,dk->btk", [("b", "t", 3), (3, 4)], ["reshape", "matmul", "reshape"]),
        ("btd,btk->dk", [("b", "t", 3), ("b", "t", 4)], ["reshape", "transpose", "reshape", "matmul"]),
        ("bqd,bkd->bqk", [("b", 2, 3), ("b", 4, 3)], ["transpose", "matmul"]),
        ("bhqk,bhkd->bhqd", [("b", 2, 3, 4), ("b", 2, 4, 5)], ["matmul"]),
        ("bij,bj->bi", [("b", 2, 3), ("b", 3)], ["expand_dims", "matmul", "squeeze"]),
        ("ij,j->i", [(2, 3), (3,)], ["matmul"]),
        ("i,ij->j", [(2,), (2, 3)], ["matmul"]),
        ("i,i", [(3,), (3,)], ["matmul"]),
        ("bi,bi->b", [("b", 3), ("b", 3)], ["multiply", "sum"]),
        ("ij,ij->", [(2, 3), (2, 3)], ["reshape", "reshape", "matmul"]),
        ("i,j->ij", [(2,), (3,)], ["expand_dims", "multiply"]),
        ("ii", [(3, 3)], ["diagonal", "sum"]),
        ("ii->i", [(3, 3)], ["diagonal"]),
        ("ij->ji", [(2, 3)], ["transpose"]),
        ("ij->", [(2, 3)], ["sum"]),
        ("ij,jk->k", [(2, 3), (3, 4)], ["sum", "matmul"]),
        ("ij->ij", [(2, 3)], []),
    ],
)
def test_einsum_is_few_large_products(text, shapes, ops):
    leaves = [gg.input(f"x{at}", shape) for at, shape in enumerate(shapes)]
    assert made_of(gg.einsum(text, *leaves)) == ops


def test_several_operands_are_multiplied_in_the_cheapest_order():
    x, w, v = gg.input("x", ("batch", 100)), gg.input("w", (100, 80)), gg.input("v", (80,))
    assert gg.einsum("bi,ij,j->b", x, w, v) is x @ (w @ v)
    assert gg.linalg.multi_dot([x, w, v]) is x @ (w @ v)
    assert np.linalg.multi_dot([v, w.T, x.T]) is (v @ w.T) @ x.T


def test_einsum_takes_lists_of_ints():
    x, y = gg.input("x", (2, 3)), gg.input("y", (3, 4))
    assert gg.einsum(x, [0, 1], y, [1, 2], [0, 2]) is x @ y
    assert gg.einsum(x, [Ellipsis, 1], y, [1, 2]) is x @ y


def test_gradient_of_a_product_over_batch_and_time_is_one_product():
    x, w = gg.input("x", ("b", "t", 3)), gg.param("w", (3, 4))
    (slope,) = gg.grad(gg.sum(gg.tanh(gg.einsum("btd,dk->btk", x, w))), [w])
    assert [part.ndim for part in Graph((), (slope,)).nodes if part.op.name == "matmul"] == [2, 2]


# ---- dtypes ----


@pytest.mark.parametrize(
    "dtypes", [("float32", "float64"), ("int32", "float32"), ("int32", "int32"), ("bool", "bool")]
)
@pytest.mark.parametrize("text", ["ij,jk->ik", "ij,jk->", "ij,ij->i", "ij,ij->ij", "ij,kl->ij"])
def test_einsum_promotes_as_numpy_does(text, dtypes):
    arrays = [np.asarray(RNG.integers(0, 3, (3, 3))).astype(dtype) for dtype in dtypes]
    assert_like_numpy(lambda xp, *given: xp.einsum(text, *given), *arrays)


def test_einsum_converts_to_a_dtype():
    x = gg.input("x", (2, 2))
    assert gg.einsum("ij->i", x, dtype="float64").dtype == "float64"


# ---- the others ----

PAIRS = [((), ()), ((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)),
         ((2, 3), (5, 3, 4)), ((5, 2, 3), (4, 3, 2)), ((3,), (2, 3, 4))]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_dot_is_numpys(one, other):
    assert_like_numpy(lambda xp, x, y: xp.dot(x, y), array(*one), array(*other))
    x = gg.input("x", one)
    assert x.dot(2.0) is x * 2.0


@pytest.mark.parametrize(
    ("one", "other"),
    [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((5, 2, 3), (2, 3)), ((), (2, 3))],
)
def test_inner_is_numpys(one, other):
    assert_like_numpy(lambda xp, x, y: xp.inner(x, y), array(*one), array(*other))


@pytest.mark.parametrize(
    ("one", "other", "axes"),
    [((2, 3), (3, 4), 1), ((2, 3, 4), (3, 4, 5), 2), ((2, 3, 4), (4, 3, 5), ([1, 2], [1, 0])), ((2,), (3,), 0),
     ((2, 3), (3, 2), ((0, 1), (1, 0))), ((2, 3, 4), (5, 3), (1, 1)), ((2, 3), (2, 5), (-2, 0)), ((2, 3), (2, 3), 2)],
)  # fmt: skip
def test_tensordot_is_numpys(one, other, axes):
    if axes == 2 and one == other:
        axes = ([0, 1], [0, 1])
    assert_like_numpy(lambda xp, x, y: xp.tensordot(x, y, axes), array(*one), array(*other))


@pytest.mark.parametrize(("one", "other"), [((2,), (3,)), ((2, 2), (3,)), ((), (3,)), ((0,), (3,))])
def test_outer_and_kron_are_numpys(one, other):
    assert_like_numpy(lambda xp, x, y: xp.outer(x, y), array(*one), array(*other))
    assert_like_numpy(lambda xp, x, y: xp.kron(x, y), array(*one), array(*other))


def test_vectors_in_stacks_are_numpys():
    assert_like_numpy(lambda xp, x, y: xp.vecdot(x, y), array(4, 3), array(3))
    assert_like_numpy(lambda xp, x, y: xp.vecdot(x, y, axis=0), array(3, 4), array(3, 4))
    assert_like_numpy(lambda xp, x, y: xp.vecdot(x, y), array(3), array(3))
    assert_like_numpy(
        lambda xp, x, y: xp.vecdot(x, y), np.array([[1, 2]], "int32"), np.array([3, 4], "int32")
    )
    assert_like_numpy(lambda xp, x, y: xp.vdot(x, y), array(2, 3), array(2, 3))


@pytest.mark.parametrize(
    "shapes",
    [[(2, 3), (3, 4)], [(9, 2), (2, 8), (8, 3)], [(3,), (3, 4), (4, 5), (5,)], [(2, 3), (3,)], [(3,), (3,)]],
)
def test_multi_dot_is_numpys(shapes):
    assert_like_numpy(lambda xp, *given: xp.linalg.multi_dot(given), *(array(*shape) for shape in shapes))


# ---- refused ----

X = gg.input("x", ("batch", 3))
REFUSED = {
    "too few letters": (lambda: gg.einsum("i", X), gg.ArgumentError, "'i' names 1 axes of an operand that has 2"),
    "too many letters": (lambda: gg.einsum("ijk...", X), gg.ArgumentError, "names 3 axes"),
    "no such operand": (lambda: gg.einsum("ij,jk->ik", X), gg.ArgumentError, "names 2 operands, and there are 1"),
    "unknown in the result": (lambda: gg.einsum("ij->ik", X), gg.ArgumentError, "puts k into the result"),
    "twice in the result": (lambda: gg.einsum("ij->ii", X), gg.ArgumentError, "puts i into the result twice"),
    "no letter": (lambda: gg.einsum("i1->i", X), gg.ArgumentError, "has '1'"),
    "two arrows": (lambda: gg.einsum("ij->i->j", X), gg.ArgumentError, "has '-'"),
    "other sizes": (lambda: gg.einsum("ij,ji->i", X, X), gg.ShapeError, "'ij,ji->i': j has sizes 3 and batch"),
    "other sizes of a diagonal": (lambda: gg.einsum("ii", X), gg.ShapeError, "i has sizes batch and 3"),
    "no lists": (lambda: gg.einsum(X, X), gg.ArgumentError, "lists of ints"),
    "an int too large": (lambda: gg.einsum(X, [0, 99]), gg.ArgumentError, "from 0 to 51"),
    "tensordot of other sizes": (lambda: gg.tensordot(X, X, 1), gg.ShapeError, "axis 1 of size 3 does not go"),
    "tensordot of too many": (lambda: gg.tensordot(X, X, 3), gg.ShapeError, "3 axes"),
    "tensordot of unlike lists": (lambda: gg.tensordot(X, X, ([0, 1], [0])), gg.ShapeError, "2 axes do not go with 1"),
    "tensordot of an axis twice": (lambda: gg.tensordot(X, X, ([0, 0], [0, 0])), gg.ShapeError, "twice"),
    "tensordot by words": (lambda: gg.tensordot(X, X, "ij"), gg.ArgumentError, "pair of axes"),
    "vecdot of other lengths": (lambda: gg.vecdot(X, X.T), gg.ShapeError, "vectors of 3 and of batch"),
    "vecdot of a scalar": (lambda: gg.vecdot(X, 2.0), gg.ShapeError, "scalar"),
    "one matrix": (lambda: gg.linalg.multi_dot([X]), gg.ArgumentError, "two or more"),
    "a vector between": (lambda: gg.linalg.multi_dot([X, X[0], X]), gg.ShapeError, "vectors at the ends"),
    "product of other sizes": (lambda: gg.dot(X, X), gg.ShapeError, "inner sizes 3 and batch"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_is_refused(name):
    build, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        build()


def test_errors_name_the_subscripts_and_the_specs():
    with pytest.raises(gg.ShapeError) as caught:
        gg.einsum("ij,jk->ik", X, X)
    assert "'ij,jk->ik': j has sizes 3 and batch" in str(caught.value)
    assert "x: float32 (batch, 3)" in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bool", "uint8", "int64"])
@pytest.mark.parametrize("shapes", [("n", 1, 1, 50), (2, "n", 1, 1, 9), ("n", 1, 1, "k"), ("n", 4, 4, "k")])
def test_products_have_the_zeros_that_numpys_have(shapes, dtype):
    """A sum begins with 0.0, so -0.0 is never its result, also where there is only one product to add."""
    *stack, rows, inner, _, columns = shapes
    x, y = gg.input("x", (*stack, rows, inner), dtype), gg.input("y", (inner, columns), dtype)
    model = gg.compile([x @ y, 1 / (x @ y)])  # into a buffer, as it is read twice
    sizes = {"n": 30, "k": 9}
    special = [-0.0, 0.0, 1, -1, np.inf, np.nan] if x.dtype.kind == "f" else [0, 1, 2, 200]
    numbers = np.array(special).astype(dtype)
    left, right = (np.resize(numbers, [sizes.get(n, n) for n in leaf.shape]) for leaf in (x, y))
    with np.errstate(all="ignore"):
        wanted = np.matmul(left, right)
        found = model(left, right)
        np.testing.assert_array_equal(found[0], wanted)
        np.testing.assert_array_equal(found[1], 1 / wanted)
        assert found[0].dtype == wanted.dtype
