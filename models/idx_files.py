"""`idx:TRAIN_IMAGES,TRAIN_LABELS,TEST_IMAGES,TEST_LABELS`: one's own data as IDX files.

Images may be of any size, grey or colour; labels any integers. A file of labels whose
name ends in `.txt` has a label on each line, so that they may be words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import idx
from .dataset import Dataset, check_shapes, number_labels
from .errors import DataError

FORM = "idx:TRAIN_IMAGES,TRAIN_LABELS,TEST_IMAGES,TEST_LABELS"


def parse(text: str) -> tuple[Path, Path, Path, Path]:
    """Return the four files that a name of this form has; raises `DataError`.

    >>> [path.name for path in parse("idx:a,b,/data/c,d")]
    ['a', 'b', 'c', 'd']
    """
    names = text.removeprefix("idx:").split(",")
    if len(names) != 4 or not all(names):
        raise DataError(f"{text!r} has {len(names)} files; expected {FORM}")
    first, second, third, fourth = (Path(name).expanduser().resolve() for name in names)
    return first, second, third, fourth


def load(text: str) -> Dataset:
    """Return the data set that a name of this form has; raises `DataError`."""
    paths = parse(text)
    train_images, train_labels = read_pair(*paths[:2])
    test_images, test_labels = read_pair(*paths[2:])
    name = "idx:" + ",".join(map(str, paths))
    check_shapes(name, train_images, test_images)
    *labels, names = number_labels(train_labels, test_labels, (paths[1], paths[3]))
    return Dataset(name, train_images, labels[0], test_images, labels[1], names)


def read_pair(
    images_path: Path, labels_path: Path, transposed: bool = False
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return images (n, h, w, c) and their labels (n,): integers, or text.

    Raises `DataError` when one of the files is damaged or they do not belong together.
    """
    images = idx.read_images(images_path, transposed)
    labels = _read_labels(labels_path, len(images))
    if len(images) != len(labels):
        raise DataError(
            f"{images_path} has {len(images)} images and {labels_path} "
            f"{len(labels)} labels: they do not belong together"
        )
    return images, labels


def _read_labels(path: Path, n: int) -> NDArray[Any]:
    if path.suffix == ".txt":
        return _read_words(path)
    # A bomb of labels is not decompressed: what so many images need is enough.
    labels = idx.read(path, rank=1, max_bytes=8 * n + (1 << 20))
    if not np.issubdtype(labels.dtype, np.integer) or not labels.size:
        raise DataError(
            f"{path}: expected at least one label, all integers; got {labels.dtype} "
            f"of shape {labels.shape}"
        )
    return labels


def _read_words(path: Path) -> NDArray[np.str_]:
    """Return the lines of a text file, without the blanks around them."""
    try:
        lines = path.read_text("utf-8").rstrip().splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, got {error}") from error
    words = [line.strip() for line in lines]
    if not all(words):
        raise DataError(f"{path}: line {words.index('') + 1} has no label")
    return np.array(words, str)
