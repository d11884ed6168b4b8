"""Decoded images: in memory when they are few, else mapped from a file of the cache.

What is compressed, or lies in many files, is decoded once into a plain array file in
the user's cache, piece by piece, so that a set may be larger than memory. The file's
name is a hash of what it was made of (paths, sizes, times), it appears when it is
complete, and it replaces what was made of an earlier state of the same source.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .progress import bar

IN_MEMORY = 256 << 20  # bytes of one array of images; more than that is mapped
PIECE = 16 << 20  # bytes that are decoded at a time
MAX_IMAGE = 1 << 22  # numbers in an image; no network here takes as many
_DAY = 86400  # seconds

Pieces = Callable[[], Iterable[NDArray[np.uint8]]]


def folder() -> Path:
    """Return the user's folder for downloaded and decoded data sets."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache") / "autograd_lite"


def rows_per_piece(shape: tuple[int, ...]) -> int:
    """Return how many images of an array of this shape are decoded at a time."""
    return max(1, PIECE // max(1, math.prod(shape[1:])))


def check_image(shape: tuple[int, ...], where: object, advice: str) -> None:
    """Raise `DataError` when images (n, h, w, ...) are larger than networks take."""
    if math.prod(shape[1:]) > MAX_IMAGE:
        raise DataError(
            f"{where}: images of shape {shape[1:]}, {math.prod(shape[1:]):,} numbers "
            f"each: the limit is {MAX_IMAGE:,}. {advice}"
        )


def decoded(
    pieces: Pieces,
    shape: tuple[int, ...],
    sources: Sequence[Path],
    how: str,
) -> NDArray[np.uint8]:
    """Return an array of uint8 whose first axis `pieces()` gives piece by piece.

    `sources` are the files that it is decoded from and `how` names the way: together
    they identify the result in the cache. The first source stands for them all.

    Raises `DataError` when the cache has no room, and whatever `pieces` raises.
    """
    where = sources[0]
    if math.prod(shape) <= IN_MEMORY:
        out, at = np.empty(shape, np.uint8), 0
        with bar(f"reading {where.name}", shape[0]) as shown:
            for piece in pieces():
                out[at : at + len(piece)] = piece
                at += len(piece)
                shown.update(len(piece))
        return out
    try:
        return _mapped(pieces, shape, _name(sources, how))
    except OSError as error:
        raise DataError(
            f"{where}: its {math.prod(shape):,} bytes of images need a place in the "
            f"cache, {folder()}: {error.strerror or error}. Make room, or set "
            "$XDG_CACHE_HOME to a folder that has it"
        ) from error


def _name(sources: Sequence[Path], how: str) -> str:
    """Return a file name: a hash of the source's place, and one of its state."""
    place = hashlib.sha256(f"{how}\0{sources[0].resolve()}".encode())
    state = hashlib.sha256()
    for path in sources:
        stat = path.stat()
        state.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return f"{place.hexdigest()[:16]}-{state.hexdigest()[:32]}.npy"


def _mapped(pieces: Pieces, shape: tuple[int, ...], name: str) -> NDArray[np.uint8]:
    path = folder() / "decoded" / name
    found = _open(path, shape)
    if found is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < math.prod(shape):
            raise OSError(f"there are only {free:,} bytes free")
        with _appearing(path) as file:
            _write(file, pieces, shape)
        found = _open(path, shape)
        if found is None:
            raise OSError(f"{path} was changed by somebody else")
        _remove_others(path)
    return found


def _open(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Map a file of the cache; None when it's missing, damaged or of another shape."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    if found.shape != shape or found.dtype != np.uint8:
        return None
    return np.asarray(found)  # the slices of a memmap are slow


@contextmanager
def _appearing(path: Path) -> Iterator[BinaryIO]:
    """Give a file that gets its name when all was written, or is removed."""
    handle, part = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _write(file: BinaryIO, pieces: Pieces, shape: tuple[int, ...]) -> None:
    # Written, not mapped: a full disk is then an error, and not the process's end.
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    with bar("decoding into the cache, once", shape[0]) as shown:
        for piece in pieces():
            file.write(np.ascontiguousarray(piece).data)
            shown.update(len(piece))


def _remove_others(path: Path) -> None:
    """Remove what was made of earlier states of the same source, or of it halfway."""
    place = path.name.partition("-")[0]
    for other in path.parent.glob(f"{place}-*"):
        with suppress(OSError):  # in use, on a system that minds
            forgotten = time.time() - other.stat().st_mtime > _DAY
            if other != path and (other.suffix == ".npy" or forgotten):
                other.unlink()
