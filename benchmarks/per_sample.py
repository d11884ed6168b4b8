"""Per-sample gradients by `vmap`: against a Python loop, and against the summed one.

    python -m benchmarks.per_sample

Two goals: 128 samples of a small network at least 10 times faster than the loop, and
those of `lenet8` for at most 3 times the cost of the gradient of their mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as onp

import autograd_lite.numpy as np
from autograd_lite import grad, nn, vmap
from benchmarks.timing import Ratio, ratio, time_calls
from models.cnn import lenet8


@dataclass(frozen=True)
class Comparison:
    """Gradients of samples, all at once, and what they are compared with."""

    name: str
    per_sample: Callable[[], Any]
    other: Callable[[], Any]

    def measure(self, rounds: int = 30, calls: int = 5) -> Ratio:
        """The time of `per_sample` over that of `other`, measured in turns.

        Each block counts with its fastest call: on a busy machine the others measure
        the neighbours.
        """
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(min(time_calls(self.per_sample, calls)))
            theirs.append(min(time_calls(self.other, calls)))
        return ratio(ours, theirs)


def small_mlp(samples: int = 128, seed: int = 0) -> Comparison:
    """A network 16-32-32-1, and a loop over the samples."""
    rng = onp.random.default_rng(seed)
    sizes = [16, 32, 32, 1]
    params = [
        {"w": nn.he_normal(rng, (i, o)), "b": onp.zeros(o, onp.float32)}
        for i, o in zip(sizes, sizes[1:])
    ]

    def loss(params, x, y):
        for layer in params[:-1]:
            x = np.tanh(nn.dense(x, layer["w"], layer["b"]))
        return np.sum((nn.dense(x, params[-1]["w"], params[-1]["b"]) - y) ** 2)

    x = rng.standard_normal((samples, 16), onp.float32)
    y = rng.standard_normal((samples, 1), onp.float32)
    gradient = grad(loss)
    mapped = vmap(gradient, (None, 0, 0), fallback="raise")
    return Comparison(
        f"{samples} samples of a small network, over a loop",
        lambda: mapped(params, x, y),
        lambda: [gradient(params, *sample) for sample in zip(x, y)],
    )


def lenet8_samples(samples: int = 64, seed: int = 0) -> Comparison:
    """The classifier `lenet8`, and the gradient of the mean loss of the batch."""
    rng = onp.random.default_rng(seed)
    params = lenet8.init(rng)
    images = rng.random((samples, 28, 28, 1), onp.float32)
    labels = rng.integers(0, 10, samples)

    def loss(params, images, labels):
        return nn.cross_entropy(lenet8.apply(params, images), labels)

    def of_one(params, image, label):
        return loss(params, image[None], label[None])

    mapped = vmap(grad(of_one), (None, 0, 0), fallback="raise")
    summed = grad(loss)
    return Comparison(
        f"{samples} samples of lenet8, over the summed gradient",
        lambda: mapped(params, images, labels),
        lambda: summed(params, images, labels),
    )


def main() -> None:
    """Print the figures."""
    for comparison in [small_mlp(), lenet8_samples(64), lenet8_samples(128)]:
        print(f"{comparison.name}: {comparison.measure()}")


if __name__ == "__main__":
    main()
