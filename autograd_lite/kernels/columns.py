"""How rows and columns are cut to register tiles."""

from __future__ import annotations

from typing import NamedTuple


class Columns(NamedTuple):
    """Columns `first` to `last` of a result, and the tile that computes them."""

    vectors: int
    lanes: int
    first: int
    last: int

    @property
    def width(self) -> int:
        """The number of columns of one tile."""
        return self.vectors * self.lanes

    @property
    def last_lanes(self) -> int:
        """The number of lanes in use in the last tile's last vector."""
        return self.lanes - (self.first - self.last) % self.width

    @property
    def masked(self) -> bool:
        """Whether some lanes of the last vector don't exist."""
        return self.last_lanes < self.lanes


def columns(k: int, lanes: int, widest: int = 2) -> list[Columns]:
    """Cut k columns to groups of `widest` vectors, pairs of vectors, and a rest.

    Example:
        >>> [(part.first, part.vectors, part.lanes) for part in columns(40, 16)]
        [(0, 2, 16), (32, 1, 8)]
    """
    parts, first = [], 0
    for vectors in sorted({widest, 2}, reverse=True):
        last = k - (k - first) % (vectors * lanes)
        if last > first:
            parts.append(Columns(vectors, lanes, first, last))
        first = last
    rest = k - first
    if rest > lanes:
        parts.append(Columns(2, lanes, first, k))
    elif rest:
        fitting = 1 << (rest - 1).bit_length()
        parts.append(Columns(1, fitting, first, k))
    return parts


def even(total: int, most: int) -> int:
    """Return the piece, at most `most`, that cuts total with the least overhang.

    Example:
        >>> even(26, 14), even(28, 14), even(5, 14)
        (13, 14, 5)
    """
    return -(-total // -(-total // most))
