"""The pictures of a run: curves, kernels, feature maps, mistakes, confusions."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from . import checkpoint
from .batches import Split, as_float, prepare
from .errors import OptionError
from .recipes import Recipe
from .run import Run
from .scores import Evaluation

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
        "calibration.png": calibration(found),
    }


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, all or nothing; raises `CheckpointError`."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=130, format="png")
    checkpoint.write_atomically(path, drawn.getvalue())


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
            "o-",
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
    first.imshow(_shown(image), cmap="gray")
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
        axes.imshow(_shown(images[i]), cmap="gray_r")
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
    # Few pairs have most of the mistakes: by their roots, the others are seen as well.
    shades = PowerNorm(0.5, vmin=0, vmax=max(wrong.max(), 1))
    axes.imshow(wrong, cmap="Oranges", norm=shades)
    ticks = range(len(names))
    axes.set(xlabel="taken for", ylabel="truth", xticks=ticks, yticks=ticks)
    turned = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticklabels(names, fontsize=8, rotation=turned)
    axes.set_yticklabels(names, fontsize=8)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=GREY, alpha=0.15, linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    for row, column in np.argwhere(wrong):
        dark = shades(wrong[row, column]) > 0.6
        axes.text(
            *(column, row, wrong[row, column]),
            ha="center",
            va="center",
            fontsize=7 if len(names) <= 12 else 6,
            color="white" if dark else "black",
        )
    figure.suptitle(f"{int(wrong.sum()):,} mistakes among {int(counts.sum()):,} images")
    return figure


def calibration(found: Evaluation) -> Figure:
    """Draw how often predictions were right against how sure they were."""
    bins = found.calibration()
    edges = np.linspace(0, 1, len(bins.images) + 1)
    wide, left = edges[1], edges[:-1]
    figure = Figure(figsize=(4.6, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    upper.plot([0, 1], [0, 1], "--", color="black", linewidth=1, zorder=3)
    upper.bar(left, bins.accuracy, wide, align="edge", color=BLUE, edgecolor="white")
    upper.plot(
        *(bins.confidence, bins.accuracy, "o"),
        color=ORANGE,
        clip_on=False,
        label="mean of the bin",
    )
    upper.set(ylabel="fraction right", xlim=(0, 1), ylim=(0, 1))
    upper.legend(frameon=False, loc="upper left")
    upper.set_title(
        f"expected calibration error {found.calibration().error:.2%}\n"
        f"sure {found.probabilities.max(1).mean():.2%}, right {found.accuracy:.2%}",
        fontsize=10,
    )
    lower.bar(left, bins.images, wide, align="edge", color=BLUE, edgecolor="white")
    lower.set(xlabel="probability of the prediction", ylabel="images", yscale="log")
    lower.set_ylim(bottom=0.7)  # so that a bar of one image is seen
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def augmented(
    train: Split, recipe: Recipe, seed: int, images: int = 8, epochs: int = 9
) -> Figure:
    """Draw some images to train on, and beside each what several epochs make of it.

    Raises `OptionError` when the recipe changes no image.
    """
    if not recipe.augmentation.changes:
        raise OptionError(
            "this recipe changes no image: add --augment all, --elastic, --cutout, "
            "--mixup, --flip or --crop"
        )
    rows = np.arange(min(images, len(train.labels)))
    all_change = recipe._replace(expand=0)
    seen = [prepare(train, all_change, seed, e, rows).images for e in range(epochs)]
    columns = np.stack([train.images[rows], *seen], 1)
    picture = _tiled(columns)
    height, width = picture.shape[:2]
    figure = Figure(figsize=(10, 10 * height / width + 0.7), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    names = ["original", *(f"epoch {e + 1}" for e in range(epochs))]
    places = (np.arange(len(names)) + 0.5) * (width + 2) / len(names) - 1.5
    axes.set_xticks(places, names, fontsize=8)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    figure.suptitle(str(recipe.augmentation), fontsize=10)
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


def _tiled(images: NDArray[np.uint8]) -> NDArray:
    """Return images (rows, columns, h, w, c) in one picture, two white pixels apart."""
    gap = ((0, 0), (0, 0), (0, 2), (0, 2), (0, 0))
    padded = np.pad(images, gap, constant_values=255).transpose(0, 2, 1, 3, 4)
    rows, height, columns, width, channels = padded.shape
    whole = padded.reshape(rows * height, columns * width, channels)
    return _shown(whole[:-2, :-2])


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


def _shown(image: NDArray[np.uint8]) -> NDArray:
    """Return an image (h, w, c) as `imshow` takes it: colours, or grey (h, w)."""
    return image if image.shape[-1] == 3 else image.mean(-1)


def _percent_wrong(accuracy: float) -> float:
    """Return the error in per cent, kept above zero for the logarithmic axis."""
    return max(100 * (1 - accuracy), 0.01)


def _label_2_and_5(value: float, _: object) -> str:
    """Label a logarithmic axis at 2 and 5 of each decade besides 1."""
    digit = f"{value:e}"[0]
    return f"{value:g}" if digit in "25" else ""
