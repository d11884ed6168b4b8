"""NumPy twins of windows along axes, of interpolation, and of the layers on them."""

import itertools

import numpy as np


def window_positions(size, window, stride, sides, dilation):
    """List the positions of each window along an axis; some may be in the border."""
    reach = dilation * (window - 1) + 1
    starts = range(-sides[0], size + sides[1] - reach + 1, stride)
    return [[start + dilation * t for t in range(window)] for start in starts]


def sliding_matrix(size, window, stride, sides, dilation, mean=False, counted=(0, 0)):
    """Return the matrix (windows, size) that adds up each window, or averages it."""
    rows = []
    for positions in window_positions(size, window, stride, sides, dilation):
        row = np.zeros(size)
        row[[k for k in positions if 0 <= k < size]] = 1
        if mean:
            row /= sum(-counted[0] <= k < size + counted[1] for k in positions)
        rows.append(row)
    return np.array(rows).reshape(len(rows), size)


def adaptive_bins(size, results):
    """List the elements of each of so many parts of an axis."""
    return [
        list(range(i * size // results, -(-(i + 1) * size // results)))
        for i in range(results)
    ]


def adaptive_matrix(size, results):
    """Return the matrix (results, size) that averages each part."""
    parts = adaptive_bins(size, results)
    return np.array([np.isin(np.arange(size), part) / len(part) for part in parts])


def linear_matrix(size, results, align_corners):
    """Return the matrix (results, size) of linear interpolation."""
    if align_corners:
        places = np.linspace(0, size - 1, results)
    else:
        places = (np.arange(results) + 0.5) * size / results - 0.5
    columns = [np.interp(places, np.arange(size), row) for row in np.eye(size)]
    return np.array(columns).T


def along(matrix, x, axis):
    """Apply a matrix to one axis of x."""
    return np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis).astype(x.dtype)


def window_max(x, bins):
    """Return the maximum of each window of x: (n, *size, c), and its place in x.

    `bins` lists for each axis the elements of each window.
    """
    n, *size, c = x.shape
    counts = [len(axis) for axis in bins]
    y, index = np.empty((n, *counts, c), x.dtype), np.empty((n, *counts, c), np.int64)
    for at in itertools.product(*map(range, counts)):
        parts = [axis[i] for axis, i in zip(bins, at)]
        places = list(itertools.product(*parts))
        values = np.stack([x[(slice(None), *place)] for place in places])
        winner = values.argmax(0)
        flat = np.array([np.ravel_multi_index(place, size) for place in places])
        y[(slice(None), *at)] = np.take_along_axis(values, winner[None], 0)[0]
        index[(slice(None), *at)] = flat[winner]
    return y, index


def place(g, index, size):
    """Add g: (n, o, c) to zeros (n, size, c) at these places."""
    x = np.zeros((g.shape[0], size, g.shape[2]), g.dtype)
    n, c = np.ogrid[: g.shape[0], : g.shape[2]]
    for o in range(g.shape[1]):
        np.add.at(x, (n, index[:, o], c), g[:, o])
    return x


def gather_windows(x, axes, window, stride, dilation):
    """Return the windows along some axes of x, tap by tap."""
    counts = [
        (x.shape[a] - d * (w - 1) - 1) // s + 1
        for a, w, s, d in zip(axes, window, stride, dilation)
    ]
    outer = list(x.shape)
    for axis, count in zip(axes, counts):
        outer[axis] = count
    y = np.empty((*outer, *window), x.dtype)
    for tap in np.ndindex(*window):
        taken = x
        for a, t, s, d, count in zip(axes, tap, stride, dilation, counts):
            taken = np.take(taken, t * d + s * np.arange(count), axis=a)
        y[(..., *tap)] = taken
    return y


def add_windows(g, shape, axes, window, stride, dilation):
    """Apply the transpose of `gather_windows`, found by where each element goes."""
    flat = np.arange(np.prod(shape)).reshape(shape)
    places = gather_windows(flat, axes, window, stride, dilation)
    total = np.bincount(places.ravel(), g.ravel(), minlength=flat.size)
    return total.reshape(shape).astype(g.dtype)
