"""A panel as a PNG: its tiles on a sheet of paper, labelled."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from .tiles import Group, Panel

# All lengths are in pixels of a sheet at 100 dots per inch.
_WIDTH, _MARGIN, _GAP = 880, 28, 10
_TITLE, _LABEL, _HEAD = 44, 17, 23  # heights of lines of text
_LARGEST = 104  # side of a tile, unless it is alone in its row
_DPI = 160
INK, FAINT = "#1b1f24", "#59626d"


class _Box(NamedTuple):
    """Where a group lies: its upper left corner, and its tiles' width."""

    left: float
    top: float
    side: float


def png(panel: Panel) -> bytes:
    """Return a panel as a PNG file's content."""
    if panel.figure is None:
        return encode(_sheet(panel))
    figure = panel.figure(False)
    title = figure.suptitle(panel.title, x=0.03, ha="left", fontsize=13, color=INK)
    title.set_fontweight("bold")
    return encode(figure)


def encode(figure: Figure, dpi: int = _DPI) -> bytes:
    """Return a figure as a PNG file's content."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi)
    return drawn.getvalue()


def _sheet(panel: Panel) -> Figure:
    boxes, height = _layout(panel)
    figure = Figure(figsize=(_WIDTH / 100, height / 100), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.axis("off")
    title = _write(axes, (_MARGIN, _MARGIN), panel.title, INK, 13, va="top")
    title.set_fontweight("bold")
    for group, box in zip(panel.groups, boxes):
        _draw(axes, group, box)
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0), aspect="auto")  # imshow changed them
    return figure


def _layout(panel: Panel) -> tuple[list[_Box], float]:
    """Return where each group lies, and the sheet's height."""
    room = (_WIDTH - 2 * _MARGIN + 2 * _GAP) / panel.across - 2 * _GAP
    boxes: list[_Box] = []
    top = float(_MARGIN + _TITLE)
    for at in range(0, len(panel.groups), panel.across):
        row = panel.groups[at : at + panel.across]
        for i, group in enumerate(row):
            side = (room - (group.columns - 1) * _GAP) / group.columns
            if group.columns > 1:
                side = min(side, _LARGEST)
            boxes.append(_Box(_MARGIN + i * (room + 2 * _GAP), top, side))
        top += max(_height(g, b.side) for g, b in zip(row, boxes[at:])) + 2 * _GAP
    return boxes, top + _MARGIN - 2 * _GAP


def _height(group: Group, side: float) -> float:
    rows = -(-len(group.tiles) // group.columns)
    return (_HEAD if group.title else 0) + rows * (_row(group, side) + _GAP) - _GAP


def _row(group: Group, side: float) -> float:
    """Return the height of a row of tiles with their labels."""
    tallest = max(side * t.pixels.shape[0] / t.pixels.shape[1] for t in group.tiles)
    return tallest + (_LABEL if any(tile.label for tile in group.tiles) else 0)


def _draw(axes: Axes, group: Group, box: _Box) -> None:
    top = box.top
    if group.title:
        _write(axes, (box.left, top), group.title, INK, 9.5, va="top")
        _draw_scale(axes, group, box)
        top += _HEAD
    row = _row(group, box.side)
    for i, tile in enumerate(group.tiles):
        left = box.left + i % group.columns * (box.side + _GAP)
        upper = top + i // group.columns * (row + _GAP)
        lower = upper + box.side * tile.pixels.shape[0] / tile.pixels.shape[1]
        extent = (left, left + box.side, lower, upper)
        axes.imshow(tile.pixels, extent=extent, interpolation="nearest")
        below = (left + box.side / 2, lower + 3)
        _write(axes, below, tile.label, ha="center", va="top")


def _draw_scale(axes: Axes, group: Group, box: _Box) -> None:
    """Draw a bar of the group's colours at the right end of its title."""
    if group.scale is None:
        return
    width = group.columns * (box.side + _GAP) - _GAP
    right, middle, long = box.left + width, box.top + 7, 64
    _write(axes, (right, middle), group.scale.high, ha="right", va="center")
    room = 7 * max(len(group.scale.high), len(group.scale.low)) + 4
    bar = group.scale.colours(np.linspace(0, 1, 256))[None]
    extent = (right - room - long, right - room, middle + 5, middle - 5)
    axes.imshow(bar, extent=extent)
    before = (right - room - long - 4, middle)
    _write(axes, before, group.scale.low, ha="right", va="center")


def _write(
    axes: Axes,
    place: tuple[float, float],
    text: str,
    colour: str = FAINT,
    size: float = 7.5,
    **where: Any,
) -> Text:
    """Write a text as it is: a dollar in a class's name begins no formula."""
    return axes.text(
        *place, text, color=colour, fontsize=size, parse_math=False, **where
    )
