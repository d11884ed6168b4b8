"""IDX, the file format of MNIST: one array of numbers behind a short header.

Two zero bytes, a code for the dtype, the number of axes, each axis' length as a
big-endian uint32, then the numbers, big-endian, last axis fastest. Plain, gzip and xz
files are told apart by their first bytes, not by their names.

`read` returns any array, `read_images` images, which may be more than fit in memory.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import cache
from .errors import DataError

DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_BYTES = 2 << 30  # larger than any data set here; a lying header claims more
MAX_RANK = 64  # of a NumPy array
MAX_RATIO = 200  # of compression, where it matters; handwriting has about 8
_CHUNK = 1 << 24
_DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)


class _Header(NamedTuple):
    """What stands before the numbers."""

    dtype: np.dtype
    shape: tuple[int, ...]

    def bytes_of(self, rows: int) -> int:
        """Return the size of so many rows of the array."""
        return rows * math.prod(self.shape[1:]) * self.dtype.itemsize


def read(
    path: str | Path, rank: int | None = None, max_bytes: int = MAX_BYTES
) -> NDArray[np.generic]:
    """Return the array in an IDX file, in the machine's byte order.

    `rank` is the number of axes that the caller expects. No memory beyond the data that
    really are in the file is touched, whatever its header claims.

    Raises `DataError`, naming the file, when it is missing, damaged, truncated or too
    long, when its header makes no sense, or when it has another rank than expected.
    Source: the format's description at http://yann.lecun.com/exdb/mnist/

    >>> from models import data
    >>> read(data.EMBEDDED / "t10k-labels-idx1-ubyte.xz")[:5]
    array([7, 2, 1, 0, 4], dtype=uint8)
    """
    path = Path(path)
    with _opened(path) as stream:
        header = _read_header(stream, path)
        _check_shape(header, rank, max_bytes, path)
        raw = _read_rows(stream, header, 0, header.shape[0], path)
        _check_end(stream, header, path)
    dtype, shape = header
    return raw.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_images(path: str | Path, transposed: bool = False) -> NDArray[np.uint8]:
    """Return the images in an IDX file, uint8 (n, h, w, c); it may lack the axis c.

    Few are read into memory. Many are mapped, read-only, from the file itself or, where
    it is compressed or its rows are columns (`transposed`), from the user's cache.

    Raises `DataError`, naming the file, as `read` does, and when what is in it are no
    images, or when it claims to be compressed as only a bomb is.
    """
    path = Path(path)
    with _opened(path) as stream:
        header = _read_header(stream, path)
        start = stream.tell()
        plain = isinstance(stream, io.BufferedReader)
    _check_images(header, path)
    _check_claim(header, start, plain, path)
    shape = header.shape
    full = shape if len(shape) == 4 else (*shape, 1)
    if plain and not transposed and math.prod(shape) > cache.IN_MEMORY:
        return np.asarray(np.memmap(path, np.uint8, "r", start, full))
    if transposed:
        full = (full[0], full[2], full[1], full[3])
    return cache.decoded(
        lambda: _pieces(path, transposed),
        full,
        [path],
        "idx transposed" if transposed else "idx",
    )


def write(path: str | Path, array: NDArray[np.generic]) -> None:
    """Write an array as a plain IDX file.

    Raises `DataError` when the format has no code for its dtype.
    """
    big = array.dtype.newbyteorder(">")
    codes = [code for code, dtype in DTYPES.items() if dtype == big]
    if not codes:
        raise DataError(f"IDX has no {array.dtype}; it has {_dtype_names()}")
    header = bytes([0, 0, codes[0], array.ndim])
    sizes = np.array(array.shape, ">u4").tobytes()
    Path(path).write_bytes(header + sizes + array.astype(big).tobytes())


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """Give the decompressed content of a file; what goes wrong is a `DataError`."""
    try:
        with _open(path) as stream:
            yield stream
    except _DAMAGED as error:
        raise DataError(f"{path}: damaged compressed data: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _open(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as stream:
        magic = stream.read(6)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if magic == b"\xfd7zXZ\x00":
        return lzma.open(path, "rb")
    return path.open("rb")


def _read_header(stream: io.BufferedIOBase, path: Path) -> _Header:
    head = stream.read(4)
    if len(head) < 4:
        raise DataError(f"{path}: {len(head)} bytes where an IDX header needs 4")
    code, rank = head[2], head[3]
    if head[:2] != b"\0\0" or not 0 < rank <= MAX_RANK:
        raise DataError(
            f"{path}: no IDX file: it begins with bytes {head.hex(' ')}, expected "
            f"00 00, a dtype code and the number of axes, 1 to {MAX_RANK}"
        )
    if code not in DTYPES:
        raise DataError(
            f"{path}: unknown IDX dtype code 0x{code:02x}; known are {_dtype_names()}"
        )
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(
            f"{path}: truncated in the header: {rank} axes need {4 * rank} bytes of "
            f"sizes, got {len(sizes)}"
        )
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    return _Header(DTYPES[code], shape)


def _check_shape(header: _Header, rank: int | None, max_bytes: int, path: Path) -> None:
    dtype, shape = header
    if rank is not None and len(shape) != rank:
        raise DataError(f"{path}: expected {rank} axes, got {len(shape)}: {shape}")
    size = header.bytes_of(shape[0])
    if size > max_bytes:
        raise DataError(
            f"{path}: the header claims shape {shape} of {dtype.name}, {size:,} bytes; "
            f"the limit is {max_bytes:,}. The file is damaged, or needs `max_bytes`"
        )


def _check_images(header: _Header, path: Path) -> None:
    dtype, shape = header
    if len(shape) not in (3, 4):
        raise DataError(
            f"{path}: expected 3 axes (n, h, w) or 4 (n, h, w, channels), got "
            f"{len(shape)}: {shape}"
        )
    if dtype != np.uint8 or not math.prod(shape):
        raise DataError(
            f"{path}: expected at least one number, all uint8; "
            f"got {dtype.name} of shape {shape}"
        )
    if shape[3:] not in ((), (1,), (3,)):
        raise DataError(
            f"{path}: expected 1 or 3 channels in the last axis, got shape {shape}"
        )
    cache.check_image(shape, path, "The file is damaged, or has no images")


def _check_claim(header: _Header, start: int, plain: bool, path: Path) -> None:
    """Compare the size that a header claims with the size that the file has."""
    shape = header.shape
    size, has = math.prod(shape), os.path.getsize(path)
    if plain and has - start != size:
        problem = "truncated" if has - start < size else "more data than needed"
        raise DataError(
            f"{path}: {problem}: shape {shape} of uint8 needs {size:,} bytes after the "
            f"header, got {has - start:,}"
        )
    if not plain and size > max(cache.IN_MEMORY, MAX_RATIO * has):
        raise DataError(
            f"{path}: the header claims shape {shape}, {size:,} bytes, in a compressed "
            f"file of {has:,}: the limit is {MAX_RATIO} times the file. It is damaged, "
            "or made to fill the disk; if it is right, decompress it first"
        )


def _pieces(path: Path, transposed: bool) -> Iterator[NDArray[np.uint8]]:
    """Give the images of a file, some at a time."""
    with _opened(path) as stream:
        header = _read_header(stream, path)
        n, *size = header.shape
        rows = cache.rows_per_piece(header.shape)
        for at in range(0, n, rows):
            raw = _read_rows(stream, header, at, min(rows, n - at), path)
            piece = raw.reshape(-1, *size[:2], *(size[2:] or [1]))
            yield piece.transpose(0, 2, 1, 3) if transposed else piece
        _check_end(stream, header, path)


def _read_rows(
    stream: io.BufferedIOBase, header: _Header, at: int, rows: int, path: Path
) -> NDArray[np.uint8]:
    """Return the bytes of the next `rows` rows of the array, `at` being behind."""
    # Untouched pages of np.empty cost no memory, so a short file stays cheap.
    raw = np.empty(header.bytes_of(rows), np.uint8)
    done = 0
    while done < raw.size:
        chunk = stream.read(min(_CHUNK, raw.size - done))
        if not chunk:
            dtype, shape = header
            raise DataError(
                f"{path}: truncated: shape {shape} of {dtype.name} needs "
                f"{header.bytes_of(shape[0]):,} bytes after the header, got "
                f"{header.bytes_of(at) + done:,}"
            )
        raw[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)
    return raw


def _check_end(stream: io.BufferedIOBase, header: _Header, path: Path) -> None:
    if stream.read(1):
        dtype, shape = header
        raise DataError(f"{path}: more data than shape {shape} of {dtype.name} needs")


def _dtype_names() -> str:
    return ", ".join(f"0x{code:02x} {dtype.name}" for code, dtype in DTYPES.items())
