"""What a look is made of: sections of panels of groups of tiles, and their colours.

One convention holds for all: black is nothing, the brighter the more; where there are
signs, orange is positive and blue negative (a pair that colour-blind people can tell).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (h, w, 3), or (h, w, 4) where parts are clear
Planes = NDArray[np.floating[Any]]

_BLUE, _ORANGE = ("#a5d8ff", "#2b7cd3"), ("#d9730d", "#ffd8a8")
SIGNED = LinearSegmentedColormap.from_list(
    "signed", [*_BLUE, "#000000", *_ORANGE], N=511
)
STRENGTH: Colormap = matplotlib.colormaps["magma"]


class Tile(NamedTuple):
    """One picture, a pixel per number, and what is written below it."""

    pixels: Pixels
    label: str = ""
    alt: str = ""  # for those who don't see it


class Scale(NamedTuple):
    """What the colours of a group mean."""

    colours: Colormap
    low: str
    high: str


class Group(NamedTuple):
    """Tiles that belong together, `columns` in a row."""

    title: str
    tiles: list[Tile]
    columns: int
    scale: Scale | None = None
    flows: bool = False  # on the page a row takes as many tiles as there is room for


class Panel(NamedTuple):
    """What one PNG shows: groups, `across` side by side, or a figure."""

    file: str
    title: str
    groups: Sequence[Group] = ()
    across: int = 1
    figure: Callable[[bool], Figure] | None = None  # on dark paper, or on bright
    folded: bool = False  # on the page, it opens on a click


class Section(NamedTuple):
    """A chapter of the page: what one sees, how it was made, and the panels."""

    title: str
    sees: str
    made: str
    panels: list[Panel]


# -- numbers to colours --------------------------------------------------------------


def photo(image: NDArray[Any]) -> Pixels:
    """Return an image (h, w, c) as it is: uint8, or floats in [0, 1].

    Three channels are colours; any other number of them is shown as their mean.

    >>> photo(np.full((1, 2, 1), 0.2)).tolist()
    [[[51, 51, 51], [51, 51, 51]]]
    """
    if image.dtype != np.uint8:
        image = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    if image.shape[2] == 3:
        return image
    grey = np.rint(image.mean(2, keepdims=True)).astype(np.uint8)
    return np.repeat(grey, 3, 2)


def strength(plane: Planes, most: float | None = None) -> Pixels:
    """Colour a plane (h, w) of numbers >= 0, `most` (the largest) brightest."""
    return _coloured(STRENGTH, plane / (largest(plane) if most is None else most))


def signed(plane: Planes, most: float | None = None) -> Pixels:
    """Colour a plane (h, w) of numbers of either sign.

    >>> signed(np.array([[-2.0, 0.0, 2.0]])).tolist()
    [[[165, 216, 255], [0, 0, 0], [255, 216, 168]]]
    """
    most = largest(plane) if most is None else most
    return _coloured(SIGNED, 0.5 + 0.5 * plane / most)


def tinted(kernel: Planes, most: float) -> Pixels:
    """Show a kernel of three channels (h, w, 3) as colours; grey is nothing."""
    return photo(0.5 + 0.5 * kernel / most)


def largest(values: NDArray[Any]) -> float:
    """Return the largest absolute value, or 1 where all are 0."""
    return float(np.abs(values).max(initial=0)) or 1.0


def _coloured(colours: Colormap, shares: NDArray[Any]) -> Pixels:
    return colours(np.asarray(shares, np.float64), bytes=True)[..., :3]


# -- many tiles to one ---------------------------------------------------------------


def mosaic(tiles: Sequence[Pixels], columns: int, gap: int = 1) -> Pixels:
    """Put tiles of one size side by side, with clear gaps: one picture (h, w, 4).

    >>> mosaic([np.zeros((2, 2, 3), np.uint8)] * 3, 2).shape
    (5, 5, 4)
    """
    height, width = tiles[0].shape[:2]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 4)
    picture = np.zeros(size, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        cell = picture[top : top + height, left : left + width]
        cell[..., :3], cell[..., 3] = tile, 255
    return picture
