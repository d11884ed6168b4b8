"""Asks a trained model about images: `python -m models.predict RUN FILE`.

FILE is a picture (PNG, JPEG and what else Pillow reads) or an IDX file of images.
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

from autograd_lite import AutogradError

from . import folder, idx
from .errors import DataError, ModelsError
from .evaluate import probabilities
from .terminal import say
from .train import BAD_INPUT, INTERRUPTED

_MARGIN = 4 / 28  # of an image of MNIST, at each side
_SHADES = " .:-=+*#%@"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        _predict(options, Console(highlight=False))
    except (ModelsError, AutogradError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


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
    return made


def _predict(options: argparse.Namespace, console: Console) -> None:
    run = folder.load_trained(Path(options.run))
    images = read_images(Path(options.file), run.setup.image_shape)
    setup = run.setup
    chances = probabilities(setup.model, run.params, run.state, images)
    for i, chance in enumerate(chances):
        if i < options.draw:
            draw(console, images[i])
        name = f"{i:>6}  " if len(images) > 1 else ""
        say(console, name + describe(chance, setup.class_names, options.top))


def describe(chances: NDArray, names: Sequence[str], top: int) -> str:
    """Return the most probable classes with their probabilities.

    >>> describe(np.array([0.1, 0.7, 0.2]), "abc", 2)
    'b 70.0 %   c 20.0 %'
    """
    best = np.argsort(-chances, kind="stable")[: max(top, 1)]
    return "   ".join(f"{names[k]} {100 * chances[k]:.1f} %" for k in best)


def read_images(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the images in a file, uint8 (n, h, w, c) of the shape the model takes.

    Raises `DataError` when the file is neither IDX nor a picture, or does not fit.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if magic[:2] in (b"\0\0", b"\x1f\x8b", b"\xfd7"):
        return _read_idx(path, shape)
    return _read_picture(path, shape)[None]


def _read_idx(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    images = idx.read(path)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        raise DataError(
            f"{path}: expected images of {shape} (height, width, channels), uint8; "
            f"got {images.dtype} of shape {images.shape}"
        )
    return images.view(np.uint8)


def _read_picture(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a picture as the data sets have theirs: bright on dark, centred."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("pictures need Pillow: pip install pillow") from error
    try:
        with Image.open(path) as picture:
            rgba = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            grey = np.asarray(Image.alpha_composite(white, rgba).convert("L"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: no picture that can be read: {error}") from error
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
    """Draw an image (h, w, c): in grey on a colour terminal, else in characters."""
    grey = image.mean(-1).astype(int)
    colours = console.color_system is not None and not console.no_color
    if not colours or not console.encoding.startswith("utf"):
        for row in grey:
            shades = [_SHADES[value * len(_SHADES) // 256] * 2 for value in row]
            say(console, "".join(shades).rstrip())
        return
    for above, below in zip(grey[::2], [*grey[1::2], np.zeros_like(grey[0])]):
        line = Text()
        for a, b in zip(above, below):
            line.append("▀", style=f"rgb({a},{a},{a}) on rgb({b},{b},{b})")
        say(console, line)


if __name__ == "__main__":
    sys.exit(main())
