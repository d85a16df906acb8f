"""Layers and functions of neural networks, under PyTorch's names."""

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
from graphgrad.ops.logsum import logsumexp

__all__ = [
    "cross_entropy", "embedding", "log_softmax", "logsumexp", "mse_loss", "one_hot", "relu", "sigmoid", "softmax",
]  # fmt: skip
