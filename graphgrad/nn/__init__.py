"""Layers and functions of neural networks, under PyTorch's names."""

from graphgrad.nn.functional import cross_entropy, log_softmax, mse_loss, relu, sigmoid, softmax
from graphgrad.ops.logsum import logsumexp

__all__ = ["cross_entropy", "log_softmax", "logsumexp", "mse_loss", "relu", "sigmoid", "softmax"]
