"""The sections about units: what excites them, and the space of the last of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autograd_lite import nn, scipy

from ..batches import as_float
from .decisions import Advance
from .embed import pca, tsne
from .excite import Ascent, excite
from .sheet import INK
from .subject import Subject
from .tiles import Group, Panel, Section, Tile, photo

FILTERS = 8  # of each layer, whose favourites are shown
CLASS = Ascent()
FILTER = Ascent(start=0.8)  # a filter that faint noise leaves silent has no gradient
POINTS = 1500  # images in the map of the last layer
_PAPER = {False: "#ffffff", True: "#15181c"}
_PEN = {False: INK, True: "#e6e9ee"}


# -- what excites --------------------------------------------------------------------


def excited(subject: Subject, advance: Advance) -> Section:
    """Show images made to excite each class, and the first filters of each layer."""
    shape = subject.run.setup.image_shape
    layers = {
        name: min(FILTERS, values.shape[-1])
        for name, values in subject.activations(np.zeros((1, *shape), "f4")).items()
    }
    step = 1 / CLASS.steps / (1 + len(layers))

    def made(
        activations: Callable[[Any], Any], n: int, how: Ascent
    ) -> NDArray[np.float32]:
        rng = np.random.default_rng(0)
        return excite(activations, n, shape, rng, how, lambda: advance(step))

    images = made(_odds(subject), len(subject.names), CLASS)
    columns = 10 if max(map(len, subject.names)) < 5 else 6
    favourites = Group("", _favourites(subject, images), columns, flows=True)
    panels = [Panel("excite-classes.png", "The classes", [favourites])]
    groups = []
    for name, n in layers.items():
        activations = _units(subject, name, n)
        images = made(activations, n, FILTER)
        fired = activations(images)
        groups.append(Group(name, _filters(name, images, fired), FILTERS))
    panels.append(Panel("excite-filters.png", "The first units of each layer", groups))
    return Section(
        "What excites a unit",
        "Images painted by the network itself: each makes one class, or one filter, "
        "respond as much as it can. Below a class: how probable the network finds it.",
        f"{CLASS.steps} steps of gradient ascent from noise on the class's logarithmic "
        "odds, on the unit, or on the mean square of the filter's map. In each "
        "step the image is shifted at random and fades a little; in every fourth it is "
        "blurred (activation maximisation with jitter, L2 and blur). Silent: no image "
        "that was tried made the unit respond.",
        panels,
    )


def _odds(subject: Subject) -> Callable[[Any], Any]:
    """Return the function from an image per class to its logarithmic odds.

    The logit alone would do for classes that are unlike each other; between g and q, it
    is the lead over all others that makes the image the one and not the other.
    """
    n = len(subject.names)
    own = np.eye(n, dtype=np.float32)

    def odds(images: Any) -> Any:
        logits = subject.logits(images)
        others = scipy.special.logsumexp(logits - 1e9 * own, axis=1)
        return (logits * own).sum(1) - others

    return odds


def _units(subject: Subject, layer: str, n: int) -> Callable[[Any], Any]:
    """Return the function from n images to the i-th one's activation of unit i."""

    def activations(images: Any) -> Any:
        values = subject.activations(images)[layer]
        # The square makes a strong response in places worth more than a weak one all
        # over, which many filters of edges have to plain black or white.
        each = values if values.ndim == 2 else (values * values).mean((1, 2))
        return each[range(n), range(n)]

    return activations


def _favourites(subject: Subject, images: NDArray[np.float32]) -> list[Tile]:
    chances = nn.softmax(subject.logits(images)).diagonal()
    return [
        Tile(photo(image), f"{name}: {100 * p:.0f} %", f"an image that excites {name}")
        for image, name, p in zip(images, subject.names, chances)
    ]


def _filters(
    layer: str, images: NDArray[np.float32], fired: NDArray[np.float32]
) -> list[Tile]:
    return [
        Tile(
            photo(image),
            str(i) if value > 0 else f"{i}: silent",
            f"an image that excites unit {i} of {layer}",
        )
        for i, (image, value) in enumerate(zip(images, fired))
    ]


# -- the last layer ------------------------------------------------------------------


def last_layer(subject: Subject, advance: Advance) -> Section:
    """Show the test images as points: near each other if the last layer thinks so."""
    images, labels = subject.test.images[:POINTS], subject.test.labels[:POINTS]
    parts = [
        list(subject.activations(as_float(images[at : at + 500])).values())[-1]
        for at in range(0, len(images), 500)
    ]
    points = np.concatenate(parts).reshape(len(images), -1)
    advance(0.2)
    places, shares = pca(points)
    title = (
        f"PCA: 2 of {points.shape[1]} directions, {shares.sum():.0%} of the variance"
    )
    panels = [_scatter("pca.png", title, places, labels, subject.names)]
    if (neighbours := tsne(points)) is not None:
        panels.append(_scatter("tsne.png", "t-SNE", neighbours, labels, subject.names))
    return Section(
        "The last hidden layer",
        f"{len(images):,} test images, each a point, coloured by its true class, whose "
        "name stands in its middle. The network's last step divides this space by "
        "straight cuts: classes that lie apart are easily told.",
        "The activations of the last hidden layer, projected to the two directions in "
        "which they vary most (PCA, by NumPy's SVD)"
        + (
            "; and by t-SNE, which keeps neighbours together, and whose distances mean "
            "nothing."
            if neighbours is not None
            else ". With scikit-learn installed there is a t-SNE beside it."
        ),
        panels,
    )


def _scatter(
    file: str,
    title: str,
    places: NDArray[Any],
    labels: NDArray[np.int64],
    names: tuple[str, ...],
) -> Panel:
    def draw(dark: bool) -> Figure:
        figure = Figure(
            figsize=(5.2, 4.6), facecolor=_PAPER[dark], layout="constrained"
        )
        axes = figure.subplots()
        axes.axis("off")
        axes.set_aspect("equal", adjustable="datalim")
        for colour, label in zip(_colours(len(names)), range(len(names))):
            x, y = places[labels == label].T
            axes.scatter(x, y, s=7, color=colour, linewidths=0, alpha=0.8)
        for label in np.unique(labels):
            middle = np.median(places[labels == label], 0)
            _write(axes, middle, names[label], dark, len(names))
        return figure

    return Panel(file, title, figure=draw)


def _write(
    axes: Axes, place: NDArray[Any], name: str, dark: bool, classes: int
) -> None:
    halo = patheffects.withStroke(linewidth=3, foreground=_PAPER[dark])
    x, y = place
    axes.text(
        x,
        y,
        name,
        ha="center",
        va="center",
        fontsize=15 if classes <= 12 else 10,
        weight="bold",
        color=_PEN[dark],
        path_effects=[halo],
        parse_math=False,
    )


def _colours(n: int) -> list[Any]:
    """Return n colours that are told apart on bright and on dark paper."""
    if n <= 10:
        return list(matplotlib.colormaps["tab10"](range(n)))
    return list(matplotlib.colormaps["turbo"](np.linspace(0.05, 0.95, n)))
