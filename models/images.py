"""Pictures as arrays, read with Pillow: PNG, JPEG and the other `FORMATS`."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

MAX_PIXELS = 1 << 26  # in a file; four times what most cameras make
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # none runs programs
_GREY = ("1", "L", "LA", "La")
_ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 are turned by a quarter
# What Pillow raises about damaged files, beside its own UnidentifiedImageError.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError),
    *(struct.error, zlib.error, OverflowError, MemoryError),
)


class Found(NamedTuple):
    """What a picture's header says."""

    size: tuple[int, int]  # height, width; upright
    grey: bool


def inspect(path: Path) -> Found:
    """Return a picture's size and whether it is grey, from its header.

    Raises `DataError`, naming the file, when it is no picture, or is absurdly large.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about what is an error here
        with _opened(path) as picture:
            width, height = picture.size
            # Pillow decodes a whole PNG to find out, and cameras write JPEG.
            camera = picture.format in ("JPEG", "MPO")
            turned = camera and picture.getexif().get(_ORIENTATION) in (5, 6, 7, 8)
            size = (width, height) if turned else (height, width)
            grey = picture.mode in _GREY or picture.mode.startswith("I")
    return Found(size, grey)


def read(
    path: Path, grey: bool, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return a picture, uint8 (h, w, 1 or 3), upright, on white where it is clear.

    One of another size (height, width) is resized to it, whatever its proportions.

    Raises `DataError`, naming the file, when it is damaged.
    """
    from PIL import Image, ImageOps

    with _opened(path) as picture:
        if size:  # JPEG can leave out at once what is too fine for the size
            picture.draft(None, (2 * max(size), 2 * max(size)))
        plain = _opaque(ImageOps.exif_transpose(picture), "L" if grey else "RGB")
        if size and plain.size != size[::-1]:
            plain = plain.resize(size[::-1], Image.Resampling.LANCZOS)
        found = np.asarray(plain)
    return found[..., None] if grey else found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("pictures need Pillow: pip install pillow") from error
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{path}: a picture of {width} x {height} pixels; expected at most "
                    f"{MAX_PIXELS:,}: make it smaller, or take it out"
                )
            yield picture
    except DataError:
        raise
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: no picture that can be read: {reason}") from error


def _opaque(picture: Any, mode: str) -> Any:
    """Return a picture in a mode, L or RGB, laid on white."""
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits, which convert() would clip
        grey = (np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(grey)
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        picture = Image.alpha_composite(white, clear)
    return picture.convert(mode)
