"""Lesson 8, compiled: two networks whose backward passes are derived, drawn, emitted, checked and timed.

    make demo          or, with graphgrad[pictures,train] installed:          python examples/lesson8.py

What it makes goes to build/demo. Read it from top to bottom: the models first, then what is done with them.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import graphgrad as gg

FOLDER = Path("build", "demo")
ROWS = 50_000  # MNIST's training set has as many
EPOCHS = 50
BATCH = 64


# --- the models ---------------------------------------------------------------------------------------------


def lesson8():
    """The study note's network, 784-50-1 with a mean squared error: its loss and its parameters."""
    x = gg.input("x", ("batch", 784))
    y = gg.input("y", ("batch",))
    w1 = gg.param("w1", (784, 50), init=gg.init.kaiming_normal())
    b1 = gg.param("b1", (50,))
    w2 = gg.param("w2", (50, 1), init=gg.init.kaiming_normal())
    b2 = gg.param("b2", (1,))

    with gg.scope("hidden"):
        l1 = x @ w1 + b1
        l2 = gg.maximum(l1, 0)
    with gg.scope("output"):
        out = l2 @ w2 + b2
    loss = gg.mean((out[:, 0] - y) ** 2)
    return loss, [w1, b1, w2, b2]


def digits():
    """A classifier of images of 8 x 8 pixels, 64-50-10: its loss, its parameters and its logits."""
    x = gg.input("x", ("batch", 64))
    label = gg.input("label", ("batch",), "int64")
    w1 = gg.param("w1", (64, 50), init=gg.init.kaiming_normal())
    b1 = gg.param("b1", (50,))
    w2 = gg.param("w2", (50, 10), init=gg.init.kaiming_normal())
    b2 = gg.param("b2", (10,))

    with gg.scope("hidden"):
        l1 = x @ w1 + b1
        l2 = gg.nn.relu(l1)
    with gg.scope("output"):
        logits = l2 @ w2 + b2
    loss = gg.nn.cross_entropy(logits, label)
    return loss, [w1, b1, w2, b2], logits


def momentum_sgd(loss, parameters, momentum=0.9):
    """Gradient descent with momentum, written as nodes like the model: {what to overwrite: its new value}."""
    rate = gg.input("rate", ())
    updates = {}
    for parameter, gradient in zip(parameters, gg.grad(loss, parameters), strict=True):
        velocity = gg.state(f"v_{parameter.name}", parameter.shape)
        updates[velocity] = gg.named(momentum * velocity - rate * gradient, f"new_{velocity.name}")
        updates[parameter] = gg.named(parameter + updates[velocity], f"new_{parameter.name}")
    return updates


# --- what is done with them ---------------------------------------------------------------------------------


def draw(name, loss, parameters):
    """Forward and backward side by side, as SVG and PNG."""
    picture = gg.draw(loss, wrt=parameters, title=name)
    paths = [picture.render(FOLDER / f"{name}{suffix}") for suffix in (".svg", ".png")]
    say("picture", "  ".join(map(str, paths)))


def emit(model):
    """Save the module that was emitted for the model."""
    path = FOLDER / f"{model.name}.py"
    model.save(path)
    lines = model.source.count("\n")
    say("module", f"{path}  {lines} lines, needs NumPy only")


def check(model, arrays):
    """Compare the gradients with finite differences, in here and in the saved module alone."""
    worst = max(model.verify(**arrays).values())
    say("gradients", f"agree with the interpreter and finite differences, within {worst:.0e} of their size")
    alone = f"import sys, {model.name}; {model.name}.selfcheck(); assert 'graphgrad' not in sys.modules"
    subprocess.run([sys.executable, "-c", alone], cwd=FOLDER, check=True)
    say("", "and so the saved module finds, imported without graphgrad")


def load_digits():
    """scikit-learn's 1,797 handwritten digits, a fifth of them kept for the test."""
    data = sklearn.datasets.load_digits()
    images = (data.data / 16).astype(np.float32)
    return sklearn.model_selection.train_test_split(
        images, data.target.astype(np.int64), test_size=0.2, stratify=data.target, random_state=0
    )


def train(model, predict, images, test_images, labels, test_labels):
    """Mini-batches in random order; the emitted step() updates the parameters. Losses and accuracies."""
    rng = np.random.default_rng(0)
    trained = model.bind(model.init(rng))  # owns parameters and velocities
    losses, accuracies = [], []
    start = time.perf_counter()
    for epoch in (bar := tqdm.tqdm(range(EPOCHS), "  training ", unit="epoch", leave=False, disable=None)):
        order = rng.permutation(len(images))
        for first in range(0, len(images), BATCH):
            rows = order[first : first + BATCH]
            loss, _ = trained.step(x=images[rows], label=labels[rows], rate=0.1 * (1 - epoch / EPOCHS))
            losses.append(float(loss))
        parameters = {name: trained.values[name] for name in ("w1", "b1", "w2", "b2")}
        guesses = predict(x=test_images, **parameters).argmax(axis=1)
        accuracies.append(float((guesses == test_labels).mean()))
        bar.set_postfix(loss=f"{losses[-1]:.3f}", test=f"{accuracies[-1]:.1%}", refresh=False)
    seconds = time.perf_counter() - start
    say("training", f"{EPOCHS} epochs in {seconds:.1f} s, test accuracy {accuracies[-1]:.1%}")
    return losses, accuracies


def plot(losses, accuracies):
    """The loss of every mini-batch and of every epoch, and the accuracy on the test images."""
    epochs = np.arange(1, EPOCHS + 1)
    per_epoch = np.reshape(losses, (EPOCHS, -1)).mean(axis=1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(np.linspace(0, EPOCHS, len(losses)), losses, color="#B5D3E7", linewidth=0.8, label="mini-batch")
    left.plot(epochs - 0.5, per_epoch, color="#0072B2", linewidth=2, label="mean of an epoch")
    left.legend(frameon=False)
    left.set(title="training loss", xlabel="epoch", yscale="log", xlim=(0, EPOCHS))
    left.yaxis.set_major_formatter("{x:g}")
    right.plot(epochs, accuracies, color="#B84500", linewidth=2)
    right.set(title="test accuracy", xlabel="epoch", xlim=(0, EPOCHS), ylim=(0.8, 1))
    right.set_yticks([0.8, 0.85, 0.9, 0.95, 1], ["80 %", "85 %", "90 %", "95 %", "100 %"])
    right.annotate(f"{accuracies[-1]:.1%}", (EPOCHS, accuracies[-1] - 0.016), ha="right", color="#B84500")
    for axes in (left, right):
        axes.grid(axis="y", color="#E3E7EB", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    path = FOLDER / "digits_training.png"
    figure.savefig(path, dpi=144)
    plt.close(figure)
    say("plot", path)


# --- against NumPy by hand ----------------------------------------------------------------------------------


def by_hand(x, y, w1, b1, w2, b2):
    """Forward and backward as the study note ends up writing them, in plain NumPy."""
    l1 = x @ w1 + b1
    l2 = np.maximum(l1, 0)
    out = l2 @ w2 + b2
    error = out[:, 0] - y
    loss = np.mean(error**2)

    d_out = (2 * error / len(x))[:, None]
    d_w2 = l2.T @ d_out
    d_b2 = d_out.sum(axis=0)
    d_l1 = (d_out @ w2.T) * (l1 > 0)
    d_w1 = x.T @ d_l1
    d_b1 = d_l1.sum(axis=0)
    return loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


def median_times(contenders, rounds=5, calls=7, rest=0.25):
    """Seconds a call, in blocks with a rest before each: BLAS threads spin on for a while after a call."""
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(rest)
            for _ in range(calls):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def race(model, arrays):
    """Time the emitted module next to plain NumPy, once both agree."""
    ours, theirs = model(**arrays), by_hand(**arrays)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-4)
    for name, gradient in theirs[1].items():
        np.testing.assert_allclose(ours[1][name], gradient, rtol=1e-3, atol=1e-4)
    times = median_times({"by hand": lambda: by_hand(**arrays), "emitted": lambda: model(**arrays)})
    ratio = times["emitted"] / times["by hand"]
    say("by hand", f"{1e3 * times['by hand']:6.1f} ms")
    say("emitted", f"{1e3 * times['emitted']:6.1f} ms, {ratio:.2f} of the time by hand")
    memory = model.memory(batch=len(arrays["x"]))
    say("memory", f"{memory.peak / 1e6:6.1f} MB at most beyond the arguments, by the plan")


# --- everything in order ------------------------------------------------------------------------------------


def say(what, text):
    print(f"  {what:<10} {text}", flush=True)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)

    print("lesson 8: 784-50-1, mean squared error")
    loss, parameters = lesson8()
    model = gg.compile(loss, wrt=parameters, name="lesson8")
    values = model.init(rng)
    data = {
        "x": rng.standard_normal((ROWS, 784), np.float32),
        "y": rng.standard_normal(ROWS, np.float32),
    }
    draw("lesson8", loss, parameters)
    emit(model)
    check(model, {**values, "x": data["x"][:32], "y": data["y"][:32]})

    print("\ndigits: 64-50-10, softmax cross-entropy")
    digit_loss, digit_parameters, logits = digits()
    updates = momentum_sgd(digit_loss, digit_parameters)
    classifier = gg.compile(digit_loss, wrt=digit_parameters, updates=updates, name="digits")
    images, test_images, labels, test_labels = load_digits()
    draw("digits", digit_loss, digit_parameters)
    emit(classifier)
    check(classifier, {**classifier.init(rng), "x": images[:32], "label": labels[:32], "rate": 0.1})
    plot(*train(classifier, gg.compile(logits, name="predict"), images, test_images, labels, test_labels))

    print(f"\nspeed: lesson 8, {ROWS:,} rows, forward and backward")
    race(model, {**values, **data})


if __name__ == "__main__":
    try:
        import matplotlib

        matplotlib.use("Agg")  # draws to files, with or without a screen
        import matplotlib.pyplot as plt
        import sklearn.datasets
        import sklearn.model_selection
        import tqdm

        main()
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing.name} is not installed: pip install 'graphgrad[pictures,train]', or make demo")
    except gg.RenderError as problem:
        sys.exit(f"{problem.what}: {problem.hint}")
