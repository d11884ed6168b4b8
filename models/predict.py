"""Asks a trained model about images: `python -m models.predict RUN FILE`.

FILE is a picture (PNG, JPEG, GIF, BMP, PPM, TIFF or WebP) or an IDX file of images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from . import command, folder, idx, images
from .errors import DataError
from .scores import probabilities
from .terminal import say

DRAWN = ("mnist", "fashion-mnist", "emnist-")  # sets that are bright on dark, centred
_MARGIN = 4 / 28  # of an image of MNIST, at each side
_SHADES = " .:-=+*#%@"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    return command.run(lambda: _predict(options, Console(highlight=False)))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m models.predict",
        description="Tell what a trained model takes images for.",
    )
    made.add_argument("run", metavar="RUN", help="the folder of a run")
    made.add_argument(
        "file", metavar="FILE", help="a picture, or an IDX file of images"
    )
    made.add_argument(
        "--top",
        type=int,
        metavar="N",
        default=3,
        help="how many classes to show, most probable first [3]",
    )
    made.add_argument(
        "--draw",
        type=int,
        metavar="N",
        default=1,
        help="how many of an IDX file's images to draw [1]",
    )
    made.add_argument(
        "--picture",
        choices=("drawn", "plain"),
        help="drawn: made bright on dark, cut out and centred, as the images of MNIST; "
        "plain: resized at most [drawn for mnist, fashion-mnist and emnist-*, "
        "plain for other data]",
    )
    return made


def _predict(options: argparse.Namespace, console: Console) -> None:
    run = folder.load_trained(Path(options.run))
    setup = run.setup
    drawn = setup.dataset.startswith(DRAWN)
    if options.picture is not None:
        drawn = options.picture == "drawn"
    asked = read_images(Path(options.file), setup.image_shape, drawn)
    chances = probabilities(setup.model, run.params, run.state, asked)
    for i, chance in enumerate(chances):
        if i < options.draw:
            draw(console, asked[i])
        name = f"{i:>6}  " if len(asked) > 1 else ""
        say(console, name + describe(chance, setup.class_names, options.top))


def describe(chances: NDArray, names: Sequence[str], top: int) -> str:
    """Return the most probable classes with their probabilities.

    >>> describe(np.array([0.1, 0.7, 0.2]), "abc", 2)
    'b 70.0 %   c 20.0 %'
    """
    best = np.argsort(-chances, kind="stable")[: max(top, 1)]
    return "   ".join(f"{names[k]} {100 * chances[k]:.1f} %" for k in best)


def read_images(
    path: Path, shape: tuple[int, int, int], drawn: bool = True
) -> NDArray[np.uint8]:
    """Return the images in a file, uint8 (n, h, w, c) of the shape the model takes.

    A picture that is `drawn` is made bright on dark, cut out and centred, as MNIST's
    are; others are read as those of a folder to train on, and resized at most.

    Raises `DataError` when the file is neither IDX nor a picture, or does not fit.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if magic[:2] in (b"\0\0", b"\x1f\x8b", b"\xfd7"):
        return _read_idx(path, shape)
    images.inspect(path)
    if drawn:
        return _read_drawing(path, shape)[None]
    return images.read(path, shape[2] == 1, shape[:2])[None]


def _read_idx(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    found = idx.read_images(path)
    if found.shape[1:] != shape:
        raise DataError(
            f"{path}: expected images of {shape} (height, width, channels), "
            f"got {found.shape[1:]}"
        )
    return found


def _read_drawing(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a picture as MNIST has its own: bright on dark, centred."""
    grey = images.read(path, grey=True)[..., 0]
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 127:  # dark on bright, as on paper
        grey = 255 - grey
    if grey.shape != shape[:2]:
        grey = _fit(grey, shape[0], shape[1])
    return np.repeat(grey[..., None], shape[2], axis=2)


def _fit(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Scale what is drawn into a frame, and put its centre of mass in the middle."""
    from PIL import Image

    rows, columns = np.nonzero(grey > 64)
    if not len(rows):
        return np.zeros((height, width), np.uint8)
    drawn = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = (1 - 2 * _MARGIN) * min(height / drawn.shape[0], width / drawn.shape[1])
    size = [max(1, round(n * scale)) for n in drawn.shape]
    small = np.asarray(
        Image.fromarray(drawn).resize(size[::-1], Image.Resampling.LANCZOS)
    )
    mass = small.astype(float) / small.sum()
    down = round(height / 2 - 0.5 - mass.sum(1) @ np.arange(size[0]))
    right = round(width / 2 - 0.5 - mass.sum(0) @ np.arange(size[1]))
    top = min(max(down, 0), height - size[0])
    left = min(max(right, 0), width - size[1])
    framed = np.zeros((height, width), np.uint8)
    framed[top : top + size[0], left : left + size[1]] = small
    return framed


def draw(console: Console, image: NDArray[np.uint8]) -> None:
    """Draw an image (h, w, c): in its colours on a colour terminal, else in characters.

    One that is wider than the terminal is drawn with fewer rows and columns.
    """
    colours = console.color_system is not None and not console.no_color
    blocks = colours and console.encoding.startswith("utf")
    step = -(-image.shape[1] * (1 if blocks else 2) // console.width)
    image = image[::step, ::step]
    if not blocks:
        for row in image.mean(-1).astype(int):
            shades = [_SHADES[value * len(_SHADES) // 256] * 2 for value in row]
            say(console, "".join(shades).rstrip())
        return
    rgb = np.broadcast_to(image, (*image.shape[:2], 3)).tolist()
    for above, below in zip(rgb[::2], [*rgb[1::2], [(0, 0, 0)] * len(rgb[0])]):
        line = Text()
        for a, b in zip(above, below):
            line.append("▀", style="rgb({},{},{}) on rgb({},{},{})".format(*a, *b))
        say(console, line)


if __name__ == "__main__":
    sys.exit(main())
