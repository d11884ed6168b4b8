"""CIFAR-10 in its binary form: records of a label and three planes of 32x32 numbers.

Source: A. Krizhevsky, *Learning multiple layers of features from tiny images*, 2009;
the format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import cache
from .dataset import Dataset
from .errors import DataError

TRAIN = tuple(f"data_batch_{n}.bin" for n in range(1, 6))
TEST = "test_batch.bin"
NAMES = "batches.meta.txt"  # a class name on each line
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32


def load(name: str, paths: dict[str, Path]) -> Dataset:
    """Return CIFAR-10 from its files, by their names; `NAMES` may be missing.

    Raises `DataError` when a file has no whole number of records, or a label above 9.
    """
    train = [paths[file] for file in TRAIN]
    return Dataset(
        name,
        *_read(train),
        *_read([paths[TEST]]),
        _read_names(paths[NAMES]) if NAMES in paths else CLASSES,
    )


def _read(files: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = np.concatenate([_labels(path) for path in files])
    shape = (len(labels), *_SHAPE[1:], _SHAPE[0])
    return cache.decoded(lambda: _pieces(files), shape, files, "cifar"), labels


def _labels(path: Path) -> NDArray[np.int64]:
    labels = _records(path)[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        at = int(labels.argmax())
        raise DataError(
            f"{path}: record {at} has the label {labels[at]}, expected 0 to "
            f"{len(CLASSES) - 1}"
        )
    return labels


def _pieces(files: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """Give the images of the files, some at a time, channels last."""
    for path in files:
        records = _records(path)
        rows = cache.rows_per_piece(records.shape)
        for at in range(0, len(records), rows):
            planes = records[at : at + rows, 1:].reshape(-1, *_SHAPE)
            yield planes.transpose(0, 2, 3, 1)


def _records(path: Path) -> NDArray[np.uint8]:
    """Map the records of a file: (n, 3073)."""
    try:
        size = path.stat().st_size
        if not size or size % _RECORD:
            raise DataError(
                f"{path}: {size:,} bytes are no whole number of records of {_RECORD}: "
                "truncated, or not the binary version of CIFAR-10"
            )
        return np.asarray(np.memmap(path, np.uint8, "r")).reshape(-1, _RECORD)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def _read_names(path: Path) -> tuple[str, ...]:
    try:
        names = tuple(path.read_text("utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(names) != len(CLASSES):
        raise DataError(
            f"{path}: expected {len(CLASSES)} names of classes, got {len(names)}"
        )
    return names
