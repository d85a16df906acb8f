"""Layers and functions of neural networks, under PyTorch's names."""

from graphgrad.nn.functional import cross_entropy, log_softmax, mse_loss, relu, sigmoid, softmax

__all__ = ["cross_entropy", "log_softmax", "mse_loss", "relu", "sigmoid", "softmax"]
