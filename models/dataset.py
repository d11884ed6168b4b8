"""What a data set is, and what every source of one needs: labels, rows, short names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import DataError


class Dataset(NamedTuple):
    """Images and their labels, to train on and to test on.

    Images: uint8 (n, h, w, c), upright, read-only where they are mapped from a file;
    labels: int64 (n,), indices of `class_names`. `load(name)` returns the set again.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was decided about the data: for the user

    @property
    def short_name(self) -> str:
        """The name as a part of a file's name: no separators, no spaces.

        >>> Dataset("folder:/a/my photos,size=9x9", *[None] * 4, ()).short_name
        'folder-my-photos'
        """
        kind, _, rest = self.name.partition(":")
        last = Path(rest.split(",")[0]).name
        return re.sub(r"[^\w.-]+", "-", f"{kind}-{last}" if rest else kind)[:60]


class Rows:
    """Some rows of an array, copied only when they are asked for.

    Stands for `array[index]` in a `Split`, without a second copy of the images.

    >>> rows = Rows(np.arange(10) ** 2, np.array([1, 3, 5]))
    >>> rows.shape, rows[1:], rows[0]
    ((3,), array([ 9, 25]), np.int64(1))
    """

    def __init__(self, array: NDArray[Any], index: NDArray[np.integer]) -> None:
        self._array, self._index = array, index
        self.shape = (len(index), *array.shape[1:])
        self.dtype = array.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._index)

    def __getitem__(self, key: Any) -> Any:
        """Return a row, or a copy of several: a slice, a mask, an array of places."""
        return self._array[self._index[key]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return a copy of all rows."""
        if copy is False:
            raise ValueError("rows of an array cannot be had without a copy")
        return np.asarray(self[:], dtype)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of classes: as numbers where all are, else as text.

    >>> in_order(["10", "9"]), in_order(["10", "9", "b"])
    (['9', '10'], ['10', '9', 'b'])
    """
    names = list(names)
    return sorted(names, key=int if _all_numbers(names) else None)


def _all_numbers(names: list[str]) -> bool:
    """Whether all are integers as Python writes them: not 07, which isn't 7."""
    return all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names)


def number_labels(
    train: NDArray[Any], test: NDArray[Any], paths: tuple[Path, Path]
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Return labels, integers or text, as indices of classes, and the classes' names.

    The classes are what `train` has; `paths` are the files of both, for errors.

    Raises `DataError` when there is one class only, and when `test` has others.
    """
    parts = [np.unique(labels, return_inverse=True) for labels in (train, test)]
    names, tested = ([str(value) for value in values] for values, _ in parts)
    check_classes(names, paths[0])
    unknown = [name for name in tested if name not in set(names)]
    if unknown:
        raise DataError(
            f"{paths[1]}: labels {', '.join(unknown[:5])} are to be tested, but "
            f"{paths[0]} has none of them: they cannot be learned"
        )
    ordered = in_order(names)
    place = {name: i for i, name in enumerate(ordered)}
    train_index, test_index = (
        np.array([place[str(value)] for value in values])[places]
        for values, places in parts
    )
    return train_index, test_index, tuple(ordered)


def check_classes(names: list[str], where: Path) -> None:
    """Raise `DataError` unless there are at least two classes."""
    if len(names) < 2:
        has = f"{names[0]!r} alone" if names else "none"
        raise DataError(f"{where}: expected two classes or more, got {has}")


def check_shapes(name: str, train: NDArray[Any], test: NDArray[Any]) -> None:
    """Raise `DataError` unless images to train and to test on have one shape."""
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{name}: images to train on are {train.shape[1:]}, "
            f"those to test on {test.shape[1:]} (height, width, channels)"
        )
