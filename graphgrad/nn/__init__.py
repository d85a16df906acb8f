"""Layers and functions of neural networks, under PyTorch's names."""

from graphgrad.nn.activation import ReLU
from graphgrad.nn.container import Sequential
from graphgrad.nn.functional import (
    cross_entropy,
    embedding,
    log_softmax,
    mse_loss,
    one_hot,
    relu,
    sigmoid,
    softmax,
)
from graphgrad.nn.linear import Linear
from graphgrad.nn.module import Module, parameter
from graphgrad.ops.logsum import logsumexp

__all__ = [
    "Linear", "Module", "ReLU", "Sequential", "cross_entropy", "embedding", "log_softmax", "logsumexp", "mse_loss",
    "one_hot", "parameter", "relu", "sigmoid", "softmax",
]  # fmt: skip
