"""The pictures of a run: curves, kernels, feature maps, mistakes, confusions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from .batches import Split, as_float
from .evaluate import Evaluation
from .run import Run

BLUE, ORANGE, GREY = "#3465a4", "#ce5c00", "#666666"


def draw_all(run: Run, test: Split, found: Evaluation) -> dict[str, Figure]:
    """Return every picture of a run, by the name of its file."""
    names = run.setup.class_names
    maps = run.setup.model.feature_maps(
        run.params, as_float(test.images[:1]), run.state
    )
    return {
        "curves.png": curves(run.metrics),
        "kernels.png": kernels(run.params["conv1"]["w"]),
        "features.png": features(test.images[0], maps),
        "mistakes.png": mistakes(test.images, found, names),
        "confusion.png": confusion(found.confusion(), names),
    }


def curves(metrics: list[dict[str, Any]]) -> Figure:
    """Draw loss and error over the epochs, in training and on held-out images."""
    points = [entry for entry in metrics if "at" in entry]
    epochs = [entry for entry in metrics if "validation_loss" in entry]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name, title in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("loss", "images classed wrong, %")
    ):
        shown = _percent_wrong if name == "accuracy" else float
        axes.plot(
            [entry["at"] for entry in points],
            [shown(entry[name]) for entry in points],
            color=BLUE,
            label="in training",
        )
        axes.plot(
            [entry["epoch"] for entry in epochs],
            [shown(entry[f"validation_{name}"]) for entry in epochs],
            "o",
            color=ORANGE,
            label="held out, after the epoch",
        )
        axes.set(title=title, xlabel="epoch", yscale="log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(_label_2_and_5))
        axes.grid(axis="y", which="both", alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def kernels(weights: NDArray[np.float32]) -> Figure:
    """Draw the kernels of a first convolution, (r, s, c, k): red adds, blue takes."""
    planes = weights.mean(2).transpose(2, 0, 1)
    limit = float(np.abs(planes).max()) or 1.0
    picture = _mosaic(planes, 8, 1)
    figure = Figure(
        figsize=(picture.shape[1] / 4 + 1.2, picture.shape[0] / 4 + 0.5),
        layout="constrained",
    )
    axes = figure.subplots()
    image = axes.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.axis("off")
    figure.colorbar(image, ax=axes, pad=0.02)
    figure.suptitle(f"the {len(planes)} kernels of the first convolution")
    return figure


def features(image: NDArray[np.uint8], maps: dict[str, NDArray]) -> Figure:
    """Draw an image (h, w, c), and below it each layer's maps (1, h, w, k)."""
    pictures = {
        f"{name}: {' x '.join(map(str, values.shape[1:]))}": _mosaic(
            values[0].transpose(2, 0, 1), 16, 1 + values.shape[2] // 14
        )
        for name, values in maps.items()
    }
    width = 9.0
    heights = [width * p.shape[0] / p.shape[1] + 0.3 for p in pictures.values()]
    figure = Figure(figsize=(width, 1.3 + sum(heights)), layout="constrained")
    first, *rest = figure.subplots(len(pictures) + 1, 1, height_ratios=[1.2, *heights])
    first.imshow(_grey(image), cmap="gray")
    first.axis("off")
    for axes, (title, picture) in zip(rest, pictures.items()):
        axes.imshow(picture, cmap="magma", vmin=0)
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    return figure


def mistakes(
    images: NDArray[np.uint8], found: Evaluation, names: tuple[str, ...], n: int = 32
) -> Figure:
    """Draw the images that were classed wrong with the greatest confidence."""
    worst = found.worst(n)
    figure, cells = _grid(max(len(worst), 1), 8, 1.35)
    for axes, i in zip(cells, worst):
        axes.imshow(_grey(images[i]), cmap="gray_r")
        guess = found.predictions[i]
        chance = 100 * found.probabilities[i, guess]
        truth = names[found.labels[i]]
        axes.set_title(f"{truth}, not {names[guess]}  ({chance:.0f} %)", fontsize=7)
        _frame(axes)
    total = int((found.predictions != found.labels).sum())
    figure.suptitle(f"the {len(worst)} most confident of {total} mistakes")
    return figure


def confusion(counts: NDArray[np.int64], names: tuple[str, ...]) -> Figure:
    """Draw how often each class was taken for another; hits are left out."""
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    side = 3 + 0.22 * len(names)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(wrong, cmap="Oranges")
    ticks = range(len(names))
    axes.set(xlabel="taken for", ylabel="truth", xticks=ticks, yticks=ticks)
    axes.set_xticklabels(names, fontsize=8)
    axes.set_yticklabels(names, fontsize=8)
    for row, column in np.argwhere(wrong):
        dark = wrong[row, column] > wrong.max() / 2
        axes.text(
            *(column, row, wrong[row, column]),
            ha="center",
            va="center",
            fontsize=7 if len(names) <= 12 else 4,
            color="white" if dark else "black",
        )
    figure.suptitle(f"{int(wrong.sum())} mistakes among {int(counts.sum()):,} images")
    return figure


# -- parts ---------------------------------------------------------------------------


def _mosaic(planes: NDArray, columns: int, gap: int) -> NDArray:
    """Return planes (n, h, w) side by side in one picture, with transparent gaps."""
    n, height, width = planes.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    cells = np.full((rows * columns, height + gap, width + gap), np.nan)
    cells[:n, :height, :width] = planes
    tiled = cells.reshape(rows, columns, height + gap, width + gap)
    picture = tiled.transpose(0, 2, 1, 3).reshape(rows * (height + gap), -1)
    return picture[:-gap, :-gap]


def _grid(n: int, columns: int, side: float) -> tuple[Figure, list[Axes]]:
    """Return a figure and a grid of n empty cells, `columns` in a row."""
    columns = min(columns, n)
    rows = -(-n // columns)
    figure = Figure(figsize=(columns * side + 0.8, rows * side + 0.6))
    figure.set_layout_engine("constrained")
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells:
        axes.axis("off")
    return figure, list(cells)


def _frame(axes: Axes) -> None:
    """Show a cell with a thin frame and no ticks."""
    axes.axis("on")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=GREY, linewidth=0.5)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    return image.mean(-1)


def _percent_wrong(accuracy: float) -> float:
    """Return the error in per cent, kept above zero for the logarithmic axis."""
    return max(100 * (1 - accuracy), 0.01)


def _label_2_and_5(value: float, _: object) -> str:
    """Label a logarithmic axis at 2 and 5 of each decade besides 1."""
    digit = f"{value:e}"[0]
    return f"{value:g}" if digit in "25" else ""
