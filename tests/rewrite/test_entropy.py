"""Losses that are written from probabilities are computed from logits, and so are their gradients."""

import numpy as np
import pytest
import torch

import graphgrad as gg
from tests.rewrite.test_versions import structure

LOGITS = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 3.0], [200.0, 0.0, -200.0], [-50.0, 60.0, 60.0]], np.float32)
LABELS = np.array([1, 0, 2, -1])


def hot(label):
    return gg.nn.one_hot(label, 3)


def naive(x):
    exps = gg.exp(x)
    return exps / gg.sum(exps, axis=1, keepdims=True)


SOFTMAX = {
    "nn": gg.nn.cross_entropy,
    "one hot probabilities": lambda x, label: gg.nn.cross_entropy(x, hot(label)),
    "log softmax": lambda x, label: -gg.mean(gg.sum(hot(label) * gg.nn.log_softmax(x), axis=1)),
    "log of softmax": lambda x, label: -gg.mean(gg.sum(hot(label) * gg.log(gg.nn.softmax(x)), axis=1)),
    "log of exps over their sum": lambda x, label: -gg.mean(gg.sum(gg.log(naive(x)) * hot(label), axis=-1)),
    "sum of all": lambda x, label: -gg.sum(hot(label) * gg.nn.log_softmax(x)) / x.shape[0],
    "picked": lambda x, label: -gg.mean(
        gg.take_along_axis(gg.log(naive(x)), label[:, None], axis=1)
    ),
    "logsumexp": lambda x, label: gg.mean(
        gg.logsumexp(x, axis=1) - gg.take_along_axis(x, label[:, None], axis=1)[:, 0]
    ),
}  # fmt: skip


def classes():
    return gg.input("x", ("n", 3)), gg.input("label", ("n",), "int64")


@pytest.mark.parametrize("spelling", list(SOFTMAX))
def test_softmax_cross_entropy_is_what_torch_computes(spelling):
    x, label = classes()
    value, grads = gg.compile(SOFTMAX[spelling](x, label), wrt=x)(x=LOGITS, label=LABELS)
    logits = torch.tensor(LOGITS, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS % 3))
    loss.backward()
    np.testing.assert_allclose(value, loss.item(), rtol=1e-6)
    np.testing.assert_allclose(grads["x"], logits.grad.numpy(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("spelling", list(SOFTMAX))
def test_its_gradient_passes_once_over_the_array(spelling):
    """exps times a number for each row, from which the label's is taken away: one product, one sum in place."""
    x, label = classes()
    graph = gg.compile(SOFTMAX[spelling](x, label), wrt=x).graph
    backward = [node for node in graph.nodes if node in graph.origins and node.shape == x.shape]
    assert sorted(node.op.name for node in backward) == ["add_at", "multiply"]


SIGMOID = {
    "logarithms": lambda x, y, p: -gg.mean(y * gg.log(p) + (1 - y) * gg.log(1 - p)),
    "negative logarithms": lambda x, y, p: gg.mean(-y * gg.log(p) - (1 - y) * gg.log(1 - p)),
    "minus": lambda x, y, p: gg.mean(-(y * gg.log(p)) - (1 - y) * gg.log(1 - p)),
    "the other way round": lambda x, y, p: -gg.mean(gg.log(1 - p) * (1 - y) + gg.log(p) * y),
    "log1p": lambda x, y, p: -gg.mean(y * gg.log(p) + (1 - y) * gg.log1p(-p)),
    "of the complement": lambda x, y, p: -gg.mean(y * gg.log(p) + (1 - y) * gg.log(gg.special.expit(-x))),
    "by hand": lambda x, y, p: gg.mean(gg.maximum(x, 0) - x * y + gg.log1p(gg.exp(-gg.abs(x)))),
    "softplus": lambda x, y, p: gg.mean(gg.logaddexp(x, 0) - x * y),
    "softplus by exp": lambda x, y, p: gg.mean(gg.log(1 + gg.exp(x)) - y * x),
    "softplus by log1p": lambda x, y, p: gg.mean(gg.log1p(gg.exp(x)) - y * x),
    "reciprocal": lambda x, y, p: -gg.mean(
        y * gg.log(1 / (1 + gg.exp(-x))) + (1 - y) * gg.log(1 - 1 / (1 + gg.exp(-x)))
    ),
}  # fmt: skip


def two_classes(spelling):
    x, y = gg.input("x", ("n",)), gg.input("y", ("n",))
    return gg.compile(SIGMOID[spelling](x, y, gg.special.expit(x)), inputs=[x, y], wrt=x)


@pytest.mark.parametrize("spelling", list(SIGMOID))
def test_sigmoid_cross_entropy_is_what_torch_computes(spelling):
    x = np.array([0.0, -0.0, 1.0, -2.0, 20.0, -20.0, 200.0, -200.0], np.float32)
    y = np.array([1, 0, 0.25, 1, 1, 0, 0, 1], np.float32)
    value, grads = two_classes(spelling)(x, y)
    logits = torch.tensor(x, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(y))
    loss.backward()
    np.testing.assert_allclose(value, loss.item(), rtol=1e-6)
    np.testing.assert_allclose(grads["x"], logits.grad.numpy(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("spelling", list(SIGMOID))
def test_it_is_one_graph_however_it_is_written(spelling):
    assert structure(two_classes(spelling).graph) == structure(two_classes("by hand").graph)


def test_confident_and_right_is_no_loss_of_digits():
    """softplus(x) - x is 0 in float32 where the loss is 2e-9."""
    value, _ = two_classes("softplus")(np.array([20.0], np.float32), np.ones(1, np.float32))
    np.testing.assert_allclose(value, 2.0611537e-09, rtol=1e-6)


@pytest.mark.parametrize("spelling", ["logarithms", "by hand"])
def test_other_weights_are_left_alone(spelling):
    x, y, p = gg.input("x", ("n",)), gg.input("y", ("n",)), None
    p = gg.sigmoid(x)
    for other in (
        y * gg.log(p) + (2 - y) * gg.log(1 - p),
        y * gg.log(p) + (1 - x) * gg.log(1 - p),
        y * gg.log(p) - (1 - y) * gg.log(1 - p),
        y * gg.log(p) + (1 - y) * gg.log(1 - gg.sigmoid(y)),
        y * gg.log(p) + (1 - y) * gg.log(p),
    ):
        model = gg.compile(gg.sum(other), inputs=[x, y], wrt=x)
        assert "sigmoid_cross_entropy" not in {node.op.name for node in model.graph.nodes}
        assert model.verify(x=np.array([0.5, -1.0], np.float32), y=np.array([0.25, 1.0], np.float32))
