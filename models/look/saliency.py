"""Which pixels a decision hangs on: gradients of logits with respect to an image.

Every function asks about a weighted sum of logits, one row of `weights` (n, classes)
per image: `one_hot` for a single class, a difference of two for one against another.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autograd_lite import vjp

Floats = NDArray[np.float32]
Logits = Callable[..., Floats]  # images (n, h, w, c) -> (n, classes)


def one_hot(classes: NDArray[np.int64], n: int) -> Floats:
    """Return rows that pick one class of n each.

    >>> one_hot(np.array([2, 0]), 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    return np.eye(n, dtype=np.float32)[classes]


def gradient(logits: Logits, images: Floats, weights: Floats) -> Floats:
    """Return how each image's sum of logits grows with each pixel: (n, h, w, c).

    Source: Simonyan, Vedaldi, Zisserman, Deep Inside Convolutional Networks, 2014.

    >>> gradient(lambda x: np.sin(x), np.zeros((1, 2)), np.array([[3.0, 0.0]]))
    array([[3., 0.]])
    """
    _, pullback = vjp(logits, images)
    (found,) = pullback(weights)
    return found


def smooth(
    logits: Logits,
    images: Floats,
    weights: Floats,
    rng: np.random.Generator,
    samples: int = 48,
    noise: float = 0.3,
) -> Floats:
    """Return the mean gradient at noisy copies of each image: (n, h, w, c).

    `noise` is the deviation of what is added, as a share of the image's range.

    Source: Smilkov et al., SmoothGrad: removing noise by adding noise, 2017.
    """
    deviation = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)
    total = np.zeros_like(images)
    for _ in range(samples):
        shaken = deviation * rng.standard_normal(images.shape, np.float32)
        total += gradient(logits, images + shaken, weights)
    return total / np.float32(samples)


def occlusion(logits: Logits, image: Floats, weights: Floats) -> NDArray[np.float64]:
    """Return what covering each pixel of an image (h, w, c) takes away: (h, w).

    A black patch, a fifth of the image wide, goes over it; a pixel's value is the mean
    fall of the sum of logits, `weights` (classes,), of the patches that cover it.

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks,
    2014.
    """
    masks = _patches(image.shape[0], image.shape[1])
    covered = logits(image * (1 - masks[..., None]))
    fall = (logits(image[None]) - covered).astype(np.float64) @ weights
    return np.tensordot(fall, masks, 1) / masks.sum(0)


def _patches(height: int, width: int) -> Floats:
    """Return a mask (h, w) for each place of the patch.

    It moves by half its width, its middle within the image: every pixel is covered.
    """
    half = max(1, min(height, width) // 10)
    rows, columns = np.arange(height), np.arange(width)
    down = np.abs(rows - rows[::half, None]) <= half
    across = np.abs(columns - columns[::half, None]) <= half
    masks = down[:, None, :, None] & across[None, :, None, :]
    return masks.reshape(-1, height, width).astype(np.float32)
