"""Names and places: what the user's line says about a node."""

import subprocess
import sys
import textwrap

import pytest

import graphgrad as gg
from graphgrad.core.traverse import toposort


@pytest.fixture
def x():
    return gg.input("x", (3,))


def test_assignment_names_the_last_node_of_the_line(x):
    hidden = gg.tanh(x * 2 + 1)
    assert hidden.name == "hidden"
    assert [node.name for node in toposort([hidden]) if node.op.name in ("multiply", "add")] == [None, None]


def test_operators_and_methods_name_alike(x):
    total = x.sum()
    part = x[1:]
    negated = -x
    flipped = 2 - x
    assert [node.name for node in (total, part, negated, flipped)] == ["total", "part", "negated", "flipped"]


def test_first_name_stays(x):
    first = gg.exp(x)
    second = gg.exp(x)
    assert first is second
    assert second.name == "first"


def test_leaf_keeps_its_own_name():
    other = gg.input("mine", (2,))
    assert other.name == "mine"


def test_node_that_is_only_passed_on_has_no_name(x):
    assert gg.exp(gg.tanh(x)).inputs[0].name is None


def test_annotated_and_walrus_assignments_name(x):
    annotated: gg.Node = gg.exp(x)
    assert annotated.name == "annotated"
    if (walrus := gg.log(x)) is not None:
        assert walrus.name == "walrus"


def test_tuple_assignment_names_nothing_wrongly(x):
    a, b = gg.exp(x), gg.log(x)
    assert a.name in (None, "a")
    assert b.name in (None, "b")
    c, (d, e) = gg.tanh(x), (x + 1, x + 2)
    assert c.name in (None, "c")
    assert d.name in (None, "d")
    assert e.name in (None, "e")


def test_unpacked_results_of_a_function_have_no_name(x):
    def two(value):
        return value * 5, value * 6

    first, second = two(x)
    assert (first.name, second.name) == (None, None)


def test_chained_assignment_gives_the_first_target(x):
    first = second = gg.exp(x)
    assert first is second
    assert second.name == "first"


def test_list_and_dict_displays_name_nothing(x):
    many = [gg.exp(x), gg.log(x)]
    table = {"a": gg.tanh(x)}
    assert [node.name for node in (*many, *table.values())] == [None, None, None]


def test_attribute_is_a_name(x):
    class Layer:
        pass

    layer = Layer()
    layer.weight = gg.exp(x)
    assert layer.weight.name == "weight"


def test_global_and_closure_variables_are_names(x):
    def outer():
        captured = gg.exp(x)

        def inner():
            return captured

        return inner

    assert outer()().name == "captured"
    space = {"gg": gg, "x": x}
    exec("global_one = gg.log(x)\nnode = global_one", space)
    assert space["node"].name == "global_one"


def test_value_of_a_function_takes_the_name_its_caller_gives(x):
    def layer(value):
        return gg.tanh(value * 3)

    outer = layer(x)
    assert outer.name == "outer"


def test_name_inside_a_function_is_kept(x):
    def layer(value):
        inner = gg.tanh(value * 4)
        return inner  # noqa: RET504

    outer = layer(x)
    assert outer.name == "inner"


def test_loop_names_each_turn(x):
    node = x
    for _ in range(3):
        node = gg.tanh(node)
    assert [part.name for part in toposort([node])] == ["x", "node", "node", "node"]


def test_augmented_assignment_names(x):
    total = gg.exp(x)
    total += x
    assert total.name == "total"
    assert total.op.name == "add"


def test_composite_names_only_what_it_returns(x):
    probabilities = gg.nn.softmax(x)
    assert probabilities.name == "probabilities"
    assert "probabilities" not in [node.name for node in toposort([probabilities])[:-1]]
    assert all("softmax" in node.notes.site.text for node in toposort([probabilities])[1:-1] if node.inputs)


@pytest.mark.parametrize(
    "source", ["hidden = gg.exp(x)", "class A:\n    hidden = gg.exp(x)\nhidden = A.hidden"]
)
def test_code_without_a_file_names_too(x, source):
    space = {"gg": gg, "x": x}
    exec(compile(source, "<string>", "exec"), space)
    assert space["hidden"].name == "hidden"


def test_standard_input_names_too():
    source = textwrap.dedent("""\
        import graphgrad as gg
        x = gg.input('x', (2,))
        hidden = gg.exp(x)
        print(hidden.name, hidden.notes.site.line)
    """)
    result = subprocess.run([sys.executable, "-"], input=source, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["hidden", "3"]


def test_named_stands_before_the_variable(x):
    variable = gg.named(gg.exp(x), "growth")
    assert variable.name == "growth"
    assert gg.named(variable, "other").name == "growth"
    assert gg.named(x, "other") is x
    assert x.name == "x"


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00", "a\u2028b", "\ud800"])
def test_name_that_is_empty_or_holds_control_characters_is_a_value_error(x, name):
    for use in (lambda: gg.named(gg.exp(x), name), lambda: gg.input(name, ()), lambda: gg.scope(name)):
        with pytest.raises(gg.InvalidNameError) as caught:
            use()
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "name", ["a b", "class", "é", "x; import os", "np", "w" * 500, "{x}", "'", '"', "\\"]
)
def test_any_other_text_is_a_name(name):
    assert gg.input(name, (2,)).name == name


@pytest.mark.parametrize("name", [None, 3, b"x"])
def test_name_that_is_no_string_is_a_type_error(x, name):
    with pytest.raises(gg.ArgumentError):
        gg.named(gg.exp(x), name)
    with pytest.raises(TypeError):
        gg.input(name, ())


def test_scopes_nest_and_end():
    with gg.scope("outer"):
        x = gg.input("x", (2,))
        with gg.scope("inner"):
            y = gg.exp(x)
        z = gg.log(x)
    w = gg.tanh(x)
    assert (x.scope, y.scope, z.scope, w.scope) == (("outer",), ("outer", "inner"), ("outer",), ())
    assert x.name == "x"


def test_scope_ends_after_an_error():
    with pytest.raises(ZeroDivisionError), gg.scope("outer"):
        1 / 0
    assert gg.input("x", ()).scope == ()


def test_site_is_the_line_and_the_expression(x):
    # fmt: off
    node = gg.tanh(
        x  *  2)
    # fmt: on
    site = node.notes.site
    assert site.place.startswith("test_names.py:")
    assert site.text == "gg.tanh( x * 2)"


def test_gradients_have_no_line_of_their_own_but_origins(x):
    gradient = gg.grad(gg.sum(gg.exp(x)), x)
    origins = gradient.notes.derived
    assert {origin.role for origin in origins} == {"chain", "cotangent"}
    assert origins[0].forward.op.name == "exp"


def test_text_with_line_breaks_cannot_leave_a_comment():
    space = {"gg": gg}
    source = textwrap.dedent("""
        x = gg.input("x", (2,))
        node = gg.exp(x + (
            1))
    """)
    exec(compile(source, "evil\nname.py", "exec"), space)
    assert "\n" not in space["node"].notes.site.describe()
