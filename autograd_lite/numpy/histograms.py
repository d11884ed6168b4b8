"""Histograms: counts are constants, but edges, densities and sums of weights are not.

The edges of equal bins lie evenly between the smallest and the largest element, and
move with them. How many elements fall between does not change with a small change of
anything, so counts have no derivative; a density has that of the widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops import elementwise as ew
from ..ops.basic import cast, reshape
from ..ops.index import ARRAY, scatter_sum
from .dispatch import constant, exactly, has_tracer, implements, operand
from .reductions import max, min, sum
from .scans import diff
from .shapes import ravel


def _ends(range: Any) -> tuple[Any, ...]:
    return () if range is None else tuple(range)


@constant
def _edges(a: Any, bins: Any, weights: Any, *range: Any) -> Any:
    return np.histogram_bin_edges(a, bins, range or None, weights)


@constant
def _counts(a: Any, bins: Any, weights: Any, *range: Any) -> Any:
    return np.histogram(a, bins, range or None, weights=weights)[0]


@implements(np.histogram_bin_edges)
def histogram_bin_edges(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None
) -> Any:
    """Return the edges of bins: those given, or evenly from the minimum to the maximum.

    How many bins a rule such as "auto" finds is a constant to derivatives.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> x = np.array([0.0, 1.0, 4.0])
    >>> print(grad(lambda x: np.histogram_bin_edges(x, 4)[1])(x))
    [0.75 0.   0.25]
    """
    a = ravel(a)
    weights = None if weights is None else ravel(weights)
    if not isinstance(bins, str) and operand(bins).ndim:
        _edges(a, bins, weights)  # NumPy's own checks
        return operand(bins)
    edges = _edges(a, bins, weights, *_ends(range))
    ends = _outer(a, range)
    if not has_tracer(ends):
        return edges
    share = np.linspace(0.0, 1.0, edges.shape[0], dtype=edges.dtype)
    return exactly(ends[0] * (1 - share) + ends[1] * share, edges)


def _outer(a: Any, range: Any) -> tuple[Any, Any]:
    """Return the first and the last edge of equal bins, as NumPy finds them."""
    if range is not None:
        first, last = [operand(end) for end in range]
    elif a.size:
        first, last = min(a), max(a)
    else:
        return 0.0, 1.0
    same = ew.equal(first, last)
    return ew.where(same, first - 0.5, first), ew.where(same, last + 0.5, last)


@implements(np.histogram)
def histogram(
    a: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> Any:
    """Return how many elements fall into each bin, or their weights, and the edges."""
    a = ravel(a)
    weights = None if weights is None else ravel(weights)
    edges = histogram_bin_edges(a, bins, range, weights)
    counts = _counts(a, bins, weights, *_ends(range))
    if has_tracer((weights,)):
        total = _sums(weights, _cells(1, a, edges), counts.shape[0])
        counts = exactly(total, counts)
    if not density:
        return counts, edges
    widths = cast(operand(diff(edges)), np.dtype(float))
    return counts / widths / sum(counts), edges


def _cells_of(rank: int, *columns_and_edges: Any) -> Any:
    """Return for each sample the number of its cell, and the last number outside."""
    edges = columns_and_edges[rank:]
    lengths = [len(e) - 1 for e in edges]
    outside = np.zeros(columns_and_edges[0].shape, bool)
    if any(n < 1 for n in lengths):  # no cells: their number is that of the outside
        return outside.astype(int)
    places = []
    for x, e, n in zip(columns_and_edges, edges, lengths):
        place = np.searchsorted(e, x, "right") - 1
        place = np.where(x == e[-1], n - 1, place)  # the last bin is closed
        outside |= (place < 0) | (place >= n)
        places.append(np.clip(place, 0, n - 1))
    flat = np.ravel_multi_index(places, lengths)
    return np.where(outside, np.prod(lengths), flat)


_cells = constant(_cells_of)


def _sums(weights: Any, cells: Any, n: int) -> Any:
    """Return the sum of the weights in each of n cells; the rest is left out."""
    layout, shape = (((ARRAY,), 1),), (n + 1,)
    total = scatter_sum(weights, cells, layout=layout, shape=shape, dtype=weights.dtype)
    return total[:n]


@implements(np.histogramdd)
def histogramdd(
    sample: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> Any:
    """Return a histogram of points, `sample: (n, d)` or d vectors, and d edges."""
    columns = _columns(sample)
    d = len(columns)
    per_axis = _per_axis(bins, d)
    ranges = [None] * d if range is None else range
    if not len(per_axis) == len(ranges) == d:
        raise ShapeError(
            f"np.histogramdd: {len(per_axis)} bins and {len(ranges)} ranges for points "
            f"of {d} coordinates"
        )
    edges = [histogram_bin_edges(x, b, r) for x, b, r in zip(columns, per_axis, ranges)]
    shape = tuple([e.shape[0] - 1 for e in edges])
    w = np.ones(columns[0].shape) if weights is None else ravel(weights)
    cells = _cells(d, *columns, *edges)
    total = _sums(cast(w, np.dtype(float)), cells, int(np.prod(shape)))
    counts = reshape(total, shape=shape)
    return (_density(counts, edges) if density else counts), edges


def _columns(sample: Any) -> list[Any]:
    """Return the coordinates of points, one vector for each."""
    points = operand(sample)
    if isinstance(sample, (list, tuple)):
        return [ravel(points[i]) for i in np.arange(points.shape[0])]
    if points.ndim != 2:
        return [ravel(points)]
    return [points[:, i] for i in np.arange(points.shape[1])]


def _per_axis(bins: Any, d: int) -> Sequence[Any]:
    whole = isinstance(bins, (list, tuple)) or operand(bins).ndim
    return bins if whole else [bins] * d


def _density(counts: Any, edges: Sequence[Any]) -> Any:
    total = sum(counts)
    for i, e in enumerate(edges):
        shape = tuple([e.shape[0] - 1 if i == j else 1 for j in np.arange(len(edges))])
        counts = counts / reshape(operand(diff(e)), shape=shape)
    return counts / total


@implements(np.histogram2d)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: Any = None,
    weights: Any = None,
) -> Any:
    """Return a histogram of points with coordinates x and y, and the edges of both."""
    both = isinstance(bins, (list, tuple)) or operand(bins).ndim
    if both and len(bins) not in (1, 2):  # one set of edges for both
        bins = [operand(bins)] * 2
    counts, (first, second) = histogramdd([x, y], bins, range, density, weights)
    return counts, first, second
