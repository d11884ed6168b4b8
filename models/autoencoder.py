"""An autoencoder: an image squeezed into 32 numbers, and made from them again.

Nobody says what the numbers should mean. That the image must come back is enough. The
best that a linear map can do with 32 numbers is principal component analysis, and the
command prints how much better this does.

    python -m models.autoencoder
"""

import numpy as np
from rich.console import Console

from autograd_lite import nn, optim, value_and_grad

from . import mlp, predict, small
from .small import Array, Params


def init(rng: np.random.Generator, pixels: int, code: int = 32) -> Params:
    """Return two perceptrons, one into the code and one back.

    >>> params = init(np.random.default_rng(0), 784)
    >>> params["encoder"][-1]["w"].shape, params["decoder"][0]["w"].shape
    ((256, 32), (32, 256))
    """
    return {
        "encoder": mlp.init(rng, [pixels, 256, code]),
        "decoder": mlp.init(rng, [code, 256, pixels]),
    }


def encode(params: Params, x: Array) -> Array:
    """Return the codes (n, code) of images as rows x (n, pixels)."""
    return mlp.apply(params["encoder"], x)


def decode(params: Params, code: Array) -> Array:
    """Return images as rows (n, pixels), in [0, 1], made from codes (n, code)."""
    return nn.sigmoid(mlp.apply(params["decoder"], code))


def apply(params: Params, x: Array) -> Array:
    """Return what is left of images after they went through the code."""
    return decode(params, encode(params, x))


def loss(params: Params, x: Array) -> Array:
    """Return the mean squared error of a pixel."""
    return ((apply(params, x) - x) ** 2).mean()


def train(x: Array, code: int = 32, steps: int = 3000, seed: int = 0) -> Params:
    """Return the parameters after so many steps of Adam on 128 random rows each."""
    rng = np.random.default_rng(seed)
    params = init(rng, x.shape[1], code)
    adam = optim.adam(optim.cosine(0.003, steps, warmup=steps // 20))
    state = adam.init(params)
    gradient = value_and_grad(loss)
    for _ in small.progress(steps):
        _, grads = gradient(params, x[rng.integers(len(x), size=128)])
        updates, state = adam.update(grads, state, params)
        params = optim.apply_updates(params, updates)
    return params


def principal_components(x: Array, test: Array, n: int) -> Array:
    """Return what is left of test images after n components of x, the linear best."""
    mean = x.mean(0)
    _, axes = np.linalg.eigh(np.cov(x, rowvar=False))
    return mean + (test - mean) @ axes[:, -n:] @ axes[:, -n:].T


def main(steps: int, seed: int) -> None:
    """Train on MNIST, print the error on test images, and draw what became of one."""
    (images, _), (test_images, _) = small.mnist()
    x, test = nn.flatten(images), nn.flatten(test_images)
    decoded = apply(train(x, steps=steps, seed=seed), test)
    pair = np.stack([test[0], decoded[0]]).reshape(2, 28, 28) * 255
    predict.draw(Console(highlight=False), np.hstack([*pair])[..., None])
    linear = principal_components(x, test, 32)
    print(
        f"error of a test pixel {((decoded - test) ** 2).mean():.4f}, squared;", end=""
    )
    print(f" with 32 principal components {((linear - test) ** 2).mean():.4f}")


if __name__ == "__main__":
    small.command(main, __doc__, steps=3000)
