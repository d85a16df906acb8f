"""Large models of several shapes, to measure the compiler with: each is (loss, what to differentiate by)."""

import graphgrad as gg


def chain(count):
    x = gg.input("x", ("n",))
    y = x
    for _ in range(count):
        y = gg.tanh(y + 0.01)
    return gg.sum(y), x


def fan(count):
    """Many branches of one input, added up in pairs."""
    x = gg.input("x", ("n",))
    parts = [gg.sum(gg.exp(x * (at + 2.0))) for at in range(count)]
    while len(parts) > 1:
        odd = parts[-1:] if len(parts) % 2 else []
        parts = [*(one + other for one, other in zip(parts[::2], parts[1::2], strict=False)), *odd]
    return parts[0], x


def reductions(count):
    x = gg.input("x", ("n", 8))
    y = x
    for _ in range(count):
        y = y - gg.mean(y, axis=1, keepdims=True)
        y = y / (1 + gg.sum(y * y, axis=1, keepdims=True))
    return gg.sum(y), x


def layers(count):
    """Products of matrices, and a choice after each."""
    x = gg.input("x", ("n", 8))
    h, parameters = x, []
    for at in range(count):
        w, b = gg.param(f"w{at}", (8, 8)), gg.param(f"b{at}", (8,))
        z = h @ w + b
        h = gg.where(z > 0, z, 0.1 * z)
        parameters += [w, b]
    return gg.mean(h**2), parameters


def attention(count):
    """Softmax layers beside a residual path."""
    x = gg.input("x", ("n", 8))
    h, parameters = x, []
    for at in range(count):
        w = gg.param(f"w{at}", (8, 8))
        h = h + gg.nn.softmax(h @ w) @ w.T
        parameters.append(w)
    return gg.mean(h**2), parameters


def moves(count):
    x = gg.input("x", ("n", 64))
    y = x
    for _ in range(count):
        y = gg.concatenate([y[:, 1:], y[:, :1] * 0.5], axis=1).reshape(-1).reshape(x.shape[0], 64)
    return gg.sum(y * y), x


GRAPHS = {one.__name__: one for one in (chain, fan, reductions, layers, attention, moves)}


def of_size(kind, nodes):
    """A model whose graph with its gradients has about so many nodes."""
    build = GRAPHS[kind]
    few, more = (_size(build, count) for count in (10, 30))
    return build(max(1, 10 + round((nodes - few) * 20 / (more - few))))


def _size(build, count):
    loss, wrt = build(count)
    stages = dict(gg.compile(loss, wrt=wrt, level="plain", trace=True).stages)
    return len(stages["differentiate"].nodes)
