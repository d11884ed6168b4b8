"""The sections about weights: kernels, and what training made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_lite import tree

from .. import cnn
from .subject import Subject
from .tiles import (
    SIGNED,
    Group,
    Panel,
    Pixels,
    Scale,
    Section,
    Tile,
    largest,
    mosaic,
    signed,
    tinted,
)

Weights = NDArray[np.floating[Any]]


def layers(params: cnn.Params) -> dict[str, Weights]:
    """Return each layer's kernels (r, s, c, k) or matrix (inputs, outputs), by name.

    >>> layers({"dense1": {"w": np.zeros((9, 8)), "b": np.zeros(8)}})["dense1"].shape
    (9, 8)
    """
    return {
        path.rpartition(".")[0]: leaf
        for path, leaf in zip(tree.paths(params), tree.leaves(params))
        if path.rpartition(".")[2] == "w"
    }


def kernels(subject: Subject, advance: object = None) -> Section:
    """Show the kernels of every convolution."""
    channels = subject.run.setup.image_shape[2]
    found = _convolutions(subject.run.params)
    panels = [
        Panel(f"kernels-{name}.png", _shape(name, w), [_first(w, "")])
        for name, w in found.items()
        if w.shape[2] == channels
    ]
    deeper = [
        _deeper(w, _shape(name, w))
        for name, w in found.items()
        if w.shape[2] != channels
    ]
    if deeper:
        title = "The deeper layers"
        panels.append(Panel("kernels-deeper.png", title, deeper, across=2, folded=True))
    return Section(
        "Kernels",
        "What each filter looks for: where it is orange, brightness counts for it; "
        "where it is blue, against it.",
        "The weights as they are, on one scale per layer. A filter that reads the "
        "image is a picture. Of deeper ones there is a table: a row for each filter, a "
        "column for each map that it reads.",
        panels,
    )


def before_and_after(subject: Subject, advance: object = None) -> Section:
    """Show the kernels as they were drawn, and as they are."""
    channels = subject.run.setup.image_shape[2]
    before, after = layers(subject.initial), layers(subject.run.params)
    panels = []
    for name, w in _convolutions(subject.run.params).items():
        most = max(largest(before[name]), largest(w))
        draw = _first if w.shape[2] == channels else _deeper
        pair = [draw(before[name], "before", most, 4), draw(w, "after", most, 4)]
        panels.append(
            Panel(
                f"before-after-{name}.png",
                f"{name}: moved by {_moved(before[name], w)}",
                pair,
                across=2,
                folded=w.shape[2] != channels,
            )
        )
    dense = [n for n in after if after[n].ndim == 2]
    told = ", ".join(f"{n} by {_moved(before[n], after[n])}" for n in dense)
    return Section(
        "Before and after training",
        "The same filters in the same places. How far they moved is told in per cent "
        f"of the length of the initial weights; those not shown moved too: {told}."
        if subject.is_trained
        else "No training step has been done yet: both sides are the same.",
        f"The initial weights were drawn again from the run's seed, "
        f"{subject.run.setup.seed}. Both sides have one scale.",
        panels,
    )


def _moved(before: Weights, after: Weights) -> str:
    share = np.linalg.norm(after - before) / (np.linalg.norm(before) or 1)
    return f"{100 * share:.0f} %"


def _convolutions(params: cnn.Params) -> dict[str, Weights]:
    return {name: w for name, w in layers(params).items() if w.ndim == 4}


def _shape(name: str, w: Weights) -> str:
    inputs, filters = w.shape[2:]
    return f"{name}: {filters} filters over {inputs} channel{'s' * (inputs > 1)}"


def _first(
    w: Weights, title: str, most: float | None = None, columns: int = 8
) -> Group:
    """Show kernels that read the image, each as one picture."""
    most = largest(w) if most is None else most
    tiles = [
        Tile(_picture(w[..., k], most), str(k), f"filter {k} {title}".strip())
        for k in range(w.shape[3])
    ]
    return Group(title, tiles, columns, None if w.shape[2] == 3 else _scale(most))


def _picture(kernel: Weights, most: float) -> Pixels:
    """Show a kernel (r, s, c): in colours, or its channels one below the other."""
    if kernel.shape[2] == 3:
        return tinted(kernel, most)
    if kernel.shape[2] == 1:
        return signed(kernel[..., 0], most)
    return mosaic([signed(plane, most) for plane in kernel.transpose(2, 0, 1)], 1)


def _deeper(
    w: Weights, title: str, most: float | None = None, columns: int = 1
) -> Group:
    """Show kernels that read maps as a table: filters down, inputs across."""
    most = largest(w) if most is None else most
    inputs, filters = w.shape[2:]
    planes = w.transpose(3, 2, 0, 1).reshape(-1, *w.shape[:2])
    twice = planes.repeat(2, 1).repeat(2, 2)  # so that the gaps are half a weight wide
    table = mosaic([signed(plane, most) for plane in twice], inputs)
    alt = f"table of kernels {title}: {filters} filters down, {inputs} inputs across"
    return Group(title, [Tile(table, "", alt)], 1, _scale(most))


def _scale(most: float) -> Scale:
    return Scale(SIGNED, f"-{most:.2g}", f"+{most:.2g}")
