"""What an impatient or hostile user gives: one clear error that names their line, or it works. Nothing is run."""

import ast
import builtins
import sys

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.run.allow import check

HERE = __file__.rpartition("/")[2]


def compiled():
    x = gg.input("x", ("batch", 3))
    y = gg.input("y", ("batch",))
    w = gg.param("w", (3,))
    return gg.compile(gg.sum((x @ w - y) ** 2), wrt=w, name="tiny")


GOOD = {"x": np.ones((5, 3), np.float32), "y": np.ones(5, np.float32), "w": np.ones(3, np.float32)}


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"x": np.ones(3, np.float32)}, gg.ShapeError, "has 2 dimensions, got shape (3,)"),
        ({"x": np.float32(1)}, gg.ShapeError, "has 2 dimensions, got shape ()"),
        ({"x": 1.0}, gg.ShapeError, "has 2 dimensions"),
        ({"x": np.ones((5, 4), np.float32)}, gg.ShapeError, "has size 3 along axis 1, got shape (5, 4)"),
        ({"y": np.ones(4, np.float32)}, gg.ShapeError, "has size batch along axis 0, which is 5 in 'x'"),
        ({"y": np.ones(1, np.float32)}, gg.ShapeError, "which is 5 in 'x'"),
        ({"x": np.ones((5, 3))}, gg.DTypeError, "has dtype float32, got float64"),
        ({"x": np.ones((5, 3), int)}, gg.DTypeError, "got int64"),
        ({"x": np.ones((5, 3), np.complex64)}, gg.DTypeError, "got complex64"),
        ({"x": np.ones((5, 3), object)}, gg.DTypeError, "got object"),
        ({"x": np.array([["a"] * 3] * 5)}, gg.DTypeError, "got <U1"),
        ({"x": np.zeros((5, 3), [("a", "f4")])}, gg.DTypeError, "dtype"),
        ({"x": [[1.0] * 3] * 5}, gg.ArgumentError, "not list"),
        ({"x": None}, gg.ArgumentError, "not NoneType"),
        ({"x": "x"}, gg.ArgumentError, "not str"),
        ({"x": object()}, gg.ArgumentError, "not object"),
        ({"x": 1j}, gg.ArgumentError, "not complex"),
        ({"x": np.ma.ones((5, 3), np.float32)}, gg.ArgumentError, "mask"),
        ({"z": 1.0}, gg.ArgumentError, "has no argument 'z'"),
    ],
)
@pytest.mark.parametrize("how", ["__call__", "forward", "verify", "profile"])
def test_arguments_that_do_not_fit(wrong, error, words, how):
    model = compiled()
    with pytest.raises(error) as raised:
        getattr(model, how)(**{**GOOD, **wrong})
    message = str(raised.value)
    assert words in message and "tiny" in message and f"{HERE}:" in message
    assert isinstance(raised.value, ValueError | TypeError)


def test_missing_repeated_and_too_many_arguments():
    model = compiled()
    with pytest.raises(gg.ArgumentError, match="lacks 'y', 'w'"):
        model(GOOD["x"])
    with pytest.raises(gg.ArgumentError, match="'x' twice"):
        model(GOOD["x"], **GOOD)
    with pytest.raises(gg.ArgumentError, match="takes 3 arguments, 4 were given"):
        model(*GOOD.values(), 1)
    with pytest.raises(gg.ArgumentError, match="it takes x, y, w"):
        model()


def test_a_symbolic_node_is_no_argument():
    with pytest.raises(gg.ArgumentError, match="not Node"):
        compiled()(**{**GOOD, "x": gg.input("x", (5, 3))})


def test_derived_sizes_are_checked():
    x, twice = gg.input("x", ("n",)), gg.input("twice", ("2*n",))
    model = gg.compile(gg.sum(x) + gg.sum(twice))
    assert model(np.ones(2, np.float32), np.ones(4, np.float32)) == 6
    with pytest.raises(gg.ShapeError, match=r"2\*n = 4 along axis 0, got shape \(3,\)"):
        model(np.ones(2, np.float32), np.ones(3, np.float32))


def test_a_size_that_divides_by_zero_is_an_error():
    x, y = gg.input("x", ("n",)), gg.input("y", ("m", 2))
    rows = gg.reshape(y, (x.shape[0] - 1, -1))
    model = gg.compile(gg.sum(rows) + gg.sum(x), wrt=x)
    three, one, two = np.ones(3, np.float32), np.ones(1, np.float32), np.ones((2, 2), np.float32)
    assert model(x=three, y=two)[0] == 7
    with pytest.raises(gg.ShapeError, match="would divide by 0 with"):
        model(x=one, y=two)


def test_a_quotient_that_is_a_polynomial_is_known_where_the_divisor_is_0_too():
    x = gg.input("x", ("n", 2))
    rest = x[1:]
    model = gg.compile(gg.sum(gg.reshape(rest, (rest.shape[0], -1))), wrt=x)
    assert model(np.ones((3, 2), np.float32))[0] == 4
    assert model(np.ones((1, 2), np.float32))[0] == 0


@pytest.mark.parametrize("index", [slice(-5, None), slice(5, None), 4, -5, slice(None, -5), slice(2, 5)])
def test_an_index_beyond_a_symbolic_size_is_an_error(index):
    x = gg.input("x", ("n",))
    model = gg.compile(gg.sum(x[index]), wrt=x)
    model(np.ones(7, np.float32))
    with pytest.raises(gg.ShapeError, match="would be negative with n = 1"):
        model(np.ones(1, np.float32))


@pytest.mark.parametrize("index", [slice(-5, None), slice(None, 5), slice(1, 4), 2, -1, slice(None, None, 3)])
@pytest.mark.parametrize("rows", [5, 6, 7, 20])
def test_an_index_within_a_symbolic_size_is_numpys(index, rows):
    x = gg.input("x", ("n",), "float64")
    value = np.arange(float(rows))
    result, grads = gg.compile(gg.sum(x[index] ** 2), wrt=x)(value)
    expected = np.zeros(rows)
    expected[index] = 2 * value[index]
    assert result == np.sum(value[index] ** 2)
    np.testing.assert_array_equal(grads["x"], expected)


def test_a_size_that_no_argument_tells():
    with pytest.raises(gg.ShapeError, match="no argument tells the size 'n'"):
        gg.compile(gg.sum(gg.broadcast_to(gg.input("x", ()), ("n",))))
    with pytest.raises(gg.ShapeError, match="no argument tells the size 'n'"):
        gg.compile(gg.sum(gg.input("x", ("n + 1",))))


# ---- names ---------------------------------------------------------------------------------------------------

HOSTILE = [
    "class", "def", "match", "np", "Path", 'x"); import os; ("', '""', '"""', "'''",
    '"""); import os; """', "\\", "\\\"",
    'ends with "', "ends with \\", "x" * 10_000, "ｘ", "а", "l1 ", " ", ".", "-", "1", "1x", "__import__", "__class__",
    "__", "_", "_x_", "self", "cotangent", "residuals", "forward", "backward", "step", "selfcheck", "arrays", "values",
    "rng", "exact", "grads", "outputs", "eval", "print", "None", "True", "nan", "{x}", "{", "}}", "{0.__class__}", "%s",
    "# comment", "a, b", "a=1", "*", "**kw", "/", "x, y", "lambda: 0", "\u202ereversed", "\u200b", "\ufeff", "é", "名",
    "🙂", "forward_and_backward", "_arrays", "__file__", "__name__", "d_x", "x_2", "x__y", "class_", "batch", "fmt: on",
    "type", "and", "value", "constant", "a\u0301", "%(x)s", "$x", "`x`", "<b>", "&amp;", "x\u00a0y", "0" * 50,
]  # fmt: skip


def hostile_model(name):
    """The name stands wherever a name can."""
    rows = "n" if name.isdigit() else name
    x = gg.input(name, (rows, 3))
    w = gg.param(name + "!", (3,), init=gg.init.normal())
    table = gg.named(gg.exp(gg.const([1.0, 2.0, 3.0], "float32")), name)
    with gg.scope(name), gg.scope(name):
        y = gg.named(gg.tanh(x * w * table), name)
        z = gg.named(gg.sum(y, axis=0) / x.shape[0], name)
    loss = gg.named(gg.sum(z), name)
    return gg.compile({name: loss, name + "?": y}, wrt={name: w, name + "!": x, name + "y": y},
                      updates={w: w * 2}, name=name)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
@pytest.mark.slow
def test_hostile_names_work(name, tmp_path):
    model = hostile_model(name)
    check(model.source)
    assert model.source.isascii() or all(letter.isprintable() or letter == "\n" for letter in model.source)
    if len(name) < 20:  # a key is a string that cannot be broken
        assert max(map(len, model.source.splitlines())) <= 110
    arrays = {name: np.ones((2, 3), np.float32), name + "!": np.ones(3, np.float32)}
    outputs, grads = model(**arrays)
    assert set(outputs) == {name, name + "?"} and set(grads) == {name, name + "!", name + "y"}
    model.step(**arrays)
    assert arrays[name + "!"].tolist() == [2, 2, 2]
    model.save(tmp_path / "hostile.py")
    namespace = {}
    exec(compile((tmp_path / "hostile.py").read_bytes(), "hostile.py", "exec"), namespace)
    namespace["selfcheck"]()
    assert model.memory(**dict.fromkeys(model.graph.symbols, 3)).peak > 0
    assert gg.draw(model).source
    for line in range(1, model.source.count("\n")):
        model.explain(line)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_hostile_names_are_plain_identifiers_in_the_source(name):
    source = hostile_model(name).source
    tree = ast.parse(source[: source.index("class _Pool(")])  # what follows is the same in all modules
    taken = {*dir(builtins), "np", "Path"}
    for node in ast.walk(tree):
        given = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else None
        if given is not None and (isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)):
            assert given.isascii() and given.isidentifier() and "__" not in given and given not in taken
            assert len(given) <= 60


@pytest.mark.parametrize(
    "name", ["", "a\nb", "\n", "\0", "a\tb", "\x1b[31m", "\r", "\u2028", "\u2029", "\x85", "\ud800"]
)
def test_control_characters_are_no_names(name):
    for make in (lambda: gg.input(name, ()), lambda: gg.param(name, ()), lambda: gg.state(name, ()),
                 lambda: gg.rng(name), lambda: gg.scope(name), lambda: gg.named(gg.exp(gg.input("x", ())), name),
                 lambda: gg.input("x", (name,)), lambda: gg.compile(gg.input("x", ()), name=name)):  # fmt: skip
        with pytest.raises(gg.InvalidNameError) as error:
            make()
        assert isinstance(error.value, ValueError) and "\n" not in error.value.what


@pytest.mark.parametrize("name", [None, 3, b"x", ["x"], object()])
def test_what_is_no_string_is_no_name(name):
    for make in (lambda: gg.input(name, ()), lambda: gg.compile(gg.input("x", ()), name=name)):
        with pytest.raises(gg.ArgumentError, match="string"):
            make()


def test_one_name_for_a_leaf_a_size_a_layer_a_value_and_the_model():
    n = gg.input("n", ("n",))
    with gg.scope("n"):
        inner = gg.named(n / n.shape[0], "n")
    model = gg.compile(gg.sum(inner), wrt={"n": n}, name="n")
    assert model(np.ones(4, np.float32))[1]["n"].tolist() == [0.25] * 4


def test_names_that_numbers_would_make_too():
    leaves = [gg.input(name, ()) for name in ("x", "x_2", "x_3", "x_", "x__2")]
    total = gg.exp(leaves[0])
    for leaf in leaves[1:]:
        total = gg.named(total * leaf, "x")
    assert gg.compile(total)(1.0, 1.0, 1.0, 1.0, 1.0) == pytest.approx(np.e)


@pytest.mark.slow
def test_a_thousand_values_of_one_name():
    y = gg.input("x", ())
    for _ in range(3_000):
        y = gg.named(y + 1, "x")
    assert gg.compile(y)(0.0) == 3000


def test_two_leaves_of_one_name_name_both_lines():
    one = gg.input("twin", ())
    two = gg.param("twin", ())
    with pytest.raises(gg.InvalidNameError, match="two different leaves are called 'twin'") as error:
        gg.compile(one + two)
    assert str(error.value).count(f"{HERE}:") >= 2
    with pytest.raises(gg.InvalidNameError):
        gg.compile(one * 2, inputs=[one, two])


@pytest.mark.parametrize("file", [
    "model.py", "a\nb.py", 'a"""b.py', "a'b\\", "", "x" * 5000, "</svg>", "# coding: latin-1",
                                  "\u202e.py", "<string>", "/deep/er/model.py", "C:\\x\\model.py"])  # fmt: skip
def test_models_from_files_of_odd_names(file):
    code = (
        "import graphgrad as gg\n"
        'x = gg.input("x", ("n",))\n'
        'y = gg.exp(x * 2.0) + gg.sum(x, axis=-1) if "\\"\\"\\"" else "\\\\"  # """ \\\n'
        "loss = gg.sum(y)\n"
    )
    namespace = {"__name__": "model"}
    exec(compile(code, file, "exec"), namespace)
    model = gg.compile(namespace["loss"], wrt=namespace["x"])
    check(model.source)
    assert max(map(len, model.source.splitlines())) <= 110
    assert model(np.ones(2, np.float32))[1]["x"].shape == (2,)
    with pytest.raises(gg.ShapeError) as error:
        model(np.ones((), np.float32))
    assert len(str(error.value)) < 10_000


def test_source_text_that_would_end_a_comment(tmp_path):
    file = tmp_path / "model.py"
    file.write_text(
        'import graphgrad as gg\nx = gg.input("x", ("n",))\ny = gg.exp(x); """\x0c"""; "\u2028 \u202e"\n',
        "utf-8",
    )
    namespace = {"__name__": "model"}
    exec(compile(file.read_text("utf-8"), str(file), "exec"), namespace)
    source = gg.compile(namespace["y"]).source
    assert all(letter.isprintable() or letter == "\n" for letter in source)


# ---- nodes used as numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "misuse",
    [
        bool, float, int, lambda x: 1 in x, np.asarray,
        lambda x: x.__setitem__(0, 1), lambda x: [1] if x > 0 else [], len, list,
        complex, range, lambda x: bool(x.shape[0]), lambda x: int(x.shape[0]),
        lambda x: np.zeros(x.shape),
    ],
)  # fmt: skip
def test_nodes_are_no_numbers(misuse):
    with pytest.raises(gg.NodeUseError) as error:
        misuse(gg.input("x", ("n",)))
    assert (isinstance(error.value, TypeError) and "try:" in str(error.value)) or "size" in str(error.value)


@pytest.mark.parametrize(
    "outputs", [None, 3, "x", object(), np.ones(3), {1: 2}, [1], [None], ({},), {"a": [1]}]
)
def test_what_is_no_output(outputs):
    with pytest.raises(gg.ArgumentError) as error:
        gg.compile(outputs)
    assert f"{HERE}:" in str(error.value)


@pytest.mark.parametrize("wrt", ["x", 3, [1], {"a": 1}, {1: 2}, [None]])
def test_what_is_no_wrt(wrt):
    with pytest.raises(gg.GraphgradError):
        gg.compile(gg.sum(gg.input("x", (2,))), wrt=wrt)


def test_a_generator_is_no_array():
    with pytest.raises(gg.DTypeError):
        gg.compile(gg.rng("r") + 1)
    x, r = gg.input("x", ()), gg.rng("r")
    model = gg.compile(x * 1, inputs=[x, r])
    with pytest.raises(gg.ArgumentError, match="Generator"):
        model(1.0, 3)


def test_nothing_hostile_was_ever_run():
    assert not {"hostile", "model"} & set(sys.modules)
