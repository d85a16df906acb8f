"""What can be drawn: nodes, graphs, compiled models, layers, gradients, gradients of gradients."""

import pytest

import graphgrad as gg
from tests.draw.checks import check_scene, emitted, told


def small():
    x, y = gg.input("x", ("batch", 3)), gg.input("y", ("batch",))
    w, v = gg.param("w", (3, 4)), gg.param("v", (4,))
    with gg.scope("hidden"):
        h = gg.tanh(x @ w)
    with gg.scope("output"):
        out = h @ v
    loss = gg.mean((out - y) ** 2)
    return loss, [w, v], h


def pills(picture):
    return [card.text[0][0].text for card in picture.scene.cards if card.kind == "grad"]


def check(picture):
    check_scene(picture.story, picture.scene, backward=picture.story.mirrored)
    return picture


class Net(gg.nn.Module):
    def __init__(self):
        self.hidden, self.output = gg.nn.Linear(7, 5), gg.nn.Linear(5, 2, bias=False)

    def __call__(self, x):
        return self.output(gg.tanh(self.hidden(x)))


class Scale(gg.nn.Module):
    def __init__(self):
        self.factor = gg.nn.parameter((3,))

    def __call__(self, values, power=2):
        return values**power * self.factor


class Pair(gg.nn.Module):
    def __call__(self, x, y):
        return x + y


class Picky(gg.nn.Module):
    def __call__(self, x):
        return gg.reshape(x, (7, 11, 13)) @ gg.ones((13, 13))


def test_a_layer_is_drawn_with_an_input_that_fits_and_with_all_its_gradients():
    picture = check(gg.draw(gg.nn.Linear(7, 5)))
    assert picture.story.title == "Linear"
    assert [(leaf.name, leaf.shape) for leaf in picture.story.leaves] == [
        ("x", "batch×7"), ("weight", "5×7"), ("bias", "5")
    ]  # fmt: skip
    assert len(pills(picture)) == 3  # by both parameters, and by x, which the layer before needs
    assert "cotangent" in picture.story.results[0].seed
    net = check(gg.draw(Net()))
    ties = [edge.label.text[0].text for edge in net.scene.edges if edge.kind in ("kept", "uses")]
    assert ties[0] == "uses hidden.weight, x"  # its transpose takes no memory of its own
    assert [band.name for band in net.scene.bands][:2] == ["input", "hidden"]
    first = net.story.steps[0]
    assert first.op == "matmul" and len(first.lines) == 2 and first.lines[0].endswith("hidden_weight.T")
    assert check(gg.draw(gg.nn.Sequential(gg.nn.ReLU(), gg.nn.Linear(4, 2)))).story.title == "Sequential"
    assert gg.draw(Scale()).story.leaves[0].name == "values"
    assert gg.draw(gg.nn.ReLU()).story.leaves[0].shape == "batch×features"
    assert not pills(gg.draw(Net(), backward=False))
    assert pills(gg.draw(Net(), wrt=[])) == []


@pytest.mark.parametrize(
    ("layer", "why"), [(Pair(), "takes 2 arguments"), (Picky(), "no input that a picture can")]
)
def test_a_layer_whose_input_cannot_be_guessed_says_what_to_draw_instead(layer, why):
    with pytest.raises(gg.ArgumentError, match=rf"(?s){why}.*gg\.draw\(layer\("):
        gg.draw(layer)


def test_gradients_are_drawn_beside_what_they_are_the_gradients_of():
    loss, wrt, h = small()
    d_w, d_h = gg.grad(loss, [wrt[0], h])
    picture = check(gg.draw([d_w, d_h]))
    assert picture.story.mirrored and pills(picture) == ["∂loss/∂w", "∂loss/∂h"]
    assert "keeps" in " ".join(picture.story.facts) and "keeps 0 B" not in picture.story.facts
    both = check(gg.draw([loss, d_w]))
    assert [result.label for result in both.story.results] == ["loss"]
    assert both.story.results[0].seed == "seed ∂loss/∂loss = 1" and pills(both) == ["∂loss/∂w"]


@pytest.mark.parametrize("level", ["plain", "default"])
def test_the_graph_of_a_compiled_model_is_drawn_like_the_model(level):
    loss, wrt, _ = small()
    compiled = gg.compile(loss, wrt=wrt, level=level)
    picture, graph = gg.draw(compiled), check(gg.draw(compiled.graph))
    assert pills(graph) == pills(picture)
    assert [step.op for step in graph.story.steps] == [step.op for step in picture.story.steps]
    assert check(gg.draw(gg.Graph((), (loss,)), wrt=wrt)).story.mirrored
    assert not gg.draw(gg.Graph((), (loss,))).story.mirrored


def penalty():
    x, w, v = gg.input("x", ("batch", 3)), gg.param("w", (3, 4)), gg.param("v", (4,))
    with gg.scope("critic"):
        score = gg.tanh(x @ w) @ v
    slope = gg.grad(gg.sum(score), x)
    with gg.scope("penalty"):
        loss = gg.mean((gg.sqrt(gg.sum(slope**2, axis=1)) - 1) ** 2)
    return loss, [w, v]


@pytest.mark.parametrize("level", ["plain", "default"])
def test_second_derivatives_are_shown_node_by_node(level):
    loss, wrt = penalty()
    compiled = gg.compile(loss, wrt=wrt, level=level)
    picture = check(gg.draw(compiled))
    assert not picture.story.mirrored and "gradients of gradients" in picture.story.notes[0]
    assert told(picture.story) == emitted(compiled)
    details = [line for step in picture.story.steps for line in step.details]
    assert any(line.startswith("∂ tanh") for line in details) and any(
        line.startswith("∂² ") for line in details
    )
    assert {result.label for result in picture.story.results} == {"loss", "∂loss/∂w", "∂loss/∂v"}


def test_the_line_view_shows_every_node_once_with_every_edge():
    loss, wrt, _ = small()
    compiled = gg.compile(loss, wrt=wrt, level="plain")
    picture = check(gg.draw(compiled, detail="line"))
    assert told(picture.story) == emitted(compiled)
    computed = [
        node
        for node in compiled.graph.nodes
        if not node.op.is_leaf and node.op.name not in ("const", "run_time_size")
    ]
    assert len(picture.story.steps) == len(computed) + 1  # and where the backward pass starts
    assert sum(len(step.inputs) for step in picture.story.steps) == sum(
        part.op.is_leaf or part in computed for node in computed for part in node.inputs
    )
    kinds = {edge.kind for edge in picture.scene.edges}
    assert kinds == {"forward", "backward", "param", "data"}
    assert {card.kind for card in picture.scene.cards} >= {"op", "backward", "result"}


def test_a_gradient_of_what_is_not_used_is_told():
    x, w, unused = gg.input("x", (3,)), gg.param("w", (3,)), gg.param("unused", (2,))
    compiled = gg.compile(gg.sum(x * w), wrt=[w, unused], inputs=[x, w, unused])
    picture = check(gg.draw(compiled))
    assert told(picture.story) == emitted(compiled)
    assert "∂d/∂unused" in " ".join(pills(picture)) or any("unused" in pill for pill in pills(picture))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"expand": None}, "expand is a layer's name or a list of names, not NoneType"),
        ({"fold": 3}, "fold is a layer's name or a list of names, not int"),
        ({"title": 3}, "title is a string, not int 3"),
        ({"stage": ["rewrite"]}, "stage is a string, not list"),
    ],
)
def test_options_of_the_wrong_type_are_named(options, words):
    with pytest.raises(gg.ArgumentError, match=words):
        gg.draw(small()[0], **options)


def test_pictures_explain_the_names_in_their_statements():
    loss, wrt, h = small()
    first, second = gg.draw(loss, wrt=wrt).story.notes
    assert first == "d_v is ∂loss/∂v, the gradient by a value v; cotangent is the seed, 1 unless given"
    assert second.startswith("in italics the rule")
    assert (
        "cotangent" not in gg.draw(h, wrt=wrt).story.notes[0]
    )  # no number is the seed of an array's gradient
    long = gg.draw({"log_likelihood": loss}, wrt=wrt).story
    assert ("∂L/∂w",) in [leaf.gradient for leaf in long.leaves]
    assert long.notes[0].startswith("L is log_likelihood; d_v is ∂L/∂v")
