"""Which elements of an axis a result is made of, and with which weights.

A few numbers describe it, such as those of a window that slides: a hashable parameter
of primitives (not a named tuple: two of those are equal if their numbers are). From
them comes a table, once for each combination:

- `bins()`: for each result the range `(start, stop, step)` of elements that it sees;
- `rows()`: a sparse matrix (results, elements) as `(pointers, indices, weights)`, where
  row i has the entries from `pointers[i]` to `pointers[i + 1]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Rows: TypeAlias = tuple[Array, Array, Array]


class Taps(Protocol):
    """What the descriptions below have in common."""

    @property
    def size(self) -> int:
        """The number of elements of the axis."""

    @property
    def results(self) -> int:
        """The number of results."""

    def entries(self) -> list[list[tuple[int, float]]]:
        """Return for each result its elements and their weights."""


@dataclass(frozen=True)
class Sliding:
    """A window that slides along `size` elements with a border.

    mean: whether a window's elements are averaged, or else added up. Averaged are those
    in the array and in the border of `counted`, (before, after).
    """

    size: int
    window: int
    stride: int = 1
    sides: tuple[int, int] = (0, 0)
    dilation: int = 1
    mean: bool = False
    counted: tuple[int, int] = (0, 0)

    @property
    def results(self) -> int:
        """The number of windows."""
        reach = self.dilation * (self.window - 1) + 1
        return (self.size + sum(self.sides) - reach) // self.stride + 1

    def positions(self, i: int) -> range:
        """Return where the elements of window i are, the border included."""
        first = i * self.stride - self.sides[0]
        return range(first, first + self.dilation * self.window, self.dilation)

    def bin(self, i: int) -> range:
        """Return the elements of window i inside of the array."""
        return _between(self.positions(i), 0, self.size)

    def entries(self) -> list[list[tuple[int, float]]]:
        """Return for each window its elements and their weights."""
        return [
            [(k, 1 / self._averaged(i)) for k in self.bin(i)]
            for i in range(self.results)
        ]

    def _averaged(self, i: int) -> int:
        if not self.mean:
            return 1
        before, after = self.counted
        return len(_between(self.positions(i), -before, self.size + after))


@dataclass(frozen=True)
class Adaptive:
    """An axis in `results` parts that cover it, as even as may be; they may overlap."""

    size: int
    results: int

    def bin(self, i: int) -> range:
        """Return the elements of part i."""
        last = -(-(i + 1) * self.size // self.results)
        return range(i * self.size // self.results, last)

    def entries(self) -> list[list[tuple[int, float]]]:
        """Return for each part its elements, averaged."""
        bins = [self.bin(i) for i in range(self.results)]
        return [[(k, 1 / len(part)) for k in part] for part in bins]


@dataclass(frozen=True)
class Nearest:
    """Each result is the element below its place, as PyTorch's "nearest"."""

    size: int
    results: int

    def entries(self) -> list[list[tuple[int, float]]]:
        """Return for each result its element."""
        return [[(i * self.size // self.results, 1.0)] for i in range(self.results)]


@dataclass(frozen=True)
class Linear:
    """Interpolation between two neighbours.

    With `align_corners` the first and the last element stay where they are; without,
    elements are as wide as the scale, and the outermost are constant half-way out.
    """

    size: int
    results: int
    align_corners: bool = False

    def entries(self) -> list[list[tuple[int, float]]]:
        """Return for each result its one or two elements."""
        found = []
        for place in _places(self.size, self.results, self.align_corners):
            place = min(max(0.0, place), self.size - 1.0)
            left = int(place)
            share = place - left
            pair = [(left, 1 - share), (left + 1, share)]
            found.append([(k, w) for k, w in pair if w and k < self.size])
        return found


@dataclass(frozen=True)
class Cubic:
    """Cubic convolution of four neighbours, with a = -0.75 as in PyTorch.

    R. Keys, 1981, "Cubic convolution interpolation for digital image processing".
    """

    size: int
    results: int
    align_corners: bool = False

    def entries(self) -> list[list[tuple[int, float]]]:
        """Return for each result its up to four elements."""
        found = []
        for place in _places(self.size, self.results, self.align_corners):
            left = int(np.floor(place))
            weights: dict[int, float] = {}
            for k in range(left - 1, left + 3):
                inside = min(max(0, k), self.size - 1)
                weights[inside] = weights.get(inside, 0.0) + _keys(abs(place - k))
            found.append([(k, w) for k, w in weights.items() if w])
        return found


def _keys(distance: float) -> float:
    """Return the weight of an element at a distance; A. is Keys' a."""
    a, t = -0.75, distance
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0


def _places(size: int, count: int, align_corners: bool) -> list[float]:
    """Return where the results stand among the elements."""
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
        return [i * step for i in range(count)]
    return [(i + 0.5) * size / count - 0.5 for i in range(count)]


def _between(positions: range, low: int, high: int) -> range:
    """Return those of an increasing range that are at least low and less than high."""
    step = positions.step
    skipped = max(0, -((positions.start - low) // step))
    start = positions.start + skipped * step
    return range(start, max(start, min(positions.stop, high)), step)


@lru_cache(maxsize=1024)
def rows(taps: Taps, turned: bool = False) -> Rows:
    """Return the sparse matrix (results, elements), or `turned` its transpose.

    >>> rows(Nearest(2, 3))[1]
    array([0, 0, 1])
    """
    entries = taps.entries()
    if turned:
        columns: list[list[tuple[int, float]]] = [[] for _ in range(taps.size)]
        for i, row in enumerate(entries):
            for k, weight in row:
                columns[k].append((i, weight))
        entries = columns
    flat = [entry for row in entries for entry in row]
    pointers = np.cumsum([0, *map(len, entries)], dtype=np.int64)
    indices = np.array([k for k, _ in flat], np.int64)
    return pointers, indices, np.array([w for _, w in flat], np.float64)


@lru_cache(maxsize=1024)
def bins(taps: Sliding | Adaptive) -> Array:
    """Return `(start, stop, step)` of the elements of each result: (results, 3).

    >>> bins(Sliding(4, 3, stride=2, sides=(1, 0)))
    array([[0, 2, 1],
           [1, 4, 1]])
    """
    found = [taps.bin(i) for i in range(taps.results)]
    table = [(part.start, part.stop, part.step) for part in found]
    return np.array(table, np.int64).reshape(len(table), 3)
