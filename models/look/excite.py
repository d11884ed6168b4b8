"""Images that excite a unit: gradient ascent from noise, kept near what is seen.

Without a check, ascent ends in a pattern of single pixels. Three regularisers hold it:
jitter (the image is shifted at random in each step, so that no pixel's exact place
counts), decay (L2) and a blur every few steps.

Sources: Simonyan et al. 2014 (L2); Yosinski et al., Understanding Neural Networks
Through Deep Visualization, 2015 (blur); Olah et al., Feature Visualization, 2017
(jitter).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from autograd_lite import vjp

Floats = NDArray[np.float32]
Activations = Callable[[Any], Any]  # images (n, h, w, c) -> (n,), image i's own unit


_TRIALS = 32


class Ascent(NamedTuple):
    """How images are optimised; lengths are in pixels, brightness goes from 0 to 1."""

    steps: int = 200
    rate: float = 0.06  # mean change of a pixel in the first step
    jitter: int = 2
    decay: float = 0.02  # of each pixel, per step
    blur: float = 0.5  # deviation
    blur_every: int = 4  # steps
    start: float = 0.15  # brightest pixel of the noise at the beginning


def excite(
    activations: Activations,
    n: int,
    image_shape: tuple[int, int, int],
    rng: np.random.Generator,
    how: Ascent | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Floats:
    """Return n images in [0, 1], image i optimised to excite unit i: (n, h, w, c).

    >>> def brightness(x):
    ...     return x.mean((1, 2, 3))
    >>> shape, rng = (6, 6, 1), np.random.default_rng(0)
    >>> bool(excite(brightness, 2, shape, rng).min() > 0.9)
    True
    """
    how = how or Ascent()
    images = _beginning(activations, (n, *image_shape), how.start, rng)
    for step in range(how.steps):
        shift = rng.integers(-how.jitter, how.jitter + 1, 2)
        moved = np.roll(images, shift, (1, 2))
        values, pullback = vjp(activations, moved)
        (uphill,) = pullback(np.ones_like(values))
        uphill = _of_length_one(np.roll(uphill, -shift, (1, 2)))
        rate = how.rate * (1 - 0.7 * step / how.steps)
        images = (1 - how.decay) * images + np.float32(rate) * uphill
        if step % how.blur_every == 0 and step < 0.9 * how.steps:
            images = gaussian_filter(images, (0, how.blur, how.blur, 0))
        images = np.clip(images, 0, 1).astype(np.float32)
        on_step()
    return images


def _beginning(
    activations: Activations,
    shape: tuple[int, ...],
    start: float,
    rng: np.random.Generator,
) -> Floats:
    """Return noise for each unit, other noise where that leaves the unit silent.

    A unit that does not respond at all has no gradient to climb. Of some blots of
    several sizes it gets the one that it responds to most.
    """
    noise = start * rng.random(shape, np.float32)
    values, pullback = vjp(activations, noise)
    (uphill,) = pullback(np.ones_like(values))
    silent = ~uphill.any((1, 2, 3))
    most = np.zeros(len(noise))
    for trial in range(_TRIALS if silent.any() else 0):
        blots = gaussian_filter(
            rng.standard_normal(shape, np.float32), (0, *[0.5 + trial % 4] * 2, 0)
        )
        blots = (blots > blots.std()).astype(np.float32)
        values = activations(blots)
        better = silent & (values > most)
        noise = np.where(better[:, None, None, None], blots, noise)
        most = np.where(better, values, most)
    return noise


def _of_length_one(gradients: Floats) -> Floats:
    """Scale each image's gradient to a mean square of one; zeros stay zeros."""
    size = np.sqrt(np.square(gradients).mean((1, 2, 3), keepdims=True))
    return gradients / np.maximum(size, 1e-20)
