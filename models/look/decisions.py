"""The sections about images: feature maps, saliency, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..batches import as_float
from . import saliency
from .subject import Subject
from .tiles import (
    STRENGTH,
    Group,
    Panel,
    Scale,
    Section,
    Tile,
    mosaic,
    photo,
    signed,
    strength,
)

Advance = Callable[[float], None]  # by so much of the section
Floats = NDArray[np.float32]

OPEN_MAPS, OPEN_ROWS, MISTAKES = 1, 12, 12
UNASKED = 10  # images whose feature maps are shown if none was asked for
_STRIP = 32  # units of a dense layer in a row


# -- feature maps --------------------------------------------------------------------


def feature_maps(subject: Subject, advance: Advance) -> Section:
    """Show what each layer makes of each image."""
    maps = subject.activations(subject.batch)
    images = subject.images if subject.asked else subject.images[:UNASKED]
    files = _files([shown.name for shown in images])
    panels = []
    for i, shown in enumerate(images):
        groups = [_maps(name, values[i]) for name, values in maps.items()]
        image = Tile(photo(shown.pixels), "", f"the image {shown.name}")
        panels.append(
            Panel(
                f"maps-{files[i]}.png",
                f"{shown.name}: {subject.said(i)}",
                [Group("", [image], 8, flows=True), *groups],
                folded=i >= OPEN_MAPS,
            )
        )
        advance(1 / len(images))
    return Section(
        "Feature maps",
        "What each layer makes of an image: where each of its filters responds, and "
        "how much. Black is no response.",
        "Activations after the ReLU, on one scale per layer and image, in the order of "
        "the layer's kernels. A dense layer has no places: each square is a unit.",
        panels,
    )


def _maps(name: str, values: Floats) -> Group:
    """Show the activations (h, w, k) or (k,) of a layer for one image."""
    most = float(values.max()) or 1.0
    if values.ndim == 1:
        title = f"{name}: {len(values)} units"
        tiles, columns = [strength(v.reshape(1, 1), most) for v in values], _STRIP
        picture = mosaic([np.repeat(np.repeat(t, 6, 0), 6, 1) for t in tiles], columns)
    else:
        h, w, k = values.shape
        title = f"{name}: {k} maps of {h} x {w}"
        columns = 8 if k <= 32 else 16
        planes = [strength(values[..., unit], most) for unit in range(k)]
        picture = mosaic(planes, columns, 1 + w // 14)
    scale = Scale(STRENGTH, "0", f"{most:.2g}")
    return Group(title, [Tile(picture, "", f"activations of {title}")], 1, scale)


# -- saliency ------------------------------------------------------------------------


def salient(subject: Subject, advance: Advance) -> Section:
    """Show which pixels each decision hangs on, in four ways."""
    guesses = subject.chances.argmax(1)
    weights = saliency.one_hot(guesses, len(subject.names))
    images, rng = subject.batch, np.random.default_rng(0)
    plain = saliency.gradient(subject.logits, images, weights)
    smooth = saliency.smooth(subject.logits, images, weights, rng)
    groups = []
    for i, shown in enumerate(subject.images):
        covered = saliency.occlusion(subject.logits, images[i], weights[i])
        tiles = [
            Tile(photo(shown.pixels), "image", f"the image {shown.name}"),
            _strength("gradient", _size(plain[i])),
            _strength("SmoothGrad", _size(smooth[i])),
            _signed("× input", (smooth[i] * images[i]).sum(-1)),
            _signed("covered", covered),
        ]
        groups.append(Group(f"{shown.name}: {subject.said(i)}", tiles, 5))
        advance(1 / len(subject.images))
    first, rest = groups[:OPEN_ROWS], groups[OPEN_ROWS:]
    panels = [Panel("saliency.png", "Which pixels decide", first, across=2)]
    if rest:
        title = f"{len(rest)} more"
        panels.append(Panel("saliency-more.png", title, rest, across=2, folded=True))
    return Section(
        "Saliency",
        "Which pixels the class that was chosen hangs on. Gradient and SmoothGrad: "
        "where a change of brightness matters, in either direction. × input and "
        "covered: orange speaks for the class, blue against it.",
        "The gradient of the class's logit by the image; its mean over noisy copies "
        "(Smilkov et al. 2017); that mean times the image; and how far the logit falls "
        "when a small black patch covers the place. Each is scaled by itself.",
        panels,
    )


def _size(gradient: Floats) -> Floats:
    """Return the largest size of a gradient (h, w, c) in any channel."""
    return np.abs(gradient).max(-1)


def _strength(name: str, plane: Floats) -> Tile:
    # A few pixels far above the others would leave these in the dark.
    most = float(np.quantile(plane, 0.99)) or None
    return Tile(strength(plane, most), name, f"saliency: {name}")


def _signed(name: str, plane: NDArray[Any]) -> Tile:
    return Tile(signed(plane), name, f"saliency: {name}")


# -- mistakes ------------------------------------------------------------------------


def mistakes(subject: Subject, advance: Advance) -> Section:
    """Show the most confident mistakes, and which pixels misled."""
    found, images = subject.evaluation, subject.test.images
    advance(0.5)
    worst = found.worst(MISTAKES)
    wrong = int((found.predictions != found.labels).sum())
    groups = [
        _mistake(subject, int(i), speaks, images[i])
        for i, speaks in zip(worst, _for_guess(subject, worst))
    ]
    title = f"The {len(worst)} most confident of {wrong:,} mistakes"
    return Section(
        "Mistakes",
        f"{found.accuracy:.2%} of the {len(found.labels):,} test images are classed "
        "right. Of the others, these were the surest; orange pixels spoke for what was "
        "said, blue ones for the truth."
        if wrong
        else f"None: all {len(found.labels):,} test images are classed right.",
        "The difference of the two logits, differentiated by the image: the mean over "
        "noisy copies (SmoothGrad), and that mean times the image.",
        [Panel("mistakes.png", title, groups, across=3)] if wrong else [],
    )


def _for_guess(subject: Subject, worst: NDArray[np.int64]) -> list[Floats]:
    """Return, for each image, the smooth gradient of guess minus truth: (h, w, c)."""
    if not len(worst):
        return []
    found, classes = subject.evaluation, len(subject.names)
    weights = saliency.one_hot(found.predictions[worst], classes)
    weights -= saliency.one_hot(found.labels[worst], classes)
    images, rng = as_float(subject.test.images[worst]), np.random.default_rng(0)
    return list(saliency.smooth(subject.logits, images, weights, rng))


def _mistake(subject: Subject, i: int, speaks: Floats, image: NDArray) -> Group:
    found, names = subject.evaluation, subject.names
    guess, truth = found.predictions[i], found.labels[i]
    chance = 100 * found.probabilities[i, guess]
    title = f"{names[truth]}, taken for {names[guess]} ({chance:.1f} %)"
    tiles = [
        Tile(photo(image), f"test:{i}", f"test image {i}"),
        _signed("SmoothGrad", speaks.sum(-1)),
        _signed("× input", (speaks * as_float(image)).sum(-1)),
    ]
    return Group(title, tiles, 3)


def _files(names: list[str]) -> list[str]:
    """Return names that can be those of files, all different.

    >>> _files(["test:17", "my picture.png", "test:17"])
    ['test-17', 'my-picture-png', 'test-17-2']
    """
    plain = ["".join(c if c.isalnum() else "-" for c in name) for name in names]
    times = [plain[: i + 1].count(name) for i, name in enumerate(plain)]
    return [f"{name}-{n}" if n > 1 else name for name, n in zip(plain, times)]
