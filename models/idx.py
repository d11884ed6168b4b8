"""IDX, the file format of MNIST: one array of numbers behind a short header.

Two zero bytes, a code for the dtype, the number of axes, each axis' length as a
big-endian uint32, then the numbers, big-endian, last axis fastest. Plain, gzip and xz
files are told apart by their first bytes, not by their names.
"""

from __future__ import annotations

import gzip
import io
import lzma
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
_CHUNK = 1 << 24
_DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)


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
    try:
        with _open(path) as stream:
            dtype, shape = _read_header(stream, path)
            _check_shape(shape, dtype, rank, max_bytes, path)
            return _read_values(stream, dtype, shape, path)
    except _DAMAGED as error:
        raise DataError(f"{path}: damaged compressed data: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


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


def _open(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as stream:
        magic = stream.read(6)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if magic == b"\xfd7zXZ\x00":
        return lzma.open(path, "rb")
    return path.open("rb")


def _read_header(
    stream: io.BufferedIOBase, path: Path
) -> tuple[np.dtype, tuple[int, ...]]:
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
    return DTYPES[code], tuple(int(n) for n in np.frombuffer(sizes, ">u4"))


def _check_shape(
    shape: tuple[int, ...],
    dtype: np.dtype,
    rank: int | None,
    max_bytes: int,
    path: Path,
) -> None:
    if rank is not None and len(shape) != rank:
        raise DataError(f"{path}: expected {rank} axes, got {len(shape)}: {shape}")
    size = math.prod(shape) * dtype.itemsize
    if size > max_bytes:
        raise DataError(
            f"{path}: the header claims shape {shape} of {dtype.name}, {size:,} bytes; "
            f"the limit is {max_bytes:,}. The file is damaged, or needs `max_bytes`"
        )


def _read_values(
    stream: io.BufferedIOBase, dtype: np.dtype, shape: tuple[int, ...], path: Path
) -> NDArray[np.generic]:
    # Untouched pages of np.empty cost no memory, so a short file stays cheap.
    raw = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    done = 0
    while done < raw.size:
        chunk = stream.read(min(_CHUNK, raw.size - done))
        if not chunk:
            raise DataError(
                f"{path}: truncated: shape {shape} of {dtype.name} needs {raw.size:,} "
                f"bytes after the header, got {done:,}"
            )
        raw[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
        done += len(chunk)
    if stream.read(1):
        raise DataError(f"{path}: more data than shape {shape} of {dtype.name} needs")
    return raw.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _dtype_names() -> str:
    return ", ".join(f"0x{code:02x} {dtype.name}" for code, dtype in DTYPES.items())
